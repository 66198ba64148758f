#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use std::borrow::Cow;

use rayon::prelude::*;

use super::grid::Grid;
use super::leaves::{LEAF, Leaves};
use super::places::PlaceRow;

/// From so many steps on, for each radius of a point, the largest is told finely enough: few points lie in the shells.
const FINE: usize = 256;

/// All points of some leaves in one grid.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    grid: Grid,
    n_dimensions: usize,
    /// For each leaf, a row for each dimension. Missing points of the last leaf are at the limit.
    rows: Vec<PlaceRow>,
    /// For each leaf, the corners of its box in each dimension.
    corners: Vec<(u16, u16)>,
}

impl Placed {
    /// Places the points of some leaves.
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

    /// The points as one leaf sees them, whose points ask about so many radii each, of which these are the largest.
    pub(super) fn seen<'a>(&'a self, leaves: &'a Leaves, leaf: usize, (radii, each): (&[f64], usize)) -> Seen<'a> {
        let n_fine = radii.iter().filter(|&&radius| usize::from(self.grid.shell(radius).inner) >= FINE * each).count();
        let reach = radii.iter().fold(0.0_f64, |reach, &radius| if radius > reach { radius } else { reach });
        let own = (n_fine < radii.len() / 2).then(|| Grid::new(leaves.corners(leaf), reach));
        // Radii next to nothing are no step of any grid.
        let own = own.filter(|own| own.shell(reach).inner > 0);
        Seen { placed: self, leaves, own, rows: vec![PlaceRow([0; LEAF]); self.n_dimensions] }
    }

    /// The places of the points of a leaf, a row a dimension.
    fn rows(&self, leaf: usize) -> &[PlaceRow] {
        &self.rows[leaf * self.n_dimensions..(leaf + 1) * self.n_dimensions]
    }

    /// The places of the lower and the upper corner of the box of a leaf, dimension by dimension.
    fn corners(&self, leaf: usize) -> &[(u16, u16)] {
        &self.corners[leaf * self.n_dimensions..(leaf + 1) * self.n_dimensions]
    }
}

/// All points in a grid that is fine enough for the radii of one leaf: that of all, or one about the leaf where radii are too
/// few steps of that, as they are beside points far out.
pub(super) struct Seen<'a> {
    placed: &'a Placed,
    leaves: &'a Leaves,
    own: Option<Grid>,
    /// The places of the leaf that was looked at last, in the leaf's own grid.
    rows: Vec<PlaceRow>,
}

impl Seen<'_> {
    pub(super) fn grid(&self) -> &Grid {
        self.own.as_ref().unwrap_or(&self.placed.grid)
    }

    /// The places of the points of a leaf, a row a dimension.
    #[inline(always)]
    pub(super) fn rows(&mut self, leaf: usize) -> &[PlaceRow] {
        match &self.own {
            None => self.placed.rows(leaf),
            Some(grid) => {
                grid.places(self.leaves.rows(leaf), &mut self.rows);
                &self.rows
            }
        }
    }

    /// The places of the lower and the upper corner of the box of a leaf, dimension by dimension.
    #[inline(always)]
    pub(super) fn corners(&self, leaf: usize) -> Cow<'_, [(u16, u16)]> {
        match &self.own {
            None => Cow::Borrowed(self.placed.corners(leaf)),
            Some(grid) => Cow::Owned(grid.corners(self.leaves.corners(leaf))),
        }
    }
}
