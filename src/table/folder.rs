//! Where parts lie, and how they come to be whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::part::{self, Provenance, Rows};
use super::{CheckpointRow, MeasurementRow, TableError};

/// The tables of a result folder.
pub const TABLES: [&str; 2] = [<MeasurementRow as Rows>::TABLE, <CheckpointRow as Rows>::TABLE];

/// A result folder.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

/// What `work/plan.json` says.
#[derive(Debug, Deserialize, Serialize)]
struct PlanFile {
    plan: String,
    version: String,
    pipeline: String,
}

impl Folder {
    /// Prepares a folder for the parts of a plan.
    ///
    /// Several shards may do so at the same time.
    ///
    /// # Errors
    ///
    /// [`TableError::OtherPlan`] or [`TableError::UnplannedStep`] when it holds other results,
    /// [`TableError::Write`] when it cannot be made.
    pub fn prepare(root: &Path, plan: &str, pipeline: &str, steps: &[u64]) -> Result<Self, TableError> {
        let folder = Self { root: root.to_owned() };
        for path in TABLES.map(|table| folder.table(table)).into_iter().chain([folder.work()]) {
            fs::create_dir_all(&path).map_err(TableError::write(path))?;
        }
        let path = folder.work().join("plan.json");
        let planned = PlanFile {
            plan: plan.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pipeline: pipeline.to_owned(),
        };
        if let Some(found) = read_plan(&path)? {
            if found.plan != plan {
                let short = |hash: &str| hash.chars().take(8).collect::<String>();
                return Err(TableError::OtherPlan {
                    folder: root.to_owned(),
                    found: short(&found.plan),
                    needed: short(plan),
                });
            }
        } else {
            let text = serde_json::to_string_pretty(&planned).expect("three strings can be written as JSON");
            folder.put(&path, |mut file| file.write_all(text.as_bytes()).map_err(TableError::write(&path)))?;
        }
        folder.check_steps(steps)?;
        Ok(folder)
    }

    /// A folder that has results.
    ///
    /// # Errors
    ///
    /// [`TableError::NoResults`].
    pub fn open(root: &Path) -> Result<Self, TableError> {
        let folder = Self { root: root.to_owned() };
        if TABLES.iter().all(|table| folder.table(table).is_dir()) {
            return Ok(folder);
        }
        Err(TableError::NoResults { folder: root.to_owned() })
    }

    /// The folder of a table: a hive dataset, partitioned by step.
    #[must_use]
    pub fn table(&self, table: &str) -> PathBuf {
        self.root.join("data").join(table)
    }

    /// The failed rows of a step whose parts are all there, made of just what this identity stands for.
    #[must_use]
    pub fn done(&self, step: u64, identity: &str) -> Option<usize> {
        let mut failed = TABLES.iter().map(|table| part::failed_rows(&self.part(table, step), identity));
        failed.try_fold(0, |most, failed| Some(most.max(failed?)))
    }

    /// Writes the parts of a checkpoint, each complete or not at all; existing ones are replaced.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`] or [`TableError::Encode`]; what was there before is still there then.
    pub fn write(
        &self,
        step: u64,
        measurements: &[MeasurementRow],
        checkpoint: &CheckpointRow,
        provenance: &Provenance,
    ) -> Result<(), TableError> {
        self.write_part(step, measurements, provenance)?;
        self.write_part(step, std::slice::from_ref(checkpoint), provenance)
    }

    fn write_part<R: Rows>(&self, step: u64, rows: &[R], provenance: &Provenance) -> Result<(), TableError> {
        let path = self.part(R::TABLE, step);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(TableError::write(folder))?;
        self.put(&path, |file| part::write(file, &path, rows, provenance))
    }

    /// Writes a file under a temporary name beside the data, and renames it when it is on the disk.
    fn put(&self, path: &Path, fill: impl FnOnce(File) -> Result<(), TableError>) -> Result<(), TableError> {
        let write = |source: io::Error| TableError::Write { path: path.to_owned(), source };
        let file = NamedTempFile::with_prefix_in("part-", self.work()).map_err(write)?;
        fill(file.as_file().try_clone().map_err(write)?)?;
        file.as_file().sync_all().map_err(write)?;
        file.persist(path).map_err(|error| write(error.error))?;
        // The new name must survive a power cut too.
        File::open(path.parent().unwrap_or(&self.root)).and_then(|folder| folder.sync_all()).map_err(write)
    }

    fn check_steps(&self, planned: &[u64]) -> Result<(), TableError> {
        let planned: BTreeSet<String> = planned.iter().map(|step| format!("step={step}")).collect();
        for table in TABLES {
            let folder = self.table(table);
            let read = |source: io::Error| TableError::Read { path: folder.clone(), source };
            for entry in fs::read_dir(&folder).map_err(read)? {
                let path = entry.map_err(read)?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if !planned.contains(&name) {
                    let step = name.trim_start_matches("step=").to_owned();
                    return Err(TableError::UnplannedStep { folder: self.root.clone(), step, path });
                }
            }
        }
        Ok(())
    }

    fn part(&self, table: &str, step: u64) -> PathBuf {
        self.table(table).join(format!("step={step}")).join("part.parquet")
    }

    fn work(&self) -> PathBuf {
        self.root.join("work")
    }
}

fn read_plan(path: &Path) -> Result<Option<PlanFile>, TableError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| TableError::Read { path: path.to_owned(), source: io::Error::other(error) }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TableError::Read { path: path.to_owned(), source }),
    }
}
