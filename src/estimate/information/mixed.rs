use std::num::NonZeroUsize;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::kept::counter_bytes;
use super::pairs::{Counts, Near, Sides, enough};
use super::{ContinuousInformation, Kept, Several, checks, mean_of_terms};
use crate::estimate::digamma::digamma_table;
use crate::estimate::neighbors::Counter;
use crate::estimate::{Estimate, EstimateError, Flag, Paired};

/// The estimator of Gao, Kannan, Oh and Viswanath, of variables that are discrete in part.
///
/// # Formula
///
/// ```text
/// I(X; Y) = ⟨ψ(kᵢ)⟩ + ln n − ⟨ψ(nₓ + 1) + ψ(n_y + 1)⟩
/// ```
///
/// where ψ is the digamma function and n the number of samples. Of a sample that coincides with its k-th neighbor in
/// (X, Y), kᵢ is the number of samples with its very coordinates, itself included, and nₓ the number of others with its
/// coordinates in X; of any other sample kᵢ is k, and nₓ the number of others that lie nearer in X than the k-th neighbor
/// lies in (X, Y). Distances are Chebyshev distances of the coordinates as they are. This is the form of the authors'
/// program; the formula printed in the paper has logarithms for ψ(nₓ + 1), which differ by about 1/2nₓ.
///
/// # Use
///
/// Where values repeat: rectified units, counts, quantized activations. Where none does it is [`Ksg`](super::Ksg) up to
/// 1/2n. Of a label use [`Ross`](super::Ross), which needs no distance between classes.
///
/// # Cost
///
/// That of [`Ksg`](super::Ksg). Several k share one search.
///
/// # Reference
///
/// W. Gao, S. Kannan, S. Oh, P. Viswanath, Estimating mutual information for discrete-continuous mixtures, Advances in
/// Neural Information Processing Systems 30 (2017), algorithm 1, <https://arxiv.org/abs/1709.06212>.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mixed {
    /// The neighbor whose distance sets the scale, k in the formula; or several, each for an estimate.
    pub neighbors: Several<NonZeroUsize>,
}

impl ContinuousInformation for Mixed {
    fn estimates_of_series(&self, samples: Paired<'_>, kept: &Kept) -> Result<Vec<Estimate>, EstimateError> {
        let (n, ks) = (samples.len(), self.neighbors.as_slice());
        enough(n, self.neighbors.largest())?;
        if checks::is_constant(samples.x()) || checks::is_constant(samples.y()) {
            return Ok(vec![Estimate::constant(n); ks.len()]);
        }
        let sides = Sides::new(samples, kept.counter(samples.x())?);
        let estimates = self.terms(samples, &sides, None).into_iter().map(|(terms, radii)| {
            let mut estimate = mean_of_terms(&terms);
            checks::flag_neighbors(&mut estimate, &radii, samples.x().ncols() + samples.y().ncols());
            checks::flag_pairs(&mut estimate, samples);
            // Ties are what this estimator is for.
            estimate.flags.retain(|flag| *flag != Flag::Ties);
            estimate
        });
        Ok(estimates.collect())
    }

    fn kept_bytes(&self, n_columns: usize) -> usize {
        counter_bytes(n_columns)
    }

    fn shuffled(&self, samples: Paired<'_>, orders: &[Vec<usize>]) -> Result<Vec<Vec<f64>>, EstimateError> {
        enough(samples.len(), self.neighbors.largest())?;
        let x = Counter::new(samples.x());
        let sides = Sides::new(samples, &x);
        let values = |order: &Vec<usize>| {
            let terms = self.terms(samples, &sides, Some(order));
            terms.into_iter().map(|(terms, _)| mean_of_terms(&terms).value).collect()
        };
        Ok(orders.par_iter().map(values).collect())
    }
}

impl Mixed {
    /// For each k one term a sample, whose mean is the estimate, and the distances to the k-th neighbors.
    fn terms(&self, samples: Paired<'_>, sides: &Sides<'_, '_>, order: Option<&[usize]>) -> Vec<(Vec<f64>, Vec<f64>)> {
        let (n, ks) = (samples.len(), self.neighbors.as_slice());
        let psi = digamma_table(n);
        let coinciding = sides.coinciding(order);
        let terms = sides.counts(ks, Near::Below, order).into_iter().zip(ks).map(|(counts, k)| {
            let Counts { radii, x, y } = counts;
            let terms = (0..n).map(|i| {
                let (k, nx, ny) = if radii[i] == 0.0 {
                    (coinciding.joint[i] + 1, coinciding.x[i], coinciding.y[i])
                } else {
                    (k.get(), x[i], y[i])
                };
                (psi[k] + (n as f64).ln()) - (psi[nx + 1] + psi[ny + 1])
            });
            (terms.collect(), radii)
        });
        terms.collect()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn mixed(k: usize, x: &Array2<f64>, y: &Array2<f64>) -> f64 {
        let neighbors = NonZeroUsize::new(k).unwrap().into();
        Mixed { neighbors }.estimate(Paired::new(x.view(), y.view()).unwrap()).unwrap().value
    }

    #[test]
    fn is_the_first_estimator_where_nothing_repeats() {
        let x = array![[0.0], [1.0], [3.0], [7.0]];
        let y = array![[0.0], [2.0], [1.0], [5.0]];
        // KSG-1 is 5/24 here, with ψ(4) in place of ln 4.
        let expected = 5.0 / 24.0 + 4.0_f64.ln() - digamma_table(4)[4];
        assert!((mixed(1, &x, &y) - expected).abs() < 1e-14);
    }

    #[test]
    fn counts_where_everything_repeats() {
        // Two equal halves: each pair occurs four times of eight, so that it is ψ(4) + ln 8 − 2 ψ(4).
        let x = Array2::from_shape_fn((8, 1), |(row, _)| f64::from(u8::from(row < 4)));
        let expected = 8.0_f64.ln() - digamma_table(4)[4];
        assert!((mixed(1, &x, &x) - expected).abs() < 1e-14);
    }
}
