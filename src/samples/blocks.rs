//! Blocks of samples: what a network that reads several samples at once is fed.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::{Array, Column, ColumnLabels, Input, Samples, SamplesError};

/// How samples are joined to blocks, in `[replay] blocks`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Blocks {
    /// The samples of a block, as many as the network has heads.
    pub fold: NonZeroUsize,
    /// The axis of the inputs along which they are joined; 0 is that of the samples.
    pub axis: NonZeroUsize,
    /// Which samples share a block.
    pub filled: Filled,
}

/// Which samples share a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filled {
    /// One sample, in every slot.
    Replicated,
    /// One sample in the first slot, and others behind it, each once in each slot.
    Contextual,
    /// Different samples, each in one slot of one block.
    Batched,
}

impl Blocks {
    /// The rows of each block's samples, slot by slot, from all rows in a random order.
    ///
    /// In `batched` blocks what is left over at the end of the order is in none.
    #[must_use]
    pub fn members(&self, order: &[usize]) -> Vec<Vec<usize>> {
        let fold = self.fold.get();
        match self.filled {
            Filled::Replicated => (0..order.len()).map(|row| vec![row; fold]).collect(),
            Filled::Contextual => {
                let mut all = vec![Vec::new(); order.len()];
                for (place, &row) in order.iter().enumerate() {
                    all[row] = (0..fold).map(|slot| order[(place + slot) % order.len()]).collect();
                }
                all
            }
            Filled::Batched => order.chunks_exact(fold).map(<[usize]>::to_vec).collect(),
        }
    }

    /// The blocks as samples of their own: joined inputs, the id of the first member, and labels.
    ///
    /// A block of one sample, or of one in a context, has its labels. Where slots have different samples, `digit-1` is the
    /// label of the first, `digit-2` that of the second, and so on; where none of them comes first, `digit` stands for all of
    /// them together.
    ///
    /// # Errors
    ///
    /// [`SamplesError::Array`] for inputs without such an axis or for fewer samples than a block takes.
    pub fn join(&self, samples: &Samples, members: &[Vec<usize>]) -> Result<Samples, SamplesError> {
        let join = |input: &Input| {
            let array = &input.array;
            let fail = |reason: String| array.fail(format!("`blocks`: {reason}"));
            if members.is_empty() || self.fold.get() > samples.len() {
                let reason = format!("found {} samples, needed {} for a block", samples.len(), self.fold);
                return Err(fail(reason));
            }
            if self.axis.get() >= array.values.shape().len() {
                let shape = array.values.shape();
                return Err(fail(format!("found inputs of shape {shape:?}, needed an axis {}", self.axis)));
            }
            let slots: Vec<Vec<usize>> =
                (0..self.fold.get()).map(|slot| members.iter().map(|block| block[slot]).collect()).collect();
            let values = array.values.joined(&slots, self.axis.get()).map_err(fail)?;
            Ok(Input { name: input.name.clone(), array: Array { name: array.name.clone(), values } })
        };
        let first: Vec<usize> = members.iter().map(|block| block[0]).collect();
        let mut labels: Vec<Column> = match self.filled {
            Filled::Replicated | Filled::Contextual => samples.labels.iter().map(|label| label.at(&first)).collect(),
            Filled::Batched => samples.labels.iter().filter_map(|label| together(label, members)).collect(),
        };
        if self.has_slots() {
            labels.extend(samples.labels.iter().flat_map(|label| self.by_slot(label, members)));
        }
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Samples {
            inputs: samples.inputs.iter().map(join).collect::<Result<_, _>>()?,
            labels,
            ids: first.iter().map(|&row| samples.ids[row]).collect(),
        })
    }

    /// Whether the slots of a block have different samples.
    #[must_use]
    pub fn has_slots(&self) -> bool {
        self.filled != Filled::Replicated
    }

    /// The samples of one slot of joined ones, counted from 0, with the labels of the blocks.
    ///
    /// # Errors
    ///
    /// What is wrong with inputs that are no joined ones.
    pub fn part(&self, joined: &Samples, slot: usize) -> Result<Samples, String> {
        let (fold, axis) = (self.fold.get(), self.axis.get());
        let part = |input: &Input| {
            let shape = input.array.values.shape();
            if shape.get(axis).is_none_or(|width| width % fold != 0) {
                return Err(format!("found inputs of shape {shape:?}, needed {fold} slots along axis {axis}"));
            }
            let values = input.array.values.part((slot, fold), axis);
            Ok(Input { name: input.name.clone(), array: Array { name: input.array.name.clone(), values } })
        };
        let inputs = joined.inputs.iter().map(part).collect::<Result<_, _>>()?;
        Ok(Samples { inputs, labels: joined.labels.clone(), ids: joined.ids.clone() })
    }

    /// What a column or the inputs are called that are of one slot only, counted from 0: `digit-1` is the first.
    #[must_use]
    pub fn name_in(&self, slot: usize, name: &str) -> String {
        format!("{name}-{}", slot + 1)
    }

    /// A column for each slot.
    fn by_slot(&self, label: &Column, members: &[Vec<usize>]) -> Vec<Column> {
        let of_slot = |slot: usize| {
            let rows: Vec<usize> = members.iter().map(|block| block[slot]).collect();
            Column { name: self.name_in(slot, &label.name), ..label.at(&rows) }
        };
        (0..self.fold.get()).map(of_slot).collect()
    }
}

