//! Units of work: which taps of which checkpoint, and which shard takes them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroUsize;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{PipelineError, Plan};

/// Neighboring taps that are measured together: one unit of each checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Group {
    /// The places of the taps, in graph order.
    pub taps: Range<usize>,
    /// What a unit costs: see `cost`.
    pub cost: u64,
    /// About the memory that a task takes that works on one such unit at a time, with one thread.
    pub bytes: u64,
    /// What each further worker takes, with a thread of its own.
    pub bytes_per_worker: u64,
}

/// How large a unit may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory of a task that works on one unit at a time; none does not look at it.
    pub memory: Option<u64>,
    /// Taps; none puts all of a checkpoint into one unit, as far as the memory goes.
    pub taps: Option<NonZeroUsize>,
}

/// Which part of the units a process takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// The shard `index` of `count`, from 0.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Shard`] for an index that is not below the count.
    pub fn new(index: usize, count: usize) -> Result<Self, PipelineError> {
        if index < count { Ok(Self { index, count }) } else { Err(PipelineError::Shard { index, count: count.max(1) }) }
    }

    /// All units.
    #[must_use]
    pub fn whole() -> Self {
        Self { index: 0, count: 1 }
    }

    /// The units of this shard, each the place of its checkpoint and that of its group, in this order.
    ///
    /// The unit that costs most goes to the shard that has least, and so on (longest processing time first: the last
    /// shard is done after 4/3 of the best time at most, Graham 1969). Of equal costs the unit with the lower place
    /// comes first, of equal shards the lower one.
    #[must_use]
    pub fn units(self, groups: &[Group], checkpoints: usize) -> Vec<(usize, usize)> {
        let mut costs: Vec<u64> = groups.iter().map(|group| group.cost).collect();
        costs.sort_unstable_by_key(|&cost| Reverse(cost));
        costs.dedup();
        let mut loads: BinaryHeap<Reverse<(u64, usize)>> = (0..self.count).map(|shard| Reverse((0, shard))).collect();
        let mut mine = Vec::new();
        for cost in costs {
            let equal: Vec<usize> = (0..groups.len()).filter(|&group| groups[group].cost == cost).collect();
            for place in 0..checkpoints {
                for &group in &equal {
                    let mut least = loads.peek_mut().expect("there is a shard");
                    let Reverse((load, shard)) = *least;
                    *least = Reverse((load.saturating_add(cost), shard));
                    if shard == self.index {
                        mine.push((place, group));
                    }
                }
            }
        }
        mine.sort_unstable();
        mine
    }
}

impl Plan {
    /// Cuts the taps into groups that keep the limits, as few as that takes.
    ///
    /// # Errors
    ///
    /// [`PipelineError::TooLarge`] when a single tap takes more memory than there is.
    pub(super) fn cut(&self, limits: Limits) -> Result<Vec<Group>, PipelineError> {
        let most_taps = limits.taps.map_or(usize::MAX, NonZeroUsize::get);
        let bytes = |taps: Range<usize>| self.bytes(self.need(taps), 1, 1) as u64;
        let fits =
            |taps: Range<usize>| taps.len() <= most_taps && limits.memory.is_none_or(|memory| bytes(taps) <= memory);
        let mut groups = Vec::new();
        let mut first = 0;
        // Without taps there is still the network's own loss.
        while first < self.taps.len() || groups.is_empty() {
            let mut end = (first + 1).min(self.taps.len());
            if let Some(memory) = limits.memory.filter(|&memory| bytes(first..end) > memory) {
                let needed = bytes(first..end);
                let tap = self.taps.get(first).map_or_else(|| "no tap".to_owned(), |tap| format!("`{}`", tap.name));
                return Err(PipelineError::TooLarge { tap, memory, needed });
            }
            while end < self.taps.len() && fits(first..end + 1) {
                end += 1;
            }
            let need = self.need(first..end);
            groups.push(Group {
                taps: first..end,
                cost: self.cost(first..end),
                bytes: bytes(first..end),
                bytes_per_worker: need.worker.saturating_add(need.measure) as u64,
            });
            first = end;
        }
        Ok(groups)
    }

    /// How many workers and threads a task may have that has so much memory: as many threads as fit beside one worker,
    /// then as many workers as fit beside them.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Memory`] when one of each is too much already.
    pub fn fit(&self, memory: Option<u64>, threads: NonZeroUsize) -> Result<(usize, usize), PipelineError> {
        let most = threads.get();
        let Some(memory) = memory else { return Ok((most, most)) };
        let bytes = |workers: usize, threads: usize| {
            let needs = self.groups.iter().map(|group| self.bytes(self.need(group.taps.clone()), workers, threads));
            needs.max().unwrap_or(0) as u64
        };
        if bytes(1, 1) > memory {
            return Err(PipelineError::Memory { memory, needed: bytes(1, 1) });
        }
        let threads = (1..=most).rev().find(|&threads| bytes(1, threads) <= memory).unwrap_or(1);
        let workers = (1..=threads).rev().find(|&workers| bytes(workers, threads) <= memory).unwrap_or(1);
        Ok((workers, threads))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(costs: &[u64]) -> Vec<Group> {
        costs
            .iter()
            .enumerate()
            .map(|(place, &cost)| Group { taps: place..place + 1, cost, bytes: 1, bytes_per_worker: 1 })
            .collect()
    }

    fn shards(costs: &[u64], checkpoints: usize, count: usize) -> Vec<Vec<(usize, usize)>> {
        (0..count).map(|index| Shard::new(index, count).unwrap().units(&groups(costs), checkpoints)).collect()
    }

    #[test]
    fn the_longest_goes_to_the_shard_with_least() {
        // 7, 5, 4, 3 over two shards: 7 | 5, then 4 to the second, 3 to the first.
        assert_eq!(shards(&[3, 7, 4, 5], 1, 2), [vec![(0, 0), (0, 1)], vec![(0, 2), (0, 3)]]);
        // Equal costs go round by place.
        assert_eq!(shards(&[1], 5, 2), [vec![(0, 0), (2, 0), (4, 0)], vec![(1, 0), (3, 0)]]);
    }

    proptest::proptest! {
        #[test]
        fn every_unit_has_one_shard_and_none_has_much_more_than_its_share(
            costs in proptest::collection::vec(1_u64..1000, 1..8),
            checkpoints in 1_usize..40,
            count in 1_usize..9,
        ) {
            let shards = shards(&costs, checkpoints, count);
            let mut all = shards.concat();
            all.sort_unstable();
            let expected: Vec<(usize, usize)> =
                (0..checkpoints).flat_map(|place| (0..costs.len()).map(move |group| (place, group))).collect();
            proptest::prop_assert_eq!(all, expected);
            let load = |units: &Vec<(usize, usize)>| units.iter().map(|&(_, group)| costs[group]).sum::<u64>();
            let most = shards.iter().map(load).max().unwrap();
            // The best time is no less than the mean load and the longest unit.
            let mean = (costs.iter().sum::<u64>() * checkpoints as u64).div_ceil(count as u64);
            let longest = costs.iter().max().copied().unwrap();
            proptest::prop_assert!(most <= mean + longest, "{} against {} and {}", most, mean, longest);
        }
    }
}
