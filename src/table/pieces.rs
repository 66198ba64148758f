//! What the units of one checkpoint leave for each other, below `work`, until they are put together.

use std::path::PathBuf;

use bytes::Bytes;

use super::put::When;
use super::{Folder, TableError};

impl Folder {
    /// Keeps a piece of a checkpoint; one of this name that is there already stays.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`], [`TableError::Store`].
    pub fn keep_piece(&self, step: u64, name: &str, bytes: Vec<u8>) -> Result<(), TableError> {
        self.put(&self.piece(step, name), &bytes.into(), &When::Absent).map(drop)
    }

    /// A piece that may be gone; none then.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`], [`TableError::Store`].
    pub fn read_piece(&self, step: u64, name: &str) -> Result<Option<Bytes>, TableError> {
        Ok(self.read(&self.piece(step, name))?.map(|(bytes, _)| bytes))
    }

    /// The names of the pieces of a step, in their order.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`], [`TableError::Store`].
    pub fn pieces(&self, step: u64) -> Result<Vec<String>, TableError> {
        self.files_in(&self.pieces_of(step))
    }

    /// The steps that have pieces.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`], [`TableError::Store`].
    pub fn steps_in_pieces(&self) -> Result<Vec<u64>, TableError> {
        let names = self.folders(&self.all_pieces())?;
        let mut steps: Vec<u64> = names.iter().filter_map(|name| name.strip_prefix("step=")?.parse().ok()).collect();
        steps.sort_unstable();
        Ok(steps)
    }

    /// Deletes the pieces of a step: they were put together.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`], [`TableError::Store`].
    pub fn drop_pieces(&self, step: u64) -> Result<(), TableError> {
        for name in self.pieces(step)? {
            self.remove(&self.piece(step, &name))?;
        }
        self.remove_folder(&self.pieces_of(step))
    }

    /// Deletes all pieces: once every checkpoint is whole, they are those of late writers.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`], [`TableError::Store`].
    pub fn drop_all_pieces(&self) -> Result<(), TableError> {
        for step in self.steps_in_pieces()? {
            self.drop_pieces(step)?;
        }
        self.remove_folder(&self.all_pieces())
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
