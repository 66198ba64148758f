use std::num::NonZeroUsize;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Compressed;
use crate::estimate::EstimateError;
use crate::estimate::columns::{self, Element};
use crate::estimate::neural::{AutoencoderShape, Image, Rows, Schedule, autoencode};
use crate::estimate::random::SplitMix64;

/// One row in this many chooses when training ends, and another one judges.
const HELD_OUT: usize = 10;

/// Fewer rows than this cannot be divided so.
const FEWEST: usize = 50;

/// A nonlinear autoencoder: the few numbers from which a network rebuilds a layer best.
///
/// # Formula
///
/// ```text
/// min ⟨|x − D(E(x))|²⟩      scores E(x)
/// ```
///
/// over networks E and D of rectifiers with slope 0.2 below zero, where D mirrors E and the code is linear. `x` is
/// centered, and divided by one scale for all units: the root of their mean variance. Of the rows 8 in 10 train, one
/// in 10 chooses when training ends, and one in 10 judges: `reconstruction_error` in the details is the mean squared
/// error of these, in squared units per unit, `unexplained_variance` the same as a part of the variance there.
///
/// # Use
///
/// For the input, once a run, where it lies near a curved surface of few dimensions that principal components cut
/// through. It is one-to-one only as far as the reconstruction is right: what it cannot rebuild it may have lost. Codes
/// turn and bend from seed to seed, so that layers of different checkpoints get different frames; standardize them.
///
/// # Cost
///
/// Steps × batch × three times the products of the network: seconds for thousands of rows and hundreds of units,
/// minutes with convolutions.
///
/// # Reference
///
/// G. E. Hinton, R. R. Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313, 504 (2006),
/// <https://doi.org/10.1126/science.1127647>; before estimates of information: I. Butakov et al., Information bottleneck
/// analysis of deep neural networks via lossy compression, ICLR 2024.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Autoencoder {
    /// The number of numbers in the code.
    pub components: NonZeroUsize,
    /// The layers of the encoder.
    #[serde(default)]
    pub layout: Layout,
    /// The most steps of training; it ends before where the error of rows apart falls no more.
    #[serde(default = "Autoencoder::default_steps")]
    pub steps: NonZeroUsize,
    /// Rows a step.
    #[serde(default = "Autoencoder::default_batch")]
    pub batch: NonZeroUsize,
}

/// The layers of an encoder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Layout {
    /// Dense layers of these widths before the code.
    Dense {
        /// The widths.
        hidden: Vec<NonZeroUsize>,
    },
    /// Convolutions of 3 × 3, each followed by means over 2 × 2, then dense layers.
    Convolutional {
        /// Channels, height and width of a sample, in that order in a row.
        image: [NonZeroUsize; 3],
        /// The channels of each convolution.
        channels: Vec<NonZeroUsize>,
        /// The widths of the dense layers before the code.
        hidden: Vec<NonZeroUsize>,
    },
}

impl Default for Layout {
    fn default() -> Self {
        Self::Dense { hidden: [128, 64].map(|width| NonZeroUsize::new(width).expect("neither is zero")).into() }
    }
}

impl Autoencoder {
    fn default_steps() -> NonZeroUsize {
        NonZeroUsize::new(4000).expect("4000 is not zero")
    }

    fn default_batch() -> NonZeroUsize {
        NonZeroUsize::new(256).expect("256 is not zero")
    }

    /// The codes of a matrix with one row a sample, from a network that was trained on it.
    ///
    /// # Errors
    ///
    /// [`EstimateError::TooFewSamples`] below 50 rows, [`EstimateError::Degenerate`] where rows are not of the image's
    /// size, [`EstimateError::Numeric`] where training diverges.
    pub fn compress<T: Element>(&self, samples: ArrayView2<'_, T>, seed: u64) -> Result<Compressed, EstimateError> {
        let (n, d) = samples.dim();
        if n < FEWEST {
            return Err(EstimateError::TooFewSamples { found: n, needed: FEWEST - 1 });
        }
        let shape = self.shape(d)?;
        let moments = columns::moments(samples, None);
        let scale = (moments.squares.sum() / (n * d) as f64).sqrt();
        if scale == 0.0 {
            return Ok(coded(Array2::zeros((n, 0)), Map::new()));
        }
        let scaled = columns::centered(samples, None, moments.means.view()) / scale;
        let mut random = SplitMix64::new(seed);
        let mut order: Vec<usize> = (0..n).collect();
        random.shuffle(&mut order);
        let (judges, others) = order.split_at(n / HELD_OUT);
        let (choosers, learners) = others.split_at(n / HELD_OUT);
        let [test, validation, train] =
            [judges, choosers, learners].map(|rows| single(scaled.select(Axis(0), rows).view()));
        let schedule = Schedule {
            learning_rate: 1e-3,
            weight_decay: 0.0,
            batch: self.batch.get(),
            patience: 10,
            reductions: 2,
            max_steps: self.steps.get(),
        };
        let of = |values| Rows::new(values, d, d);
        let trained = autoencode(&shape, of(&train), of(&validation), &schedule, random.next_u64())?;
        let rebuilt = trained.network.rebuilt(of(&test))?;
        let error = mean_square(test.iter().zip(&rebuilt).map(|(x, y)| f64::from(x - y)));
        let variance = mean_square(test.iter().map(|&x| f64::from(x)));
        let codes = trained.network.codes(of(&single(scaled.view())))?;
        let codes = codes.into_iter().map(f64::from).collect();
        let scores = Array2::from_shape_vec((n, self.components.get()), codes).expect("a code a row");
        let details: [(&str, Value); 5] = [
            ("reconstruction_error", (error * scale * scale).into()),
            ("unexplained_variance", (error / variance).into()),
            ("held_out", judges.len().into()),
            ("best_step", trained.best_step.into()),
            ("converged", trained.converged.into()),
        ];
        Ok(coded(scores, details.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()))
    }

    fn shape(&self, inputs: usize) -> Result<AutoencoderShape, EstimateError> {
        let plain = |widths: &[NonZeroUsize]| widths.iter().map(|width| width.get()).collect::<Vec<_>>();
        let (image, hidden) = match &self.layout {
            Layout::Dense { hidden } => (None, hidden),
            Layout::Convolutional { image, channels, hidden } => {
                let size = image.map(NonZeroUsize::get);
                if size.iter().product::<usize>() != inputs {
                    let [channels, height, width] = size;
                    return Err(EstimateError::Degenerate {
                        reason: format!(
                            "found {inputs} units, needed {channels} x {height} x {width} for the autoencoder's `image`; \
                             give the layer's own size, or use the `dense` layout"
                        ),
                    });
                }
                (Some(Image { size, channels: plain(channels) }), hidden)
            }
        };
        Ok(AutoencoderShape { inputs, image, hidden: plain(hidden), code: self.components.get() })
    }
}

fn coded(scores: Array2<f64>, details: Map<String, Value>) -> Compressed {
    Compressed {
        rank: scores.ncols(),
        scores,
        explained_variance_ratio: Vec::new(),
        means: Array1::zeros(0),
        axes: Array2::zeros((0, 0)),
        details,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "networks compute in single precision")]
fn single(matrix: ArrayView2<'_, f64>) -> Vec<f32> {
    matrix.iter().map(|&value| value as f32).collect()
}

fn mean_square(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.map(|value| value * value).sum::<f64>() / n
}
