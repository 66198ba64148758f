use std::num::NonZeroUsize;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::decoded::Decoded;
use super::trained::{Answer, COPIES, Units, Widths, decode};
use crate::estimate::neural::{PainterShape, Schedule, paint};
use crate::estimate::usable::{Fraction, Rate};
use crate::estimate::{Element, EstimateError, Split};

/// The weights of a kernel.
const KERNEL: usize = 9;

/// Numbers that are held for each channel of each pixel: four neighborhoods.
const HELD: usize = 4 * KERNEL;

/// Images that are painted at once where nothing is learned.
const IMAGES: usize = 128;

/// The held-out loss of a convolutional network that paints an image, trained fresh for every layer and checkpoint.
///
/// # Formula
///
/// ```text
/// h_0 = max(0, W s(z) + b), an image of the coarsest size      h_l = max(0, K_l * ↑h_{l−1} + b_l)      x̂ = K * ↑h_L + b
/// value = mean over test samples and target columns of (x − x̂)²
/// ```
///
/// K * is a convolution of 3 × 3 with zeros beyond the border, ↑ doubles height and width by repeating pixels. The sizes
/// come from the target's, halved (and rounded up) once for each of the `channels`. A layer that has as many units as
/// one of the `spatial` sizes is an image: a convolution in place of W reads it, and where it is of one of the halved
/// sizes, or of the target's own, the network goes on from there; else W follows. s standardizes each unit by its mean
/// and standard deviation on the training samples and cuts what lies further out than `bound` of them; units that are
/// constant there are zero. Target, validation, steps and
/// their end are those of the `mlp` decoder.
///
/// # Use
///
/// For images, where neighboring pixels are alike: the `mlp` decoder has to learn each pixel by itself. Compare it with the
/// linear decoder at the same checkpoint. It takes far longer than both: for a few taps and checkpoints, or a small image.
///
/// # Cost
///
/// A step takes about 54 · batch · Σ (pixels · channels in · channels out) operations over all sizes, and holds
/// about 36 · batch · Σ (pixels · channels in) numbers of 4 bytes; besides, one f32 copy of layer and target is held.
///
/// # Reference
///
/// Schneider and Vlachos, "Explaining classifiers by constructing familiar concepts", *Machine Learning* 112 (2023), of
/// whose decoder this has the shape: a dense layer (from an image a convolution), then doubling to the input's size;
/// there, by transposed convolutions of 4 × 4 with 64 channels at the end.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Convolution {
    /// Channels, height and width of the target, in that order in a row.
    pub image: [NonZeroUsize; 3],
    /// Channels, height and width of the layers that are images themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spatial: Vec<[NonZeroUsize; 3]>,
    /// The channels before each doubling, from the coarsest size on; by default 32 and 16.
    #[serde(default = "Convolution::default_channels")]
    pub channels: Channels,
    /// Standard deviations beyond which a unit's value is cut; by default 10.
    #[serde(default = "Convolution::default_bound")]
    pub bound: Rate,
    /// The length of the first steps; by default 0.001.
    #[serde(default = "Convolution::default_learning_rate")]
    pub learning_rate: Rate,
    /// The pull of weights towards zero, in units of the learning rate; by default 0.01.
    #[serde(default = "Convolution::default_weight_decay")]
    pub weight_decay: Fraction,
    /// Training samples a step; by default 64.
    #[serde(default = "Convolution::default_batch")]
    pub batch: NonZeroUsize,
    /// Looks without a better loss after which steps get shorter, and at last end; by default 4.
    #[serde(default = "Convolution::default_patience")]
    pub patience: NonZeroUsize,
    /// Steps after which training ends in any case; by default 2000.
    #[serde(default = "Convolution::default_max_steps")]
    pub max_steps: NonZeroUsize,
}

/// The numbers of channels of some convolutions, one at least.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Widths", into = "Widths")]
pub struct Channels(Widths);

impl Channels {
    /// The numbers.
    #[must_use]
    pub fn get(&self) -> Vec<usize> {
        self.0.get()
    }
}

impl TryFrom<Widths> for Channels {
    type Error = String;

