//! What the units of one checkpoint leave for each other, below `work`, until they are put together.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use super::{Folder, TableError};

impl Folder {
    /// Keeps a piece of a checkpoint; one of this name that is there already stays.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`].
    pub fn keep_piece(&self, step: u64, name: &str, bytes: &[u8]) -> Result<(), TableError> {
        let path = self.piece(step, name);
        let folder = self.pieces_of(step);
        fs::create_dir_all(&folder).map_err(TableError::write(folder))?;
        self.put(&path, false, |mut file| file.write_all(bytes).map_err(TableError::write(&path)))
    }

    /// A piece that may be gone; none then.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`].
    pub fn read_piece(&self, step: u64, name: &str) -> Result<Option<Vec<u8>>, TableError> {
        let path = self.piece(step, name);
        found(fs::read(&path)).map_err(|source| TableError::Read { path, source })
    }

    /// The names of the pieces of a step, in their order.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`].
    pub fn pieces(&self, step: u64) -> Result<Vec<String>, TableError> {
        names(self.pieces_of(step))
    }

    /// The steps that have pieces.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`].
    pub fn steps_in_pieces(&self) -> Result<Vec<u64>, TableError> {
        let names = names(self.all_pieces())?;
        let mut steps: Vec<u64> = names.iter().filter_map(|name| name.strip_prefix("step=")?.parse().ok()).collect();
        steps.sort_unstable();
        Ok(steps)
    }

    /// Deletes the pieces of a step: they were put together.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`].
    pub fn drop_pieces(&self, step: u64) -> Result<(), TableError> {
        removed(self.pieces_of(step))
    }

    /// Deletes all pieces.
    pub(super) fn sweep_pieces(&self) -> Result<(), TableError> {
        removed(self.all_pieces())
    }

    /// Where a piece lies.
    #[must_use]
    pub fn piece(&self, step: u64, name: &str) -> PathBuf {
        self.pieces_of(step).join(name)
    }

    fn pieces_of(&self, step: u64) -> PathBuf {
        self.all_pieces().join(format!("step={step}"))
    }

    fn all_pieces(&self) -> PathBuf {
        self.work().join("pieces")
    }
}

/// Nothing where there is no file.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn names(folder: PathBuf) -> Result<Vec<String>, TableError> {
    let read = |source| TableError::Read { path: folder.clone(), source };
    let mut names = Vec::new();
    for entry in found(fs::read_dir(&folder)).map_err(read)?.into_iter().flatten() {
        names.push(entry.map_err(read)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Deletes a folder with all that is in it; another process may be doing the same.
fn removed(folder: PathBuf) -> Result<(), TableError> {
    match fs::remove_dir_all(&folder) {
        // A late writer may have put something there meanwhile: it is deleted next time.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => Ok(()),
        removed => removed.map_err(TableError::write(folder)),
    }
}
