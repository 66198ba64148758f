//! Which checkpoints there are, in the order of training.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use super::shards::{index_in, is_index, is_safetensors, list, read_index};
use super::{ArchiveError, Weights, step};

/// Where the training step of a checkpoint is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepFrom {
    /// Only its name.
    Name,
    /// Only the key `step` of its safetensors metadata.
    Metadata,
}

/// One checkpoint: a file, or an index that joins several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    step: u64,
    path: PathBuf,
    name: String,
    step_in_name: Option<u64>,
}

impl Checkpoint {
    /// The training step.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The safetensors file, or the index of its shards.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path relative to the archive's folder, with `/` between its parts.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens the checkpoint and checks that its metadata tell the same step as its name.
    ///
    /// # Errors
    ///
    /// Any [`ArchiveError`] of an unreadable file, or [`ArchiveError::StepConflict`].
    pub fn open(&self) -> Result<Weights, ArchiveError> {
        let weights = Weights::open(&self.path)?;
        if let (Some(name), Some(metadata)) = (self.step_in_name, weights.step())
            && name != metadata
        {
            return Err(ArchiveError::StepConflict { path: self.name.clone(), name, metadata });
        }
        Ok(weights)
    }

    /// A checkpoint that need not be part of a series, such as the one that a graph was exported from.
    #[must_use]
    pub fn alone(path: PathBuf) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { step: 0, path, name, step_in_name: None }
    }

    #[cfg(test)]
    pub(super) fn for_test(step: u64) -> Self {
        Self { step, path: PathBuf::new(), name: format!("step-{step}"), step_in_name: None }
    }
}

/// The checkpoints of one training run in the order of their steps.
#[derive(Clone, Debug)]
pub struct Series {
    checkpoints: Vec<Checkpoint>,
}

impl Series {
    /// Finds the checkpoints of a folder, a glob, or a single file.
    ///
    /// In a folder each safetensors file is a checkpoint, and so is each folder in it that holds
    /// one file or an index. Only names are read, unless a name tells no step.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] when there is none, when a step is missing or occurs twice, or when a folder
    /// cannot be read.
    pub fn find(folder: &Path, pattern: &str, step_from: Option<StepFrom>) -> Result<Self, ArchiveError> {
        let (base, paths) = candidates(folder, pattern)?;
        let mut checkpoints = Vec::new();
        for path in paths {
            let name = relative(&path, &base);
            let step_in_name = match step_from {
                Some(StepFrom::Metadata) => None,
                _ => step::from_name(&name),
            };
            let step = match (step_in_name, step_from) {
                (Some(step), _) => Some(step),
                (None, Some(StepFrom::Name)) => None,
                (None, _) => Weights::open(&path)?.step(),
            };
            let Some(step) = step else { return Err(ArchiveError::NoStep { path: name }) };
            let step_in_name = step_in_name.filter(|_| step_from.is_none());
            checkpoints.push(Checkpoint { step, path, name, step_in_name });
        }
        if checkpoints.is_empty() {
            return Err(ArchiveError::Empty { pattern: pattern.to_owned() });
        }
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

/// The folder that names are relative to, and the checkpoint files below it.
fn candidates(folder: &Path, pattern: &str) -> Result<(PathBuf, Vec<PathBuf>), ArchiveError> {
    let path = folder.join(pattern);
    if path.is_dir() {
        let found = in_folder(&path, true)?;
        return Ok((path, found));
    }
    if path.is_file() {
        return Ok((parent(&path), vec![path]));
    }
    // Only the pattern is a glob: the folder of the pipeline file may have brackets in its name.
    let (base, glob, depth) = split_glob(pattern)?;
    let base = if folder.join(&base).as_os_str().is_empty() { PathBuf::from(".") } else { folder.join(base) };
    if !base.is_dir() {
        return Err(ArchiveError::Empty { pattern: pattern.to_owned() });
    }
    let mut found = Vec::new();
    walk(&base, &base, &glob, depth, &mut found)?;
    found.sort();
    found.dedup();
    Ok((base, found))
}

/// The checkpoints in a folder, and with `nested` those in folders below it.
fn in_folder(folder: &Path, nested: bool) -> Result<Vec<PathBuf>, ArchiveError> {
    if let Some(index) = index_in(folder)? {
        return Ok(vec![index]);
    }
    let mut found = Vec::new();
    for path in list(folder)? {
        if is_safetensors(&path) {
            found.push(path);
        } else if nested && path.is_dir() {
            match of_folder(&path) {
                // A folder of other things, such as recorded activations, says nothing of a step.
                Err(ArchiveError::Ambiguous { .. }) if step::from_name(&relative(&path, folder)).is_none() => {}
                checkpoint => found.extend(checkpoint?),
            }
        }
    }
    Ok(found)
}

/// The one checkpoint that a folder is, or none.
fn of_folder(folder: &Path) -> Result<Option<PathBuf>, ArchiveError> {
    let mut found = in_folder(folder, false)?;
    match found.len() {
        0 | 1 => Ok(found.pop()),
        found => Err(ArchiveError::Ambiguous { folder: folder.to_owned(), found }),
    }
}

/// Splits a pattern into its longest folder without wildcards, a matcher for what lies below, and
/// how many levels below that may be.
fn split_glob(pattern: &str) -> Result<(PathBuf, GlobMatcher, usize), ArchiveError> {
    let is_wild = |part: &OsStr| part.to_string_lossy().contains(['*', '?', '[', '{']);
    let base: PathBuf = Path::new(pattern).components().take_while(|part| !is_wild(part.as_os_str())).collect();
    let rest = Path::new(pattern).strip_prefix(&base).unwrap_or(Path::new(pattern)).to_string_lossy();
    let glob = GlobBuilder::new(&rest)
        .literal_separator(true)
        .build()
        .map_err(|error| ArchiveError::Pattern { pattern: pattern.to_owned(), reason: error.to_string() })?;
    let depth = if rest.contains("**") { usize::MAX } else { rest.matches('/').count() };
    Ok((base, glob.compile_matcher(), depth))
}

fn walk(
    base: &Path,
    folder: &Path,
    glob: &GlobMatcher,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), ArchiveError> {
    for path in list(folder)? {
        let matches = glob.is_match(path.strip_prefix(base).unwrap_or(&path));
        if path.is_dir() {
            if matches {
                found.extend(of_folder(&path)?);
            }
            if depth > 0 {
                walk(base, &path, glob, depth - 1, found)?;
            }
        } else if matches && is_index(&path) {
            found.push(path);
        } else if matches && is_safetensors(&path) {
            // A shard stands for the whole checkpoint that its index joins.
            found.push(joined_by(&path)?.unwrap_or(path));
        }
    }
    Ok(())
}

/// The index beside a file that names it, if there is one.
fn joined_by(path: &Path) -> Result<Option<PathBuf>, ArchiveError> {
    let Some(index) = index_in(path.parent().unwrap_or(Path::new("")))? else { return Ok(None) };
    let names_it = read_index(&index)?.iter().any(|(file, _)| file == path);
    Ok(names_it.then_some(index))
}

fn parent(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

fn relative(path: &Path, base: &Path) -> String {
    let relative = path.strip_prefix(base).unwrap_or(path);
    relative.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}
