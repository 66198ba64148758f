//! The exponential function of many numbers at once.
#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use std::f64::consts::LOG2_E;

/// Below this the exponential is not a normal number; it is taken for the smallest one.
const LEAST: f64 = -708.0;

/// Added to a small number, this leaves its nearest integer in the last bits.
const SHIFTER: f64 = 6_755_399_441_055_744.0;

/// ln 2 in two parts, of which the first has so few digits that its multiples are exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// 1/m! for m = 2, 3, ..., 13.
const COEFFICIENTS: [f64; 12] = [
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

/// eˣ for x ≤ 0, without a branch, so that loops over it can be compiled for wide registers.
///
/// # Formula
///
/// ```text
/// eˣ = 2ⁱ eʳ,   i = round(x / ln 2),   |r| ≤ ½ ln 2, by its Taylor series
/// ```
///
/// It errs by about 2e-16 of the value.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    let x = if x > LEAST { x } else { LEAST };
    let shifted = x * LOG2_E + SHIFTER;
    let whole = shifted - SHIFTER;
    let rest = (x - whole * LN_2_HIGH) - whole * LN_2_LOW;
    let mut series = COEFFICIENTS[11];
    for coefficient in COEFFICIENTS[..11].iter().rev() {
        series = series * rest + coefficient;
    }
    let mantissa = (series * rest * rest + rest) + 1.0;
    // The integer in the last bits moves to the place of the exponent.
    mantissa * f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_library() {
        for step in 0..70_000_u32 {
            let x = -0.01 * f64::from(step) - 1e-7;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-15, "{x}");
        }
        assert!((exp(0.0) - 1.0).abs() < f64::EPSILON);
        assert!(exp(f64::NEG_INFINITY) < 1e-300);
    }
}
