//! Columns of a matrix: their means and variances, and the matrix centered in double precision.
//!
//! Sums run over blocks of rows of a fixed size, added in order: the same bits for any number of threads.

use std::borrow::Cow;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use pulp::Arch;
use rayon::prelude::*;

/// Rows that one task sums.
const ROWS: usize = 256;

/// What a number in an array may be: `f32` or `f64`.
pub trait Element: Copy + Into<f64> + Send + Sync {}

impl<T: Copy + Into<f64> + Send + Sync> Element for T {}

/// Means and sums of squares of the columns over some rows.
pub(super) struct Moments {
    /// The mean of each column, exact where the column is constant.
    pub(super) means: Array1<f64>,
    /// The sum of squared distances to the mean of each column.
    pub(super) squares: Array1<f64>,
}

/// The moments of the columns of `matrix` over `rows`, in that order, or over all its rows.
pub(super) fn moments<T: Element>(matrix: ArrayView2<'_, T>, rows: Option<&[usize]>) -> Moments {
    let n = rows.map_or(matrix.nrows(), <[usize]>::len);
    let d = matrix.ncols();
    if n == 0 || d == 0 {
        return Moments { means: Array1::zeros(d), squares: Array1::zeros(d) };
    }
    // Distances to the first row, so that a large mean costs no digits and a constant column sums to zero.
    let origin: Vec<f64> = row(matrix, rows, 0).iter().map(|&value| value.into()).collect();
    let blocks: Vec<(Vec<f64>, Vec<f64>)> = (0..n.div_ceil(ROWS))
        .into_par_iter()
        .map(|block| {
            let (mut sums, mut squares) = (vec![0.0; d], vec![0.0; d]);
            for place in block * ROWS..n.min((block + 1) * ROWS) {
                add_distances(&contiguous(row(matrix, rows, place)), &origin, &mut sums, &mut squares);
            }
            (sums, squares)
        })
        .collect();
    let (mut sums, mut squares) = (Array1::zeros(d), Array1::zeros(d));
    for (block_sums, block_squares) in blocks {
        sums += &Array1::from_vec(block_sums);
        squares += &Array1::from_vec(block_squares);
    }
    let means = &sums / n as f64;
    let squares = &squares - &(&sums * &means);
    Moments { means: means + Array1::from_vec(origin), squares: squares.mapv(|square: f64| square.max(0.0)) }
}

/// The rows of `matrix` at `rows`, or all of them, in double precision, less `means`.
pub(super) fn centered<T: Element>(
    matrix: ArrayView2<'_, T>,
    rows: Option<&[usize]>,
    means: ArrayView1<'_, f64>,
) -> Array2<f64> {
    let n = rows.map_or(matrix.nrows(), <[usize]>::len);
    let d = matrix.ncols();
    let means = means.to_vec();
    let mut out = vec![0.0; n * d];
    out.par_chunks_mut((ROWS * d).max(1)).enumerate().for_each(|(block, chunk)| {
        for (place, target) in chunk.chunks_exact_mut(d).enumerate() {
            copy_centered(row(matrix, rows, block * ROWS + place), &means, target);
        }
    });
    Array2::from_shape_vec((n, d), out).expect("the elements fill the shape")
}

/// Writes one row in double precision, less `means`.
pub(super) fn copy_centered<T: Element>(values: ArrayView1<'_, T>, means: &[f64], target: &mut [f64]) {
    copy_scaled(values, means, 1.0, target, |value| value);
}

/// Writes one row less `means` and times `factor`, rounded, before whatever `target` has beyond it.
pub(super) fn copy_scaled<T: Element, P>(
    values: ArrayView1<'_, T>,
    means: &[f64],
    factor: f64,
    target: &mut [P],
    round: impl Fn(f64) -> P,
) {
    let values = contiguous(values);
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for ((target, &value), &mean) in target.iter_mut().zip(values.iter()).zip(means) {
                *target = round((value.into() - mean) * factor);
            }
        },
    );
}

/// Adds the distances to `origin`, and their squares.
fn add_distances<T: Element>(values: &[T], origin: &[f64], sums: &mut [f64], squares: &mut [f64]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (((sum, square), &value), &origin) in sums.iter_mut().zip(squares).zip(values).zip(origin) {
                let distance = value.into() - origin;
                *sum += distance;
                *square += distance * distance;
            }
        },
    );
}

/// The values of a row side by side, copied only if they are not.
fn contiguous<T: Element>(values: ArrayView1<'_, T>) -> Cow<'_, [T]> {
    values.to_slice().map_or_else(|| Cow::Owned(values.to_vec()), Cow::Borrowed)
}

/// Only the columns at `columns`; no copy when these are all.
pub(super) fn only(matrix: Array2<f64>, columns: &[usize]) -> Array2<f64> {
    if columns.len() == matrix.ncols() { matrix } else { matrix.select(Axis(1), columns) }
}

fn row<'a, T>(matrix: ArrayView2<'a, T>, rows: Option<&[usize]>, place: usize) -> ArrayView1<'a, T> {
    matrix.index_axis_move(Axis(0), rows.map_or(place, |rows| rows[place]))
}
