use std::num::NonZeroUsize;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::decoder::{Activation, Fraction, Rate, log_frequencies, log_probabilities, member_seeds};
use super::fitted::{Classes, Fitted, Member, Unseen};
use super::standardize::{Features, Scaler};
use crate::estimate::neural::{Architecture, CrossEntropy, Rows, Schedule, Trained, train};
use crate::estimate::split::Split;
use crate::estimate::{Element, EstimateError, Flag};

/// One of so many training samples of each class is kept for validation.
const PARTS: usize = 5;

/// Information about a label that a multilayer perceptron can read (usable, or 𝒱-, information).
///
/// # Formula
///
/// ```text
/// I_u(Z → Y) = H(Y) + ⟨ln q(y|z)⟩
/// q(·|z)     = softmax(W_L·h_{L−1} + b_L)
/// h_l        = a(W_l·h_{l−1} + b_l),  h_0 = s(z)
/// ```
///
/// H(Y) and the mean are over held-out samples; a is the `activation` of the hidden `layers`. s standardizes each unit
/// by its mean and standard deviation on the training samples; units that are constant there are left out.
///
/// Weights and intercepts start uniformly between ±1/√(inputs of their layer), but those of the last one at zero and at
/// the logarithms of the classes' frequencies: what learns nothing says the frequencies. Every fifth training sample of each
/// class is set aside for validation, the same for all seeds. On the others, `AdamW` takes steps of `learning-rate` by
/// batches of `batch` samples in random order, with dropout after each hidden layer. The validation cross-entropy is
/// looked at every 32 steps, and after 1, 2, 4, 8 and 16. When `patience` looks in a row found nothing better, training goes back to the best
/// parameters and goes on with steps a fourth as long; after the third such time it ends. The result has the best
/// parameters, the initial ones among them.
///
/// # Use
///
/// A lower bound, in expectation, of the information I(Z; Y), and a closer one than a linear probe's where the label is
/// a nonlinear function of the layer (an exclusive or). It is a member of the family that gradients happened to find,
/// not the best one: the spread between `seeds` is part of the uncertainty. Where the linear probe reads as much,
/// believe that one: ten classes with normal noise, 8,000 training samples, cost the perceptron 0.03 nats, the linear
/// probe a fifth of that. Training stops where the validation samples stop gaining from it, so that a layer that knows
/// nothing scores close to zero; but twenty of them, of a hundred training samples, misled it by 0.02 nats on average
/// and by 0.09 at worst.
///
/// Where no class has five training samples nothing is learned: what is said are the frequencies of the classes.
///
/// The result is the same on any number of threads. A fit that ends at `max-steps` is flagged as not converged.
///
/// # Cost
///
/// O(batch·P) a step for P parameters, and a fifth of the training samples once in 32 steps; seeds run in parallel. One
/// f32 copy of the varying units is held.
///
/// # Reference
///
/// M. Kleinman, A. Achille, D. Idnani, J. C. Kao, Usable information and evolution of optimal representations during
/// training, ICLR 2021, equation 1, <https://arxiv.org/abs/2010.02459>; the steps are those of I. Loshchilov, F.
/// Hutter, Decoupled weight decay regularization, ICLR 2019, algorithm 2, <https://arxiv.org/abs/1711.05101>.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mlp {
    /// The units of each hidden layer; by default three layers of 64.
    pub layers: Vec<NonZeroUsize>,
    /// What follows each hidden layer; by default a leaky rectifier with a slope of 0.2.
    pub activation: Activation,
    /// The probability that a hidden unit is silent in a step of training; by default 0.1.
    pub dropout: Fraction,
    /// The length of the first steps; by default 0.003.
    pub learning_rate: Rate,
    /// The pull of weights and intercepts towards zero, in units of the learning rate; by default 0.01.
    pub weight_decay: Fraction,
    /// Training samples a step; by default 256.
    pub batch: NonZeroUsize,
    /// Looks at the validation samples without a better cross-entropy after which steps get shorter, and at last end;
    /// by default 4.
    pub patience: NonZeroUsize,
    /// Steps after which training ends in any case; by default 5000.
    pub max_steps: NonZeroUsize,
    /// The number of decoders, each from its own seed; by default 3.
    pub seeds: NonZeroUsize,
}

impl Default for Mlp {
    fn default() -> Self {
        let number = |number| NonZeroUsize::new(number).expect("the defaults are not zero");
        Self {
            layers: vec![number(64); 3],
            activation: Activation::default(),
            dropout: Fraction::try_from(0.1).expect("the default is a fraction"),
            learning_rate: Rate::try_from(3e-3).expect("the default is positive"),
            weight_decay: Fraction::try_from(0.01).expect("the default is a fraction"),
            batch: number(256),
            patience: number(4),
            max_steps: number(5000),
            seeds: number(3),
        }
    }
}

