//! How the bytes of a result folder get in and out: on this machine, or in an object store.
//!
//! A run writes into a store right away, one request a part. Whoever reads tables has a copy of them on this machine
//! (see `copy`), and what is written there goes into the store, too.

use std::fs::{self, File, FileType};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tempfile::{NamedTempFile, PersistError};

use super::copy::Copy;
use super::part::{self, Words};
use super::working::working_file;
use super::{Folder, TableError};
use crate::store::{Condition, Store, Version, is_url};

/// How often a file is tried again because another process was faster: each of them writes and deletes but once.
const ATTEMPTS: usize = 16;
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
    version: Option<Version>,
}

/// What must be so for a file to be written.
#[derive(Debug)]
pub(super) enum When {
    /// There is none.
    Absent,
    /// There is still this one; on a disk, where renaming asks nothing, any.
    Unchanged(There),
    /// Nothing.
    Always,
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
    fn in_store(&self, path: &Path) -> Option<(&Remote, String)> {
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

    /// Writes a file complete or not at all; false if the condition does not hold.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`], [`TableError::Store`].
    pub(super) fn put(&self, path: &Path, bytes: &Bytes, when: &When) -> Result<bool, TableError> {
        if let Some((remote, key)) = self.only_in_store(path) {
            let condition = match when {
                When::Absent => Condition::Absent,
                When::Unchanged(There { version: Some(version), .. }) => Condition::Unchanged(version.clone()),
                When::Unchanged(_) | When::Always => Condition::Always,
            };
            return Ok(remote.store.put(&key, bytes, &condition)?);
        }
        let put = self.put_on_disk(path, !matches!(when, When::Absent), |mut file| {
            file.write_all(bytes).map_err(TableError::write(path))
        })?;
        self.publish(path)?;
        Ok(put)
    }

    /// Writes a file, whatever was there, by what `fill` writes: it need not fit into memory.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`], [`TableError::Store`], or what `fill` says.
    pub(super) fn put_file(
        &self,
        path: &Path,
        fill: impl FnOnce(File) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        self.put_on_disk(path, true, fill)?;
        self.publish(path)
    }

    /// Sees to it that a part lies there: one that `stays` is left alone, any other one is replaced.
    ///
    /// Of several writers one is first, and none tears what another wrote. Who is overtaken looks again.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`], [`TableError::Store`], [`TableError::Contended`].
    pub(super) fn settle(
        &self,
        table: &str,
        path: &Path,
        bytes: &Bytes,
        stays: impl Fn(&Words) -> bool,
    ) -> Result<(), TableError> {
        let mut when = When::Absent;
        for _ in 0..ATTEMPTS {
            if matches!(when, When::Unchanged(_)) {
                self.forget_compacted(table)?;
            }
            if self.put(path, bytes, &when)? {
                // Only who misses no part puts them together: what was there before, or meanwhile of an old part.
                let is_new = matches!(when, When::Absent);
                let may_be_there = self.remote.as_ref().is_none_or(|remote| remote.may_have_tables);
                return if is_new && !may_be_there { Ok(()) } else { self.forget_compacted(table) };
            }
            when = match self.there(path)? {
                Some(There { words: Some(words), .. }) if stays(&words) => return Ok(()),
                Some(there) => When::Unchanged(there),
                None => When::Absent,
            };
        }
        Err(TableError::Contended { path: path.to_owned() })
    }

    /// Deletes a file; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`], [`TableError::Store`].
    pub(super) fn remove(&self, path: &Path) -> Result<(), TableError> {
        if let Some((remote, key)) = self.in_store(path) {
            remote.store.delete(&key)?;
        }
        if self.only_in_store(path).is_some() {
            return Ok(());
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TableError::write(path)(error)),
            _ => Ok(()),
        }
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

    /// Makes a folder, where there are folders: in a store there are none.
    pub(super) fn make(&self, path: &Path) -> Result<(), TableError> {
        if self.only_in_store(path).is_some() {
            return Ok(());
        }
        fs::create_dir_all(path).map_err(TableError::write(path))
    }

    /// Deletes an empty folder, where there are folders; one that is gone or that a late writer has filled is no error.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`].
    pub(super) fn remove_folder(&self, path: &Path) -> Result<(), TableError> {
        use io::ErrorKind::{DirectoryNotEmpty, NotFound};
        if self.only_in_store(path).is_some() {
            return Ok(());
        }
        match fs::remove_dir(path) {
            Err(error) if [NotFound, DirectoryNotEmpty].contains(&error.kind()) => Ok(()),
            removed => removed.map_err(TableError::write(path)),
        }
    }

    /// Brings a file of the copy into the store.
    fn publish(&self, path: &Path) -> Result<(), TableError> {
        match self.in_store(path) {
            Some((remote, key)) => Ok(remote.store.upload(&key, path)?),
            None => Ok(()),
        }
    }

    /// Writes a file under a temporary name beside the data, and renames it when it is on the disk.
    ///
    /// Without `replace`, a file that is there already stays, and the answer is false.
    fn put_on_disk(
        &self,
        path: &Path,
        replace: bool,
        fill: impl FnOnce(File) -> Result<(), TableError>,
    ) -> Result<bool, TableError> {
        let write = |source: io::Error| TableError::Write { path: path.to_owned(), source };
        let folder = path.parent().unwrap_or(&self.files);
        let mut file = working_file(&self.work()).map_err(write)?;
        fill(file.as_file().try_clone().map_err(write)?)?;
        file.as_file().sync_all().map_err(write)?;
        let mut attempts = 0;
        let put = loop {
            attempts += 1;
            fs::create_dir_all(folder).map_err(TableError::write(folder))?;
            let named = if replace { file.persist(path).map(|_| true) } else { link(file, path) };
            match named {
                // Who puts pieces together deletes their folder, perhaps just now.
                Err(error) if error.error.kind() == io::ErrorKind::NotFound && attempts < ATTEMPTS => file = error.file,
                named => break named.map_err(|error| write(error.error))?,
            }
        };
        if !put {
            return Ok(false);
        }
        // The new name must survive a power cut too, unless piece and folder are gone by now.
        match File::open(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => opened.and_then(|folder| folder.sync_all()).map_err(write)?,
        }
        Ok(true)
    }
}

/// Gives a file its name; false if there is one of that name.
fn link(file: NamedTempFile, path: &Path) -> Result<bool, PersistError> {
    use io::ErrorKind::{AlreadyExists, PermissionDenied, Unsupported};
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == AlreadyExists => Ok(false),
        // Some mounted file systems know no links. Two writers have the same bytes, so that it matters to nobody whose stay.
        Err(error) if [PermissionDenied, Unsupported].contains(&error.error.kind()) && !path.exists() => {
            error.file.persist(path).map(|_| true)
        }
        Err(error) => Err(error),
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
