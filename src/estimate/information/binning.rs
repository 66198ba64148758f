use std::collections::HashMap;
use std::num::NonZeroUsize;

use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::several::Positive;
use super::{ContinuousInformation, Kept, LabelInformation, checks, mean_of_terms};
use crate::estimate::{Estimate, EstimateError, Flag, Labels, Paired};

/// The fraction of samples alone in their bin beyond which the value is a count of samples.
const MAX_ALONE: f64 = 0.5;

/// Bins: the plug-in information of variables that were made discrete.
///
/// # Formula
///
/// ```text
/// I(X; Y) = ⟨ln p(xᵢ, yᵢ) − ln p(xᵢ) − ln p(yᵢ)⟩ = H(X) + H(Y) − H(X, Y)
/// ```
///
/// with the frequencies p of patterns: a sample's pattern is the list of the bins of all its coordinates. Labels are
/// patterns already.
///
/// # Use
///
/// As Shwartz-Ziv and Tishby did (`{ range = { low = -1.0, high = 1.0, count = 30 } }`, of tanh units) and Saxe et al.
/// (`{ width = 0.07 }` and others), to compare with their plots. Of a layer that is a function of the input it is the
/// entropy of the binned layer, which depends on the bins as much as on the layer, and ends at ln n: where most samples
/// are alone in their bin the flag `few-samples-per-bin` says that the value counts samples (of a label: where there are
/// more than half as many patterns as samples). Plug-in entropies are biased
/// low; the leading term of the bias of the information is in `details` (`miller_madow`) and not subtracted.
///
/// # Cost
///
/// O(n d), with a hash table of the patterns.
///
/// # Reference
///
/// R. Shwartz-Ziv, N. Tishby, Opening the black box of deep neural networks via information (2017),
/// <https://arxiv.org/abs/1703.00810>; A. Saxe et al., On the information bottleneck theory of deep learning, ICLR 2018.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Binning {
    /// How each coordinate is cut.
    pub bins: Bins,
}

/// How a coordinate is cut into bins.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Bins {
    /// Bins of one width, from zero to both sides: `floor(value / width)`.
    Width(Positive),
    /// Bins of one width from `low` to `high`, the last one closed; values outside are an error.
    Range {
        /// Where the first bin begins.
        low: f64,
        /// Where the last bin ends.
        high: f64,
        /// The number of bins.
        count: NonZeroUsize,
    },
    /// This many bins with as many samples each, coordinate by coordinate; equal values share a bin.
    Quantile(NonZeroUsize),
}

impl ContinuousInformation for Binning {
    fn estimates_of_series(&self, samples: Paired<'_>, kept: &Kept) -> Result<Vec<Estimate>, EstimateError> {
        let n = samples.len();
        if checks::is_constant(samples.x()) || checks::is_constant(samples.y()) {
            return Ok(vec![Estimate::constant(n)]);
        }
        let x = kept.patterns(|| self.bins.patterns(samples.x()))?;
        Ok(vec![plug_in(x, &self.bins.patterns(samples.y())?)])
    }

    fn kept_bytes(&self, _: usize) -> usize {
        size_of::<usize>()
    }

    fn shuffled(&self, samples: Paired<'_>, orders: &[Vec<usize>]) -> Result<Vec<Vec<f64>>, EstimateError> {
        let (x, y) = (self.bins.patterns(samples.x())?, self.bins.patterns(samples.y())?);
        let value = |order: &Vec<usize>| vec![plug_in(&x, &order.iter().map(|&row| y[row]).collect::<Vec<_>>()).value];
        Ok(orders.iter().map(value).collect())
    }
}

