//! A copy on this machine of what lies in an object store, for readers that know only files.
//!
//! It lies in the system's folder for temporary files (`TMPDIR`), takes as much room there as the tables, and ends with
//! the process.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::place::Remote;
use super::schema::{Parts, tables};
use super::{Folder, TableError};

/// A copy of the tables of a folder.
#[derive(Debug)]
pub(super) struct Copy {
    folder: TempDir,
    /// The parts that the store had, each with what tells its content from another.
    listed: BTreeMap<String, String>,
}

impl Copy {
    /// Brings the plan and the tables: as one file each where there is one, unless it is `parts` that are needed.
    ///
    /// # Errors
    ///
    /// [`TableError::Store`], [`TableError::NoResults`].
    pub(super) fn of(root: &Path, remote: &Remote, parts: bool) -> Result<Self, TableError> {
        let folder = TempDir::with_prefix("infoplane-").map_err(TableError::write(std::env::temp_dir()))?;
        let is_ours = |name: &str| {
            name == "work/plan.json"
                || name.ends_with(".parquet")
                    && ["data/", "tables/", "metrics/"].iter().any(|start| name.starts_with(start))
        };
        let names = remote.store.names(&remote.key(""), is_ours)?;
        let found: BTreeSet<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        if found.is_empty() {
            return Err(TableError::NoResults { folder: root.to_owned() });
        }
        let mut wanted: Vec<&str> = found.get("work/plan.json").into_iter().copied().collect();
        for table in tables() {
            let place = if table.parts == Parts::Process { "metrics" } else { "data" };
            let (compacted, data) = (format!("tables/{}.parquet", table.name), format!("{place}/{}/", table.name));
            let (is_by_step, has_compacted) = (table.parts.are_by_step(), found.contains(compacted.as_str()));
            match found.get(compacted.as_str()) {
                Some(compacted) if is_by_step && has_compacted && !parts => wanted.push(compacted),
                _ => wanted.extend(found.iter().filter(|name| name.starts_with(&data))),
            }
            if found.iter().any(|name| name.starts_with(&data)) {
                let table = folder.path().join(data);
                fs::create_dir_all(&table).map_err(TableError::write(table))?;
            }
        }
        let work = folder.path().join("work");
        fs::create_dir_all(&work).map_err(TableError::write(work))?;
        let files: Vec<(String, PathBuf)> =
            wanted.iter().map(|name| (remote.key(name), folder.path().join(name))).collect();
        remote.store.copy(&files)?;
        Ok(Self { folder, listed: parts_among(names) })
    }

    /// Where the files are.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The parts of checkpoints: those of the whole series are made of them.
fn parts_among(names: Vec<(String, String)>) -> BTreeMap<String, String> {
    names.into_iter().filter(|(name, _)| name.starts_with("data/") && name.contains("/step=")).collect()
}

impl Folder {
    /// Whether the store has other parts than when they were copied.
    ///
    /// # Errors
    ///
    /// [`TableError::Store`].
    pub(super) fn has_changed_since_copy(&self) -> Result<bool, TableError> {
        let Some(remote) = &self.remote else { return Ok(false) };
        let Some(copy) = &remote.copy else { return Ok(false) };
        let names = remote.store.names(&remote.key(""), |name| name.starts_with("data/"))?;
        Ok(parts_among(names) != copy.listed)
    }

    /// The one file to read a table of checkpoints from, where there is one.
    #[must_use]
    pub fn whole(&self, table: &str) -> Option<PathBuf> {
        Some(self.compacted(table)).filter(|path| path.is_file())
    }
}
