//! What the layers of any network multiply, and how its loss changes with what they make, by way of candle.

use candle_core::{D, DType, Device, Result, Tensor, Var, bail};
use ndarray::{Array2, ArrayD};

use super::broken;
use super::product::product;
use crate::estimate::EstimateError;
use crate::estimate::gradient::{Operation, Source, Step, Weights, Windows};

/// A layer in some samples.
pub(in crate::estimate) struct LayerFactors {
    /// What it multiplies: one row a sample, or one for each place where it is used in a sample, sample after sample.
    pub(in crate::estimate) inputs: Array2<f64>,
    /// The gradient of the loss with respect to what it makes, in the same rows.
    pub(in crate::estimate) errors: Array2<f64>,
}

/// Some samples on their way through the steps.
struct Passed {
    values: Vec<Tensor>,
    /// What each layer multiplies, and what is added to what it makes: zeros, whose gradient is that of the layer's sums.
    layers: Vec<(Tensor, Var)>,
}

/// The logits of some samples, and every layer in them; `errors` gives the gradient of the loss with respect to the logits.
///
/// The loss is the sum over the samples, so that no sample's gradient depends on others.
pub(in crate::estimate) fn differentiate(
    steps: &[Step],
    samples: &ArrayD<f64>,
    errors: impl Fn(&Array2<f64>) -> std::result::Result<Array2<f64>, EstimateError>,
) -> std::result::Result<(Array2<f64>, Vec<LayerFactors>), EstimateError> {
    let passed = pass(steps, samples).map_err(broken)?;
    let last = passed.values.last().ok_or_else(|| EstimateError::Numeric {
        step: "the translated network",
        reason: "found no step, needed one at least".to_owned(),
    })?;
    let logits = matrix(last).map_err(broken)?;
    let errors = errors(&logits)?;
    let layers = passed.factors(last, &errors).map_err(broken)?;
    Ok((logits, layers))
}

fn pass(steps: &[Step], samples: &ArrayD<f64>) -> Result<Passed> {
    let samples = tensor(samples)?;
    let mut passed = Passed { values: Vec::with_capacity(steps.len()), layers: Vec::new() };
    for step in steps {
        let sources = step.sources.iter().map(|source| match source {
            Source::Input => Ok(samples.clone()),
            Source::Step(place) => Ok(passed.values[*place].clone()),
            Source::Constant(values) => tensor(values),
        });
        let sources = sources.collect::<Result<Vec<_>>>()?;
        let value = passed.apply(&step.operation, &sources)?;
        passed.values.push(value);
    }
    Ok(passed)
}

impl Passed {
    fn apply(&mut self, operation: &Operation, sources: &[Tensor]) -> Result<Tensor> {
        let x = &sources[0];
        match operation {
            Operation::Linear(weights) => {
                let mut shape = x.dims().to_vec();
                let width = shape.pop().unwrap_or_default();
                let made = self.layer(&x.contiguous()?.reshape(((), width))?, weights)?;
                shape.push(made.dim(1)?);
                made.reshape(shape)
            }
            Operation::Convolution(weights, windows) => {
                let (seen, counts) = unfold(x, windows, 0.0)?;
                let (n, channels, places, count) = seen.dims4()?;
                let rows = seen.permute((0, 3, 1, 2))?.contiguous()?.reshape((n * count, channels * places))?;
                let made = self.layer(&rows, weights)?;
                let outputs = made.dim(1)?;
                let made = made.reshape((n, count, outputs))?.transpose(1, 2)?.contiguous()?;
                made.reshape([vec![n, outputs], counts].concat())
            }
            Operation::Add => x.broadcast_add(&sources[1]),
            Operation::Subtract => x.broadcast_sub(&sources[1]),
            Operation::Multiply => x.broadcast_mul(&sources[1]),
            Operation::Divide => x.broadcast_div(&sources[1]),
            // Candle's own passes the gradient at zero, which frameworks do not.
            Operation::Rectify(slope) => x * x.detach().gt(0.0)?.to_dtype(DType::F64)?.affine(1.0 - slope, *slope)?,
            Operation::Tanh => x.tanh(),
            // By way of exponentials, gradients far below zero would be no numbers.
            Operation::Sigmoid => (x * 0.5)?.tanh()?.affine(0.5, 0.5),
            Operation::MaxPool(windows) => {
                let (seen, counts) = unfold(x, windows, f64::NEG_INFINITY)?;
                let largest = seen.detach().argmax_keepdim(2)?;
                seen.gather(&largest, 2)?.reshape([&x.dims()[..2], &counts].concat())
            }
            Operation::AveragePool(windows, count_padding) => {
                let (seen, counts) = unfold(x, windows, 0.0)?;
                let sums = seen.sum(2)?;
                let inside = if *count_padding {
                    (sums.ones_like()? * windows.kernel.iter().product::<usize>() as f64)?
                } else {
                    unfold(&x.detach().ones_like()?, windows, 0.0)?.0.sum(2)?
                };
                (sums / inside)?.reshape([&x.dims()[..2], &counts].concat())
            }
            Operation::GlobalAveragePool => {
                let ones = vec![1; x.rank() - 2];
                x.flatten_from(2)?.mean_keepdim(2)?.reshape([&x.dims()[..2], &ones].concat())
            }
            Operation::Reshape(shape) => x.contiguous()?.reshape(reshaped(x.dims(), shape)?),
            Operation::Transpose(order) => x.permute(order.clone())?.contiguous(),
        }
    }

