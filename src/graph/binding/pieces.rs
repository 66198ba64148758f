//! Slices and joins: an initializer that is a part of a tensor, or several parts end to end.
//!
//! Exporters cut fused weights apart, join separate ones, stack layers, and put the gates of
//! recurrent cells in another order. All of these are runs of equal rows: an initializer is cut
//! into rows along one of its axes, and each row is looked up among the rows of the tensors.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hasher};

use super::index::Index;
use super::layout::{Piece, Slice, len};
use super::names::Name;
use super::recipe::{Joined, Recipe};
use crate::archive::{Kind, Numbers};

/// An initializer as parts of tensors.
pub(super) struct Found {
    pub recipe: Recipe,
    /// Whether other parts have the same values, and nothing beside it tells which are meant.
    pub is_guess: bool,
}

/// Values cut into rows along an axis, or taken as a single row.
struct Cut<'n> {
    values: Numbers<'n>,
    axis: Option<usize>,
    outer: usize,
    count: usize,
    /// Bytes of a row that lie together.
    inner: usize,
}

impl<'n> Cut<'n> {
    fn new(values: Numbers<'n>, shape: &[usize], axis: Option<usize>) -> Self {
        let size = values.kind().size();
        let (outer, count, inner) = match axis {
            Some(axis) => (len(&shape[..axis]), shape[axis], len(&shape[axis + 1..]) * size),
            None => (1, 1, len(shape) * size),
        };
        Self { values, axis, outer, count, inner }
    }

    fn row(&self, row: usize) -> impl Iterator<Item = &[u8]> {
        let bytes = self.values.bytes();
        (0..self.outer).map(move |outer| {
            let start = (outer * self.count + row) * self.inner;
            &bytes[start..start + self.inner]
        })
    }

    fn hash(&self, row: usize) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.row(row).collect::<Vec<_>>().concat());
        hasher.finish()
    }

    fn is_same(&self, row: usize, other: &Cut<'_>, other_row: usize) -> bool {
        if self.inner == other.inner {
            return self.row(row).eq(other.row(other_row));
        }
        self.row(row).flatten().eq(other.row(other_row).flatten())
    }
}

/// A run of equal rows.
#[derive(Clone, Copy, PartialEq)]
struct Run {
    cut: usize,
    start: usize,
    count: usize,
}

/// The rows of all tensors, by type and width: hashed when they are first asked for.
pub(super) struct Rows<'i, 'w> {
    index: &'i Index<'w>,
    tables: HashMap<(Kind, usize), Table<'w>>,
}

/// The rows of one type and width.
struct Table<'w> {
    cuts: Vec<(usize, Cut<'w>)>,
    places: HashMap<u64, Vec<(usize, usize)>>,
}

impl<'i, 'w> Rows<'i, 'w> {
    pub(super) fn new(index: &'i Index<'w>) -> Self {
        Self { index, tables: HashMap::new() }
    }

    /// Finds an initializer as a part of a tensor, or as parts of tensors end to end.
    ///
    /// The longest run is taken first at each place, and a run of a single number is none. Of equally
    /// long ones that is meant which lies at the same place as the part that feeds a weight `beside` it.
    pub(super) fn find(
        &mut self,
        own: &Numbers<'_>,
        shape: &[usize],
        free: &BTreeSet<usize>,
        beside: &[(Name, Slice)],
    ) -> Option<Found> {
        // Rows of the initializer along a real axis; a whole initializer may also be one row of a stack.
        let axes = (0..shape.len()).filter(|&axis| shape[axis] > 1).map(Some).chain([None]);
        axes.into_iter().find_map(|axis| self.along(own, shape, axis, free, beside))
    }

