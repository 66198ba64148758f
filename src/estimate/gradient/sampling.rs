use serde::Serialize;

use super::Gradients;
use crate::estimate::EstimateError;

/// A part of the samples: how large it is, the mean gradient there, and how far gradients scatter around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stratum {
    /// The part of all samples, w.
    pub weight: f64,
    /// The mean μ, of any number of coordinates.
    pub mean: Vec<f64>,
    /// The mean squared distance s² to it, over the samples of the stratum.
    pub variance: f64,
}

/// All samples in parts.
///
/// # Formula
///
/// ```text
/// simple random, with replacement   V = (Σ w s² + Σ w |μ_c − μ|²) / b
/// proportional, n_c = w b           V = Σ w s² / b
/// Neyman, n_c ∝ w s                 V = (Σ w s)² / b
/// mixture, n_c as given             V = Σ n_c s² / b²          bias = Σ n_c μ_c / b − μ
/// the same, weighted by w b/n_c     V = Σ w² s² / n_c
/// ```
///
/// with the weight w, mean `μ_c` and variance s² of each stratum, and μ = Σ w `μ_c`. The mean squared error is V + |bias|², and the
/// ratio of signal and noise |μ| / √(V + |bias|²). A mixture that favors a stratum of low variance has a low V and a bias:
/// |μ| / √V alone, `ratio_without_bias`, then rises while the estimate gets worse.
///
/// # Use
///
/// For a given set of samples from which minibatches are drawn with replacement, each stratum by itself: the laws are exact
/// there, s² is over the samples of the set (divided by their number). `proportional` and `neyman` are for numbers `n_c` that
/// need not be whole.
///
/// # Cost
///
/// O(C D) for C strata of D weights.
///
/// # Reference
///
/// W. G. Cochran, Sampling Techniques, third edition, 1977, sections 5.3 to 5.6. Typicality sampling is a mixture: X. Peng,
/// L. Li, F.-Y. Wang, Accelerating minibatch stochastic gradient descent using typicality sampling, IEEE Transactions on
/// Neural Networks and Learning Systems 31, 4649–4659 (2020), <https://arxiv.org/abs/1903.04192>, without published code.
#[derive(Clone, Debug, PartialEq)]
pub struct Strata {
    strata: Vec<Stratum>,
    mean: Vec<f64>,
}

/// How far the mean over a minibatch lies from the mean over all samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Draw {
    /// The mean squared distance of the minibatch's mean to its expected value, V.
    pub variance: f64,
    /// The squared distance of that expected value to the mean over all samples.
    pub squared_bias: f64,
    /// |μ|/√(V + |bias|²); none where there is no error.
    pub ratio: Option<f64>,
    /// |μ|/√V: misleading where there is bias; none where V is zero.
    pub ratio_without_bias: Option<f64>,
}

impl Strata {
    /// Strata whose weights sum to one.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] for other weights, negative variances, or means of different lengths.
    pub fn new(strata: Vec<Stratum>) -> Result<Self, EstimateError> {
        let fail = |reason: String| Err(EstimateError::Degenerate { reason });
        let total: f64 = strata.iter().map(|stratum| stratum.weight).sum();
        let is_part = |stratum: &Stratum| stratum.weight > 0.0 && stratum.variance >= 0.0;
        // Weights are counts over their sum: a rounding each.
        if !((total - 1.0).abs() < 1e-9 && strata.iter().all(is_part)) {
            return fail(format!(
                "the weights of the strata sum to {total}; needed positive ones that sum to 1, and no negative variance"
            ));
        }
        let length = strata[0].mean.len();
        if strata.iter().any(|stratum| stratum.mean.len() != length) {
            return fail("the means of the strata have different lengths; needed those of the same weights".to_owned());
        }
        let mean = (0..length).map(|j| strata.iter().map(|stratum| stratum.weight * stratum.mean[j]).sum()).collect();
        Ok(Self { strata, mean })
    }

