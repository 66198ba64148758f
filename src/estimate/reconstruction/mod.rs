//! Reconstruction: how much of a target, such as the input, a decoder recovers from a layer.
//!
//! | file | what it holds |
//! |---|---|
//! | `decoded` | what a decoder rebuilt of held-out samples, and how well |
//! | `linear` | ridge regression in closed form, of full or of low rank |
//! | `mlp` | a dense network, trained fresh |
//! | `ridge` | products shared between folds and penalties |
//! | `race` | the choice of a penalty for wide layers |
//! | `sides` | training and test rows about the training means |

mod decoded;
mod linear;
mod mlp;
mod race;
pub(super) mod ridge;
pub(super) mod sides;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

pub use decoded::Decoded;
pub use linear::{Linear, RelativePenalties};
pub use mlp::Mlp;

use super::{Element, EstimateError, Split};

/// The family of functions from which the decoder is chosen.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Decoder {
    /// A linear map with a ridge penalty.
    Linear(Linear),
    /// A dense network.
    Mlp(Mlp),
}

impl Decoder {
    /// Reconstructs held-out samples of `target` from the layer `z`; `seed` is for decoders that are trained.
    ///
    /// # Errors
    ///
    /// Those of the decoder.
    pub fn decode<T: Element, U: Element>(
        &self,
        z: ArrayView2<'_, T>,
        target: ArrayView2<'_, U>,
        split: &Split,
        seed: u64,
    ) -> Result<Decoded, EstimateError> {
        match self {
            Self::Linear(linear) => linear.decode(z, target, split),
            Self::Mlp(mlp) => mlp.decode(z, target, split, seed),
        }
    }
}
