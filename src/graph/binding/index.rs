//! The tensors of a checkpoint, found by what they hold.
//!
//! A print is a hash that does not depend on the order of the values, so that a transposed tensor
//! has the print of the tensor, and only those that can be equal are compared.

use std::collections::{BTreeSet, HashMap};

use rayon::prelude::*;

use super::layout::{self, Piece};
use super::names::{self, Name};
use crate::archive::{ArchiveError, Kind, Numbers, Weights};
use crate::graph::Initializer;
use crate::graph::taps::NamePattern;

/// A tensor of the reference checkpoint.
#[derive(Debug)]
pub(super) struct Known<'w> {
    pub name: &'w str,
    pub parsed: Name,
    pub shape: &'w [usize],
    pub values: Numbers<'w>,
    /// Whether all its values are the same, as zero biases.
    pub is_constant: bool,
}

/// A tensor that equals an initializer.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Its place in the index.
    pub tensor: usize,
    /// Its layout, or several that fit equally.
    pub pieces: Vec<Piece>,
    /// The type in which both are equal to the bit.
    pub compared: Kind,
}

/// The tensors of the reference checkpoint that may be weights.
#[derive(Debug)]
pub(super) struct Index<'w> {
    pub tensors: Vec<Known<'w>>,
    by_print: HashMap<(Kind, usize, u64), Vec<usize>>,
    kinds: BTreeSet<Kind>,
}

impl<'w> Index<'w> {
    /// Reads every tensor that may be a weight of a graph with initializers of some types; those that
    /// the pipeline file calls unused are none.
    pub(super) fn new(
        weights: &'w Weights,
        graph: &BTreeSet<Kind>,
        unused: &[NamePattern],
    ) -> Result<Self, ArchiveError> {
        let mut tensors = Vec::new();
        for tensor in weights.tensors() {
            if names::bystander(tensor.name).is_some() || unused.iter().any(|pattern| pattern.is_match(tensor.name)) {
                continue;
            }
            // What holds no numbers is looked at with what is left over: it may be allowed to be.
            let Ok(kind) = tensor.kind() else { continue };
            // Infinities are no fault of masks and the like; what feeds the graph is checked when it does.
            let values = tensor.values()?;
            let is_constant =
                values.bytes().chunks_exact(kind.size()).all(|value| *value == values.bytes()[..kind.size()]);
            let parsed = Name::new(tensor.name);
            tensors.push(Known { name: tensor.name, parsed, shape: tensor.shape, values, is_constant });
        }
        let kinds: BTreeSet<Kind> = tensors.iter().map(|tensor| tensor.values.kind()).collect();
        let prints: Vec<Vec<(Kind, u64)>> = tensors.par_iter().map(|tensor| prints(&tensor.values, graph)).collect();
        let mut by_print: HashMap<_, Vec<usize>> = HashMap::new();
        for (place, prints) in prints.iter().enumerate() {
            for &(compared, print) in prints {
                by_print.entry((compared, tensors[place].values.len(), print)).or_default().push(place);
            }
        }
        Ok(Self { tensors, by_print, kinds })
    }

    /// The tensors that equal an initializer in some layout, in the order of their names.
    pub(super) fn candidates(&self, initializer: &Initializer<'_>) -> Vec<Candidate> {
        let Some(own) = initializer.values() else { return Vec::new() };
        let compared: BTreeSet<Kind> = self
            .kinds
            .iter()
            .filter(|kind| kind.is_float() == own.kind().is_float())
            .map(|&kind| layout::common(own.kind(), kind))
            .collect();
        let mut found = Vec::new();
        for compared in compared {
            let Ok(own) = own.clone().cast(compared) else { continue };
            let Some(places) = self.by_print.get(&(compared, own.len(), print(&own))) else { continue };
            for &place in places {
                let tensor = &self.tensors[place];
                let Ok(values) = tensor.values.clone().cast(compared) else { continue };
                let layouts = if tensor.is_constant { layout::of_shape } else { layout::find };
                let pieces = layouts(tensor.name, (&values, tensor.shape), (&own, &initializer.shape));
                if !pieces.is_empty() {
                    found.push(Candidate { tensor: place, pieces, compared });
                }
            }
        }
        found.sort_by_key(|candidate| candidate.tensor);
        found.dedup_by_key(|candidate| candidate.tensor);
        found
    }

    /// The place of a tensor of this name.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.tensors.iter().position(|tensor| tensor.name == name)
    }
}

/// The prints of a tensor in each type that it may be compared in.
fn prints(values: &Numbers<'_>, graph: &BTreeSet<Kind>) -> Vec<(Kind, u64)> {
    let same_sort = graph.iter().filter(|kind| kind.is_float() == values.kind().is_float());
    let compared: BTreeSet<Kind> = same_sort.map(|&kind| layout::common(kind, values.kind())).collect();
    let print = |&kind: &Kind| Some((kind, print(&values.clone().cast(kind).ok()?)));
    compared.iter().filter_map(print).collect()
}

/// A hash of the values in whatever order.
fn print(values: &Numbers<'_>) -> u64 {
    /// Values that one task hashes; sums of whole numbers are the same in any order.
    const BLOCK: usize = 1 << 16;
    macro_rules! print {
        ($type:ty) => {
            values
                .plain::<$type>()
                .par_chunks(BLOCK)
                .map(|block| block.iter().fold(0, |sum: u64, &value| sum.wrapping_add(mix(value.into()))))
                .reduce(|| 0, u64::wrapping_add)
        };
    }
    match values.kind().size() {
        1 => print!(u8),
        2 => print!(u16),
        4 => print!(u32),
        _ => print!(u64),
    }
}

/// Spreads the bits of a value over a word (the finalizer of `SplitMix64`, Steele, Lea & Flood 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
