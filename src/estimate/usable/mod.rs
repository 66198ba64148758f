//! Usable information: what a family of probes can read from a representation.

mod fit;
mod kernels;
mod lbfgs;
mod linear;
mod parameters;
mod precondition;
mod residuals;
mod softmax;
mod standardize;

pub use linear::Linear;
pub use parameters::{Penalties, Tolerance};

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::split::Split;
use super::{Estimate, EstimateError, Labels};

/// The family of probes that reads the representation.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Probe {
    /// Softmax-linear probes.
    Linear(Linear),
}

impl Probe {
    /// Estimates the information about the labels that the family can read from z, one row a sample.
    ///
    /// # Errors
    ///
    /// See the family's own documentation.
    pub fn estimate<T: Copy + Into<f64> + Sync>(
        &self,
        z: ArrayView2<'_, T>,
        labels: &Labels,
        split: &Split,
    ) -> Result<Estimate, EstimateError> {
        match self {
            Self::Linear(linear) => linear.estimate(z, labels, split),
        }
    }
}
