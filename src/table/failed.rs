//! Which checkpoints failed as a whole, below `work`: so that this can be told without looking into every part.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use super::row::Rows;
use super::{CheckpointRow, Folder, TableError, part};

impl Folder {
    /// Notes that a checkpoint failed, before its parts say so.
    pub(super) fn mark_failed(&self, step: u64, row: &CheckpointRow) -> Result<(), TableError> {
        let path = self.mark(step);
        let folder = self.marks();
        fs::create_dir_all(&folder).map_err(TableError::write(folder))?;
        let text = json!({ "step": step, "file": row.file, "error": row.error }).to_string() + "\n";
        self.put(&path, true, |mut file| file.write_all(text.as_bytes()).map_err(TableError::write(&path)))
    }

    /// Takes that back, once its parts have values.
    pub(super) fn unmark_failed(&self, step: u64) -> Result<(), TableError> {
        let path = self.mark(step);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TableError::write(path)(error)),
            _ => Ok(()),
        }
    }

    /// The steps whose checkpoints failed as a whole.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`].
    pub fn failed_steps(&self) -> Result<Vec<u64>, TableError> {
        let folder = self.marks();
        let read = |source| TableError::Read { path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(read)?,
        };
        let mut steps = Vec::new();
        for entry in entries {
            let name = entry.map_err(read)?.file_name().to_string_lossy().into_owned();
            let step: Option<u64> =
                name.strip_prefix("step=").and_then(|rest| rest.strip_suffix(".json")?.parse().ok());
            // A process that was killed between the two leaves a mark that no longer holds: the part decides.
            let failed =
                |step: &u64| part::find(&self.part(CheckpointRow::TABLE, *step)).is_some_and(|part| part.retry);
            steps.extend(step.filter(failed));
        }
        steps.sort_unstable();
        Ok(steps)
    }

    fn marks(&self) -> PathBuf {
        self.work().join("failed")
    }

    fn mark(&self, step: u64) -> PathBuf {
        self.marks().join(format!("step={step}.json"))
    }
}
