//! Passes over the rows of a matrix: what its centered Gram matrix makes of directions. A pass converts and centers a few
//! rows at a time, so the matrix is read once in its own precision and no copy of it is made.

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::kernels::{LANES, Precision, TILE};
use crate::estimate::columns::{self, Element};
use crate::estimate::matrix::double as matrix;

/// Rows that one task passes over.
const BLOCK: usize = 512;

/// Rows that are converted at a time, so that they stay in the cache.
const STRIP: usize = 16;

/// The same where the library multiplies them.
const SCORED: usize = 32;

/// Columns of a row that are converted at a time.
const COLUMNS: usize = 256;

/// The rows of a matrix, less their mean and divided by one scale for all.
pub(super) struct Rows<'a, T> {
    pub samples: ArrayView2<'a, T>,
    pub means: &'a [f64],
    /// The size of a typical element, so that no square is too large for single precision.
    pub scale: f64,
}

/// What a pass finds of directions.
pub(super) struct Image {
    /// The products of the Gram matrix with each direction, one a row.
    pub products: Array2<f64>,
    /// The coordinates of the rows along each direction: as many rows as the matrix.
    pub scores: Array2<f64>,
}

impl<T: Element> Rows<'_, T> {
    /// A pass in a precision; sums of over 512 rows are in double precision always.
    pub(super) fn image<P: Precision>(&self, directions: ArrayView2<'_, f64>) -> Image {
        let (n_directions, d) = directions.dim();
        let stride = d.next_multiple_of(LANES);
        let padded_directions = n_directions.next_multiple_of(TILE);
        let mut padded = vec![P::default(); padded_directions * stride];
        for (padded, direction) in padded.chunks_exact_mut(stride).zip(directions.outer_iter()) {
            padded.iter_mut().zip(direction).for_each(|(padded, &value)| *padded = P::round(value));
        }
        let n = self.samples.nrows();
        let parts: Vec<(Vec<P>, Vec<P>)> = (0..n.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| {
                let mut sums = vec![P::default(); padded.len()];
                let mut strip = vec![P::default(); STRIP * stride];
                let mut scores = Vec::with_capacity(BLOCK * padded_directions);
                let mut strip_scores = vec![P::default(); STRIP * padded_directions];
                let end = n.min((block + 1) * BLOCK);
                for first in (block * BLOCK..end).step_by(STRIP) {
                    let count = STRIP.min(end - first);
                    // A few columns of every row in turn: the machine then reads ahead along all rows at once.
                    for column in (0..d).step_by(COLUMNS) {
                        let columns = column..d.min(column + COLUMNS);
                        for (row, target) in (first..first + count).zip(strip.chunks_exact_mut(stride)) {
                            columns::copy_scaled(
                                self.samples.slice(s![row, columns.clone()]),
                                &self.means[columns.clone()],
                                self.scale.recip(),
                                &mut target[columns.clone()],
                                P::round,
                            );
                        }
                    }
                    let tiled = count.next_multiple_of(TILE);
                    strip[count * stride..tiled * stride].fill(P::default());
                    let strip_scores = &mut strip_scores[..tiled * padded_directions];
                    P::pass(&strip[..tiled * stride], &padded, stride, strip_scores, &mut sums);
                    scores.extend_from_slice(&strip_scores[..count * padded_directions]);
                }
                (sums, scores)
            })
            .collect();
        // Summed in order, so that the result does not depend on the threads.
        let mut products = Array2::zeros((n_directions, d));
        let mut scores = Vec::with_capacity(n * padded_directions);
        for (sums, part) in parts {
            for (mut products, sums) in products.outer_iter_mut().zip(sums.chunks_exact(stride)) {
                products
                    .iter_mut()
                    .zip(sums)
                    .for_each(|(product, &sum)| *product += sum.into() * self.scale * self.scale);
            }
            scores.extend(part.into_iter().map(|score| score.into() * self.scale));
        }
        let scores = Array2::from_shape_vec((n, padded_directions), scores).expect("every row has a score a direction");
        Image { products, scores: scores.slice_move(s![.., ..n_directions]) }
    }
}

/// The coordinates of the centered samples along each row of `axes`.
pub(super) fn scores<T: Element>(samples: ArrayView2<'_, T>, means: &[f64], axes: ArrayView2<'_, f64>) -> Array2<f64> {
    let parts: Vec<Vec<f64>> = (0..samples.nrows().div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let mut scores = Vec::new();
            strips(samples, means, block, |strip| {
                scores.extend(matrix::small_product_transposed(strip, axes));
            });
            scores
        })
        .collect();
    Array2::from_shape_vec((samples.nrows(), axes.nrows()), parts.concat()).expect("every row has a score an axis")
}

/// Calls `use_strip` with a few rows at a time of one block, in double precision and centered.
fn strips<T: Element>(
    samples: ArrayView2<'_, T>,
    means: &[f64],
    block: usize,
    mut use_strip: impl FnMut(ArrayView2<'_, f64>),
) {
    let end = samples.nrows().min((block + 1) * BLOCK);
    let mut buffer = Array2::zeros((SCORED, samples.ncols()));
    for first in (block * BLOCK..end).step_by(SCORED) {
        let count = SCORED.min(end - first);
        for (place, target) in buffer.axis_iter_mut(Axis(0)).take(count).enumerate() {
            let target = target.into_slice().expect("rows of the buffer are contiguous");
            columns::copy_centered(samples.row(first + place), means, target);
        }
        use_strip(buffer.slice(s![..count, ..]));
    }
}
