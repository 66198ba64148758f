use std::num::NonZeroUsize;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::decoded::{Decoded, Held};
use super::sides::Sides;
use crate::estimate::neural::{Architecture, Rows, Schedule, squared_error, train};
use crate::estimate::{Element, EstimateError, Flag, Split};

/// One of so many training samples is kept to stop by.
const PARTS: usize = 5;

/// The held-out loss of a dense network, trained fresh for every layer and checkpoint.
///
/// # Formula
///
/// ```text
/// x̂ = W_L·h_{L−1} + b_L        h_l = max(0, W_l·h_{l−1} + b_l)        h_0 = s(z)
/// value = mean over test samples and target columns of (x − x̂)²
/// ```
///
/// s standardizes each unit by its mean and standard deviation on the training samples; units that are constant there
/// are left out. The target is taken about its training mean, in units of one standard deviation over all columns. Weights
/// start uniformly between ±1/√(inputs of their layer), those of the last layer at zero: what learns nothing says the
/// mean. The last fifth of the training samples (in the order of a hash of their ids) is set aside; `AdamW` takes steps by
/// batches of the others until `patience` looks in a row, one in 32 steps, found no smaller loss of what was set aside,
/// goes on from the best with steps a fourth as long, and ends the third time.
///
/// # Use
///
/// What is in a layer, but not linearly. Compare it with the linear decoder at the same checkpoint: where this one is
/// worse, samples are too few to train it. It is what gradients happened to find; `seeds` tell how much that matters.
///
/// # Cost
///
/// O(batch · P) a step for P parameters; one f32 copy of layer and target is held.
///
/// # Reference
///
/// Schneider and Vlachos, "Explaining classifiers by constructing familiar concepts", *Machine Learning* 112 (2023), for
/// decoders from layers; the steps are those of Loshchilov and Hutter, "Decoupled weight decay regularization", *ICLR* 2019.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Mlp {
    /// The units of each hidden layer; by default one layer of 128.
    pub layers: Vec<NonZeroUsize>,
    /// The length of the first steps; by default 0.001.
    pub learning_rate: f64,
    /// The pull of weights towards zero, in units of the learning rate; by default 0.01.
    pub weight_decay: f64,
    /// Training samples a step; by default 128.
    pub batch: NonZeroUsize,
    /// Looks without a better loss after which steps get shorter, and at last end; by default 4.
    pub patience: NonZeroUsize,
    /// Steps after which training ends in any case; by default 5000.
    pub max_steps: NonZeroUsize,
}

impl Default for Mlp {
    fn default() -> Self {
        let number = |number| NonZeroUsize::new(number).expect("the defaults are not zero");
        Self {
            layers: vec![number(128)],
            learning_rate: 1e-3,
            weight_decay: 0.01,
            batch: number(128),
            patience: number(4),
            max_steps: number(5000),
        }
    }
}

impl Mlp {
    /// Reconstructs the test rows of `target` from the layer `z`.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] for fewer than five training samples or no test samples, or settings that no
    /// training can have; [`EstimateError::Numeric`] if training diverges.
    ///
    /// # Panics
    ///
    /// If `split` names a row that `z` or `target` lacks.
    pub fn decode<T: Element, U: Element>(
        &self,
        z: ArrayView2<'_, T>,
        target: ArrayView2<'_, U>,
        split: &Split,
        seed: u64,
    ) -> Result<Decoded, EstimateError> {
        let (n_train, n_test) = (split.train.len(), split.test.len());
        let degenerate = |reason: String| Err(EstimateError::Degenerate { reason });
        if n_train < PARTS || n_test == 0 {
            return degenerate(format!("{n_train} training and {n_test} test samples, needed {PARTS} and 1 at least"));
        }
        for (name, value) in [("learning-rate", self.learning_rate), ("weight-decay", self.weight_decay)] {
            if !(value.is_finite() && value >= 0.0) {
                return degenerate(format!("`{name}`: found {value}, needed a number of 0 or more"));
            }
        }
        let held = Held::new(target, split);
        let target = Sides::new(target, split, true);
        let layer = Sides::standardized(z, split);
        let (width, columns) = (layer.train.ncols(), target.train.ncols());
        let scale = (target.squares / (n_train * columns) as f64).sqrt();
        let mut flags = Vec::new();
        let mut details = Map::new();
        details.insert("n_train".to_owned(), n_train.into());
        if width < z.ncols() {
            details.insert("constant_units".to_owned(), (z.ncols() - width).into());
            flags.push(Flag::ConstantUnits);
        }
        if width > n_train {
            flags.push(Flag::MoreUnitsThanSamples);
        }
        let predicted = if width == 0 || scale == 0.0 {
            flags.push(Flag::Constant);
            Array2::zeros(target.test.dim())
        } else {
            let learn = n_train - n_train / PARTS;
            let inputs = [part(&layer.train, 0..learn, 1.0), part(&layer.train, learn..n_train, 1.0)];
            let outputs = [part(&target.train, 0..learn, scale), part(&target.train, learn..n_train, scale)];
            let [of_training, of_validation] = [0, 1].map(|side| {
                let targets = Rows::new(&outputs[side], columns, columns);
                (Rows::new(&inputs[side], width, width), squared_error(targets))
            });
            let architecture = Architecture {
                inputs: width,
                hidden: self.layers.iter().map(|units| units.get()).collect(),
                outputs: columns,
                slope: 0.0,
                dropout: 0.0,
                start: Some(vec![0.0; columns]),
            };
            let trained = train(&architecture, of_training, of_validation, &self.schedule(), seed)?;
            let test = part(&layer.test, 0..n_test, 1.0);
            let rebuilt = trained.network.outputs(&Rows::new(&test, width, width))?;
            details.insert("steps".to_owned(), trained.steps.into());
            details.insert("best_step".to_owned(), trained.best_step.into());
            details.insert("n_parameters".to_owned(), architecture.n_parameters().into());
            details.insert("n_validation".to_owned(), (n_train - learn).into());
            details.insert("seed".to_owned(), seed.into());
            if !trained.converged {
                flags.push(Flag::NotConverged);
            }
            let rebuilt = rebuilt.into_iter().map(|value| f64::from(value) * scale).collect();
            Array2::from_shape_vec((n_test, columns), rebuilt).expect("there is one output a column")
        };
        let mut decoded = Decoded::new(&held, predicted, target.test);
        decoded.annotate(details, &flags);
        Ok(decoded)
    }

    fn schedule(&self) -> Schedule {
        Schedule {
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            batch: self.batch.get(),
            patience: self.patience.get(),
            reductions: 2,
            max_steps: self.max_steps.get(),
        }
    }
}

/// Some rows in single precision, in units of `scale`.
fn part(side: &Array2<f64>, rows: Range<usize>, scale: f64) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "networks compute in single precision")]
    let single = |value: &f64| (value / scale) as f32;
    side.slice(s![rows, ..]).iter().map(single).collect()
}
