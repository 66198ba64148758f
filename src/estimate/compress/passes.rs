//! Passes over the rows of a matrix: what its centered Gram matrix makes of directions. A pass converts and centers a few
//! rows at a time, so the matrix is read once in its own precision and no copy of it is made.

use std::array;
use std::borrow::Cow;
use std::mem::{replace, swap};
use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::kernels::{PANEL, Precision, STEP, Strip, TILE, panel};
use crate::estimate::columns::{self, Distances, Element, Moments};
use crate::estimate::matrix::double as matrix;

/// Rows that one task passes over: enough that making room for their sums is little beside them.
const BLOCK: usize = 1024;

/// Rows that are converted at a time where the library multiplies them, so that they stay in the cache.
const SCORED: usize = 32;

/// The rows of a matrix, less an origin and maybe divided by one scale for all.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, T, O> {
    pub samples: ArrayView2<'a, T>,
    /// What is subtracted: the means of the columns, or as good as these.
    pub origin: &'a [O],
    /// What elements are divided by, if anything: a power of two of the size of a typical one, where squares of that could be
    /// too large for single precision.
    pub scale: Option<f64>,
}

/// What a pass finds of directions.
pub(super) struct Image {
    /// The products with each direction of the Gram matrix of the rows less their origin, one a row.
    pub products: Array2<f64>,
    /// The coordinates of the rows along each direction: as many rows as the matrix.
    pub scores: Array2<f64>,
}

impl Image {
    /// That of which only the products are known.
    pub(super) fn of(products: Array2<f64>) -> Self {
        Self { products, scores: Array2::zeros((0, 0)) }
    }
}

/// What a pass finds besides products.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Nothing,
    Scores,
    Distances,
}

/// What a pass finds of some rows.
struct Sums<P> {
    products: Vec<P>,
    scores: Vec<f64>,
    distances: Option<Distances>,
}

/// Directions in panels.
struct Panels<P> {
    directions: Vec<P>,
    count: usize,
    padded: usize,
    width: usize,
}

impl<P: Precision> Panels<P> {
    fn new(directions: ArrayView2<'_, f64>) -> Self {
        let (count, d) = directions.dim();
        let (padded, width) = (count.next_multiple_of(TILE), d.next_multiple_of(STEP));
        let mut panels = vec![P::default(); padded * width];
        for (row, direction) in directions.outer_iter().enumerate() {
            for column in (0..d).step_by(PANEL) {
                let target = panel_row(&mut panels, (padded, width), row, column);
                let values = direction.slice_move(s![column..]);
                target.iter_mut().zip(values).for_each(|(target, &value)| *target = P::round(value));
            }
        }
        Self { directions: panels, count, padded, width }
    }
}

