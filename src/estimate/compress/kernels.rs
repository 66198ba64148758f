//! Both products of a pass over a few rows, compiled for every instruction set that is known and chosen when the program
//! runs; only this file of the folder names pulp.
//!
//! The order of the sums depends on the width of the registers, hence the last bits on the machine, but on nothing else.

use std::array;
use std::hint::black_box;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

/// What the number of directions must be a multiple of: products of so many with as many rows are summed in registers, and
/// sums of so many in as many registers each.
pub(super) const TILE: usize = 4;

/// The numbers that the widest registers hold.
const LANES: usize = 16;

/// What the length of a row must be a multiple of.
pub(super) const STEP: usize = TILE * LANES;

/// Columns that are multiplied at a time: a panel, of which each row lies beside the next. The last one may be narrower.
/// An odd multiple: at a power of two all rows would compete for the same places in the cache.
pub(super) const PANEL: usize = 5 * STEP;

/// A few rows, and their coordinates along some directions.
pub(super) struct Strip<P> {
    /// The rows, panel after panel.
    pub rows: Vec<P>,
    /// The coordinates, row after row.
    pub scores: Vec<P>,
    /// Of each coordinate a register of parts that are still to be summed, tile after tile.
    parts: Vec<P>,
}

impl<P: Precision> Strip<P> {
    /// Rows of so many zeros, for so many directions.
    pub(super) fn new(columns: usize, n_directions: usize) -> Self {
        let zeros = |count| vec![P::default(); count];
        let coordinates = P::STRIP * n_directions;
        Self { rows: zeros(P::STRIP * columns), scores: zeros(coordinates), parts: zeros(coordinates * LANES) }
    }
}

/// A precision in which rows and directions are multiplied.
///
/// Directions and their sums lie in panels, as the rows do.
pub(super) trait Precision: Copy + Default + Send + Sync + Into<f64> + 'static {
    /// Rows that are multiplied together: as many as leave room in the cache for directions and sums.
    const STRIP: usize;

    /// Rounds a number.
    fn round(value: f64) -> Self;

    /// Adds what the panel from a column on contributes to the parts of the coordinates along directions.
    /// Rows `ahead` are touched between the products: waiting for them afterwards there would be nothing else to do.
    fn multiply<T: Copy + Into<f64>>(strip: &mut Strip<Self>, directions: &[Self], column: usize, ahead: &[&[T]]);

    /// Sums the parts to the coordinates of the rows, and clears them.
    fn sum_parts(strip: &mut Strip<Self>);

    /// Adds the rows of the panel from a column on, weighted by their coordinates, to a sum for each direction.
    fn add_weighted(strip: &Strip<Self>, sums: &mut [Self], column: usize);
}

/// Where the panel from a column on lies among so many rows of so many columns.
pub(super) fn panel(rows: usize, columns: usize, column: usize) -> Range<usize> {
    rows * column..rows * columns.min(column + PANEL)
}

