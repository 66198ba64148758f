//! Both products of a pass over a few rows, compiled for every instruction set that is known and chosen when the program
//! runs; only this file of the folder names pulp.
//!
//! The order of the sums depends on the width of the registers, hence the last bits on the machine, but on nothing else.

use pulp::{Arch, Simd, WithSimd};

/// What the numbers of rows and of directions must be multiples of: tiles of so many of each are kept in registers.
pub(super) const TILE: usize = 4;

/// What the length of a row must be a multiple of: the widest registers hold so many.
pub(super) const LANES: usize = 16;

/// Columns that are worked on at a time, so that a tile of rows and one of directions stay in the nearest cache.
const COLUMNS: usize = 512;

/// A precision in which rows and directions are multiplied.
pub(super) trait Precision: Copy + Default + Send + Sync + Into<f64> + 'static {
    /// Rounds a number.
    fn round(value: f64) -> Self;

    /// Computes the coordinates of rows along directions, row after row, and adds the rows weighted by them to a sum for
    /// each direction: `scores = rows · directionsᵀ` and `sums += scoresᵀ · rows`.
    ///
    /// All but the scores are in row order with rows of `stride` numbers.
    fn pass(rows: &[Self], directions: &[Self], stride: usize, scores: &mut [Self], sums: &mut [Self]);
}

macro_rules! precision {
    ($type:ident, $name:ident, $registers:ident, $as_simd:ident, $as_mut_simd:ident, $lanes:ident, $splat:ident,
     $mul_add:ident, $reduce:ident) => {
        struct $name<'a> {
            rows: &'a [$type],
            directions: &'a [$type],
            stride: usize,
            scores: &'a mut [$type],
            sums: &'a mut [$type],
        }

        impl WithSimd for $name<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let Self { rows, directions, stride, scores, sums } = self;
                let (n_rows, n_directions) = (rows.len() / stride, directions.len() / stride);
                scores.fill($type::default());
                for first in (0..stride).step_by(COLUMNS) {
                    let columns = (first, COLUMNS.min(stride - first));
                    for row in (0..n_rows).step_by(TILE) {
                        let x = Self::tile::<S>(rows, stride, row, columns);
                        for direction in (0..n_directions).step_by(TILE) {
                            let v = Self::tile::<S>(directions, stride, direction, columns);
                            Self::dots(simd, x, v, scores, row * n_directions + direction, n_directions);
                        }
                    }
                }
                for first in (0..stride).step_by(COLUMNS) {
                    let columns = (first, COLUMNS.min(stride - first));
                    for direction in (0..n_directions).step_by(TILE) {
                        for row in (0..n_rows).step_by(TILE) {
                            let x = Self::tile::<S>(rows, stride, row, columns);
                            let at = row * n_directions + direction;
                            Self::add_weighted(
                                simd,
                                x,
                                (scores, at, n_directions),
                                sums,
                                direction * stride + first,
                                stride,
                            );
                        }
                    }
                }
            }
        }

        impl $name<'_> {
            /// Some columns of the rows of a tile.
            #[inline(always)]
            fn tile<S: Simd>(
                matrix: &[$type],
                stride: usize,
                row: usize,
                (first, count): (usize, usize),
            ) -> [&[S::$registers]; TILE] {
                let mut tile: [&[S::$registers]; TILE] = [&[]; TILE];
                for (place, part) in tile.iter_mut().enumerate() {
                    *part = S::$as_simd(&matrix[(row + place) * stride + first..][..count]).0;
                }
                tile
            }

            /// Adds the products of each of some rows with each of some directions.
            #[inline(always)]
            fn dots<S: Simd>(
                simd: S,
                x: [&[S::$registers]; TILE],
                v: [&[S::$registers]; TILE],
                scores: &mut [$type],
                at: usize,
                n_directions: usize,
            ) {
                let n = x[0].len();
                let [x0, x1, x2, x3] = [&x[0][..n], &x[1][..n], &x[2][..n], &x[3][..n]];
                let [v0, v1, v2, v3] = [&v[0][..n], &v[1][..n], &v[2][..n], &v[3][..n]];
                let mut found = [[simd.$splat(0.0); TILE]; TILE];
                for j in 0..n {
                    let x = [x0[j], x1[j], x2[j], x3[j]];
                    let v = [v0[j], v1[j], v2[j], v3[j]];
                    for r in 0..TILE {
                        for c in 0..TILE {
                            found[r][c] = simd.$mul_add(x[r], v[c], found[r][c]);
                        }
                    }
                }
                for (r, found) in found.into_iter().enumerate() {
                    let scores = &mut scores[at + r * n_directions..][..TILE];
                    for (score, found) in scores.iter_mut().zip(found) {
                        *score += simd.$reduce(found);
                    }
                }
            }

            /// Adds each row times its weight for each direction.
            #[inline(always)]
            fn add_weighted<S: Simd>(
                simd: S,
                x: [&[S::$registers]; TILE],
                (scores, at, n_directions): (&[$type], usize, usize),
                sums: &mut [$type],
                first: usize,
                stride: usize,
            ) {
                let n = x[0].len();
                let [x0, x1, x2, x3] = [&x[0][..n], &x[1][..n], &x[2][..n], &x[3][..n]];
                let mut weights = [[simd.$splat(0.0); TILE]; TILE];
                for r in 0..TILE {
                    for c in 0..TILE {
                        weights[r][c] = simd.$splat(scores[at + r * n_directions + c]);
                    }
                }
                let count = n * S::$lanes;
                let (s0, rest) = sums[first..].split_at_mut(stride);
                let (s1, rest) = rest.split_at_mut(stride);
                let (s2, s3) = rest.split_at_mut(stride);
                let s0 = &mut S::$as_mut_simd(&mut s0[..count]).0[..n];
                let s1 = &mut S::$as_mut_simd(&mut s1[..count]).0[..n];
                let s2 = &mut S::$as_mut_simd(&mut s2[..count]).0[..n];
                let s3 = &mut S::$as_mut_simd(&mut s3[..count]).0[..n];
                for j in 0..n {
                    let x = [x0[j], x1[j], x2[j], x3[j]];
                    let mut sums = [s0[j], s1[j], s2[j], s3[j]];
                    for r in 0..TILE {
                        for c in 0..TILE {
                            sums[c] = simd.$mul_add(x[r], weights[r][c], sums[c]);
                        }
                    }
                    [s0[j], s1[j], s2[j], s3[j]] = sums;
                }
            }
        }

        impl Precision for $type {
            #[expect(clippy::allow_attributes, reason = "only one of the types loses digits")]
            #[allow(clippy::cast_possible_truncation, reason = "rounding is what this is for")]
            fn round(value: f64) -> Self {
                value as Self
            }

            fn pass(rows: &[Self], directions: &[Self], stride: usize, scores: &mut [Self], sums: &mut [Self]) {
                Arch::new().dispatch($name { rows, directions, stride, scores, sums });
            }
        }
    };
}

