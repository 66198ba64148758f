use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::kept::counter_bytes;
use super::pairs::{Counts, Near};
use super::{ContinuousInformation, Kept, Several, counted};
use crate::estimate::{Estimate, EstimateError, Paired};

/// The second estimator of Kraskov, Stögbauer and Grassberger, of two continuous variables.
///
/// # Formula
///
/// ```text
/// I(X; Y) = ψ(k) − 1/k + ψ(n) − ⟨ψ(nₓ) + ψ(n_y)⟩
/// ```
///
/// where ψ is the digamma function, n the number of samples, and nₓ the number of other samples that lie as near in X as
/// the farthest in X of the k nearest neighbors in (X, Y), or nearer. Distances are Chebyshev distances of the
/// coordinates as they are. Samples that tie with the k-th neighbor count among the k. Not clamped at zero; the standard
/// error is that of the mean of the terms, taken as independent.
///
/// # Use
///
/// As [`Ksg`](super::Ksg), to which it agrees to first order: it varies more, and its bias is less at small k and one
/// dimension a side, more in many dimensions.
///
/// # Cost
///
/// About that of [`Ksg`](super::Ksg). Several k share one search.
///
/// # Reference
///
/// A. Kraskov, H. Stögbauer, P. Grassberger, Estimating mutual information, Physical Review E 69, 066138 (2004),
/// equation 9, <https://doi.org/10.1103/PhysRevE.69.066138>.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ksg2 {
    /// The neighbors that set the scale, k in the formula; or several, each for an estimate.
    pub neighbors: Several<NonZeroUsize>,
}

impl ContinuousInformation for Ksg2 {
    fn estimates_of_series(&self, samples: Paired<'_>, kept: &Kept) -> Result<Vec<Estimate>, EstimateError> {
        counted::estimates((samples, kept), &self.neighbors, (Near::Extents, terms))
    }

    fn kept_bytes(&self, n_columns: usize) -> usize {
        counter_bytes(n_columns)
    }

    fn shuffled(&self, samples: Paired<'_>, orders: &[Vec<usize>]) -> Result<Vec<Vec<f64>>, EstimateError> {
        counted::shuffled(samples, &self.neighbors, (Near::Extents, terms), orders)
    }
}

/// One term a sample, whose mean is the estimate.
fn terms(psi: &[f64], counts: &Counts, k: usize) -> Vec<f64> {
    let ends = psi[k] - 1.0 / k as f64 + psi[counts.x.len()];
    // The k neighbors themselves lie within, so that no count is zero. Paired so that swapping x and y changes no bit.
    counts.x.iter().zip(&counts.y).map(|(&nx, &ny)| ends - (psi[nx] + psi[ny])).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn agrees_with_four_samples_by_hand() {
        let estimator = Ksg2 { neighbors: NonZeroUsize::MIN.into() };
        let y = array![[0.0], [2.0], [1.0], [5.0]];
        // Rational numbers: the logarithms of the digamma function cancel up to rounding. In the second, two neighbors
        // of the second sample are equally near, and both count.
        for (third, expected) in [(3.5, -1.0 / 6.0), (3.0, -5.0 / 12.0)] {
            let x = array![[0.0], [1.0], [third], [7.0]];
            let estimate = estimator.estimate(Paired::new(x.view(), y.view()).unwrap()).unwrap();
            // ψ itself is given to 1e-15, and each term has four of them.
            assert!((estimate.value - expected).abs() < 4e-15, "{}", estimate.value);
        }
    }
}