macro_rules! precision {
    ($type:ident, $strip:literal, $multiply:ident, $sum_parts:ident, $add_weighted:ident, $registers:ident, $as_simd:ident,
     $as_mut_simd:ident, $lanes:ident, $splat:ident, $mul_add:ident, $reduce:ident) => {
        struct $multiply<'a, T> {
            rows: &'a [$type],
            directions: &'a [$type],
            parts: &'a mut [$type],
            ahead: &'a [&'a [T]],
        }

        impl<T: Copy + Into<f64>> WithSimd for $multiply<'_, T> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let Self { rows, directions, parts, ahead } = self;
                let (rows, directions) = (S::$as_simd(rows).0, S::$as_simd(directions).0);
                let count = rows.len() / $strip;
                let mut parts = S::$as_mut_simd(parts).0.chunks_exact_mut(TILE * TILE);
                let tiles = directions.len() / (TILE * count) * ($strip / TILE);
                let mut ahead = ahead.chunks(ahead.len().div_ceil(tiles).max(1));
                let mut touched = 0.0;
                for v in directions.chunks_exact(TILE * count) {
                    for x in rows.chunks_exact(TILE * count) {
                        let [x0, x1, x2, x3]: [_; TILE] = array::from_fn(|row| &x[row * count..][..count]);
                        let [v0, v1, v2, v3]: [_; TILE] = array::from_fn(|row| &v[row * count..][..count]);
                        // Seen to be of one length here, where the loop is.
                        let (x0, x1, x2, x3) = (&x0[..count], &x1[..count], &x2[..count], &x3[..count]);
                        let (v0, v1, v2, v3) = (&v0[..count], &v1[..count], &v2[..count], &v3[..count]);
                        let parts = parts.next().expect("every tile has its parts");
                        let ahead = ahead.next().unwrap_or_default();
                        let apart = ahead.first().map_or(1, |row| row.len().div_ceil(count));
                        let mut found = [[simd.$splat(0.0); TILE]; TILE];
                        for (found, parts) in found.iter_mut().zip(parts.chunks_exact(TILE)) {
                            found.copy_from_slice(parts);
                        }
                        for j in 0..count {
                            let x = [x0[j], x1[j], x2[j], x3[j]];
                            let v = [v0[j], v1[j], v2[j], v3[j]];
                            for row in ahead {
                                if let Some(&value) = row.get(j * apart) {
                                    touched += value.into();
                                }
                            }
                            for r in 0..TILE {
                                for c in 0..TILE {
                                    found[r][c] = simd.$mul_add(x[r], v[c], found[r][c]);
                                }
                            }
                        }
                        for (found, parts) in found.iter().zip(parts.chunks_exact_mut(TILE)) {
                            parts.copy_from_slice(found);
                        }
                    }
                }
                black_box(touched);
            }
        }

        struct $sum_parts<'a>(&'a mut Strip<$type>);

        impl WithSimd for $sum_parts<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let Strip { scores, parts, .. } = self.0;
                let n_directions = scores.len() / $strip;
                let mut parts = S::$as_mut_simd(parts).0.iter_mut();
                for direction in (0..n_directions).step_by(TILE) {
                    for row in 0..$strip {
                        for score in &mut scores[row * n_directions + direction..][..TILE] {
                            let parts = parts.next().expect("every coordinate has its parts");
                            *score = simd.$reduce(*parts);
                            *parts = simd.$splat(0.0);
                        }
                    }
                }
            }
        }

        struct $add_weighted<'a> {
            rows: &'a [$type],
            scores: &'a [$type],
            sums: &'a mut [$type],
        }

        impl WithSimd for $add_weighted<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let Self { rows, scores, sums } = self;
                let n_directions = scores.len() / $strip;
                let rows = S::$as_simd(rows).0.as_chunks::<TILE>().0;
                let sums = S::$as_mut_simd(sums).0.as_chunks_mut::<TILE>().0;
                let length = rows.len() / $strip;
                for group in 0..length {
                    for direction in (0..n_directions).step_by(TILE) {
                        let place: [usize; TILE] = array::from_fn(|c| (direction + c) * length + group);
                        let mut found = [sums[place[0]], sums[place[1]], sums[place[2]], sums[place[3]]];
                        for row in 0..$strip {
                            let x = rows[row * length + group];
                            let weights = &scores[row * n_directions + direction..][..TILE];
                            for c in 0..TILE {
                                let weight = simd.$splat(weights[c]);
                                for j in 0..TILE {
                                    found[c][j] = simd.$mul_add(x[j], weight, found[c][j]);
                                }
                            }
                        }
                        for (place, found) in place.into_iter().zip(found) {
                            sums[place] = found;
                        }
                    }
                }
            }
        }

        impl Precision for $type {
            const STRIP: usize = $strip;

            #[expect(clippy::allow_attributes, reason = "only one of the types loses digits")]
            #[allow(clippy::cast_possible_truncation, reason = "rounding is what this is for")]
            fn round(value: f64) -> Self {
                value as Self
            }

            fn multiply<T: Copy + Into<f64>>(
                strip: &mut Strip<Self>,
                directions: &[Self],
                column: usize,
                ahead: &[&[T]],
            ) {
                let Strip { rows, scores, parts } = strip;
                let columns = rows.len() / $strip;
                let rows = &rows[panel($strip, columns, column)];
                let directions = &directions[panel(scores.len() / $strip, columns, column)];
                Arch::new().dispatch($multiply { rows, directions, parts, ahead });
            }

            fn sum_parts(strip: &mut Strip<Self>) {
                Arch::new().dispatch($sum_parts(strip));
            }

            fn add_weighted(strip: &Strip<Self>, sums: &mut [Self], column: usize) {
                let Strip { rows, scores, .. } = strip;
                let columns = rows.len() / $strip;
                let sums = &mut sums[panel(scores.len() / $strip, columns, column)];
                Arch::new().dispatch($add_weighted { rows: &rows[panel($strip, columns, column)], scores, sums });
            }
        }
    };
}

precision! {
    f32, 16, MultiplySingle, SumSingle, AddSingle, f32s,
    as_simd_f32s, as_mut_simd_f32s, F32_LANES, splat_f32s, mul_add_f32s, reduce_sum_f32s
}
precision! {
    f64, 16, MultiplyDouble, SumDouble, AddDouble, f64s,
    as_simd_f64s, as_mut_simd_f64s, F64_LANES, splat_f64s, mul_add_f64s, reduce_sum_f64s
}

#[cfg(test)]
mod tests;
