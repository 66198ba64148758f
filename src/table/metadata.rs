//! What the files of a result folder say of where they come from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Folder, TableError, part};

impl Folder {
    /// The tool's own metadata (pipeline, versions, hashes) of the first file of the checkpoints, by name.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`] when the folder cannot be listed.
    pub fn metadata(&self) -> Result<BTreeMap<String, String>, TableError> {
        let first =
            self.whole("checkpoints").map_or_else(|| first_parquet(&self.table("checkpoints")), |it| Ok(Some(it)))?;
        Ok(first.map(|path| part::metadata(&path)).unwrap_or_default())
    }
}

/// The first Parquet file below a folder, in the order of names.
fn first_parquet(folder: &Path) -> Result<Option<PathBuf>, TableError> {
    let read = |source| TableError::Read { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(read)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(read)?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if let Some(found) = first_parquet(&path)? {
                return Ok(Some(found));
            }
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