impl LabelInformation for Binning {
    fn estimates(&self, x: ArrayView2<'_, f64>, labels: &Labels) -> Result<Vec<Estimate>, EstimateError> {
        if labels.classes().len() != x.nrows() {
            let reason = format!("there are {} samples and {} labels", x.nrows(), labels.classes().len());
            return Err(EstimateError::Degenerate { reason });
        }
        if labels.n_classes() == 1 || checks::is_constant(x) {
            return Ok(vec![Estimate::constant(x.nrows())]);
        }
        let mut estimate = plug_in(&self.bins.patterns(x)?, labels.classes());
        let n_patterns = estimate.details["patterns_x"].as_u64().unwrap_or(0);
        if n_patterns as f64 > MAX_ALONE * x.nrows() as f64 {
            estimate.flag(Flag::FewSamplesPerBin);
        }
        Ok(vec![estimate])
    }
}

impl Bins {
    /// The number of the pattern of each sample, in the order of their first samples.
    fn patterns(&self, samples: ArrayView2<'_, f64>) -> Result<Vec<usize>, EstimateError> {
        // Whole numbers, in place of which their bits can be hashed.
        let columns: Vec<Vec<u64>> = samples
            .columns()
            .into_iter()
            .map(|column| Ok(self.cut(column)?.into_iter().map(|bin| (bin + 0.0).to_bits()).collect()))
            .collect::<Result<_, EstimateError>>()?;
        let mut numbers: HashMap<Vec<u64>, usize> = HashMap::new();
        let pattern = |row: usize| columns.iter().map(|column| column[row]).collect::<Vec<_>>();
        Ok((0..samples.nrows())
            .map(|row| {
                let next = numbers.len();
                *numbers.entry(pattern(row)).or_insert(next)
            })
            .collect())
    }

    /// The bin of each value of a coordinate, as a whole number.
    fn cut(&self, column: ArrayView1<'_, f64>) -> Result<Vec<f64>, EstimateError> {
        match self {
            Self::Width(width) => Ok(column.iter().map(|value| (value / width.get()).floor()).collect()),
            &Self::Range { low, high, count } => {
                let count = count.get() as f64;
                if low >= high || !(high - low).is_finite() {
                    let reason = format!("bins from {low} to {high}: `low` must be below `high`, and both finite");
                    return Err(EstimateError::Degenerate { reason });
                }
                if let Some(value) = column.iter().find(|value| !(low..=high).contains(value)) {
                    let reason = format!(
                        "found the value {value}, needed values from {low} to {high}; widen the `range`, or use `width`"
                    );
                    return Err(EstimateError::Degenerate { reason });
                }
                Ok(column.iter().map(|value| ((value - low) / (high - low) * count).floor().min(count - 1.0)).collect())
            }
            Self::Quantile(count) => {
                let mut sorted = column.to_vec();
                sorted.sort_unstable_by(f64::total_cmp);
                let below = |value: &f64| sorted.partition_point(|other| other < value);
                Ok(column.iter().map(|value| (below(value) * count.get() / sorted.len()) as f64).collect())
            }
        }
    }
}

