//! Two ways to train a network: until it no longer gets better on other rows, or for a given number of steps.

use candle_core::{Result, Tensor, Var};

use super::adam::Adam;
use super::elements::change;
use super::loss::Loss;
use super::{Architecture, Network, Rows, broken};
use crate::estimate::EstimateError;
use crate::estimate::random::SplitMix64;

/// Steps from one look at the validation rows to the next.
const CHECK: usize = 32;

/// How minibatches train a network: by `AdamW`, until the loss of other rows no longer falls.
#[derive(Clone, Debug)]
pub(in crate::estimate) struct Schedule {
    /// The length of a step.
    pub learning_rate: f64,
    /// The pull of the parameters towards zero, in units of the learning rate.
    pub weight_decay: f64,
    /// Rows a step.
    pub batch: usize,
    /// Looks at the validation rows without a better loss after which steps get shorter, and at last end.
    pub patience: usize,
    /// How many times steps get shorter, four times each.
    pub reductions: usize,
    /// Steps after which training ends in any case.
    pub max_steps: usize,
}

/// What can be trained.
pub(super) trait Learner {
    /// What is learned.
    fn parameters(&self) -> Vec<Var>;

    /// The outputs for each row, with every unit at work.
    fn forward(&self, inputs: &Tensor) -> Result<Tensor>;

    /// The loss of the rows in some places, as in training, and its gradients in the order of the parameters.
    fn gradients(
        &self,
        inputs: Tensor,
        places: &[usize],
        loss: &impl Loss,
        random: &mut SplitMix64,
    ) -> Result<(f64, Vec<Tensor>)>;
}

/// A network with the parameters that were best on the validation rows.
pub(in crate::estimate) struct Trained<N = Network> {
    /// The network.
    pub network: N,
    /// Steps taken.
    pub steps: usize,
    /// The step after which the validation loss was least.
    pub best_step: usize,
    /// The least validation loss.
    pub validation_loss: f64,
    /// Whether training ended because the validation loss no longer fell.
    pub converged: bool,
}

