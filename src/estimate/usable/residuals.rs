//! The softmax of a block of samples, compiled for every instruction set that is known and chosen when the program runs.
//!
//! Logits lie class by class, so that each operation works on many samples at once.

#![expect(clippy::inline_always, reason = "code that is not inlined is compiled for the oldest machine")]

use pulp::{Arch, Simd, WithSimd};

use crate::estimate::exponential;

/// Turns logits into residuals `p − [k = y]` in place, and returns the summed cross-entropy.
///
/// Both come from the probability of the other classes, not from one minus that of the right class, so that they keep
/// their digits when the probe is sure. `scratch` holds three numbers a sample.
pub(super) fn residuals(logits: &mut [f32], classes: &[u32], scratch: &mut [f32]) -> f64 {
    let n = classes.len();
    let (right, rest) = scratch[..3 * n].split_at_mut(n);
    let (others, inverse) = rest.split_at_mut(n);
    Arch::new().dispatch(FromLargest { logits, largest: right });
    let mut loss = 0.0;
    for (i, (&class, right)) in classes.iter().zip(&mut *right).enumerate() {
        *right = std::mem::replace(&mut logits[class as usize * n + i], f32::NEG_INFINITY);
        loss -= f64::from(*right);
    }
    Arch::new().dispatch(Exponentials { logits, right, others, inverse });
    for (i, &class) in classes.iter().enumerate() {
        logits[class as usize * n + i] = -others[i] * inverse[i];
    }
    // Each sum lies in 1..=K, so the product of 32 of them cannot overflow; one logarithm serves them all.
    for (right, others) in right.chunks(32).zip(others.chunks(32)) {
        let sums = right.iter().zip(others).map(|(&right, &others)| f64::from(right) + f64::from(others));
        loss += sums.product::<f64>().ln();
    }
    loss
}

/// ln Σ eᶻ of each of `n` samples, in f64 after the logits.
pub(super) fn log_sums(logits: &[f32], n: usize) -> Vec<f64> {
    let mut sums = vec![0.0; n];
    let mut largest = vec![0.0; n];
    Arch::new().dispatch(Exponents { logits, largest: &mut largest, sums: &mut sums });
    for (sum, &largest) in sums.iter_mut().zip(&largest) {
        *sum = f64::from(largest) + sum.ln();
    }
    sums
}

/// Finds each sample's largest logit, and the sum of the exponentials of what all are above it.
struct Exponents<'a> {
    logits: &'a [f32],
    largest: &'a mut [f32],
    sums: &'a mut [f64],
}

impl WithSimd for Exponents<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.largest.len();
        largest(self.logits, self.largest);
        for logits in self.logits.chunks_exact(n) {
            for ((sum, &z), &largest) in self.sums.iter_mut().zip(logits).zip(&*self.largest) {
                *sum += exponential::exp(f64::from(z) - f64::from(largest));
            }
        }
    }
}

/// Each sample's largest logit.
#[inline(always)]
fn largest(logits: &[f32], largest: &mut [f32]) {
    let n = largest.len();
    largest.copy_from_slice(&logits[..n]);
    for logits in logits.chunks_exact(n).skip(1) {
        for (largest, &z) in largest.iter_mut().zip(logits) {
            *largest = if z > *largest { z } else { *largest };
        }
    }
}

/// Subtracts each sample's largest logit from all of its logits.
struct FromLargest<'a> {
    logits: &'a mut [f32],
    largest: &'a mut [f32],
}

impl WithSimd for FromLargest<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.largest.len();
        largest(self.logits, self.largest);
        for logits in self.logits.chunks_exact_mut(n) {
            for (z, &largest) in logits.iter_mut().zip(&*self.largest) {
                *z -= largest;
            }
        }
    }
}

/// Exponentiates the logits of the right class (in `right`) and of the others (in `logits`), sums the latter, inverts
/// the sum of all, and multiplies the others with it.
struct Exponentials<'a> {
    logits: &'a mut [f32],
    right: &'a mut [f32],
    others: &'a mut [f32],
    inverse: &'a mut [f32],
}

impl WithSimd for Exponentials<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.right.len();
        self.others.fill(0.0);
        for logits in self.logits.chunks_exact_mut(n) {
            for (z, other) in logits.iter_mut().zip(&mut *self.others) {
                *z = exp(*z);
                *other += *z;
            }
        }
        for ((right, inverse), &other) in self.right.iter_mut().zip(&mut *self.inverse).zip(&*self.others) {
            *right = exp(*right);
            *inverse = 1.0 / (*right + other);
        }
        for logits in self.logits.chunks_exact_mut(n) {
            for (z, &inverse) in logits.iter_mut().zip(&*self.inverse) {
                *z *= inverse;
            }
        }
    }
}

/// e to the power of a number that is not positive, to one part in ten million; at least e⁻⁸⁷.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³: adding it leaves the nearest integer in the low bits
    const LN_2_HIGH: f32 = 355.0 / 512.0; // few bits, so that its product with an integer is exact
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x > -87.0 { x } else { -87.0 };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    let mut series = 1.0 / 5040.0_f32;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series.mul_add(r, coefficient);
    }
    series * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_sums_are_those_of_the_standard_library() {
        let logits: Vec<f32> = (0..5 * 37_u16).map(|i| f32::from(i * 61 % 97) - 40.0).collect();
        for (i, sum) in log_sums(&logits, 37).into_iter().enumerate() {
            let exact: f64 = logits.iter().skip(i).step_by(37).map(|&z| f64::from(z).exp()).sum();
            assert!((sum - exact.ln()).abs() < 1e-13, "{sum} for {}", exact.ln());
        }
    }

    #[test]
    fn the_exponential_is_right_to_one_part_in_five_million() {
        for i in 0..8_700_u16 {
            let x = -f32::from(i) / 100.0;
            let error = f64::from(exp(x)) / f64::from(x).exp() - 1.0;
            assert!(error.abs() < 2e-7, "{x}: {error}");
        }
    }
}