precision!(f32, Single, f32s, as_simd_f32s, as_mut_simd_f32s, F32_LANES, splat_f32s, mul_add_f32s, reduce_sum_f32s);
precision!(f64, Double, f64s, as_simd_f64s, as_mut_simd_f64s, F64_LANES, splat_f64s, mul_add_f64s, reduce_sum_f64s);

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
        let mut expected_scores = Vec::new();
        for row in rows.chunks_exact(stride) {
            for (direction, sum) in directions.chunks_exact(stride).zip(expected.chunks_exact_mut(stride)) {
                let score: f32 = row.iter().zip(direction).map(|(a, b)| a * b).sum();
                sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += score * value);
                expected_scores.push(score);
            }
        }
        let mut scores = vec![7.0; n_rows * n_directions];
        let mut sums = vec![1.0; n_directions * stride];
        f32::pass(&rows, &directions, stride, &mut scores, &mut sums);
        assert_eq!((&sums, &scores), (&expected, &expected_scores));
        sums.fill(1.0);
        Single { rows: &rows, directions: &directions, stride, scores: &mut scores, sums: &mut sums }.with_simd(Scalar);
        assert_eq!((&sums, &scores), (&expected, &expected_scores));
        let double = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        let mut scores = double(&scores);
        let mut sums = vec![1.0; n_directions * stride];
        f64::pass(&double(&rows), &double(&directions), stride, &mut scores, &mut sums);
        assert_eq!((sums, scores), (double(&expected), double(&expected_scores)));
    }
}
