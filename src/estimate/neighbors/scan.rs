//! Loops over the points of one leaf, compiled for the widest registers of the machine.
#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use pulp::Simd;

use super::bits::bits;
use super::leaves::{LEAF, Leaves, Row};
use super::metric::Metric;

/// The registers that one pass over the dimensions fills: few enough to stay registers.
pub(super) const GROUP: usize = 8;

/// The passes that one leaf takes.
#[inline(always)]
pub(super) fn n_groups<S: Simd>() -> usize {
    LEAF / S::F64_LANES / GROUP
}

/// A group of registers of a row.
#[inline(always)]
pub(super) fn group<S: Simd>(row: &Row, group: usize) -> &[S::f64s; GROUP] {
    let (registers, _) = S::as_simd_f64s(&row.0);
    let (groups, _) = pulp::as_arrays::<GROUP, _>(registers);
    &groups[group]
}

/// A group of registers of a row, to change.
#[inline(always)]
pub(super) fn group_mut<S: Simd>(row: &mut Row, group: usize) -> &mut [S::f64s; GROUP] {
    let (registers, _) = S::as_mut_simd_f64s(&mut row.0);
    let (groups, _) = pulp::as_arrays_mut::<GROUP, _>(registers);
    &mut groups[group]
}

/// The distances from a center to the points of a group, as sums of the metric.
#[inline(always)]
pub(super) fn distances<S: Simd, M: Metric>(simd: S, rows: &[Row], center: &[f64], of: usize) -> [S::f64s; GROUP] {
    let mut sums = [simd.splat_f64s(0.0); GROUP];
    for (row, &center) in rows.iter().zip(center) {
        let center = simd.splat_f64s(center);
        for (sum, &value) in sums.iter_mut().zip(group::<S>(row, of)) {
            *sum = M::add(simd, *sum, simd.sub_f64s(value, center));
        }
    }
    sums
}

/// A bit for each point of a leaf that is nearer to a center than a radius, as a sum of the metric.
#[inline(always)]
pub(super) fn nearer<S: Simd, M: Metric>(simd: S, rows: &[Row], center: &[f64], radius: f64) -> u64 {
    let radius = simd.splat_f64s(radius);
    let mut all = 0;
    for of in 0..n_groups::<S>() {
        for (register, &sum) in distances::<S, M>(simd, rows, center, of).iter().enumerate() {
            let mask = simd.less_than_f64s(sum, radius);
            all |= bits(bytemuck::bytes_of(&mask), S::F64_LANES) << ((of * GROUP + register) * S::F64_LANES);
        }
    }
    all
}

/// The distances from the points of a group to the nearest point of a box; infinite for missing points.
#[inline(always)]
pub(super) fn gaps<S: Simd, M: Metric>(
    simd: S,
    rows: &[Row],
    corners: (&[f64], &[f64]),
    of: usize,
) -> [S::f64s; GROUP] {
    let mut sums = [simd.splat_f64s(0.0); GROUP];
    for (row, (&low, &high)) in rows.iter().zip(corners.0.iter().zip(corners.1)) {
        let (low, high) = (simd.splat_f64s(low), simd.splat_f64s(high));
        for (sum, &value) in sums.iter_mut().zip(group::<S>(row, of)) {
            let outside = simd.max_f64s(simd.sub_f64s(low, value), simd.sub_f64s(value, high));
            *sum = M::add_gap(simd, *sum, outside);
        }
    }
    sums
}

/// The distances from the box of one leaf to the boxes of all leaves.
#[inline(always)]
pub(super) fn box_gaps<M: Metric>(leaves: &Leaves, leaf: usize) -> Vec<f64> {
    let mut gaps = vec![0.0; leaves.n_leaves()];
    let (own_low, own_high) = leaves.corners(leaf);
    for (c, (&own_low, &own_high)) in own_low.iter().zip(own_high).enumerate() {
        let (low, high) = leaves.corners_along(c);
        for (gap, (&low, &high)) in gaps.iter_mut().zip(low.iter().zip(high)) {
            let (left, right) = (own_low - high, low - own_high);
            let outside = if left > right { left } else { right };
            *gap = M::add_scalar_gap(*gap, outside);
        }
    }
    gaps
}

/// The places of a leaf's points, of which only those in use are set.
pub(super) struct Chosen {
    places: [usize; LEAF],
    len: usize,
}

impl Chosen {
    /// None.
    #[inline(always)]
    pub(super) fn none() -> Self {
        Self { places: [0; LEAF], len: 0 }
    }

    /// Adds the places where `left < right`, of register number `register`.
    #[inline(always)]
    pub(super) fn add_less<S: Simd>(&mut self, simd: S, left: S::f64s, right: S::f64s, register: usize) {
        if !any_less(simd, left, right) {
            return;
        }
        for (lane, (left, right)) in lanes::<S>(&left).iter().zip(lanes::<S>(&right)).enumerate() {
            // Written always and kept at times: a branch would be mispredicted.
            self.places[self.len] = register * S::F64_LANES + lane;
            self.len += usize::from(left < right);
        }
    }

    /// The places added.
    #[inline(always)]
    pub(super) fn places(&self) -> &[usize] {
        &self.places[..self.len]
    }
}

/// Whether any number of a register is less than the number at its place in another one.
#[inline(always)]
pub(super) fn any_less<S: Simd>(simd: S, left: S::f64s, right: S::f64s) -> bool {
    simd.first_true_m64s(simd.less_than_f64s(left, right)) < S::F64_LANES
}

/// The numbers of a register.
#[inline(always)]
pub(super) fn lanes<S: Simd>(register: &S::f64s) -> &[f64] {
    bytemuck::cast_slice(std::slice::from_ref(register))
}

/// The coordinates of the points of a leaf, point after point.
#[inline(always)]
pub(super) fn transpose(rows: &[Row]) -> Vec<f64> {
    let mut points = vec![0.0; rows.len() * LEAF];
    for (c, row) in rows.iter().enumerate() {
        for (point, &value) in points.chunks_exact_mut(rows.len()).zip(&row.0) {
            point[c] = value;
        }
    }
    points
}

/// The largest number of a row.
#[inline(always)]
pub(super) fn row_max<S: Simd>(simd: S, row: &Row) -> f64 {
    let (registers, _) = S::as_simd_f64s(&row.0);
    let largest = registers[1..].iter().fold(registers[0], |largest, &value| simd.max_f64s(largest, value));
    simd.reduce_max_f64s(largest)
}
