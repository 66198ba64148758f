//! Where parts lie, and how they come to be whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::Builder;

use super::plan::{PlanFile, check_schema};
use super::row::Rows;
use super::schema::{Parts, Table, tables};
use super::{
    BindingRow, CheckpointRow, FailureRow, LagRow, MeasurementRow, Origin, PhaseRow, PositionRow, Provenance,
    SampleRow, TableError, TypicalityRow, Unit, part,
};

/// A result folder.
#[derive(Clone, Debug)]
pub struct Folder {
    pub(super) root: PathBuf,
    /// The tables with one part a checkpoint that it has, or will have.
    pub(super) tables: Vec<&'static str>,
    /// None if the folder of working files was deleted.
    pub(super) plan: Option<PlanFile>,
}

/// Which tables measures ask for, besides those that are always there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What is known of each held-out sample.
    pub samples: bool,
    /// What is rebuilt at each position of a target.
    pub positions: bool,
}

/// All rows of one checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct RowsOf<'r> {
    /// A row for each measure at each tap.
    pub measurements: &'r [MeasurementRow],
    /// A row for each held-out sample, where a measure keeps them.
    pub samples: &'r [SampleRow],
    /// A row for each position of a target, where a measure keeps them.
    pub positions: &'r [PositionRow],
    /// A row for each thing that could not be had.
    pub failures: &'r [FailureRow],
    /// The row of the checkpoint itself.
    pub checkpoint: &'r CheckpointRow,
}

impl Asked {
    fn tables(self) -> Vec<&'static str> {
        let is_asked = |table: &Table| match table.parts {
            Parts::Checkpoint => true,
            Parts::CheckpointIfAsked => {
                table.name == SampleRow::TABLE && self.samples || table.name == PositionRow::TABLE && self.positions
            }
            Parts::Series => false,
        };
        tables().into_iter().filter(is_asked).map(|table| table.name).collect()
    }
}

impl Folder {
    /// Prepares a folder for the parts of a plan.
    ///
    /// Several shards may do so at the same time.
    ///
    /// # Errors
    ///
    /// [`TableError::OtherPlan`], [`TableError::OtherSchema`] or [`TableError::UnplannedStep`] when it holds other
    /// results, [`TableError::StepTooLarge`], [`TableError::Write`] when it cannot be made.
    pub fn prepare(root: &Path, origin: Origin, units: Vec<Unit>, asked: Asked) -> Result<Self, TableError> {
        if let Some(Unit { step, file }) = units.iter().find(|unit| i64::try_from(unit.step).is_err()) {
            return Err(TableError::StepTooLarge { file: file.clone(), step: *step });
        }
        let planned = PlanFile::new(origin, units);
        let folder = Self { root: root.to_owned(), tables: asked.tables(), plan: Some(planned.clone()) };
        for path in folder.tables.iter().map(|table| folder.table(table)).chain([folder.work()]) {
            fs::create_dir_all(&path).map_err(TableError::write(path))?;
        }
        let path = folder.plan_path();
        let write = |replace| {
            folder.put(&path, replace, |mut file| {
                file.write_all(planned.text().as_bytes()).map_err(TableError::write(&path))
            })
        };
        if !path.exists() {
            write(false)?;
        }
        // Read back even when just written: another run may have been faster.
        let found = PlanFile::read(root, &path)?.ok_or_else(|| TableError::NoPlan { path: path.clone() })?;
        let plan = &planned.origin.plan;
        let other = if found.origin.plan == *plan { folder.other_plan(plan) } else { Some(found.origin.plan.clone()) };
        if let Some(other) = other {
            let short = |hash: &str| hash.chars().take(8).collect::<String>();
            return Err(TableError::OtherPlan { folder: root.to_owned(), found: short(&other), needed: short(plan) });
        }
        folder.check_steps()?;
        // The same plan over an archive that has grown meanwhile.
        if found.units != planned.units {
            write(true)?;
        }
        Ok(folder)
    }

