//! Typicality: how densely samples lie, sample by sample, and which of them are the highly typical ones.

mod agreement;
mod density;

pub use agreement::Agreement;
pub use density::{Density, Typicality};
