/// Above this the asymptotic series, cut after its seventh term, errs by less than 1e-16.
const ASYMPTOTIC: f64 = 10.0;

/// `B₂ₘ / 2m` for m = 1, 2, ..., 7, with the Bernoulli numbers B.
const COEFFICIENTS: [f64; 7] =
    [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32_760.0, 1.0 / 12.0];

/// The digamma function ψ, the derivative of ln Γ, of a positive number.
///
/// # Formula
///
/// ```text
/// ψ(x) = ψ(x + 1) − 1/x                        until x ≥ 10, then
/// ψ(x) ≈ ln x − 1/(2x) − Σₘ B₂ₘ / (2m x²ᵐ)
/// ```
///
/// It errs by about 1e-15. The result is NaN where x is not positive.
///
/// # Reference
///
/// Abramowitz and Stegun, Handbook of Mathematical Functions, equations 6.3.5 and 6.3.18.
#[must_use]
pub fn digamma(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::NAN;
    }
    let mut shifted = x;
    let mut below = 0.0;
    while shifted < ASYMPTOTIC {
        below += 1.0 / shifted;
        shifted += 1.0;
    }
    let inverse = 1.0 / (shifted * shifted);
    let series = COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| (sum + coefficient) * inverse);
    shifted.ln() - 0.5 / shifted - series - below
}

/// ψ(0), ψ(1), ..., ψ(last), where ψ(0) is NaN.
pub(super) fn digamma_table(last: usize) -> Vec<f64> {
    (0..=last).map(|m| digamma(m as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EULER: f64 = 0.577_215_664_901_532_9;

    #[test]
    fn agrees_with_values_in_closed_form() {
        let expected = [
            (1.0, -EULER),
            (0.5, -EULER - 2.0 * std::f64::consts::LN_2),
            (2.0, 1.0 - EULER),
            // DLMF 5.4.16: ψ(1/4) = −γ − π/2 − 3 ln 2.
            (0.25, -EULER - std::f64::consts::FRAC_PI_2 - 3.0 * std::f64::consts::LN_2),
        ];
        for (x, value) in expected {
            // Ten sums of numbers below 5 round by at most 1e-15 each.
            assert!((digamma(x) - value).abs() < 1e-14, "ψ({x}) = {}", digamma(x));
        }
    }

    #[test]
    fn agrees_with_sums_of_reciprocals() {
        let mut harmonic = -EULER;
        for m in 1..2000_u32 {
            // The sum itself rounds by up to 1e-16 a term, at random.
            assert!((digamma(f64::from(m)) - harmonic).abs() < 2e-14, "ψ({m})");
            harmonic += 1.0 / f64::from(m);
        }
    }

    #[test]
    fn is_not_a_number_where_the_argument_is_not_positive() {
        assert!(digamma(0.0).is_nan());
        assert!(digamma(-1.5).is_nan());
        assert!(digamma(f64::NAN).is_nan());
        assert!(digamma_table(1)[0].is_nan());
    }
}
