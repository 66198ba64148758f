//! Networks that paint an image from a layer.

use candle_core::{Result, Tensor, Var};

use super::convolution::Convolution;
use super::loss::{Loss, SquaredError};
use super::network::Layer;
use super::stages::{Stage, back, in_blocks, parameters, through};
use super::training::{Learner, train_network};
use super::{Rows, Schedule, Trained, broken};
use crate::estimate::EstimateError;
use crate::estimate::random::SplitMix64;

/// Images that are painted at once, for what convolutions need of them fills the memory.
const IMAGES: usize = 128;

/// The shape of a painter.
#[derive(Clone, Debug)]
pub(in crate::estimate) struct PainterShape {
    /// The number of inputs.
    pub inputs: usize,
    /// Channels, height and width of the inputs, if they are images.
    pub spatial: Option<[usize; 3]>,
    /// Channels, height and width of what is painted.
    pub image: [usize; 3],
    /// The channels before each doubling of height and width.
    pub channels: Vec<usize>,
}

/// A network that paints.
pub(in crate::estimate) struct Painter {
    stages: Vec<Stage>,
    outputs: usize,
}

/// Trains a painter on rows and their targets until it paints others no better.
///
/// # Errors
///
/// [`EstimateError::Numeric`] if its loss is not finite.
pub(in crate::estimate) fn paint(
    shape: &PainterShape,
    (rows, targets): (Rows<'_>, Rows<'_>),
    (validation, validation_targets): (Rows<'_>, Rows<'_>),
    schedule: &Schedule,
    seed: u64,
) -> core::result::Result<Trained<Painter>, EstimateError> {
    let mut random = SplitMix64::new(seed);
    let painter = Painter::new(shape, &mut random).map_err(broken)?;
    let sides = ((rows, SquaredError(targets)), (validation, SquaredError(validation_targets)));
    train_network(painter, sides.0, sides.1, schedule, random)
}

impl Painter {
    fn new(shape: &PainterShape, random: &mut SplitMix64) -> Result<Self> {
        let [colors, height, width] = shape.image;
        // From the finest to the coarsest; the channels are those before the stage that doubles them.
        let mut sizes = vec![(height, width)];
        for _ in &shape.channels {
            let &(height, width) = sizes.last().expect("the first one was put there");
            sizes.push((height.div_ceil(2), width.div_ceil(2)));
        }
        let n = shape.channels.len();
        let channels_at = |level: usize| shape.channels[(n - level).min(n - 1)];
        let mut stages = Vec::new();
        let mut level = n;
        let mut inputs = shape.inputs;
        let mut matched = false;
        if let Some(size @ [channels, height, width]) = shape.spatial {
            let found = sizes.iter().position(|&size| size == (height, width));
            matched = found.is_some();
            level = found.unwrap_or(n);
            let to = channels_at(level);
            stages.push(Stage::ToImages(size));
            stages.push(Stage::Convolution(Convolution::new(channels, to, random)?));
            stages.push(Stage::Rectify(0.0));
            if !matched {
                stages.push(Stage::ToRows);
                inputs = to * height * width;
            }
        }
        if !matched {
            let (height, width) = sizes[level];
            let size = [channels_at(level), height, width];
            stages.push(Stage::Dense(Layer::new(inputs, size.iter().product(), random)?));
            stages.push(Stage::Rectify(0.0));
            stages.push(Stage::ToImages(size));
        }
        let mut channels = channels_at(level);
        for level in (0..level).rev() {
            let (height, width) = sizes[level];
            stages.push(Stage::Double(height, width));
            if level > 0 {
                stages.push(Stage::Convolution(Convolution::new(channels, channels_at(level), random)?));
                stages.push(Stage::Rectify(0.0));
                channels = channels_at(level);
            }
        }
        let last = Convolution::new(channels, colors, random)?;
        // What learns nothing says the mean.
        for parameter in [&last.layer.weights, &last.layer.intercepts] {
            parameter.set(&parameter.zeros_like()?)?;
        }
        stages.extend([Stage::Convolution(last), Stage::ToRows]);
        Ok(Self { stages, outputs: colors * height * width })
    }

    /// The number of weights and intercepts.
    pub(in crate::estimate) fn n_parameters(&self) -> usize {
        self.parameters().iter().map(|parameter| parameter.elem_count()).sum()
    }

    /// What is painted of rows, one row after the other.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Numeric`] if candle refuses an operation.
    pub(in crate::estimate) fn outputs(&self, rows: Rows<'_>) -> core::result::Result<Vec<f32>, EstimateError> {
        in_blocks(rows, |inputs| self.forward(inputs))
    }
}

impl Learner for Painter {
    fn parameters(&self) -> Vec<Var> {
        parameters(self.stages.iter())
    }

    fn forward(&self, inputs: &Tensor) -> Result<Tensor> {
        let rows = inputs.dim(0)?;
        let mut painted = Vec::with_capacity(rows * self.outputs);
        for first in (0..rows).step_by(IMAGES) {
            let block = inputs.narrow(0, first, IMAGES.min(rows - first))?;
            painted.extend(through(&self.stages, &block)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Tensor::from_vec(painted, (rows, self.outputs), inputs.device())
    }

    fn gradients(
        &self,
        inputs: Tensor,
        places: &[usize],
        loss: &impl Loss,
        _random: &mut SplitMix64,
    ) -> Result<(f64, Vec<Tensor>)> {
        back(&through(&self.stages, &inputs)?, places, loss, &self.parameters())
    }
}
