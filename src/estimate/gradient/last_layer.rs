use ndarray::{Array2, ArrayView2, Axis, concatenate};

use super::Gradients;
use crate::estimate::{EstimateError, finite};

/// The gradients of the cross-entropy with respect to a softmax-linear layer, one a sample, none of them formed.
///
/// # Formula
///
/// ```text
/// gᵢ = (pᵢ − yᵢ) zᵢᵀ          |gᵢ|² = |pᵢ − yᵢ|² |zᵢ|²          gᵢ · G = (pᵢ − yᵢ)ᵀ G zᵢ
/// ```
///
/// with the layer's input z, the softmax p of its logits and the label y as a unit vector. With the intercepts, z has one
/// more coordinate, which is one.
///
/// # Use
///
/// Exact for the last layer of a classifier that is trained by cross-entropy on the label alone: no weight decay, label
/// smoothing or temperature. The logits must be those of this layer, and z what it multiplies (after dropout, if it was on).
///
/// # Cost
///
/// O(n d K) for a mean over n samples of d units and K classes.
///
/// # Reference
///
/// C. M. Bishop, Pattern Recognition and Machine Learning, 2006, equation 4.109.
#[derive(Clone, Copy, Debug)]
pub struct LastLayer<'a> {
    /// What the layer multiplies, one row a sample.
    pub inputs: ArrayView2<'a, f64>,
    /// What comes out, before the softmax, one row a sample, one column a class.
    pub logits: ArrayView2<'a, f64>,
    /// The class of each sample: a column of the logits.
    pub labels: &'a [usize],
    /// Whether the intercepts count among the weights.
    pub intercepts: bool,
}

impl LastLayer<'_> {
    /// The gradients.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] where the arrays have different numbers of rows or values that are not finite, or a
    /// label is no column of the logits.
    pub fn gradients(&self) -> Result<Gradients, EstimateError> {
        Ok(Gradients::new(self.errors()?, self.inputs, (1, self.intercepts)))
    }

    /// The gradients of the sum of the cross-entropies of several heads with respect to all their weights, which none shares
    /// with another: those of the heads side by side.
    ///
    /// # Errors
    ///
    /// As [`LastLayer::gradients`]; also where there is no head, or they do not multiply the same inputs.
    pub fn together(heads: &[Self]) -> Result<Gradients, EstimateError> {
        let fail = |reason: &str| EstimateError::Degenerate { reason: reason.to_owned() };
        let first = heads.first().ok_or_else(|| fail("found no head, needed one"))?;
        if heads.iter().any(|head| head.inputs != first.inputs || head.intercepts != first.intercepts) {
            return Err(fail("found heads of different inputs, needed one layer that makes all logits"));
        }
        let errors = heads.iter().map(Self::errors).collect::<Result<Vec<_>, _>>()?;
        let views: Vec<_> = errors.iter().map(|errors| errors.view()).collect();
        let errors = concatenate(Axis(1), &views).map_err(|error| fail(&error.to_string()))?;
        Ok(Gradients::new(errors, first.inputs, (1, first.intercepts)))
    }

    /// p − y, checked.
    fn errors(&self) -> Result<Array2<f64>, EstimateError> {
        let fail = |reason: String| EstimateError::Degenerate { reason };
        let (n, n_classes) = self.logits.dim();
        if self.inputs.nrows() != n || self.labels.len() != n {
            let (inputs, labels) = (self.inputs.nrows(), self.labels.len());
            return Err(fail(format!(
                "found {inputs} activations, {n} logits and {labels} labels; needed one of each a sample"
            )));
        }
        finite("the activations", self.inputs).map_err(|error| fail(error.to_string()))?;
        finite("the logits", self.logits).map_err(|error| fail(error.to_string()))?;
        if let Some((row, label)) = self.labels.iter().enumerate().find(|&(_, &label)| label >= n_classes) {
            return Err(fail(format!(
                "found label {label} at row {row} and logits of {n_classes} classes; labels are columns of the logits, from 0"
            )));
        }
        Ok(errors(self.logits, self.labels))
    }
}

/// p − y of each sample: the gradient of the cross-entropy with respect to the logits.
pub(super) fn errors(logits: ArrayView2<'_, f64>, labels: &[usize]) -> Array2<f64> {
    let mut errors = logits.to_owned();
    for (mut row, &label) in errors.outer_iter_mut().zip(labels) {
        let largest = row.fold(f64::NEG_INFINITY, |largest, &value| largest.max(value));
        row.mapv_inplace(|value| (value - largest).exp());
        // One less the probability of the label is the sum of the others: no digits are lost where it is near one.
        let sum = row.sum();
        row /= sum;
        row[label] = 0.0;
        row[label] = -row.sum();
    }
    errors
}
