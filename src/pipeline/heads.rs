//! Networks that read blocks of samples and have a head for each slot: their own loss and accuracy.

use ndarray::{Array2, ArrayView2, Axis, s};

use super::PipelineError;
use crate::estimate::Split;
use crate::replay::TensorInfo;
use crate::samples::{Blocks, Column, ColumnLabels, Filled, Samples};

/// The logits of a head, and the label of each sample in its slot.
type OfSlot<'o> = (ArrayView2<'o, f32>, Vec<Option<i64>>);

/// The blocks of a run, and the labels of the samples in them.
#[derive(Clone, Debug)]
pub(super) struct Heads {
    blocks: Blocks,
    /// The rows of the samples of each block, slot by slot.
    members: Vec<Vec<usize>>,
    /// The label columns of the samples.
    pub labels: Vec<Column>,
    /// The samples that are in no block.
    pub left_over: usize,
}

impl Heads {
    /// The samples as they are, or joined to blocks where these are asked for.
    pub(super) fn of(
        blocks: Option<&Blocks>,
        samples: Samples,
        seed: u64,
    ) -> Result<(Option<Self>, Samples), PipelineError> {
        let Some(blocks) = blocks else { return Ok((None, samples)) };
        let (heads, joined) = Self::join(blocks, &samples, seed)?;
        Ok((Some(heads), joined))
    }

    /// Joins samples to blocks, in an order that their ids and the seed make.
    fn join(blocks: &Blocks, samples: &Samples, seed: u64) -> Result<(Self, Samples), PipelineError> {
        // Both sides together are all rows in the order of a hash of their ids: that by which samples are held out, so that
        // those which judge share blocks.
        let order = match Split::by_id(&samples.ids, 0.5, seed) {
            Ok(split) => [split.test, split.train].concat(),
            Err(_) => (0..samples.len()).collect(),
        };
        let members = blocks.members(&order);
        let joined = blocks.join(samples, &members)?;
        let left_over = if blocks.filled == Filled::Batched { samples.len() % blocks.fold } else { 0 };
        let labels = samples.labels.clone();
        Ok((Self { blocks: blocks.clone(), members, labels, left_over }, joined))
    }

    /// How many there are.
    pub(super) fn fold(&self) -> usize {
        self.blocks.fold.get()
    }

    /// What the plan says of them.
    pub(super) fn words(&self) -> String {
        let filled = match self.blocks.filled {
            Filled::Replicated => "one sample in every slot",
            Filled::Contextual => "a sample in the first slot, others behind it",
            Filled::Batched => "different samples",
        };
        let left = match self.left_over {
            0 => String::new(),
            count => format!("; {count} samples are left over"),
        };
        format!("{} slots along axis {}, {filled}{left}", self.blocks.fold, self.blocks.axis)
    }

    /// The shape of one head's logits, of an output that has all of them: samples × slots × classes, or side by side.
    pub(super) fn of_one(&self, output: &TensorInfo) -> Option<TensorInfo> {
        let fold = self.blocks.fold.get();
        let classes = match output.shape[..] {
            [_, Some(slots), classes] if slots == fold => classes,
            [_, Some(all)] if all % fold == 0 => Some(all / fold),
            _ => return None,
        };
        Some(TensorInfo { shape: vec![output.shape[0], classes], ..output.clone() })
    }

    /// Whether one head is about a label alone, where all of them together are about `of_loss`.
    pub(super) fn has_head(&self, of_loss: &str, label: &str) -> bool {
        let is_whole = of_loss == label && self.blocks.filled != Filled::Batched;
        is_whole || (self.blocks.has_slots() && self.slot(of_loss, label).is_some())
    }

    /// The logits of a label: of the slot that its name tells, or of the label that all slots share.
    pub(super) fn logits_of(&self, output: ArrayView2<'_, f32>, label: &str) -> Option<Array2<f32>> {
        match self.labels.iter().find_map(|column| self.slot(&column.name, label)) {
            Some(slot) if self.blocks.has_slots() => Some(self.of_slot(output, slot).to_owned()),
            _ => self.unfold(output, label).map(|(logits, _)| logits),
        }
    }

