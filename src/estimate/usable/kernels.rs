//! The two products of a pass, compiled for every instruction set that is known and chosen when the program runs.
//!
//! Only this file and `residuals.rs` name pulp.
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

/// Writes the sum over the samples of residual times features, class by class.
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
        let stride = self.block.stride;
        let n = stride / S::F32_LANES;
        let x: [&[S::f32s]; R] = array::from_fn(|r| &registers::<S>(self.block.features, row + r, stride)[..n]);
        let w: [&[S::f32s]; C] = array::from_fn(|c| &registers::<S>(self.weights, class + c, stride)[..n]);
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
        let (rows, stride) = (self.block.rows, self.block.stride);
        let n = stride / S::F32_LANES;
        let classes = self.residuals.len() / rows;
        let tile = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
        let mut column = 0;
        while column < n {
            let width = if n - column >= tile { tile } else { 1 };
            let mut class = 0;
            while class < classes {
                let height = next_tile(classes - class);
                match width {
                    4 => self.width::<S, 4>(simd, column, class, height),
                    2 => self.width::<S, 2>(simd, column, class, height),
                    _ => self.width::<S, 1>(simd, column, class, height),
                }
                class += height;
            }
            column += width;
        }
    }
}

impl Products<'_> {
    #[inline(always)]
    fn width<S: Simd, const V: usize>(&mut self, simd: S, column: usize, class: usize, height: usize) {
        match height {
            1 => self.tile::<S, 1, V>(simd, column, class),
            2 => self.tile::<S, 2, V>(simd, column, class),
            3 => self.tile::<S, 3, V>(simd, column, class),
            4 => self.tile::<S, 4, V>(simd, column, class),
            _ => self.tile::<S, CLASSES, V>(simd, column, class),
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const C: usize, const V: usize>(&mut self, simd: S, column: usize, class: usize) {
        let Block { features, stride, rows } = self.block;
        let residuals: [&[f32]; C] = array::from_fn(|c| &self.residuals[(class + c) * rows..][..rows]);
        let mut sums = [[simd.splat_f32s(0.0); V]; C];
        for (i, row) in features.chunks_exact(stride).take(rows).enumerate() {
            let x = &S::as_simd_f32s(row).0[column..column + V];
            let x: [S::f32s; V] = array::from_fn(|v| x[v]);
            for c in 0..C {
                let residual = simd.splat_f32s(residuals[c][i]);
                for v in 0..V {
                    sums[c][v] = simd.mul_add_e_f32s(x[v], residual, sums[c][v]);
                }
            }
        }
        for (c, sums) in sums.iter().enumerate() {
            let out = &mut self.out[(class + c) * stride..][..stride];
            S::as_mut_simd_f32s(out).0[column..column + V].copy_from_slice(sums);
        }
    }
}

/// How many of the classes that are left go into one tile, so that the tiles are of about equal size.
#[inline(always)]
fn next_tile(left: usize) -> usize {
    left.div_ceil(left.div_ceil(CLASSES))
}

#[inline(always)]
fn registers<S: Simd>(values: &[f32], row: usize, stride: usize) -> &[S::f32s] {
    S::as_simd_f32s(&values[row * stride..(row + 1) * stride]).0
}
