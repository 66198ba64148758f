use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

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

/// The two factors of each gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// p − y, one row a sample.
    errors: Array2<f64>,
    /// z, with a one behind it where intercepts count, one row a sample.
    inputs: Array2<f64>,
}

impl LastLayer<'_> {
    /// The gradients.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] where the arrays have different numbers of rows or values that are not finite, or a
    /// label is no column of the logits.
    pub fn gradients(&self) -> Result<Gradients, EstimateError> {
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
        let mut errors = self.logits.to_owned();
        for (mut row, &label) in errors.outer_iter_mut().zip(self.labels) {
            let largest = row.fold(f64::NEG_INFINITY, |largest, &value| largest.max(value));
            row.mapv_inplace(|value| (value - largest).exp());
            // One less the probability of the label is the sum of the others: no digits are lost where it is near one.
            let sum = row.sum();
            row /= sum;
            row[label] = 0.0;
            row[label] = -row.sum();
        }
        let ones = usize::from(self.intercepts);
        let d = self.inputs.ncols();
        let inputs = Array2::from_shape_fn((n, d + ones), |(i, j)| if j < d { self.inputs[[i, j]] } else { 1.0 });
        Ok(Gradients { errors, inputs })
    }
}

impl Gradients {
    /// The number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.errors.nrows()
    }

    /// Never true: empty arrays are refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The gradients of the samples at `rows`.
    #[must_use]
    pub fn at(&self, rows: &[usize]) -> Self {
        Self { errors: self.errors.select(Axis(0), rows), inputs: self.inputs.select(Axis(0), rows) }
    }

    /// The mean gradient, one row a class, one column a unit (the intercept last).
    #[must_use]
    pub fn mean(&self) -> Array2<f64> {
        self.errors.t().dot(&self.inputs) / self.len() as f64
    }

    /// |g|² of each sample.
    #[must_use]
    pub fn squared_norms(&self) -> Array1<f64> {
        let squares = |row: ArrayView1<'_, f64>| row.dot(&row);
        self.errors.outer_iter().zip(self.inputs.outer_iter()).map(|(e, z)| squares(e) * squares(z)).collect()
    }

    /// g · G of each sample with a matrix G of the shape of the mean.
    #[must_use]
    pub fn products(&self, direction: ArrayView2<'_, f64>) -> Array1<f64> {
        let images = self.inputs.dot(&direction.t());
        self.errors.outer_iter().zip(images.outer_iter()).map(|(e, image)| e.dot(&image)).collect()
    }
}