    /// A folder that has results.
    ///
    /// # Errors
    ///
    /// [`TableError::NoResults`], [`TableError::OtherSchema`].
    pub fn open(root: &Path) -> Result<Self, TableError> {
        let there = |table: &&str| root.join("data").join(table).is_dir();
        if ![MeasurementRow::TABLE, CheckpointRow::TABLE].iter().all(there) {
            return Err(TableError::NoResults { folder: root.to_owned() });
        }
        let tables = tables().into_iter().filter(|table| table.parts.are_by_step()).map(|table| table.name);
        let mut folder = Self { root: root.to_owned(), tables: tables.filter(there).collect(), plan: None };
        folder.plan = PlanFile::read(root, &folder.plan_path())?;
        if folder.plan.is_none()
            && let Some(found) = folder
                .steps(CheckpointRow::TABLE)?
                .first()
                .and_then(|step| part::find_schema(&folder.table(CheckpointRow::TABLE).join(step).join("part.parquet")))
        {
            check_schema(root, &found)?;
        }
        Ok(folder)
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The hash of the plan that it belongs to; none if its working files were deleted.
    #[must_use]
    pub fn plan_hash(&self) -> Option<&str> {
        self.plan.as_ref().map(|planned| planned.origin.plan.as_str())
    }

    /// The names of its tables with one part a checkpoint.
    #[must_use]
    pub fn tables(&self) -> &[&'static str] {
        &self.tables
    }

    /// The names of its tables about the whole series.
    pub fn tables_of_series(&self) -> impl Iterator<Item = &'static str> {
        let series = tables().into_iter().filter(|table| table.parts == Parts::Series).map(|table| table.name);
        series.filter(|table| self.series_part(table).is_file())
    }

    /// Writes who feeds whom; what is there of this plan stays as it is.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`], [`TableError::Encode`].
    pub fn write_bindings(&self, bindings: &[BindingRow]) -> Result<(), TableError> {
        self.write_of_plan(bindings)
    }

    /// Writes how typical samples are, where that was asked for; what is there of this plan stays as it is.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`], [`TableError::Encode`].
    pub fn write_typicality(&self, rows: &[TypicalityRow]) -> Result<(), TableError> {
        if rows.is_empty() { Ok(()) } else { self.write_of_plan(rows) }
    }

    fn write_of_plan<R: Rows>(&self, rows: &[R]) -> Result<(), TableError> {
        let found = part::find_plan(&self.series_part(R::TABLE));
        // Of another machine the last bits of a difference may differ: that is no reason to write it again and again.
        if found.as_deref() == Some(self.origin()?.plan.as_str()) {
            return Ok(());
        }
        self.write_series(rows)
    }

    /// Writes the tables about curves; what is there already and the same stays as it is.
    ///
    /// # Errors
    ///
    /// [`TableError::NoPlan`] for a folder that does not say which plan it belongs to, [`TableError::Write`],
    /// [`TableError::Encode`].
    pub fn write_phases(&self, phases: &[PhaseRow], lags: &[LagRow]) -> Result<(), TableError> {
        self.write_series(phases)?;
        self.write_series(lags)
    }

    fn write_series<R: Rows>(&self, rows: &[R]) -> Result<(), TableError> {
        let path = self.series_part(R::TABLE);
        let mut bytes = Vec::new();
        part::write(&mut bytes, &path, rows, self.origin()?, None)?;
        if fs::read(&path).is_ok_and(|found| found == bytes) {
            return Ok(());
        }
        let folder = self.table(R::TABLE);
        fs::create_dir_all(&folder).map_err(TableError::write(folder))?;
        self.forget_compacted(R::TABLE)?;
        self.put(&path, true, |mut file| file.write_all(&bytes).map_err(TableError::write(&path)))
    }

