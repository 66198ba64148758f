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
