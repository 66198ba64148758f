//! Networks that rebuild what they read through a narrow place.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

use super::convolution::{Convolution, doubled, halved};
use super::network::{Layer, rectified};
use super::training::{Learner, train_network};
use super::{Rows, Schedule, Trained, broken};
use crate::estimate::EstimateError;
use crate::estimate::random::SplitMix64;

/// The slope of hidden units below zero.
const SLOPE: f32 = 0.2;

/// Rows that go through at once when nothing is learned from them.
const ROWS: usize = 512;

/// The shape of an autoencoder: the decoder mirrors the encoder.
#[derive(Clone, Debug)]
pub(in crate::estimate) struct AutoencoderShape {
    /// The number of inputs.
    pub inputs: usize,
    /// The convolutions before the first dense layer, if inputs are images.
    pub image: Option<Image>,
    /// The units of the dense layers before the code.
    pub hidden: Vec<usize>,
    /// The numbers of the code, which are linear.
    pub code: usize,
}

/// How inputs are images, and what convolutions make of them.
#[derive(Clone, Debug)]
pub(in crate::estimate) struct Image {
    /// Channels, height and width of an input.
    pub size: [usize; 3],
    /// The channels after each convolution, behind which height and width are halved.
    pub channels: Vec<usize>,
}

/// One step from inputs to outputs.
enum Stage {
    Dense(Layer),
    Convolution(Convolution),
    Rectify,
    Halve,
    /// To this height and width.
    Double(usize, usize),
    /// Rows of this channels, height and width to images.
    ToImages([usize; 3]),
    /// Images to rows.
    ToRows,
}

/// An autoencoder.
pub(in crate::estimate) struct Coder {
    encoder: Vec<Stage>,
    decoder: Vec<Stage>,
}

/// Trains an autoencoder on some rows until it rebuilds others no better.
///
/// # Errors
///
/// [`EstimateError::Numeric`] if its loss is not finite.
pub(in crate::estimate) fn autoencode(
    shape: &AutoencoderShape,
    rows: Rows<'_>,
    validation: Rows<'_>,
    schedule: &Schedule,
    seed: u64,
) -> core::result::Result<Trained<Coder>, EstimateError> {
    let mut random = SplitMix64::new(seed);
    let coder = Coder::new(shape, &mut random).map_err(broken)?;
    let error = |of: Rows<'_>, outputs: &Tensor, places: &[usize]| (outputs - of.gather(places)?)?.sqr()?.mean_all();
    let learned = |outputs: &Tensor, places: &[usize]| error(rows, outputs, places);
    let judged = |outputs: &Tensor, places: &[usize]| error(validation, outputs, places);
    train_network(coder, (rows, learned), (validation, judged), schedule, random)
}

impl Coder {
    fn new(shape: &AutoencoderShape, random: &mut SplitMix64) -> Result<Self> {
        let mut encoder = Vec::new();
        // The sizes that the decoder comes back through.
        let mut sizes = Vec::new();
        let mut width = shape.inputs;
        if let Some(image) = &shape.image {
            let [mut channels, mut height, mut columns] = image.size;
            encoder.push(Stage::ToImages(image.size));
            for &next in &image.channels {
                sizes.push([channels, height, columns]);
                encoder.push(Stage::Convolution(Convolution::new(channels, next, random)?));
                encoder.extend([Stage::Rectify, Stage::Halve]);
                (channels, height, columns) = (next, height.div_ceil(2), columns.div_ceil(2));
            }
            encoder.push(Stage::ToRows);
            width = channels * height * columns;
            sizes.push([channels, height, columns]);
        }
        let first = width;
        for &units in &shape.hidden {
            encoder.extend([Stage::Dense(Layer::new(width, units, random)?), Stage::Rectify]);
            width = units;
        }
        encoder.push(Stage::Dense(Layer::new(width, shape.code, random)?));
        let mut decoder = Vec::new();
        let mut width = shape.code;
        for &units in shape.hidden.iter().rev() {
            decoder.extend([Stage::Dense(Layer::new(width, units, random)?), Stage::Rectify]);
            width = units;
        }
        decoder.push(Stage::Dense(Layer::new(width, first, random)?));
        if let Some(&smallest) = sizes.last() {
            decoder.extend([Stage::Rectify, Stage::ToImages(smallest)]);
            for (place, pair) in sizes.windows(2).enumerate().rev() {
                let [[channels, height, columns], [from, ..]] = [pair[0], pair[1]];
                decoder.push(Stage::Double(height, columns));
                decoder.push(Stage::Convolution(Convolution::new(from, channels, random)?));
                decoder.extend((place > 0).then_some(Stage::Rectify));
            }
            decoder.push(Stage::ToRows);
        }
        Ok(Self { encoder, decoder })
    }

    /// The codes of rows, one row after the other.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Numeric`] if candle refuses an operation.
    pub(in crate::estimate) fn codes(&self, rows: Rows<'_>) -> core::result::Result<Vec<f32>, EstimateError> {
        in_blocks(rows, |inputs| through(&self.encoder, inputs))
    }

    /// What becomes of rows, one row after the other.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Numeric`] if candle refuses an operation.
    pub(in crate::estimate) fn rebuilt(&self, rows: Rows<'_>) -> core::result::Result<Vec<f32>, EstimateError> {
        in_blocks(rows, |inputs| self.forward(inputs))
    }
}

impl Learner for Coder {
    fn parameters(&self) -> Vec<Var> {
        let stages = self.encoder.iter().chain(&self.decoder);
        let layers = stages.filter_map(|stage| match stage {
            Stage::Dense(layer) | Stage::Convolution(Convolution { layer }) => Some(layer),
            _ => None,
        });
        layers.flat_map(|layer| [layer.weights.clone(), layer.intercepts.clone()]).collect()
    }

    fn forward(&self, inputs: &Tensor) -> Result<Tensor> {
        through(&self.decoder, &through(&self.encoder, inputs)?)
    }

    fn gradients(
        &self,
        inputs: &Tensor,
        loss: impl Fn(&Tensor) -> Result<Tensor>,
        _random: &mut SplitMix64,
    ) -> Result<(Tensor, GradStore)> {
        let loss = loss(&self.forward(inputs)?)?;
        let gradients = loss.backward()?;
        Ok((loss, gradients))
    }
}

fn through(stages: &[Stage], inputs: &Tensor) -> Result<Tensor> {
    let mut values = inputs.clone();
    for stage in stages {
        values = match stage {
            Stage::Dense(layer) => layer.apply(&values)?,
            Stage::Convolution(convolution) => convolution.apply(&values)?,
            Stage::Rectify => rectified(&values, SLOPE)?,
            Stage::Halve => halved(&values)?,
            Stage::Double(height, width) => doubled(&values, *height, *width)?,
            Stage::ToImages([channels, height, width]) => {
                values.reshape(((), *channels, *height, *width))?.permute((0, 2, 3, 1))?.contiguous()?
            }
            Stage::ToRows => values.permute((0, 3, 1, 2))?.contiguous()?.flatten_from(1)?,
        };
    }
    Ok(values)
}

fn in_blocks(rows: Rows<'_>, of: impl Fn(&Tensor) -> Result<Tensor>) -> core::result::Result<Vec<f32>, EstimateError> {
    let mut values = Vec::new();
    let all: Vec<usize> = (0..rows.len()).collect();
    for places in all.chunks(ROWS) {
        let block = rows.gather(places).and_then(|inputs| of(&inputs)?.flatten_all()?.to_vec1());
        values.extend::<Vec<f32>>(block.map_err(broken)?);
    }
    Ok(values)
}
