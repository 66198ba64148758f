use serde::Serialize;

use super::Density;
use crate::estimate::EstimateError;

/// How far two densities of the same samples agree on which are typical.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Spearman's correlation of the ranks, ties sharing theirs; none where a side has one rank only.
    pub rank_correlation: Option<f64>,
    /// The part of one highly typical set that is in the other; the fraction itself is what chance gives.
    pub overlap: f64,
}

impl Agreement {
    /// Compares the ranks of all samples, and the sets of the given fraction.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] where both sides do not have as many samples, or the fraction takes none or all.
    pub fn of(a: &Density, b: &Density, fraction: f64) -> Result<Self, EstimateError> {
        let (left, right) = (a.distances.len(), b.distances.len());
        if left != right {
            let reason = format!("found {left} samples on one side and {right} on the other, needed the same samples");
            return Err(EstimateError::Degenerate { reason });
        }
        let (first, second) = (a.most_typical(fraction)?, b.most_typical(fraction)?);
        let shared = first.iter().filter(|row| second.binary_search(row).is_ok()).count();
        Ok(Self {
            rank_correlation: correlation(&ranks(&a.distances), &ranks(&b.distances)),
            overlap: shared as f64 / first.len() as f64,
        })
    }
}

/// The rank of each value from one, the mean of theirs where several are equal.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        let rank = first as f64 + f64::midpoint(1.0, equal.len() as f64);
        for &place in equal {
            ranks[place] = rank;
        }
        first += equal.len();
    }
    ranks
}

/// Pearson's correlation; none where a side is constant.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    // The mean of ranks, whatever is tied.
    let mean = f64::midpoint(1.0, a.len() as f64);
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let (aa, bb) = (product(a, a), product(b, b));
    (aa > 0.0 && bb > 0.0).then(|| product(a, b) / (aa * bb).sqrt())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn density(distances: &[f64]) -> Density {
        Density { neighbors: NonZeroUsize::MIN, distances: distances.to_vec(), log_densities: Vec::new() }
    }

    #[test]
    fn ranks_by_hand() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        let straight = density(&[1.0, 2.0, 3.0, 4.0]);
        let found = Agreement::of(&straight, &density(&[1.0, 3.0, 2.0, 4.0]), 0.5).unwrap();
        // 1 − 6 Σd²/(n³ − n) = 1 − 12/60.
        assert!((found.rank_correlation.unwrap() - 0.8).abs() < 1e-15);
        assert!((found.overlap - 0.5).abs() < 1e-15);
        let reversed = Agreement::of(&straight, &density(&[4.0, 3.0, 2.0, 1.0]), 0.5).unwrap();
        assert_eq!((reversed.rank_correlation, reversed.overlap), (Some(-1.0), 0.0));
    }

    #[test]
    fn a_constant_ranks_nothing_and_other_samples_are_refused() {
        let flat = Agreement::of(&density(&[1.0; 4]), &density(&[1.0, 2.0, 3.0, 4.0]), 0.5).unwrap();
        assert_eq!((flat.rank_correlation, flat.overlap), (None, 1.0));
        let error = Agreement::of(&density(&[1.0; 4]), &density(&[1.0; 3]), 0.5).unwrap_err();
        assert!(error.to_string().contains("4 samples on one side and 3"), "{error}");
    }
}