    /// The logits and the labels of each slot by itself.
    pub(super) fn by_slot<'o>(&self, output: ArrayView2<'o, f32>, label: &str) -> Option<Vec<OfSlot<'o>>> {
        let column = self.labels.iter().find(|column| column.name == label)?;
        let ColumnLabels::Classes { values, .. } = &column.labels else { return None };
        let of_members = |slot: usize| self.members.iter().map(|block| values[block[slot]]).collect();
        Some((0..self.fold()).map(|slot| (self.of_slot(output, slot), of_members(slot))).collect())
    }

    fn of_slot<'o>(&self, output: ArrayView2<'o, f32>, slot: usize) -> ArrayView2<'o, f32> {
        let classes = output.ncols() / self.fold();
        output.slice_move(s![.., slot * classes..(slot + 1) * classes])
    }

    /// The slot that a name such as `digit-2` is about, from 0.
    fn slot(&self, label: &str, name: &str) -> Option<usize> {
        (0..self.fold()).find(|&slot| self.blocks.name_in(slot, label) == name)
    }

    /// Logits and labels as those of a network with one head.
    ///
    /// Of a sample in every slot the logarithm of the mean probability over slots, of one in a context the first head, of
    /// different samples each head with its own.
    pub(super) fn unfold(&self, output: ArrayView2<'_, f32>, label: &str) -> Option<(Array2<f32>, Vec<Option<i64>>)> {
        let column = self.labels.iter().find(|column| column.name == label)?;
        let ColumnLabels::Classes { values, .. } = &column.labels else { return None };
        let fold = self.blocks.fold.get();
        let classes = output.ncols() / fold;
        let heads = output.to_shape((output.nrows() * fold, classes)).ok()?;
        let of_slots = |slots: usize| -> Vec<Option<i64>> {
            self.members.iter().flat_map(|block| block[..slots].iter().map(|&row| values[row])).collect()
        };
        let logits = match self.blocks.filled {
            Filled::Batched => return Some((heads.to_owned(), of_slots(fold))),
            Filled::Contextual => output.select(Axis(1), &(0..classes).collect::<Vec<_>>()),
            Filled::Replicated => {
                let mut means = Array2::zeros((output.nrows(), classes));
                for (place, head) in heads.outer_iter().enumerate() {
                    let wide = head.mapv(f64::from);
                    let largest = wide.fold(f64::NEG_INFINITY, |largest, &value| largest.max(value));
                    let exponentials = wide.mapv(|value| (value - largest).exp());
                    let mut mean = means.row_mut(place / fold);
                    mean.scaled_add(1.0 / (exponentials.sum() * fold as f64), &exponentials);
                }
                #[expect(clippy::cast_possible_truncation, reason = "as the logits were")]
                means.mapv(|mean: f64| mean.max(f64::MIN_POSITIVE).ln() as f32)
            }
        };
        Some((logits, of_slots(1)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::num::NonZeroUsize;

    use ndarray::array;

    use super::*;

    fn heads(filled: Filled, members: Vec<Vec<usize>>) -> Heads {
        let fold = NonZeroUsize::new(2).unwrap();
        let labels = ColumnLabels::Classes { values: vec![Some(1), Some(0)], names: BTreeMap::new() };
        let labels = vec![Column { name: "digit".to_owned(), labels }];
        Heads { blocks: Blocks { fold, axis: NonZeroUsize::MIN, filled }, members, labels, left_over: 0 }
    }

    #[test]
    fn heads_are_judged_by_the_slots_that_they_are_about() {
        let output = array![[0.0_f32, 3_f32.ln(), 0.0, 0.0]];
        let (logits, labels) = heads(Filled::Batched, vec![vec![0, 1]]).unfold(output.view(), "digit").unwrap();
        assert_eq!((logits, labels), (array![[0.0, 3_f32.ln()], [0.0, 0.0]], vec![Some(1), Some(0)]));
        let (logits, labels) = heads(Filled::Contextual, vec![vec![1, 0]]).unfold(output.view(), "digit").unwrap();
        assert_eq!((logits, labels), (array![[0.0, 3_f32.ln()]], vec![Some(0)]));
        // Probabilities ¼ and ¾ of one head, a half of the other: ⅜ and ⅝ on average.
        let (logits, labels) = heads(Filled::Replicated, vec![vec![0, 0]]).unfold(output.view(), "digit").unwrap();
        assert_eq!(labels, [Some(1)]);
        // By itself each head is about the label of its own slot.
        let contextual = heads(Filled::Contextual, vec![vec![1, 0]]);
        let by_slot = contextual.by_slot(output.view(), "digit").unwrap();
        assert_eq!(by_slot[0], (array![[0.0, 3_f32.ln()]].view(), vec![Some(0)]));
        assert_eq!(by_slot[1], (array![[0.0, 0.0]].view(), vec![Some(1)]));
        assert_eq!(contextual.logits_of(output.view(), "digit-2").unwrap(), array![[0.0, 0.0]]);
        let off = (&logits.mapv(f32::exp) - &array![[0.375, 0.625]]).mapv(f32::abs).sum();
        assert!(off < 1e-6, "{logits}");
    }
}
