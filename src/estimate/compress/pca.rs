use std::num::NonZeroUsize;

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::krylov::{self, Directions, Leading};
use super::{Basis, Compressed, passes};
use crate::estimate::EstimateError;
use crate::estimate::columns::{self, Element};
use crate::estimate::matrix::double as matrix;

/// Directions with less than this part of the largest variance are noise of the arithmetic.
const CUTOFF: f64 = 1e-10;

/// The smaller side of a matrix from which on leading components are iterated for.
const WIDE: usize = 256;

/// Principal component analysis, without whitening.
///
/// # Formula
///
/// ```text
/// S = (X − 1μᵀ)ᵀ(X − 1μᵀ) = Σᵢ λᵢ vᵢ vᵢᵀ      scores (X − 1μᵀ) vᵢ      explained λᵢ / tr S
/// ```
///
/// where μ holds the means of the units and λ₁ ≥ λ₂ ≥ … are the eigenvalues of S.
/// The entry of vᵢ of largest magnitude, the first one if several are, is positive.
///
/// # Use
///
/// Before neighbor methods, which fail in many dimensions. Directions below 1e-10 of the largest variance are
/// dropped, so that dead and duplicated units do no harm. Components of nearly equal variance may rotate from
/// checkpoint to checkpoint.
///
/// # Cost
///
/// O(n d min(n, d)) by a full eigendecomposition of the smaller Gram matrix if the smaller side is at most 256 or
/// more than an eighth of the components is asked for; else four to ten passes over the matrix, O(n d) each (block
/// Lanczos from what some of the samples and a fixed start suggest, until |Sv − λv| is at most 1e-4 λ in double
/// precision, which leaves about 1e-8 of each variance and, where λ stands clear of its neighbors, 1e-4 of each
/// direction).
///
/// # Reference
///
/// Jolliffe, *Principal Component Analysis*, 2nd ed., Springer 2002, chapter 3.
/// [doi:10.1007/b98835](https://doi.org/10.1007/b98835)
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pca {
    /// The number of components to keep.
    pub components: NonZeroUsize,
    /// Whether each checkpoint has its own components, or all have those of one: then curves over steps show the layer
    /// alone, and not how its frame turned, as far as the one basis explains the variance of the others.
    #[serde(default, skip_serializing_if = "Basis::is_own")]
    pub basis: Basis,
}

impl Pca {
    /// The scores of a matrix with one row a sample.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Numeric`] if the eigendecomposition fails.
    pub fn compress<T: Element>(&self, samples: ArrayView2<'_, T>) -> Result<Compressed, EstimateError> {
        let (n, d) = samples.dim();
        let smaller = n.min(d);
        let wanted = self.components.get().min(smaller);
        if smaller > WIDE
            && wanted <= smaller / 8
            && let Some(leading) = krylov::leading(samples, wanted)?
        {
            let Leading { directions: Directions { values, axes }, scores, moments } = leading.above(CUTOFF);
            return Ok(assembled(scores, moments.means, axes, &values, moments.squares.sum()));
        }
        let moments = columns::moments(samples, None);
        let total = moments.squares.sum();
        let means = moments.means;
        if total <= 0.0 {
            return Ok(assembled(Array2::zeros((n, 0)), means, Array2::zeros((0, d)), &[], total));
        }
        let Directions { values, axes } = exact(samples, &means, wanted)?.above(CUTOFF);
        let scores = passes::scores(samples, &means.to_vec(), axes.view());
        Ok(assembled(scores, means, axes, &values, total))
    }
}

/// The largest `wanted` eigenvalues of the covariance times n and their directions, one a row.
fn exact<T: Element>(
    samples: ArrayView2<'_, T>,
    means: &Array1<f64>,
    wanted: usize,
) -> Result<Directions, EstimateError> {
    let centered = columns::centered(samples, None, means.view());
    let (n, d) = centered.dim();
    if d <= n {
        let eigen = matrix::eigen(matrix::gram(centered.view()).view())?;
        let axes = eigen.vectors.slice_move(s![..wanted, ..]);
        return Ok(Directions { values: eigen.values.iter().take(wanted).copied().collect(), axes });
    }
    let eigen = matrix::eigen(matrix::row_gram(centered.view()).view())?;
    let kept = wanted.min(eigen.rank(CUTOFF));
    let mut axes = matrix::product(eigen.vectors.slice(s![..kept, ..]), centered.view());
    for mut axis in axes.axis_iter_mut(Axis(0)) {
        let length = axis.dot(&axis).sqrt();
        axis /= length;
    }
    Ok(Directions { values: eigen.values.iter().take(kept).copied().collect(), axes })
}

/// What rows say of components.
pub(super) fn details(explained: &[f64], rank: usize) -> Map<String, Value> {
    let explained = explained.iter().sum::<f64>().into();
    [("explained_variance".to_owned(), explained), ("rank".to_owned(), rank.into())].into_iter().collect()
}

/// Fixes the signs.
fn assembled(
    mut scores: Array2<f64>,
    means: Array1<f64>,
    mut axes: Array2<f64>,
    values: &[f64],
    total: f64,
) -> Compressed {
    for (mut axis, mut scores) in axes.axis_iter_mut(Axis(0)).zip(scores.axis_iter_mut(Axis(1))) {
        let largest =
            axis.iter().fold(0.0_f64, |largest, &value| if value.abs() > largest.abs() { value } else { largest });
        if largest < 0.0 {
            axis.mapv_inplace(|value| -value);
            scores.mapv_inplace(|value| -value);
        }
    }
    let explained: Vec<f64> = values.iter().map(|value| value / total).collect();
    let details = details(&explained, axes.nrows());
    Compressed { scores, explained_variance_ratio: explained, rank: axes.nrows(), means, axes, details }
}
