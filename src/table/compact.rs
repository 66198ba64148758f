//! All parts of a table as one file, sorted by step.
//!
//! The bytes depend on the rows and on where they come from, not on who wrote the parts, when, or in what order.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;
use serde_json::json;

use super::part::{self, Found, Words};
use super::schema::{Table, tables};
use super::{Folder, TableError};

/// Parts that are read before they are written: so many lie in memory.
const AHEAD: usize = 256;

impl Folder {
    /// Writes each table of checkpoints into one file below `tables`, complete or not at all, and returns their paths.
    ///
    /// # Errors
    ///
    /// [`TableError::NoPlan`], [`TableError::Read`] or [`TableError::Encode`] for a part that is not whole,
    /// [`TableError::Changed`] when a run writes parts meanwhile, [`TableError::Write`].
    pub fn compact_checkpoints(&self) -> Result<Vec<PathBuf>, TableError> {
        let mut steps: Vec<u64> = self.units()?.iter().map(|unit| unit.step).collect();
        steps.sort_unstable();
        let mut found: Option<Vec<Found>> = None;
        let mut written = Vec::new();
        let mut has_changed = false;
        for table in tables().into_iter().filter(|table| self.tables.contains(&table.name)) {
            let parts = steps.iter().map(|&step| (Some(step), self.part(table.name, step)));
            let of_table = self.put_together(&table, &parts.collect::<Vec<_>>())?;
            written.push(self.compacted(table.name));
            match &found {
                Some(found) => has_changed |= *found != of_table,
                None => found = Some(of_table),
            }
        }
        // A part that was replaced since it was read makes a file that tells what is no longer so.
        let found = found.unwrap_or_default();
        let is_still = |(step, found): (&u64, &Found)| {
            let parts = self.parts(*step)?;
            Ok(parts.and_then(|parts| parts.into_iter().next()).as_ref() == Some(found))
        };
        let are_still = steps.par_iter().zip(&found).map(is_still).collect::<Result<Vec<bool>, TableError>>()?;
        if has_changed || are_still.contains(&false) || self.has_changed_since_copy()? {
            for table in &self.tables {
                self.forget_compacted(table)?;
            }
            return Err(TableError::Changed { folder: self.root.clone() });
        }
        Ok(written)
    }

    /// The same for the tables about the whole series.
    ///
    /// # Errors
    ///
    /// As [`Folder::compact_checkpoints`].
    pub fn compact_series(&self) -> Result<Vec<PathBuf>, TableError> {
        let mut written = Vec::new();
        for table in tables().into_iter().filter(|table| self.tables_of_series().any(|name| name == table.name)) {
            self.put_together(&table, &[(None, self.series_part(table.name))])?;
            written.push(self.compacted(table.name));
        }
        Ok(written)
    }

    /// Writes the rows of all parts, one part after the other, with their step in front, and returns what the parts of
    /// checkpoints say of themselves.
    fn put_together(&self, table: &Table, parts: &[(Option<u64>, PathBuf)]) -> Result<Vec<Found>, TableError> {
        let path = self.compacted(table.name);
        let schema = part::schema(&table.columns);
        let mut found = Vec::with_capacity(parts.len());
        self.put_file(&path, |file| {
            let mut writer =
                part::open(file, &path, table.name, Arc::clone(&schema), self.origin()?.pairs(), part::compressed())?;
            for ahead in parts.chunks(AHEAD) {
                let read = ahead.par_iter().map(|(step, part)| part_of(part, *step, &schema)).collect::<Vec<_>>();
                for part in read {
                    let (of_part, batches) = part?;
                    found.extend(of_part);
                    let written = batches.iter().try_for_each(|batch| writer.write(batch));
                    written.map_err(|error| part::failed(&path, error))?;
                }
            }
            let steps = parts.iter().filter_map(|(step, _)| *step);
            let hashes: Vec<_> = steps.zip(&found).map(|(step, found)| json!([step, found.checkpoint])).collect();
            if !hashes.is_empty() {
                writer.append_key_value_metadata(part::pair("infoplane.checkpoints", json!(hashes).to_string()));
            }
            writer.close().map(drop).map_err(|error| part::failed(&path, error))
        })?;
        Ok(found)
    }
}

/// What a part says of itself if it is one of a checkpoint, and its rows, with the step in front.
fn part_of(
    path: &Path,
    step: Option<u64>,
    schema: &SchemaRef,
) -> Result<(Option<Found>, Vec<RecordBatch>), TableError> {
    let read = |source: io::Error| TableError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| read(io::Error::other(error)))?;
    let found = Found::of(&Words::of(reader.metadata()));
    if step.is_some() && found.is_none() {
        return Err(part::encode(path, "found no part of a checkpoint; run again"));
    }
    let mut batches = Vec::new();
    for batch in reader.build().map_err(|error| read(io::Error::other(error)))? {
        let batch = batch.map_err(|error| read(io::Error::other(error)))?;
        let step = step.map(|step| i64::try_from(step).expect("the folder was prepared for steps that fit"));
        let step = step.map(|step| Arc::new(Int64Array::from(vec![step; batch.num_rows()])) as ArrayRef);
        let columns = step.into_iter().chain(batch.columns().iter().cloned()).collect();
        batches.push(RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| part::encode(path, error))?);
    }
    Ok((found, batches))
}