    fn along(
        &mut self,
        own: &Numbers<'_>,
        shape: &[usize],
        axis: Option<usize>,
        free: &BTreeSet<usize>,
        beside: &[(Name, Slice)],
    ) -> Option<Found> {
        let cut = Cut::new(own.clone(), shape, axis);
        let width = len(shape) / cut.count;
        let index = self.index;
        let table = self.tables.entry((own.kind(), width)).or_insert_with(|| Table::new(index, own.kind(), width));
        let (mut runs, mut is_guess, mut at) = (Vec::new(), false, 0);
        while at < cut.count {
            let starts =
                table.places.get(&cut.hash(at))?.iter().filter(|(place, _)| free.contains(&table.cuts[*place].0));
            let found: Vec<Run> = starts.map(|&(place, row)| table.run(place, row, &cut, at)).collect();
            let most = found.iter().map(|run| run.count).max().filter(|most| most * width > 1)?;
            let longest: Vec<Run> = found.into_iter().filter(|run| run.count == most).collect();
            let meant = longest.iter().find(|run| {
                let (tensor, cut) = &table.cuts[run.cut];
                let name = &index.tensors[*tensor].parsed;
                let is_beside = |(other, slice): &(Name, Slice)| {
                    other.beside(name) && slice.start == run.start && slice.end == run.start + run.count
                };
                cut.axis == Some(0) && beside.iter().any(is_beside)
            });
            is_guess |= longest.len() > 1 && meant.is_none();
            let run = *meant.unwrap_or(&longest[0]);
            runs.push(run);
            at += run.count;
        }
        let pieces = runs.iter().map(|run| table.piece(index, *run, shape, axis)).collect::<Option<Vec<_>>>()?;
        let recipe = match <[Piece; 1]>::try_from(pieces) {
            Ok([piece]) => Recipe::Tensor(piece),
            Err(pieces) => Recipe::Joined(Joined { axis: axis.unwrap_or(0), pieces }),
        };
        Some(Found { recipe, is_guess })
    }
}

impl<'w> Table<'w> {
    fn new(index: &Index<'w>, kind: Kind, width: usize) -> Self {
        let mut table = Self { cuts: Vec::new(), places: HashMap::new() };
        for (place, tensor) in index.tensors.iter().enumerate() {
            let total = tensor.values.len();
            let fits = |axis: &usize| tensor.shape[*axis] > 1 && total / tensor.shape[*axis] == width;
            let axes = (0..tensor.shape.len()).filter(fits).map(Some).chain((total == width).then_some(None));
            for axis in axes {
                // Rounded values never get here: parts are compared to the bit in the graph's own type.
                let Some(values) = Some(&tensor.values)
                    .filter(|values| values.kind().is_float())
                    .and_then(|values| values.clone().cast(kind).ok())
                else {
                    continue;
                };
                let cut = Cut::new(values, tensor.shape, axis);
                for row in 0..cut.count {
                    table.places.entry(cut.hash(row)).or_default().push((table.cuts.len(), row));
                }
                table.cuts.push((place, cut));
            }
        }
        table
    }

    /// How far rows of a tensor from one place are those of an initializer from another.
    fn run(&self, place: usize, start: usize, own: &Cut<'_>, at: usize) -> Run {
        let cut = &self.cuts[place].1;
        let most = (cut.count - start).min(own.count - at);
        let count = (0..most).take_while(|step| cut.is_same(start + step, own, at + step)).count();
        Run { cut: place, start, count }
    }

    /// A run as a piece in the layout that the initializer needs, if one reordering of axes gives it.
    fn piece(&self, index: &Index<'_>, run: Run, shape: &[usize], axis: Option<usize>) -> Option<Piece> {
        let (tensor, cut) = &self.cuts[run.cut];
        let tensor = &index.tensors[*tensor];
        let slice = cut.axis.filter(|_| run.count < cut.count);
        let slice = slice.map(|axis| Slice { axis, start: run.start, end: run.start + run.count });
        let around = |shape: &[usize], axis: Option<usize>| match axis {
            Some(axis) => (len(&shape[..axis]), len(&shape[axis + 1..])),
            None => (1, len(shape)),
        };
        let (outer, inner) = around(shape, axis);
        let (from_outer, from_inner) = around(tensor.shape, cut.axis);
        let plain = Piece { slice, ..Piece::whole(tensor.name) };
        let ordered =
            |shape: [usize; 3]| Piece { reshape: Some(shape.to_vec()), axes: Some(vec![1, 0, 2]), ..plain.clone() };
        if from_outer == outer {
            Some(plain)
        } else if from_outer == 1 {
            Some(ordered([run.count, outer, inner]))
        } else if outer == 1 {
            Some(ordered([from_outer, run.count, from_inner]))
        } else {
            None
        }
        .map(simplest)
    }
}

