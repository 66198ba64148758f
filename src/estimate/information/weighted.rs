use std::num::NonZeroUsize;

use ndarray::{Array1, Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;

use super::entropy::{Form, Weights};
use super::pairs::enough;
use super::{ContinuousInformation, Kept, LabelInformation, Several, three_entropies};
use crate::estimate::{Estimate, EstimateError, Flag, Labels, Paired};

/// A condition of which less than this part is new counts as none.
const CUTOFF: f64 = 1e-6;

/// Weights as long as this make an estimate worth a flag: its variance grows with their square.
const LONG: f64 = 5.0;

/// Weights longer than this make an estimate worthless.
const TOO_LONG: f64 = 100.0;

/// Information by weighted entropies of nearest neighbors.
///
/// # Formula
///
/// ```text
/// I(X; Y) = h(X) + h(Y) − h(X, Y)          I(X; Y) = h(X) − Σ p(y) h(X|y) of a label
/// h(X) = −⟨Σⱼ wⱼ [ψ(j) − ln(n − 1) − ln V_d − d ln rᵢⱼ]⟩,   j = 1..k
/// ```
///
/// where ψ is the digamma function, n the number of samples, `V_d` the volume of the unit ball in d dimensions, and rᵢⱼ the
/// Euclidean distance of sample i to its j-th neighbor. The weights are the shortest ones with Σ wⱼ = 1,
/// Σ wⱼ Γ(j + 2l/d) / Γ(j) = 0 for l = 1..⌊d/4⌋, and wⱼ = 0 where j is not among ⌊ik/d⌋ for i = 1..d: they cancel the
/// leading terms of the bias. [`Form`] says in which coordinates. Not clamped at zero.
///
/// # Use
///
/// In up to four dimensions nothing has to be cancelled, all weight lies on the nearest neighbor, and k changes nothing.
/// In more than about eight the weights grow so long that the estimate is noise, unless k is large: the length is in
/// `details` (`weight_norm`), is flagged beyond 5, and beyond 100 the estimate is refused. Repeated values are refused.
///
/// # Cost
///
/// Three searches for the k nearest neighbors; several k share them.
///
/// # Reference
///
/// T. B. Berrett, R. J. Samworth, M. Yuan, Efficient multivariate entropy estimation via k-nearest neighbour distances,
/// Annals of Statistics 47, 288–318 (2019), <https://doi.org/10.1214/18-AOS1688>. As used by I. Butakov et al., ICLR 2024,
/// <https://arxiv.org/abs/2305.08013>.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Weighted {
    /// The neighbors that are weighted, k in the formula; or several numbers, each for an estimate.
    pub neighbors: Several<NonZeroUsize>,
    /// In which coordinates, and with which standard error.
    #[serde(default)]
    pub form: Form,
}

impl Weighted {
    fn weights(&self, d: usize) -> Result<Vec<Weights>, EstimateError> {
        let all = self.neighbors.as_slice().iter().map(|k| {
            let weights = weights(d, k.get());
            let norm = norm(&weights);
            if norm > TOO_LONG {
                return Err(EstimateError::Degenerate {
                    reason: format!(
                        "the weights of {k} neighbors in {d} dimensions have length {norm:.0}, needed {TOO_LONG} or \
                         less: the estimate would be noise; raise `neighbors`, or compress to fewer dimensions"
                    ),
                });
            }
            let places = (1..).filter_map(NonZeroUsize::new);
            Ok(places.zip(weights).filter(|(_, weight)| *weight != 0.0).collect())
        });
        all.collect()
    }

    /// Notes how long the weights are in the space where they are the longest.
    fn noted(&self, mut estimates: Vec<Estimate>, d: usize) -> Vec<Estimate> {
        for (estimate, k) in estimates.iter_mut().zip(self.neighbors.as_slice()) {
            if estimate.flags.contains(&Flag::Constant) {
                continue;
            }
            let norm = norm(&weights(d, k.get()));
            estimate.detail("weight_norm", norm);
            if norm > LONG {
                estimate.flag(Flag::LongWeights);
            }
        }
        estimates
    }
}

impl ContinuousInformation for Weighted {
    fn estimates_of_series(&self, samples: Paired<'_>, kept: &Kept) -> Result<Vec<Estimate>, EstimateError> {
        enough(samples.len(), self.neighbors.largest())?;
        let estimates = three_entropies::continuous((samples, kept), self.form, &|d| self.weights(d))?;
        Ok(self.noted(estimates, samples.x().ncols() + samples.y().ncols()))
    }

    fn kept_bytes(&self, _: usize) -> usize {
        self.neighbors.as_slice().len() * size_of::<f64>()
    }

