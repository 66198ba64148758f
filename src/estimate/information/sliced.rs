use std::num::NonZeroUsize;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{ContinuousInformation, Kept, Ksg, LabelInformation, Ross, Several, checks, mean_of_terms};
use crate::estimate::matrix::double as matrix;
use crate::estimate::random::SplitMix64;
use crate::estimate::{Estimate, EstimateError, Flag, Labels, Paired};

/// Sliced information: the mean over random projections to a few dimensions.
///
/// # Formula
///
/// ```text
/// SI_k(X; Y) = ⟨I(AᵀX; BᵀY)⟩
/// ```
///
/// over matrices A and B of k orthonormal columns, uniformly distributed and independent. Each I is that of
/// [`Ksg`], or of [`Ross`] of a label. The standard error has two parts: that of the mean over the slices,
/// and the mean of the slices' own, which share the samples.
///
/// # Use
///
/// Of layers too wide for neighbors. It is another quantity than I(X; Y), never larger, and zero only where X and Y are
/// independent; of a value in nats only comparisons mean something. Unlike information it depends on the scales of the
/// coordinates, and it falls with the number of irrelevant ones. A side of k dimensions or fewer is not projected.
///
/// # Cost
///
/// That of the estimator in k + k dimensions, times the number of slices.
///
/// # Reference
///
/// Z. Goldfeld, K. Greenewald, T. Nuradha, G. Reeves, k-Sliced mutual information: a quantitative study of scalability with
/// dimension, Advances in Neural Information Processing Systems 35 (2022), <https://arxiv.org/abs/2206.08526>.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sliced {
    /// The dimensions of a slice, k in the formula.
    pub dimensions: NonZeroUsize,
    /// The number of slices.
    pub slices: NonZeroUsize,
    /// The neighbor whose distance sets the scale in each slice; or several, each for an estimate.
    pub neighbors: Several<NonZeroUsize>,
    /// The seed of the slices.
    #[serde(default)]
    pub seed: u64,
}

impl ContinuousInformation for Sliced {
    fn estimates_of_series(&self, samples: Paired<'_>, _: &Kept) -> Result<Vec<Estimate>, EstimateError> {
        let ksg = Ksg { neighbors: self.neighbors.clone() };
        if checks::is_constant(samples.x()) || checks::is_constant(samples.y()) {
            return ContinuousInformation::estimates(&ksg, samples);
        }
        self.mean_of_slices(|random| {
            let (x, y) = (self.slice(samples.x(), random)?, self.slice(samples.y(), random)?);
            ContinuousInformation::estimates(&ksg, finite(&x, &y)?)
        })
    }
}

impl LabelInformation for Sliced {
    fn estimates(&self, x: ArrayView2<'_, f64>, labels: &Labels) -> Result<Vec<Estimate>, EstimateError> {
        let ross = Ross { neighbors: self.neighbors.clone() };
        self.mean_of_slices(|random| {
            let x = self.slice(x, random)?;
            LabelInformation::estimates(&ross, x.view(), labels)
        })
    }
}

impl Sliced {
    /// For each k the mean over the slices.
    fn mean_of_slices(
        &self,
        estimates: impl Fn(&mut SplitMix64) -> Result<Vec<Estimate>, EstimateError> + Sync,
    ) -> Result<Vec<Estimate>, EstimateError> {
        let m = self.slices.get();
        let mut seeds = SplitMix64::new(self.seed);
        let seeds: Vec<u64> = (0..m).map(|_| seeds.next_u64()).collect();
        let slices = seeds.into_par_iter().map(|seed| estimates(&mut SplitMix64::new(seed)));
        let slices = slices.collect::<Result<Vec<_>, _>>()?;
        let means = (0..slices[0].len()).map(|setting| {
            let values: Vec<f64> = slices.iter().map(|slice| slice[setting].value).collect();
            let own: f64 = slices.iter().filter_map(|slice| slice[setting].std_error).sum::<f64>() / m as f64;
            let of_values = mean_of_terms(&values);
            let mut mean = slices[0][setting].clone();
            mean.value = of_values.value;
            mean.std_error = of_values.std_error.map(|error| error.hypot(own));
            mean.details.clear();
            mean.flags.retain(|flag| [Flag::Constant, Flag::FewSamplesPerClass, Flag::Ties].contains(flag));
            mean.detail("slices_std_error", of_values.std_error);
            checks::flag_negative(&mut mean);
            mean
        });
        Ok(means.collect())
    }

    /// A side in random orthonormal directions.
    fn slice(&self, side: ArrayView2<'_, f64>, random: &mut SplitMix64) -> Result<Array2<f64>, EstimateError> {
        let (d, k) = (side.ncols(), self.dimensions.get());
        if d <= k {
            return Ok(side.to_owned());
        }
        let normal = Array2::from_shape_simple_fn((k, d), || random.normal_pair().0);
        // (N Nᵀ)^(−½) N has orthonormal rows, and no direction is more likely than another.
        let eigen = matrix::eigen(matrix::row_gram(normal.view()).view())?;
        let mut turned = matrix::product(eigen.vectors.view(), normal.view());
        for (mut row, value) in turned.rows_mut().into_iter().zip(&eigen.values) {
            row /= value.sqrt();
        }
        Ok(matrix::product_transposed(side, matrix::transposed_product(eigen.vectors.view(), turned.view()).view()))
    }
}

fn finite<'a>(x: &'a Array2<f64>, y: &'a Array2<f64>) -> Result<Paired<'a>, EstimateError> {
    Paired::new(x.view(), y.view()).map_err(|error| EstimateError::Degenerate { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_orthonormal() {
        let sliced = Sliced {
            dimensions: NonZeroUsize::new(2).unwrap(),
            slices: NonZeroUsize::MIN,
            neighbors: NonZeroUsize::MIN.into(),
            seed: 0,
        };
        let directions = sliced.slice(Array2::eye(5).view(), &mut SplitMix64::new(3)).unwrap();
        let gram = directions.t().dot(&directions);
        // Rounding of sums of five products.
        assert!((gram - Array2::<f64>::eye(2)).iter().all(|entry| entry.abs() < 1e-13));
    }
}
