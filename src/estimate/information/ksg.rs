use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::kept::counter_bytes;
use super::pairs::{Counts, Near};
use super::{ContinuousInformation, Kept, Several, counted};
use crate::estimate::{Estimate, EstimateError, Paired};

/// The first estimator of Kraskov, Stögbauer and Grassberger, of two continuous variables.
///
/// # Formula
///
/// ```text
/// I(X; Y) = ψ(k) + ψ(n) − ⟨ψ(nₓ + 1) + ψ(n_y + 1)⟩
/// ```
///
/// where ψ is the digamma function, n the number of samples, and nₓ the number of other samples that lie nearer in X
/// than the k-th neighbor lies in (X, Y), strictly. All distances are Chebyshev distances of the coordinates as they
/// are: not standardized, not jittered. The value is in nats and not clamped at zero. The standard error is that of
/// the mean of the terms, taken as independent; samples share neighbors, so the true one is up to twice as large.
///
/// # Use
///
/// For smooth densities in up to some six dimensions a side. Near zero information it scatters around zero and goes
/// below. Above, it is biased low, the more so the more dimensions and the larger k: from 10,000 samples of 8 + 8
/// Gaussian dimensions with 2 nats it shows 1.2. It cannot show much more than ln n. It takes repeated values for
/// information; of a discrete variable use [`Ross`](super::Ross). Scale the two sides alike.
///
/// # Cost
///
/// O(n log n) in one dimension a side, towards O(n² d) in many, d on both sides together. Several k share one search.
///
/// # Reference
///
/// A. Kraskov, H. Stögbauer, P. Grassberger, Estimating mutual information, Physical Review E 69, 066138 (2004),
/// equation 8, <https://doi.org/10.1103/PhysRevE.69.066138>.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ksg {
    /// The neighbor whose distance sets the scale, k in the formula; or several, each for an estimate.
    pub neighbors: Several<NonZeroUsize>,
}

impl ContinuousInformation for Ksg {
    fn estimates_of_series(&self, samples: Paired<'_>, kept: &Kept) -> Result<Vec<Estimate>, EstimateError> {
        counted::estimates((samples, kept), &self.neighbors, (Near::Below, terms))
    }

    fn kept_bytes(&self, n_columns: usize) -> usize {
        counter_bytes(n_columns)
    }

    fn shuffled(&self, samples: Paired<'_>, orders: &[Vec<usize>]) -> Result<Vec<Vec<f64>>, EstimateError> {
        counted::shuffled(samples, &self.neighbors, (Near::Below, terms), orders)
    }
}

/// One term a sample, whose mean is the estimate.
fn terms(psi: &[f64], counts: &Counts, k: usize) -> Vec<f64> {
    let ends = psi[k] + psi[counts.x.len()];
    // Paired so that swapping x and y changes no bit.
    counts.x.iter().zip(&counts.y).map(|(&nx, &ny)| ends - (psi[nx + 1] + psi[ny + 1])).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::super::mean_of_terms;
    use super::super::pairs::Sides;
    use super::*;
    use crate::estimate::Flag;
    use crate::estimate::neighbors::Counter;
    use crate::estimate::random::SplitMix64;

    fn ksg(k: usize, x: &Array2<f64>, y: &Array2<f64>) -> Result<Estimate, EstimateError> {
        let samples = Paired::new(x.view(), y.view()).unwrap();
        Ksg { neighbors: NonZeroUsize::new(k).unwrap().into() }.estimate(samples)
    }

    /// Exactly, with 6(ψ(m) + γ) = 6(1 + 1/2 + ... + 1/(m − 1)) in place of ψ(m): whole numbers, of which γ cancels.
    #[test]
    fn is_a_rational_number_of_four_samples() {
        let x = array![[0.0], [1.0], [3.0], [7.0]];
        let y = array![[0.0], [2.0], [1.0], [5.0]];
        let sums = [f64::NAN, 0.0, 6.0, 9.0, 11.0];
        for (k, numerator, denominator) in [(1, 5.0, 24.0), (2, 3.0, 8.0)] {
            let counter = Counter::new(x.view());
            let sides = Sides::new(Paired::new(x.view(), y.view()).unwrap(), &counter);
            let counts = sides.counts(&[NonZeroUsize::new(k).unwrap()], Near::Below, None);
            let six_times = mean_of_terms(&terms(&sums, &counts[0], k)).value;
            assert_eq!((k, six_times * denominator), (k, 6.0 * numerator));
            // ψ itself is given to 1e-15, and each term has four of them.
            assert!((ksg(k, &x, &y).unwrap().value - numerator / denominator).abs() < 4e-15, "k = {k}");
        }
    }

    #[test]
    fn fails_when_there_is_no_kth_neighbor() {
        let x = array![[0.0], [1.0], [2.0]];
        assert_eq!(ksg(3, &x, &x).unwrap_err(), EstimateError::TooFewSamples { found: 3, needed: 3 });
        assert!(ksg(2, &x, &x).is_ok());
    }

    #[test]
    fn finds_nothing_in_a_constant() {
        let x = array![[0.5, 1.0], [0.5, 1.0], [0.5, 1.0]];
        let y = array![[0.0], [1.0], [2.0]];
        let estimate = ksg(1, &x, &y).unwrap();
        assert_eq!((estimate.value, estimate.std_error, estimate.n_samples), (0.0, Some(0.0), 3));
        assert_eq!(estimate.flags, [Flag::Constant]);
    }

    #[test]
    fn flags_what_is_doubtful() {
        let mut random = SplitMix64::new(5);
        let mut noise = |columns| Array2::from_shape_simple_fn((200, columns), || random.normal_pair().0);
        let (x, y, wide) = (noise(1), noise(1), noise(12));

        assert!(ksg(3, &x, &(&y * 15.0)).unwrap().flags.contains(&Flag::UnequalScales));
        assert!(!ksg(3, &x, &(&y * 7.0)).unwrap().flags.contains(&Flag::UnequalScales));
        assert!(ksg(3, &x, &wide).unwrap().flags.contains(&Flag::HighDimension));
        let same = ksg(1, &x, &x).unwrap();
        assert_eq!((&same.flags[..], same.value > 4.3), (&[Flag::NearCeiling][..], true));

        let mut tied = x.clone();
        tied.column_mut(0).iter_mut().take(3).for_each(|value| *value = 0.0);
        let estimate = ksg(1, &tied, &tied).unwrap();
        assert!(estimate.flags.contains(&Flag::Ties));
        assert_eq!(estimate.details["tied_fraction"], 0.015);
        assert!(!ksg(3, &tied, &tied).unwrap().flags.contains(&Flag::Ties));

        let estimate = ksg(3, &noise(1), &noise(1)).unwrap();
        assert_eq!(estimate.flags.contains(&Flag::Negative), estimate.value < 0.0);
    }
}
