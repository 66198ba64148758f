//! What makes a distance of the differences of coordinates.
//!
//! Each step grows with the difference, also after rounding: so the distance to a box is never above that to a point
//! within it, and leaves are skipped without an error.
#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use pulp::Simd;

/// A way to add up differences of coordinates, starting from zero.
pub(super) trait Metric: Sync + Send {
    /// Whether a sum is the largest difference of a coordinate.
    const IS_LARGEST: bool;

    /// Adds the difference of one coordinate, of either sign.
    fn add<S: Simd>(simd: S, sum: S::f64s, difference: S::f64s) -> S::f64s;

    /// Adds how far one coordinate lies outside of a box; negative if inside.
    fn add_gap<S: Simd>(simd: S, sum: S::f64s, gap: S::f64s) -> S::f64s;

    /// The same for one number.
    fn add_scalar_gap(sum: f64, gap: f64) -> f64;

    /// The distance that a sum stands for.
    fn distance(sum: f64) -> f64;
}

/// The largest difference of a coordinate.
pub(super) struct Chebyshev;

impl Metric for Chebyshev {
    const IS_LARGEST: bool = true;

    #[inline(always)]
    fn add<S: Simd>(simd: S, sum: S::f64s, difference: S::f64s) -> S::f64s {
        simd.max_f64s(sum, simd.abs_f64s(difference))
    }

    #[inline(always)]
    fn add_gap<S: Simd>(simd: S, sum: S::f64s, gap: S::f64s) -> S::f64s {
        simd.max_f64s(sum, gap)
    }

    #[inline(always)]
    fn add_scalar_gap(sum: f64, gap: f64) -> f64 {
        if gap > sum { gap } else { sum }
    }

    #[inline(always)]
    fn distance(sum: f64) -> f64 {
        sum
    }
}

/// The root of the sum of squared differences; the sum stands for it until the end.
pub(super) struct Euclidean;

impl Metric for Euclidean {
    const IS_LARGEST: bool = false;

    #[inline(always)]
    fn add<S: Simd>(simd: S, sum: S::f64s, difference: S::f64s) -> S::f64s {
        simd.mul_add_f64s(difference, difference, sum)
    }

    #[inline(always)]
    fn add_gap<S: Simd>(simd: S, sum: S::f64s, gap: S::f64s) -> S::f64s {
        let outside = simd.max_f64s(gap, simd.splat_f64s(0.0));
        simd.mul_add_f64s(outside, outside, sum)
    }

    #[inline(always)]
    fn add_scalar_gap(sum: f64, gap: f64) -> f64 {
        let outside = if gap > 0.0 { gap } else { 0.0 };
        outside.mul_add(outside, sum)
    }

    #[inline(always)]
    fn distance(sum: f64) -> f64 {
        sum.sqrt()
    }
}
