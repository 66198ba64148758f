//! Single precision: good for a preconditioner, not for a result.
//!
//! Every call is sequential on a shape that the problem alone decides; callers share the work out by index.
//! So results do not depend on the number of threads.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::{Accum, Mat, MatMut, MatRef, Par, Spec};
use rayon::prelude::*;

/// Columns of a Gram matrix that one task computes.
const PANEL: usize = 64;

/// The lower triangle of `XᵀX` for row-major `x` with `columns` columns kept of every `stride`, by columns.
///
/// What lies above the diagonal blocks is zero. Sums are in f32: good for a preconditioner, not for a result.
pub(crate) fn gram(x: &[f32], stride: usize, columns: usize) -> Vec<f32> {
    let mut gram = vec![0.0; columns * columns];
    let x = MatRef::from_row_major_slice(x, x.len() / stride, stride);
    gram.par_chunks_mut(columns * PANEL).enumerate().for_each(|(panel, out)| {
        let first = panel * PANEL;
        let width = out.len() / columns;
        let mut out = MatMut::from_column_major_slice_mut(out, columns, width);
        let below = x.subcols(first, columns - first);
        faer::linalg::matmul::matmul(
            out.as_mut().subrows_mut(first, columns - first),
            Accum::Replace,
            below.transpose(),
            x.subcols(first, width),
            1.0,
            Par::Seq,
        );
    });
    gram
}

/// A Cholesky factor.
pub(crate) struct Factor {
    lower: Mat<f32>,
}

impl Factor {
    /// Factors `scale · gram + shift · I`, given the lower triangle of `gram`; `None` if it is not positive definite.
    pub(crate) fn new(gram: &[f32], columns: usize, scale: f32, shift: f32) -> Option<Self> {
        let gram = MatRef::from_column_major_slice(gram, columns, columns);
        let mut lower = Mat::from_fn(columns, columns, |row, column| {
            scale * gram[(row, column)] + if row == column { shift } else { 0.0 }
        });
        let scratch = llt::factor::cholesky_in_place_scratch::<f32>(columns, Par::Seq, Spec::default());
        llt::factor::cholesky_in_place(
            lower.as_mut(),
            llt::factor::LltRegularization::default(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Spec::default(),
        )
        .ok()?;
        Some(Self { lower })
    }

    /// Solves for every column of `right`, in place; `right` holds one column after the other.
    pub(crate) fn solve(&self, right: &mut [f32]) {
        let n = self.lower.nrows();
        let columns = right.len() / n;
        let scratch = llt::solve::solve_in_place_scratch::<f32>(n, columns, Par::Seq);
        llt::solve::solve_in_place(
            self.lower.as_ref(),
            MatMut::from_column_major_slice_mut(right, n, columns),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
        );
    }
}