/// The plug-in information of two discrete variables.
fn plug_in(x: &[usize], y: &[usize]) -> Estimate {
    let n = x.len();
    let mut joint: HashMap<(usize, usize), usize> = HashMap::new();
    let mut of_x = vec![0_usize; x.iter().max().map_or(0, |last| last + 1)];
    let mut of_y = vec![0_usize; y.iter().max().map_or(0, |last| last + 1)];
    for (&x, &y) in x.iter().zip(y) {
        *joint.entry((x, y)).or_default() += 1;
        of_x[x] += 1;
        of_y[y] += 1;
    }
    // Sample by sample, so that the order of a hash table never matters.
    let term = |(&x, &y): (&usize, &usize)| (n as f64 * joint[&(x, y)] as f64 / (of_x[x] as f64 * of_y[y] as f64)).ln();
    let mut estimate = mean_of_terms(&x.iter().zip(y).map(term).collect::<Vec<_>>());
    let occupied = |counts: &[usize]| counts.iter().filter(|&&count| count > 0).count();
    let (n_x, n_y) = (occupied(&of_x), occupied(&of_y));
    estimate.detail("patterns_x", n_x);
    estimate.detail("patterns_y", n_y);
    estimate.detail("miller_madow", (joint.len() as f64 + 1.0 - (n_x + n_y) as f64) / (2 * n) as f64);
    let mostly_alone = |n_alone: usize| n_alone as f64 > MAX_ALONE * n as f64;
    let count_alone = |counts: &[usize]| counts.iter().filter(|&&count| count == 1).count();
    let [alone_x, alone_y] = [&of_x, &of_y].map(|counts| mostly_alone(count_alone(counts)));
    // Distinct inputs of a layer are as they should be: the value is the entropy of the layer, as long as that has bins of
    // several samples.
    if mostly_alone(joint.values().filter(|&&count| count == 1).count()) && alone_x == alone_y {
        estimate.flag(Flag::FewSamplesPerBin);
    }
    checks::flag_ceiling(&mut estimate);
    estimate
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;

    #[test]
    fn cuts_as_published() {
        let values = Array1::from(vec![-1.0, -0.2, 0.0, 0.13, 1.0]);
        let width = Bins::Width(Positive::try_from(0.1).unwrap());
        assert_eq!(width.cut(values.view()).unwrap(), [-10.0, -2.0, 0.0, 1.0, 10.0]);
        let count = NonZeroUsize::new(4).unwrap();
        let range = Bins::Range { low: -1.0, high: 1.0, count };
        assert_eq!(range.cut(values.view()).unwrap(), [0.0, 1.0, 2.0, 2.0, 3.0]);
        let error = range.cut(array![1.5].view()).unwrap_err().to_string();
        assert!(error.contains("found the value 1.5, needed values from -1 to 1"), "{error}");
        let quantile = Bins::Quantile(NonZeroUsize::new(2).unwrap());
        assert_eq!(quantile.cut(array![5.0, 1.0, 1.0, 9.0].view()).unwrap(), [1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn agrees_with_a_table_of_frequencies() {
        // p(0, 0) = 1/2, p(1, 0) = p(1, 1) = 1/4.
        let x = array![[0.5], [0.6], [1.5], [1.4]];
        let labels = Labels::new(array![3, 3, 3, 8].view());
        let estimator = Binning { bins: Bins::Width(Positive::try_from(1.0).unwrap()) };
        let estimate = LabelInformation::estimate(&estimator, x.view(), &labels).unwrap();
        let truth = 0.5 * (4.0_f64 / 3.0).ln() + 0.25 * (2.0_f64 / 3.0).ln() + 0.25 * 2.0_f64.ln();
        assert!((estimate.value - truth).abs() < 1e-15, "{}", estimate.value);
        assert_eq!((&estimate.details["patterns_x"], &estimate.details["miller_madow"]), (&2.into(), &0.0.into()));
    }

    /// A layer that is a function of distinct inputs: the information is the entropy of the layer.
    #[test]
    fn is_the_entropy_of_a_layer_that_the_input_determines() {
        let x = array![[0.0], [10.0], [20.0], [30.0]];
        let t = array![[0.1], [0.2], [1.1], [2.1]];
        let estimator = Binning { bins: Bins::Width(Positive::try_from(1.0).unwrap()) };
        let samples = Paired::new(x.view(), t.view()).unwrap();
        let estimate = ContinuousInformation::estimate(&estimator, samples).unwrap();
        let entropy = -(0.5 * 0.5_f64.ln() + 0.5 * 0.25_f64.ln());
        assert!((estimate.value - entropy).abs() < 1e-15);
        assert!(!estimate.flags.contains(&Flag::FewSamplesPerBin));
        // Where the layer tells all inputs apart, too, the value is ln n whatever it is.
        let estimate = ContinuousInformation::estimate(&estimator, Paired::new(x.view(), x.view()).unwrap()).unwrap();
        assert!(estimate.flags.contains(&Flag::FewSamplesPerBin));
    }
}
