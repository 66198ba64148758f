use rayon::prelude::*;

use super::grid::Grid;
use super::leaves::{LEAF, Leaves};
use super::places::PlaceRow;

/// All points of some leaves in one grid.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub grid: Grid,
    n_dimensions: usize,
    /// For each leaf, a row for each dimension. Missing points of the last leaf are at the limit.
    rows: Vec<PlaceRow>,
    /// For each leaf, the corners of its box in each dimension.
    corners: Vec<(u16, u16)>,
}

impl Placed {
    pub(super) fn new(leaves: &Leaves) -> Self {
        let n_dimensions = leaves.n_dimensions();
        let ends = |c: usize| {
            let (low, high) = leaves.corners_along(c);
            let low = low.iter().copied().fold(f64::INFINITY, f64::min);
            (low, high.iter().copied().fold(f64::NEG_INFINITY, f64::max))
        };
        let (low, high): (Vec<f64>, Vec<f64>) = (0..n_dimensions).map(ends).unzip();
        // Nothing lies outside.
        let grid = Grid::new((&low, &high), 0.0);
        let mut rows = vec![PlaceRow([0; LEAF]); leaves.n_leaves() * n_dimensions];
        if n_dimensions > 0 {
            let leaf_rows = rows.par_chunks_mut(n_dimensions).enumerate();
            leaf_rows.for_each(|(leaf, rows)| grid.places(leaves.rows(leaf), rows));
        }
        let corners = (0..leaves.n_leaves()).flat_map(|leaf| grid.corners(leaves.corners(leaf))).collect();
        Self { grid, n_dimensions, rows, corners }
    }

    /// The places of the points of a leaf, a row a dimension.
    pub(super) fn rows(&self, leaf: usize) -> &[PlaceRow] {
        &self.rows[leaf * self.n_dimensions..(leaf + 1) * self.n_dimensions]
    }

    /// The places of the lower and the upper corner of the box of a leaf, dimension by dimension.
    pub(super) fn corners(&self, leaf: usize) -> &[(u16, u16)] {
        &self.corners[leaf * self.n_dimensions..(leaf + 1) * self.n_dimensions]
    }
}
