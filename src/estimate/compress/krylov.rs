//! The leading eigenvectors of a wide covariance, without ever forming it: block Lanczos with full
//! orthogonalization.
//!
//! Passes over the matrix run in single precision until the directions are roughly right, and in double precision from
//! there, mostly one: what single precision rounded is then judged, and mended, in double.

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

use super::kernels::TILE;
use super::passes::{Image, Rows};
use crate::estimate::EstimateError;
use crate::estimate::columns::Element;
use crate::estimate::matrix::double as matrix;
use crate::estimate::random::SplitMix64;

/// Directions iterated beyond those wanted, for speed of convergence.
const SPARE: usize = 4;

/// The residual |Sv − λv| at which passes in single precision have done what they can, as parts of λ and of the largest
/// one, of which their rounding is a part.
const ROUGH: (f64, f64) = (1e-5, 1e-6);

/// The residual at which a direction is accepted, in double precision. The error of λ is of second order in the first;
/// below the second the residual is rounding.
const FINE: (f64, f64) = (1e-4, 1e-14);

/// Directions after which a full decomposition is the better way.
const LARGEST_BASIS: usize = 640;

/// Directions of decreasing variance.
pub(super) struct Directions {
    /// The eigenvalue of each: n times the variance along it.
    pub(super) values: Vec<f64>,
    /// The directions, one a row, of length one.
    pub(super) axes: Array2<f64>,
}

impl Directions {
    /// The first ones.
    fn first(mut self, count: usize) -> Self {
        self.values.truncate(count);
        let kept = self.values.len();
        Self { values: self.values, axes: self.axes.slice_move(s![..kept, ..]) }
    }

    /// Without the directions below `cutoff` times the largest variance.
    pub(super) fn above(self, cutoff: f64) -> Self {
        let threshold = cutoff * self.values.first().copied().unwrap_or(0.0);
        let rank = self.values.iter().filter(|&&value| value > threshold).count();
        self.first(rank)
    }
}

/// Leading directions, with the coordinates of all samples along them.
pub(super) struct Leading {
    /// The directions.
    pub(super) directions: Directions,
    /// For each sample its coordinates.
    pub(super) scores: Array2<f64>,
}

impl Leading {
    /// Without the directions below `cutoff` times the largest variance.
    pub(super) fn above(self, cutoff: f64) -> Self {
        let directions = self.directions.above(cutoff);
        let rank = directions.values.len();
        Self { directions, scores: self.scores.slice_move(s![.., ..rank]) }
    }
}

/// The `wanted` largest eigenvalues of the centered matrix's Gram matrix with their directions, one a row.
///
/// `deviation` is the size of a typical element. `None` if they did not converge within [`LARGEST_BASIS`] directions.
pub(super) fn leading<T: Element>(
    samples: ArrayView2<'_, T>,
    means: &[f64],
    deviation: f64,
    wanted: usize,
) -> Result<Option<Leading>, EstimateError> {
    // A power of two, which changes no digit.
    let scale = deviation.log2().round().exp2();
    let rows = Rows { samples, means, scale };
    let mut random = SplitMix64::new(0);
    let n_started = (wanted + SPARE).next_multiple_of(TILE);
    let start = Array2::from_shape_simple_fn((n_started, samples.ncols()), || random.normal_pair().0);
    let roughly = iterate(start.clone(), wanted, ROUGH, |block| Image {
        scores: Array2::zeros((0, 0)),
        ..rows.image::<f32>(block)
    })?;
    let start = roughly.map_or(start, |roughly| roughly.directions.axes);
    let found = iterate(start, wanted, FINE, |block| rows.image::<f64>(block))?;
    Ok(found.map(|found| Leading {
        directions: found.directions.first(wanted),
        scores: found.scores.slice_move(s![.., ..wanted]),
    }))
}

