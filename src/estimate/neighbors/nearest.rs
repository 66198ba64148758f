#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use std::marker::PhantomData;

use pulp::{Arch, Simd, WithSimd};

use super::bits::ones;
use super::grid::Grid;
use super::leaves::{LEAF, Leaves, Row};
use super::metric::Metric;
use super::placed::{Placed, Seen};
use super::places::{Center, PlaceRow, apart, below, n_groups};
use super::scan::{self, Chosen, GROUP};

/// The distances of each point to some of its nearest other points: for each of `ks` one distance a point.
pub(super) fn kth_distances<M: Metric>(leaves: &Leaves, ks: &[usize]) -> Vec<Vec<f64>> {
    let arch = Arch::new();
    let placed = M::IS_LARGEST.then(|| Placed::new(leaves));
    let search = |leaf| Search::<M>::new(leaves, placed.as_ref(), leaf, ks);
    let mut found = leaves.map_points(ks.len(), |leaf| arch.dispatch(search(leaf)));
    found.iter_mut().flatten().for_each(|sum| *sum = M::distance(*sum));
    found
}

/// The search of all points of one leaf.
pub(super) struct Search<'a, M> {
    leaves: &'a Leaves,
    /// What rules points out, where the metric allows it.
    placed: Option<&'a Placed>,
    leaf: usize,
    ks: &'a [usize],
    metric: PhantomData<M>,
}

impl<'a, M> Search<'a, M> {
    pub(super) fn new(leaves: &'a Leaves, placed: Option<&'a Placed>, leaf: usize, ks: &'a [usize]) -> Self {
        Self { leaves, placed, leaf, ks, metric: PhantomData }
    }
}

impl<M: Metric> WithSimd for Search<'_, M> {
    type Output = Vec<Row>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<Row> {
        let Self { leaves, placed, leaf, ks, .. } = self;
        let queries = leaves.rows(leaf);
        let mut nearest = Nearest::<M>::new(ks.iter().copied().max().unwrap_or(0));
        let centers = scan::transpose(queries);
        let center = |query: usize| &centers[query * queries.len()..(query + 1) * queries.len()];
        for member in 0..leaves.members(leaf).len() {
            nearest.insert_for_all(simd, queries, center(member));
        }
        nearest.reset_radii(leaves.members(leaf).len());

        let radii = &nearest.radii.0[..leaves.members(leaf).len()];
        let mut seen = placed.map(|placed| placed.seen(leaves, leaf, (radii, 1)));
        let mut limits = seen.as_mut().map(|seen| Limits::new(seen, leaf, radii));
        let mut farthest = scan::row_max(simd, &nearest.radii);
        let mut others: Vec<(f64, usize)> = scan::box_gaps::<M>(leaves, leaf)
            .into_iter()
            .enumerate()
            .filter(|&(other, gap)| gap < farthest && other != leaf)
            .map(|(other, gap)| (gap, other))
            .collect();
        others.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (gap, other) in others {
            if gap >= farthest {
                break;
            }
            let chosen = nearest.within_reach(simd, queries, leaves.corners(other));
            if chosen.places().is_empty() {
                continue;
            }
            let rows = leaves.rows(other);
            if let Some((seen, limits)) = seen.as_mut().zip(limits.as_mut()) {
                let places = seen.rows(other);
                for &query in chosen.places() {
                    nearest.scan_near(simd, query, (places, limits), (rows, center(query)));
                }
            } else {
                for &query in chosen.places() {
                    nearest.scan(simd, query, rows, center(query));
                }
            }
            farthest = scan::row_max(simd, &nearest.radii);
        }
        ks.iter().map(|&k| nearest.distances[k]).collect()
    }
}

/// The smallest distances of each point of a leaf so far: k, and the zero to itself.
struct Nearest<M> {
    /// In each row one distance of every point, ascending from row to row; infinite until found.
    distances: Vec<Row>,
    /// The last row; negative for missing points, which nothing is nearer to.
    radii: Row,
    metric: PhantomData<M>,
}

impl<M: Metric> Nearest<M> {
    fn new(k: usize) -> Self {
        Self { distances: vec![Row([f64::INFINITY; LEAF]); k + 1], radii: Row([-1.0; LEAF]), metric: PhantomData }
    }

