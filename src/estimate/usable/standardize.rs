//! Features brought to mean 0 and variance 1 on the training rows, in f32.

use std::borrow::Cow;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::kernels::{Block, LANES};

/// Parts that the training rows are summed in: fixed, so that the sums do not depend on the threads.
const PARTS: usize = 32;

/// A column whose standard deviation is this small against its mean only shows the rounding of f32.
const CONSTANT: f64 = 1e-6;

/// The affine map that standardizes, learned from the training rows.
pub(super) struct Scaler {
    /// The columns that are not constant, in order, each with its mean and inverse standard deviation.
    columns: Vec<(usize, f64, f64)>,
}

impl Scaler {
    /// Learns from the given rows, which are at least one.
    pub(super) fn new<T: Copy + Into<f64> + Sync>(z: ArrayView2<'_, T>, rows: &[usize]) -> Self {
        // Sums of differences from a sample keep their digits when the mean is large.
        let origin: Vec<f64> = z.row(rows[0]).iter().map(|&value| value.into()).collect();
        let parts: Vec<(Vec<f64>, Vec<f64>)> = rows
            .par_chunks(rows.len().div_ceil(PARTS))
            .map(|rows| {
                let (mut sums, mut squares) = (vec![0.0; origin.len()], vec![0.0; origin.len()]);
                for &row in rows {
                    let row = z.row(row);
                    let row = row.as_slice().map_or_else(|| Cow::Owned(row.to_vec()), Cow::Borrowed);
                    for (((sum, square), &value), origin) in sums.iter_mut().zip(&mut squares).zip(&*row).zip(&origin) {
                        let difference = value.into() - origin;
                        *sum += difference;
                        *square += difference * difference;
                    }
                }
                (sums, squares)
            })
            .collect();
        let n = rows.len() as f64;
        let moments = |column: usize| {
            let sum = parts.iter().map(|(sums, _)| sums[column]).sum::<f64>();
            let square = parts.iter().map(|(_, squares)| squares[column]).sum::<f64>();
            (origin[column] + sum / n, ((square - sum * sum / n) / n).max(0.0).sqrt())
        };
        let columns = (0..origin.len())
            .map(|column| (column, moments(column)))
            .filter(|&(_, (mean, sd))| sd > CONSTANT * mean.abs())
            .map(|(column, (mean, sd))| (column, mean, sd.recip()))
            .collect();
        Self { columns }
    }

    /// The number of columns that are kept.
    pub(super) fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// The columns that are kept, in order.
    pub(super) fn kept(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|&(column, _, _)| column)
    }

    /// The number of columns that are kept, padded for the kernels.
    pub(super) fn stride(&self) -> usize {
        let stride = self.columns.len().next_multiple_of(LANES);
        // Rows that lie a power of two apart would fall on the same few places of the cache.
        if stride > 0 && stride.is_multiple_of(128) { stride + LANES } else { stride }
    }

    /// Standardizes the given rows, one after the other.
    pub(super) fn apply<T: Copy + Into<f64> + Sync>(&self, z: ArrayView2<'_, T>, rows: &[usize]) -> Features {
        let stride = self.stride();
        let mut features = Features::zeros(rows.len(), stride);
        let start = features.start;
        if stride > 0 {
            features.values[start..][..rows.len() * stride].par_chunks_mut(stride).zip(rows).with_min_len(16).for_each(
                |(out, &row)| {
                    let row = z.row(row);
                    if let (true, Some(row)) = (self.columns.len() == row.len(), row.as_slice()) {
                        for ((out, &value), &(_, mean, scale)) in out.iter_mut().zip(row).zip(&self.columns) {
                            *out = rounded((value.into() - mean) * scale);
                        }
                    } else {
                        for (out, &(column, mean, scale)) in out.iter_mut().zip(&self.columns) {
                            *out = rounded((row[column].into() - mean) * scale);
                        }
                    }
                },
            );
        }
        features
    }
}

#[expect(clippy::cast_possible_truncation, reason = "single precision is what is stored")]
fn rounded(value: f64) -> f32 {
    value as f32
}

/// Standardized rows.
pub(super) struct Features {
    values: Vec<f32>,
    start: usize,
    stride: usize,
}

impl Features {
    /// The padded number of columns.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// Copies of some rows.
    pub(super) fn gather(&self, rows: impl ExactSizeIterator<Item = usize>) -> Self {
        let mut gathered = Self::zeros(rows.len(), self.stride);
        for (place, row) in rows.enumerate() {
            let first = gathered.start + place * self.stride;
            gathered.values[first..][..self.stride].copy_from_slice(self.block(row, 1).features);
        }
        gathered
    }

    fn zeros(rows: usize, stride: usize) -> Self {
        // One row more than needed, so that the first can start at the boundary of a cache line.
        let values = vec![0.0; rows * stride + LANES];
        let start = values.as_ptr().align_offset(64).min(LANES);
        Self { values, start, stride }
    }

    /// The rows `first..first + rows`.
    pub(super) fn block(&self, first: usize, rows: usize) -> Block<'_> {
        let features = &self.values[self.start + first * self.stride..][..rows * self.stride];
        Block { features, stride: self.stride, rows }
    }
}