    fn shuffled(&self, samples: Paired<'_>, orders: &[Vec<usize>]) -> Result<Vec<Vec<f64>>, EstimateError> {
        three_entropies::shuffled(samples, self.form, &|d| self.weights(d), orders)
    }
}

impl LabelInformation for Weighted {
    fn estimates(&self, x: ArrayView2<'_, f64>, labels: &Labels) -> Result<Vec<Estimate>, EstimateError> {
        let least = (self.form, self.neighbors.largest());
        let estimates = three_entropies::labeled(x, labels, least, &|d| self.weights(d))?;
        Ok(self.noted(estimates, x.ncols()))
    }
}

/// The length of the weights.
fn norm(weights: &[f64]) -> f64 {
    weights.iter().map(|weight| weight * weight).sum::<f64>().sqrt()
}

/// The weights of the first k neighbors in d dimensions.
fn weights(d: usize, k: usize) -> Vec<f64> {
    let mut weights = vec![0.0; k];
    if d <= 4 {
        weights[0] = 1.0;
        return weights;
    }
    let mut used: Vec<usize> = (1..=d).map(|i| i * k / d).filter(|&j| j > 0).collect();
    used.dedup();
    let n_conditions = d / 4;
    let mut conditions = Array2::zeros((1 + n_conditions, used.len()));
    conditions.row_mut(0).fill(1.0 / k as f64);
    for l in 1..=n_conditions {
        let power = 2.0 * l as f64 / d as f64;
        let ratio = |j: usize| (ln_gamma(j as f64 + power) - ln_gamma(j as f64)).exp();
        let length = norm(&(1..=k).map(ratio).collect::<Vec<_>>());
        for (entry, &j) in conditions.row_mut(l).iter_mut().zip(&used) {
            *entry = ratio(j) / length;
        }
    }
    // The shortest solution of A w = b, b zero but for its first entry, lies in the span of the rows of A: made
    // orthonormal one after the other, twice each, since squaring A would lose half of the digits.
    let mut basis: Vec<(Array1<f64>, f64)> = Vec::new();
    for (place, condition) in conditions.outer_iter().enumerate() {
        let (mut rest, mut wanted) = (condition.to_owned(), if place == 0 { 1.0 / k as f64 } else { 0.0 });
        for (axis, value) in basis.iter().chain(&basis) {
            let along = rest.dot(axis);
            rest.scaled_add(-along, axis);
            wanted -= along * value;
        }
        let length = rest.dot(&rest).sqrt();
        if length > CUTOFF * condition.dot(&condition).sqrt() {
            basis.push((rest / length, wanted / length));
        }
    }
    for (place, &j) in used.iter().enumerate() {
        weights[j - 1] = basis.iter().map(|(axis, value)| axis[place] * value).sum();
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `numpy.linalg.lstsq` with the published conditions, to ten digits.
    #[test]
    fn agrees_with_published_weights() {
        let golden: [(usize, usize, &[f64]); 5] = [
            (5, 5, &[1.540_589_848_3, 0.669_624_510_3, 0.059_948_773_6, -0.427_791_815_7, -0.842_371_316_6]),
            (6, 5, &[1.781_245_063_5, 0.722_725_640_8, 0.017_046_025_7, -0.531_815_897_2, -0.989_200_832_9]),
            (8, 5, &[9.854_136_576_7, -7.669_104_924_3, -7.229_967_014_6, -1.205_031_658_5, 7.249_967_020_8]),
            (10, 5, &[13.875_094_306_6, -12.227_264_233_1, -10.542_848_977_7, -1.212_890_280_1, 11.107_909_184_2]),
            (
                8,
                10,
                &[
                    5.958_036_335_6,
                    -0.968_521_963_1,
                    -2.955_061_954_4,
                    0.0,
                    -2.800_521_040_6,
                    -1.885_894_801_9,
                    -0.701_270_766_0,
                    0.658_399_755_1,
                    0.0,
                    3.694_834_435_2,
                ],
            ),
        ];
        for (d, k, golden) in golden {
            for (weight, golden) in weights(d, k).iter().zip(golden) {
                assert!((weight - golden).abs() < 1e-9, "d = {d}, k = {k}: {weight} is not {golden}");
            }
        }
        assert_eq!(weights(4, 5), [1.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn refuses_weights_that_explode() {
        let estimator = Weighted { neighbors: NonZeroUsize::new(5).unwrap().into(), form: Form::default() };
        assert!(estimator.weights(10).is_ok());
        let reason = estimator.weights(12).unwrap_err().to_string();
        assert!(reason.contains("5 neighbors in 12 dimensions have length 359"), "{reason}");
    }
}
