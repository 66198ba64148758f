//! Reconstruction: how much of a target, such as the input, a decoder recovers from a layer.
//!
//! | file | what it holds |
//! |---|---|
//! | `convolution` | a convolutional network that paints an image, trained fresh |
//! | `decoded` | what a decoder rebuilt of held-out samples, and how well |
//! | `linear` | ridge regression in closed form, of full or of low rank |
//! | `mlp` | a dense network, trained fresh |
//! | `ridge` | products shared between folds and penalties |
//! | `race` | the choice of a penalty for wide layers |
//! | `sides` | training and test rows about the training means |
//! | `trained` | what decoders share that are trained by gradients |

mod convolution;
mod decoded;
mod linear;
mod mlp;
mod race;
pub(super) mod ridge;
pub(super) mod sides;
mod trained;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

pub use convolution::{Channels, Convolution};
pub use decoded::Decoded;
pub use linear::{Linear, RelativePenalties};
pub use mlp::Mlp;
pub use trained::Widths;

use super::{Element, EstimateError, Split};

/// The family of functions from which the decoder is chosen.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Decoder {
    /// A linear map with a ridge penalty.
    Linear(Linear),
    /// A dense network.
    Mlp(Mlp),
    /// A convolutional network that paints an image.
    Convolution(Convolution),
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
            Self::Convolution(convolution) => convolution.decode(z, target, split, seed),
        }
    }

    /// About the most memory that [`Decoder::decode`] takes, in bytes, beside what it is given: for so many samples,
    /// units of the layer and columns of the target.
    #[must_use]
    pub fn bytes(&self, n_samples: usize, n_units: usize, n_columns: usize) -> usize {
        // The two sides in double precision, and the target and what is rebuilt of the test samples.
        let sides = n_samples * (n_units + 2 * n_columns) * size_of::<f64>();
        let own = match self {
            Self::Linear(linear) => linear.numbers(n_samples, n_units, n_columns) * size_of::<f64>(),
            Self::Mlp(mlp) => trained::bytes(n_samples, n_units, n_columns, mlp.numbers(n_samples, n_units, n_columns)),
            Self::Convolution(convolution) => {
                trained::bytes(n_samples, n_units, n_columns, convolution.numbers(n_units))
            }
        };
        sides.saturating_add(own)
    }
}