    /// Multiplies rows by the weights of a layer.
    fn layer(&mut self, rows: &Tensor, weights: &Weights) -> Result<Tensor> {
        let made = product(rows, &tensor(&weights.weights.clone().into_dyn())?)?;
        let zeros = Var::from_tensor(&made.zeros_like()?)?;
        let mut made = (made + zeros.as_tensor())?;
        if let Some(intercepts) = &weights.intercepts {
            made = made.broadcast_add(&tensor(&intercepts.clone().into_dyn())?)?;
        }
        self.layers.push((rows.detach(), zeros));
        Ok(made)
    }

    fn factors(&self, logits: &Tensor, errors: &Array2<f64>) -> Result<Vec<LayerFactors>> {
        let gradients = (logits * tensor(&errors.clone().into_dyn())?)?.sum_all()?.backward()?;
        let of_layer = |(inputs, zeros): &(Tensor, Var)| {
            let Some(errors) = gradients.get(zeros) else { bail!("a layer that the logits do not depend on") };
            Ok(LayerFactors { inputs: matrix(inputs)?, errors: matrix(errors)? })
        };
        self.layers.iter().map(of_layer).collect()
    }
}

/// What each window sees: samples × channels × places in a window × windows, and the number of windows along each axis.
fn unfold(x: &Tensor, windows: &Windows, around: f64) -> Result<(Tensor, Vec<usize>)> {
    let (n, channels, sizes) = (x.dim(0)?, x.dim(1)?, &x.dims()[2..]);
    let Some(counts) = windows.counts(sizes) else { bail!("windows of {:?} do not fit in {sizes:?}", windows.kernel) };
    let outside = sizes.iter().product::<usize>();
    let places = windows.places(sizes, &counts);
    // The last value of each channel is what lies around it.
    let mut flat = x.contiguous()?.reshape((n, channels, outside))?;
    if places.contains(&None) {
        flat = Tensor::cat(&[&flat, &Tensor::full(around, (n, channels, 1), &Device::Cpu)?], 2)?;
    }
    let places: std::result::Result<Vec<u32>, _> =
        places.into_iter().map(|place| u32::try_from(place.unwrap_or(outside))).collect();
    let Ok(places) = places else {
        bail!("found {outside} values in a channel, needed fewer than four thousand million")
    };
    let count = counts.iter().product::<usize>();
    let seen = flat.index_select(&Tensor::new(places, &Device::Cpu)?, 2)?;
    Ok((seen.reshape((n, channels, windows.kernel.iter().product::<usize>(), count))?, counts))
}

/// The shape that a reshaping makes.
fn reshaped(found: &[usize], wanted: &[i64]) -> Result<Vec<usize>> {
    let all = found[1..].iter().product::<usize>();
    let mut shape = vec![found[0]];
    for (axis, &size) in wanted.iter().enumerate() {
        shape.push(match size {
            0 if axis + 1 < found.len() => found[axis + 1],
            -1 => 0,
            size => usize::try_from(size).unwrap_or(0),
        });
    }
    let known = shape[1..].iter().filter(|&&size| size > 0).product::<usize>();
    for (axis, &size) in wanted.iter().enumerate() {
        if size == -1 {
            shape[axis + 1] = all / known.max(1);
        }
    }
    if shape[1..].iter().product::<usize>() != all {
        bail!("samples of shape {:?} cannot take the shape {wanted:?}", &found[1..]);
    }
    Ok(shape)
}

fn tensor(values: &ArrayD<f64>) -> Result<Tensor> {
    Tensor::from_vec(values.iter().copied().collect::<Vec<_>>(), values.shape(), &Device::Cpu)
}

fn matrix(tensor: &Tensor) -> Result<Array2<f64>> {
    let (rows, columns) = tensor.dims2()?;
    let values = tensor.flatten(0, D::Minus1)?.to_vec1::<f64>()?;
    Ok(Array2::from_shape_vec((rows, columns), values).expect("the values fill the shape"))
}
