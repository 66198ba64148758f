//! Loops over pairs that may be near, compiled for the widest registers of the machine.
#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use pulp::{Arch, Simd, WithSimd};

/// Registers that grow side by side, so that none waits for itself.
const CHAINS: usize = 4;

/// Candidates whose sums grow side by side.
pub(super) const GROUP: usize = 8;

/// Puts the places of those whose `half − product` is below a limit, with it, behind others.
pub(super) fn below(products: &[f32], halves: &[f32], limit: f32, first: usize, found: &mut Vec<(f32, usize)>) {
    Arch::new().dispatch(Below { products, halves, limit, first, found });
}

/// The product of two rows in single precision, in any order.
pub(super) fn product(a: &[f32], b: &[f32]) -> f32 {
    Arch::new().dispatch(Product { a, b })
}

/// The squared distance of two points, in any order: off by 2 (d + 2) 2⁻⁵³ of itself at most.
pub(super) fn quick_square(a: &[f64], b: &[f64]) -> f64 {
    Arch::new().dispatch(QuickSquare { a, b })
}

/// The squared distances of a point to some others, each summed in the order of coordinates.
pub(super) fn squares(point: &[f64], others: [&[f64]; GROUP]) -> [f64; GROUP] {
    Arch::new().dispatch(Squares { point, others })
}

struct Below<'a> {
    products: &'a [f32],
    halves: &'a [f32],
    limit: f32,
    first: usize,
    found: &'a mut Vec<(f32, usize)>,
}

impl WithSimd for Below<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { products, halves, limit, first, found } = self;
        let all = simd.splat_f32s(limit);
        let (registers, _) = S::as_simd_f32s(products);
        let (half_registers, _) = S::as_simd_f32s(halves);
        for (place, (&product, &half)) in registers.iter().zip(half_registers).enumerate() {
            let bounds = simd.sub_f32s(half, product);
            if simd.first_true_m32s(simd.less_than_f32s(bounds, all)) < S::F32_LANES {
                let bounds: &[f32] = bytemuck::cast_slice(std::slice::from_ref(&bounds));
                for (lane, &bound) in bounds.iter().enumerate() {
                    if bound < limit {
                        found.push((bound, first + place * S::F32_LANES + lane));
                    }
                }
            }
        }
    }
}

struct Product<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl WithSimd for Product<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (a, a_rest) = S::as_simd_f32s(self.a);
        let (b, b_rest) = S::as_simd_f32s(self.b);
        let mut sums = [simd.splat_f32s(0.0); CHAINS];
        let (a_chunks, a_last) = pulp::as_arrays::<CHAINS, _>(a);
        let (b_chunks, b_last) = pulp::as_arrays::<CHAINS, _>(b);
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
                *sum = simd.mul_add_f32s(a, b, *sum);
            }
        }
        for (&a, &b) in a_last.iter().zip(b_last) {
            sums[0] = simd.mul_add_f32s(a, b, sums[0]);
        }
        let [first, second, third, fourth] = sums;
        let sum = simd.add_f32s(simd.add_f32s(first, second), simd.add_f32s(third, fourth));
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
        simd.reduce_sum_f32s(sum) + rest
    }
}

struct QuickSquare<'a> {
    a: &'a [f64],
    b: &'a [f64],
}

impl WithSimd for QuickSquare<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let (a, a_rest) = S::as_simd_f64s(self.a);
        let (b, b_rest) = S::as_simd_f64s(self.b);
        let mut sums = [simd.splat_f64s(0.0); CHAINS];
        let (a_chunks, a_last) = pulp::as_arrays::<CHAINS, _>(a);
        let (b_chunks, b_last) = pulp::as_arrays::<CHAINS, _>(b);
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
                let difference = simd.sub_f64s(a, b);
                *sum = simd.mul_add_f64s(difference, difference, *sum);
            }
        }
        for (&a, &b) in a_last.iter().zip(b_last) {
            let difference = simd.sub_f64s(a, b);
            sums[0] = simd.mul_add_f64s(difference, difference, sums[0]);
        }
        let [first, second, third, fourth] = sums;
        let sum = simd.add_f64s(simd.add_f64s(first, second), simd.add_f64s(third, fourth));
        let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b)).sum();
        simd.reduce_sum_f64s(sum) + rest
    }
}

struct Squares<'a> {
    point: &'a [f64],
    others: [&'a [f64]; GROUP],
}

impl WithSimd for Squares<'_> {
    type Output = [f64; GROUP];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; GROUP] {
        let Self { point, mut others } = self;
        for other in &mut others {
            *other = &other[..point.len()];
        }
        let mut sums = [0.0_f64; GROUP];
        for (place, &value) in point.iter().enumerate() {
            for (sum, other) in sums.iter_mut().zip(&others) {
                let difference = value - other[place];
                *sum = difference.mul_add(difference, *sum);
            }
        }
        sums
    }
}
