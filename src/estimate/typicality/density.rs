use std::num::NonZeroUsize;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;

use crate::estimate::neighbors::euclidean_distances;
use crate::estimate::{EstimateError, digamma, finite};

/// How densely other samples lie around each sample.
///
/// # Formula
///
/// ```text
/// ln p(xᵢ) = ψ(k) − ln(n − 1) − ln V_d − d ln rᵢ
/// ```
///
/// where rᵢ is the Euclidean distance of sample i to its k-th neighbor and `V_d` the volume of the unit ball in d dimensions:
/// minus its mean is the entropy of Kozachenko and Leonenko. A sample is the more typical the nearer its k-th neighbor,
/// of equals the one in the earlier row. The highly typical set is the `fraction` of the samples (to the nearest number)
/// that are the most typical, or those with at least so much density.
///
/// # Use
///
/// For samples in few coordinates: compress first. In many dimensions d the density is d times a logarithm of distance, and
/// says no more than the order. Coordinates count as they are scaled. A published method takes the density of a
/// picture in two dimensions by t-SNE, which is not the same twice and keeps no densities; this deviates from it. No
/// code was published; the size of the set and the measure of density are ours.
///
/// # Cost
///
/// One search of neighbors for all k. In more than 32 dimensions 60,000 images of 784 pixels take two threads eight to
/// ten seconds and 400 MB beside the samples; noise without leading directions takes products over all pairs and dimensions.
///
/// # Reference
///
/// X. Peng, J. Zhang, F.-Y. Wang, L. Li, Drill the cork of information bottleneck by inputting the most important data,
/// IEEE Transactions on Neural Networks and Learning Systems 33, 6360–6372 (2022),
/// <https://arxiv.org/abs/2105.07181>, for what it is used for; L. F. Kozachenko, N. N. Leonenko, Sample estimate of the
/// entropy of a random vector, Problems of Information Transmission 23, 95–101 (1987), for the density.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Typicality {
    /// The neighbors whose distances tell the density, k in the formula: one density each.
    pub neighbors: Vec<NonZeroUsize>,
}

/// The densities by one k.
#[derive(Clone, Debug, PartialEq)]
pub struct Density {
    /// k in the formula.
    pub neighbors: NonZeroUsize,
    /// The distance of each sample to its k-th neighbor.
    pub distances: Vec<f64>,
    /// ln p in nats of each sample; infinite where k other samples coincide with it.
    pub log_densities: Vec<f64>,
}

impl Typicality {
    /// The densities of samples, one a row, for each k.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] for no k at all, and for values that are not finite;
    /// [`EstimateError::TooFewSamples`] where there is no k-th neighbor.
    pub fn densities(&self, samples: ArrayView2<'_, f64>) -> Result<Vec<Density>, EstimateError> {
        let fail = |reason: String| EstimateError::Degenerate { reason };
        finite("the samples", samples).map_err(|error| fail(error.to_string()))?;
        let Some(largest) = self.neighbors.iter().max() else {
            return Err(fail(
                "found no number of neighbors, needed one at least, such as `neighbors = [10]`".to_owned(),
            ));
        };
        let (n, d) = samples.dim();
        if largest.get() >= n {
            return Err(EstimateError::TooFewSamples { found: n, needed: largest.get() });
        }
        let d = d as f64;
        let ln_volume = 0.5 * d * std::f64::consts::PI.ln() - ln_gamma(0.5 * d + 1.0);
        let all = euclidean_distances(samples, &self.neighbors)?;
        let density = |(distances, &neighbors): (Vec<f64>, &NonZeroUsize)| {
            let part = digamma(neighbors.get() as f64) - (n as f64 - 1.0).ln() - ln_volume;
            let log_densities = distances.iter().map(|distance| part - d * distance.ln()).collect();
            Density { neighbors, distances, log_densities }
        };
        Ok(all.into_iter().zip(&self.neighbors).map(density).collect())
    }
}

impl Density {
    /// The rows of the most typical samples, in increasing order: a fraction of all, rounded to the nearest number.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] for a fraction that leaves no sample, or all.
    pub fn most_typical(&self, fraction: f64) -> Result<Vec<usize>, EstimateError> {
        let n = self.distances.len();
        let count = (0..=n).rev().find(|&count| count as f64 <= n as f64 * fraction + 0.5).unwrap_or(0);
        if count == 0 || count == n {
            let reason = format!(
                "a typical fraction of {fraction} takes {count} of {n} samples; needed one at least on either side"
            );
            return Err(EstimateError::Degenerate { reason });
        }
        let mut order = self.order();
        order.truncate(count);
        order.sort_unstable();
        Ok(order)
    }

    /// All rows, the most typical sample first, of equals the earlier one.
    #[must_use]
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.distances.len()).collect();
        order.sort_by(|&a, &b| self.distances[a].total_cmp(&self.distances[b]).then(a.cmp(&b)));
        order
    }

    /// The rows of the samples with at least this ln p, in increasing order; there may be none, or all.
    #[must_use]
    pub fn denser_than(&self, log_density: f64) -> Vec<usize> {
        (0..self.log_densities.len()).filter(|&row| self.log_densities[row] >= log_density).collect()
    }

    /// The part of the samples that k others coincide with, whose density is infinite.
    #[must_use]
    pub fn tied_fraction(&self) -> f64 {
        let tied = self.distances.iter().filter(|&&distance| distance == 0.0).count();
        tied as f64 / self.distances.len() as f64
    }
}