impl<T: Element, O: Element> Rows<'_, T, O> {
    /// The products and coordinates that a pass in a precision finds.
    pub(super) fn image<P: Precision>(&self, directions: ArrayView2<'_, f64>) -> Image {
        let (products, blocks) = self.pass::<P>(directions, Beside::Scores);
        let scores = blocks.iter().flat_map(|block| &block.scores).copied().collect();
        let shape = (self.samples.nrows(), directions.nrows());
        Image { products, scores: Array2::from_shape_vec(shape, scores).expect("every row has a score a direction") }
    }

    /// The products alone.
    pub(super) fn products<P: Precision>(&self, directions: ArrayView2<'_, f64>) -> Array2<f64> {
        self.pass::<P>(directions, Beside::Nothing).0
    }

    /// The products, and the moments of the columns.
    pub(super) fn products_and_moments<P: Precision>(&self, directions: ArrayView2<'_, f64>) -> (Array2<f64>, Moments) {
        let (products, blocks) = self.pass::<P>(directions, Beside::Distances);
        let distances = blocks.iter().filter_map(|block| block.distances.as_ref());
        (products, Distances::moments(distances, self.origin, self.samples.nrows()))
    }

    /// A pass in a precision; sums of over 1,024 rows are in double precision always.
    fn pass<P: Precision>(&self, directions: ArrayView2<'_, f64>, beside: Beside) -> (Array2<f64>, Vec<Sums<P>>) {
        let panels = Panels::<P>::new(directions);
        let n = self.samples.nrows();
        let blocks: Vec<Sums<P>> = (0..n.div_ceil(BLOCK))
            .into_par_iter()
            .map_init(
                || array::from_fn(|_| Strip::new(panels.width, panels.padded)),
                |strips, block| self.pass_block(block * BLOCK..n.min((block + 1) * BLOCK), &panels, beside, strips),
            )
            .collect();
        // Summed in order, so that the result does not depend on the threads.
        let d = self.samples.ncols();
        let scale = self.scale.unwrap_or(1.0);
        let mut products = vec![0.0; panels.count * d];
        products.par_chunks_mut(d.max(1)).enumerate().for_each(|(row, products)| {
            for Sums { products: sums, .. } in &blocks {
                for (products, column) in products.chunks_mut(PANEL).zip((0..d).step_by(PANEL)) {
                    let sums = &sums[panel(panels.padded, panels.width, column)];
                    let length = sums.len() / panels.padded;
                    for (product, &sum) in products.iter_mut().zip(&sums[row * length..][..length]) {
                        *product += sum.into() * scale * scale;
                    }
                }
            }
        });
        let products = Array2::from_shape_vec(directions.dim(), products).expect("every direction has its products");
        (products, blocks)
    }

    /// The sums over some rows, and the coordinates of these.
    ///
    /// Columns of a strip are weighted by its coordinates while those of the next one are read, and what is read after
    /// these is touched between products: arithmetic all the time, behind which the memory is read ahead.
    fn pass_block<P: Precision>(
        &self,
        block: Range<usize>,
        panels: &Panels<P>,
        beside: Beside,
        [strip, previous]: &mut [Strip<P>; 2],
    ) -> Sums<P> {
        let &Panels { ref directions, count, padded, width } = panels;
        let d = self.samples.ncols();
        let mut products = vec![P::default(); directions.len()];
        let scale = self.scale.unwrap_or(1.0);
        let mut scores = Vec::new();
        let mut distances = (beside == Beside::Distances).then(|| Distances::none(d));
        let read = |first: usize| -> Vec<Cow<'_, [T]>> {
            let rows = first.min(block.end)..block.end.min(first + P::STRIP);
            rows.map(|row| columns::contiguous(self.samples.index_axis_move(Axis(0), row))).collect()
        };
        let mut next = read(block.start);
        // Once more than there are strips, for the last one's sums.
        for first in (block.start..block.end + P::STRIP).step_by(P::STRIP) {
            let rows = replace(&mut next, read(first + P::STRIP));
            if rows.len() < P::STRIP {
                strip.rows.fill(P::default());
            }
            for column in (0..d).step_by(PANEL) {
                if !rows.is_empty() {
                    let end = d.min(column + PANEL);
                    for (place, row) in rows.iter().enumerate() {
                        let target = panel_row(&mut strip.rows, (P::STRIP, width), place, column);
                        let (values, origin) = (&row[column..end], &self.origin[column..]);
                        match self.scale {
                            None => columns::copy_distances(values, origin, target, P::round),
                            Some(scale) => {
                                columns::copy_distances(values, origin, target, |value| P::round(value / scale));
                            }
                        }
                        if let Some(distances) = &mut distances {
                            distances.add(values, origin, column);
                        }
                    }
                    let (rows, from) = if end < d { (&rows, end) } else { (&next, 0) };
                    let ahead: Vec<&[T]> = rows.iter().map(|row| &row[from..d.min(from + PANEL)]).collect();
                    P::multiply(strip, directions, column, &ahead);
                }
                if first > block.start {
                    P::add_weighted(previous, &mut products, column);
                }
            }
            P::sum_parts(strip);
            if beside == Beside::Scores {
                for row in strip.scores.chunks_exact(padded).take(rows.len()) {
                    scores.extend(row[..count].iter().map(|&score| score.into() * scale));
                }
            }
            swap(strip, previous);
        }
        Sums { products, scores, distances }
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
