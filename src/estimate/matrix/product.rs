//! Products of matrices, shared out in tasks whose shapes are fixed here.
//!
//! The library's kernels run at their full rate where the left side lies in rows and tasks share out the columns of the
//! result: at half of it where the left side lies in columns, and the more slowly the fewer rows a task has.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Columns of a product that one task computes.
const COLUMNS: usize = 144;

/// Columns of a symmetric product that one task computes: fewer, since tasks differ in length.
const SYMMETRIC: usize = 64;

/// Rows that one task computes of a product with few columns.
const ROWS: usize = 256;

/// The side of the squares in which a matrix is transposed.
const SQUARE: usize = 32;

/// The elements of `a b` in row order; `a` lies in rows.
pub(super) fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Vec<f64> {
    let (rows, columns) = (a.nrows(), b.ncols());
    let mut out = vec![0.0; rows * columns];
    if columns < 2 * COLUMNS {
        out.par_chunks_mut((ROWS * columns).max(1)).enumerate().for_each(|(task, chunk)| {
            let count = chunk.len() / columns;
            let part = MatMut::from_row_major_slice_mut(chunk, count, columns);
            matmul(part, Accum::Replace, a.subrows(task * ROWS, count), b, 1.0, Par::Seq);
        });
    } else {
        let whole = MatMut::from_row_major_slice_mut(&mut out, rows, columns);
        in_columns(whole, COLUMNS).into_par_iter().enumerate().for_each(|(task, part)| {
            let b = b.subcols(task * COLUMNS, part.ncols());
            matmul(part, Accum::Replace, a, b, 1.0, Par::Seq);
        });
    }
    out
}

/// Adds the upper triangle of a symmetric `a b` to elements in row order, those below stay zero; `a` lies in rows.
pub(super) fn add_symmetric(out: &mut [f64], a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    let n = a.nrows();
    let whole = MatMut::from_row_major_slice_mut(out, n, n);
    in_columns(whole, SYMMETRIC).into_par_iter().enumerate().for_each(|(task, part)| {
        let (first, count) = (task * SYMMETRIC, part.ncols());
        let mut upper = part.subrows_mut(0, first + count);
        let columns = b.subcols(first, count);
        matmul(upper.as_mut(), Accum::Add, a.subrows(0, first + count), columns, 1.0, Par::Seq);
        // The square on the diagonal was computed whole.
        for row in 1..count {
            upper.as_mut().row_mut(first + row).subcols_mut(0, row).fill(0.0);
        }
    });
}

/// The parts of a matrix of so many columns each, but for the last one.
fn in_columns(matrix: MatMut<'_, f64>, columns: usize) -> Vec<MatMut<'_, f64>> {
    let mut parts = Vec::new();
    let mut rest = matrix;
    while rest.ncols() > columns {
        let (part, behind) = rest.split_at_col_mut(columns);
        parts.push(part);
        rest = behind;
    }
    parts.push(rest);
    parts
}

/// The elements of a transposed matrix in row order, from those of a matrix with so many columns.
pub(super) fn transposed(elements: &[f64], columns: usize) -> Vec<f64> {
    let rows = elements.len() / columns.max(1);
    let mut out = vec![0.0; elements.len()];
    // A walk along the columns of the whole would miss the cache at every step.
    out.par_chunks_mut((SQUARE * rows).max(1)).enumerate().for_each(|(task, chunk)| {
        for first in (0..rows).step_by(SQUARE) {
            for (place, line) in chunk.chunks_exact_mut(rows).enumerate() {
                let count = SQUARE.min(rows - first);
                for (row, element) in line[first..first + count].iter_mut().enumerate() {
                    *element = elements[(first + row) * columns + task * SQUARE + place];
                }
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ArrayView2};

    use super::*;

    fn borrow(array: &Array2<f64>) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(array.as_slice().unwrap(), array.nrows(), array.ncols())
    }

    /// Small whole numbers: every product and sum of them is exact.
    fn whole(rows: usize, columns: usize) -> Array2<f64> {
        Array2::from_shape_fn((rows, columns), |(row, column)| ((row * 7 + column * 13) % 11) as f64 - 5.0)
    }

    fn sums(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Vec<f64> {
        a.outer_iter().flat_map(|row| b.columns().into_iter().map(move |column| (&row * &column).sum())).collect()
    }

    #[test]
    fn products_are_sums_of_products_with_few_columns_and_with_many() {
        for (rows, between, columns) in [(1, 1, 1), (300, 5, 3), (40, 9, 255), (3, 4, 256), (20, 7, 300)] {
            let (a, b) = (whole(rows, between), whole(between, columns));
            assert_eq!(product(borrow(&a), borrow(&b)), sums(a.view(), b.view()), "{rows} {between} {columns}");
        }
    }

    #[test]
    fn symmetric_products_have_zeros_below_the_diagonal() {
        for n in [1, 63, 64, 65, 150] {
            let a = whole(n, 3);
            let mut expected = Array2::from_shape_vec((n, n), sums(a.view(), a.t())).unwrap();
            for row in 0..n {
                expected.row_mut(row).iter_mut().take(row).for_each(|element| *element = 0.0);
            }
            let mut sum = vec![0.0; n * n];
            for _ in 0..2 {
                add_symmetric(&mut sum, borrow(&a), borrow(&a).transpose());
            }
            assert_eq!(sum, (2.0 * expected).into_raw_vec_and_offset().0, "{n}");
        }
    }

    #[test]
    fn rows_become_columns() {
        for (rows, columns) in [(1, 1), (31, 33), (32, 64), (70, 5)] {
            let a = whole(rows, columns);
            assert_eq!(transposed(a.as_slice().unwrap(), columns), a.t().iter().copied().collect::<Vec<_>>());
        }
    }
}