impl Mlp {
    /// Trains the decoders on the training rows of z, one row a sample, and lets them judge the held-out rows.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Numeric`] if a decoder diverges.
    pub(super) fn fit<T: Element>(
        &self,
        z: ArrayView2<'_, T>,
        classes: &Classes<'_>,
        split: &Split,
        seed: u64,
    ) -> Result<Fitted, EstimateError> {
        let parts = Parts::new(classes, split);
        let scaler = Scaler::new(z, &split.train);
        let width = scaler.n_columns();
        let mut fitted = Fitted { members: Vec::new(), details: serde_json::Map::new(), flags: Vec::new() };
        if width > split.train.len() {
            fitted.flags.push(Flag::MoreUnitsThanSamples);
        }
        if width == 0 {
            fitted.flags.push(Flag::Constant);
        }
        if width == 0 || parts.validation.is_empty() {
            fitted.members.push(parts.without_features(classes, split));
            return Ok(fitted);
        }
        if width < z.ncols() {
            fitted.flags.push(Flag::ConstantUnits);
        }
        let places = [&parts.training, &parts.validation, &split.test];
        let features = places.map(|places| scaler.apply(z, places));
        let [training, validation, held_out] =
            std::array::from_fn(|part| rows(&features[part], places[part].len(), width));
        let (training_classes, validation_classes) = (classes.at(&parts.training), classes.at(&parts.validation));
        #[expect(clippy::cast_possible_truncation, reason = "parameters are in single precision")]
        let start = log_frequencies(&training_classes, classes.n_classes).into_iter().map(|ln| ln as f32).collect();
        let architecture = Architecture {
            inputs: width,
            hidden: self.layers.iter().map(|units| units.get()).collect(),
            outputs: classes.n_classes,
            slope: self.activation.slope(),
            dropout: self.dropout.single(),
            start: Some(start),
        };
        let seeds = member_seeds(seed, self.seeds);
        let trained: Vec<(Trained, Member)> = seeds
            .par_iter()
            .map(|&seed| {
                let trained = train(
                    &architecture,
                    (training, CrossEntropy(&training_classes)),
                    (validation, CrossEntropy(&validation_classes)),
                    &self.schedule(),
                    seed,
                )?;
                let judge = |rows| log_probabilities(&trained.network, rows, classes.n_classes);
                let unseen = Unseen {
                    log_probabilities: judge(validation)?,
                    classes: validation_classes.clone(),
                    ends: vec![validation_classes.len()],
                };
                let member = Member { held_out: judge(held_out)?, unseen: Some(unseen) };
                Ok((trained, member))
            })
            .collect::<Result<_, EstimateError>>()?;
        let each = |value: fn(&Trained) -> serde_json::Value| {
            trained.iter().map(|(trained, _)| value(trained)).collect::<Vec<_>>()
        };
        let mut detail = |name: &str, value: serde_json::Value| fitted.details.insert(name.to_owned(), value);
        detail("steps", each(|trained| trained.steps.into()).into());
        detail("best_step", each(|trained| trained.best_step.into()).into());
        detail("validation_cross_entropy", each(|trained| trained.validation_loss.into()).into());
        detail("n_parameters", architecture.n_parameters().into());
        detail("n_validation", validation_classes.len().into());
        detail("seeds", seeds.into());
        if trained.iter().any(|(trained, _)| !trained.converged) {
            fitted.flags.push(Flag::NotConverged);
        }
        fitted.members = trained.into_iter().map(|(_, member)| member).collect();
        Ok(fitted)
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

fn rows(features: &Features, n: usize, width: usize) -> Rows<'_> {
    Rows::new(features.block(0, n).features, features.stride(), width)
}

/// The training samples, cut into those to learn from and those to stop by.
struct Parts {
    training: Vec<usize>,
    validation: Vec<usize>,
}

impl Parts {
    /// Every fifth training sample of each class is for validation, so that neither part lacks a class that has five.
    fn new(classes: &Classes<'_>, split: &Split) -> Self {
        let mut counts = vec![0_usize; classes.n_classes];
        let (mut training, mut validation) = (Vec::new(), Vec::new());
        for &row in &split.train {
            let count = &mut counts[classes.numbers[row] as usize];
            *count += 1;
            if count.is_multiple_of(PARTS) { validation.push(row) } else { training.push(row) }
        }
        Self { training, validation }
    }

    /// The best that can be said without looking.
    fn without_features(&self, classes: &Classes<'_>, split: &Split) -> Member {
        let row = log_frequencies(&classes.at(&self.training), classes.n_classes);
        let repeated = |n: usize| Array2::from_shape_fn((n, row.len()), |(_, class)| row[class]);
        let unseen = (!self.validation.is_empty()).then(|| Unseen {
            log_probabilities: repeated(self.validation.len()),
            classes: classes.at(&self.validation),
            ends: vec![self.validation.len()],
        });
        Member { held_out: repeated(split.test.len()), unseen }
    }
}
