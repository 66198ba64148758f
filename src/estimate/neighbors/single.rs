//! Coordinates in single precision: twice as many points a register, to tell what is near enough to be looked at exactly.
//!
//! No result comes from them. A point is left out only where its distance in single precision is above a limit that no
//! rounding explains, and counted only where it is below another one; all others are looked at in double precision.
#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]
#![expect(clippy::cast_possible_truncation, reason = "single precision is what this is for")]

use pulp::Simd;

use super::leaves::{LEAF, Leaves};
use super::metric::Metric;

/// The registers that one pass over the dimensions fills.
pub(super) const GROUP: usize = 4;

/// Dimensions after which it is asked whether any point is still near enough.
const CHUNK: usize = 4;

/// More than the error of a difference of two coordinates, which are below 4 in magnitude and rounded to 24 bits.
const COORDINATE: f64 = 1.0 / (1 << 21) as f64;

/// What limits are widened by beyond that, a part of them: more than roundings of differences and of limits themselves.
const RELATIVE: f64 = 1.0 / (1 << 21) as f64;

/// One number for each point of a leaf.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct SingleRow(pub(super) [f32; LEAF]);

/// The map of coordinates to numbers between −1 and 1, and where exponents end, between −4 and 4.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// For each dimension, what is taken away.
    middles: Vec<f64>,
    /// What the rest is multiplied with, a power of two: distances only change their exponent.
    scale: f64,
}

impl Frame {
    pub(super) fn new(columns: &[Vec<f64>]) -> Self {
        let mut largest = 0.0_f64;
        let middles = columns.iter().map(|column| {
            let (low, high) = super::leaves::range(column.iter().copied());
            let middle = 0.5 * low + 0.5 * high;
            largest = largest.max(high - middle);
            middle
        });
        let middles = middles.collect();
        let exponent = if largest > 0.0 { largest.log2().ceil() } else { 0.0 };
        Self { middles, scale: (-exponent.clamp(-1022.0, 1022.0)).exp2() }
    }

    pub(super) fn row(&self, dimension: usize, values: &[f64; LEAF]) -> SingleRow {
        SingleRow(values.map(|value| ((value - self.middles[dimension]) * self.scale) as f32))
    }

    /// What the distance in single precision of a point nearer than `radius` is below.
    #[inline(always)]
    pub(super) fn above<M: Metric>(&self, radius: f64) -> f32 {
        let dimensions = self.middles.len() as f64;
        let widened = M::single_of((radius * self.scale + M::error(COORDINATE, dimensions)) * (1.0 + RELATIVE));
        // Sums of squares are rounded at each dimension.
        (widened * (1.0 + (dimensions + 4.0) * RELATIVE)) as f32
    }

    /// What the largest difference is below, in single precision, only of points nearer than `radius`.
    #[inline(always)]
    pub(super) fn below(&self, radius: f64) -> f32 {
        if radius == f64::INFINITY {
            // A difference may be too large for a number, and is then not below.
            return -1.0;
        }
        ((radius * self.scale - COORDINATE) * (1.0 - 2.0 * RELATIVE)) as f32
    }
}

/// The passes that one leaf takes.
#[inline(always)]
pub(super) fn n_groups<S: Simd>() -> usize {
    LEAF / S::F32_LANES / GROUP
}

/// A group of registers of a row.
#[inline(always)]
fn group<S: Simd>(row: &SingleRow, group: usize) -> &[S::f32s; GROUP] {
    let (registers, _) = S::as_simd_f32s(&row.0);
    let (groups, _) = pulp::as_arrays::<GROUP, _>(registers);
    &groups[group]
}

/// The distances from a center to the points of a group, as sums of the metric; none where no point is below the limit.
#[inline(always)]
pub(super) fn distances_below<S: Simd, M: Metric>(
    simd: S,
    rows: &[SingleRow],
    center: &[f32],
    of: usize,
    limit: f32,
) -> Option<[S::f32s; GROUP]> {
    let limit = simd.splat_f32s(limit);
    let mut sums = [simd.splat_f32s(0.0); GROUP];
    for (rows, center) in rows.chunks(CHUNK).zip(center.chunks(CHUNK)) {
        for (row, &center) in rows.iter().zip(center) {
            let center = simd.splat_f32s(center);
            for (sum, &value) in sums.iter_mut().zip(group::<S>(row, of)) {
                *sum = M::add_single(simd, *sum, simd.sub_f32s(value, center));
            }
        }
        let mut least = sums[0];
        for &sum in &sums[1..] {
            least = simd.min_f32s(least, sum);
        }
        if !any_less(simd, least, limit) {
            return None;
        }
    }
    Some(sums)
}

/// Calls `look_at` with the place of each point of a group below the limit.
#[inline(always)]
pub(super) fn for_each_below<S: Simd>(
    simd: S,
    sums: &[S::f32s; GROUP],
    of: usize,
    limit: f32,
    mut look_at: impl FnMut(usize),
) {
    let splat = simd.splat_f32s(limit);
    for (register, sum) in sums.iter().enumerate() {
        if any_less(simd, *sum, splat) {
            for (lane, &sum) in lanes::<S>(sum).iter().enumerate() {
                if sum < limit {
                    look_at((of * GROUP + register) * S::F32_LANES + lane);
                }
            }
        }
    }
}

/// The largest difference in some dimensions of the points of a group from a center.
#[inline(always)]
pub(super) fn largest<S: Simd>(
    simd: S,
    rows: &[SingleRow],
    dimensions: &[usize],
    center: &[f32],
    of: usize,
) -> [S::f32s; GROUP] {
    let mut largest = [simd.splat_f32s(0.0); GROUP];
    for &c in dimensions {
        let center = simd.splat_f32s(center[c]);
        for (largest, &value) in largest.iter_mut().zip(group::<S>(&rows[c], of)) {
            *largest = simd.max_f32s(*largest, simd.abs_f32s(simd.sub_f32s(value, center)));
        }
    }
    largest
}

/// How many points of a group are below a limit.
#[inline(always)]
pub(super) fn count_below<S: Simd>(simd: S, sums: &[S::f32s; GROUP], limit: f32) -> f32 {
    let (none, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
    let limit = simd.splat_f32s(limit);
    let mut total = none;
    for &sum in sums {
        total = simd.add_f32s(total, simd.select_f32s(simd.less_than_f32s(sum, limit), one, none));
    }
    simd.reduce_sum_f32s(total)
}

/// The number of one point of a group.
#[inline(always)]
pub(super) fn lane<S: Simd>(sums: &[S::f32s; GROUP], of: usize, place: usize) -> f32 {
    let place = place - of * GROUP * S::F32_LANES;
    lanes::<S>(&sums[place / S::F32_LANES])[place % S::F32_LANES]
}

/// The numbers of a register.
#[inline(always)]
fn lanes<S: Simd>(register: &S::f32s) -> &[f32] {
    bytemuck::cast_slice(std::slice::from_ref(register))
}

#[inline(always)]
fn any_less<S: Simd>(simd: S, left: S::f32s, right: S::f32s) -> bool {
    simd.first_true_m32s(simd.less_than_f32s(left, right)) < S::F32_LANES
}

/// The coordinates of the points of a leaf, point after point.
pub(super) fn centers(leaves: &Leaves, leaf: usize) -> Vec<f32> {
    let rows = leaves.single_rows(leaf);
    let mut points = vec![0.0; rows.len() * LEAF];
    for (c, row) in rows.iter().enumerate() {
        for (point, &value) in points.chunks_exact_mut(rows.len()).zip(&row.0) {
            point[c] = value;
        }
    }
    points
}
