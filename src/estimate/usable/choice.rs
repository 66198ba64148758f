//! The choice of a penalty by cross-validation, as a race over the folds.

use std::ops::Range;

use ndarray::{Array2, Axis, concatenate};

use super::fit::{Known, Steps, Training};
use super::fitted::Unseen;
use super::lbfgs::{Goal, Minimizer};
use super::softmax::log_probabilities;

/// The part of the objective by which a fit may still be expected to sink, whatever the tolerance of the last one:
/// held-out losses are then right to about [`SOLVED`], far below their own spread.
const DECREASE: f64 = 1e-5;

/// How far the held-out loss of a fit may be from that of an exact one, in nats (the largest seen on seven real layers).
const SOLVED: f64 = 1.5e-3;

/// Left-out samples that all penalties are tried on, at least: a fold of few samples may lack the rare ones that a weak
/// penalty is surest and most wrong about.
const TRIED_BY_ALL: usize = 1000;

/// A penalty drops out when its loss is larger than the least by so many standard errors of the difference.
const ERRORS: f64 = 4.0;

/// The penalty that was chosen.
pub(super) struct Choice {
    pub penalty: f64,
    /// The mean model of the folds, to start from.
    pub start: Vec<f64>,
    pub unseen: Unseen,
    /// How many penalties were tried on all folds.
    pub n_finalists: usize,
    /// Whether the fits of all folds reached their tolerance.
    pub converged: bool,
}

/// A penalty with what is known of it.
struct Candidate {
    penalty: f64,
    /// The sum of the models of its folds.
    sum: Vec<f64>,
    /// What those models say of the samples that they were not fitted to, fold after fold.
    seen: Vec<Array2<f64>>,
    converged: bool,
}

/// The penalty (of several, in decreasing order) with the least cross-entropy on the samples of the folds left out.
///
/// All are tried on the first folds that hold a thousand samples; those that are then worse than the best by more than
/// four standard errors of the paired difference are spared the other folds. All are tried, not only those up to the
/// first rise of the loss: where a weak unit is hidden by strong noise, the loss rises before it falls.
pub(super) fn choose(training: &Training, penalties: &[f64], start: &[f64], curvature: &mut Known) -> Choice {
    let folds = &training.folds;
    let first = 1 + folds.iter().position(|fold| fold.end >= TRIED_BY_ALL).unwrap_or(folds.len() - 1);
    let mut candidates: Vec<Candidate> = penalties
        .iter()
        .map(|&penalty| Candidate { penalty, sum: vec![0.0; start.len()], seen: Vec::new(), converged: true })
        .collect();
    walk(training, 0..first, start, curvature, &mut candidates);
    if first < folds.len() {
        let losses: Vec<Vec<f64>> = candidates.iter().map(|candidate| candidate.losses(&training.classes)).collect();
        let best = &losses[least(&losses)];
        let mut stays = losses.iter().map(|losses| !is_worse(losses, best));
        candidates.retain(|_| stays.next().expect("every candidate has losses"));
        // From where the first folds ended. Those fits saw the samples that these leave out, but where a fit began shows
        // less than where it stops.
        let start: Vec<f64> = candidates[0].sum.iter().map(|sum| sum / first as f64).collect();
        walk(training, first..folds.len(), &start, curvature, &mut candidates);
    }
    let losses: Vec<Vec<f64>> = candidates.iter().map(|candidate| candidate.losses(&training.classes)).collect();
    let n_finalists = candidates.len();
    let Candidate { penalty, sum, seen, converged } = candidates.swap_remove(least(&losses));
    let views: Vec<_> = seen.iter().map(|seen| seen.view()).collect();
    let unseen = Unseen {
        log_probabilities: concatenate(Axis(0), &views).expect("every fold has the same classes"),
        classes: training.classes.clone(),
        ends: folds.iter().map(|fold| fold.end).collect(),
    };
    let start = sum.into_iter().map(|sum| sum / folds.len() as f64).collect();
    Choice { penalty, start, unseen, n_finalists, converged }
}

/// Fits every candidate to all but one of some folds, from the largest penalty to the smallest.
fn walk(
    training: &Training,
    left_out: Range<usize>,
    start: &[f64],
    curvature: &mut Known,
    candidates: &mut [Candidate],
) {
    let goal = Goal { gradient: f64::INFINITY, decrease: DECREASE };
    let mut fits = vec![Minimizer::new(start.to_vec()); left_out.len()];
    let mut steps = Steps::new(training, left_out.clone().map(Some).collect(), curvature);
    let mut before = None;
    for candidate in candidates {
        if let Some(before) = before {
            steps.turn(&mut fits, candidate.penalty - before, candidate.penalty, goal);
        }
        steps.walk(&mut fits, candidate.penalty, goal);
        before = Some(candidate.penalty);
        for (fit, fold) in fits.iter().zip(left_out.clone()) {
            let rows = training.folds[fold].clone();
            candidate.seen.push(log_probabilities(&training.features, rows, fit.parameters()));
            candidate.converged &= fit.has_converged();
            for (sum, parameter) in candidate.sum.iter_mut().zip(fit.parameters()) {
                *sum += parameter;
            }
        }
    }
}

impl Candidate {
    /// −ln q(y|z) of each sample seen so far.
    fn losses(&self, classes: &[u32]) -> Vec<f64> {
        let rows = self.seen.iter().flat_map(|seen| seen.outer_iter());
        rows.zip(classes).map(|(row, &class)| -row[class as usize]).collect()
    }
}

/// The place of the least mean, the first of equals.
fn least(losses: &[Vec<f64>]) -> usize {
    let mean = |place: usize| losses[place].iter().sum::<f64>();
    (1..losses.len()).fold(0, |best, place| if mean(place) < mean(best) { place } else { best })
}

/// Whether losses are larger than the best ones beyond doubt.
fn is_worse(losses: &[f64], best: &[f64]) -> bool {
    let n = losses.len() as f64;
    let differences = || losses.iter().zip(best).map(|(loss, best)| loss - best);
    let mean = differences().sum::<f64>() / n;
    let variance = differences().map(|difference| (difference - mean).powi(2)).sum::<f64>() / (n - 1.0);
    mean > ERRORS * (variance / n).sqrt() + SOLVED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_worse_beyond_doubt_drops_out() {
        // Differences of mean 1/2 and variance 1/4, from 101 samples on: a standard error of 1/20.
        let best = [0.0; 101];
        let losses = |shift: f64| -> Vec<f64> { (0..101).map(|i| f64::from(i % 2) + shift).collect() };
        assert!(is_worse(&losses(0.0), &best));
        assert!(!is_worse(&losses(-0.3), &best));
        // Without spread only what the solver leaves open is forgiven.
        assert!(!is_worse(&[1.4e-3; 101], &best) && is_worse(&[1.6e-3; 101], &best));
        assert!(!is_worse(&best, &best));
    }

    #[test]
    fn the_least_is_the_first_of_equals() {
        assert_eq!(least(&[vec![2.0, 0.0], vec![1.0, 0.0], vec![0.0, 1.0]]), 1);
    }
}
