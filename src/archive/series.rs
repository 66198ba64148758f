//! Which checkpoints there are, in the order of training.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::layout::{DEEPEST, Folder};
use super::location::Location;
use super::pattern::Pattern;
use super::{ArchiveError, Checkpoint, Weights, step};

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
    base: Location,
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
        Ok(Self { base, checkpoints })
    }

    /// A series that was found before: the folder or URL that [`Series::base`] told, and steps and names as they were
    /// then, in the order of steps. Nothing is listed or opened.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Store`] for a URL that leads nowhere.
    pub fn listed(
        base: &str,
        names: impl IntoIterator<Item = (u64, String)>,
        step_from: Option<StepFrom>,
    ) -> Result<Self, ArchiveError> {
        let base = Location::parse(Path::new(""), base)?;
        let checkpoint = |(step, name): (u64, String)| Checkpoint {
            step,
            location: base.join(&name),
            step_in_name: step::from_name(&name).filter(|_| step_from.is_none()),
            name,
        };
        let checkpoints = names.into_iter().map(checkpoint).collect();
        Ok(Self { base, checkpoints })
    }

    /// The folder or URL that names are relative to.
    #[must_use]
    pub fn base(&self) -> String {
        self.base.to_string()
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
        (location.clone(), Folder::of(location.checkpoint_files(DEEPEST, &|_| true)?).series())
    } else {
        // Only the pattern is a glob: the folder of the pipeline file may have brackets in its name.
        let (base, glob) = match location {
            Location::Local(_) => {
                let glob = Pattern::parse(pattern, pattern)?;
                let base = folder.join(&glob.base);
                (Location::Local(if base.as_os_str().is_empty() { PathBuf::from(".") } else { base }), glob)
            }
            Location::Remote { store, key } => {
                let glob = Pattern::parse(pattern, key)?;
                (Location::Remote { store: Arc::clone(store), key: glob.base.clone() }, glob)
            }
        };
        if !base.is_folder() {
            return Err(ArchiveError::Empty { pattern: pattern.to_owned() });
        }
        let names = base.checkpoint_files(glob.depth, &|folder| glob.enters(folder))?;
        let found = Folder::of(names).matching(&glob);
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
