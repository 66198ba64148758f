//! Reconstruction: how much of a target, such as the input, a decoder recovers from a layer.

mod linear;
pub(super) mod ridge;
pub(super) mod sides;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

pub use linear::{Linear, RelativePenalties};

use super::{Element, Estimate, EstimateError, Split};

/// The family of functions from which the decoder is chosen.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Decoder {
    /// A linear map with a ridge penalty.
    Linear(Linear),
}

impl Decoder {
    /// Estimates the loss of reconstructing `target` from the layer `z` on held-out samples.
    ///
    /// # Errors
    ///
    /// Those of the decoder.
    pub fn estimate<T: Element, U: Element>(
        &self,
        z: ArrayView2<'_, T>,
        target: ArrayView2<'_, U>,
        split: &Split,
    ) -> Result<Estimate, EstimateError> {
        match self {
            Self::Linear(linear) => linear.estimate(z, target, split),
        }
    }
}
