//! The two products of a pass, compiled for every instruction set that is known and chosen when the program runs.
//!
//! Only this file, `residuals.rs` and `scale.rs` name pulp.
//!
//! Rows of features are padded with zeros to a multiple of [`LANES`]; logits and residuals lie class by class, so that
//! the softmax works on many samples at once. The order of the sums depends on the width of the registers, hence the
//! last bits on the machine, but on nothing else.

#![expect(clippy::inline_always, reason = "code that is not inlined is compiled for the oldest machine")]

use pulp::{Arch, Simd, WithSimd};
use std::array;

/// What the length of a row must be a multiple of: the widest registers hold so many.
pub(super) const LANES: usize = 16;

/// Classes that are kept in registers at once.
const CLASSES: usize = 5;

/// A block of samples: `rows` rows of `stride` features.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    /// The features, row after row.
    pub features: &'a [f32],
    /// The padded number of features.
    pub stride: usize,
    /// The number of samples.
    pub rows: usize,
}

/// Writes `weights · x + intercepts` for each sample of the block, class by class.
pub(super) fn logits(block: Block<'_>, weights: &[f32], intercepts: &[f32], out: &mut [f32]) {
    Arch::new().dispatch(Logits { block, weights, intercepts, out });
}

/// Adds the sum over the samples of residual times features, class by class.
pub(super) fn products(block: Block<'_>, residuals: &[f32], out: &mut [f32]) {
    Arch::new().dispatch(Products { block, residuals, out });
}

struct Logits<'a> {
    block: Block<'a>,
    weights: &'a [f32],
    intercepts: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Logits<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (rows, classes) = (self.block.rows, self.intercepts.len());
        // Few registers hold a tile of two rows; many hold four.
        let tile = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
        let mut row = 0;
        while row < rows {
            let height = if rows - row >= tile { tile } else { 1 };
            let mut class = 0;
            while class < classes {
                let width = next_tile(classes - class);
                match height {
                    4 => self.height::<S, 4>(simd, row, class, width),
                    2 => self.height::<S, 2>(simd, row, class, width),
                    _ => self.height::<S, 1>(simd, row, class, width),
                }
                class += width;
            }
            row += height;
        }
    }
}

impl Logits<'_> {
    #[inline(always)]
    fn height<S: Simd, const R: usize>(&mut self, simd: S, row: usize, class: usize, width: usize) {
        match width {
            1 => self.tile::<S, R, 1>(simd, row, class),
            2 => self.tile::<S, R, 2>(simd, row, class),
            3 => self.tile::<S, R, 3>(simd, row, class),
            4 => self.tile::<S, R, 4>(simd, row, class),
            _ => self.tile::<S, R, CLASSES>(simd, row, class),
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const C: usize>(&mut self, simd: S, row: usize, class: usize) {
        let n = self.block.stride / S::F32_LANES;
        let x: [&[S::f32s]; R] = consecutive::<S, R>(self.block.features, row, n);
        let w: [&[S::f32s]; C] = consecutive::<S, C>(self.weights, class, n);
        let mut sums = [[simd.splat_f32s(0.0); C]; R];
        for j in 0..n {
            let x: [S::f32s; R] = array::from_fn(|r| x[r][j]);
            for c in 0..C {
                let w = w[c][j];
                for r in 0..R {
                    sums[r][c] = simd.mul_add_e_f32s(x[r], w, sums[r][c]);
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (c, sum) in sums.into_iter().enumerate() {
                let logit = simd.reduce_sum_f32s(sum) + self.intercepts[class + c];
                self.out[(class + c) * self.block.rows + row + r] = logit;
            }
        }
    }
}

struct Products<'a> {
    block: Block<'a>,
    residuals: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let rows = self.block.rows;
        let mut row = 0;
        while row < rows {
            // As many rows as leave room in the registers: every sum is read and written once for all of them.
            row += match rows - row {
                8.. if S::REGISTER_COUNT >= 32 => self.rows::<S, 8>(simd, row),
                4.. => self.rows::<S, 4>(simd, row),
                _ => self.rows::<S, 1>(simd, row),
            };
        }
    }
}

impl Products<'_> {
    /// Adds `R` rows, two registers of columns at a time.
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, simd: S, row: usize) -> usize {
        let Block { features, stride, rows } = self.block;
        let x: [&[S::f32s]; R] = consecutive::<S, R>(features, row, stride / S::F32_LANES);
        let (pairs, rest) = (x[0].len() / 2, x[0].len() % 2);
        let columns = (0..pairs).map(|pair| (2 * pair, 2)).chain((0..rest).map(|_| (2 * pairs, 1)));
        for (column, width) in columns {
            if width == 2 {
                self.add::<S, R, 2>(simd, row, &x, column, rows);
            } else {
                self.add::<S, R, 1>(simd, row, &x, column, rows);
            }
        }
        R
    }

    #[inline(always)]
    fn add<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        x: &[&[S::f32s]; R],
        column: usize,
        rows: usize,
    ) {
        let x: [[S::f32s; V]; R] = array::from_fn(|r| array::from_fn(|v| x[r][column + v]));
        let out = self.out.chunks_exact_mut(self.block.stride);
        for (out, residuals) in out.zip(self.residuals.chunks_exact(rows)) {
            let out = &mut S::as_mut_simd_f32s(out).0[column..column + V];
            let residuals = &residuals[row..row + R];
            let mut sums: [S::f32s; V] = array::from_fn(|v| out[v]);
            for r in 0..R {
                let residual = simd.splat_f32s(residuals[r]);
                for v in 0..V {
                    sums[v] = simd.mul_add_e_f32s(x[r][v], residual, sums[v]);
                }
            }
            out.copy_from_slice(&sums);
        }
    }
}

/// How many of the classes that are left go into one tile, so that the tiles are of about equal size.
#[inline(always)]
fn next_tile(left: usize) -> usize {
    left.div_ceil(left.div_ceil(CLASSES))
}

/// Rows of `n` registers each, from one of them on. A loop: the closure of `array::from_fn` would be called for each row.
#[inline(always)]
fn consecutive<S: Simd, const N: usize>(values: &[f32], row: usize, n: usize) -> [&[S::f32s]; N] {
    let mut left = &S::as_simd_f32s(values).0[row * n..];
    let mut rows: [&[S::f32s]; N] = [&[]; N];
    for row in &mut rows {
        (*row, left) = left.split_at(n);
    }
    rows
}
