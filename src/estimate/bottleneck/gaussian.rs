use crate::estimate::EstimateError;

/// The most relevance I(T; Y) of a rate I(X; T), in nats, of jointly normal X and Y with these canonical correlations.
///
/// # Formula
///
/// ```text
/// I_Y(R) = Σ ½ ln 1/(1 − ρᵢ² + ρᵢ² e^(−2 Rᵢ)),   Σ Rᵢ = R
/// Rᵢ     = ½ ln⁺ [ρᵢ²/(1 − ρᵢ²) · (β − 1)]
/// ```
///
/// where the trade-off β is the same of all components; those with the largest ρ come first.
///
/// # Use
///
/// The truth to hold estimators against, and the yardstick of a layer whose input and target are near to normal.
///
/// # Cost
///
/// O(d log d) of d correlations.
///
/// # Errors
///
/// [`EstimateError::Degenerate`] for a correlation that is not within (−1, 1), or a rate that is negative or not finite.
///
/// # Reference
///
/// G. Chechik, A. Globerson, N. Tishby, Y. Weiss, Information bottleneck for Gaussian variables, Journal of Machine
/// Learning Research 6, 165–188 (2005), section 5.
pub fn gaussian_relevance(correlations: &[f64], rate: f64) -> Result<f64, EstimateError> {
    if let Some(found) = correlations.iter().find(|rho| rho.is_nan() || rho.abs() >= 1.0) {
        return Err(EstimateError::Degenerate {
            reason: format!("found a correlation of {found}, needed numbers between −1 and 1"),
        });
    }
    if !(rate >= 0.0 && rate.is_finite()) {
        return Err(EstimateError::Degenerate { reason: format!("found a rate of {rate}, needed zero or more nats") });
    }
    // ln ρ²/(1 − ρ²), the largest first; what does not correlate gets no rate.
    let mut odds: Vec<f64> =
        correlations.iter().filter(|&&rho| rho != 0.0).map(|rho| (rho * rho / (1.0 - rho * rho)).ln()).collect();
    odds.sort_by(|a, b| b.total_cmp(a));
    let mut level = 0.0;
    let mut sum = 0.0;
    for (place, odd) in odds.iter().enumerate() {
        // ln(β − 1) where the components up to this one share the rate.
        let shared = (2.0 * rate - (sum + odd)) / (place + 1) as f64;
        if place > 0 && shared + odd <= 0.0 {
            break;
        }
        sum += odd;
        level = shared;
    }
    let relevance = |odd: &f64| {
        let squared = 1.0 / (1.0 + (-odd).exp());
        // ρ² (1 − e^(−2R)) of a component with 2R = level + odd.
        -0.5 * (squared * (-(level + odd).max(0.0)).exp_m1()).ln_1p()
    };
    Ok(odds.iter().map(relevance).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `methods.md`, section 5.4.
    #[test]
    fn agrees_with_the_curve_of_one_pair() {
        let expected = [
            (0.1, 0.061_656_075_4),
            (0.5, 0.259_224_938_7),
            (1.0, 0.403_029_645_3),
            (2.0, 0.494_804_496),
            (5.0, 0.510_785_269_9),
        ];
        for (rate, relevance) in expected {
            let found = gaussian_relevance(&[0.8], rate).unwrap();
            // Half a unit of the last digit given.
            assert!((found - relevance).abs() < 5.1e-11, "{rate}: {found}");
        }
        assert!((gaussian_relevance(&[-0.8, 0.0], 40.0).unwrap() - 0.5 * (1.0_f64 / 0.36).ln()).abs() < 1e-15);
        assert!(gaussian_relevance(&[0.8], 0.0).unwrap().abs() < 1e-16);
    }

    /// The best of all ways to share a rate out, tried in steps of a thousandth.
    #[test]
    fn shares_the_rate_out_as_well_as_can_be() {
        let one = |rho: f64, rate: f64| -0.5 * (1.0 - rho * rho * (1.0 - (-2.0 * rate).exp())).ln();
        for rate in [0.05, 0.3, 1.0, 3.0] {
            let shared = |step: u32| {
                one(0.9, rate * f64::from(step) / 1000.0) + one(0.6, rate * f64::from(1000 - step) / 1000.0)
            };
            let best = (0..=1000).map(shared).fold(0.0, f64::max);
            let found = gaussian_relevance(&[0.6, 0.9], rate).unwrap();
            // The best step is half a step off at most, and the curvature there is below two.
            assert!(found >= best - 1e-15 && found < best + 3e-6, "{rate}: {found} and {best}");
        }
    }

    #[test]
    fn impossible_arguments_are_refused() {
        assert!(gaussian_relevance(&[1.0], 1.0).unwrap_err().to_string().contains("correlation of 1"));
        assert!(gaussian_relevance(&[f64::NAN], 1.0).is_err());
        assert!(gaussian_relevance(&[0.5], -0.1).unwrap_err().to_string().contains("rate of -0.1"));
    }
}
