//! Ridge regression from sums of products, shared between the folds of a cross-validation.
//!
//! Every fold's products are summed once; a fold is left out by subtracting them from the total.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip, s};
use rayon::prelude::*;

use crate::estimate::EstimateError;
use crate::estimate::matrix::double as matrix;
use crate::estimate::matrix::factor::Cholesky;

const IN_ROWS: &str = "owned arrays made here are in row order";

/// The number of units up to which one eigendecomposition a fold can be cheaper than a factorization a penalty.
const NARROW: usize = 640;

/// Whether one eigendecomposition a fold beats a factorization a penalty: for narrow layers, and targets at least as
/// wide, whose solutions would have to be computed anew for each penalty.
fn eigenvalues_pay(n_units: usize, n_targets: usize) -> bool {
    n_units <= NARROW && n_units <= n_targets
}

/// Sums of products over some samples of a layer Z and a target Y.
#[derive(Clone)]
pub(in crate::estimate) struct Products {
    /// Number of samples.
    n: f64,
    /// Sum of the rows of Z.
    z: Array1<f64>,
    /// Sum of the rows of Y.
    y: Array1<f64>,
    /// `ZᵀZ`, its upper triangle.
    zz: Array2<f64>,
    /// `YᵀZ`.
    yz: Array2<f64>,
    /// |Y|².
    yy: f64,
}

impl Products {
    /// The products of some samples.
    pub(super) fn new(z: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>) -> Self {
        let mut products = Self {
            n: 0.0,
            z: Array1::zeros(z.ncols()),
            y: Array1::zeros(y.ncols()),
            zz: Array2::zeros((z.ncols(), z.ncols())),
            yz: Array2::zeros((y.ncols(), z.ncols())),
            yy: 0.0,
        };
        products.extend(z, y);
        products
    }

    /// Adds the products of other samples.
    pub(super) fn extend(&mut self, z: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>) {
        self.n += z.nrows() as f64;
        self.z += &z.sum_axis(Axis(0));
        self.y += &y.sum_axis(Axis(0));
        let columns = matrix::transposed(z);
        matrix::add_row_gram(&mut self.zz, columns.view());
        self.yz += &matrix::transposed(matrix::product(columns.view(), y).view());
        self.yy += y.outer_iter().map(|row| row.dot(&row)).sum::<f64>();
    }

    /// The products of each fold.
    pub(in crate::estimate) fn of_folds(
        z: ArrayView2<'_, f64>,
        y: ArrayView2<'_, f64>,
        folds: &[Range<usize>],
    ) -> Vec<Self> {
        folds.par_iter().map(|fold| Self::new(z.slice(s![fold.clone(), ..]), y.slice(s![fold.clone(), ..]))).collect()
    }

    /// The products of the samples of all parts, added in order.
    pub(in crate::estimate) fn total(parts: &[Self]) -> Self {
        let mut total = parts[0].clone();
        for part in &parts[1..] {
            total.add(part);
        }
        total
    }

    fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.z += &other.z;
        self.y += &other.y;
        self.zz += &other.zz;
        self.yz += &other.yz;
        self.yy += other.yy;
    }

    /// The Gram matrix of Z, its upper triangle.
    pub(super) fn gram(&self) -> ArrayView2<'_, f64> {
        self.zz.view()
    }

    /// The weights, one row a target column, that minimize |Y − ZWᵀ|² + α|W|².
    pub(in crate::estimate) fn weights(&self, alpha: f64) -> Result<Array2<f64>, EstimateError> {
        self.weights_within(alpha, &mut Array2::zeros(self.zz.dim()))
    }

    /// As [`Products::weights`], with room for a matrix of units × units: to make it anew takes a while.
    pub(super) fn weights_within(&self, alpha: f64, space: &mut Array2<f64>) -> Result<Array2<f64>, EstimateError> {
        each_row(space, |place, row| row.copy_from_slice(self.zz.row(place).as_slice().expect(IN_ROWS)));
        space.diag_mut().mapv_inplace(|value| value + alpha);
        let factor = Cholesky::new(std::mem::take(space))?;
        let mut weights = self.yz.clone();
        factor.solve_rows(&mut weights);
        *space = factor.into_space();
        Ok(weights)
    }

    /// The products of the samples that are in `self` and not in `fold`, about their own means, and these means.
    pub(super) fn without(&self, fold: Self) -> (Self, Array1<f64>, Array1<f64>) {
        let n = self.n - fold.n;
        let z = (&self.z - &fold.z) / n;
        let y = (&self.y - &fold.y) / n;
        let mut rest = Self {
            n,
            z: Array1::zeros(z.len()),
            y: Array1::zeros(y.len()),
            yy: self.yy - fold.yy - n * y.dot(&y),
            ..fold
        };
        let subtract = |rest: &mut Array2<f64>, total: &Array2<f64>, left: &Array1<f64>| {
            each_row(rest, |place, row| {
                for ((rest, total), right) in row.iter_mut().zip(total.row(place)).zip(&z) {
                    *rest = total - *rest - n * left[place] * right;
                }
            });
        };
        subtract(&mut rest.zz, &self.zz, &z);
        subtract(&mut rest.yz, &self.yz, &y);
        (rest, z, y)
    }

    /// The products about other means.
    fn about(&self, z: &Array1<f64>, y: &Array1<f64>) -> Self {
        let mut moved = self.clone();
        // Σ(y − μ)(z − ν)ᵀ = Σyzᵀ − μ(Σz)ᵀ − (Σy)νᵀ + nμνᵀ = Σyzᵀ − μ(Σz − nν)ᵀ − (Σy)νᵀ
        moved.z.scaled_add(-self.n, z);
        moved.y.scaled_add(-self.n, y);
        add_outer(&mut moved.zz, -1.0, z.view(), moved.z.view());
        add_outer(&mut moved.zz, -1.0, self.z.view(), z.view());
        add_outer(&mut moved.yz, -1.0, y.view(), moved.z.view());
        add_outer(&mut moved.yz, -1.0, self.y.view(), z.view());
        moved.yy -= y.dot(&moved.y) + y.dot(&self.y);
        moved
    }
}

