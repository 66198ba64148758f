//! Estimates: pure functions from arrays to numbers with an uncertainty.
//!
//! Nothing here reads a file, a clock or a terminal, and nothing imports another stage.

mod error;
mod outcome;
pub mod random;
mod samples;

pub use error::EstimateError;
pub use outcome::{Estimate, Flag, Unit};
pub use samples::{Labels, Paired, SampleError, finite};
