use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::classes::Classes;
use super::several::Positive;
use super::{ContinuousInformation, Kept, LabelInformation, Several, checks, kernel, mean_of_terms};
use crate::estimate::{Estimate, EstimateError, Labels, Paired};

/// The pairwise bounds of Kolchinsky and Tracey, of a layer with Gaussian noise.
///
/// # Formula
///
/// The layer is T = f(x) + noise of variance v in each unit: a mixture of n Gaussians, one a sample.
///
/// ```text
/// upper  I(X; T) ≤ −⟨ln 1/n Σⱼ exp(−|tᵢ − tⱼ|² / 2v)⟩
/// lower  I(X; T) ≥ −⟨ln 1/n Σⱼ exp(−|tᵢ − tⱼ|² / 8v)⟩
/// ```
///
/// with j over all samples, i among them. Of a label, I(T; Y) = h(T) − Σ p(y) h(T|y), bounded above by the upper bound of
/// the first entropy and the lower ones of the others, and below the other way round.
///
/// # Use
///
/// Of layers of any width, in place of binning: it says how many inputs the layer tells apart at a resolution of √v. X
/// enters through its samples only, which are taken to be all there are: both bounds end at ln n. The bounds are exact for
/// the mixture; the standard error is that of the mean over the samples. Without `bound` there are both, in two rows.
///
/// # Cost
///
/// O(n² d): the product of the layer with itself in blocks, and one exponential a pair of samples.
///
/// # Reference
///
/// A. Kolchinsky, B. D. Tracey, Estimating mixture entropy with pairwise distances, Entropy 19, 361 (2017), equations 10
/// and 12, <https://doi.org/10.3390/e19070361>. As used by A. Saxe et al., On the information bottleneck theory of deep
/// learning, ICLR 2018 (of the label with the upper bound in both places).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Kolchinsky {
    /// The variance v of the noise in each unit, in units of the coordinates; or several, each for an estimate.
    pub variance: Several<Positive>,
    /// `"upper"` or `"lower"`; without it both, one after the other.
    #[serde(default = "Bound::both")]
    pub bound: Several<Bound>,
}

/// A side from which information is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// No less than the information.
    Upper,
    /// No more than the information.
    Lower,
}

impl Bound {
    fn both() -> Several<Self> {
        Several::new(vec![Self::Upper, Self::Lower]).expect("there are two different ones")
    }
}

impl ContinuousInformation for Kolchinsky {
    /// Bounds the information between X and Y + noise, of which Y must be a function of X.
    fn estimates_of_series(&self, samples: Paired<'_>, _: &Kept) -> Result<Vec<Estimate>, EstimateError> {
        let n = samples.len();
        if checks::is_constant(samples.y()) {
            return Ok(vec![Estimate::constant(n); self.settings().count()]);
        }
        Ok(self.terms(samples.y()).iter().map(|terms| estimate(terms)).collect())
    }

    /// Shuffled against x, a layer tells samples apart as before: there is no null.
    fn has_null(&self) -> bool {
        false
    }
}

impl LabelInformation for Kolchinsky {
    fn estimates(&self, x: ArrayView2<'_, f64>, labels: &Labels) -> Result<Vec<Estimate>, EstimateError> {
        let classes = Classes::new(x, labels, 0)?;
        if classes.members.len() == 1 || checks::is_constant(x) {
            return Ok(vec![Estimate::constant(x.nrows()); self.settings().count()]);
        }
        let mut all = self.terms(x);
        let swapped = Self { variance: self.variance.clone(), bound: self.other_bounds() };
        for members in &classes.members {
            let within = swapped.terms(x.select(Axis(0), members).view());
            for (terms, within) in all.iter_mut().zip(within) {
                members.iter().zip(within).for_each(|(&row, within)| terms[row] -= within);
            }
        }
        let estimates = all.iter().map(|terms| {
            let mut estimate = estimate(terms);
            classes.flag_entropy(&mut estimate);
            estimate
        });
        Ok(estimates.collect())
    }
}

impl Kolchinsky {
    /// Every variance with every bound.
    pub(super) fn settings(&self) -> impl Iterator<Item = (Positive, Bound)> {
        let bounds = self.bound.as_slice();
        self.variance.as_slice().iter().flat_map(move |&variance| bounds.iter().map(move |&bound| (variance, bound)))
    }

    fn other_bounds(&self) -> Several<Bound> {
        let other = |bound: &Bound| if *bound == Bound::Upper { Bound::Lower } else { Bound::Upper };
        Several::new(self.bound.as_slice().iter().map(other).collect()).expect("other bounds differ as these do")
    }

    /// The terms whose mean is a bound of I(X; T), for each setting.
    fn terms(&self, layer: ArrayView2<'_, f64>) -> Vec<Vec<f64>> {
        let n = layer.nrows() as f64;
        let mut all = Vec::new();
        for variance in self.variance.as_slice() {
            let [wide, narrow] = kernel::wide_and_narrow_sums(layer, variance.get());
            for bound in self.bound.as_slice() {
                let sums = if *bound == Bound::Upper { &narrow } else { &wide };
                all.push(sums.iter().map(|sum| -(sum / n).ln()).collect());
            }
        }
        all
    }
}

fn estimate(terms: &[f64]) -> Estimate {
    let mut estimate = mean_of_terms(terms);
    checks::flag_ceiling(&mut estimate);
    checks::flag_negative(&mut estimate);
    estimate
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// Two samples at distance D: from a table in closed form, less the entropy of the noise.
    #[test]
    fn agrees_with_two_points_by_hand() {
        let variance = 0.25;
        let noise = 0.5 * ((std::f64::consts::TAU * variance).ln() + 1.0);
        for (distance, upper, lower) in
            [(1.0, 1.292_010_52, 0.944_861_55), (2.0, 1.418_603_13, 1.292_010_52), (4.0, 1.418_938_53, 1.418_603_13)]
        {
            let t = array![[0.0], [distance]];
            let estimator = Kolchinsky { variance: Positive::try_from(variance).unwrap().into(), bound: Bound::both() };
            let estimates =
                ContinuousInformation::estimates(&estimator, Paired::new(t.view(), t.view()).unwrap()).unwrap();
            // The table has eight digits.
            assert!((estimates[0].value - (upper - noise)).abs() < 1e-8, "{}", estimates[0].value);
            assert!((estimates[1].value - (lower - noise)).abs() < 1e-8, "{}", estimates[1].value);
        }
    }
}
