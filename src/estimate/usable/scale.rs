//! One factor for all scores of a classifier: a convex problem in one variable.

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1, s};
use rayon::prelude::*;

use super::fitted::normalize;
use crate::estimate::EstimateError;

/// Rows that one task sums, fixed so that the sums do not depend on the threads.
const ROWS: usize = 1024;

/// The relative change of the factor that counts as none.
const TOLERANCE: f64 = 1e-12;

/// Steps after which rounding, not the problem, moves the factor: halving alone needs fewer.
const MAX_STEPS: usize = 200;

/// Why a factor is not the minimizer of the cross-entropy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The cross-entropy increases all the way from the least factor allowed.
    Least,
    /// The cross-entropy still decreases at the largest factor allowed.
    Most,
    /// Every sample is told right, so that the cross-entropy has no minimum.
    Separable,
}

/// The factor β of `softmax(o + β·s)` with the least cross-entropy, and that cross-entropy in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub factor: f64,
    pub cross_entropy: f64,
    pub end: Option<End>,
}

/// The cross-entropy of n samples as a function of the factor β.
///
/// ```text
/// L(β) = −⟨ln softmax(o + β·s)_y⟩
/// ```
pub(super) struct Scores<'a> {
    values: ArrayView2<'a, f64>,
    offsets: &'a [f64],
    classes: &'a [u32],
}

/// The cross-entropy at a factor with its two derivatives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub cross_entropy: f64,
    slope: f64,
    curvature: f64,
}

impl<'a> Scores<'a> {
    /// Scores s, n × K, where −∞ rules a class out, offsets o of the K classes, and the class of each sample.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] without samples; [`EstimateError::Numeric`] if a score is NaN or +∞, or if the
    /// sample's own class is ruled out, for then every cross-entropy is infinite.
    pub(super) fn new(
        scores: ArrayView2<'a, f64>,
        offsets: &'a [f64],
        classes: &'a [u32],
    ) -> Result<Self, EstimateError> {
        if classes.is_empty() {
            return Err(EstimateError::Degenerate {
                reason: "no sample to scale the scores of a probe by; give more training samples".to_owned(),
            });
        }
        for (sample, (row, &class)) in scores.outer_iter().zip(classes).enumerate() {
            let own = row[class as usize];
            if !own.is_finite() || row.iter().any(|score| score.is_nan() || *score == f64::INFINITY) {
                return Err(EstimateError::Numeric {
                    step: "the scale of a probe's scores",
                    reason: format!("sample {sample} has the scores {row} and is of class {class}"),
                });
            }
        }
        Ok(Self { values: scores, offsets, classes })
    }

    /// The minimizer between `least` and `most`, searched from 1, which lies between them.
    ///
    /// Where every sample is told right the cross-entropy falls to zero and has no minimum. Then the factor is the one
    /// at which it is 1/2n: n samples without an error do not show more (the estimate of Krichevsky and Trofimov of the
    /// probability of an error is 1/2(n + 1)). Any error costs at least ln 2/n, so that this changes no other case.
    pub(super) fn minimize(&self, least: f64, most: f64) -> Scale {
        let level = 0.5 / self.classes.len() as f64;
        let scale = |factor: f64, end| Scale { factor, cross_entropy: self.at(factor).cross_entropy, end };
        let start = self.at(1.0);
        if start.slope == 0.0 && start.curvature == 0.0 && start.cross_entropy > level {
            // The scores do not tell the classes apart, whatever their factor.
            return scale(1.0, None);
        }
        let (mut low, mut high) = (least, 1.0);
        let first = self.at(least);
        if first.cross_entropy <= level {
            return scale(least, Some(End::Separable));
        }
        if first.slope >= 0.0 {
            return scale(least, Some(End::Least));
        }
        loop {
            let here = self.at(high);
            if here.cross_entropy <= level {
                let above = |factor| {
                    let value = self.at(factor);
                    (level - value.cross_entropy, -value.slope)
                };
                return scale(root(above, low, high), Some(End::Separable));
            }
            if here.slope > 0.0 {
                let slope = |factor| {
                    let value = self.at(factor);
                    (value.slope, value.curvature)
                };
                return scale(root(slope, low, high), None);
            }
            if high >= most {
                return scale(most, Some(End::Most));
            }
            low = high;
            high = most.min(4.0 * high);
        }
    }

