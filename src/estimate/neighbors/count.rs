#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use std::cmp::Ordering;

use pulp::{Arch, Simd, WithSimd};

use super::bits::ones;
use super::grid::{Grid, Shell};
use super::leaves::{LEAF, Leaves, Row};
use super::metric::Chebyshev;
use super::placed::Placed;
use super::places::{Center, PlaceRow, Windows, apart, below, n_groups};
use super::scan;

/// From so many points in doubt on it is quicker to look at all of a leaf.
const MANY: u32 = 6;

/// For each point, the number of points nearer than its radius, itself included; for each set of radii.
pub(super) fn counts_below(leaves: &Leaves, placed: &Placed, radii: &[&[f64]]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..radii.len()).collect();
    order.sort_by(|&a, &b| radii[b].first().partial_cmp(&radii[a].first()).unwrap_or(Ordering::Equal));
    let holds = |outer: usize, inner: usize| radii[outer].iter().zip(radii[inner]).all(|(outer, inner)| outer >= inner);
    let are_nested = order.windows(2).all(|pair| holds(pair[0], pair[1]));
    let mut counts = vec![Vec::new(); radii.len()];
    for sets in order.chunks(if are_nested { radii.len().max(1) } else { 1 }) {
        let nested: Vec<&[f64]> = sets.iter().map(|&set| radii[set]).collect();
        for (found, &set) in counts_nested(leaves, placed, &nested).into_iter().zip(sets) {
            counts[set] = found;
        }
    }
    counts
}

/// The same for sets of radii of which each is nowhere above the one before.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are small natural numbers")]
fn counts_nested(leaves: &Leaves, placed: &Placed, radii: &[&[f64]]) -> Vec<Vec<usize>> {
    let arch = Arch::new();
    let counts = leaves.map_points(radii.len(), |leaf| arch.dispatch(Count { leaves, placed, leaf, radii }));
    counts.into_iter().map(|counts| counts.into_iter().map(|count| count as usize).collect()).collect()
}

/// The counts of all points of one leaf, for nested sets of radii: who is within one of them is within all before.
pub(super) struct Count<'a> {
    pub leaves: &'a Leaves,
    pub placed: &'a Placed,
    pub leaf: usize,
    pub radii: &'a [&'a [f64]],
}

impl WithSimd for Count<'_> {
    type Output = Vec<Row>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<Row> {
        let Self { leaves, placed, leaf, radii } = self;
        let Some(largest) = radii.first() else {
            return Vec::new();
        };
        let largest: Vec<f64> = leaves.members(leaf).iter().map(|&member| largest[member]).collect();
        let mut seen = placed.seen(leaves, leaf, (&largest, radii.len()));
        let shells = Shells::new(seen.grid(), leaves.members(leaf), radii);
        let own = seen.rows(leaf);
        let outer = Windows::new(own, shells.of_set(0).map(|shell| shell.outer));
        let inner = Windows::new(own, shells.of_set(radii.len() - 1).map(|shell| shell.inner));
        let queries = Queries {
            n_dimensions: leaves.n_dimensions(),
            centers: Center::all(own),
            coordinates: scan::transpose(leaves.rows(leaf)),
            shells,
        };
        let reach = largest.iter().fold(0.0_f64, |reach, &radius| reach.max(radius));
        let mut counts = vec![[0_u32; LEAF]; radii.len()];
        let mut doubts = Doubts::new(LEAF * radii.len() * n_groups::<S>());
        for (other, gap) in scan::box_gaps::<Chebyshev>(leaves, leaf).into_iter().enumerate() {
            if gap >= reach {
                continue;
            }
            let corners = seen.corners(other);
            let met = outer.meeting(simd, &corners);
            let whole = inner.holding(simd, &corners);
            for query in ones(whole) {
                for counts in &mut counts {
                    counts[query] += n_members(leaves, other);
                }
            }
            if met & !whole == 0 {
                continue;
            }
            let places = seen.rows(other);
            doubts.clear();
            for query in ones(met & !whole) {
                queries.count(simd, query, (places, members_of(leaves, other)), &mut counts, &mut doubts);
            }
            for &doubt in doubts.all() {
                counts[doubt.set][doubt.query] += queries.among(simd, leaves.rows(other), doubt);
            }
        }
        counts.into_iter().map(|counts| Row(counts.map(f64::from))).collect()
    }
}

