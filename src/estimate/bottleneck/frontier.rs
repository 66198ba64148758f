use std::num::NonZeroUsize;

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Encoder, Joint, iteration};
use crate::estimate::EstimateError;
use crate::estimate::random::SplitMix64;

/// The part of a random encoder that is mixed in before each trade-off, so that values of T which became alike, or which
/// nothing was left of, can part again.
const STIR: f64 = 1e-4;

/// Values of T that are less likely than this do not count.
const NEVER: f64 = 1e-9;

/// The curve of the least rate I(X; T) for each relevance I(T; Y).
///
/// # Formula
///
/// ```text
/// minimize  H(T) − α H(T|X) − β I(T; Y)   over p(t|x)
/// p(t|x) ∝ exp[(ln p(t) − β KL(p(y|x) ‖ p(y|t))) / α]
/// ```
///
/// at `steps` trade-offs β from `largest` down to one, in equal ratios (at and below one nothing is worth its rate). α is the
/// `randomness`: at 1 this is the information bottleneck, at 0 the deterministic one, in which T is a function of X and
/// the rate its entropy. Each of `starts` searches begins at the largest β and goes on from each solution to the next
/// (annealing): the first from every x by itself, the others from random encoders. At each β the best one counts.
///
/// # Use
///
/// For finite problems: a table p(x, y), or samples with a posterior each. The problem is not convex: each point can be
/// attained, but a better one might exist; [`Frontier::relevance_at`] says between which bounds the curve then lies.
///
/// # Cost
///
/// O(|X| |T| |Y|) an iteration, some ten iterations a point, thousands near the trade-offs at which T splits.
///
/// # Reference
///
/// N. Tishby, F. Pereira, W. Bialek, The information bottleneck method, Allerton 1999,
/// <https://arxiv.org/abs/physics/0004057>, equation 28; D. J. Strouse, D. J. Schwab, The deterministic information
/// bottleneck, Neural Computation 29, 1611–1630 (2017), <https://doi.org/10.1162/NECO_a_00961>, which has α.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bottleneck {
    /// The number of trade-offs; by default 64.
    pub steps: NonZeroUsize,
    /// The largest trade-off, above one; by default 256.
    pub largest: f64,
    /// The searches; by default 4.
    pub starts: NonZeroUsize,
    /// The values that T can take; by default as many as X.
    pub clusters: Option<NonZeroUsize>,
    /// α in the formula: 1, the default, for the information bottleneck, 0 for the deterministic one.
    pub randomness: Randomness,
    /// The most iterations at a trade-off; by default 20,000.
    pub iterations: NonZeroUsize,
}

impl Default for Bottleneck {
    fn default() -> Self {
        let count = |n| NonZeroUsize::new(n).expect("the defaults are positive");
        Self {
            steps: count(64),
            largest: 256.0,
            starts: count(4),
            clusters: None,
            randomness: Randomness(1.0),
            iterations: count(20_000),
        }
    }
}

/// How random an encoder may be, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Randomness(f64);

impl TryFrom<f64> for Randomness {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(format!("found a randomness of {value}, needed a number from 0 (deterministic) to 1"))
        }
    }
}

impl From<Randomness> for f64 {
    fn from(randomness: Randomness) -> Self {
        randomness.0
    }
}

/// The best solution found at one trade-off.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The trade-off β.
    pub beta: f64,
    /// I(X; T) in nats.
    pub rate: f64,
    /// I(T; Y) in nats.
    pub relevance: f64,
    /// H(T) in nats.
    pub entropy: f64,
    /// The values that T takes.
    pub clusters: usize,
    /// Whether its iteration came to an end.
    pub converged: bool,
}

/// The solutions, from the smallest trade-off to the largest.
#[derive(Clone, Debug, PartialEq)]
pub struct Frontier {
    /// A point for each trade-off.
    pub points: Vec<Point>,
    /// The corners of the concave curve through the points: rate and relevance, from (0, 0) to (H(X), I(X; Y)).
    pub corners: Vec<(f64, f64)>,
    information: f64,
    /// Whether lines of slope 1/β through the points bound the curve from above.
    is_random: bool,
}

/// How much more relevance there could be at the same rate, in nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// At least so much: mixtures of the points that were found attain it.
    pub at_least: f64,
    /// At most so much, if every point is the best of its trade-off; none of the deterministic bottleneck.
    pub at_most: Option<f64>,
}

