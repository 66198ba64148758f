//! What a decoder rebuilt of held-out samples, and how well.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde_json::{Map, Value};

use crate::estimate::columns;
use crate::estimate::{Element, Estimate, Flag, Split, Unit};

/// The training means of a target's columns.
pub(super) struct Held {
    means: Array1<f64>,
}

impl Held {
    pub(super) fn new<U: Element>(target: ArrayView2<'_, U>, split: &Split) -> Self {
        Self { means: columns::moments(target, Some(&split.train)).means }
    }
}

/// Held-out samples of a target beside what a decoder makes of a layer, in the order of the split's test rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The mean squared error per element, in squared units of the target.
    pub loss: Estimate,
    /// The target, one row a sample.
    pub target: Array2<f64>,
    /// What was rebuilt.
    pub rebuilt: Array2<f64>,
    /// The training mean of each column: what is said where nothing is known.
    pub means: Array1<f64>,
}

impl Decoded {
    /// Sides less the training means, and these means.
    pub(super) fn new(held: &Held, predicted: Array2<f64>, target: Array2<f64>) -> Self {
        let (n, p) = (target.nrows() as f64, target.ncols() as f64);
        let distances = &target - &predicted;
        let losses = distances.map_axis(Axis(1), |row| row.dot(&row) / p);
        let mean_loss = target.map_axis(Axis(1), |row| row.dot(&row) / p).sum() / n;
        let value = losses.sum() / n;
        let mut loss = Estimate::new(value, Unit::SquaredUnits, std_error(&losses), target.nrows());
        loss.detail("mean_predictor_loss", mean_loss);
        loss.detail("fraction_unexplained", value / mean_loss);
        // A unit that is silent on almost all training samples sends a held-out one far outside of what was fitted.
        let squares = losses.mapv(|loss| (loss - value).powi(2));
        if losses.len() >= 5 && squares.iter().fold(0.0, |most: f64, &square| most.max(square)) > 0.5 * squares.sum() {
            loss.flag(Flag::OneSampleDecides);
        }
        Self { loss, target: target + &held.means, rebuilt: predicted + &held.means, means: held.means.clone() }
    }

    /// Adds what the decoder has to say of its fit.
    pub(super) fn annotate(&mut self, details: Map<String, Value>, flags: &[Flag]) {
        self.loss.details.extend(details);
        for &flag in flags {
            self.loss.flag(flag);
        }
    }

    /// The mean squared error per element of each sample, and that of the mean predictor.
    #[must_use]
    pub fn of_samples(&self) -> (Array1<f64>, Array1<f64>) {
        let p = self.target.ncols() as f64;
        let mean = |distances: Array2<f64>| distances.map_axis(Axis(1), |row| row.dot(&row) / p);
        (mean(&self.target - &self.rebuilt), mean(&self.target - &self.means))
    }

    /// The mean squared error at each position of the target, and that of the mean predictor.
    #[must_use]
    pub fn of_positions(&self) -> (Array1<f64>, Array1<f64>) {
        let n = self.target.nrows() as f64;
        let mean = |distances: Array2<f64>| distances.map_axis(Axis(0), |column| column.dot(&column) / n);
        (mean(&self.target - &self.rebuilt), mean(&self.target - &self.means))
    }

    /// The loss in units of the mean predictor's: the fraction of the variance that is not explained, above 1 where the
    /// decoder does harm. None where held-out samples do not vary.
    ///
    /// Its error is that of a ratio of means (delta method).
    #[must_use]
    pub fn unexplained(&self) -> Option<Estimate> {
        let (losses, mean_losses) = self.of_samples();
        let mean = mean_losses.sum() / mean_losses.len() as f64;
        let value = self.loss.value / mean;
        let influence = (&losses - &(value * &mean_losses)) / mean;
        (mean > 0.0).then(|| self.like(value, Unit::Fraction, std_error(&influence)))
    }

    /// The loss of the samples of each class, by the class of each held-out sample.
    #[must_use]
    pub fn of_classes(&self, classes: &[usize], n_classes: usize) -> Vec<(usize, Estimate)> {
        let (losses, mean_losses) = self.of_samples();
        let of_class = |class: usize| {
            let rows: Vec<usize> = (0..classes.len()).filter(|&row| classes[row] == class).collect();
            let (losses, mean_losses) = (losses.select(Axis(0), &rows), mean_losses.select(Axis(0), &rows));
            let n = rows.len() as f64;
            let value = losses.sum() / n;
            let mut estimate = Estimate::new(value, Unit::SquaredUnits, std_error(&losses), rows.len());
            estimate.detail("mean_predictor_loss", mean_losses.sum() / n);
            estimate.detail("fraction_unexplained", losses.sum() / mean_losses.sum());
            (!rows.is_empty()).then_some((class, estimate))
        };
        (0..n_classes).filter_map(of_class).collect()
    }

    /// A lower bound on the information between target and layer, for a target that is normal with uncorrelated columns,
    /// such as principal components: Σⱼ ½ ln⁺(λⱼ/Dⱼ) nats, where λⱼ and Dⱼ are the squared errors at position j of the
    /// mean predictor and of the decoder.
    ///
    /// I(X;T) ≥ I(X;X̂) ≥ Σⱼ I(Xⱼ;X̂ⱼ) ≥ Σⱼ ½ ln(λⱼ/Dⱼ): the rate that a normal source needs at distortion Dⱼ. Of targets
    /// that are not normal the last step may fail, in either direction. Shannon, "Coding theorems for a discrete source
    /// with a fidelity criterion", 1959.
    ///
    /// None where a column is rebuilt without any error: the bound is infinite.
    #[must_use]
    pub fn information_bound(&self) -> Option<Estimate> {
        let (errors, variances) = self.of_positions();
        let known: Vec<usize> = (0..errors.len()).filter(|&position| variances[position] > errors[position]).collect();
        let value = known.iter().map(|&position| 0.5 * (variances[position] / errors[position]).ln()).sum::<f64>();
        let of_sample = |row: usize| {
            let of = |&position: &usize| {
                let variance = (self.target[[row, position]] - self.means[position]).powi(2);
                let error = (self.target[[row, position]] - self.rebuilt[[row, position]]).powi(2);
                0.5 * (variance / variances[position] - error / errors[position])
            };
            known.iter().map(of).sum::<f64>()
        };
        let influence: Array1<f64> = (0..self.target.nrows()).map(of_sample).collect();
        value.is_finite().then(|| {
            let mut estimate = self.like(value, Unit::Nats, std_error(&influence));
            estimate.detail("assumption", "the target is normal, its columns are uncorrelated");
            estimate
        })
    }

    /// A value of the same samples, with the same flags.
    fn like(&self, value: f64, unit: Unit, std_error: Option<f64>) -> Estimate {
        let mut estimate = Estimate::new(value, unit, std_error, self.target.nrows());
        estimate.flags.clone_from(&self.loss.flags);
        estimate
    }
}

/// One standard error of the mean of some values; none of one value.
fn std_error(values: &Array1<f64>) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.sum() / n;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (n > 1.0).then(|| (squares / (n - 1.0) / n).sqrt())
}
