use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

/// The gradients of a loss with respect to the weights of a layer, one a sample, as factors: `gᵢ = Σ eᵢₗ zᵢₗᵀ` over the places
/// l where a sample uses the layer, one for a dense layer, one a window for a convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// e, the gradient with respect to what the layer makes: one row a sample and place, sample after sample.
    errors: Array2<f64>,
    /// z, what the layer multiplies, with a one behind it where intercepts count, in the same rows.
    inputs: Array2<f64>,
    /// The places of a sample.
    places: usize,
    intercepts: bool,
}

impl Gradients {
    /// From both factors, the places of a sample, and whether the layer has intercepts that count.
    pub(super) fn new(errors: Array2<f64>, inputs: ArrayView2<'_, f64>, (places, intercepts): (usize, bool)) -> Self {
        let (n, d) = inputs.dim();
        let mut padded = Array2::ones((n, d + usize::from(intercepts)));
        padded.slice_mut(s![.., ..d]).assign(&inputs);
        Self { errors, inputs: padded, places, intercepts }
    }

    /// The number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.errors.nrows() / self.places
    }

    /// Never true: empty arrays are refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The gradients of the samples at `rows`.
    #[must_use]
    pub fn at(&self, rows: &[usize]) -> Self {
        let all: Vec<usize> = rows.iter().flat_map(|row| row * self.places..(row + 1) * self.places).collect();
        let (errors, inputs) = (self.errors.select(Axis(0), &all), self.inputs.select(Axis(0), &all));
        Self { errors, inputs, places: self.places, intercepts: self.intercepts }
    }

    /// The numbers of outputs and of inputs, an intercept among these.
    pub(super) fn dim(&self) -> (usize, usize) {
        (self.errors.ncols(), self.inputs.ncols())
    }

    /// The number of inputs but for the intercept.
    pub(super) fn n_inputs(&self) -> usize {
        self.inputs.ncols() - usize::from(self.intercepts)
    }

    /// How many numbers it holds.
    pub(super) fn n_factors(&self) -> usize {
        self.errors.len() + self.inputs.len()
    }

    /// The mean gradient, one row an output, one column an input (the intercept last).
    #[must_use]
    pub fn mean(&self) -> Array2<f64> {
        self.errors.t().dot(&self.inputs) / self.len() as f64
    }

    /// |g|² of each sample.
    #[must_use]
    pub fn squared_norms(&self) -> Array1<f64> {
        let squares = |row: ArrayView1<'_, f64>| row.dot(&row);
        if self.places == 1 {
            return self
                .errors
                .outer_iter()
                .zip(self.inputs.outer_iter())
                .map(|(e, z)| squares(e) * squares(z))
                .collect();
        }
        let of_sample = |(errors, inputs): (ArrayView2<'_, f64>, ArrayView2<'_, f64>)| {
            errors.t().dot(&inputs).iter().map(|value| value * value).sum::<f64>()
        };
        let samples = self.errors.axis_chunks_iter(Axis(0), self.places);
        samples.zip(self.inputs.axis_chunks_iter(Axis(0), self.places)).map(of_sample).collect()
    }

    /// g · G of each sample with a matrix G of the shape of the mean.
    #[must_use]
    pub fn products(&self, direction: ArrayView2<'_, f64>) -> Array1<f64> {
        let images = self.inputs.dot(&direction.t());
        let rows: Vec<f64> =
            self.errors.outer_iter().zip(images.outer_iter()).map(|(e, image)| e.dot(&image)).collect();
        rows.chunks_exact(self.places).map(|places| places.iter().sum::<f64>()).collect()
    }
}
