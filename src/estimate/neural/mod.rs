//! Networks that are trained by gradients.
//!
//! Only this folder names candle. Its generator of random numbers has no seed on a processor: initial weights, batches
//! and dropout are drawn here.

mod autoencoder;
mod convolution;
mod network;
mod painter;
mod rows;
mod stages;
mod training;

pub(in crate::estimate) use autoencoder::{AutoencoderShape, Image, autoencode};
pub(in crate::estimate) use network::{Architecture, Network};
pub(in crate::estimate) use painter::{PainterShape, paint};
pub(in crate::estimate) use rows::Rows;
pub(in crate::estimate) use training::{Descent, Schedule, Trained, descend, train};

use candle_core::{Device, Result, Tensor};

use super::EstimateError;

/// The mean of −ln q(class) over rows: `classes` holds the class of each row.
///
/// A network with one output speaks of two classes: it is the logit of the second one against the first.
pub(in crate::estimate) fn cross_entropy(classes: &[u32]) -> impl Fn(&Tensor, &[usize]) -> Result<Tensor> {
    |outputs, rows| {
        let classes: Vec<u32> = rows.iter().map(|&row| classes[row]).collect();
        let classes = Tensor::from_vec(classes, rows.len(), &Device::Cpu)?;
        if outputs.dim(1)? == 1 {
            let logits = Tensor::cat(&[&outputs.zeros_like()?, outputs], 1)?;
            return candle_nn::loss::cross_entropy(&logits, &classes);
        }
        candle_nn::loss::cross_entropy(outputs, &classes)
    }
}

/// The mean squared distance of outputs to `targets`, which has one row for each row of the inputs.
pub(in crate::estimate) fn squared_error(targets: Rows<'_>) -> impl Fn(&Tensor, &[usize]) -> Result<Tensor> {
    move |outputs, rows| candle_nn::loss::mse(outputs, &targets.gather(rows)?)
}

fn broken(error: candle_core::Error) -> EstimateError {
    EstimateError::Numeric { step: "the neural network", reason: error.to_string() }
}