    /// The cross-entropy at a factor.
    pub(super) fn at(&self, factor: f64) -> Value {
        let n = self.classes.len();
        let blocks: Vec<Value> = (0..n.div_ceil(ROWS))
            .into_par_iter()
            .map(|block| {
                let rows = block * ROWS..n.min((block + 1) * ROWS);
                let mut sum = Value { cross_entropy: 0.0, slope: 0.0, curvature: 0.0 };
                for (row, &class) in self.values.slice(s![rows.clone(), ..]).outer_iter().zip(&self.classes[rows]) {
                    sum.add(self.sample(row, class as usize, factor));
                }
                sum
            })
            .collect();
        let mut sum = Value { cross_entropy: 0.0, slope: 0.0, curvature: 0.0 };
        for block in blocks {
            sum.add(block);
        }
        let n = n as f64;
        Value { cross_entropy: sum.cross_entropy / n, slope: sum.slope / n, curvature: sum.curvature / n }
    }

    fn sample(&self, scores: ArrayView1<'_, f64>, class: usize, factor: f64) -> Value {
        // All relative to the sample's own class, so that no digits cancel where it is all but certain.
        let own = (scores[class], self.offsets[class]);
        let ruled_in = || scores.iter().zip(self.offsets).filter(|(score, _)| **score > f64::NEG_INFINITY);
        let logit = |(score, offset): (&f64, &f64)| (offset - own.1) + factor * (score - own.0);
        let largest = ruled_in().map(logit).fold(f64::NEG_INFINITY, f64::max);
        let (mut total, mut first, mut second) = (0.0, 0.0, 0.0);
        for pair in ruled_in() {
            let weight = (logit(pair) - largest).exp();
            let distance = pair.0 - own.0;
            total += weight;
            first += weight * distance;
            second += weight * distance * distance;
        }
        let mean = first / total;
        Value { cross_entropy: total.ln() + largest, slope: mean, curvature: (second / total - mean * mean).max(0.0) }
    }
}

impl Value {
    fn add(&mut self, other: Self) {
        self.cross_entropy += other.cross_entropy;
        self.slope += other.slope;
        self.curvature += other.curvature;
    }
}

/// `ln softmax(o + β·s)` of each row of scores s.
pub(super) fn log_softmax(mut scores: Array2<f64>, offsets: &[f64], factor: f64) -> Array2<f64> {
    let rows: Vec<ArrayViewMut1<'_, f64>> = scores.outer_iter_mut().collect();
    rows.into_par_iter().for_each(|mut row| {
        for (score, offset) in row.iter_mut().zip(offsets) {
            *score = offset + factor * *score;
        }
        normalize(row);
    });
    scores
}

/// The root of an increasing function, negative at `low` and not at `high`, from its values and slopes.
///
/// Newton's steps, and halves where these would leave the bracket or hardly shrink it.
fn root(function: impl Fn(f64) -> (f64, f64), mut low: f64, mut high: f64) -> f64 {
    let mut here = 0.5 * (low + high);
    let mut last_step = high - low;
    for _ in 0..MAX_STEPS {
        let (value, slope) = function(here);
        if value < 0.0 {
            low = here;
        } else {
            high = here;
        }
        let newton = here - value / slope;
        let next = if low <= newton && newton <= high && (newton - here).abs() < 0.5 * last_step {
            newton
        } else {
            0.5 * (low + high)
        };
        last_step = (next - here).abs();
        here = next;
        if last_step <= TOLERANCE * high {
            break;
        }
    }
    here
}
