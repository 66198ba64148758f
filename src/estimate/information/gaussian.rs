use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::whitened::{CUTOFF, Whitened};
use super::{ContinuousInformation, Kept};
use crate::estimate::matrix::double as matrix;
use crate::estimate::{Estimate, EstimateError, Flag, Paired, Unit};

/// The mutual information of the normal distribution that has the samples' covariance.
///
/// # Formula
///
/// ```text
/// I(X; Y) = ½ [ln det Sₓ + ln det S_y − ln det Sₓ_y] = −½ Σᵢ ln(1 − ρᵢ²)
/// ```
///
/// where S are sample covariances (divided by n − 1) and ρᵢ the canonical correlations.
///
/// # Use
///
/// Exact for normal variables, a lower bound when both margins are normal, and blind to what is not linear.
/// At independence it is biased upward by about `dx dy / 2n`, which is recorded and not subtracted. Coordinates are
/// standardized first, so that units do not matter; directions below 1e-10 of the largest variance are left out of
/// both sides. Two sides that determine each other have infinite information, which is an error. The standard error
/// is that of the mean of the fitted density's pointwise information: it says nothing of bias.
///
/// # Cost
///
/// O(n (dx + dy)²), then the eigendecomposition of each side.
///
/// # Reference
///
/// Cover and Thomas, *Elements of Information Theory*, 2nd ed., Wiley 2006, equation 8.54 for one pair of units.
/// [doi:10.1002/047174882X](https://doi.org/10.1002/047174882X)
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gaussian {}

impl ContinuousInformation for Gaussian {
    /// Estimates I(X; Y) in nats.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if some direction of one side is determined by the other, as it always is when
    /// there are no more samples than dimensions; [`EstimateError::Numeric`] if a decomposition fails.
    fn estimates_of_series(&self, samples: Paired<'_>, _: &Kept) -> Result<Vec<Estimate>, EstimateError> {
        let n = samples.len();
        let (x, y) = (Whitened::new(samples.x())?, Whitened::new(samples.y())?);
        let mut estimate = Estimate::new(0.0, Unit::Nats, Some(0.0), n);
        for side in [&x, &y] {
            side.flag(side.samples.ncols(), &mut estimate);
        }
        let (rank_x, rank_y) = (x.samples.ncols(), y.samples.ncols());
        estimate.detail("rank_x", rank_x);
        estimate.detail("rank_y", rank_y);
        estimate.detail("independence_bias", (rank_x * rank_y) as f64 / (2 * n) as f64);
        if rank_x == 0 || rank_y == 0 {
            estimate.flag(Flag::Constant);
            return Ok(vec![estimate]);
        }
        if n <= rank_x + rank_y {
            return Err(EstimateError::Degenerate {
                reason: format!("{n} samples cannot tell {rank_x} + {rank_y} dimensions apart; give more samples"),
            });
        }
        let pointwise = pointwise(x.samples, y.samples)?;
        estimate.value = pointwise.information;
        estimate.std_error = Some((pointwise.variance / n as f64).sqrt());
        Ok(vec![estimate])
    }
}

/// The mean over the samples, and the variance among them, of the fitted pointwise information.
struct Pointwise {
    information: f64,
    variance: f64,
}

fn pointwise(x: Array2<f64>, y: Array2<f64>) -> Result<Pointwise, EstimateError> {
    // The smaller side goes first: its dimension is the number of canonical pairs.
    let (x, y) = if x.ncols() <= y.ncols() { (x, y) } else { (y, x) };
    let n = x.nrows() as f64;
    let cross = matrix::transposed_product(x.view(), y.view()) / (n - 1.0);
    let eigen = matrix::eigen(matrix::row_gram(cross.view()).view())?;
    if eigen.values[0] >= 1.0 - CUTOFF {
        return Err(EstimateError::Degenerate {
            reason: "one side determines a direction of the other: the information is infinite; \
                     add noise or compress"
                .to_owned(),
        });
    }
    let squares: Vec<f64> = eigen.values.iter().map(|&square| square.max(0.0)).collect();
    let information = -0.5 * squares.iter().map(|square| (-square).ln_1p()).sum::<f64>();
    let u = matrix::product_transposed(x.view(), eigen.vectors.view());
    // Each column is its partner of unit variance times the correlation.
    let scaled = matrix::product_transposed(y.view(), matrix::product(eigen.vectors.view(), cross.view()).view());
    let deviations = u.outer_iter().zip(scaled.outer_iter()).map(|(u, scaled)| {
        let terms = u.iter().zip(&scaled).zip(&squares);
        terms.map(|((u, v), square)| (2.0 * u * v - square * u * u - v * v) / (2.0 * (1.0 - square))).sum::<f64>()
    });
    let variance = deviations.map(|deviation| deviation * deviation).sum::<f64>() / (n - 1.0);
    Ok(Pointwise { information, variance })
}
