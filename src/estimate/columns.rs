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
pub trait Element: Copy + Into<f64> + Send + Sync {
    /// The number nearest to one in double precision.
    fn nearest(value: f64) -> Self;
}

impl Element for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding is what this is for")]
    fn nearest(value: f64) -> Self {
        value as Self
    }
}

impl Element for f64 {
    fn nearest(value: f64) -> Self {
        value
    }
}

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
    let origin = contiguous(row(matrix, rows, 0));
    let blocks: Vec<Distances> = (0..n.div_ceil(ROWS))
        .into_par_iter()
        .map(|block| {
            let mut distances = Distances::none(d);
            for place in block * ROWS..n.min((block + 1) * ROWS) {
                distances.add(&contiguous(row(matrix, rows, place)), &origin, 0);
            }
            distances
        })
        .collect();
    Distances::moments(blocks.iter(), &origin, n)
}

/// Sums over some rows of the distances of each column to an origin, and of their squares.
pub(super) struct Distances {
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Distances {
    /// Those of no row, for so many columns.
    pub(super) fn none(columns: usize) -> Self {
        Self { sums: vec![0.0; columns], squares: vec![0.0; columns] }
    }

    /// Adds a part of a row, of the columns from `column` on; `origin` is that of the same ones.
    pub(super) fn add<T: Element, O: Element>(&mut self, values: &[T], origin: &[O], column: usize) {
        let (sums, squares) = (&mut self.sums[column..], &mut self.squares[column..]);
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (((sum, square), &value), &origin) in sums.iter_mut().zip(squares).zip(values.iter()).zip(origin) {
                    let distance = value.into() - origin.into();
                    *sum += distance;
                    *square += distance * distance;
                }
            },
        );
    }

    /// The moments of all `n` rows that the parts were summed over, added in order.
    pub(super) fn moments<'a, O: Element>(parts: impl Iterator<Item = &'a Self>, origin: &[O], n: usize) -> Moments {
        let (mut sums, mut squares) = (Array1::zeros(origin.len()), Array1::zeros(origin.len()));
        for part in parts {
            sums += &ArrayView1::from(&part.sums);
            squares += &ArrayView1::from(&part.squares);
        }
        let means = &sums / n as f64;
        let squares = &squares - &(&sums * &means);
        let origin: Array1<f64> = origin.iter().map(|&value| value.into()).collect();
        Moments { means: means + origin, squares: squares.mapv(|square: f64| square.max(0.0)) }
    }
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
    copy_distances(&contiguous(values), means, target, |distance| round(distance * factor));
}

/// Writes the distances of one row to an origin as `round` makes them, before whatever `target` has beyond it.
///
/// Where row, origin and target are in single precision and nothing but rounding is done, the compiler does all in that.
pub(super) fn copy_distances<T: Element, O: Element, P>(
    values: &[T],
    origin: &[O],
    target: &mut [P],
    round: impl Fn(f64) -> P,
) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for ((target, &value), &origin) in target.iter_mut().zip(values.iter()).zip(origin) {
                *target = round(value.into() - origin.into());
            }
        },
    );
}

/// The values of a row side by side, copied only if they are not.
pub(super) fn contiguous<T: Element>(values: ArrayView1<'_, T>) -> Cow<'_, [T]> {
    values.to_slice().map_or_else(|| Cow::Owned(values.to_vec()), Cow::Borrowed)
}

/// Only the columns at `columns`; no copy when these are all.
pub(super) fn only(matrix: Array2<f64>, columns: &[usize]) -> Array2<f64> {
    if columns.len() == matrix.ncols() { matrix } else { matrix.select(Axis(1), columns) }
}

fn row<'a, T>(matrix: ArrayView2<'a, T>, rows: Option<&[usize]>, place: usize) -> ArrayView1<'a, T> {
    matrix.index_axis_move(Axis(0), rows.map_or(place, |rows| rows[place]))
}
