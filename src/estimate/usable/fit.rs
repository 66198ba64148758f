//! The choice of a penalty, and the fit with it.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, concatenate};

use super::fitted::{Classes, Unseen, accuracy};
use super::lbfgs::{Solution, largest, minimize};
use super::precondition::Curvature;
use super::softmax::{Softmax, log_probabilities};
use super::standardize::{Features, Scaler};
use crate::estimate::split::Split;

/// The part of the penalty's pull on the weights that the gradient may still have, when the fit is judged by others.
///
/// An absolute tolerance alone would stop fits of small penalties where those of larger ones ended, and
/// cross-validation could not tell them apart.
const PART_OF_PULL: f64 = 0.02;

/// The same, while a penalty is chosen.
const PART_OF_PULL_IN_CHOICE: f64 = 0.1;

/// Standardized training samples, fold after fold.
pub(super) struct Training {
    features: Features,
    n_columns: usize,
    classes: Vec<u32>,
    counts: Vec<usize>,
    folds: Vec<Range<usize>>,
}

/// A probe fitted to all training samples.
pub(super) struct Fit {
    /// The penalty that was chosen; none without features.
    pub penalty: Option<f64>,
    /// The parameters, and how they were reached.
    pub solution: Solution,
    /// The training samples as seen by the probes of their folds, where a penalty was chosen.
    pub unseen: Option<Unseen>,
}

/// A penalty with what is known of it.
struct Choice {
    penalty: f64,
    /// The mean model of the folds, to start from.
    start: Vec<f64>,
    unseen: Unseen,
    /// Whether the fits of all folds reached their tolerance.
    converged: bool,
}

impl Training {
    /// Gathers the training rows.
    pub(super) fn new<T: Copy + Into<f64> + Sync>(
        z: ArrayView2<'_, T>,
        scaler: &Scaler,
        split: &Split,
        n_folds: usize,
        classes: &Classes<'_>,
    ) -> Self {
        let (rows, folds) = classes.dealt(&split.train, n_folds);
        let n_classes = classes.n_classes;
        let classes = classes.at(&rows);
        let mut counts = vec![0; n_classes];
        for &class in &classes {
            counts[class as usize] += 1;
        }
        Self { features: scaler.apply(z, &rows), n_columns: scaler.n_columns(), classes, counts, folds }
    }

    /// The part of the training samples whose class a model finds the most probable one.
    pub(super) fn accuracy(&self, parameters: &[f64]) -> f64 {
        let said = log_probabilities(&self.features, 0..self.classes.len(), parameters);
        accuracy(&said, &self.classes)
    }

    /// The best model that looks at nothing: the frequencies of the classes.
    pub(super) fn without_features(&self) -> Fit {
        let parameters = self.log_frequencies();
        let objective = -parameters.iter().map(|ln| ln.exp() * ln).sum::<f64>();
        let solution = Solution { parameters, objective, gradient_norm: 0.0, iterations: 0, converged: true };
        Fit { penalty: None, solution, unseen: None }
    }

    /// Chooses a penalty by cross-validation if there are several (given in decreasing order), and fits with it.
    pub(super) fn fit(&self, penalties: &[f64], tolerance: f64) -> Fit {
        let n = self.classes.len();
        let curvature = Curvature::new(&self.features, n, self.n_columns);
        let mut start = vec![0.0; self.counts.len() * self.features.stride()];
        start.extend(self.log_frequencies());
        let (penalty, start, unseen, converged) = if let [penalty] = penalties {
            (*penalty, start, None, true)
        } else {
            let choice = self.choose(penalties, start, &curvature, tolerance);
            (choice.penalty, choice.start, Some(choice.unseen), choice.converged)
        };
        let inverse = curvature.inverse(penalty);
        let mut solution = self.solve(&self.folds, penalty, start, &inverse, (tolerance, PART_OF_PULL));
        solution.converged &= converged;
        Fit { penalty: Some(penalty), solution, unseen }
    }

    /// The penalty with the least cross-entropy on the samples of the folds left out.
    fn choose(&self, penalties: &[f64], start: Vec<f64>, curvature: &Curvature, tolerance: f64) -> Choice {
        let mut models = vec![start.clone(); self.folds.len()];
        let mut best: Option<(f64, Choice)> = None;
        // All of them: where a weak unit is hidden by strong noise, the loss rises before it falls.
        for &penalty in penalties {
            let inverse = curvature.inverse(penalty);
            let mut converged = true;
            let mut seen = Vec::with_capacity(self.folds.len());
            for (fold, model) in models.iter_mut().enumerate() {
                let mut others = self.folds.clone();
                let left_out = others.remove(fold);
                let goal = (10.0 * tolerance, PART_OF_PULL_IN_CHOICE);
                let solution = self.solve(&others, penalty, std::mem::take(model), &inverse, goal);
                converged &= solution.converged;
                *model = solution.parameters;
                seen.push(log_probabilities(&self.features, left_out, model));
            }
            let unseen = self.unseen(&seen);
            let loss = unseen.cross_entropy();
            if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, Choice { penalty, start: mean(&models), unseen, converged }));
            }
        }
        best.expect("there is a penalty").1
    }

    /// The left-out samples of all folds, one after the other.
    fn unseen(&self, seen: &[Array2<f64>]) -> Unseen {
        let views: Vec<_> = seen.iter().map(|part| part.view()).collect();
        Unseen {
            log_probabilities: concatenate(Axis(0), &views).expect("every fold has the same classes"),
            classes: self.classes.clone(),
            ends: self.folds.iter().map(|fold| fold.end).collect(),
        }
    }

    fn solve(
        &self,
        segments: &[Range<usize>],
        penalty: f64,
        start: Vec<f64>,
        inverse: &impl Fn(&mut [f64]),
        (tolerance, part): (f64, f64),
    ) -> Solution {
        let n_weights = self.counts.len() * self.features.stride();
        let enough = |parameters: &[f64]| tolerance.min(part * penalty * largest(&parameters[..n_weights]).max(1e-3));
        let mut objective = Softmax::new(&self.features, &self.classes, self.counts.len(), segments, penalty);
        minimize(|parameters, gradient| objective.value_and_gradient(parameters, gradient), inverse, start, enough)
    }

    fn log_frequencies(&self) -> Vec<f64> {
        let n = self.classes.len() as f64;
        self.counts.iter().map(|&count| (count as f64 / n).ln()).collect()
    }
}

fn mean(models: &[Vec<f64>]) -> Vec<f64> {
    let mut mean = vec![0.0; models[0].len()];
    for model in models {
        for (mean, parameter) in mean.iter_mut().zip(model) {
            *mean += parameter / models.len() as f64;
        }
    }
    mean
}