/// Swapping two axes of a matrix is better said without a third one of length one.
fn simplest(piece: Piece) -> Piece {
    match piece.reshape.as_deref() {
        Some(&[rows, columns, 1]) if piece.axes.as_deref() == Some(&[1, 0, 2]) => {
            Piece { reshape: Some(vec![rows, columns]), axes: Some(vec![1, 0]), ..piece }
        }
        _ => piece,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use safetensors::Dtype;
    use safetensors::tensor::TensorView;

    use super::*;
    use crate::archive::Weights;

    fn values(seed: usize, len: usize) -> Vec<f32> {
        (0..len).map(|place| ((seed * 1000 + place) as f32 * 0.37).sin()).collect()
    }

    fn numbers(values: &[f32]) -> Numbers<'static> {
        Numbers::new(Kind::F32, bytemuck::cast_slice(values).to_vec()).unwrap()
    }

    /// Finds an initializer in a checkpoint of some tensors, and follows what was found.
    fn found(tensors: &[(&str, &[usize], &[f32])], own: &[f32], shape: &[usize]) -> (String, bool) {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("step-1.safetensors");
        let views = tensors.iter().map(|(name, shape, values)| {
            (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytemuck::cast_slice(values)).unwrap())
        });
        safetensors::serialize_to_file(views, None, &path).unwrap();
        let weights = Weights::open(&path).unwrap();
        let index = Index::new(&weights, &BTreeSet::from([Kind::F32]), &[]).unwrap();
        let free = (0..index.tensors.len()).collect();
        let found = Rows::new(&index).find(&numbers(own), shape, &free, &[]).unwrap();
        assert_eq!(found.recipe.value(&weights, shape, Kind::F32).unwrap(), numbers(own), "{}", found.recipe);
        (found.recipe.to_string(), found.is_guess)
    }

    #[test]
    fn a_slice_of_a_fused_weight_is_found_also_transposed() {
        let fused = values(1, 12 * 4);
        let part = &fused[4 * 4..8 * 4];
        assert_eq!(found(&[("qkv", &[12, 4], &fused)], part, &[4, 4]), ("qkv, 4..8 of axis 0".to_owned(), false));
        let turned: Vec<f32> = (0..16).map(|place| part[place % 4 * 4 + place / 4]).collect();
        let (words, is_guess) = found(&[("qkv", &[12, 4], &fused)], &turned, &[4, 4]);
        assert_eq!((words.as_str(), is_guess), ("qkv, 4..8 of axis 0, as [4, 4], transposed", false));
    }

    #[test]
    fn joined_weights_and_reordered_gates_are_found() {
        let [a, b] = [1, 2].map(|seed| values(seed, 6));
        let tensors: [(&str, &[usize], &[f32]); 2] = [("a", &[2, 3], &a), ("b", &[2, 3], &b)];
        let (words, _) = found(&tensors, &[&b[..], &a].concat(), &[4, 3]);
        assert_eq!(words, "b + a, joined along axis 0");
        let gates = values(3, 8 * 3);
        let order: Vec<f32> = [0, 3, 1, 2].iter().flat_map(|gate| gates[gate * 6..gate * 6 + 6].to_vec()).collect();
        let (words, is_guess) = found(&[("w", &[8, 3], &gates)], &order, &[1, 8, 3]);
        assert_eq!(words, "w, 0..2 of axis 0 + w, 6..8 of axis 0 + w, 2..6 of axis 0, joined along axis 1");
        assert!(!is_guess);
    }

    #[test]
    fn stacked_layers_are_found_both_ways() {
        let [a, b] = [1, 2].map(|seed| values(seed, 6));
        let stack = [&a[..], &b].concat();
        let tensors: [(&str, &[usize], &[f32]); 2] = [("layers.0", &[2, 3], &a), ("layers.1", &[2, 3], &b)];
        assert_eq!(found(&tensors, &stack, &[2, 2, 3]).0, "layers.0 + layers.1, joined along axis 0");
        assert_eq!(found(&[("scan", &[2, 2, 3], &stack)], &b, &[2, 3]).0, "scan, 1..2 of axis 0");
    }

    /// A part of zeros may be any part of the zeros.
    #[test]
    fn parts_of_repeating_values_are_guesses() {
        assert!(found(&[("bias", &[12], &[0.0; 12])], &[0.0; 4], &[4]).1);
    }
}
