//! What the outputs of a network cost.

use candle_core::{Device, Result, Tensor, Var};

use super::Rows;
use super::elements::read;

/// The mean cost of the outputs for some rows, which are named by their places.
pub(in crate::estimate) trait Loss {
    /// The loss.
    fn value(&self, outputs: &Tensor, places: &[usize]) -> Result<f64>;

    /// The loss, and its gradient by the outputs.
    fn with_gradient(&self, outputs: &Tensor, places: &[usize]) -> Result<(f64, Tensor)>;
}

/// The mean of −ln q(class) over rows, by the class of each row.
///
/// A network with one output speaks of two classes: it is the logit of the second one against the first.
pub(in crate::estimate) struct CrossEntropy<'a>(pub(in crate::estimate) &'a [u32]);

impl CrossEntropy<'_> {
    fn of(&self, outputs: &Tensor, places: &[usize]) -> Result<Tensor> {
        let classes: Vec<u32> = places.iter().map(|&place| self.0[place]).collect();
        let classes = Tensor::from_vec(classes, places.len(), &Device::Cpu)?;
        if outputs.dim(1)? == 1 {
            let logits = Tensor::cat(&[&outputs.zeros_like()?, outputs], 1)?;
            return candle_nn::loss::cross_entropy(&logits, &classes);
        }
        candle_nn::loss::cross_entropy(outputs, &classes)
    }
}

impl Loss for CrossEntropy<'_> {
    fn value(&self, outputs: &Tensor, places: &[usize]) -> Result<f64> {
        self.of(outputs, places)?.to_scalar::<f32>().map(f64::from)
    }

    fn with_gradient(&self, outputs: &Tensor, places: &[usize]) -> Result<(f64, Tensor)> {
        let outputs = Var::from_tensor(outputs)?;
        let loss = self.of(&outputs, places)?;
        let gradient = loss.backward()?.remove(&outputs).expect("the loss depends on the outputs");
        Ok((f64::from(loss.to_scalar::<f32>()?), gradient))
    }
}

/// The mean squared distance of outputs to targets, which have one row for each row of the inputs.
pub(in crate::estimate) struct SquaredError<'a>(pub(in crate::estimate) Rows<'a>);

impl SquaredError<'_> {
    /// The sum of the squared distances; `keep` is given those of each row.
    fn sum(&self, outputs: &Tensor, places: &[usize], mut keep: impl FnMut(&[f32])) -> Result<f64> {
        let columns = outputs.dim(1)?;
        let mut distances = vec![0.0; columns];
        read(outputs, |outputs| {
            let mut sum = 0.0;
            for (outputs, &place) in outputs.chunks_exact(columns).zip(places) {
                for ((distance, output), target) in distances.iter_mut().zip(outputs).zip(self.0.row(place)) {
                    *distance = output - target;
                }
                keep(&distances);
                sum += squares(&distances);
            }
            sum
        })
    }
}

/// The sum of squares, by partial sums that need not wait for each other.
fn squares(values: &[f32]) -> f64 {
    let mut sums = [0.0_f32; 16];
    for part in values.chunks(sums.len()) {
        for (sum, value) in sums.iter_mut().zip(part) {
            *sum += value * value;
        }
    }
    sums.iter().copied().map(f64::from).sum()
}

impl Loss for SquaredError<'_> {
    fn value(&self, outputs: &Tensor, places: &[usize]) -> Result<f64> {
        Ok(self.sum(outputs, places, |_| ())? / outputs.elem_count() as f64)
    }

    fn with_gradient(&self, outputs: &Tensor, places: &[usize]) -> Result<(f64, Tensor)> {
        let count = outputs.elem_count() as f64;
        #[expect(clippy::cast_possible_truncation, reason = "networks compute in single precision")]
        let factor = (2.0 / count) as f32;
        let mut gradient = Vec::with_capacity(outputs.elem_count());
        let keep = |distances: &[f32]| gradient.extend(distances.iter().map(|distance| factor * distance));
        let sum = self.sum(outputs, places, keep)?;
        Ok((sum / count, Tensor::from_vec(gradient, outputs.shape(), &Device::Cpu)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_of_the_squared_error_is_that_of_candle() {
        // More columns than partial sums, and rows in an order of their own.
        let numbers =
            |count: u8, factor: f32| (0..count).map(|place| (f32::from(place) * factor).sin()).collect::<Vec<_>>();
        let targets = numbers(54, 1.7);
        let outputs = Var::from_vec(numbers(36, 0.3), (2, 18), &Device::Cpu).unwrap();
        let rows = Rows::new(&targets, 18, 18);
        let (value, gradient) = SquaredError(rows).with_gradient(&outputs, &[2, 0]).unwrap();
        assert_eq!(SquaredError(rows).value(&outputs, &[2, 0]).unwrap().to_bits(), value.to_bits());
        let loss = candle_nn::loss::mse(&outputs, &rows.gather(&[2, 0]).unwrap()).unwrap();
        let expected =
            loss.backward().unwrap().remove(&outputs).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        // Single precision, of numbers up to 1.
        assert!((value - f64::from(loss.to_scalar::<f32>().unwrap())).abs() < 1e-6, "{value} {loss}");
        for (found, expected) in gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-7, "{found} {expected}");
        }
    }
}