/// Trains a network on some rows and judges it by others.
///
/// # Errors
///
/// [`EstimateError::Numeric`] if the loss of the validation rows is not finite.
pub(in crate::estimate) fn train(
    architecture: &Architecture,
    (rows, loss): (Rows<'_>, impl Loss),
    (validation, validation_loss): (Rows<'_>, impl Loss),
    schedule: &Schedule,
    seed: u64,
) -> core::result::Result<Trained, EstimateError> {
    let mut random = SplitMix64::new(seed);
    let network = Network::new(architecture, &mut random).map_err(broken)?;
    train_network(network, (rows, loss), (validation, validation_loss), schedule, random)
}

/// As [`train`], of any network.
pub(super) fn train_network<N: Learner>(
    network: N,
    (rows, loss): (Rows<'_>, impl Loss),
    (validation, validation_loss): (Rows<'_>, impl Loss),
    schedule: &Schedule,
    mut random: SplitMix64,
) -> core::result::Result<Trained<N>, EstimateError> {
    let parameters = network.parameters();
    let all: Vec<usize> = (0..validation.len()).collect();
    let others = validation.gather(&all).map_err(broken)?;
    let judge = || validation_loss.value(&network.forward(&others)?, &all);
    let run = |random: &mut SplitMix64| -> Result<(usize, usize, f64, bool)> {
        let mut optimizer = Adam::new(parameters.clone(), schedule.learning_rate, schedule.weight_decay);
        let mut batches = Batches::new(rows.len(), schedule.batch);
        let mut best = (0, judge()?, copies(&parameters)?);
        let (mut stalled, mut reductions, mut converged) = (0, 0, false);
        let mut step = 0_usize;
        while step < schedule.max_steps && !converged {
            let batch = batches.next(random);
            let (_, gradients) = network.gradients(rows.gather(batch)?, batch, &loss, random)?;
            optimizer.step(&gradients)?;
            step += 1;
            // Where there is next to nothing to learn, the best is over before the first regular look.
            let early = step < CHECK && step.is_power_of_two();
            if !early && !step.is_multiple_of(CHECK) {
                continue;
            }
            let here = judge()?;
            if !here.is_finite() {
                return Ok((step, best.0, here, false));
            }
            if here < best.1 {
                best = (step, here, copies(&parameters)?);
                stalled = 0;
                continue;
            }
            if step < CHECK {
                continue;
            }
            stalled += 1;
            if stalled == schedule.patience {
                restore(&parameters, &best.2)?;
                converged = reductions == schedule.reductions;
                reductions += 1;
                stalled = 0;
                optimizer.shorten(4.0);
            }
        }
        restore(&parameters, &best.2)?;
        Ok((step, best.0, best.1, converged))
    };
    let (steps, best_step, validation_loss, converged) = run(&mut random).map_err(broken)?;
    if !validation_loss.is_finite() {
        return Err(diverged(steps, validation_loss));
    }
    Ok(Trained { network, steps, best_step, validation_loss, converged })
}

/// How all rows at once train a network: by plain gradient descent.
#[derive(Clone, Copy, Debug)]
pub(in crate::estimate) struct Descent {
    /// What the gradient is multiplied by.
    pub learning_rate: f64,
    /// The number of steps.
    pub steps: usize,
}

/// Trains a network for a given number of steps; returns it with the loss of the last one, dropout included.
///
/// # Errors
///
/// [`EstimateError::Numeric`] if that loss is not finite.
pub(in crate::estimate) fn descend(
    architecture: &Architecture,
    (rows, loss): (Rows<'_>, impl Loss),
    descent: Descent,
    seed: u64,
) -> core::result::Result<(Network, f64), EstimateError> {
    let mut random = SplitMix64::new(seed);
    let network = Network::new(architecture, &mut random).map_err(broken)?;
    let run = |random: &mut SplitMix64| -> Result<f64> {
        #[expect(clippy::cast_possible_truncation, reason = "networks compute in single precision")]
        let rate = descent.learning_rate as f32;
        let parameters = network.parameters();
        let all: Vec<usize> = (0..rows.len()).collect();
        let inputs = rows.gather(&all)?;
        let mut last = f64::NAN;
        for _ in 0..descent.steps {
            let (here, gradients) = network.gradients(inputs.clone(), &all, &loss, random)?;
            for (parameter, gradient) in parameters.iter().zip(&gradients) {
                change(parameter, gradient, |values, gradient| {
                    values.iter_mut().zip(gradient).for_each(|(value, gradient)| *value -= gradient * rate);
                })?;
            }
            last = here;
        }
        Ok(last)
    };
    let last = run(&mut random).map_err(broken)?;
    if last.is_finite() { Ok((network, last)) } else { Err(diverged(descent.steps, last)) }
}

fn diverged(steps: usize, loss: f64) -> EstimateError {
    EstimateError::Numeric {
        step: "the neural network",
        reason: format!("the loss is {loss} after {steps} steps; lower the learning rate"),
    }
}

fn copies(parameters: &[Var]) -> Result<Vec<Tensor>> {
    parameters.iter().map(|parameter| parameter.as_tensor().copy()).collect()
}

fn restore(parameters: &[Var], copies: &[Tensor]) -> Result<()> {
    parameters.iter().zip(copies).try_for_each(|(parameter, copy)| parameter.set(copy))
}

/// Rows in random order, batch after batch; every row comes once before any comes again, but for a rest.
struct Batches {
    order: Vec<usize>,
    size: usize,
    next: usize,
}

impl Batches {
    fn new(n: usize, size: usize) -> Self {
        Self { order: (0..n).collect(), size: size.min(n), next: n }
    }

    fn next(&mut self, random: &mut SplitMix64) -> &[usize] {
        if self.next + self.size > self.order.len() {
            random.shuffle(&mut self.order);
            self.next = 0;
        }
        let first = self.next;
        self.next += self.size;
        &self.order[first..self.next]
    }
}