impl Bottleneck {
    /// The frontier of a joint distribution; random encoders are drawn by `seed`.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if the largest trade-off is not a number above one.
    pub fn frontier(&self, joint: &Joint, seed: u64) -> Result<Frontier, EstimateError> {
        if !(self.largest > 1.0 && self.largest.is_finite()) {
            let reason = format!("found a largest trade-off of {}, needed a number above 1", self.largest);
            return Err(EstimateError::Degenerate { reason });
        }
        let searches: Vec<Vec<Point>> = (0..self.starts.get() as u64)
            .into_par_iter()
            .map(|start| self.anneal(joint, SplitMix64::new(seed.wrapping_add(start)).next_u64(), start == 0))
            .collect();
        let alpha = self.randomness.0;
        let objective =
            |point: &Point| (1.0 - alpha) * point.entropy + alpha * point.rate - point.beta * point.relevance;
        let best = |step: usize| {
            let points = searches.iter().map(|points| &points[step]);
            points.min_by(|a, b| objective(a).total_cmp(&objective(b))).expect("there is a search").clone()
        };
        let points: Vec<Point> = (0..self.steps.get()).rev().map(best).collect();
        let information = joint.information();
        let mut corners = vec![(0.0, 0.0), (joint.entropy_x(), information)];
        corners.extend(points.iter().map(|point| (point.rate, point.relevance)));
        Ok(Frontier { points, corners: concave(corners), information, is_random: alpha >= 1.0 })
    }

    /// The trade-offs, from the largest down to one.
    fn betas(&self) -> impl Iterator<Item = f64> {
        let last = self.steps.get().saturating_sub(1).max(1) as f64;
        (0..self.steps.get()).map(move |step| self.largest.powf(1.0 - step as f64 / last))
    }

    fn anneal(&self, joint: &Joint, seed: u64, apart: bool) -> Vec<Point> {
        let n_x = joint.p_x().len();
        let shape = (n_x, self.clusters.map_or(n_x, NonZeroUsize::get));
        let mut random = SplitMix64::new(seed);
        let mut assignment = stirring(&mut random, shape);
        if apart && shape.1 >= n_x {
            assignment = Array2::from_shape_fn(shape, |(x, t)| f64::from(u8::from(x == t)));
        }
        let step = |beta: f64| {
            let stirred = &assignment * (1.0 - STIR) + stirring(&mut random, shape) * STIR;
            let start = Encoder::from_assignment(joint, stirred);
            let solution = iteration::solve(joint, start, beta, self.randomness.0, self.iterations.get());
            let encoder = solution.encoder;
            let point = Point {
                beta,
                rate: encoder.rate(joint),
                relevance: encoder.relevance(joint),
                entropy: encoder.entropy(),
                clusters: encoder.p_t.iter().filter(|&&p| p > NEVER).count(),
                converged: solution.converged,
            };
            assignment = encoder.assignment;
            point
        };
        self.betas().map(step).collect()
    }
}

impl Frontier {
    /// The relevance of the curve at a rate, in nats: what was found, and a bound that it cannot exceed.
    ///
    /// The first is interpolated between points, which mixtures attain. The second is the least of the tangents at the
    /// points, of the rate, and of I(X; Y): a bound if every point is the best of its trade-off.
    #[must_use]
    pub fn relevance_at(&self, rate: f64) -> (f64, Option<f64>) {
        let after = self.corners.partition_point(|&(corner, _)| corner <= rate);
        let found = match (self.corners.get(after.wrapping_sub(1)), self.corners.get(after)) {
            (Some(&(r0, i0)), Some(&(r1, i1))) => i0 + (i1 - i0) * (rate - r0) / (r1 - r0),
            (Some(&(_, last)), None) => last,
            (None, _) => 0.0,
        };
        let tangents = self.points.iter().map(|point| point.relevance + (rate - point.rate) / point.beta);
        let bound = tangents.fold(self.information.min(rate.max(0.0)), f64::min);
        (found, self.is_random.then_some(bound.max(found)))
    }

    /// How far below the curve an encoder of this rate and relevance lies.
    #[must_use]
    pub fn gap(&self, rate: f64, relevance: f64) -> Gap {
        let (found, bound) = self.relevance_at(rate);
        Gap { at_least: found - relevance, at_most: bound.map(|bound| bound - relevance) }
    }
}

/// A random encoder: rows of exponential numbers, normalized.
fn stirring(random: &mut SplitMix64, shape: (usize, usize)) -> Array2<f64> {
    let mut rows = Array2::from_shape_simple_fn(shape, || -(1.0 - random.uniform()).ln() + f64::MIN_POSITIVE);
    for mut row in rows.outer_iter_mut() {
        row /= row.sum();
    }
    rows
}

/// The corners of the least concave curve above some points, from the lowest rate to the highest relevance.
fn concave(mut points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut corners: Vec<(f64, f64)> = Vec::new();
    for point in points {
        while let [.., before, last] = corners[..] {
            let turn = (last.0 - before.0) * (point.1 - before.1) - (last.1 - before.1) * (point.0 - before.0);
            if turn < 0.0 {
                break;
            }
            corners.pop();
        }
        // More rate for no more relevance is no corner.
        if corners.last().is_none_or(|last| point.1 > last.1) {
            corners.push(point);
        }
    }
    corners
}
