//! Dense linear algebra in double precision; only this folder names the library behind it.
//!
//! Every routine gives the same bits for any number of threads: the library runs on one thread,
//! work is cut into blocks whose size is fixed here, and each element of a result is summed by one block.
//! Every routine may be called from within a parallel task.

use super::product;
use crate::estimate::EstimateError;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::ldlt;
use faer::linalg::evd;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par, Spec};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix2, s};

/// The product `a b`.
pub(in crate::estimate) fn product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let (a, b) = (a.as_standard_layout(), b.as_standard_layout());
    from_rows(a.nrows(), b.ncols(), product::product(borrow(&a), borrow(&b)))
}

/// The product `aᵀ b`.
pub(in crate::estimate) fn transposed_product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let (a, b) = (transposed(a), b.as_standard_layout());
    from_rows(a.nrows(), b.ncols(), product::product(borrow(&a), borrow(&b)))
}

/// The product `a bᵀ`.
pub(in crate::estimate) fn product_transposed(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let (a, b) = (a.as_standard_layout(), b.as_standard_layout());
    from_rows(a.nrows(), b.nrows(), product::product(borrow(&a), borrow(&b).transpose()))
}

/// The product `a bᵀ` on the calling thread.
pub(in crate::estimate) fn small_product_transposed(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let (a, b) = (a.as_standard_layout(), b.as_standard_layout());
    let (rows, columns) = (a.nrows(), b.nrows());
    let mut out = vec![0.0; rows * columns];
    let view = MatMut::from_row_major_slice_mut(&mut out, rows, columns);
    matmul(view, Accum::Replace, borrow(&a), borrow(&b).transpose(), 1.0, Par::Seq);
    from_rows(rows, columns, out)
}

/// The Gram matrix `aᵀ a` of the columns: its upper triangle, with zeros below.
pub(in crate::estimate) fn gram(a: ArrayView2<'_, f64>) -> Array2<f64> {
    row_gram(transposed(a).view())
}

/// The Gram matrix `a aᵀ` of the rows: its upper triangle, with zeros below.
pub(in crate::estimate) fn row_gram(a: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut sum = Array2::zeros((a.nrows(), a.nrows()));
    add_row_gram(&mut sum, a);
    sum
}

/// Adds the Gram matrix of the rows to the upper triangle of a sum that has zeros below.
pub(in crate::estimate) fn add_row_gram(sum: &mut Array2<f64>, a: ArrayView2<'_, f64>) {
    let a = a.as_standard_layout();
    let sum = sum.as_slice_mut().expect("owned arrays made here are in row order");
    product::add_symmetric(sum, borrow(&a), borrow(&a).transpose());
}

/// Eigenvalues in decreasing order, with one eigenvector a row.
#[derive(Clone, Debug)]
pub(in crate::estimate) struct Eigen {
    /// The eigenvalues.
    pub(in crate::estimate) values: Array1<f64>,
    /// The eigenvectors, of length one, in the order of the eigenvalues.
    pub(in crate::estimate) vectors: Array2<f64>,
}

impl Eigen {
    /// The number of eigenvalues above `cutoff` times the largest one.
    pub(in crate::estimate) fn rank(&self, cutoff: f64) -> usize {
        let largest = self.values.first().copied().unwrap_or(0.0);
        self.values.iter().filter(|&&value| value > 0.0 && value > cutoff * largest).count()
    }
}

/// The eigenvalues and eigenvectors of a symmetric matrix, of which the upper triangle is read.
pub(in crate::estimate) fn eigen(symmetric: ArrayView2<'_, f64>) -> Result<Eigen, EstimateError> {
    let symmetric = symmetric.as_standard_layout();
    let n = symmetric.nrows();
    let mut values = vec![0.0; n];
    let mut vectors = vec![0.0; n * n];
    let scratch = evd::self_adjoint_evd_scratch::<f64>(n, evd::ComputeEigenvectors::Yes, Par::Seq, Spec::default());
    evd::self_adjoint_evd(
        borrow(&symmetric).transpose(),
        faer::diag::DiagMut::from_slice_mut(&mut values),
        Some(MatMut::from_column_major_slice_mut(&mut vectors, n, n)),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Spec::default(),
    )
    .map_err(|error| EstimateError::Numeric { step: "eigendecomposition", reason: format!("{error:?}") })?;
    values.reverse();
    let mut sorted = Vec::with_capacity(n * n);
    for vector in vectors.chunks_exact(n.max(1)).rev() {
        sorted.extend_from_slice(vector);
    }
    Ok(Eigen { values: Array1::from_vec(values), vectors: from_rows(n, n, sorted) })
}

/// The number of eigenvalues above `threshold` of a symmetric matrix, of which the upper triangle is read.
///
/// Counted by Sylvester's law of inertia: the positive pivots of the shifted matrix.
pub(in crate::estimate) fn eigenvalues_above(
    symmetric: ArrayView2<'_, f64>,
    threshold: f64,
) -> Result<usize, EstimateError> {
    let n = symmetric.nrows();
    let mut shifted = symmetric.as_standard_layout().into_owned();
    shifted.diag_mut().mapv_inplace(|value| value - threshold);
    let slice = shifted.as_slice_mut().expect("owned arrays made here are in row order");
    let scratch = ldlt::factor::cholesky_in_place_scratch::<f64>(n, Par::Seq, Spec::default());
    ldlt::factor::cholesky_in_place(
        MatMut::from_column_major_slice_mut(slice, n, n),
        ldlt::factor::LdltRegularization::default(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Spec::default(),
    )
    .map_err(|error| EstimateError::Numeric { step: "rank", reason: format!("{error:?}") })?;
    Ok(shifted.diag().iter().filter(|&&pivot| pivot > 0.0).count())
}

/// The product of a symmetric matrix, of which the upper triangle is read, and a vector.
pub(in crate::estimate) fn symmetric_image(symmetric: ArrayView2<'_, f64>, vector: &Array1<f64>) -> Array1<f64> {
    let mut image = &symmetric.diag() * vector;
    // One sweep in row order: a sweep along columns would miss the cache at every step.
    for (place, row) in symmetric.outer_iter().enumerate() {
        let right = row.slice_move(s![place + 1..]);
        image[place] += right.dot(&vector.slice(s![place + 1..]));
        image.slice_mut(s![place + 1..]).scaled_add(vector[place], &right);
    }
    image
}

/// Copies the upper triangle of a square matrix to the lower one.
pub(in crate::estimate) fn mirror(symmetric: &mut Array2<f64>) {
    for row in 1..symmetric.nrows() {
        for column in 0..row {
            symmetric[[row, column]] = symmetric[[column, row]];
        }
    }
}

/// A transposed copy in row order.
pub(in crate::estimate) fn transposed(a: ArrayView2<'_, f64>) -> Array2<f64> {
    let a = a.as_standard_layout();
    let elements = a.as_slice().expect("the array was put in row order");
    from_rows(a.ncols(), a.nrows(), product::transposed(elements, a.ncols()))
}

/// The library's view of an array in row order.
fn borrow<S: Data<Elem = f64>>(array: &ArrayBase<S, Ix2>) -> MatRef<'_, f64> {
    let slice = array.as_slice().expect("the array was put in row order");
    MatRef::from_row_major_slice(slice, array.nrows(), array.ncols())
}

/// An array from its elements in row order.
fn from_rows(rows: usize, columns: usize, elements: Vec<f64>) -> Array2<f64> {
    Array2::from_shape_vec((rows, columns), elements).expect("the elements fill the shape")
}
