//! The fit of a linear probe, and the steps that several fits take together.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::choice::choose;
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

/// The curvature is looked at again where the objective is more than so many times smaller or larger.
const ELSEWHERE: f64 = 2.0;

/// Standardized training samples, fold after fold.
pub(super) struct Training {
    pub features: Features,
    n_columns: usize,
    pub classes: Vec<u32>,
    counts: Vec<usize>,
    pub folds: Vec<Range<usize>>,
}

/// A probe fitted to all training samples.
pub(super) struct Fit {
    /// The penalty that was chosen; none without features.
    pub penalty: Option<f64>,
    /// How many penalties were tried on all folds; none where there was no choice.
    pub n_finalists: Option<usize>,
    /// The parameters, and how they were reached.
    pub solution: Solution,
    /// The training samples as seen by the probes of their folds, where a penalty was chosen.
    pub unseen: Option<Unseen>,
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
        Fit { penalty: None, n_finalists: None, solution, unseen: None }
    }

    /// Chooses a penalty by cross-validation if there are several (given in decreasing order), and fits with it.
    pub(super) fn fit(&self, penalties: &[f64], tolerance: f64) -> Fit {
        let mut start = vec![0.0; self.counts.len() * self.features.stride()];
        start.extend(self.log_frequencies());
        let mut curvature = Known::default();
        let (penalty, start, choice) = if let [penalty] = penalties {
            (*penalty, start, None)
        } else {
            let mut choice = choose(self, penalties, &start, &mut curvature);
            (choice.penalty, std::mem::take(&mut choice.start), Some(choice))
        };
        let goal = Goal { gradient: tolerance, decrease: DECREASE * (tolerance / 1e-5) };
        let mut fits = [Minimizer::new(start)];
        let mut steps = Steps::new(self, vec![None], &mut curvature);
        steps.walk(&mut fits, penalty, goal);
        let [fit] = fits;
        let mut solution = fit.solution();
        solution.converged &= choice.as_ref().is_none_or(|choice| choice.converged);
        let n_finalists = choice.as_ref().map(|choice| choice.n_finalists);
        Fit { penalty: Some(penalty), n_finalists, solution, unseen: choice.map(|choice| choice.unseen) }
    }

    fn log_frequencies(&self) -> Vec<f64> {
        let n = self.classes.len() as f64;
        self.counts.iter().map(|&count| (count as f64 / n).ln()).collect()
    }
}

/// Several fits in step: each pass looks at the features once for all of them.
pub(super) struct Steps<'a> {
    training: &'a Training,
    objective: Softmax<'a>,
    curvature: &'a mut Known,
}

/// The curvature and the mean objective where it was looked at, for fits to come.
#[derive(Default)]
pub(super) struct Known(Option<(Curvature, f64)>);

impl<'a> Steps<'a> {
    /// For fits that leave out one fold each, or none.
    pub(super) fn new(training: &'a Training, left_out: Vec<Option<usize>>, curvature: &'a mut Known) -> Self {
        let Training { features, classes, counts, folds, .. } = training;
        let objective = Softmax::new(features, classes, counts.len(), folds, left_out);
        Self { training, objective, curvature }
    }

    /// Goes on until every fit has stopped.
    pub(super) fn walk(&mut self, fits: &mut [Minimizer], penalty: f64, goal: Goal) {
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
    pub(super) fn turn(&mut self, fits: &mut [Minimizer], by: f64, penalty: f64, goal: Goal) {
        let n_weights = self.training.counts.len() * self.training.features.stride();
        let values = fits.iter().map(Minimizer::value).sum();
        let curvature = self.curvature(fits, values);
        fits.par_iter_mut().for_each(|fit| {
            fit.stiffen(by, n_weights, |vector| curvature.divide(penalty, vector), goal);
        });
    }

    /// The curvature at about where the fits are, given the sum of their objectives.
    fn curvature(&mut self, fits: &[Minimizer], objectives: f64) -> &Curvature {
        let objective = objectives / fits.len() as f64;
        if self.curvature.0.as_ref().is_none_or(|(_, at)| ELSEWHERE * objective < *at || objective > ELSEWHERE * at) {
            let Training { features, classes, n_columns, .. } = self.training;
            self.curvature.0 = Some((Curvature::new(features, classes.len(), *n_columns, &mean(fits)), objective));
        }
        &self.curvature.0.as_ref().expect("it was just looked at").0
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
