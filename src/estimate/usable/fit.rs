//! The choice of a penalty, and the fit with it.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use rayon::prelude::*;

use super::curvature::Curvature;
use super::fitted::{Classes, Unseen, accuracy};
use super::lbfgs::{Goal, Minimizer, Solution};
use super::softmax::{Softmax, log_probabilities};
use super::standardize::{Features, Scaler};
use crate::estimate::split::Split;

/// The part of the objective by which the last fit may still be expected to sink at the default tolerance of 10⁻⁵; more
/// and less in proportion to the tolerance.
///
/// The solver knows its Hessian to about a factor of ten, so that the objective is right to better than one part in a
/// million. A bound on the gradient alone would stop fits of small penalties where those of larger ones ended, and
/// cross-validation could not tell them apart.
const DECREASE: f64 = 1e-8;

/// The same while a penalty is chosen, whatever the tolerance: held-out losses are then right to about 0.001 nats, far
/// below their own spread.
const DECREASE_IN_CHOICE: f64 = 1e-5;

/// The curvature is looked at again when the objective has fallen to this part of what it was.
const FALLEN: f64 = 0.5;

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
        let solution =
            Solution { parameters, objective, gradient_norm: 0.0, decrease: 0.0, iterations: 0, converged: true };
        Fit { penalty: None, solution, unseen: None }
    }

    /// Chooses a penalty by cross-validation if there are several (given in decreasing order), and fits with it.
    pub(super) fn fit(&self, penalties: &[f64], tolerance: f64) -> Fit {
        let mut start = vec![0.0; self.counts.len() * self.features.stride()];
        start.extend(self.log_frequencies());
        let (penalty, start, unseen, converged) = if let [penalty] = penalties {
            (*penalty, start, None, true)
        } else {
            let choice = self.choose(penalties, start);
            (choice.penalty, choice.start, Some(choice.unseen), choice.converged)
        };
        let goal = Goal { gradient: tolerance, decrease: DECREASE * (tolerance / 1e-5) };
        let mut fits = [Minimizer::new(start)];
        let mut steps = Steps::new(self, vec![None]);
        steps.walk(&mut fits, penalty, goal);
        let [fit] = fits;
        let mut solution = fit.solution();
        solution.converged &= converged;
        Fit { penalty: Some(penalty), solution, unseen }
    }

    /// The penalty with the least cross-entropy on the samples of the folds left out.
    fn choose(&self, penalties: &[f64], start: Vec<f64>) -> Choice {
        let goal = Goal { gradient: f64::INFINITY, decrease: DECREASE_IN_CHOICE };
        let mut fits = vec![Minimizer::new(start); self.folds.len()];
        let mut steps = Steps::new(self, (0..self.folds.len()).map(Some).collect());
        let mut best: Option<(f64, Choice)> = None;
        let mut before = None;
        // All of them: where a weak unit is hidden by strong noise, the loss rises before it falls.
        for &penalty in penalties {
            if let Some(before) = before {
                steps.turn(&mut fits, penalty - before, penalty, goal);
            }
            steps.walk(&mut fits, penalty, goal);
            before = Some(penalty);
            let seen: Vec<_> = fits
                .iter()
                .zip(&self.folds)
                .map(|(fit, left_out)| log_probabilities(&self.features, left_out.clone(), fit.parameters()))
                .collect();
            let unseen = self.unseen(&seen);
            let loss = unseen.cross_entropy();
            if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                let converged = fits.iter().all(Minimizer::has_converged);
                best = Some((loss, Choice { penalty, start: mean(&fits), unseen, converged }));
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

    fn log_frequencies(&self) -> Vec<f64> {
        let n = self.classes.len() as f64;
        self.counts.iter().map(|&count| (count as f64 / n).ln()).collect()
    }
}

/// Several fits in step: each pass looks at the features once for all of them.
struct Steps<'a> {
    training: &'a Training,
    objective: Softmax<'a>,
    /// The curvature, and the sum of the objectives where it was looked at.
    curvature: Option<(Curvature, f64)>,
}

impl<'a> Steps<'a> {
    /// For fits that leave out one fold each, or none.
    fn new(training: &'a Training, left_out: Vec<Option<usize>>) -> Self {
        let Training { features, classes, counts, folds, .. } = training;
        let objective = Softmax::new(features, classes, counts.len(), folds, left_out);
        Self { training, objective, curvature: None }
    }

    /// Goes on until every fit has stopped.
    fn walk(&mut self, fits: &mut [Minimizer], penalty: f64, goal: Goal) {
        while fits.iter().any(|fit| fit.wanted().is_some()) {
            let wanted: Vec<_> = fits.iter().map(Minimizer::wanted).collect();
            let found = self.objective.evaluate(penalty, &wanted);
            let value = |(fit, found): (&Minimizer, &Option<(f64, _)>)| {
                found.as_ref().map_or(fit.value(), |(value, _)| value.min(fit.value()))
            };
            let values = fits.iter().zip(&found).map(value).sum();
            let curvature = self.curvature(fits, values);
            fits.par_iter_mut().zip(found).for_each(|(fit, found)| {
                if let Some((value, gradient)) = found {
                    fit.tell(value, gradient, |vector| curvature.divide(penalty, vector), goal);
                }
            });
        }
    }

    /// Takes the fits to a penalty that is larger by `by`.
    fn turn(&mut self, fits: &mut [Minimizer], by: f64, penalty: f64, goal: Goal) {
        let n_weights = self.training.counts.len() * self.training.features.stride();
        let values = fits.iter().map(Minimizer::value).sum();
        let curvature = self.curvature(fits, values);
        fits.par_iter_mut().for_each(|fit| {
            fit.stiffen(by, n_weights, |vector| curvature.divide(penalty, vector), goal);
        });
    }

    /// The curvature at about where the fits are, given the sum of their objectives.
    fn curvature(&mut self, fits: &[Minimizer], objectives: f64) -> &Curvature {
        if self.curvature.as_ref().is_none_or(|(_, at)| objectives < FALLEN * at) {
            let Training { features, classes, n_columns, .. } = self.training;
            self.curvature = Some((Curvature::new(features, classes.len(), *n_columns, &mean(fits)), objectives));
        }
        &self.curvature.as_ref().expect("it was just looked at").0
    }
}

/// The mean of where the fits are.
fn mean(fits: &[Minimizer]) -> Vec<f64> {
    let mut mean = vec![0.0; fits[0].parameters().len()];
    for fit in fits {
        for (mean, parameter) in mean.iter_mut().zip(fit.parameters()) {
            *mean += parameter / fits.len() as f64;
        }
    }
    mean
}