    pub(super) fn series_part(&self, table: &str) -> PathBuf {
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

    /// Whether every planned checkpoint has its parts.
    ///
    /// # Errors
    ///
    /// [`TableError::NoPlan`].
    pub fn is_whole(&self) -> Result<bool, TableError> {
        Ok(self.units()?.iter().all(|unit| self.parts(unit.step).is_some()))
    }

    /// What the parts of a step say of themselves, in the order of the tables; none if one is not there or not whole.
    pub(super) fn parts(&self, step: u64) -> Option<Vec<part::Found>> {
        self.tables.iter().map(|table| part::find(&self.part(table, step))).collect()
    }

    /// Writes the parts of a checkpoint, each complete or not at all; existing ones are replaced.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`] or [`TableError::Encode`]; what was there before is still there then.
    pub fn write(&self, step: u64, rows: RowsOf<'_>, provenance: &Provenance) -> Result<(), TableError> {
        self.write_part(step, rows.measurements, provenance)?;
        self.write_part(step, rows.failures, provenance)?;
        if self.tables.contains(&SampleRow::TABLE) {
            self.write_part(step, rows.samples, provenance)?;
        }
        if self.tables.contains(&PositionRow::TABLE) {
            self.write_part(step, rows.positions, provenance)?;
        }
        self.write_part(step, std::slice::from_ref(rows.checkpoint), provenance)
    }

    fn write_part<R: Rows>(&self, step: u64, rows: &[R], provenance: &Provenance) -> Result<(), TableError> {
        let path = self.part(R::TABLE, step);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(TableError::write(folder))?;
        self.forget_compacted(R::TABLE)?;
        self.put(&path, true, |file| part::write(file, &path, rows, self.origin()?, Some(provenance)))
    }

    /// Deletes the one file of a table that is about to change: one that tells old values would be believed.
    pub(super) fn forget_compacted(&self, table: &str) -> Result<(), TableError> {
        let path = self.compacted(table);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TableError::write(path)(error)),
            _ => Ok(()),
        }
    }

    /// The one file of a table, once it was compacted.
    #[must_use]
    pub fn compacted(&self, table: &str) -> PathBuf {
        self.root.join("tables").join(format!("{table}.parquet"))
    }

    fn planned(&self) -> Result<&PlanFile, TableError> {
        self.plan.as_ref().ok_or_else(|| TableError::NoPlan { path: self.plan_path() })
    }

    pub(super) fn origin(&self) -> Result<&Origin, TableError> {
        Ok(&self.planned()?.origin)
    }

    pub(super) fn units(&self) -> Result<&[Unit], TableError> {
        Ok(&self.planned()?.units)
    }

    /// Writes a file under a temporary name beside the data, and renames it when it is on the disk.
    ///
    /// Without `replace`, a file that is there already stays, and that is no error.
    pub(super) fn put(
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
    fn other_plan(&self, plan: &str) -> Option<String> {
        let steps = self.plan.iter().flat_map(|planned| &planned.units).map(|unit| unit.step);
        let parts = steps.flat_map(|step| self.tables.iter().map(move |table| self.part(table, step)));
        parts.filter_map(|path| part::find(&path)).map(|found| found.plan).find(|found| found != plan)
    }

    /// Refuses parts of steps that are not planned.
    pub(super) fn check_steps(&self) -> Result<(), TableError> {
        let planned: BTreeSet<String> = self.units()?.iter().map(|unit| format!("step={}", unit.step)).collect();
        for table in &self.tables {
            if let Some(name) = self.steps(table)?.into_iter().find(|name| !planned.contains(name)) {
                let path = self.table(table).join(&name);
                let step = name.trim_start_matches("step=").to_owned();
                return Err(TableError::UnplannedStep { folder: self.root.clone(), step, path });
            }
        }
        Ok(())
    }

    /// The folders of the steps of a table, by name.
    fn steps(&self, table: &str) -> Result<Vec<String>, TableError> {
        let folder = self.table(table);
        let read = |source: io::Error| TableError::Read { path: folder.clone(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(read)? {
            let name = entry.map_err(read)?.file_name().to_string_lossy().into_owned();
            names.extend(name.starts_with("step=").then_some(name));
        }
        names.sort();
        Ok(names)
    }

    pub(super) fn part(&self, table: &str, step: u64) -> PathBuf {
        self.table(table).join(format!("step={step}")).join("part.parquet")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    fn plan_path(&self) -> PathBuf {
        self.work().join("plan.json")
    }
}
