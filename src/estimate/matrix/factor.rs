//! The Cholesky factor of a symmetric matrix, on as many threads as there are.
//!
//! The library's own factorization is run on one thread, block by block; what is below and behind a block is updated by
//! products whose shapes are fixed here, so that the bits do not depend on the threads.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::triangular_solve;
use faer::{Accum, MatMut, MatRef, Par, Spec};
use ndarray::Array2;
use rayon::prelude::*;

use crate::estimate::EstimateError;

/// Columns that are factored at once.
const BLOCK: usize = 256;

/// Rows below a block that one task solves and updates.
const TASK: usize = 128;

/// Right-hand sides that one task solves for.
const SIDES: usize = 196;

/// The Cholesky factor of a positive definite matrix.
pub(in crate::estimate) struct Cholesky {
    /// Lower triangle in column order, which is the upper triangle of the array.
    factor: Array2<f64>,
}

impl Cholesky {
    /// Factors a matrix of which the upper triangle is read.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Numeric`] if a pivot is not positive.
    pub(in crate::estimate) fn new(mut symmetric: Array2<f64>) -> Result<Self, EstimateError> {
        let n = symmetric.nrows();
        let matrix = symmetric.as_slice_mut().expect("owned arrays made here are in row order");
        for first in (0..n).step_by(BLOCK) {
            let width = BLOCK.min(n - first);
            let (done, behind) = matrix.split_at_mut((first + width) * n);
            let panel = MatMut::from_column_major_slice_mut(&mut done[first * n..], n, width);
            let (mut corner, mut below) = panel.subrows_mut(first, n - first).split_at_row_mut(width);
            let scratch = llt::factor::cholesky_in_place_scratch::<f64>(width, Par::Seq, Spec::default());
            llt::factor::cholesky_in_place(
                corner.as_mut(),
                llt::factor::LltRegularization::default(),
                Par::Seq,
                MemStack::new(&mut MemBuffer::new(scratch)),
                Spec::default(),
            )
            .map_err(|error| EstimateError::Numeric { step: "Cholesky factorization", reason: format!("{error:?}") })?;
            // Side by side for the products behind, and so that tasks can have rows of their own.
            let mut solved = vec![0.0; below.nrows() * width];
            MatMut::from_row_major_slice_mut(&mut solved, below.nrows(), width).copy_from(below.as_ref());
            solved.par_chunks_mut(TASK * width).for_each(|rows| {
                let columns = MatMut::from_column_major_slice_mut(rows, width, rows.len() / width);
                triangular_solve::solve_lower_triangular_in_place(corner.as_ref(), columns, Par::Seq);
            });
            let solved = MatRef::from_row_major_slice(&solved, below.nrows(), width);
            below.copy_from(solved);
            let behind = MatMut::from_column_major_slice_mut(behind, n, solved.nrows());
            let mut rest = behind.subrows_mut(first + width, solved.nrows());
            let mut tasks = Vec::new();
            while rest.nrows() > 0 {
                let (rows, below) = rest.split_at_row_mut(TASK.min(solved.nrows() - tasks.len() * TASK));
                tasks.push(rows);
                rest = below;
            }
            // By rows, which is how the library's products are fastest; the longest tasks first.
            tasks.into_par_iter().enumerate().rev().for_each(|(task, rows)| {
                let (start, count) = (task * TASK, rows.nrows());
                let left = solved.subrows(start, count);
                let (before, rest) = rows.split_at_col_mut(start);
                matmul(before, Accum::Add, left, solved.subrows(0, start).transpose(), -1.0, Par::Seq);
                triangular::matmul(
                    rest.subcols_mut(0, count),
                    BlockStructure::TriangularLower,
                    Accum::Add,
                    left,
                    BlockStructure::Rectangular,
                    left.transpose(),
                    BlockStructure::Rectangular,
                    -1.0,
                    Par::Seq,
                );
            });
        }
        Ok(Self { factor: symmetric })
    }

    /// The space of the factor, for the next one.
    pub(in crate::estimate) fn into_space(self) -> Array2<f64> {
        self.factor
    }

    /// Replaces each row `b` of `rows` by the solution of `A x = b`.
    pub(in crate::estimate) fn solve_rows(&self, rows: &mut Array2<f64>) {
        let n = self.factor.nrows();
        let factor = self.factor.as_slice().expect("owned arrays made here are in row order");
        let lower = MatRef::from_column_major_slice(factor, n, n);
        let slice = rows.as_slice_mut().expect("owned arrays made here are in row order");
        slice.par_chunks_mut((SIDES * n).max(1)).for_each(|block| {
            let count = block.len() / n;
            let mut sides = MatMut::from_column_major_slice_mut(block, n, count);
            triangular_solve::solve_lower_triangular_in_place(lower, sides.as_mut(), Par::Seq);
            triangular_solve::solve_upper_triangular_in_place(lower.transpose(), sides, Par::Seq);
        });
    }
}

#[cfg(test)]
mod tests {
    use ndarray::s;

    use super::*;
    use crate::estimate::matrix::double::{gram, mirror};
    use crate::estimate::random::SplitMix64;

    #[test]
    fn solves_what_it_factored_in_one_block_and_in_several() {
        // On both sides of the size of a block, and with a rest.
        for n in [1, 5, 255, 256, 257, 600] {
            let mut random = SplitMix64::new(n as u64);
            let z = Array2::from_shape_simple_fn((2 * n + 20, n), || random.normal_pair().0);
            let mut symmetric = gram(z.view());
            symmetric.diag_mut().mapv_inplace(|value| value + 1.0);
            let factor = Cholesky::new(symmetric.clone()).unwrap();
            mirror(&mut symmetric);
            let expected = Array2::from_shape_simple_fn((230, n), || random.normal_pair().0);
            let mut rows = expected.dot(&symmetric);
            factor.solve_rows(&mut rows);
            // The condition number is below 1e4.
            let worst = (&rows - &expected).iter().fold(0.0, |worst: f64, value| worst.max(value.abs()));
            assert!(worst < 1e-10, "{n}: {worst}");
        }
    }

    #[test]
    fn refuses_what_is_not_positive_definite() {
        let mut symmetric = Array2::eye(200);
        symmetric.slice_mut(s![150.., 150..]).diag_mut().fill(-1.0);
        assert!(Cholesky::new(symmetric).is_err());
    }
}
