//! How the files of a result folder come to be, whole or not at all: on this machine, or in an object store.
//!
//! What is written beside a copy of a folder in a store goes into the store, too.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;
use tempfile::{NamedTempFile, PersistError};

use super::part::Words;
use super::place::There;
use super::working::working_file;
use super::{Folder, TableError};
use crate::store::Condition;

/// How often a file is tried again because another process was faster: each of them writes and deletes but once.
const ATTEMPTS: usize = 16;

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

impl Folder {
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
