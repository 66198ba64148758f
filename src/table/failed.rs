//! Which checkpoints failed as a whole, below `work`: so that this can be told without looking into every part.

use std::path::PathBuf;

use serde_json::json;

use super::part::Found;
use super::put::When;
use super::row::Rows;
use super::{CheckpointRow, Folder, TableError};

impl Folder {
    /// Notes that a checkpoint failed, before its parts say so.
    pub(super) fn mark_failed(&self, step: u64, row: &CheckpointRow) -> Result<(), TableError> {
        let text = json!({ "step": step, "file": row.file, "error": row.error }).to_string() + "\n";
        self.put(&self.mark(step), &text.into(), &When::Always).map(drop)
    }

    /// Takes that back, once its parts have values.
    pub(super) fn unmark_failed(&self, step: u64) -> Result<(), TableError> {
        self.remove(&self.mark(step))
    }

    /// The steps whose checkpoints failed as a whole.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`], [`TableError::Store`].
    pub fn failed_steps(&self) -> Result<Vec<u64>, TableError> {
        let mut failed = Vec::new();
        for name in self.files_in(&self.marks())? {
            let step: Option<u64> =
                name.strip_prefix("step=").and_then(|rest| rest.strip_suffix(".json")?.parse().ok());
            let Some(step) = step else { continue };
            // A process that was killed between the two leaves a mark that no longer holds: the part decides.
            let words = self.there(&self.part(CheckpointRow::TABLE, step))?.and_then(|there| there.words);
            failed.extend(words.and_then(|words| Found::of(&words)).filter(|found| found.retry).map(|_| step));
        }
        failed.sort_unstable();
        Ok(failed)
    }

    fn marks(&self) -> PathBuf {
        self.work().join("failed")
    }

    fn mark(&self, step: u64) -> PathBuf {
        self.marks().join(format!("step={step}.json"))
    }
}
