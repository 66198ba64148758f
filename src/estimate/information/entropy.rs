//! Entropies from the distances to nearest neighbors.

use std::num::NonZeroUsize;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;

use super::whitened::Whitened;
use crate::estimate::digamma::digamma;
use crate::estimate::neighbors::euclidean_distances;
use crate::estimate::{Estimate, EstimateError};

/// Which of the two published forms of an estimator by several entropies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Each variable is whitened by itself, x and y together too; the standard error is the sum of those of the
    /// entropies, which is too large.
    #[default]
    Whitened,
    /// Coordinates as they are; the standard error is that of the entropies' terms taken together, sample by sample.
    PerSample,
}

/// How much each neighbor counts in an entropy: pairs of a neighbor and its weight.
pub(super) type Weights = Vec<(NonZeroUsize, f64)>;

/// For each estimate of a measure, the weights in a number of dimensions.
pub(super) type InDimensions<'a> = &'a (dyn Fn(usize) -> Result<Vec<Weights>, EstimateError> + Sync);

/// A variable in the coordinates of a form.
pub(super) struct Space {
    /// One row a sample.
    pub(super) points: Array2<f64>,
    /// What the entropy in these coordinates lacks.
    pub(super) correction: f64,
    whitened: Option<Whitened>,
}

impl Space {
    /// Whitens a variable, if the form says so; directions that do not vary are left out.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Numeric`] if a decomposition fails.
    pub(super) fn new(samples: ArrayView2<'_, f64>, form: Form) -> Result<Self, EstimateError> {
        match form {
            Form::PerSample => Ok(Self { points: samples.to_owned(), correction: 0.0, whitened: None }),
            Form::Whitened => {
                let mut whitened = Whitened::new(samples)?;
                let points = std::mem::take(&mut whitened.samples);
                Ok(Self { points, correction: 0.5 * whitened.log_determinant, whitened: Some(whitened) })
            }
        }
    }

    /// Flags units that were left out.
    pub(super) fn flag(&self, estimate: &mut Estimate) {
        if let Some(whitened) = &self.whitened {
            whitened.flag(self.points.ncols(), estimate);
        }
    }

    /// The terms whose means are the entropies, for each set of weights one term a sample.
    ///
    /// ```text
    /// h(X) = −⟨Σⱼ wⱼ [ψ(j) − ln(n − 1) − ln V_d − d ln rᵢⱼ]⟩
    /// ```
    ///
    /// with the Euclidean distance rᵢⱼ of sample i to its j-th neighbor and the volume `V_d` of the unit ball.
    ///
    /// # Errors
    ///
    /// [`EstimateError::TooFewSamples`] where a neighbor does not exist, [`EstimateError::Degenerate`] where one lies at
    /// distance zero.
    pub(super) fn entropy_terms(&self, weights: InDimensions<'_>) -> Result<Vec<Vec<f64>>, EstimateError> {
        let (n, d) = self.points.dim();
        let all = weights(d)?;
        let mut ks: Vec<NonZeroUsize> = all.iter().flatten().map(|(k, _)| *k).collect();
        ks.sort_unstable();
        ks.dedup();
        let largest = ks.last().map_or(0, |k| k.get());
        if largest >= n {
            return Err(EstimateError::TooFewSamples { found: n, needed: largest });
        }
        let distances = euclidean_distances(self.points.view(), &ks)?;
        let d = d as f64;
        let ln_volume = 0.5 * d * std::f64::consts::PI.ln() - ln_gamma(0.5 * d + 1.0);
        let terms = all.iter().map(|weights| {
            let mut terms = vec![self.correction; n];
            for (k, weight) in weights {
                let place = ks.binary_search(k).expect("every neighbor was searched for");
                let density = digamma(k.get() as f64) - (n as f64 - 1.0).ln() - ln_volume;
                for (term, &distance) in terms.iter_mut().zip(&distances[place]) {
                    if distance == 0.0 {
                        return Err(coinciding(&distances[place], *k));
                    }
                    *term -= weight * (density - d * distance.ln());
                }
            }
            Ok(terms)
        });
        terms.collect()
    }
}

fn coinciding(distances: &[f64], k: NonZeroUsize) -> EstimateError {
    let count = distances.iter().filter(|&&distance| distance == 0.0).count();
    EstimateError::Degenerate {
        reason: format!(
            "{count} of {} samples coincide with their neighbor number {k}: the entropy of repeated values is minus \
             infinity; use `mixed`, or `ksg` with its flag",
            distances.len()
        ),
    }
}
