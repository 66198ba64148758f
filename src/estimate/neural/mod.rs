//! Networks that are trained by gradients, and gradients of networks that were.
//!
//! Only this folder names candle. Its generator of random numbers has no seed on a processor: initial weights, batches
//! and dropout are drawn here.

mod adam;
mod autoencoder;
mod convolution;
mod differentiate;
mod elements;
mod loss;
mod network;
mod painter;
mod product;
mod rows;
mod stages;
mod training;

pub(in crate::estimate) use autoencoder::{AutoencoderShape, Image, autoencode};
pub(in crate::estimate) use differentiate::{LayerFactors, differentiate};
pub(in crate::estimate) use loss::{CrossEntropy, SquaredError};
pub(in crate::estimate) use network::{Architecture, Network};
pub(in crate::estimate) use painter::{PainterShape, paint};
pub(in crate::estimate) use rows::Rows;
pub(in crate::estimate) use training::{Descent, Schedule, Trained, descend, train};

use super::EstimateError;

fn broken(error: candle_core::Error) -> EstimateError {
    EstimateError::Numeric { step: "the neural network", reason: error.to_string() }
}