/// The radii of the points of a leaf and what places say of them, point after point, from the largest set on.
struct Shells {
    n_sets: usize,
    all: Vec<(f64, Shell)>,
}

impl Shells {
    fn new(grid: &Grid, members: &[usize], radii: &[&[f64]]) -> Self {
        let of_members = members.iter().flat_map(|&member| radii.iter().map(move |radii| radii[member]));
        Self { n_sets: radii.len(), all: of_members.map(|radius| (radius, grid.shell(radius))).collect() }
    }

    fn of_point(&self, point: usize) -> &[(f64, Shell)] {
        &self.all[point * self.n_sets..(point + 1) * self.n_sets]
    }

    fn of_set(&self, set: usize) -> impl Iterator<Item = Shell> {
        self.all.iter().skip(set).step_by(self.n_sets).map(|&(_, shell)| shell)
    }
}

/// The points of a leaf, each asking how many are near.
struct Queries {
    n_dimensions: usize,
    /// The places of each point, point after point.
    centers: Vec<Center>,
    /// The coordinates of each point, point after point.
    coordinates: Vec<f64>,
    shells: Shells,
}

impl Queries {
    /// Counts the points of a leaf that are nearer than each radius of a point, as far as their places decide.
    #[inline(always)]
    fn count<S: Simd>(
        &self,
        simd: S,
        query: usize,
        (places, members): (&[PlaceRow], u64),
        counts: &mut [[u32; LEAF]],
        doubts: &mut Doubts,
    ) {
        let center = &self.centers[query * self.n_dimensions..(query + 1) * self.n_dimensions];
        for group in 0..n_groups::<S>() {
            let apart = apart(simd, places, center, group);
            for (set, (&(_, shell), counts)) in self.shells.of_point(query).iter().zip(&mut *counts).enumerate() {
                let near = below(simd, apart, shell.outer, group) & members;
                let sure = below(simd, apart, shell.inner, group) & members;
                counts[query] += sure.count_ones();
                doubts.add(Doubt { set, query, points: near & !sure });
            }
        }
    }

    /// How many of the points in doubt are nearer than the radius.
    #[inline(always)]
    fn among<S: Simd>(&self, simd: S, rows: &[Row], Doubt { set, query, points }: Doubt) -> u32 {
        let center = &self.coordinates[query * self.n_dimensions..(query + 1) * self.n_dimensions];
        let (radius, _) = self.shells.of_point(query)[set];
        if points.count_ones() < MANY {
            let is_near = |point: usize| rows.iter().zip(center).all(|(row, own)| (row.0[point] - own).abs() < radius);
            return ones(points).map(|point| u32::from(is_near(point))).sum();
        }
        (scan::nearer::<S, Chebyshev>(simd, rows, center, radius) & points).count_ones()
    }
}

/// Points in the shell of a radius.
#[derive(Clone, Copy, Debug, Default)]
struct Doubt {
    set: usize,
    query: usize,
    points: u64,
}

/// The doubts about one leaf.
struct Doubts {
    found: Vec<Doubt>,
    len: usize,
}

impl Doubts {
    fn new(most: usize) -> Self {
        Self { found: vec![Doubt::default(); most], len: 0 }
    }

    fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a doubt that has points.
    #[inline(always)]
    fn add(&mut self, doubt: Doubt) {
        // Written always and kept at times: a branch would be mispredicted.
        self.found[self.len] = doubt;
        self.len += usize::from(doubt.points != 0);
    }

    fn all(&self) -> &[Doubt] {
        &self.found[..self.len]
    }
}

/// A bit for each point that a leaf has.
fn members_of(leaves: &Leaves, leaf: usize) -> u64 {
    u64::MAX >> (LEAF - leaves.members(leaf).len())
}

#[expect(clippy::cast_possible_truncation, reason = "a leaf has 64 points")]
fn n_members(leaves: &Leaves, leaf: usize) -> u32 {
    leaves.members(leaf).len() as u32
}
