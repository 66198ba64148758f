//! Calibration by one temperature.

use ndarray::{Array2, ArrayView2};

pub(super) use super::scale::End;
use super::scale::{Scores, log_softmax};
use crate::estimate::EstimateError;

/// Temperatures are searched from 1/LARGEST to LARGEST.
const LARGEST: f64 = 100.0;

/// The temperature that calibrates the predictions of a probe.
///
/// # Formula
///
/// ```text
/// T = argmin −⟨ln softmax(ln q(·|z) / T)_y⟩
/// ```
///
/// over samples that the probe was not fitted to, with T between 0.01 and 100.
///
/// # Use
///
/// A temperature above 1 says that the probe was surer than it was right, one below 1 that it was right more often than
/// it said. Calibration leaves the most probable class as it is. Towards T = ∞ all classes become equally probable,
/// whatever their frequencies, so that of a probe that knows nothing of unbalanced classes T only tells that it
/// overstated their frequencies. Where each sample's class is the most probable one, the minimum would be at T = 0; see
/// [`Temperature::end`].
///
/// # Cost
///
/// O(n·K) for each of some ten steps: the cross-entropy is convex in 1/T.
///
/// # Reference
///
/// C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, On calibration of modern neural networks, ICML 2017, section 4.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Temperature {
    /// T.
    pub value: f64,
    /// The cross-entropy of the predictions as they are, in nats.
    pub before: f64,
    /// The cross-entropy at T, in nats.
    pub after: f64,
    /// Why T is not a minimizer: [`End::Most`] if it is 0.01 and [`End::Least`] if it is 100, the ends of what is
    /// searched; [`End::Separable`] if all samples are told right, where T is the one with the cross-entropy 1/2n, which
    /// is as sure as n samples without an error allow.
    pub end: Option<End>,
}

impl Temperature {
    /// The temperature for predictions ln q(class|z), one row a sample, of samples of the given classes.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] without samples; [`EstimateError::Numeric`] if a prediction is not a
    /// log-probability or gives a sample's own class the probability zero.
    pub(super) fn new(log_probabilities: ArrayView2<'_, f64>, classes: &[u32]) -> Result<Self, EstimateError> {
        let offsets = vec![0.0; log_probabilities.ncols()];
        let scores = Scores::new(log_probabilities, &offsets, classes)?;
        let scale = scores.minimize(LARGEST.recip(), LARGEST);
        Ok(Self { value: scale.factor.recip(), before: scale.unscaled, after: scale.cross_entropy, end: scale.end })
    }

    /// The predictions at this temperature: `ln softmax(ln q / T)`, row by row.
    pub(super) fn apply(&self, log_probabilities: ArrayView2<'_, f64>) -> Array2<f64> {
        let offsets = vec![0.0; log_probabilities.ncols()];
        log_softmax(log_probabilities.to_owned(), &offsets, self.value.recip())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array};
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::random::SplitMix64;

    /// Samples whose classes occur just as often as `q` says, and ln q with logits multiplied by `sure`.
    fn overstated(sure: f64) -> (Array2<f64>, Vec<u32>) {
        let kinds = [[6, 3, 1], [1, 8, 1], [2, 2, 6], [4, 5, 1]];
        let (mut rows, mut classes) = (Vec::new(), Vec::new());
        for kind in kinds {
            for (class, &count) in (0..).zip(&kind) {
                for _ in 0..count {
                    rows.extend(kind.map(|count| sure * (f64::from(count) / 10.0).ln()));
                    classes.push(class);
                }
            }
        }
        let logits = Array2::from_shape_vec((classes.len(), 3), rows).unwrap();
        (log_softmax(logits, &[0.0; 3], 1.0), classes)
    }

    #[test]
    fn finds_how_much_logits_were_multiplied() {
        for sure in [0.2, 1.0, 3.0, 7.5] {
            let (log_probabilities, classes) = overstated(sure);
            let found = Temperature::new(log_probabilities.view(), &classes).unwrap();
            assert!((found.value / sure - 1.0).abs() < 1e-10 && found.end.is_none(), "{sure}: {found:?}");
            assert!(found.after <= found.before);
            let (calibrated, _) = overstated(1.0);
            let off = (found.apply(log_probabilities.view()) - calibrated).mapv(f64::abs);
            assert!(off.iter().all(|&off| off < 1e-9), "{off}");
        }
    }

    #[test]
    fn says_where_there_is_no_minimum() {
        // Right, with a probability of 0.7 each: surer than the samples show at 1/2n only if T is small.
        let right = array![[0.7, 0.3], [0.3, 0.7], [0.7, 0.3]].ln();
        let found = Temperature::new(right.view(), &[0, 1, 0]).unwrap();
        assert!(found.end == Some(End::Separable) && (found.after - 1.0 / 6.0).abs() < 1e-9, "{found:?}");
        let sure = array![[0.0, -1e9], [-1e9, 0.0], [0.0, -1e9]];
        let found = Temperature::new(sure.view(), &[0, 1, 0]).unwrap();
        assert!(found.end == Some(End::Separable) && (found.value - 100.0).abs() < 1e-9, "{found:?}");
        let wrong = Temperature::new(right.view(), &[1, 0, 1]).unwrap();
        assert!(wrong.end == Some(End::Least) && (wrong.value - 100.0).abs() < 1e-9, "{wrong:?}");
        let blind = Temperature::new(Array2::from_elem((3, 2), 0.5_f64.ln()).view(), &[1, 0, 1]).unwrap();
        assert_eq!((blind.value, blind.end), (1.0, None));
    }

    #[test]
    fn refuses_what_no_temperature_mends() {
        let impossible = array![[f64::NEG_INFINITY, 0.0], [-0.5, -0.9]];
        assert!(matches!(Temperature::new(impossible.view(), &[0, 1]), Err(EstimateError::Numeric { .. })));
        assert!(matches!(
            Temperature::new(impossible.view().slice_move(ndarray::s![..0, ..]), &[]),
            Err(EstimateError::Degenerate { .. })
        ));
        // A class that is ruled out where it did not occur does no harm.
        assert!(Temperature::new(impossible.view(), &[1, 1]).unwrap().after.is_finite());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_other_temperature_does_better(n in 1_usize..60, k in 2_usize..6, spread in -2.0..3.0, seed: u64) {
            let mut random = SplitMix64::new(seed);
            let logits = Array2::from_shape_simple_fn((n, k), || 10_f64.powf(spread) * random.normal_pair().0);
            let classes: Vec<u32> = (0..n).map(|i| u32::try_from(i % k).unwrap()).collect();
            let log_probabilities = log_softmax(logits, &vec![0.0; k], 1.0);
            let found = Temperature::new(log_probabilities.view(), &classes).unwrap();
            prop_assert!((0.01 - 1e-12..100.0 + 1e-9).contains(&found.value));
            if found.end != Some(End::Separable) {
                for step in -20..=20 {
                    let other = (found.value * 1.1_f64.powi(step)).clamp(0.01, 100.0);
                    let there = Temperature { value: other, ..found }.apply(log_probabilities.view());
                    let loss: f64 = there.axis_iter(Axis(0)).zip(&classes).map(|(row, &class)| -row[class as usize]).sum();
                    prop_assert!(loss / n as f64 >= found.after - 1e-9 * (1.0 + found.after), "{} at {}: {:?}", loss, other, found);
                }
            }
        }
    }
}