    /// Takes one point into account for all queries.
    ///
    /// The point sinks to its place without a branch: right for a query's own leaf, where most points do.
    #[inline(always)]
    fn insert_for_all<S: Simd>(&mut self, simd: S, queries: &[Row], center: &[f64]) {
        for group in 0..scan::n_groups::<S>() {
            let mut distances = scan::distances::<S, M>(simd, queries, center, group);
            for row in &mut self.distances {
                for (nearest, distance) in scan::group_mut::<S>(row, group).iter_mut().zip(&mut distances) {
                    let nearer = simd.min_f64s(*nearest, *distance);
                    *distance = simd.max_f64s(*nearest, *distance);
                    *nearest = nearer;
                }
            }
        }
    }

    /// Sets the radii of the queries there are.
    fn reset_radii(&mut self, n_queries: usize) {
        let last = &self.distances[self.distances.len() - 1];
        self.radii.0[..n_queries].copy_from_slice(&last.0[..n_queries]);
    }

    /// The queries that may have a neighbor in a box.
    #[inline(always)]
    fn within_reach<S: Simd>(&self, simd: S, queries: &[Row], corners: (&[f64], &[f64])) -> Chosen {
        let mut chosen = Chosen::none();
        for group in 0..scan::n_groups::<S>() {
            let gaps = scan::gaps::<S, M>(simd, queries, corners, group);
            let radii = scan::group::<S>(&self.radii, group);
            for (register, (&gap, &radius)) in gaps.iter().zip(radii).enumerate() {
                chosen.add_less(simd, gap, radius, group * GROUP + register);
            }
        }
        chosen
    }

    /// Takes the points of another leaf into account for one query.
    #[inline(always)]
    fn scan<S: Simd>(&mut self, simd: S, query: usize, rows: &[Row], center: &[f64]) {
        for group in 0..scan::n_groups::<S>() {
            let distances = scan::distances::<S, M>(simd, rows, center, group);
            let radius = simd.splat_f64s(self.radii.0[query]);
            for distance in &distances {
                if scan::any_less(simd, *distance, radius) {
                    for &distance in scan::lanes::<S>(distance) {
                        if distance < self.radii.0[query] {
                            self.insert(query, distance);
                        }
                    }
                }
            }
        }
    }

    /// The same, measuring those points only whose places don't rule them out.
    #[inline(always)]
    fn scan_near<S: Simd>(
        &mut self,
        simd: S,
        query: usize,
        (places, limits): (&[PlaceRow], &mut Limits),
        (rows, center): (&[Row], &[f64]),
    ) {
        for group in 0..n_groups::<S>() {
            let apart = apart(simd, places, &limits.centers[query * rows.len()..(query + 1) * rows.len()], group);
            for point in ones(below(simd, apart, limits.outer[query], group)) {
                let differences = rows.iter().zip(center).map(|(row, own)| (row.0[point] - own).abs());
                let distance = differences.fold(0.0, |largest, apart| if apart > largest { apart } else { largest });
                if distance < self.radii.0[query] {
                    self.insert(query, distance);
                    limits.outer[query] = limits.grid.shell(self.radii.0[query]).outer;
                }
            }
        }
    }

    /// Puts a distance below the last one in its place.
    #[inline(always)]
    fn insert(&mut self, query: usize, distance: f64) {
        let mut rest = distance;
        for row in &mut self.distances {
            let nearest = row.0[query];
            row.0[query] = if rest < nearest { rest } else { nearest };
            rest = if rest < nearest { nearest } else { rest };
        }
        self.radii.0[query] = self.distances[self.distances.len() - 1].0[query];
    }
}

/// What rules points out by their places.
struct Limits {
    grid: Grid,
    /// The places of each query, query after query.
    centers: Vec<Center>,
    /// Places that differ by as much from those of a query are no nearer than its radius.
    outer: Vec<u16>,
}

impl Limits {
    fn new(seen: &mut Seen<'_>, leaf: usize, radii: &[f64]) -> Self {
        let grid = seen.grid().clone();
        let outer = radii.iter().map(|&radius| grid.shell(radius).outer).collect();
        Self { grid, centers: Center::all(seen.rows(leaf)), outer }
    }
}
