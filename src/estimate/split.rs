//! Which samples a decoder is fitted on and which it is judged by.

use std::ops::Range;

use super::EstimateError;
use super::random::SplitMix64;

/// Rows to fit on and rows to judge by; no row is in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The rows to fit on, in an order that is part of the result: folds are cut from it.
    pub train: Vec<usize>,
    /// The rows to judge by.
    pub test: Vec<usize>,
}

impl Split {
    /// Splits samples by a seeded hash of their ids, so that neither side depends on the order of the rows.
    ///
    /// The test side gets `test_fraction` of the samples, rounded to the nearest number: those with the
    /// smallest hashes. The hash is one step of [`SplitMix64`] from the id and the seed; both sides are in
    /// increasing order of it. Ids are expected to be distinct.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if a side would be empty.
    pub fn by_id(ids: &[u64], test_fraction: f64, seed: u64) -> Result<Self, EstimateError> {
        let key = SplitMix64::new(seed).next_u64();
        let mut order: Vec<(u64, u64, usize)> =
            ids.iter().enumerate().map(|(row, &id)| (SplitMix64::new(key ^ id).next_u64(), id, row)).collect();
        order.sort_unstable();
        let n_test = (0..=ids.len()).rev().find(|&count| count as f64 <= ids.len() as f64 * test_fraction + 0.5);
        let n_test = n_test.unwrap_or(0);
        if n_test == 0 || n_test >= ids.len() {
            return Err(EstimateError::Degenerate {
                reason: format!(
                    "a test fraction of {test_fraction} leaves {n_test} of {} samples to test on; \
                     both sides need one at least",
                    ids.len()
                ),
            });
        }
        let rows = |part: &[(u64, u64, usize)]| part.iter().map(|&(_, _, row)| row).collect();
        let (test, train) = order.split_at(n_test);
        Ok(Self { train: rows(train), test: rows(test) })
    }

    /// The same sides of some rows, numbered by their place in `rows`, which is in increasing order.
    #[must_use]
    pub fn within(&self, rows: &[usize]) -> Self {
        let places = |side: &[usize]| side.iter().filter_map(|row| rows.binary_search(row).ok()).collect();
        Self { train: places(&self.train), test: places(&self.test) }
    }

    /// Cuts the training rows into `k` folds whose sizes differ by one at most: ranges of places in `train`.
    #[must_use]
    pub fn folds(&self, k: usize) -> Vec<Range<usize>> {
        let n = self.train.len();
        (0..k).map(|fold| fold * n / k..(fold + 1) * n / k).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids_of(rows: &[usize], ids: &[u64]) -> Vec<u64> {
        rows.iter().map(|&row| ids[row]).collect()
    }

    #[test]
    fn refuses_an_empty_side() {
        for fraction in [0.0, 0.01, 1.0, -1.0, 2.0, f64::NAN] {
            assert!(Split::by_id(&[1, 2, 3], fraction, 0).is_err(), "{fraction}");
        }
    }

    #[test]
    fn another_seed_gives_another_split() {
        let ids: Vec<u64> = (0..100).collect();
        assert_ne!(Split::by_id(&ids, 0.2, 0).unwrap(), Split::by_id(&ids, 0.2, 1).unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn depends_on_ids_and_not_on_row_order(n in 2_u64..200, seed: u64, rotation in 0_usize..200) {
            let ids: Vec<u64> = (0..n).map(|id| id * 7).collect();
            let mut moved = ids.clone();
            moved.rotate_left(rotation % ids.len());
            moved.reverse();
            let (a, b) = (Split::by_id(&ids, 0.3, seed).unwrap(), Split::by_id(&moved, 0.3, seed).unwrap());
            prop_assert_eq!(ids_of(&a.train, &ids), ids_of(&b.train, &moved));
            prop_assert_eq!(ids_of(&a.test, &ids), ids_of(&b.test, &moved));
        }

        #[test]
        fn has_the_exact_fraction_and_every_row_once(n in 4_usize..300, k in 2_usize..6, seed: u64) {
            let ids: Vec<u64> = (0..n as u64).collect();
            let split = Split::by_id(&ids, 0.25, seed).unwrap();
            prop_assert!((split.test.len() as f64 - n as f64 * 0.25).abs() <= 0.5);
            let mut rows = [split.train.clone(), split.test.clone()].concat();
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..n).collect::<Vec<_>>());
            let folds = split.folds(k);
            prop_assert_eq!(folds.iter().map(ExactSizeIterator::len).sum::<usize>(), split.train.len());
            let sizes: Vec<usize> = folds.iter().map(ExactSizeIterator::len).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }
}
