#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use pulp::{Arch, Simd, WithSimd};

use super::leaves::{LEAF, Leaves, Row};
use super::scan::{self, Chosen, GROUP};

/// For each point, the number of points nearer than its radius, itself included.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are small natural numbers")]
pub(super) fn counts_below(leaves: &Leaves, radii: &[f64]) -> Vec<usize> {
    let arch = Arch::new();
    let counts = leaves.map_points(|leaf| arch.dispatch(Count::new(leaves, leaf, radii)));
    counts.into_iter().map(|count| count as usize).collect()
}

/// The counts of all points of one leaf.
pub(super) struct Count<'a> {
    leaves: &'a Leaves,
    leaf: usize,
    /// Negative for missing points, which nothing is nearer to.
    radii: Row,
}

impl<'a> Count<'a> {
    pub(super) fn new(leaves: &'a Leaves, leaf: usize, radii: &[f64]) -> Self {
        let mut own = Row([-1.0; LEAF]);
        for (radius, &member) in own.0.iter_mut().zip(leaves.members(leaf)) {
            *radius = radii[member];
        }
        Self { leaves, leaf, radii: own }
    }
}

impl WithSimd for Count<'_> {
    type Output = Row;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Row {
        let Self { leaves, leaf, ref radii } = self;
        let queries = leaves.rows(leaf);
        let farthest = scan::row_max(simd, radii);
        let mut counts = Row([0.0; LEAF]);
        let centers = scan::transpose(queries);
        let mut crossing = Crossing::new(queries.len());
        for (other, gap) in scan::box_gaps(leaves, leaf).into_iter().enumerate() {
            if gap >= farthest {
                continue;
            }
            let n_members = leaves.members(other).len() as f64;
            let chosen = count_whole(simd, queries, radii, leaves.corners(other), n_members, &mut counts);
            for &query in chosen.places() {
                let center = &centers[query * queries.len()..(query + 1) * queries.len()];
                crossing.find(center, radii.0[query], leaves.corners(other));
                counts.0[query] += crossing.count(simd, leaves.rows(other), radii.0[query]);
            }
        }
        counts
    }
}

/// Counts a leaf for the queries whose radius holds all of its box; returns those whose radius holds a part.
#[inline(always)]
fn count_whole<S: Simd>(
    simd: S,
    queries: &[Row],
    radii: &Row,
    corners: (&[f64], &[f64]),
    n_members: f64,
    counts: &mut Row,
) -> Chosen {
    let none = simd.splat_f64s(0.0);
    let all = simd.splat_f64s(n_members);
    let never = simd.splat_f64s(f64::INFINITY);
    let mut chosen = Chosen::none();
    for group in 0..scan::n_groups::<S>() {
        let gaps = scan::gaps(simd, queries, corners, group);
        let reaches = scan::reaches(simd, queries, corners, group);
        let radii = scan::group::<S>(radii, group);
        let (registers, _) = S::as_mut_simd_f64s(&mut counts.0);
        for register in 0..GROUP {
            let inside = simd.less_than_f64s(reaches[register], radii[register]);
            let count = &mut registers[group * GROUP + register];
            *count = simd.add_f64s(*count, simd.select_f64s(inside, all, none));
            let gap = simd.select_f64s(inside, never, gaps[register]);
            chosen.add_less(simd, gap, radii[register], group * GROUP + register);
        }
    }
    chosen
}

/// The dimensions in which a radius ends within a box: in all others it holds the box's whole side.
struct Crossing {
    dimensions: Vec<usize>,
    center: Vec<f64>,
    len: usize,
}

impl Crossing {
    fn new(n_dimensions: usize) -> Self {
        Self { dimensions: vec![0; n_dimensions], center: vec![0.0; n_dimensions], len: 0 }
    }

    #[inline(always)]
    fn find(&mut self, center: &[f64], radius: f64, corners: (&[f64], &[f64])) {
        self.len = 0;
        for (c, (&value, (&low, &high))) in center.iter().zip(corners.0.iter().zip(corners.1)).enumerate() {
            // Written always and kept at times: a branch would be mispredicted.
            self.dimensions[self.len] = c;
            self.center[self.len] = value;
            self.len += usize::from((value - low).max(high - value) >= radius);
        }
    }

    /// The number of points of a leaf nearer than the radius in these dimensions.
    #[inline(always)]
    fn count<S: Simd>(&self, simd: S, rows: &[Row], radius: f64) -> f64 {
        let (none, one, radius) = (simd.splat_f64s(0.0), simd.splat_f64s(1.0), simd.splat_f64s(radius));
        let mut total = none;
        for group in 0..scan::n_groups::<S>() {
            let mut largest = [none; GROUP];
            for (&c, &center) in self.dimensions[..self.len].iter().zip(&self.center) {
                let center = simd.splat_f64s(center);
                for (largest, &value) in largest.iter_mut().zip(scan::group::<S>(&rows[c], group)) {
                    *largest = simd.max_f64s(*largest, simd.abs_f64s(simd.sub_f64s(value, center)));
                }
            }
            for distance in largest {
                let nearer = simd.less_than_f64s(distance, radius);
                total = simd.add_f64s(total, simd.select_f64s(nearer, one, none));
            }
        }
        simd.reduce_sum_f64s(total)
    }
}
