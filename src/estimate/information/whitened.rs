//! Samples in coordinates that are uncorrelated and of variance one.

use ndarray::{Array2, ArrayView2, Axis, s};

use crate::estimate::matrix::double as matrix;
use crate::estimate::{Estimate, EstimateError, Flag, columns};

/// Directions with less than this part of the largest variance of the standardized coordinates do not count.
pub(super) const CUTOFF: f64 = 1e-10;

/// One variable in coordinates that are uncorrelated and of variance one (divided by n − 1).
pub(super) struct Whitened {
    /// The number of units.
    columns: usize,
    /// Those of them that vary.
    varying: usize,
    /// One row a sample, one column a direction of the covariance that counts.
    pub(super) samples: Array2<f64>,
    /// The logarithm of the determinant of the covariance of the directions that count.
    pub(super) log_determinant: f64,
}

impl Whitened {
    /// Standardizes the units that vary and turns them into the principal directions of what that gives.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Numeric`] if the decomposition fails.
    pub(super) fn new(samples: ArrayView2<'_, f64>) -> Result<Self, EstimateError> {
        let (n, columns) = samples.dim();
        let moments = columns::moments(samples, None);
        let kept: Vec<usize> = (0..columns).filter(|&column| moments.squares[column] > 0.0).collect();
        let varying = kept.len();
        let mut standardized = columns::only(columns::centered(samples, None, moments.means.view()), &kept);
        if varying == 0 {
            return Ok(Self { columns, varying, samples: standardized, log_determinant: 0.0 });
        }
        let degrees = n as f64 - 1.0;
        let deviations = moments.squares.select(Axis(0), &kept).mapv(|square| (square / degrees).sqrt());
        standardized /= &deviations;
        let covariance = matrix::gram(standardized.view()) / degrees;
        let eigen = matrix::eigen(covariance.view())?;
        let rank = eigen.rank(CUTOFF);
        let mut whitened = matrix::product_transposed(standardized.view(), eigen.vectors.slice(s![..rank, ..]));
        let values = eigen.values.slice(s![..rank]);
        whitened /= &values.mapv(f64::sqrt);
        let log_determinant = values.mapv(f64::ln).sum() + 2.0 * deviations.mapv(f64::ln).sum();
        Ok(Self { columns, varying, samples: whitened, log_determinant })
    }

    /// Flags units that are constant, or determined by others so that only `rank` directions are left.
    pub(super) fn flag(&self, rank: usize, estimate: &mut Estimate) {
        if self.varying < self.columns {
            estimate.flag(Flag::ConstantUnits);
        }
        if rank < self.varying {
            estimate.flag(Flag::RankDeficient);
        }
    }
}
