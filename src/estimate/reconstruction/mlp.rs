use std::num::NonZeroUsize;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::decoded::Decoded;
use super::trained::{Answer, COPIES, PARTS, Units, Widths, decode};
use crate::estimate::neural::{Architecture, Schedule, SquaredError, train};
use crate::estimate::usable::{Fraction, Rate};
use crate::estimate::{Element, EstimateError, Split};

/// The held-out loss of a dense network, trained fresh for every layer and checkpoint.
///
/// # Formula
///
/// ```text
/// x̂ = W_L·h_{L−1} + b_L        h_l = max(0, W_l·h_{l−1} + b_l)        h_0 = s(z)
/// value = mean over test samples and target columns of (x − x̂)²
/// ```
///
/// s standardizes each unit by its mean and standard deviation on the training samples, and cuts what lies further out than
/// `bound` of them, so that no sample decides by itself what is said of a unit that is hardly ever active; units that are
/// constant there are left out. The target is taken about its training mean, in units of one standard deviation over all columns. Weights
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
    pub layers: Widths,
    /// Standard deviations beyond which a unit's value is cut; by default 10.
    pub bound: Rate,
    /// The length of the first steps; by default 0.001.
    pub learning_rate: Rate,
    /// The pull of weights towards zero, in units of the learning rate; by default 0.01.
    pub weight_decay: Fraction,
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
            layers: Widths::try_from(vec![number(128)]).expect("128 is not many"),
            bound: Rate::try_from(10.0).expect("the default is positive"),
            learning_rate: Rate::try_from(1e-3).expect("the default is positive"),
            weight_decay: Fraction::try_from(0.01).expect("the default is a fraction"),
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
    /// [`EstimateError::Degenerate`] for fewer than five training samples or no test samples;
    /// [`EstimateError::Numeric`] if training diverges.
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
        decode((z, Units::Varying, self.bound.get()), target, split, seed, |task| {
            let architecture = self.architecture(task.inputs, task.outputs);
            let [training, validation] =
                [task.training, task.validation].map(|(rows, targets)| (rows, SquaredError(targets)));
            let trained = train(&architecture, training, validation, &self.schedule(), seed)?;
            Ok(Answer {
                rebuilt: trained.network.outputs(&task.test)?,
                steps: trained.steps,
                best_step: trained.best_step,
                converged: trained.converged,
                n_parameters: architecture.n_parameters(),
            })
        })
    }

    /// The numbers that a network holds beside layer and target: copies of its weights, and what its layers say of the
    /// samples that it is stopped by, before and behind the rectifiers.
    pub(super) fn numbers(&self, n_samples: usize, n_units: usize, n_columns: usize) -> usize {
        let architecture = self.architecture(n_units, n_columns);
        let said = n_units + 3 * architecture.hidden.iter().sum::<usize>() + 3 * n_columns;
        (COPIES * architecture.n_parameters()).saturating_add(n_samples.div_ceil(PARTS) * said)
    }

    fn architecture(&self, inputs: usize, outputs: usize) -> Architecture {
        let start = Some(vec![0.0; outputs]);
        Architecture { inputs, hidden: self.layers.get(), outputs, slope: 0.0, dropout: 0.0, start }
    }

    fn schedule(&self) -> Schedule {
        Schedule {
            learning_rate: self.learning_rate.get(),
            weight_decay: self.weight_decay.get(),
            batch: self.batch.get(),
            patience: self.patience.get(),
            reductions: 2,
            max_steps: self.max_steps.get(),
        }
    }
}
