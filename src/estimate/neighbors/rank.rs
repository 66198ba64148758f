//! Places in sorted columns as short integers: a register holds four times as many of them as of numbers in f64.
#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use std::ops::Sub;

use pulp::Simd;

use super::leaves::LEAF;

/// An integer type for places.
pub(super) trait Rank: Copy + Ord + Sub<Output = Self> + Send + Sync + 'static {
    /// What no place is as large as.
    const LIMIT: Self;

    /// Integers of a register.
    type Register<S: Simd>: Copy;

    /// A place, which must be below the limit.
    fn of(place: usize) -> Self;

    /// The integer as often as four bytes hold it: these are cheaper to spread over a register.
    fn repeated(self) -> u32;

    /// A register full of an integer that was repeated.
    fn splat<S: Simd>(simd: S, repeated: u32) -> Self::Register<S>;

    /// The registers of a row.
    fn registers<S: Simd>(row: &RankRow<Self>) -> &[Self::Register<S>];

    /// The difference, modulo the size of the type.
    fn subtract<S: Simd>(simd: S, from: Self::Register<S>, what: Self::Register<S>) -> Self::Register<S>;

    /// All zeros where the left is not above the right.
    fn excess<S: Simd>(simd: S, left: Self::Register<S>, right: Self::Register<S>) -> Self::Register<S>;

    /// The bits of both.
    fn or<S: Simd>(simd: S, left: Self::Register<S>, right: Self::Register<S>) -> Self::Register<S>;

    /// One bit for each lane: whether it is zero.
    fn zeros<S: Simd>(simd: S, register: Self::Register<S>) -> u64;
}

/// One place for each point of a leaf.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct RankRow<R>(pub(super) [R; LEAF]);

macro_rules! rank {
    ($type:ident, $register:ident, $as_simd:ident, $sub:ident, $max:ident, $xor:ident, $or:ident, $equal:ident, $splat:ident) => {
        impl Rank for $type {
            const LIMIT: Self = $type::MAX;
            type Register<S: Simd> = S::$register;

            fn of(place: usize) -> Self {
                let rank = $type::try_from(place).unwrap_or(Self::LIMIT);
                assert!(rank < Self::LIMIT, "the type was chosen for the number of points");
                rank
            }

            fn repeated(self) -> u32 {
                let bits = u32::from(self);
                if $type::BITS == 16 { bits << 16 | bits } else { bits }
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, repeated: u32) -> S::$register {
                if size_of::<S::u32s>() == size_of::<S::$register>() {
                    bytemuck::cast(simd.splat_u32s(repeated))
                } else {
                    // Without registers a number is one.
                    simd.$splat($type::try_from(repeated & u32::from($type::MAX)).unwrap_or(Self::LIMIT))
                }
            }

            #[inline(always)]
            fn registers<S: Simd>(row: &RankRow<Self>) -> &[S::$register] {
                S::$as_simd(&row.0).0
            }

            #[inline(always)]
            fn subtract<S: Simd>(simd: S, from: S::$register, what: S::$register) -> S::$register {
                simd.$sub(from, what)
            }

            #[inline(always)]
            fn excess<S: Simd>(simd: S, left: S::$register, right: S::$register) -> S::$register {
                simd.$xor(simd.$max(left, right), right)
            }

            #[inline(always)]
            fn or<S: Simd>(simd: S, left: S::$register, right: S::$register) -> S::$register {
                simd.$or(left, right)
            }

            #[inline(always)]
            fn zeros<S: Simd>(simd: S, register: S::$register) -> u64 {
                let mask = simd.$equal(register, Self::splat(simd, 0));
                bits(bytemuck::bytes_of(&mask), size_of::<S::$register>(), size_of::<Self>())
            }
        }
    };
}

rank!(u16, u16s, as_simd_u16s, sub_u16s, max_u16s, xor_u16s, or_u16s, equal_u16s, splat_u16s);
rank!(u32, u32s, as_simd_u32s, sub_u32s, max_u32s, xor_u32s, or_u32s, equal_u32s, splat_u32s);

/// One bit for each lane of a mask that is a register itself, or has one bit a lane.
#[inline(always)]
pub(super) fn bits(mask: &[u8], register: usize, lane: usize) -> u64 {
    if mask.len() == register {
        let lanes = mask.iter().step_by(lane).enumerate();
        return lanes.fold(0, |bits, (place, byte)| bits | u64::from(byte & 1) << place);
    }
    let mut whole = [0; 8];
    whole[..mask.len()].copy_from_slice(mask);
    u64::from_le_bytes(whole)
}

/// The registers that hold a row.
#[inline(always)]
pub(super) fn n_registers<S: Simd, R: Rank>() -> usize {
    size_of::<RankRow<R>>() / size_of::<R::Register<S>>()
}

/// The bits of a register where they belong among those of all points of a leaf.
///
/// Loops over registers are written out: a closure is compiled for the oldest machine where it is not inlined.
#[inline(always)]
pub(super) fn place<S: Simd, R: Rank>(bits: u64, register: usize) -> u64 {
    bits << (register * size_of::<R::Register<S>>() / size_of::<R>())
}
