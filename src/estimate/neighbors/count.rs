#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use pulp::{Arch, Simd, WithSimd};

use super::leaves::{LEAF, Leaves, Row};
use super::rank::Rank;
use super::ranks::Ranks;
use super::windows::Windows;

/// For each point, the number of points nearer than its radius, itself included; for each set of radii.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are small natural numbers")]
pub(super) fn counts_below<R: Rank>(leaves: &Leaves, ranks: &Ranks<R>, radii: &[&[f64]]) -> Vec<Vec<usize>> {
    let arch = Arch::new();
    let counts = leaves.map_points(radii.len(), |leaf| arch.dispatch(Count { leaves, ranks, leaf, radii }));
    counts.into_iter().map(|counts| counts.into_iter().map(|count| count as usize).collect()).collect()
}

/// The counts of all points of one leaf.
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
        // Of each point the sets from its largest radius on: the first windows hold all others, the last are held by all.
        let mut order: Vec<Vec<usize>> = vec![(0..radii.len()).collect(); members.len()];
        for (order, &member) in order.iter_mut().zip(members) {
            order.sort_by(|&a, &b| radii[b][member].total_cmp(&radii[a][member]));
        }
        let mut windows = Vec::with_capacity(radii.len());
        for place in 0..radii.len() {
            let own: Vec<f64> = order.iter().zip(members).map(|(order, &member)| radii[order[place]][member]).collect();
            windows.push(Windows::new(ranks, leaves.rows(leaf), &own));
        }
        let several = windows.len() > 1;
        let mut counts = vec![[0_u32; LEAF]; radii.len()];
        let (Some(largest), Some(least)) = (windows.first(), windows.last()) else { return Vec::new() };
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
                if several && inside != 0 {
                    for (windows, counts) in windows.iter().zip(&mut counts).skip(1) {
                        counts[query] += windows.inside(simd, ranks.rows(other), query).count_ones();
                    }
                }
            }
        }
        let mut found = vec![Row([0.0; LEAF]); radii.len()];
        for (query, order) in order.iter().enumerate() {
            for (counts, &set) in counts.iter().zip(order) {
                found[set].0[query] = f64::from(counts[query]);
            }
        }
        found
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
