#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use pulp::{Arch, Simd, WithSimd};

use super::leaves::{LEAF, Leaves, Row};
use super::metric::Chebyshev;
use super::scan::{self, Chosen, GROUP};

/// For each point, the largest distances in the first coordinates, and in the others, of the points within its radius.
pub(super) fn block_extents(leaves: &Leaves, n_first: usize, radii: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let arch = Arch::new();
    let mut found = leaves.map_points(2, |leaf| arch.dispatch(Extents { leaves, leaf, n_first, radii }));
    let second = found.swap_remove(1);
    (found.swap_remove(0), second)
}

/// The extents of all points of one leaf.
struct Extents<'a> {
    leaves: &'a Leaves,
    leaf: usize,
    n_first: usize,
    radii: &'a [f64],
}

impl WithSimd for Extents<'_> {
    type Output = Vec<Row>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<Row> {
        let Self { leaves, leaf, n_first, radii } = self;
        // Nothing lies between a radius and the next number up; missing points have no radius.
        let mut above = Row([-1.0; LEAF]);
        for (above, &member) in above.0.iter_mut().zip(leaves.members(leaf)) {
            *above = radii[member].next_up();
        }
        let queries = leaves.rows(leaf);
        let centers = scan::transpose(queries);
        let farthest = scan::row_max(simd, &above);
        let mut extents = vec![Row([0.0; LEAF]); 2];
        for (other, gap) in scan::box_gaps::<Chebyshev>(leaves, leaf).into_iter().enumerate() {
            if gap >= farthest {
                continue;
            }
            let chosen = within_reach(simd, queries, leaves.corners(other), &above);
            for &query in chosen.places() {
                let center = &centers[query * queries.len()..(query + 1) * queries.len()];
                let (first, second) = leaf_extents(simd, leaves.rows(other), center, n_first, above.0[query]);
                extents[0].0[query] = extents[0].0[query].max(first);
                extents[1].0[query] = extents[1].0[query].max(second);
            }
        }
        extents
    }
}

/// The queries that may have a neighbor in a box.
#[inline(always)]
fn within_reach<S: Simd>(simd: S, queries: &[Row], corners: (&[f64], &[f64]), radii: &Row) -> Chosen {
    let mut chosen = Chosen::none();
    for group in 0..scan::n_groups::<S>() {
        let gaps = scan::gaps::<S, Chebyshev>(simd, queries, corners, group);
        for (register, (&gap, &radius)) in gaps.iter().zip(scan::group::<S>(radii, group)).enumerate() {
            chosen.add_less(simd, gap, radius, group * GROUP + register);
        }
    }
    chosen
}

/// The largest distances in both blocks of the points of a leaf that are nearer than a radius.
///
/// The center itself may be among them: it is at distance zero, and changes no maximum.
#[inline(always)]
fn leaf_extents<S: Simd>(simd: S, rows: &[Row], center: &[f64], n_first: usize, radius: f64) -> (f64, f64) {
    let (none, radius) = (simd.splat_f64s(0.0), simd.splat_f64s(radius));
    let (mut first, mut second) = (none, none);
    for group in 0..scan::n_groups::<S>() {
        let x = scan::distances::<S, Chebyshev>(simd, &rows[..n_first], &center[..n_first], group);
        let y = scan::distances::<S, Chebyshev>(simd, &rows[n_first..], &center[n_first..], group);
        for (x, y) in x.into_iter().zip(y) {
            let near = simd.less_than_f64s(simd.max_f64s(x, y), radius);
            first = simd.max_f64s(first, simd.select_f64s(near, x, none));
            second = simd.max_f64s(second, simd.select_f64s(near, y, none));
        }
    }
    (simd.reduce_max_f64s(first), simd.reduce_max_f64s(second))
}