    /// The strata of gradients, from the stratum of each sample, numbered from zero; every number has a sample.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] where there is not one number a sample, or a number without a sample.
    pub fn of(gradients: &Gradients, members: &[usize]) -> Result<Self, EstimateError> {
        let n = gradients.len();
        if members.len() != n {
            let reason = format!("found the strata of {} samples, needed those of {n}", members.len());
            return Err(EstimateError::Degenerate { reason });
        }
        let count = members.iter().max().map_or(0, |last| last + 1);
        let stratum = |number: usize| {
            let rows: Vec<usize> = (0..n).filter(|&row| members[row] == number).collect();
            if rows.is_empty() {
                return Err(EstimateError::Degenerate { reason: format!("stratum {number} of {count} has no sample") });
            }
            let own = gradients.at(&rows);
            let mean = own.mean();
            let squared: f64 = mean.iter().map(|value| value * value).sum();
            let products = own.products(mean.view());
            let scatter = own
                .squared_norms()
                .iter()
                .zip(&products)
                .map(|(norm, product)| norm - 2.0 * product + squared)
                .sum::<f64>();
            Ok(Stratum {
                weight: rows.len() as f64 / n as f64,
                mean: mean.into_iter().collect(),
                variance: scatter.max(0.0) / rows.len() as f64,
            })
        };
        Self::new((0..count).map(stratum).collect::<Result<_, _>>()?)
    }

    /// The parts.
    #[must_use]
    pub fn parts(&self) -> &[Stratum] {
        &self.strata
    }

    /// Minibatches of b samples, each drawn from all.
    #[must_use]
    pub fn simple_random(&self, batch: f64) -> Draw {
        let between =
            |stratum: &Stratum| stratum.mean.iter().zip(&self.mean).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        self.unbiased(self.sum(|stratum| stratum.weight * (stratum.variance + between(stratum))) / batch)
    }

    /// Minibatches to which each stratum gives its part.
    #[must_use]
    pub fn proportional(&self, batch: f64) -> Draw {
        self.unbiased(self.sum(|stratum| stratum.weight * stratum.variance) / batch)
    }

    /// Minibatches shared out so that the variance is least, weighted accordingly.
    #[must_use]
    pub fn neyman(&self, batch: f64) -> Draw {
        self.unbiased(self.sum(|stratum| stratum.weight * stratum.variance.sqrt()).powi(2) / batch)
    }

    /// The part of the minibatch that each stratum has in Neyman's allocation; none where nothing varies.
    #[must_use]
    pub fn neyman_parts(&self) -> Option<Vec<f64>> {
        let total = self.sum(|stratum| stratum.weight * stratum.variance.sqrt());
        let part = |stratum: &Stratum| stratum.weight * stratum.variance.sqrt() / total;
        (total > 0.0).then(|| self.strata.iter().map(part).collect())
    }

    /// The plain mean over minibatches with so many samples of each stratum.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] where there is not one number a stratum, or no sample.
    pub fn mixture(&self, counts: &[usize]) -> Result<Draw, EstimateError> {
        let batch = self.checked(counts, 0)?;
        let counted = || self.strata.iter().zip(counts).map(|(stratum, &count)| (stratum, count as f64));
        let variance = counted().map(|(stratum, count)| count * stratum.variance).sum::<f64>() / (batch * batch);
        let expected = |j: usize| counted().map(|(stratum, count)| count * stratum.mean[j]).sum::<f64>() / batch;
        let bias = self.mean.iter().enumerate().map(|(j, mean)| (expected(j) - mean).powi(2)).sum();
        Ok(self.draw(variance, bias))
    }

    /// The mean over the same minibatches with every stratum weighted by its part of all samples.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] where there is not one number a stratum, or a stratum without a sample.
    pub fn weighted_mixture(&self, counts: &[usize]) -> Result<Draw, EstimateError> {
        self.checked(counts, 1)?;
        let terms = self.strata.iter().zip(counts);
        Ok(self.unbiased(terms.map(|(stratum, &count)| stratum.weight.powi(2) * stratum.variance / count as f64).sum()))
    }

    fn checked(&self, counts: &[usize], least: usize) -> Result<f64, EstimateError> {
        let batch: usize = counts.iter().sum();
        if counts.len() == self.strata.len() && batch > 0 && counts.iter().all(|&count| count >= least) {
            return Ok(batch as f64);
        }
        let reason = format!(
            "found a minibatch of {counts:?}, needed {} numbers of samples, one a stratum, {least} at least each and one in all",
            self.strata.len()
        );
        Err(EstimateError::Degenerate { reason })
    }

    fn sum(&self, term: impl Fn(&Stratum) -> f64) -> f64 {
        self.strata.iter().map(term).sum()
    }

    fn unbiased(&self, variance: f64) -> Draw {
        self.draw(variance, 0.0)
    }

    fn draw(&self, variance: f64, squared_bias: f64) -> Draw {
        let signal = self.mean.iter().map(|value| value * value).sum::<f64>().sqrt();
        let ratio = |error: f64| (error > 0.0).then(|| signal / error.sqrt());
        Draw { variance, squared_bias, ratio: ratio(variance + squared_bias), ratio_without_bias: ratio(variance) }
    }
}
