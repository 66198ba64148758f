//! Where parts lie, and how they come to be whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::Builder;

use super::part::{self, Provenance, Rows};
use super::{CheckpointRow, LagRow, MeasurementRow, PhaseRow, PositionRow, SampleRow, TableError};

/// The tables about the whole series, which are made when all its checkpoints are there.
const OF_SERIES: [&str; 2] = [<PhaseRow as Rows>::TABLE, <LagRow as Rows>::TABLE];

/// The tables that every result folder has.
const TABLES: [&str; 2] = [<MeasurementRow as Rows>::TABLE, <CheckpointRow as Rows>::TABLE];

/// The tables that measures may ask for.
const ASKED: [&str; 2] = [<SampleRow as Rows>::TABLE, <PositionRow as Rows>::TABLE];

/// A result folder.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    tables: Vec<&'static str>,
}

/// Which tables measures ask for, besides those that are always there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What is known of each held-out sample.
    pub samples: bool,
    /// What is rebuilt at each position of a target.
    pub positions: bool,
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
    pub fn prepare(root: &Path, plan: &str, pipeline: &str, steps: &[u64], asked: Asked) -> Result<Self, TableError> {
        let asked = ASKED.into_iter().zip([asked.samples, asked.positions]).filter(|(_, asked)| *asked);
        let tables = TABLES.into_iter().chain(asked.map(|(table, _)| table)).collect();
        let folder = Self { root: root.to_owned(), tables };
        for path in folder.tables.iter().map(|table| folder.table(table)).chain([folder.work()]) {
            fs::create_dir_all(&path).map_err(TableError::write(path))?;
        }
        let path = folder.work().join("plan.json");
        let planned = PlanFile {
            plan: plan.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pipeline: pipeline.to_owned(),
        };
        if !path.exists() {
            let text = serde_json::to_string_pretty(&planned).expect("three strings can be written as JSON");
            folder.put(&path, false, |mut file| file.write_all(text.as_bytes()).map_err(TableError::write(&path)))?;
        }
        // Read back even when just written: another run may have been faster.
        let found = read_plan(&path)?.plan;
        let other = if found == plan { folder.other_plan(steps, plan) } else { Some(found) };
        if let Some(other) = other {
            let short = |hash: &str| hash.chars().take(8).collect::<String>();
            return Err(TableError::OtherPlan { folder: root.to_owned(), found: short(&other), needed: short(plan) });
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
        let there = |table: &&str| root.join("data").join(table).is_dir();
        if !TABLES.iter().all(there) {
            return Err(TableError::NoResults { folder: root.to_owned() });
        }
        Ok(Self { root: root.to_owned(), tables: TABLES.into_iter().chain(ASKED).filter(there).collect() })
    }

    /// The names of its tables with one part a checkpoint.
    #[must_use]
    pub fn tables(&self) -> &[&'static str] {
        &self.tables
    }

    /// The names of its tables about the whole series.
    pub fn tables_of_series(&self) -> impl Iterator<Item = &'static str> {
        OF_SERIES.into_iter().filter(|table| self.series_part(table).is_file())
    }

    /// Writes the tables about the whole series; what is there already and the same stays as it is.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`] for a folder that does not say which plan it belongs to, [`TableError::Write`],
    /// [`TableError::Encode`].
    pub fn write_phases(&self, phases: &[PhaseRow], lags: &[LagRow]) -> Result<(), TableError> {
        let plan = read_plan(&self.work().join("plan.json"))?;
        self.write_series(phases, &plan)?;
        self.write_series(lags, &plan)
    }

    fn write_series<R: Rows>(&self, rows: &[R], plan: &PlanFile) -> Result<(), TableError> {
        let path = self.series_part(R::TABLE);
        let mut bytes = Vec::new();
        part::write_with(&mut bytes, &path, rows, &[(part::PLAN, &plan.plan), (part::PIPELINE, &plan.pipeline)])?;
        if fs::read(&path).is_ok_and(|found| found == bytes) {
            return Ok(());
        }
        let folder = self.table(R::TABLE);
        fs::create_dir_all(&folder).map_err(TableError::write(folder))?;
        self.put(&path, true, |mut file| file.write_all(&bytes).map_err(TableError::write(&path)))
    }

    fn series_part(&self, table: &str) -> PathBuf {
        self.table(table).join("part.parquet")
    }

    /// The folder of a table: a hive dataset, partitioned by step.
    #[must_use]
    pub fn table(&self, table: &str) -> PathBuf {
        self.root.join("data").join(table)
    }

    /// The failed rows of a step whose parts are all there and made of just what this identity stands for.
    ///
    /// None where there is something to do, a checkpoint that failed as a whole among it.
    #[must_use]
    pub fn done(&self, step: u64, identity: &str) -> Option<usize> {
        let parts = self.parts(step)?;
        let done = parts.iter().all(|part| part.identity == identity && !part.retry);
        done.then(|| parts.iter().map(|part| part.failed_rows).max().unwrap_or(0))
    }

    /// Whether a step has good parts of this plan, whatever its checkpoint was then.
    #[must_use]
    pub fn has(&self, step: u64, plan: &str) -> bool {
        self.parts(step).is_some_and(|parts| parts.iter().all(|part| part.plan == plan && !part.retry))
    }

    /// Whether every one of these steps has its parts.
    #[must_use]
    pub fn is_whole(&self, steps: &[u64]) -> bool {
        steps.iter().all(|&step| self.parts(step).is_some())
    }

    fn parts(&self, step: u64) -> Option<Vec<part::Found>> {
        self.tables.iter().map(|table| part::find(&self.part(table, step))).collect()
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
        samples: &[SampleRow],
        positions: &[PositionRow],
        checkpoint: &CheckpointRow,
        provenance: &Provenance,
    ) -> Result<(), TableError> {
        self.write_part(step, measurements, provenance)?;
        if self.tables.contains(&SampleRow::TABLE) {
            self.write_part(step, samples, provenance)?;
        }
        if self.tables.contains(&PositionRow::TABLE) {
            self.write_part(step, positions, provenance)?;
        }
        self.write_part(step, std::slice::from_ref(checkpoint), provenance)
    }

    fn write_part<R: Rows>(&self, step: u64, rows: &[R], provenance: &Provenance) -> Result<(), TableError> {
        let path = self.part(R::TABLE, step);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(TableError::write(folder))?;
        self.put(&path, true, |file| part::write(file, &path, rows, provenance))
    }

    /// Writes a file under a temporary name beside the data, and renames it when it is on the disk.
    ///
    /// Without `replace`, a file that is there already stays, and that is no error.
    fn put(
        &self,
        path: &Path,
        replace: bool,
        fill: impl FnOnce(File) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        let write = |source: io::Error| TableError::Write { path: path.to_owned(), source };
        // Results are for others to read, as far as the user's mask allows: temporary files are not by default.
        let file = Builder::new().prefix("part-").permissions(Permissions::from_mode(0o666)).tempfile_in(self.work());
        let file = file.map_err(write)?;
        fill(file.as_file().try_clone().map_err(write)?)?;
        file.as_file().sync_all().map_err(write)?;
        let persisted = if replace { file.persist(path) } else { file.persist_noclobber(path) };
        match persisted {
            Err(error) if !replace && error.error.kind() == io::ErrorKind::AlreadyExists => {}
            persisted => persisted.map(drop).map_err(|error| write(error.error))?,
        }
        // The new name must survive a power cut too.
        File::open(path.parent().unwrap_or(&self.root)).and_then(|folder| folder.sync_all()).map_err(write)
    }

    /// The plan of a part that is not of this one, as when `work` was deleted.
    fn other_plan(&self, steps: &[u64], plan: &str) -> Option<String> {
        let parts = steps.iter().flat_map(|&step| self.tables.iter().map(move |table| self.part(table, step)));
        parts.filter_map(|path| part::find(&path)).map(|found| found.plan).find(|found| found != plan)
    }

    fn check_steps(&self, planned: &[u64]) -> Result<(), TableError> {
        let planned: BTreeSet<String> = planned.iter().map(|step| format!("step={step}")).collect();
        for table in &self.tables {
            let folder = self.table(table);
            let read = |source: io::Error| TableError::Read { path: folder.clone(), source };
            for entry in fs::read_dir(&folder).map_err(read)? {
                let path = entry.map_err(read)?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if let Some(step) = name.strip_prefix("step=")
                    && !planned.contains(&name)
                {
                    let step = step.to_owned();
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

fn read_plan(path: &Path) -> Result<PlanFile, TableError> {
    let read = |source: io::Error| TableError::Read { path: path.to_owned(), source };
    serde_json::from_slice(&fs::read(path).map_err(read)?).map_err(|error| read(io::Error::other(error)))
}
