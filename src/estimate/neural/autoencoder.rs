//! Networks that rebuild what they read through a narrow place.

use candle_core::{Result, Tensor, Var};

use super::convolution::Convolution;
use super::loss::{Loss, SquaredError};
use super::network::Layer;
use super::stages::{Stage, back, in_blocks, parameters, through};
use super::training::{Learner, train_network};
use super::{Rows, Schedule, Trained, broken};
use crate::estimate::EstimateError;
use crate::estimate::random::SplitMix64;

/// The slope of hidden units below zero.
const SLOPE: f32 = 0.2;

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
    let sides = ((rows, SquaredError(rows)), (validation, SquaredError(validation)));
    train_network(coder, sides.0, sides.1, schedule, random)
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
                encoder.extend([Stage::Rectify(SLOPE), Stage::Halve]);
                (channels, height, columns) = (next, height.div_ceil(2), columns.div_ceil(2));
            }
            encoder.push(Stage::ToRows);
            width = channels * height * columns;
            sizes.push([channels, height, columns]);
        }
        let first = width;
        for &units in &shape.hidden {
            encoder.extend([Stage::Dense(Layer::new(width, units, random)?), Stage::Rectify(SLOPE)]);
            width = units;
        }
        encoder.push(Stage::Dense(Layer::new(width, shape.code, random)?));
        let mut decoder = Vec::new();
        let mut width = shape.code;
        for &units in shape.hidden.iter().rev() {
            decoder.extend([Stage::Dense(Layer::new(width, units, random)?), Stage::Rectify(SLOPE)]);
            width = units;
        }
        decoder.push(Stage::Dense(Layer::new(width, first, random)?));
        if let Some(&smallest) = sizes.last() {
            decoder.extend([Stage::Rectify(SLOPE), Stage::ToImages(smallest)]);
            for (place, pair) in sizes.windows(2).enumerate().rev() {
                let [[channels, height, columns], [from, ..]] = [pair[0], pair[1]];
                decoder.push(Stage::Double(height, columns));
                decoder.push(Stage::Convolution(Convolution::new(from, channels, random)?));
                decoder.extend((place > 0).then_some(Stage::Rectify(SLOPE)));
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
        parameters(self.encoder.iter().chain(&self.decoder))
    }

    fn forward(&self, inputs: &Tensor) -> Result<Tensor> {
        through(&self.decoder, &through(&self.encoder, inputs)?)
    }

    fn gradients(
        &self,
        inputs: Tensor,
        places: &[usize],
        loss: &impl Loss,
        _random: &mut SplitMix64,
    ) -> Result<(f64, Vec<Tensor>)> {
        back(&self.forward(&inputs)?, places, loss, &self.parameters())
    }
}
