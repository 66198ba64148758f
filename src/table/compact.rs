//! All parts of a table as one file, sorted by step.
//!
//! The bytes depend on the rows and on where they come from, not on who wrote the parts, when, or in what order.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use super::schema::{Table, tables};
use super::{Folder, TableError, part};

impl Folder {
    /// Writes each table into one file below `tables`, complete or not at all, and returns their paths.
    ///
    /// # Errors
    ///
    /// [`TableError::NoPlan`], [`TableError::Read`] or [`TableError::Encode`] for a part that is not whole,
    /// [`TableError::Changed`] when a run writes parts meanwhile, [`TableError::Write`].
    pub fn compact(&self) -> Result<Vec<PathBuf>, TableError> {
        let steps = self.sorted_steps()?;
        let before = self.parts_of(&steps)?;
        let folder = self.files.join("tables");
        fs::create_dir_all(&folder).map_err(TableError::write(folder))?;
        let hashes = steps.iter().zip(&before).map(|(step, parts)| {
            json!([step, parts.as_ref().and_then(|parts| parts.first()).and_then(|part| part.checkpoint.clone())])
        });
        let hashes = json!(hashes.collect::<Vec<_>>()).to_string();
        let mut written = Vec::new();
        for table in tables() {
            let parts: Vec<(Option<u64>, PathBuf)> = if self.tables.contains(&table.name) {
                steps.iter().map(|&step| (Some(step), self.part(table.name, step))).collect()
            } else if self.tables_of_series().any(|name| name == table.name) {
                vec![(None, self.series_part(table.name))]
            } else {
                continue;
            };
            let path = self.compacted(table.name);
            let mut pairs = self.origin()?.pairs();
            pairs.push(("infoplane.checkpoints", hashes.clone()));
            self.put_file(&path, |file| put_together(file, &path, &table, pairs, &parts))?;
            written.push(path);
        }
        // A part that was replaced since it was read makes a file that tells what is no longer so.
        if self.parts_of(&steps)? != before || self.has_changed_since_copy()? {
            for table in &self.tables {
                self.forget_compacted(table)?;
            }
            return Err(TableError::Changed { folder: self.root.clone() });
        }
        Ok(written)
    }

    fn sorted_steps(&self) -> Result<Vec<u64>, TableError> {
        let mut steps: Vec<u64> = self.units()?.iter().map(|unit| unit.step).collect();
        steps.sort_unstable();
        Ok(steps)
    }

    fn parts_of(&self, steps: &[u64]) -> Result<Vec<Option<Vec<part::Found>>>, TableError> {
        steps.iter().map(|&step| self.parts(step)).collect()
    }
}

/// Writes the rows of all parts, one part after the other, with their step in front.
fn put_together(
    file: File,
    path: &Path,
    table: &Table,
    pairs: Vec<(&'static str, String)>,
    parts: &[(Option<u64>, PathBuf)],
) -> Result<(), TableError> {
    let schema = part::schema(&table.columns);
    let mut writer = part::open(file, path, table.name, Arc::clone(&schema), pairs)?;
    for (step, from) in parts {
        let read = |source: std::io::Error| TableError::Read { path: from.clone(), source };
        let reader = File::open(from).map_err(read)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(reader).and_then(ParquetRecordBatchReaderBuilder::build);
        for batch in reader.map_err(|error| read(std::io::Error::other(error)))? {
            let batch = batch.map_err(|error| read(std::io::Error::other(error)))?;
            let step = step.map(|step| i64::try_from(step).expect("the folder was prepared for steps that fit"));
            let step = step.map(|step| Arc::new(Int64Array::from(vec![step; batch.num_rows()])) as ArrayRef);
            let columns = step.into_iter().chain(batch.columns().iter().cloned()).collect();
            let batch =
                RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|error| part::encode(from, error))?;
            writer.write(&batch).map_err(|error| part::failed(path, error))?;
        }
    }
    writer.close().map(drop).map_err(|error| part::failed(path, error))
}
