use ndarray::{Array1, Array2, ArrayD, ArrayView2, s};

use super::last_layer::errors;
use super::{Gradients, Operation, Published, Signal, Step};
use crate::estimate::EstimateError;
use crate::estimate::neural::{LayerFactors, differentiate};

/// Numbers of all layers that are held at a time, but for one sample that has more.
const HELD: usize = 1 << 22;

/// How far logits may lie from those that the network gave in single precision, relative to the largest of these.
///
/// Single precision keeps seven digits; sums over deep networks lose up to two of them.
const TOLERANCE: f64 = 1e-4;

/// What comes behind the logits, where anything does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing.
    Logits,
    /// Probabilities.
    Softmax,
    /// Their logarithms.
    LogSoftmax,
}

/// The gradients of the cross-entropy with respect to the weights of every layer of a network, one a sample.
///
/// # Formula
///
/// ```text
/// gᵢ = Σₗ eᵢₗ zᵢₗᵀ        eᵢₗ = ∂Lᵢ/∂(W zᵢₗ)        Lᵢ = −ln softmax(logits of i) at its label
/// ```
///
/// over the places l where sample i uses the layer, once for a dense layer, once a window for a convolution; |gᵢ|² and
/// gᵢ · ĝ follow from these factors, and [`Signal`] and [`Published`] from those. For the last layer e = p − y, as [`super::LastLayer`] has it.
///
/// # Use
///
/// For networks of the stated [`Operation`]s, trained by cross-entropy on the label alone, as they are when they judge: no
/// dropout, and normalizations with the moments that they have learned, whose own parameters are left out. Everything is
/// computed in double precision; logits that are not those the network itself gave are refused. A rectifier has no slope at zero.
///
/// # Cost
///
/// Two passes forward and backward over all samples, about six times a replay each in double precision, and of each layer
/// for each sample three products of places × inputs × outputs. Memory: some 32 MiB of factors at a time and a few times as
/// much on their way, and two gradients of the size of the weights; n does not count.
///
/// # Reference
///
/// I. Goodfellow, Efficient per-example gradient computations, 2015, <https://arxiv.org/abs/1510.01799>, for dense layers;
/// with windows as rows for convolutions.
pub struct EveryLayer<'a> {
    /// The network.
    pub steps: &'a [Step],
    /// What comes behind the logits of the steps.
    pub ending: Ending,
    /// The samples at some places.
    pub inputs: &'a (dyn Fn(&[usize]) -> ArrayD<f64> + Sync),
    /// The class of each sample: a column of the logits.
    pub labels: &'a [usize],
    /// What the network itself gave, one row a sample.
    pub outputs: ArrayView2<'a, f64>,
}

/// What is signal and what is noise in the gradients of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSignal {
    /// Of all its parameters.
    pub signal: Signal,
    /// Of its weights over minibatches, as published; none where there are fewer than two.
    pub published: Option<Published>,
    /// The number of weights and intercepts.
    pub n_weights: usize,
}

