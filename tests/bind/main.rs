//! Bindings: every export of the zoo is proven, and every planted wrong one is refused or flagged.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod buffers;
mod captures;
#[path = "../common/mod.rs"]
mod common;
mod exports;
mod leftovers;
mod looks;
mod onnx;
mod planted;
mod records;
mod references;
mod rules;
mod series;
mod shards;
mod sources;
mod zoo;
