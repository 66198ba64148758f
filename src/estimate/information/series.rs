//! One variable against many others, as an input against the layers of all checkpoints.

use ndarray::{Array2, ArrayView2};

use super::kept::Kept;
use super::measurement::measured;
use super::{Against, Estimator, Intervals};
use crate::estimate::{Estimate, EstimateError, Permutations};

/// A variable X that many variables are measured against, all in one way.
///
/// Each [`measure`](Self::measure) gives the same bits as [`measure`](super::measure()) does alone. What the estimator finds
/// in X by itself is found by the first, for all samples and for each part of the interval, and kept for the others.
#[derive(Debug)]
pub struct Series<'a> {
    x: Array2<f64>,
    estimator: &'a Estimator,
    uncertainty: (&'a Intervals, Option<Permutations>),
    seed: u64,
    /// Of all samples, then of each part.
    pub(super) kept: Vec<Kept>,
}

impl<'a> Series<'a> {
    /// A variable x, one row a sample, and how others are measured against it.
    #[must_use]
    pub fn new(
        estimator: &'a Estimator,
        x: Array2<f64>,
        uncertainty: (&'a Intervals, Option<Permutations>),
        seed: u64,
    ) -> Self {
        let n_parts = uncertainty.0.part_sizes(x.nrows()).len();
        let kept = (0..=n_parts).map(|_| Kept::default()).collect();
        Self { x, estimator, uncertainty, seed, kept }
    }

    /// Measures I(X; Y) with its uncertainty, from any thread.
    ///
    /// # Errors
    ///
    /// Those of [`measure`](super::measure()).
    pub fn measure(&self, y: ArrayView2<'_, f64>) -> Result<Vec<Estimate>, EstimateError> {
        measured(self.estimator, (self.x.view(), &self.kept), Against::Variable(y), self.uncertainty, self.seed)
    }

    /// The most bytes that are kept of a variable of n samples in d columns.
    #[must_use]
    pub fn kept_bytes(estimator: &Estimator, intervals: &Intervals, (n, d): (usize, usize)) -> usize {
        let n_samples = n + intervals.part_sizes(n).iter().sum::<usize>();
        estimator.continuous().map_or(0, |estimator| estimator.kept_bytes(d)).saturating_mul(n_samples)
    }
}