/// One column for the classes of all slots together; none of numbers.
fn together(label: &Column, members: &[Vec<usize>]) -> Option<Column> {
    let ColumnLabels::Classes { values, names } = &label.labels else { return None };
    let word = |value: &i64| names.get(value).cloned().unwrap_or_else(|| value.to_string());
    let all: Vec<Option<Vec<i64>>> =
        members.iter().map(|block| block.iter().map(|&row| values[row]).collect()).collect();
    let mut kinds: Vec<&Vec<i64>> = all.iter().flatten().collect();
    kinds.sort_unstable();
    kinds.dedup();
    let number = |block: &Vec<i64>| (0..).zip(&kinds).find(|(_, kind)| **kind == block).map(|(number, _)| number);
    let names: BTreeMap<i64, String> =
        (0..).zip(&kinds).map(|(number, kind)| (number, kind.iter().map(word).collect::<Vec<_>>().join(" "))).collect();
    let values = all.iter().map(|block| number(block.as_ref()?)).collect();
    Some(Column { name: label.name.clone(), labels: ColumnLabels::Classes { values, names } })
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::samples::Values;

    fn blocks(fold: usize, filled: Filled) -> Blocks {
        Blocks { fold: NonZeroUsize::new(fold).unwrap(), axis: NonZeroUsize::MIN, filled }
    }

    /// Five samples of one channel of two pixels; sample i has the pixels 10 i and 10 i + 1, and the label i.
    fn samples() -> Samples {
        let pixels: Vec<f32> = (0_u8..5).flat_map(|i| [10.0 * f32::from(i), 10.0 * f32::from(i) + 1.0]).collect();
        let values = Values::F32(ArrayD::from_shape_vec(vec![5, 1, 2], pixels).unwrap());
        let labels = ColumnLabels::Classes { values: (0..5).map(Some).collect(), names: BTreeMap::new() };
        Samples {
            inputs: vec![Input { name: None, array: Array { name: "x".to_owned(), values } }],
            labels: vec![Column { name: "digit".to_owned(), labels }],
            ids: vec![100, 101, 102, 103, 104],
        }
    }

    #[test]
    fn each_way_to_fill_blocks_puts_samples_where_it_says() {
        let order = [3, 0, 4, 1, 2];
        assert_eq!(blocks(2, Filled::Replicated).members(&order)[3], [3, 3]);
        assert_eq!(blocks(2, Filled::Batched).members(&order), [[3, 0], [4, 1]]);
        let contextual = blocks(3, Filled::Contextual).members(&order);
        for slot in 0..3 {
            let mut rows: Vec<usize> = contextual.iter().map(|block| block[slot]).collect();
            assert!(slot > 0 || rows == [0, 1, 2, 3, 4]);
            rows.sort_unstable();
            assert_eq!(rows, [0, 1, 2, 3, 4]);
        }
        assert_eq!(contextual[2], [2, 3, 0]);
    }

    #[test]
    fn inputs_are_joined_along_the_axis_and_labels_by_slot_and_together() {
        let batched = blocks(2, Filled::Batched);
        let joined = batched.join(&samples(), &[vec![3, 0], vec![4, 1]]).unwrap();
        assert_eq!(joined.inputs[0].array.values.shape(), [2, 2, 2]);
        let bytes: &[f32] = bytemuck::cast_slice(joined.inputs[0].array.values.bytes());
        assert_eq!(bytes, [30.0, 31.0, 0.0, 1.0, 40.0, 41.0, 10.0, 11.0]);
        assert_eq!(joined.ids, [103, 104]);
        let names: Vec<&str> = joined.labels.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["digit", "digit-1", "digit-2"]);
        let ColumnLabels::Classes { values, names } = &joined.labels[0].labels else { panic!("classes") };
        assert_eq!((values, &names[&0], &names[&1]), (&vec![Some(0), Some(1)], &"3 0".to_owned(), &"4 1".to_owned()));
        let second = batched.part(&joined, 1).unwrap();
        let bytes: &[f32] = bytemuck::cast_slice(second.inputs[0].array.values.bytes());
        assert_eq!((second.inputs[0].array.values.shape(), bytes), (&[2, 1, 2][..], &[0.0, 1.0, 10.0, 11.0][..]));
        let contextual = blocks(2, Filled::Contextual).join(&samples(), &[vec![3, 0], vec![4, 1]]).unwrap();
        let classes: Vec<_> = contextual.labels.iter().map(|column| (column.name.as_str(), &column.labels)).collect();
        let ColumnLabels::Classes { values, .. } = classes[2].1 else { panic!("classes") };
        assert_eq!((classes[0].1, classes[2].0, values), (classes[1].1, "digit-2", &vec![Some(0), Some(1)]));
        let last = Blocks { axis: NonZeroUsize::new(2).unwrap(), ..batched };
        let joined = last.join(&samples(), &[vec![3, 0]]).unwrap();
        let bytes: &[f32] = bytemuck::cast_slice(joined.inputs[0].array.values.bytes());
        assert_eq!((joined.inputs[0].array.values.shape(), bytes), (&[1, 1, 4][..], &[30.0, 31.0, 0.0, 1.0][..]));
        let none = Blocks { axis: NonZeroUsize::new(3).unwrap(), ..last };
        let error = none.join(&samples(), &[vec![3, 0]]).unwrap_err().to_string();
        assert!(error.contains("found inputs of shape [5, 1, 2], needed an axis 3"), "{error}");
    }
}
