//! Tensors of the checkpoint that feed nothing, and why that is right, or not.

use serde::Serialize;

use super::elsewhere::Elsewhere;
use super::index::Index;
use super::names;
use crate::archive::{ArchiveError, Weights};

/// A hash of a tensor's values.
pub(super) type Digest = [u8; 32];

/// Why a tensor of the checkpoint may feed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leftover {
    /// The pipeline file lists it.
    Allowed,
    /// Its name tells that evaluation does not use it.
    Bystander(&'static str),
    /// It equals a tensor that feeds something, at every checkpoint.
    SameAs(String),
    /// It never changes over the series, so that the graph's own constants stand for it.
    Unchanged,
}

impl Leftover {
    /// The reason in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Allowed => "the pipeline file says so".to_owned(),
            Self::Bystander(reason) => (*reason).to_owned(),
            Self::SameAs(other) => format!("always equal to `{other}`"),
            Self::Unchanged => "never changes, and so is a constant of the graph".to_owned(),
        }
    }
}

/// A hash of a tensor's values, or none if there is no such tensor.
pub(super) fn digest(weights: &Weights, name: &str) -> Result<Option<Digest>, ArchiveError> {
    let Some(tensor) = weights.get(name) else { return Ok(None) };
    Ok(Some(*blake3::hash(tensor.values()?.bytes()).as_bytes()))
}

/// Whether two tensors of a checkpoint hold the same values to the bit.
pub(super) fn same(weights: &Weights, a: &str, b: &str) -> Result<bool, ArchiveError> {
    let (Some(a), Some(b)) = (weights.get(a), weights.get(b)) else { return Ok(false) };
    Ok(a.values()? == b.values()?)
}

/// Whether two tensors are equal at the reference and at every other checkpoint that was looked at.
pub(super) fn always_same(index: &Index<'_>, elsewhere: &Elsewhere, a: &str, b: &str) -> bool {
    let (Some(first), Some(second)) = (index.place(a), index.place(b)) else { return false };
    let (first, second) = (&index.tensors[first], &index.tensors[second]);
    first.shape == second.shape && first.values == second.values && elsewhere.are_same(a, b)
}

/// Why a tensor that feeds nothing does not matter; none if it does for all that can be told.
///
/// `fed` are the tensors that feed something. A tensor that never changes is in the graph as
/// whatever constant the exporter made of it; each checkpoint is checked to hold the same.
pub(super) fn reason(
    name: &str,
    index: &Index<'_>,
    weights: &Weights,
    elsewhere: &Elsewhere,
    fed: &[&str],
) -> Result<Option<Leftover>, ArchiveError> {
    if let Some(reason) = names::bystander(name) {
        return Ok(Some(Leftover::Bystander(reason)));
    }
    if let Some(other) = fed.iter().find(|other| always_same(index, elsewhere, name, other)) {
        return Ok(Some(Leftover::SameAs((*other).to_owned())));
    }
    let own = digest(weights, name)?;
    Ok(elsewhere.hold(name, own)?.then_some(Leftover::Unchanged))
}
