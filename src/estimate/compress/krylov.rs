//! The leading eigenvectors of a wide covariance, without ever forming it: block Lanczos with full
//! orthogonalization. A pass converts and centers a few rows at a time, so the matrix is read once in its own
//! precision and no copy of it is made.

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use rayon::prelude::*;

use crate::estimate::EstimateError;
use crate::estimate::columns::{self, Element};
use crate::estimate::matrix::double as matrix;
use crate::estimate::random::SplitMix64;

/// Rows that one task passes over.
const BLOCK: usize = 512;

/// Rows that are converted at a time, so that they stay in the cache.
const STRIP: usize = 32;

/// Directions iterated beyond those wanted, for speed of convergence.
const SPARE: usize = 4;

/// The residual |Sv − λv| ≤ RESIDUAL λ at which a direction is accepted. The error of λ is of second order in it.
const RESIDUAL: f64 = 1e-7;

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
    /// Without the directions below `cutoff` times the largest variance.
    pub(super) fn above(mut self, cutoff: f64) -> Self {
        let threshold = cutoff * self.values.first().copied().unwrap_or(0.0);
        let rank = self.values.iter().filter(|&&value| value > threshold).count();
        self.values.truncate(rank);
        Self { values: self.values, axes: self.axes.slice_move(s![..rank, ..]) }
    }
}

/// The `wanted` largest eigenvalues of the centered matrix's Gram matrix with their directions, one a row.
///
/// `None` if they did not converge within [`LARGEST_BASIS`] directions.
pub(super) fn leading<T: Element>(
    samples: ArrayView2<'_, T>,
    means: &[f64],
    wanted: usize,
) -> Result<Option<Directions>, EstimateError> {
    let d = samples.ncols();
    let mut random = SplitMix64::new(0);
    let start = Array2::from_shape_simple_fn((wanted + SPARE, d), || random.normal_pair().0);
    let mut basis = Array2::zeros((0, d));
    let mut block = orthonormal(start, &basis);
    let mut projected: Array2<f64> = Array2::zeros((0, 0));
    while basis.nrows() + block.nrows() <= LARGEST_BASIS.min(d) {
        let first = basis.nrows();
        let image = pass(samples, means, block.view());
        basis = concatenate(Axis(0), &[basis.view(), block.view()]).expect("both have d columns");
        let overlap = matrix::small_product_transposed(basis.view(), image.view());
        projected = bordered(&projected, &overlap, first);
        let rest = &image - &matrix::product(overlap.t(), basis.view());
        let rest_size = rest.iter().map(|value| value * value).sum::<f64>().sqrt();
        let ritz = matrix::eigen(projected.view())?;
        let accepted = (0..wanted.min(basis.nrows())).take_while(|&index| {
            let last = ritz.vectors.slice(s![index..=index, first..]);
            let residual = matrix::product(last, rest.view());
            let residual = residual.iter().map(|value| value * value).sum::<f64>().sqrt();
            // Below the second term the residual is rounding.
            residual <= RESIDUAL * ritz.values[index].abs() + 1e-14 * ritz.values[0]
        });
        if accepted.count() == wanted {
            let values = ritz.values.iter().take(wanted).copied().collect();
            let axes = matrix::product(ritz.vectors.slice(s![..wanted, ..]), basis.view());
            return Ok(Some(Directions { values, axes }));
        }
        block = orthonormal(rest, &basis);
        if block.nrows() == 0 || rest_size == 0.0 {
            return Ok(None);
        }
    }
    Ok(None)
}

/// The products of each row of `directions` with the centered Gram matrix, one a row.
fn pass<T: Element>(samples: ArrayView2<'_, T>, means: &[f64], directions: ArrayView2<'_, f64>) -> Array2<f64> {
    let parts: Vec<Array2<f64>> = (0..samples.nrows().div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let mut sum = Array2::zeros(directions.raw_dim());
            strips(samples, means, block, |strip| {
                let scores = matrix::small_product_transposed(strip, directions);
                matrix::add_transposed_product(&mut sum, scores.view(), strip);
            });
            sum
        })
        .collect();
    // Summed in order, so that the result does not depend on the threads.
    parts.into_iter().reduce(|sum, part| sum + part).expect("there is one block at least")
}

/// The coordinates of the centered samples along each row of `axes`.
pub(super) fn scores<T: Element>(samples: ArrayView2<'_, T>, means: &[f64], axes: ArrayView2<'_, f64>) -> Array2<f64> {
    let parts: Vec<Vec<f64>> = (0..samples.nrows().div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let mut scores = Vec::new();
            strips(samples, means, block, |strip| {
                scores.extend(matrix::small_product_transposed(strip, axes));
            });
            scores
        })
        .collect();
    Array2::from_shape_vec((samples.nrows(), axes.nrows()), parts.concat()).expect("every row has a score an axis")
}

/// Calls `use_strip` with a few rows at a time of one block, in double precision and centered.
fn strips<T: Element>(
    samples: ArrayView2<'_, T>,
    means: &[f64],
    block: usize,
    mut use_strip: impl FnMut(ArrayView2<'_, f64>),
) {
    let end = samples.nrows().min((block + 1) * BLOCK);
    let mut buffer = Array2::zeros((STRIP, samples.ncols()));
    for first in (block * BLOCK..end).step_by(STRIP) {
        let count = STRIP.min(end - first);
        for (place, target) in buffer.axis_iter_mut(Axis(0)).take(count).enumerate() {
            let target = target.into_slice().expect("rows of the buffer are contiguous");
            columns::copy_centered(samples.row(first + place), means, target);
        }
        use_strip(buffer.slice(s![..count, ..]));
    }
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