/// The largest eigenvalues of what `image` multiplies directions with, those of `start` at first.
fn iterate(
    start: Array2<f64>,
    wanted: usize,
    (of_own, of_largest): (f64, f64),
    image: impl Fn(ArrayView2<'_, f64>) -> Image,
) -> Result<Option<Leading>, EstimateError> {
    let (width, d) = start.dim();
    let mut basis = Array2::zeros((0, d));
    let mut scores: Vec<Array2<f64>> = Vec::new();
    let mut block = orthonormal(start, &basis);
    let mut projected: Array2<f64> = Array2::zeros((0, 0));
    while basis.nrows() + block.nrows() <= LARGEST_BASIS.min(d) {
        let first = basis.nrows();
        let Image { products, scores: along } = image(block.view());
        scores.push(along);
        basis = concatenate(Axis(0), &[basis.view(), block.view()]).expect("both have d columns");
        let overlap = matrix::small_product_transposed(basis.view(), products.view());
        projected = bordered(&projected, &overlap, first);
        let rest = &products - &matrix::product(overlap.t(), basis.view());
        let rest_size = rest.iter().map(|value| value * value).sum::<f64>().sqrt();
        if !rest_size.is_finite() {
            return Ok(None);
        }
        let ritz = matrix::eigen(projected.view())?;
        let accepted = (0..wanted.min(basis.nrows())).take_while(|&index| {
            let last = ritz.vectors.slice(s![index..=index, first..]);
            let residual = matrix::product(last, rest.view());
            let residual = residual.iter().map(|value| value * value).sum::<f64>().sqrt();
            residual <= of_own * ritz.values[index].abs() + of_largest * ritz.values[0]
        });
        if accepted.count() == wanted {
            let kept = width.min(basis.nrows());
            let vectors = ritz.vectors.slice(s![..kept, ..]);
            let values = ritz.values.iter().take(kept).copied().collect();
            let views: Vec<_> = scores.iter().map(|scores| scores.view()).collect();
            let scores = concatenate(Axis(1), &views).expect("every pass has all samples");
            return Ok(Some(Leading {
                directions: Directions { values, axes: matrix::product(vectors, basis.view()) },
                scores: if scores.ncols() == 0 { scores } else { matrix::product_transposed(scores.view(), vectors) },
            }));
        }
        block = orthonormal(rest, &basis);
        if block.nrows() == 0 || rest_size == 0.0 {
            return Ok(None);
        }
    }
    Ok(None)
}

/// The projected matrix with the rows and columns of the latest block added.
fn bordered(projected: &Array2<f64>, overlap: &Array2<f64>, first: usize) -> Array2<f64> {
    let size = overlap.nrows();
    let mut larger = Array2::zeros((size, size));
    larger.slice_mut(s![..first, ..first]).assign(projected);
    larger.slice_mut(s![.., first..]).assign(overlap);
    larger.slice_mut(s![first.., ..]).assign(&overlap.t());
    larger
}

/// Orthonormal rows that span what `rows` has outside the span of `basis`; fewer if some are dependent.
fn orthonormal(rows: Array2<f64>, basis: &Array2<f64>) -> Array2<f64> {
    let mut rows = rows;
    let sizes: Vec<f64> = rows.outer_iter().map(|row| row.dot(&row).sqrt()).collect();
    let largest = sizes.iter().copied().fold(0.0, f64::max);
    let mut kept: Array2<f64> = Array2::zeros((0, rows.ncols()));
    // Twice is enough: the second round removes what rounding left.
    for _ in 0..2 {
        if basis.nrows() > 0 {
            let overlap = matrix::small_product_transposed(rows.view(), basis.view());
            rows -= &matrix::product(overlap.view(), basis.view());
        }
    }
    for mut row in rows.outer_iter_mut() {
        for _ in 0..2 {
            for previous in kept.outer_iter() {
                let overlap = row.dot(&previous);
                row.scaled_add(-overlap, &previous);
            }
        }
        let size = row.dot(&row).sqrt();
        if size > 1e-12 * largest {
            row /= size;
            kept.push_row(row.view()).expect("the row has as many columns");
        }
    }
    kept
}
