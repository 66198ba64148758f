#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use pulp::Simd;

use super::leaves::{LEAF, Row};
use super::rank::{Rank, RankRow, n_registers, place};
use super::ranks::Ranks;

/// The windows of the points of a leaf: who lies in that of a point in every dimension is nearer than its radius.
pub(super) struct Windows<R> {
    /// For each dimension, the first place of each point's window; at the limit where there is none.
    first: Vec<RankRow<R>>,
    /// For each dimension, the last place of each point's window.
    last: Vec<RankRow<R>>,
    /// For each point, the first place and the number of places after it, in each dimension.
    bounds: Vec<[u32; 2]>,
}

impl<R: Rank> Windows<R> {
    /// The windows of points, given a row of coordinates for each dimension, and a radius for each point.
    #[inline(always)]
    pub(super) fn new<S: Simd>(simd: S, ranks: &Ranks<R>, centers: &[Row], radii: &[f64]) -> Self {
        let mut first = vec![RankRow([R::LIMIT; LEAF]); centers.len()];
        let mut last = vec![RankRow([R::of(0); LEAF]); centers.len()];
        let mut bounds = vec![[0; 2]; centers.len() * LEAF];
        // Dimension after dimension: the windows of near points lie near each other.
        for (c, row) in centers.iter().enumerate() {
            for (query, (&radius, &center)) in radii.iter().zip(&row.0).enumerate() {
                if radius > 0.0 {
                    let (begins, ends) = ranks.window(simd, c, center, radius);
                    first[c].0[query] = begins;
                    last[c].0[query] = ends;
                    bounds[query * centers.len() + c] = [begins.repeated(), (ends - begins).repeated()];
                }
            }
        }
        Self { first, last, bounds }
    }

    /// The leaves that some window may meet.
    #[inline(always)]
    pub(super) fn leaves_met(&self, ranks: &Ranks<R>, n_leaves: usize) -> Vec<usize> {
        let mut met = vec![true; n_leaves];
        for ((first, last), (low, high)) in self.first.iter().zip(&self.last).zip(ranks.boxes()) {
            let first = first.0.iter().copied().min().unwrap_or(R::LIMIT);
            let last = last.0.iter().copied().max().unwrap_or(R::LIMIT);
            for (met, (&low, &high)) in met.iter_mut().zip(low.iter().zip(high)) {
                *met &= low <= last;
                *met &= first <= high;
            }
        }
        (0..n_leaves).filter(|&leaf| met[leaf]).collect()
    }

    /// The points whose windows meet the box of a leaf in every dimension.
    #[inline(always)]
    pub(super) fn meeting<S: Simd>(&self, simd: S, ranks: &Ranks<R>, leaf: usize) -> u64 {
        self.reaching::<S, false>(simd, ranks, leaf)
    }

    /// The points whose windows hold all of the box of a leaf.
    #[inline(always)]
    pub(super) fn holding<S: Simd>(&self, simd: S, ranks: &Ranks<R>, leaf: usize) -> u64 {
        self.reaching::<S, true>(simd, ranks, leaf)
    }

    /// The points whose windows reach over the near side of the box of a leaf, or over the far one, too.
    #[inline(always)]
    fn reaching<S: Simd, const FAR: bool>(&self, simd: S, ranks: &Ranks<R>, leaf: usize) -> u64 {
        let mut all = 0;
        for register in 0..n_registers::<S, R>() {
            let mut outside = R::splat(simd, 0);
            for ((first, last), (low, high)) in self.first.iter().zip(&self.last).zip(ranks.boxes()) {
                let low = R::splat(simd, low[leaf].repeated());
                let high = R::splat(simd, high[leaf].repeated());
                let (begin, end) = if FAR { (low, high) } else { (high, low) };
                let begins = R::excess(simd, R::registers::<S>(first)[register], begin);
                let ends = R::excess(simd, end, R::registers::<S>(last)[register]);
                outside = R::or(simd, outside, R::or(simd, begins, ends));
            }
            all |= place::<S, R>(R::zeros(simd, outside), register);
        }
        all
    }

    /// The points of a leaf in the window of a point.
    #[inline(always)]
    pub(super) fn inside<S: Simd>(&self, simd: S, rows: &[RankRow<R>], query: usize) -> u64 {
        let bounds = &self.bounds[query * rows.len()..(query + 1) * rows.len()];
        let mut all = 0;
        for register in 0..n_registers::<S, R>() {
            let mut outside = R::splat(simd, 0);
            for (row, &[first, more]) in rows.iter().zip(bounds) {
                // Below the first place the difference wraps around, to above all windows.
                let after = R::subtract(simd, R::registers::<S>(row)[register], R::splat(simd, first));
                outside = R::or(simd, outside, R::excess(simd, after, R::splat(simd, more)));
            }
            all |= place::<S, R>(R::zeros(simd, outside), register);
        }
        all
    }
}
