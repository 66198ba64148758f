#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use std::cmp::Ordering;

use pulp::{Arch, Simd, WithSimd};

use super::leaves::{LEAF, Leaves, Row};
use super::rank::Rank;
use super::ranks::Ranks;
use super::windows::Windows;

/// For each point, the number of points nearer than its radius, itself included; for each set of radii.
pub(super) fn counts_below<R: Rank>(leaves: &Leaves, ranks: &Ranks<R>, radii: &[&[f64]]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..radii.len()).collect();
    order.sort_by(|&a, &b| radii[b].first().partial_cmp(&radii[a].first()).unwrap_or(Ordering::Equal));
    let holds = |outer: usize, inner: usize| radii[outer].iter().zip(radii[inner]).all(|(outer, inner)| outer >= inner);
    let are_nested = order.windows(2).all(|pair| holds(pair[0], pair[1]));
    let mut counts = vec![Vec::new(); radii.len()];
    for sets in order.chunks(if are_nested { radii.len().max(1) } else { 1 }) {
        let nested: Vec<&[f64]> = sets.iter().map(|&set| radii[set]).collect();
        for (found, &set) in counts_nested(leaves, ranks, &nested).into_iter().zip(sets) {
            counts[set] = found;
        }
    }
    counts
}

/// The same for sets of radii of which each is nowhere above the one before.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are small natural numbers")]
fn counts_nested<R: Rank>(leaves: &Leaves, ranks: &Ranks<R>, radii: &[&[f64]]) -> Vec<Vec<usize>> {
    let arch = Arch::new();
    let counts = leaves.map_points(radii.len(), |leaf| arch.dispatch(Count { leaves, ranks, leaf, radii }));
    counts.into_iter().map(|counts| counts.into_iter().map(|count| count as usize).collect()).collect()
}

/// The counts of all points of one leaf, for nested sets of radii: the windows of the first hold all others.
pub(super) struct Count<'a, R> {
    pub leaves: &'a Leaves,
    pub ranks: &'a Ranks<R>,
    pub leaf: usize,
    pub radii: &'a [&'a [f64]],
}

impl<R: Rank> WithSimd for Count<'_, R> {
    type Output = Vec<Row>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<Row> {
        let Self { leaves, ranks, leaf, radii } = self;
        let members = leaves.members(leaf);
        let mut windows = Vec::with_capacity(radii.len());
        for radii in radii {
            let own: Vec<f64> = members.iter().map(|&member| radii[member]).collect();
            windows.push(Windows::new(simd, ranks, leaves.rows(leaf), &own));
        }
        let mut counts = vec![[0_u32; LEAF]; radii.len()];
        let (Some((largest, smaller)), Some(least)) = (windows.split_first(), windows.last()) else {
            return Vec::new();
        };
        for other in largest.leaves_met(ranks, leaves.n_leaves()) {
            let met = largest.meeting(simd, ranks, other);
            let whole = least.holding(simd, ranks, other);
            for query in ones(whole) {
                for counts in &mut counts {
                    counts[query] += n_members(leaves, other);
                }
            }
            for query in ones(met & !whole) {
                let inside = largest.inside(simd, ranks.rows(other), query);
                counts[0][query] += inside.count_ones();
                if !smaller.is_empty() && inside != 0 {
                    for (windows, counts) in smaller.iter().zip(&mut counts[1..]) {
                        counts[query] += windows.inside(simd, ranks.rows(other), query).count_ones();
                    }
                }
            }
        }
        counts.into_iter().map(|counts| Row(counts.map(f64::from))).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a leaf has 64 points")]
fn n_members(leaves: &Leaves, leaf: usize) -> u32 {
    leaves.members(leaf).len() as u32
}

/// The places of the bits that are set.
#[inline(always)]
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize;
        bits &= bits.wrapping_sub(1);
        (place < LEAF).then_some(place)
    })
}
