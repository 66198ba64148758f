//! Which checkpoints there are, in the order of training.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::folder::is_checkpoint;
use super::layout::{DEEPEST, Folder, NESTED};
use super::location::{Location, is_wild};
use super::{ArchiveError, Checkpoint, Weights, step};

/// How deep `**` looks: deeper than anyone keeps checkpoints, and not for ever where links form a ring.
const ANY_DEPTH: usize = 16;

/// Where the training step of a checkpoint is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepFrom {
    /// Only its name.
    Name,
    /// Only the key `step` of its safetensors metadata.
    Metadata,
}

/// The checkpoints of one training run in the order of their steps.
#[derive(Clone, Debug)]
pub struct Series {
    checkpoints: Vec<Checkpoint>,
}

impl Series {
    /// Finds the checkpoints of a folder, a glob, or a single file: a path in `folder`, or a URL.
    ///
    /// In a folder each safetensors file is a checkpoint, and so is each folder in it that holds
    /// one file or an index. A URL is a file if it ends like one, else a folder. Only names are
    /// read; files whose names tell no step are opened, several at a time, for their metadata.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] when there is none, when a step is missing or occurs twice, or when a folder
    /// or store cannot be read.
    pub fn find(folder: &Path, pattern: &str, step_from: Option<StepFrom>) -> Result<Self, ArchiveError> {
        Self::at(&Location::parse(folder, pattern)?, folder, pattern, step_from)
    }

    pub(super) fn at(
        location: &Location,
        folder: &Path,
        pattern: &str,
        step_from: Option<StepFrom>,
    ) -> Result<Self, ArchiveError> {
        let (base, names) = candidates(location, folder, pattern)?;
        if names.is_empty() {
            return Err(ArchiveError::Empty { pattern: pattern.to_owned() });
        }
        let found = names.into_par_iter().map(|name| checkpoint(&base, name, step_from));
        let mut checkpoints = found.collect::<Result<Vec<_>, _>>()?;
        checkpoints.sort_by_key(Checkpoint::step);
        for pair in checkpoints.windows(2) {
            if pair[0].step == pair[1].step {
                let [first, second] = [0, 1].map(|index: usize| pair[index].name.clone());
                return Err(ArchiveError::DuplicateStep { first, second, step: pair[0].step });
            }
        }
        Ok(Self { checkpoints })
    }

    /// The checkpoints in the order of their steps.
    #[must_use]
    pub fn checkpoints(&self) -> &[Checkpoint] {
        &self.checkpoints
    }
}

fn checkpoint(base: &Location, name: String, step_from: Option<StepFrom>) -> Result<Checkpoint, ArchiveError> {
    let location = base.join(&name);
    let step_in_name = if step_from == Some(StepFrom::Metadata) { None } else { step::from_name(&name) };
    let step = match (step_in_name, step_from) {
        (Some(step), _) => Some(step),
        (None, Some(StepFrom::Name)) => None,
        (None, _) => Weights::at(&location)?.step(),
    };
    let Some(step) = step else { return Err(ArchiveError::NoStep { path: name }) };
    let step_in_name = step_in_name.filter(|_| step_from.is_none());
    Ok(Checkpoint { step, location, name, step_in_name })
}

/// The folder that names are relative to, and the checkpoint files below it.
fn candidates(location: &Location, folder: &Path, pattern: &str) -> Result<(Location, Vec<String>), ArchiveError> {
    if location.is_file() {
        let (base, name) = location.split();
        return Ok((base, vec![name]));
    }
    let (base, found) = if location.is_folder() {
        (location.clone(), Folder::of(location.checkpoint_files(DEEPEST)?).series())
    } else {
        // Only the pattern is a glob: the folder of the pipeline file may have brackets in its name.
        let (base, glob, depth) = match location {
            Location::Local(_) => {
                let (base, glob, depth) = split_glob(pattern, pattern)?;
                (Location::Local(folder.join(base)), glob, depth)
            }
            Location::Remote { store, key } => {
                let (base, glob, depth) = split_glob(pattern, key)?;
                (Location::Remote { store: store.clone(), key: base }, glob, depth)
            }
        };
        if !base.is_folder() {
            return Err(ArchiveError::Empty { pattern: pattern.to_owned() });
        }
        let found = Folder::of(base.checkpoint_files(depth)?).matching(&glob);
        (base, found)
    };
    let found = found.map_err(|error| match error {
        ArchiveError::Ambiguous { folder, found, example } => {
            let [folder, example] = [folder, example].map(|path| base.join(&path).to_string());
            ArchiveError::Ambiguous { folder, found, example }
        }
        other => other,
    })?;
    Ok((base, found))
}

/// Splits a path into its longest folder without wildcards, a matcher for what lies below, and how
/// many levels below that may be.
fn split_glob(pattern: &str, path: &str) -> Result<(String, GlobMatcher, usize), ArchiveError> {
    let wild = path.split('/').position(is_wild).unwrap_or_else(|| path.matches('/').count());
    let start = path.split('/').take(wild).map(|part| part.len() + 1).sum();
    let (base, rest) = path.split_at(start);
    let glob = GlobBuilder::new(rest)
        .literal_separator(true)
        .build()
        .map_err(|error| ArchiveError::Pattern { pattern: pattern.to_owned(), reason: error.to_string() })?;
    // A pattern that a folder may match means the checkpoint in it.
    let inside = if is_checkpoint(rest) { 0 } else { NESTED + 1 };
    let depth = if rest.contains("**") { ANY_DEPTH } else { rest.matches('/').count() + inside };
    let base = if base == "/" { base } else { base.trim_end_matches('/') };
    Ok((base.to_owned(), glob.compile_matcher(), depth))
}