impl EveryLayer<'_> {
    /// About what it takes of a network with so many weights, in bytes: the factors with what leads to them and back, and eight
    /// copies of the weights.
    #[must_use]
    pub fn bytes(n_weights: usize) -> usize {
        8 * (HELD + n_weights) * size_of::<f64>()
    }

    /// The signal and the noise of each layer, in the order of the steps; `order` says which samples follow one another in
    /// minibatches, of which those left over count for the signal only.
    ///
    /// # Errors
    ///
    /// [`EstimateError::TooFewSamples`] for a single sample, [`EstimateError::Degenerate`] where a label is no column of the
    /// logits or the logits are not those that the network gave, [`EstimateError::Numeric`] where shapes do not fit.
    pub fn signals(&self, order: &[usize], batch: usize) -> Result<Vec<LayerSignal>, EstimateError> {
        if order.len() < 2 {
            return Err(EstimateError::TooFewSamples { found: order.len(), needed: 1 });
        }
        let one = self.gradients(&order[..1])?;
        let held: usize = one.iter().map(Gradients::n_factors).sum();
        let chunk = (HELD / held.max(1)).clamp(1, batch);
        let mut sums: Vec<Sums> = one.iter().map(|layer| Sums::new(layer, order.len())).collect();
        for minibatch in order.chunks(batch) {
            for rows in minibatch.chunks(chunk) {
                for (sums, layer) in sums.iter_mut().zip(self.gradients(rows)?) {
                    sums.add(&layer);
                }
            }
            for sums in &mut sums {
                sums.close(minibatch.len(), batch);
            }
        }
        let means: Vec<Array2<f64>> = sums.iter().map(|sums| &sums.sum / order.len() as f64).collect();
        let mut products = vec![Vec::with_capacity(order.len()); sums.len()];
        for rows in order.chunks(chunk) {
            for ((products, layer), mean) in products.iter_mut().zip(self.gradients(rows)?).zip(&means) {
                products.extend(layer.products(mean.view()));
            }
        }
        let all = sums.into_iter().zip(means).zip(products);
        all.map(|((sums, mean), products)| sums.signal(&mean, &Array1::from(products))).collect()
    }

    /// The gradients of some samples in each layer, all factors at a time.
    ///
    /// # Errors
    ///
    /// As [`EveryLayer::signals`].
    pub fn gradients(&self, rows: &[usize]) -> Result<Vec<Gradients>, EstimateError> {
        let labels: Vec<usize> = rows.iter().map(|&row| self.labels[row]).collect();
        let (logits, layers) = differentiate(self.steps, &(self.inputs)(rows), |logits| {
            if let Some(label) = labels.iter().find(|&&label| label >= logits.ncols()) {
                let reason = format!("found label {label} and logits of {} classes", logits.ncols());
                return Err(EstimateError::Degenerate { reason });
            }
            Ok(errors(logits.view(), &labels))
        })?;
        self.compare(&logits, rows)?;
        let intercepts = self.steps.iter().filter_map(|step| match &step.operation {
            Operation::Linear(weights) | Operation::Convolution(weights, _) => Some(weights.intercepts.is_some()),
            _ => None,
        });
        let layers = layers.into_iter().zip(intercepts).map(|(layer, intercepts)| {
            let LayerFactors { inputs, errors } = layer;
            let places = errors.nrows() / rows.len();
            Gradients::new(errors, inputs.view(), (places, intercepts))
        });
        Ok(layers.collect())
    }

    /// Refuses logits that the network did not give.
    fn compare(&self, logits: &Array2<f64>, rows: &[usize]) -> Result<(), EstimateError> {
        let mut found = logits.clone();
        for mut row in found.outer_iter_mut().filter(|_| self.ending != Ending::Logits) {
            let largest = row.fold(f64::NEG_INFINITY, |largest, &value| largest.max(value));
            let sum = row.iter().map(|value| (value - largest).exp()).sum::<f64>().ln() + largest;
            row.mapv_inplace(|value| if self.ending == Ending::Softmax { (value - sum).exp() } else { value - sum });
        }
        let (mut apart, mut size) = (0.0_f64, 0.0_f64);
        for (found, &row) in found.outer_iter().zip(rows) {
            for (&found, &given) in found.iter().zip(self.outputs.row(row)) {
                (apart, size) = (apart.max((found - given).abs()), size.max(given.abs()));
            }
        }
        if found.ncols() == self.outputs.ncols() && apart <= TOLERANCE * size {
            return Ok(());
        }
        let reason = format!(
            "the translated network gives {} outputs up to {apart:.2e} away from the {} of the graph, whose largest is \
             {size:.2e}; needed {TOLERANCE:.0e} of it: the translation is wrong for this graph, use `layers = \"last\"`",
            found.ncols(),
            self.outputs.ncols()
        );
        Err(EstimateError::Degenerate { reason })
    }
}

/// Sums over the samples so far.
struct Sums {
    sum: Array2<f64>,
    norms: Vec<f64>,
    /// The same over the samples of the minibatch so far.
    minibatch: Array2<f64>,
    /// Of whole minibatches: their means, the squared lengths of these, and how many there are; of the weights alone.
    means: Array2<f64>,
    squares: f64,
    count: usize,
    /// The columns that are weights.
    n_inputs: usize,
}

impl Sums {
    fn new(layer: &Gradients, n: usize) -> Self {
        let zeros = Array2::zeros(layer.dim());
        let n_inputs = layer.n_inputs();
        let means = Array2::zeros((zeros.nrows(), n_inputs));
        let minibatch = zeros.clone();
        Self { sum: zeros, norms: Vec::with_capacity(n), minibatch, means, squares: 0.0, count: 0, n_inputs }
    }

    fn add(&mut self, layer: &Gradients) {
        self.minibatch.scaled_add(layer.len() as f64, &layer.mean());
        self.norms.extend(layer.squared_norms());
    }

    /// Ends a minibatch.
    fn close(&mut self, len: usize, batch: usize) {
        self.sum += &self.minibatch;
        if len == batch {
            let weights = self.minibatch.slice(s![.., ..self.n_inputs]).mapv(|value| value / batch as f64);
            self.squares += weights.iter().map(|value| value * value).sum::<f64>();
            self.means += &weights;
            self.count += 1;
        }
        self.minibatch.fill(0.0);
    }

    fn signal(self, mean: &Array2<f64>, products: &Array1<f64>) -> Result<LayerSignal, EstimateError> {
        let square = |values: &Array2<f64>| values.iter().map(|value| value * value).sum::<f64>();
        let signal = Signal::from_sums(square(mean), &Array1::from(self.norms), products)?;
        let published = (self.count > 1).then(|| {
            let squared = square(&self.means) / (self.count as f64).powi(2);
            let noise = (self.squares / self.count as f64 - squared).max(0.0);
            Published { signal: squared.sqrt(), noise: noise.sqrt() }
        });
        Ok(LayerSignal { signal, published, n_weights: mean.len() })
    }
}
