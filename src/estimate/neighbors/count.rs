#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use pulp::{Arch, Simd, WithSimd};

use super::leaves::{LEAF, Leaves, Row};
use super::metric::Chebyshev;
use super::scan::{self, Chosen, GROUP};

/// For each point, the number of points nearer than its radius, itself included; for each set of radii.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are small natural numbers")]
pub(super) fn counts_below(leaves: &Leaves, radii: &[&[f64]]) -> Vec<Vec<usize>> {
    let arch = Arch::new();
    let counts = leaves.map_points(radii.len(), |leaf| arch.dispatch(Count::new(leaves, leaf, radii)));
    counts.into_iter().map(|counts| counts.into_iter().map(|count| count as usize).collect()).collect()
}

/// The counts of all points of one leaf.
pub(super) struct Count<'a> {
    leaves: &'a Leaves,
    leaf: usize,
    /// For each set of radii one row; negative for missing points, which nothing is nearer to.
    radii: Vec<Row>,
}

impl<'a> Count<'a> {
    pub(super) fn new(leaves: &'a Leaves, leaf: usize, radii: &[&[f64]]) -> Self {
        let own = radii.iter().map(|radii| {
            let mut own = Row([-1.0; LEAF]);
            for (radius, &member) in own.0.iter_mut().zip(leaves.members(leaf)) {
                *radius = radii[member];
            }
            own
        });
        Self { leaves, leaf, radii: own.collect() }
    }
}

impl WithSimd for Count<'_> {
    type Output = Vec<Row>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<Row> {
        let Self { leaves, leaf, ref radii } = self;
        let queries = leaves.rows(leaf);
        let farthest = radii.iter().map(|radii| scan::row_max(simd, radii)).fold(-1.0, f64::max);
        let mut counts = vec![Row([0.0; LEAF]); radii.len()];
        let centers = scan::transpose(queries);
        let mut crossing = Crossing::new(queries.len(), radii.len());
        for (other, gap) in scan::box_gaps::<Chebyshev>(leaves, leaf).into_iter().enumerate() {
            if gap >= farthest {
                continue;
            }
            let n_members = leaves.members(other).len() as f64;
            let corners = leaves.corners(other);
            let chosen = count_whole(simd, queries, radii, corners, n_members, &mut counts);
            for &query in chosen.places() {
                let center = &centers[query * queries.len()..(query + 1) * queries.len()];
                for (own, radii) in crossing.radii.iter_mut().zip(radii) {
                    *own = radii.0[query];
                }
                if radii.len() > 1 {
                    crossing.leave_out_whole(center, corners);
                }
                crossing.find(center, corners);
                crossing.count(simd, leaves.rows(other), query, &mut counts);
            }
        }
        counts
    }
}

/// Counts a leaf for the queries whose radius holds all of its box; returns those of which some radius holds a part.
#[inline(always)]
fn count_whole<S: Simd>(
    simd: S,
    queries: &[Row],
    radii: &[Row],
    corners: (&[f64], &[f64]),
    n_members: f64,
    counts: &mut [Row],
) -> Chosen {
    let (none, one) = (simd.splat_f64s(0.0), simd.splat_f64s(1.0));
    let all = simd.splat_f64s(n_members);
    let never = simd.splat_f64s(f64::INFINITY);
    let mut chosen = Chosen::none();
    for group in 0..scan::n_groups::<S>() {
        let gaps = scan::gaps::<S, Chebyshev>(simd, queries, corners, group);
        let reaches = scan::reaches(simd, queries, corners, group);
        let mut part = [none; GROUP];
        for (radii, counts) in radii.iter().zip(&mut *counts) {
            let radii = scan::group::<S>(radii, group);
            let counts = scan::group_mut::<S>(counts, group);
            for register in 0..GROUP {
                let inside = simd.less_than_f64s(reaches[register], radii[register]);
                counts[register] = simd.add_f64s(counts[register], simd.select_f64s(inside, all, none));
                let gap = simd.select_f64s(inside, never, gaps[register]);
                let crosses = simd.less_than_f64s(gap, radii[register]);
                part[register] = simd.select_f64s(crosses, one, part[register]);
            }
        }
        for (register, part) in part.into_iter().enumerate() {
            chosen.add_less(simd, none, part, group * GROUP + register);
        }
    }
    chosen
}

/// The dimensions in which some radius ends within a box: in all others each holds the box's whole side.
struct Crossing {
    dimensions: Vec<usize>,
    center: Vec<f64>,
    len: usize,
    radii: Vec<f64>,
}

impl Crossing {
    fn new(n_dimensions: usize, n_radii: usize) -> Self {
        Self { dimensions: vec![0; n_dimensions], center: vec![0.0; n_dimensions], len: 0, radii: vec![0.0; n_radii] }
    }

    #[inline(always)]
    fn find(&mut self, center: &[f64], corners: (&[f64], &[f64])) {
        let ends = self.radii.iter().filter(|radius| **radius >= 0.0).copied();
        let radius = ends.fold(f64::INFINITY, |least, radius| if radius < least { radius } else { least });
        self.len = 0;
        for (c, (&value, (&low, &high))) in center.iter().zip(corners.0.iter().zip(corners.1)).enumerate() {
            // Written always and kept at times: a branch would be mispredicted.
            self.dimensions[self.len] = c;
            self.center[self.len] = value;
            self.len += usize::from((value - low).max(high - value) >= radius);
        }
    }

    /// Makes radii that hold all of a box, or nothing of it, negative: the box was counted for them, or never is.
    #[inline(always)]
    fn leave_out_whole(&mut self, center: &[f64], corners: (&[f64], &[f64])) {
        let (mut gap, mut reach) = (0.0_f64, 0.0_f64);
        for (&value, (&low, &high)) in center.iter().zip(corners.0.iter().zip(corners.1)) {
            gap = gap.max(low - value).max(value - high);
            reach = reach.max(value - low).max(high - value);
        }
        for radius in &mut self.radii {
            *radius = if reach < *radius || gap >= *radius { -1.0 } else { *radius };
        }
    }

    /// Counts the points of a leaf nearer than each radius, looking at these dimensions only.
    #[inline(always)]
    fn count<S: Simd>(&self, simd: S, rows: &[Row], query: usize, counts: &mut [Row]) {
        let (none, one) = (simd.splat_f64s(0.0), simd.splat_f64s(1.0));
        for group in 0..scan::n_groups::<S>() {
            let mut largest = [none; GROUP];
            for (&c, &center) in self.dimensions[..self.len].iter().zip(&self.center) {
                let center = simd.splat_f64s(center);
                for (largest, &value) in largest.iter_mut().zip(scan::group::<S>(&rows[c], group)) {
                    *largest = simd.max_f64s(*largest, simd.abs_f64s(simd.sub_f64s(value, center)));
                }
            }
            for (&radius, counts) in self.radii.iter().zip(&mut *counts) {
                if radius < 0.0 {
                    continue;
                }
                let radius = simd.splat_f64s(radius);
                let mut total = none;
                for &distance in &largest {
                    let nearer = simd.less_than_f64s(distance, radius);
                    total = simd.add_f64s(total, simd.select_f64s(nearer, one, none));
                }
                counts.0[query] += simd.reduce_sum_f64s(total);
            }
        }
    }
}
