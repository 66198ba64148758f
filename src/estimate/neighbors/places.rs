//! Rows of places in a grid, and what registers do with them.
#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use pulp::Simd;

use super::bits::bits;
use super::leaves::LEAF;

/// The largest place: a difference of two has a sign in 16 bits.
pub(super) const LIMIT: u16 = i16::MAX.unsigned_abs();

/// What makes differences of places positive.
const HALF: u16 = 1 << 15;

/// One place for each point of a leaf.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct PlaceRow(pub(super) [u16; LEAF]);

/// Windows of places about the points of a leaf.
pub(super) struct Windows {
    /// For each dimension, the first place of each point's window; above all places where there is none.
    first: Vec<PlaceRow>,
    /// For each dimension, the last place of each point's window.
    last: Vec<PlaceRow>,
}

impl Windows {
    /// Those of all that differ from the points' places by less than some numbers.
    pub(super) fn new(rows: &[PlaceRow], limits: impl Iterator<Item = u16>) -> Self {
        let mut windows =
            Self { first: vec![PlaceRow([u16::MAX; LEAF]); rows.len()], last: vec![PlaceRow([0; LEAF]); rows.len()] };
        for (point, limit) in limits.enumerate().filter(|&(_, limit)| limit > 0) {
            for ((row, first), last) in rows.iter().zip(&mut windows.first).zip(&mut windows.last) {
                first.0[point] = row.0[point].saturating_sub(limit - 1);
                last.0[point] = row.0[point].saturating_add(limit - 1);
            }
        }
        windows
    }

    /// The points whose windows meet a box, given its corners in each dimension.
    #[inline(always)]
    pub(super) fn meeting<S: Simd>(&self, simd: S, corners: &[(u16, u16)]) -> u64 {
        self.reaching(simd, corners.iter().map(|&(low, high)| (high, low)))
    }

    /// The points whose windows hold all of a box.
    #[inline(always)]
    pub(super) fn holding<S: Simd>(&self, simd: S, corners: &[(u16, u16)]) -> u64 {
        self.reaching(simd, corners.iter().copied())
    }

    /// The points whose windows begin and end in time, in each dimension.
    #[inline(always)]
    fn reaching<S: Simd>(&self, simd: S, times: impl Iterator<Item = (u16, u16)> + Clone) -> u64 {
        let mut all = 0;
        for of in 0..n_registers::<S>() {
            let mut reach = u64::MAX;
            for ((first, last), (begin, end)) in self.first.iter().zip(&self.last).zip(times.clone()) {
                let begins = simd.less_than_or_equal_u16s(register::<S>(first, of), simd.splat_u16s(begin));
                let ends = simd.greater_than_or_equal_u16s(register::<S>(last, of), simd.splat_u16s(end));
                reach &= mask_bits::<S>(begins) & mask_bits::<S>(ends);
            }
            all |= reach << (of * S::U16_LANES);
        }
        all
    }
}

/// The registers that hold a row.
#[inline(always)]
pub(super) fn n_registers<S: Simd>() -> usize {
    LEAF / S::U16_LANES
}

/// A register of a row.
#[inline(always)]
fn register<S: Simd>(row: &PlaceRow, of: usize) -> S::u16s {
    S::as_simd_u16s(&row.0).0[of]
}

/// The registers that one pass over the dimensions fills, which the place of a center is spread over once.
const GROUP: usize = 2;

/// The passes that one leaf takes.
#[inline(always)]
pub(super) fn n_groups<S: Simd>() -> usize {
    n_registers::<S>() / GROUP
}

/// A place that others are held against, less a half so that no difference is below zero; twice, since four bytes are
/// cheaper to spread over a register than two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Center([u16; 2]);

impl Center {
    /// The places of the points of a leaf, point after point.
    #[inline(always)]
    pub(super) fn all(rows: &[PlaceRow]) -> Vec<Self> {
        let of_point = |point: usize| rows.iter().map(move |row| Self([row.0[point].wrapping_sub(HALF); 2]));
        (0..LEAF).flat_map(of_point).collect()
    }

    #[inline(always)]
    fn spread<S: Simd>(self, simd: S) -> S::u16s {
        if size_of::<S::u32s>() == size_of::<S::u16s>() {
            bytemuck::cast(simd.splat_u32s(bytemuck::cast(self.0)))
        } else {
            // Without registers a number is one.
            simd.splat_u16s(self.0[0])
        }
    }
}

/// How far a group of the points of a leaf is from a center: the largest differences of their places.
#[inline(always)]
pub(super) fn apart<S: Simd>(simd: S, rows: &[PlaceRow], center: &[Center], group: usize) -> [S::u16s; GROUP] {
    let half = simd.splat_u16s(HALF);
    let (mut least, mut most) = ([half; GROUP], [half; GROUP]);
    for (row, place) in rows.iter().zip(center) {
        let place = place.spread(simd);
        for of in 0..GROUP {
            let difference = simd.sub_u16s(register::<S>(row, group * GROUP + of), place);
            least[of] = simd.min_u16s(least[of], difference);
            most[of] = simd.max_u16s(most[of], difference);
        }
    }
    let mut apart = least;
    for of in 0..GROUP {
        apart[of] = simd.max_u16s(simd.sub_u16s(most[of], half), simd.sub_u16s(half, least[of]));
    }
    apart
}

/// One bit for each place of a group that is below another; where the bits belong among those of all points of a leaf.
#[inline(always)]
pub(super) fn below<S: Simd>(simd: S, places: [S::u16s; GROUP], place: u16, group: usize) -> u64 {
    let place = simd.splat_u16s(place);
    let mut all = 0;
    for (of, &places) in places.iter().enumerate() {
        all |= mask_bits::<S>(simd.less_than_u16s(places, place)) << ((group * GROUP + of) * S::U16_LANES);
    }
    all
}

#[inline(always)]
fn mask_bits<S: Simd>(mask: S::m16s) -> u64 {
    bits(bytemuck::bytes_of(&mask), S::U16_LANES)
}
