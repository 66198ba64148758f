use ndarray::Array1;

use super::Gradients;
use crate::estimate::EstimateError;

/// What is signal and what is noise in the gradients of samples.
///
/// # Formula
///
/// ```text
/// ĝ     = ⟨gᵢ⟩
/// tr Σ  = Σ |gᵢ − ĝ|² / (n − 1)
/// |μ|²  = |ĝ|² − tr Σ / n
/// SNR_b = |μ| / √(tr Σ / b)        noise scale B = tr Σ / |μ|²
/// ```
///
/// Both tr Σ and |μ|² are unbiased: means over the pairs of samples, which is why |μ|² can come out negative where there is
/// no more signal than chance gives. Then there is no ratio. `SNR_b` is the square root of b times `SNR_1`, and one where b = B.
///
/// # Use
///
/// For samples drawn independently, minibatches of b with replacement. The standard error is that of |μ|², to first order:
/// `2 sd(gᵢ · ĝ) / √n`; of a signal of zero it says too little.
///
/// # Cost
///
/// O(n d K) and no gradient formed.
///
/// # Reference
///
/// S. `McCandlish`, J. Kaplan, D. Amodei, An empirical model of large-batch training, 2018,
/// <https://arxiv.org/abs/1812.06162>, appendix A, for the noise scale. The ratio is the root of what that paper's B is the
/// inverse of; Peng et al. (<https://arxiv.org/abs/2105.07181>) have published no code, and this definition is ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// |ĝ|², biased upwards by tr Σ/n.
    pub mean_squared: f64,
    /// The unbiased |μ|²; may be negative.
    pub squared: f64,
    /// One standard error of `squared`.
    pub std_error: f64,
    /// tr Σ, the mean squared distance of a gradient to the mean one.
    pub noise: f64,
    /// The number of samples.
    pub n_samples: usize,
}

impl Signal {
    /// The signal and the noise of the gradients.
    ///
    /// # Errors
    ///
    /// [`EstimateError::TooFewSamples`] for a single sample.
    pub fn of(gradients: &Gradients) -> Result<Self, EstimateError> {
        let mean = gradients.mean();
        let mean_squared = mean.iter().map(|value| value * value).sum();
        Self::from_sums(mean_squared, &gradients.squared_norms(), &gradients.products(mean.view()))
    }

    /// From |ĝ|², each |gᵢ|² and each gᵢ · ĝ.
    pub(super) fn from_sums(
        mean_squared: f64,
        norms: &Array1<f64>,
        products: &Array1<f64>,
    ) -> Result<Self, EstimateError> {
        let n_samples = norms.len();
        if n_samples < 2 {
            return Err(EstimateError::TooFewSamples { found: n_samples, needed: 1 });
        }
        let n = n_samples as f64;
        // |gᵢ − ĝ|² from its three parts, sample by sample: their sum has lost nothing to n |ĝ|².
        let scatter = |(norm, product): (&f64, &f64)| norm - 2.0 * product + mean_squared;
        let noise = norms.iter().zip(products).map(scatter).sum::<f64>().max(0.0) / (n - 1.0);
        let spread = products.iter().map(|product| (product - mean_squared).powi(2)).sum::<f64>() / (n - 1.0);
        Ok(Self {
            mean_squared,
            squared: mean_squared - noise / n,
            std_error: 2.0 * (spread / n).sqrt(),
            noise,
            n_samples,
        })
    }

    /// The ratio of signal and noise of a minibatch; none where the signal is not positive, or there is no noise.
    #[must_use]
    pub fn ratio(&self, batch: usize) -> Option<f64> {
        (self.squared > 0.0 && self.noise > 0.0).then(|| (self.squared / self.noise).sqrt() * (batch as f64).sqrt())
    }

    /// The minibatch whose ratio is one; none where the signal is not positive.
    #[must_use]
    pub fn noise_scale(&self) -> Option<f64> {
        (self.squared > 0.0).then(|| self.noise / self.squared)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis};

    use super::*;
    use crate::estimate::random::SplitMix64;

    /// Normal gradients of 5 weights with mean 0.3 each: |μ|² = 0.45, tr Σ = 5 · 4.
    #[test]
    fn the_squared_signal_of_normal_gradients_is_unbiased() {
        let mut random = SplitMix64::new(1);
        let draws = 4000;
        let mut signals = Vec::new();
        for _ in 0..draws {
            let gradients = Array2::from_shape_simple_fn((6, 5), || 0.3 + 2.0 * random.normal_pair().0);
            let mean = gradients.mean_axis(Axis(0)).unwrap();
            let norms = gradients.outer_iter().map(|row| row.dot(&row)).collect();
            signals.push(Signal::from_sums(mean.dot(&mean), &norms, &gradients.dot(&mean)).unwrap());
        }
        let average = |of: fn(&Signal) -> f64| signals.iter().map(of).sum::<f64>() / f64::from(draws);
        // |ĝ|² scatters by √(2·5)·4/6 + ..., about 2.4, so its mean over the draws by .04; four of these.
        assert!((average(|signal| signal.squared) - 0.45).abs() < 0.16, "{}", average(|signal| signal.squared));
        assert!((average(|signal| signal.noise) - 20.0).abs() < 0.5, "{}", average(|signal| signal.noise));
        // The plain square is off by tr Σ/n = 3.3.
        assert!((average(|signal| signal.mean_squared) - 0.45 - 20.0 / 6.0).abs() < 0.16);
        assert!(signals.iter().any(|signal| signal.squared < 0.0 && signal.ratio(8).is_none()));
    }
}
