//! A linear probe of features that are computed from the units.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::fitted::{Classes, Fitted};
use super::kernels::Block;
use super::linear::Linear;
use super::standardize::Scaler;
use crate::estimate::{Flag, Split};

/// Rows whose features one task computes.
const ROWS: usize = 64;

/// Fits a linear probe to `n_features` features of the standardized units and lets it judge the held-out rows.
///
/// `features` writes the features of a block of samples, row after row.
pub(super) fn fit<T: Copy + Into<f64> + Sync>(
    linear: &Linear,
    (z, scaler): (ArrayView2<'_, T>, &Scaler),
    classes: &Classes<'_>,
    split: &Split,
    n_features: usize,
    features: impl Fn(Block<'_>, &mut [f32]) + Sync,
) -> Fitted {
    // Only the rows of the split, for there may be many others and each takes many features.
    let rows = [&split.train[..], &split.test[..]].concat();
    let numbers: Vec<u32> = rows.iter().map(|&row| classes.numbers[row]).collect();
    let n_train = split.train.len();
    let split = Split { train: (0..n_train).collect(), test: (n_train..rows.len()).collect() };
    let expanded = expand(z, scaler, &rows, n_features, features);
    let classes = Classes { numbers: &numbers, n_classes: classes.n_classes };
    let mut fitted = linear.fit(expanded.view(), &classes, &split);
    // Of the units, not of their features: the square of a unit with two values is constant.
    fitted.flags.retain(|&flag| flag != Flag::ConstantUnits);
    if 0 < scaler.n_columns() && scaler.n_columns() < z.ncols() {
        fitted.flags.push(Flag::ConstantUnits);
    }
    fitted.details.insert("n_features".to_owned(), n_features.into());
    fitted
}

fn expand<T: Copy + Into<f64> + Sync>(
    z: ArrayView2<'_, T>,
    scaler: &Scaler,
    rows: &[usize],
    n_features: usize,
    features: impl Fn(Block<'_>, &mut [f32]) + Sync,
) -> Array2<f32> {
    let mut out = vec![0.0; rows.len() * n_features];
    let units = scaler.apply(z, rows);
    out.par_chunks_mut((ROWS * n_features).max(1)).enumerate().for_each(|(block, out)| {
        features(units.block(block * ROWS, out.len() / n_features), out);
    });
    Array2::from_shape_vec((rows.len(), n_features), out).expect("so many features for each row")
}
