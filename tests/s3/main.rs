//! Archives and results in object storage, on a real S3 server in this machine: moto, from Python's package index.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archive;
#[path = "../common/mod.rs"]
mod common;
mod faults;
mod google;
mod proxy;
mod results;
mod runs;
mod server;
