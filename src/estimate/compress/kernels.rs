//! Both products of a pass over a few rows, in single precision; only this file of the folder names pulp.
//!
//! The order of the sums depends on the width of the registers, hence the last bits on the machine, but on nothing else.
#![expect(clippy::inline_always, reason = "code that is not inlined is compiled for the oldest machine")]

use std::array;

use pulp::{Arch, Simd, WithSimd};

/// What the numbers of rows and of directions must be multiples of: tiles of so many of each are kept in registers.
pub(super) const TILE: usize = 4;

/// What the length of a row must be a multiple of: the widest registers hold so many.
pub(super) const LANES: usize = 16;

/// The columns of all directions that the nearest cache holds.
const COLUMNS: usize = 1024;

/// Adds to `sum` the products of the Gram matrix of some rows with each direction: `sum += (directions · rowsᵀ) · rows`.
///
/// All are in row order, with rows of `stride` numbers.
pub(super) fn add_gram_products(rows: &[f32], directions: &[f32], stride: usize, sum: &mut [f32]) {
    let scores = vec![0.0; rows.len() / stride * (directions.len() / stride)];
    Arch::new().dispatch(Pass { rows, directions, stride, scores, sum });
}

struct Pass<'a> {
    rows: &'a [f32],
    directions: &'a [f32],
    stride: usize,
    /// For each row one number a direction.
    scores: Vec<f32>,
    sum: &'a mut [f32],
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (n_rows, n_directions) = (self.rows.len() / self.stride, self.directions.len() / self.stride);
        let tiles = || {
            (0..n_rows)
                .step_by(TILE)
                .flat_map(move |row| (0..n_directions).step_by(TILE).map(move |direction| (row, direction)))
        };
        let columns = || (0..self.stride).step_by(COLUMNS).map(|first| (first, self.stride.min(first + COLUMNS)));
        for (first, end) in columns() {
            for (row, direction) in tiles() {
                let found = dot_products::<S>(
                    simd,
                    parts(self.rows, self.stride, row, first, end),
                    parts(self.directions, self.stride, direction, first, end),
                );
                for (row, found) in (row..).zip(found) {
                    let scores = &mut self.scores[row * n_directions + direction..][..TILE];
                    scores.iter_mut().zip(found).for_each(|(score, found)| *score += found);
                }
            }
        }
        for (first, end) in columns() {
            for (row, direction) in tiles() {
                let scores: [[f32; TILE]; TILE] =
                    array::from_fn(|r| array::from_fn(|c| self.scores[(row + r) * n_directions + direction + c]));
                let rows = parts(self.rows, self.stride, row, first, end);
                let mut sums = self.sum[direction * self.stride..][..TILE * self.stride]
                    .chunks_exact_mut(self.stride)
                    .map(|sum| &mut sum[first..end]);
                let sums = array::from_fn(|_| sums.next().expect("directions are padded to whole tiles"));
                add_weighted::<S>(simd, rows, &scores, sums);
            }
        }
    }
}

/// Some columns of the rows of a tile.
#[inline(always)]
fn parts(matrix: &[f32], stride: usize, row: usize, first: usize, end: usize) -> [&[f32]; TILE] {
    array::from_fn(|place| &matrix[(row + place) * stride + first..(row + place) * stride + end])
}

/// The products of each of some rows with each of some others.
///
/// Loops here and below, not maps of arrays: those were compiled apart, without the registers of the dispatch.
#[inline(always)]
fn dot_products<S: Simd>(simd: S, left: [&[f32]; TILE], right: [&[f32]; TILE]) -> [[f32; TILE]; TILE] {
    let [left, right] = [registers::<S>(left), registers::<S>(right)];
    let mut sums = [[simd.splat_f32s(0.0); TILE]; TILE];
    for place in 0..left[0].len() {
        for (sums, left) in sums.iter_mut().zip(left) {
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = simd.mul_add_f32s(left[place], right[place], *sum);
            }
        }
    }
    let mut found = [[0.0; TILE]; TILE];
    for (found, sums) in found.iter_mut().zip(sums) {
        for (found, sum) in found.iter_mut().zip(sums) {
            *found = simd.reduce_sum_f32s(sum);
        }
    }
    found
}

/// Adds each row times its weight for each sum.
#[inline(always)]
fn add_weighted<S: Simd>(simd: S, rows: [&[f32]; TILE], weights: &[[f32; TILE]; TILE], sums: [&mut [f32]; TILE]) {
    let rows = registers::<S>(rows);
    let mut splat = [[simd.splat_f32s(0.0); TILE]; TILE];
    for (splat, weights) in splat.iter_mut().zip(weights) {
        for (splat, &weight) in splat.iter_mut().zip(weights) {
            *splat = simd.splat_f32s(weight);
        }
    }
    for (column, sums) in sums.into_iter().enumerate() {
        let (sums, _) = S::as_mut_simd_f32s(sums);
        for (place, sum) in sums.iter_mut().enumerate() {
            for (row, weights) in rows.iter().zip(&splat) {
                *sum = simd.mul_add_f32s(row[place], weights[column], *sum);
            }
        }
    }
}

/// The same numbers as registers.
#[inline(always)]
fn registers<S: Simd>(rows: [&[f32]; TILE]) -> [&[S::f32s]; TILE] {
    let [a, b, c, d] = rows;
    let registers = |row| S::as_simd_f32s(row).0;
    [registers(a), registers(b), registers(c), registers(d)]
}

#[cfg(test)]
mod tests {
    use pulp::Scalar;

    use super::*;

    /// Whole numbers, of which single precision holds all sums here.
    #[test]
    fn sums_what_loops_sum_with_any_registers() {
        let (n_rows, n_directions, stride) = (8, 12, 2 * COLUMNS + LANES);
        let number = |place: usize| [0.0, 1.0, -2.0, 3.0, -1.0][place % 5];
        let rows: Vec<f32> = (0..n_rows * stride).map(number).collect();
        let directions: Vec<f32> = (0..n_directions * stride).map(|place| number(place / 3)).collect();
        let mut expected = vec![1.0; n_directions * stride];
        for (direction, sum) in directions.chunks_exact(stride).zip(expected.chunks_exact_mut(stride)) {
            for row in rows.chunks_exact(stride) {
                let score: f32 = row.iter().zip(direction).map(|(a, b)| a * b).sum();
                sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += score * value);
            }
        }
        let mut sum = vec![1.0; n_directions * stride];
        add_gram_products(&rows, &directions, stride, &mut sum);
        assert_eq!(sum, expected);
        sum.fill(1.0);
        let scores = vec![0.0; n_rows * n_directions];
        Pass { rows: &rows, directions: &directions, stride, scores, sum: &mut sum }.with_simd(Scalar);
        assert_eq!(sum, expected);
    }
}