    fn try_from(widths: Widths) -> Result<Self, String> {
        if widths.get().is_empty() {
            Err("found no channels, needed one at least".to_owned())
        } else {
            Ok(Self(widths))
        }
    }
}

impl From<Channels> for Widths {
    fn from(channels: Channels) -> Self {
        channels.0
    }
}

impl Convolution {
    fn default_channels() -> Channels {
        Channels(Widths::try_from(vec![number(32), number(16)]).expect("neither is much"))
    }

    fn default_bound() -> Rate {
        Rate::try_from(10.0).expect("the default is positive")
    }

    fn default_learning_rate() -> Rate {
        Rate::try_from(1e-3).expect("the default is positive")
    }

    fn default_weight_decay() -> Fraction {
        Fraction::try_from(0.01).expect("the default is a fraction")
    }

    fn default_batch() -> NonZeroUsize {
        number(64)
    }

    fn default_patience() -> NonZeroUsize {
        number(4)
    }

    fn default_max_steps() -> NonZeroUsize {
        number(2000)
    }

    /// Reconstructs the test rows of `target` from the layer `z`.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] for fewer than five training samples or no test samples, or a target that is not of the
    /// image's size; [`EstimateError::Numeric`] if training diverges.
    ///
    /// # Panics
    ///
    /// If `split` names a row that `z` or `target` lacks.
    pub fn decode<T: Element, U: Element>(
        &self,
        z: ArrayView2<'_, T>,
        target: ArrayView2<'_, U>,
        split: &Split,
        seed: u64,
    ) -> Result<Decoded, EstimateError> {
        let image = self.image.map(NonZeroUsize::get);
        if image.iter().product::<usize>() != target.ncols() {
            let [channels, height, width] = image;
            return Err(EstimateError::Degenerate {
                reason: format!(
                    "found a target of {} columns, needed {channels} x {height} x {width}, the decoder's `image`; give the \
                     target's own size, or use the `mlp` decoder",
                    target.ncols()
                ),
            });
        }
        let channels = self.channels.get();
        let sizes = self.spatial.iter().map(|size| size.map(NonZeroUsize::get));
        let spatial = sizes.into_iter().find(|size| size.iter().product::<usize>() == z.ncols());
        let mut decoded = decode((z, Units::All, self.bound.get()), target, split, seed, |task| {
            let shape = PainterShape { inputs: task.inputs, spatial, image, channels };
            let trained = paint(&shape, task.training, task.validation, &self.schedule(), seed)?;
            Ok(Answer {
                rebuilt: trained.network.outputs(task.test)?,
                steps: trained.steps,
                best_step: trained.best_step,
                converged: trained.converged,
                n_parameters: trained.network.n_parameters(),
            })
        })?;
        decoded.loss.detail("reads", if spatial.is_some() { "an image" } else { "a row" });
        Ok(decoded)
    }

    /// The numbers that a network holds beside layer and target: copies of its weights, and what a batch leaves for the
    /// gradient: of each pixel at each size its neighborhood, and that once more in the making.
    pub(super) fn numbers(&self, n_units: usize) -> usize {
        let [_, mut height, mut width] = self.image.map(NonZeroUsize::get);
        let channels = self.channels.get();
        let (mut weights, mut held) = (0, 0);
        for &channels in channels.iter().rev() {
            held += height * width * channels * HELD;
            weights += KERNEL * channels * self.most_channels();
            (height, width) = (height.div_ceil(2), width.div_ceil(2));
        }
        let first = height * width * channels.first().copied().unwrap_or(0);
        weights += (n_units + 1).saturating_mul(first);
        weights.saturating_mul(COPIES).saturating_add(held.saturating_mul(self.batch.get().max(IMAGES)))
    }

    fn most_channels(&self) -> usize {
        self.channels.get().into_iter().chain([self.image[0].get()]).max().unwrap_or(0)
    }

    fn schedule(&self) -> Schedule {
        Schedule {
            learning_rate: self.learning_rate.get(),
            weight_decay: self.weight_decay.get(),
            batch: self.batch.get(),
            patience: self.patience.get(),
            reductions: 2,
            max_steps: self.max_steps.get(),
        }
    }
}

fn number(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("the defaults are not zero")
}