/// The summed squared error over all folds, each predicted from the others, for every penalty.
pub(in crate::estimate) fn cross_validated(
    z: ArrayView2<'_, f64>,
    y: ArrayView2<'_, f64>,
    folds: &[Range<usize>],
    parts: &[Products],
    total: &Products,
    alphas: &[f64],
) -> Result<Vec<f64>, EstimateError> {
    let losses: Vec<Vec<f64>> = folds
        .par_iter()
        .zip(parts)
        .map(|(fold, part)| {
            if eigenvalues_pay(z.ncols(), y.ncols()) {
                losses_by_eigenvalues(part, total, alphas)
            } else {
                let rows = s![fold.clone(), ..];
                losses_by_factors(z.slice(rows), y.slice(rows), part, total, alphas)
            }
        })
        .collect::<Result<_, _>>()?;
    Ok((0..alphas.len()).map(|index| losses.iter().map(|fold| fold[index]).sum()).collect())
}

/// The losses on one fold from products alone: in the eigenvectors' coordinates a penalty costs O(d²).
///
/// ```text
/// |Y_f|² − 2 Σᵢ sᵢ (A Bᵀ)ᵢᵢ + Σᵢⱼ sᵢ sⱼ (A Aᵀ)ᵢⱼ (Vᵀ Z_fᵀ Z_f V)ᵢⱼ      s = 1 / (λ + α)
/// ```
///
/// where λ and V are the eigenvalues and eigenvectors of the other samples' Gram matrix, A is Vᵀ times their products
/// with the target, so that the weights are `V diag(s) A`, and B is the same of the fold f.
fn losses_by_eigenvalues(part: &Products, total: &Products, alphas: &[f64]) -> Result<Vec<f64>, EstimateError> {
    let (rest, mean_z, mean_y) = total.without(part.clone());
    let mut held_out = part.about(&mean_z, &mean_y);
    matrix::mirror(&mut held_out.zz);
    let eigen = matrix::eigen(rest.zz.view())?;
    let rotated = matrix::product_transposed(rest.yz.view(), eigen.vectors.view());
    let rotated_held_out = matrix::product_transposed(held_out.yz.view(), eigen.vectors.view());
    let half = matrix::product(eigen.vectors.view(), held_out.zz.view());
    let mut quadratic = matrix::product_transposed(half.view(), eigen.vectors.view());
    let mut squares = matrix::gram(rotated.view());
    matrix::mirror(&mut squares);
    quadratic *= &squares;
    let linear = (&rotated * &rotated_held_out).sum_axis(Axis(0));
    Ok(alphas
        .iter()
        .map(|alpha| {
            let shrink = eigen.values.mapv(|value| 1.0 / (value.max(0.0) + alpha));
            held_out.yy - 2.0 * shrink.dot(&linear) + shrink.dot(&quadratic.dot(&shrink))
        })
        .collect())
}

/// The losses on one fold by one factorization a penalty and a prediction of the fold.
fn losses_by_factors(
    z: ArrayView2<'_, f64>,
    y: ArrayView2<'_, f64>,
    part: &Products,
    total: &Products,
    alphas: &[f64],
) -> Result<Vec<f64>, EstimateError> {
    let (rest, mean_z, mean_y) = total.without(part.clone());
    let z = &z - &mean_z;
    let y = &y - &mean_y;
    alphas.par_iter().map(|&alpha| Ok(squared_errors(z.view(), y.view(), &rest.weights(alpha)?).sum())).collect()
}

/// The summed squared error of each sample.
pub(in crate::estimate) fn squared_errors(
    z: ArrayView2<'_, f64>,
    y: ArrayView2<'_, f64>,
    weights: &Array2<f64>,
) -> Array1<f64> {
    let predicted = matrix::product_transposed(z, weights.view());
    Zip::from(predicted.rows())
        .and(y.rows())
        .map_collect(|predicted, y| predicted.iter().zip(y).map(|(predicted, y)| (y - predicted).powi(2)).sum())
}

/// Does something to each row of a matrix, a row a task.
fn each_row(matrix: &mut Array2<f64>, act: impl Fn(usize, &mut [f64]) + Sync) {
    let columns = matrix.ncols().max(1);
    let rows = matrix.as_slice_mut().expect(IN_ROWS).par_chunks_mut(columns);
    rows.enumerate().for_each(|(place, row)| act(place, row));
}

/// Adds `factor · left · rightᵀ`.
fn add_outer(sum: &mut Array2<f64>, factor: f64, left: ArrayView1<'_, f64>, right: ArrayView1<'_, f64>) {
    for (mut row, &left) in sum.outer_iter_mut().zip(left) {
        row.scaled_add(factor * left, &right);
    }
}
