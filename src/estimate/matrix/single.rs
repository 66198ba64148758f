//! Single precision: good for a preconditioner, not for a result.
//!
//! Every call is sequential; callers share the work out by index, so that results do not depend on the threads.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2};

/// The product `a b`.
pub(in crate::estimate) fn product(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f32> {
    let (rows, columns) = (a.nrows(), b.ncols());
    let mut out = Array2::zeros((rows, columns));
    let view = out.as_slice_mut().expect("owned arrays made here are in row order");
    let view = MatMut::from_row_major_slice_mut(view, rows, columns);
    matmul(view, Accum::Replace, borrow(a), borrow(b), 1.0, Par::Seq);
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
