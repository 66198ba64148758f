//! What estimators find in one variable alone, kept for the next variable that it is measured against.

use std::sync::OnceLock;

use ndarray::ArrayView2;

use crate::estimate::EstimateError;
use crate::estimate::neighbors::Counter;

/// What one estimator finds in some samples x alone. Of other samples or another estimator it says nothing.
#[derive(Debug, Default)]
pub struct Kept {
    terms: OnceLock<Vec<Vec<f64>>>,
    patterns: OnceLock<Vec<usize>>,
    counter: OnceLock<Counter>,
}

impl Kept {
    /// For each setting the terms whose mean is the entropy of x.
    pub(super) fn terms(
        &self,
        find: impl FnOnce() -> Result<Vec<Vec<f64>>, EstimateError>,
    ) -> Result<&Vec<Vec<f64>>, EstimateError> {
        kept(&self.terms, find)
    }

    /// The number of the pattern of each sample.
    pub(super) fn patterns(
        &self,
        find: impl FnOnce() -> Result<Vec<usize>, EstimateError>,
    ) -> Result<&Vec<usize>, EstimateError> {
        kept(&self.patterns, find)
    }

    /// The samples x sorted for counting.
    pub(super) fn counter(&self, x: ArrayView2<'_, f64>) -> Result<&Counter, EstimateError> {
        kept(&self.counter, || Ok(Counter::new(x)))
    }
}

/// The bytes a sample that a [`Counter`] takes: coordinates, their places in a grid, a part of the boxes, and an order.
pub(super) fn counter_bytes(n_columns: usize) -> usize {
    n_columns * (size_of::<f64>() + size_of::<u16>() + 1) + size_of::<usize>()
}

fn kept<T>(place: &OnceLock<T>, find: impl FnOnce() -> Result<T, EstimateError>) -> Result<&T, EstimateError> {
    if let Some(found) = place.get() {
        return Ok(found);
    }
    // Found before the place is locked: a thread that waits for others within may begin another measure meanwhile, which
    // would wait for this one. Who is second finds the same once more.
    let found = find()?;
    Ok(place.get_or_init(|| found))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::estimate::information::{Estimator, Intervals, Series};
    use crate::estimate::random::SplitMix64;

    #[test]
    fn what_is_found_is_not_looked_for_again() {
        let kept = Kept::default();
        let fails = || Err(EstimateError::TooFewSamples { found: 1, needed: 1 });
        assert!(kept.terms(fails).is_err());
        assert_eq!(kept.terms(|| Ok(vec![vec![2.0]])).unwrap(), &[[2.0]]);
        assert_eq!(kept.terms(fails).unwrap(), &[[2.0]]);
    }

    /// Of all 230 samples, of two parts of 115, three of 76 and four of 57: 229 with two and three.
    #[test]
    fn is_kept_of_every_part_and_takes_what_is_said() {
        let mut random = SplitMix64::new(1);
        let mut normal = |columns| Array2::from_shape_simple_fn((230, columns), || random.normal_pair().0);
        let (x, y) = (normal(2), normal(3));
        for (text, bytes_each) in [
            (r#"{ "weighted": { "neighbors": [1, 5] } }"#, 16),
            (r#"{ "kde": { "bandwidth": 0.5 } }"#, 8),
            (r#"{ "kde": {} }"#, 0),
            (r#"{ "binning": { "bins": { "width": 0.5 } } }"#, 8),
            (r#"{ "ksg": { "neighbors": 3 } }"#, 30),
        ] {
            let estimator: Estimator = serde_json::from_str(text).unwrap();
            let intervals = Intervals::default();
            let bytes = Series::kept_bytes(&estimator, &intervals, (230, 2));
            assert_eq!(bytes, bytes_each * (230 + 230 + 228 + 228), "{text}");
            let series = Series::new(&estimator, x.clone(), (&intervals, None), 1);
            series.measure(y.view()).unwrap();
            assert_eq!(series.kept.len(), 10);
            let terms = series.kept.iter().filter_map(|kept| kept.terms.get()).flatten().map(Vec::len);
            let patterns = series.kept.iter().filter_map(|kept| kept.patterns.get()).map(Vec::len);
            let counters = series.kept.iter().filter_map(|kept| kept.counter.get()).count();
            let is_counter = text.contains("ksg");
            assert_eq!(counters, if is_counter { 10 } else { 0 }, "{text}");
            assert_eq!(terms.chain(patterns).sum::<usize>() * 8, if is_counter { 0 } else { bytes }, "{text}");
        }
    }
}
