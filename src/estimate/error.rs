use thiserror::Error;

/// Why an estimate could not be made from valid samples.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum EstimateError {
    /// The neighbor asked for does not exist.
    #[error("needs more than {needed} samples, found {found}; lower `neighbors` or give more samples")]
    TooFewSamples {
        /// Samples that are there.
        found: usize,
        /// Samples that must be exceeded.
        needed: usize,
    },
    /// A column, or the whole label set, leaves nothing to estimate.
    #[error("{reason}")]
    Degenerate {
        /// What is degenerate, and the remedy.
        reason: String,
    },
    /// An iterative solver or a factorization broke down.
    #[error("{step} failed: {reason}")]
    Numeric {
        /// The computation that failed.
        step: &'static str,
        /// What was found.
        reason: String,
    },
}
