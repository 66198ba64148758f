//! Which files make up one checkpoint: a single one, or shards that an index joins.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ArchiveError;

/// The `weight_map` of a Hugging Face index: which file each tensor may come from.
#[derive(Debug, Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Reads an index and returns, for each file that it names, the tensors to take from it.
///
/// A tensor that lies in another file than the index says (a stale shard) is never taken.
pub(super) fn read_index(path: &Path) -> Result<Vec<(PathBuf, Vec<String>)>, ArchiveError> {
    let fail = |reason: String| ArchiveError::Index { path: path.to_owned(), reason };
    let text = fs::read_to_string(path).map_err(|source| ArchiveError::read(path, source))?;
    let index: Index = serde_json::from_str(&text)
        .map_err(|error| fail(format!("{error}; needed a JSON object with a `weight_map` of tensor names to files")))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut files: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (tensor, file) in &index.weight_map {
        // An index comes with the archive: it may not lead outside of its own folder.
        if Path::new(file).components().count() != 1 || file == ".." {
            return Err(fail(format!("tensor `{tensor}` points at `{file}`; needed a file in the index's own folder")));
        }
        if !folder.join(file).is_file() {
            return Err(fail(format!(
                "tensor `{tensor}` points at `{file}`, which is not there; copy the missing shard"
            )));
        }
        files.entry(file).or_default().push(tensor.clone());
    }
    if files.is_empty() {
        return Err(fail("its `weight_map` names no tensor".to_owned()));
    }
    Ok(files.into_iter().map(|(file, tensors)| (folder.join(file), tensors)).collect())
}

/// The index in a folder, if there is one.
pub(super) fn index_in(folder: &Path) -> Result<Option<PathBuf>, ArchiveError> {
    let mut found: Vec<PathBuf> = list(folder)?.into_iter().filter(|path| is_index(path)).collect();
    match found.len() {
        0 | 1 => Ok(found.pop()),
        found => Err(ArchiveError::Ambiguous { folder: folder.to_owned(), found }),
    }
}

pub(super) fn is_index(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(".safetensors.index.json"))
}

pub(super) fn is_safetensors(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "safetensors")
}

/// The entries of a folder in name order.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, ArchiveError> {
    let entries = fs::read_dir(folder).map_err(|source| ArchiveError::read(folder, source))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|source| ArchiveError::read(folder, source))?.path());
    }
    paths.sort();
    Ok(paths)
}
