//! Estimates: pure functions from arrays to numbers with an uncertainty.
//!
//! Nothing here reads a file, a clock or a terminal, and nothing imports another stage.
//!
//! | folder | what it estimates |
//! |---|---|
//! | `known` | distributions whose information is known |
//! | `information` | mutual information, one estimator a file |
//! | `usable` | what a probe can read of a label |
//! | `reconstruction` | how well a target can be rebuilt |
//! | `bottleneck` | the least that must be known of X to know so much of Y |
//! | `typicality` | how densely samples lie, and which are typical |
//! | `gradient` | signal and noise of the last layer's gradients |
//! | `compress` | few coordinates for many units |
//! | `neighbors` | exact distances and counts of neighbors |
//! | `neural` | dense networks, trained by gradients |
//! | `matrix` | dense linear algebra |

pub mod bottleneck;
mod columns;
pub mod compress;
mod digamma;
mod error;
mod exponential;
mod folds;
pub mod gradient;
pub mod information;
pub mod known;
mod matrix;
pub mod neighbors;
mod neural;
mod outcome;
mod permutations;
pub mod random;
pub mod reconstruction;
mod samples;
mod split;
pub mod typicality;
pub mod usable;

pub use columns::Element;
pub use digamma::digamma;
pub use error::EstimateError;
pub use folds::Folds;
pub use outcome::{Estimate, Flag, Interval, Null, Unit};
pub use permutations::Permutations;
pub use samples::{Labels, Paired, SampleError, finite};
pub use split::Split;
