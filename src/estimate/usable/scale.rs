//! One factor for all scores of a classifier: a convex problem in one variable.

#![expect(clippy::inline_always, reason = "code that is not inlined is compiled for the oldest machine")]

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut1};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::fitted::normalize;
use crate::estimate::EstimateError;
use crate::estimate::exponential::exp;

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

/// The factor β of `softmax(o + β·s)` with the least cross-entropy, and cross-entropies in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub factor: f64,
    pub cross_entropy: f64,
    /// The cross-entropy at the factor 1.
    pub unscaled: f64,
    pub end: Option<End>,
}

/// The cross-entropy of n samples as a function of the factor β.
///
/// ```text
/// L(β) = −⟨ln softmax(o + β·s)_y⟩
/// ```
pub(super) struct Scores<'a> {
    /// How much the score of each class is above that of the sample's own, class by class: no digits cancel where the
    /// own one is all but certain, and each operation works on many samples at once.
    distances: Vec<f64>,
    offsets: &'a [f64],
    /// The offset of each sample's own class.
    own: Vec<f64>,
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
    pub(super) fn new(scores: ArrayView2<'_, f64>, offsets: &'a [f64], classes: &[u32]) -> Result<Self, EstimateError> {
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
        let own_score: Vec<f64> = scores.outer_iter().zip(classes).map(|(row, &class)| row[class as usize]).collect();
        let above = |class| scores.column(class).into_iter().zip(&own_score).map(|(score, own)| score - own);
        let distances = (0..offsets.len()).flat_map(above).collect();
        Ok(Self { distances, offsets, own: classes.iter().map(|&class| offsets[class as usize]).collect() })
    }

    /// The minimizer between `least` and `most`, searched from 1, which lies between them.
    ///
    /// Where every sample is told right the cross-entropy falls to zero and has no minimum. Then the factor is the one
    /// at which it is 1/2n: n samples without an error do not show more (the estimate of Krichevsky and Trofimov of the
    /// probability of an error is 1/2(n + 1)). Any error costs at least ln 2/n, so that this changes no other case.
    pub(super) fn minimize(&self, least: f64, most: f64) -> Scale {
        let level = 0.5 / self.own.len() as f64;
        let one = self.at(1.0);
        let unscaled = one.cross_entropy;
        let scale =
            |(factor, value): (f64, Value), end| Scale { factor, cross_entropy: value.cross_entropy, unscaled, end };
        if one.slope == 0.0 && one.curvature == 0.0 && one.cross_entropy > level {
            // The scores do not tell the classes apart, whatever their factor.
            return scale((1.0, one), None);
        }
        let above = |value: &Value| (level - value.cross_entropy, -value.slope);
        let slope = |value: &Value| (value.slope, value.curvature);
        if one.cross_entropy <= level || one.slope > 0.0 {
            let first = self.at(least);
            return if first.cross_entropy <= level {
                scale((least, first), Some(End::Separable))
            } else if first.slope >= 0.0 {
                scale((least, first), Some(End::Least))
            } else if one.cross_entropy <= level {
                scale(self.root(above, least, 1.0, (1.0, one)), Some(End::Separable))
            } else {
                scale(self.root(slope, least, 1.0, (1.0, one)), None)
            };
        }
        // The slope increases: it is negative all the way from the least factor to here.
        let mut low = (1.0, one);
        loop {
            let high = most.min(4.0 * low.0);
            let there = self.at(high);
            if there.cross_entropy <= level {
                return scale(self.root(above, low.0, high, low), Some(End::Separable));
            }
            if there.slope > 0.0 {
                return scale(self.root(slope, low.0, high, low), None);
            }
            if high >= most {
                return scale((most, there), Some(End::Most));
            }
            low = (high, there);
        }
    }

    /// The root of an increasing function of the value, negative at `low` and not at `high`, from the function and its
    /// slope; and the value there. The search goes on from a place that was looked at.
    ///
    /// Newton's steps, and halves where these would leave the bracket or hardly shrink it.
    fn root(
        &self,
        function: impl Fn(&Value) -> (f64, f64),
        mut low: f64,
        mut high: f64,
        (mut here, mut value): (f64, Value),
    ) -> (f64, Value) {
        let mut last_step = high - low;
        for _ in 0..MAX_STEPS {
            let (above, slope) = function(&value);
            if above < 0.0 {
                low = here;
            } else {
                high = here;
            }
            let newton = here - above / slope;
            let next = if low <= newton && newton <= high && (newton - here).abs() < 0.5 * last_step {
                newton
            } else {
                0.5 * (low + high)
            };
            last_step = (next - here).abs();
            if last_step <= TOLERANCE * high {
                break;
            }
            here = next;
            value = self.at(here);
        }
        (here, value)
    }

    /// The cross-entropy at a factor.
    pub(super) fn at(&self, factor: f64) -> Value {
        let n = self.own.len();
        let blocks: Vec<Value> = (0..n.div_ceil(ROWS))
            .into_par_iter()
            .map(|block| {
                let rows = block * ROWS..n.min((block + 1) * ROWS);
                let mut sums = vec![0.0; 4 * rows.len()];
                Arch::new().dispatch(Sweep { scores: self, rows: rows.clone(), factor, sums: &mut sums });
                let mut sum = Value { cross_entropy: 0.0, slope: 0.0, curvature: 0.0 };
                let [largest, total, first, second] = quarters(&mut sums);
                for (((largest, total), first), second) in largest.iter().zip(total).zip(first).zip(second) {
                    let mean = *first / *total;
                    let curvature = (*second / *total - mean * mean).max(0.0);
                    sum.add(Value { cross_entropy: total.ln() + largest, slope: mean, curvature });
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
}

/// Of each sample: the largest logit, all relative to the own class, the sum of the weights of the classes relative to
/// it, and the sums of weight times distance and times its square.
struct Sweep<'a> {
    scores: &'a Scores<'a>,
    rows: Range<usize>,
    factor: f64,
    sums: &'a mut [f64],
}

impl WithSimd for Sweep<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { scores, rows, factor, sums } = self;
        let own = &scores.own[rows.clone()];
        let n = scores.own.len();
        let [largest, total, first, second] = quarters(sums);
        largest.fill(f64::NEG_INFINITY);
        for (distances, offset) in scores.distances.chunks_exact(n).zip(scores.offsets) {
            for ((largest, distance), own) in largest.iter_mut().zip(&distances[rows.clone()]).zip(own) {
                let logit = (offset - own) + factor * distance;
                *largest = if logit > *largest { logit } else { *largest };
            }
        }
        for (distances, offset) in scores.distances.chunks_exact(n).zip(scores.offsets) {
            let distances = &distances[rows.clone()];
            for (i, (&distance, own)) in distances.iter().zip(own).enumerate() {
                let weight = exp((offset - own) + factor * distance - largest[i]);
                // A class that is ruled out has no weight, and a distance that must not be multiplied by zero.
                let ruled_in = distance > f64::NEG_INFINITY;
                let (weight, distance) = if ruled_in { (weight, distance) } else { (0.0, 0.0) };
                total[i] += weight;
                first[i] += weight * distance;
                second[i] += weight * distance * distance;
            }
        }
    }
}

/// Four parts of equal length.
#[inline(always)]
fn quarters(values: &mut [f64]) -> [&mut [f64]; 4] {
    let n = values.len() / 4;
    let (a, rest) = values.split_at_mut(n);
    let (b, rest) = rest.split_at_mut(n);
    let (c, d) = rest.split_at_mut(n);
    [a, b, c, d]
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
