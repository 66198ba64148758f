use ndarray::ArrayView2;

/// A lower bound from any critic: T(xᵢ, yⱼ) in row i and column j, for all pairs of n samples.
///
/// # Formula
///
/// ```text
/// I(X; Y) ≥ ⟨T(xᵢ, yᵢ)⟩ − ln 1/n² Σᵢⱼ exp T(xᵢ, yⱼ)
/// ```
///
/// in nats, with equality in expectation for T = ln p(x, y) / p(x) p(y).
///
/// # Use
///
/// For a critic that was trained on other samples, or is known. It is not held down by ln n as `InfoNCE` is, and scatters
/// for it: the variance of the second term grows as exp I, so that of information near ln n it says nothing. The logarithm of
/// a mean over few pairs is low on average, and the bound then too high.
///
/// # Cost
///
/// O(n²).
///
/// # Reference
///
/// M. D. Donsker, S. R. S. Varadhan, Asymptotic evaluation of certain Markov process expectations for large time IV,
/// Communications on Pure and Applied Mathematics 36, 183–212 (1983), <https://doi.org/10.1002/cpa.3160360204>; as an
/// estimator: M. I. Belghazi et al., Mutual information neural estimation, ICML 2018, <https://arxiv.org/abs/1801.04062>.
#[must_use]
pub fn donsker_varadhan(scores: ArrayView2<'_, f64>) -> f64 {
    let of_pairs = scores.diag().sum() / scores.nrows() as f64;
    of_pairs - log_mean_exponential(scores)
}

/// ln of the mean of eˣ, without overflow.
fn log_mean_exponential(values: ArrayView2<'_, f64>) -> f64 {
    let largest = values.fold(f64::NEG_INFINITY, |largest, &value| largest.max(value));
    let sum: f64 = values.iter().map(|value| (value - largest).exp()).sum();
    largest + (sum / values.len() as f64).ln()
}
