//! Passes over the rows of a matrix: what its centered Gram matrix makes of directions. A pass converts and centers a few
//! rows at a time, so the matrix is read once in its own precision and no copy of it is made.

use std::mem::swap;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::kernels::{PANEL, Precision, STEP, Strip, TILE, panel};
use crate::estimate::columns::{self, Element};
use crate::estimate::matrix::double as matrix;

/// Rows that one task passes over.
const BLOCK: usize = 512;

/// Rows that are converted at a time where the library multiplies them, so that they stay in the cache.
const SCORED: usize = 32;

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
        let width = d.next_multiple_of(STEP);
        let padded_directions = n_directions.next_multiple_of(TILE);
        let mut panels = vec![P::default(); padded_directions * width];
        for (row, direction) in directions.outer_iter().enumerate() {
            for column in (0..d).step_by(PANEL) {
                let target = panel_row(&mut panels, (padded_directions, width), row, column);
                target
                    .iter_mut()
                    .zip(direction.slice(s![column..]))
                    .for_each(|(target, &value)| *target = P::round(value));
            }
        }
        let n = self.samples.nrows();
        let parts: Vec<(Vec<P>, Vec<P>)> = (0..n.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| self.image_of_block(block * BLOCK..n.min((block + 1) * BLOCK), &panels, width))
            .collect();
        // Summed in order, so that the result does not depend on the threads.
        let mut products = Array2::zeros((n_directions, d));
        let mut scores = Vec::with_capacity(n * padded_directions);
        for (mut sums, part) in parts {
            for (row, mut products) in products.outer_iter_mut().enumerate() {
                for column in (0..d).step_by(PANEL) {
                    let sums = panel_row(&mut sums, (padded_directions, width), row, column);
                    products
                        .slice_mut(s![column..])
                        .iter_mut()
                        .zip(sums)
                        .for_each(|(product, sum)| *product += (*sum).into() * self.scale * self.scale);
                }
            }
            scores.extend(part.into_iter().map(|score| score.into() * self.scale));
        }
        let scores = Array2::from_shape_vec((n, padded_directions), scores).expect("every row has a score a direction");
        Image { products, scores: scores.slice_move(s![.., ..n_directions]) }
    }

    /// The sums over some rows, and the coordinates of these.
    ///
    /// Columns of a strip are weighted by its coordinates while those of the next one are read: arithmetic all the time,
    /// behind which the memory is read ahead.
    fn image_of_block<P: Precision>(&self, block: Range<usize>, directions: &[P], width: usize) -> (Vec<P>, Vec<P>) {
        let d = self.samples.ncols();
        let n_directions = directions.len() / width;
        let mut sums = vec![P::default(); directions.len()];
        let mut scores = Vec::with_capacity(block.len() * n_directions);
        let mut strip = Strip::new(width, n_directions);
        let mut previous = Strip::new(width, n_directions);
        // Once more than there are strips, for the last one's sums.
        for first in (block.start..block.end + P::STRIP).step_by(P::STRIP) {
            let rows = first..block.end.min(first + P::STRIP);
            if rows.len() < P::STRIP {
                strip.rows.fill(P::default());
            }
            for column in (0..d).step_by(PANEL) {
                if !rows.is_empty() {
                    let columns = column..d.min(column + PANEL);
                    for (place, row) in rows.clone().enumerate() {
                        columns::copy_scaled(
                            self.samples.slice(s![row, columns.clone()]),
                            &self.means[columns.clone()],
                            self.scale.recip(),
                            panel_row(&mut strip.rows, (P::STRIP, width), place, column),
                            P::round,
                        );
                    }
                    P::multiply(&mut strip, directions, column);
                }
                if first > block.start {
                    P::add_weighted(&previous, &mut sums, column);
                }
            }
            P::sum_parts(&mut strip);
            scores.extend_from_slice(&strip.scores[..rows.len() * n_directions]);
            swap(&mut strip, &mut previous);
        }
        (sums, scores)
    }
}

/// The part of a row that lies in the panel from a column on.
fn panel_row<P>(panels: &mut [P], (rows, columns): (usize, usize), row: usize, column: usize) -> &mut [P] {
    let panel = &mut panels[panel(rows, columns, column)];
    let length = panel.len() / rows;
    &mut panel[row * length..][..length]
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
