//! Where a result folder lies, on this machine or in an object store, and what is there.
//!
//! A run asks a store right away, one request a part. Whoever reads tables has a copy of them on this machine (see `copy`).

use std::fs::{self, File, FileType};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::copy::Copy;
use super::part::{self, Words};
use super::{Folder, TableError};
use crate::store::{Store, Version, is_url};

/// The first request for the end of a part: the metadata of most lie in it.
const TAIL: u64 = 32 << 10;

/// The place of a folder in an object store.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub store: Arc<Store>,
    prefix: String,
    /// Whether there may be tables that are put together already.
    pub may_have_tables: bool,
    /// Where its files are read; none while a run writes.
    pub copy: Option<Arc<Copy>>,
}

/// A file that is there.
#[derive(Debug)]
pub(super) struct There {
    /// What the metadata say; none if it is no whole Parquet file.
    pub words: Option<Words>,
    /// Of an object, what tells it from the next one of its name.
    pub version: Option<Version>,
}

impl Remote {
    /// The store of a URL; none for a path.
    ///
    /// # Errors
    ///
    /// [`TableError::Store`] for a URL that leads nowhere, or to a web server: it takes no results.
    pub(super) fn of(root: &Path) -> Result<Option<Self>, TableError> {
        let Some(url) = root.to_str().filter(|text| is_url(text)) else { return Ok(None) };
        let (store, prefix) = Store::at(url)?;
        if !store.lists() {
            return Err(TableError::NoStore { url: url.to_owned() });
        }
        Ok(Some(Self { store, prefix, may_have_tables: true, copy: None }))
    }

    /// The key of a path in the folder.
    pub(super) fn key(&self, relative: &str) -> String {
        if self.prefix.is_empty() { relative.to_owned() } else { format!("{}/{relative}", self.prefix) }
    }
}

impl Folder {
    /// The store and the key of a file, where it lies in a store.
    pub(super) fn in_store(&self, path: &Path) -> Option<(&Remote, String)> {
        let remote = self.remote.as_ref()?;
        let relative = path.strip_prefix(&self.files).expect("every path is made below the folder");
        Some((remote, remote.key(&relative.to_string_lossy())))
    }

    /// The same, where there is no copy to read.
    pub(super) fn only_in_store(&self, path: &Path) -> Option<(&Remote, String)> {
        self.in_store(path).filter(|(remote, _)| remote.copy.is_none())
    }

    /// What lies under a path; none if nothing does.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`], [`TableError::Store`].
    pub(super) fn there(&self, path: &Path) -> Result<Option<There>, TableError> {
        Ok(self.all_there(&[path.to_owned()])?.pop().flatten())
    }

    /// The same of several files, in as little time.
    pub(super) fn all_there(&self, paths: &[PathBuf]) -> Result<Vec<Option<There>>, TableError> {
        let located = paths.iter().map(|path| self.only_in_store(path)).collect::<Option<Vec<_>>>();
        let Some((remote, keys)) = located.and_then(|located| {
            let remote = located.first()?.0;
            Some((remote, located.into_iter().map(|(_, key)| key).collect::<Vec<_>>()))
        }) else {
            return paths.iter().map(|path| on_disk(path)).collect();
        };
        let tails = remote.store.tails(&keys, TAIL).into_iter().zip(&keys);
        tails
            .map(|(tail, key)| {
                let Some(tail) = tail? else { return Ok(None) };
                let words = match part::words_of_tail(&tail.bytes, tail.size) {
                    Ok(words) => words,
                    Err(needed) => {
                        let longer = remote.store.tails(std::slice::from_ref(key), needed).pop();
                        let longer = longer.transpose()?.flatten().filter(|longer| longer.version == tail.version);
                        longer.and_then(|longer| part::words_of_tail(&longer.bytes, longer.size).ok()).flatten()
                    }
                };
                Ok(Some(There { words, version: Some(tail.version) }))
            })
            .collect()
    }

    /// All bytes of a file; none if it is not there.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`], [`TableError::Store`].
    pub(super) fn read(&self, path: &Path) -> Result<Option<(Bytes, There)>, TableError> {
        if let Some((remote, key)) = self.only_in_store(path) {
            let found = remote.store.read(&key, |_| Ok::<_, TableError>(()))?;
            return Ok(found.map(|(bytes, version)| (bytes, There { words: None, version: Some(version) })));
        }
        let found = existing(fs::read(path)).map_err(|source| TableError::Read { path: path.to_owned(), source })?;
        Ok(found.map(|bytes| (bytes.into(), There { words: None, version: None })))
    }

    /// The names of the folders in a folder; none where there is no folder.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`], [`TableError::Store`].
    pub(super) fn folders(&self, path: &Path) -> Result<Vec<String>, TableError> {
        if let Some((remote, key)) = self.only_in_store(path) {
            return Ok(remote.store.folders(&key)?);
        }
        entries(path, |kind, path| kind.is_dir() || kind.is_symlink() && path.is_dir())
    }

    /// The names of the files in a folder, in their order; none if there is no such folder.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`], [`TableError::Store`].
    pub(super) fn files_in(&self, path: &Path) -> Result<Vec<String>, TableError> {
        let mut names = match self.only_in_store(path) {
            Some((remote, key)) => {
                let names = remote.store.names(&key, |name| !name.contains('/'))?;
                names.into_iter().map(|(name, _)| name).collect()
            }
            None => entries(path, |_, _| true)?,
        };
        names.sort();
        Ok(names)
    }
}

/// The names in a folder that are `wanted`; none where there is no folder.
fn entries(path: &Path, wanted: impl Fn(FileType, &Path) -> bool) -> Result<Vec<String>, TableError> {
    let read = |source: io::Error| TableError::Read { path: path.to_owned(), source };
    let Some(entries) = existing(fs::read_dir(path)).map_err(read)? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(read)?;
        if wanted(entry.file_type().map_err(read)?, &entry.path()) {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Nothing where there is no file or folder.
fn existing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        result => result.map(Some),
    }
}

fn on_disk(path: &Path) -> Result<Option<There>, TableError> {
    let read = |source: io::Error| TableError::Read { path: path.to_owned(), source };
    let Some(file) = existing(File::open(path)).map_err(read)? else { return Ok(None) };
    Ok(Some(There { words: part::words_of_file(file).map_err(read)?, version: None }))
}
