//! Networks as a sequence of stages, dense ones and those of images.

use candle_core::{Result, Tensor, Var};

use super::convolution::{Convolution, doubled, halved};
use super::loss::Loss;
use super::network::{Layer, rectified};
use super::{Rows, broken};
use crate::estimate::EstimateError;

/// Rows that go through at once when nothing is learned from them.
const ROWS: usize = 512;

/// One step from inputs to outputs.
pub(super) enum Stage {
    Dense(Layer),
    Convolution(Convolution),
    /// With this slope below zero.
    Rectify(f32),
    Halve,
    /// To this height and width.
    Double(usize, usize),
    /// Rows of this channels, height and width to images.
    ToImages([usize; 3]),
    /// Images to rows.
    ToRows,
}

/// What the stages learn, in their order.
pub(super) fn parameters<'a>(stages: impl Iterator<Item = &'a Stage>) -> Vec<Var> {
    let layers = stages.filter_map(|stage| match stage {
        Stage::Dense(layer) | Stage::Convolution(Convolution { layer }) => Some(layer),
        _ => None,
    });
    layers.flat_map(|layer| [layer.weights.clone(), layer.intercepts.clone()]).collect()
}

/// What comes out of all stages, one after the other.
pub(super) fn through(stages: &[Stage], inputs: &Tensor) -> Result<Tensor> {
    let mut values = inputs.clone();
    for stage in stages {
        values = match stage {
            Stage::Dense(layer) => layer.apply(&values)?,
            Stage::Convolution(convolution) => convolution.apply(&values)?,
            Stage::Rectify(slope) => rectified(&values, *slope)?,
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

/// The loss of outputs that came through stages, and its gradients by the parameters.
pub(super) fn back(
    outputs: &Tensor,
    places: &[usize],
    loss: &impl Loss,
    parameters: &[Var],
) -> Result<(f64, Vec<Tensor>)> {
    let (loss, of_outputs) = loss.with_gradient(&outputs.detach(), places)?;
    let mut gradients = (outputs * of_outputs)?.sum_all()?.backward()?;
    let of = |parameter: &Var| gradients.remove(parameter).expect("the outputs depend on every parameter");
    Ok((loss, parameters.iter().map(of).collect()))
}

/// What becomes of rows, one row after the other, a block of them at a time.
pub(super) fn in_blocks(
    rows: Rows<'_>,
    of: impl Fn(&Tensor) -> Result<Tensor>,
) -> core::result::Result<Vec<f32>, EstimateError> {
    let mut values = Vec::new();
    let all: Vec<usize> = (0..rows.len()).collect();
    for places in all.chunks(ROWS) {
        let block = rows.gather(places).and_then(|inputs| of(&inputs)?.flatten_all()?.to_vec1());
        values.extend::<Vec<f32>>(block.map_err(broken)?);
    }
    Ok(values)
}
