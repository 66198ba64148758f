//! The tensors of one checkpoint, wherever it lies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

use bytes::Bytes;

use super::header::{Entry, Header};
use super::location::Location;
use super::opened::{Opened, open};
use super::{ArchiveError, Tensor, folder, shards};

/// The tensors of one checkpoint.
///
/// A file on this machine is mapped, not read: a tensor costs memory only while it is looked at.
/// Of an object in a store only the header is read; a tensor is brought when it is asked for, or
/// with others in few requests by [`Weights::load`], and kept until the weights are dropped.
#[derive(Debug)]
pub struct Weights {
    files: Vec<Opened>,
    places: BTreeMap<String, Place>,
    step: Option<u64>,
}

/// One tensor of a checkpoint.
#[derive(Debug)]
pub(super) struct Place {
    file: usize,
    pub(super) entry: Entry,
    /// The bytes, once they came from a store.
    pub(super) loaded: OnceLock<Bytes>,
    /// Set once the bytes of a file were seen to be there.
    pub(super) readable: OnceLock<()>,
    pub(super) hash: OnceLock<blake3::Hash>,
}

impl Weights {
    /// Maps a safetensors file, or all shards that an index joins, and checks their headers.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] when a file is missing, truncated, or its header claims what the file does
    /// not hold.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        Self::at(&Location::Local(path.to_owned()))
    }

    /// Opens a checkpoint wherever it lies.
    pub(super) fn at(location: &Location) -> Result<Self, ArchiveError> {
        let parts: Vec<(Location, Vec<String>)> = if folder::is_index(&location.to_string()) {
            let (folder, _) = location.split();
            location.index()?.into_iter().map(|(shard, tensors)| (folder.join(&shard), tensors)).collect()
        } else {
            vec![(location.clone(), Vec::new())]
        };
        let files: Vec<&Location> = parts.iter().map(|(file, _)| file).collect();
        let mut weights = Self { files: Vec::new(), places: BTreeMap::new(), step: None };
        for (opened, (_, tensors)) in open(&files).into_iter().zip(&parts) {
            let added = opened.and_then(|(opened, header)| weights.add(opened, header, tensors));
            // A shard is at fault because the index promised something of it: name both.
            added.map_err(|error| match tensors.first() {
                Some(tensor) => shards::blame(location, tensor, error),
                None => error,
            })?;
        }
        Ok(weights)
    }

    /// The training step that the metadata tell under `step` or `global_step`.
    #[must_use]
    pub fn step(&self) -> Option<u64> {
        self.step
    }

    /// The tensors in the order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        self.places.iter().map(|(name, place)| self.tensor(name, place))
    }

    /// The number of tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no tensor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// A tensor by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Tensor<'_>> {
        self.places.get_key_value(name).map(|(name, place)| self.tensor(name, place))
    }

    /// Brings the named tensors from a store in as few requests as are worth it; asks the system to
    /// read them ahead from a disk. Names that are not there are passed over.
    ///
    /// Call it where waiting does no harm: not inside a thread pool that computes.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Store`] when an object was overwritten since it was opened,
    /// when it cannot be read, and when it does not fit.
    pub fn load<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), ArchiveError> {
        let mut wanted: Vec<Vec<&Place>> = self.files.iter().map(|_| Vec::new()).collect();
        for place in names.into_iter().filter_map(|name| self.places.get(name)) {
            wanted[place.file].push(place);
        }
        self.files.iter().zip(wanted).try_for_each(|(file, places)| file.load(&places))
    }

    /// The named tensors that are there, once each, in the order of their names.
    pub(super) fn named<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<Tensor<'_>> {
        let names: BTreeSet<&str> = names.into_iter().collect();
        names.into_iter().filter_map(|name| self.get(name)).collect()
    }

    /// For each file its URL, size and version; none if one lies on this machine or has no version.
    pub(super) fn versions(&self) -> Option<Vec<String>> {
        self.files.iter().map(Opened::version).collect()
    }

    fn tensor<'a>(&'a self, name: &'a str, place: &'a Place) -> Tensor<'a> {
        let file = &self.files[place.file];
        Tensor { file: &file.name, name, shape: &place.entry.shape, opened: file, place }
    }

    /// Takes over the tensors of a file that an index names, or all of them if none is named.
    fn add(&mut self, opened: Opened, header: Header, wanted: &[String]) -> Result<(), ArchiveError> {
        self.step = self.step.or(header.step);
        let mut entries = header.tensors;
        if let Some(name) = wanted.iter().find(|name| !entries.contains_key(*name)) {
            let reason = format!("it does not hold tensor `{name}`, which the index says it does");
            return Err(ArchiveError::invalid(&opened.name, reason));
        }
        if !wanted.is_empty() {
            let wanted: BTreeSet<&String> = wanted.iter().collect();
            entries.retain(|name, _| wanted.contains(name));
        }
        let file = self.files.len();
        self.places.extend(entries.into_iter().map(|(name, entry)| {
            let place =
                Place { file, entry, loaded: OnceLock::new(), readable: OnceLock::new(), hash: OnceLock::new() };
            (name, place)
        }));
        self.files.push(opened);
        Ok(())
    }
}
