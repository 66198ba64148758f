//! Single precision: good for a preconditioner or a network, not for a result.
//!
//! What is shared out is so by rows whose number is fixed here, so that results do not depend on the threads.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

/// Rows of a product that one task computes.
const ROWS: usize = 64;

/// Multiplications that are worth a task.
const WORTH: usize = 1 << 20;

/// The product `a b` on the calling thread.
pub(in crate::estimate) fn product(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut out = Array2::zeros((a.nrows(), b.ncols()));
    write_product(&mut out, a, b);
    out
}

/// Writes the product `a b` to an array of its shape, on the calling thread.
pub(in crate::estimate) fn write_product(out: &mut Array2<f32>, a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) {
    let (rows, columns) = out.dim();
    let view = out.as_slice_mut().expect("owned arrays made here are in row order");
    let view = MatMut::from_row_major_slice_mut(view, rows, columns);
    matmul(view, Accum::Replace, borrow(a), borrow(b), 1.0, Par::Seq);
}

/// The product `a b`, on as many threads as there are.
pub(in crate::estimate) fn shared_product(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f32> {
    let ((rows, between), columns) = (a.dim(), b.ncols());
    let mut out = Array2::zeros((rows, columns));
    let (a, b) = (borrow(a), borrow(b));
    let task = |(task, chunk): (usize, &mut [f32])| {
        let count = chunk.len() / columns;
        let part = MatMut::from_row_major_slice_mut(chunk, count, columns);
        matmul(part, Accum::Replace, a.subrows(task * ROWS, count), b, 1.0, Par::Seq);
    };
    let chunk = (ROWS * columns).max(1);
    let slice = out.as_slice_mut().expect("owned arrays made here are in row order");
    if ROWS.min(rows) * between * columns < WORTH {
        slice.chunks_mut(chunk).enumerate().for_each(task);
    } else {
        slice.par_chunks_mut(chunk).enumerate().for_each(task);
    }
    out
}

/// The library's view of an array that lies in rows or in columns.
fn borrow(array: ArrayView2<'_, f32>) -> MatRef<'_, f32> {
    let (rows, columns) = array.dim();
    if let Some(by_rows) = array.to_slice() {
        return MatRef::from_row_major_slice(by_rows, rows, columns);
    }
    let by_columns = array.reversed_axes().to_slice().expect("blocks of rows and their transposes are contiguous");
    MatRef::from_column_major_slice(by_columns, rows, columns)
}
