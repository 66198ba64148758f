//! What a result folder is to have, what it has, and where each file of it lies.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::copy::Copy;
use super::part::Found;
use super::place::Remote;
use super::plan::{PlanFile, check_schema};
use super::put::When;
use super::row::Rows;
use super::schema::{Parts, Table, tables};
use super::{
    AgreementRow, BindingRow, CheckpointRow, FailureRow, LagRow, MeasurementRow, Origin, PhaseRow, PositionRow,
    Provenance, SampleRow, TableError, TypicalityRow, Unit, UnitRow, part,
};

/// A result folder, on this machine or in an object store.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The path or URL.
    pub(super) root: PathBuf,
    /// What the path of each file starts with: the root, or the copy of a folder in a store.
    pub(super) files: PathBuf,
    /// The place in a store; none for a folder on this machine.
    pub(super) remote: Option<Remote>,
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
            Parts::Series | Parts::SeriesIfAsked | Parts::Process => false,
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
        let planned = PlanFile::new(origin, &asked.tables(), units);
        let mut remote = Remote::of(root)?;
        if let Some(remote) = &mut remote {
            remote.may_have_tables = !remote.store.names(&remote.key("tables"), |_| true)?.is_empty();
        }
        let folder = Self {
            root: root.to_owned(),
            files: root.to_owned(),
            remote,
            tables: asked.tables(),
            plan: Some(planned.clone()),
        };
        for path in folder.tables.iter().map(|table| folder.table(table)).chain([folder.work()]) {
            folder.make(&path)?;
        }
        let (path, text) = (folder.plan_path(), planned.text().into());
        let short = |hash: &str| hash.chars().take(8).collect::<String>();
        let of_another = |other: &str| TableError::OtherPlan {
            folder: root.to_owned(),
            found: short(other),
            needed: short(&planned.origin.plan),
        };
        let mut found = folder.read(&path)?;
        let is_new = found.is_none();
        if is_new {
            // The working files may have been deleted, and the parts be those of another run.
            if let Some(other) = folder.other_plan(&planned.origin.plan)? {
                return Err(of_another(&other));
            }
            folder.put(&path, &text, &When::Absent)?;
            // Read back even when just written: another run may have been faster.
            found = folder.read(&path)?;
        }
        let (found, there) = found.ok_or_else(|| TableError::NoPlan { path: path.clone() })?;
        let found = PlanFile::parse(root, &path, &found)?;
        if found.origin.plan != planned.origin.plan {
            return Err(of_another(&found.origin.plan));
        }
        // Of hundreds of shards only the first one looks through the folder: that takes long in a large one.
        let has_grown = found.units != planned.units;
        if is_new || has_grown {
            folder.check_steps()?;
        }
        // The same plan over an archive that has grown meanwhile; whoever was faster has seen it grow, too.
        if has_grown {
            for table in &folder.tables {
                folder.forget_compacted(table)?;
            }
            folder.put(&path, &text, &When::Unchanged(there))?;
        }
        Ok(folder)
    }

    /// A folder that has results. Of one in an object store, the tables are copied to this machine.
    ///
    /// # Errors
    ///
    /// [`TableError::NoResults`], [`TableError::OtherSchema`], [`TableError::Store`].
    pub fn open(root: &Path) -> Result<Self, TableError> {
        Self::copied(root, false)
    }

    /// The same, with every part at hand, for [`Folder::standing`] and [`Folder::compact_checkpoints`].
    ///
    /// # Errors
    ///
    /// As [`Folder::open`].
    pub fn open_parts(root: &Path) -> Result<Self, TableError> {
        Self::copied(root, true)
    }

    /// A folder that processes may be working on: what is read and written is what is there now, in a store as well.
    ///
    /// # Errors
    ///
    /// [`TableError::NoResults`], [`TableError::OtherSchema`], [`TableError::Store`].
    pub fn at_work(root: &Path) -> Result<Self, TableError> {
        let mut folder = Self {
            root: root.to_owned(),
            files: root.to_owned(),
            remote: Remote::of(root)?,
            tables: Vec::new(),
            plan: None,
        };
        let path = folder.plan_path();
        let Some((bytes, _)) = folder.read(&path)? else {
            let has_parts = folder.table(MeasurementRow::TABLE).is_dir();
            return Err(if has_parts {
                TableError::NoPlan { path }
            } else {
                TableError::NoResults { folder: root.to_owned() }
            });
        };
        let plan = PlanFile::parse(root, &path, &bytes)?;
        let is_planned = |table: &Table| table.parts.are_by_step() && plan.tables.iter().any(|name| name == table.name);
        folder.tables = tables().into_iter().filter(is_planned).map(|table| table.name).collect();
        folder.plan = Some(plan);
        Ok(folder)
    }

    /// Takes the list of a plan in place of the folder's own, which may be of an archive that has grown since.
    ///
    /// # Errors
    ///
    /// [`TableError::OtherPlan`] for a folder of another plan, [`TableError::NoPlan`].
    pub fn expect(&mut self, plan: &str, units: Vec<Unit>) -> Result<(), TableError> {
        let short = |hash: &str| hash.chars().take(8).collect::<String>();
        let found = &self.origin()?.plan;
        if found != plan {
            return Err(TableError::OtherPlan { folder: self.root.clone(), found: short(found), needed: short(plan) });
        }
        if let Some(own) = &mut self.plan {
            own.units = units;
        }
        Ok(())
    }

    /// A folder, or a copy of one.
    fn copied(root: &Path, parts: bool) -> Result<Self, TableError> {
        let mut remote = Remote::of(root)?;
        let mut files = root.to_owned();
        if let Some(remote) = &mut remote {
            let copy = Arc::new(Copy::of(root, remote, parts)?);
            copy.path().clone_into(&mut files);
            remote.copy = Some(copy);
        }
        Self { root: root.to_owned(), files, remote, tables: Vec::new(), plan: None }.opened()
    }

    fn opened(self) -> Result<Self, TableError> {
        let mut folder = self;
        let root = folder.root.clone();
        let found = folder.folders(&folder.files.join("data"))?;
        let there = |table: &&str| found.iter().any(|name| name == table);
        let path = folder.plan_path();
        let plan = folder.read(&path)?.map(|(bytes, _)| PlanFile::parse(&root, &path, &bytes)).transpose()?;
        // In a store there is no folder before the first part.
        let is_begun = folder.remote.is_some() && plan.is_some();
        if !is_begun && ![MeasurementRow::TABLE, CheckpointRow::TABLE].iter().all(there) {
            return Err(TableError::NoResults { folder: root });
        }
        let by_step = tables().into_iter().filter(|table| table.parts.are_by_step());
        let has = |table: &Table| there(&table.name) || is_begun && table.parts == Parts::Checkpoint;
        folder.tables = by_step.filter(has).map(|table| table.name).collect();
        folder.plan = plan;
        if folder.plan.is_none() {
            let steps = folder.steps(CheckpointRow::TABLE)?;
            let part = |step: &String| folder.table(CheckpointRow::TABLE).join(step).join("part.parquet");
            let first = folder.whole(CheckpointRow::TABLE).or_else(|| steps.first().map(part));
            let words = first.map(|path| folder.there(&path)).transpose()?.flatten().and_then(|there| there.words);
            if let Some(found) = words.and_then(|words| words.schema()) {
                check_schema(&root, &found)?;
            }
        }
        Ok(folder)
    }

    /// Its path or URL.
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
        let series = tables().into_iter().filter(|table| table.parts.are_of_series()).map(|table| table.name);
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

    /// Writes how typical samples are and how far densities agree, where that was asked for; what is there of this plan stays as it is.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`], [`TableError::Encode`].
    pub fn write_typicality(&self, rows: &[TypicalityRow], agreement: &[AgreementRow]) -> Result<(), TableError> {
        if !agreement.is_empty() {
            self.write_of_plan(agreement)?;
        }
        if rows.is_empty() { Ok(()) } else { self.write_of_plan(rows) }
    }

    fn write_of_plan<R: Rows>(&self, rows: &[R]) -> Result<(), TableError> {
        let found = self.there(&self.series_part(R::TABLE))?.and_then(|there| there.words);
        // Of another machine the last bits of a difference may differ: that is no reason to write it again and again.
        if found.and_then(|words| words.plan()).as_deref() == Some(self.origin()?.plan.as_str()) {
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
        if self.read(&path)?.is_some_and(|(found, _)| found == bytes) {
            return Ok(());
        }
        self.forget_compacted(R::TABLE)?;
        self.put(&path, &bytes.into(), &When::Always).map(drop)
    }

    pub(super) fn series_part(&self, table: &str) -> PathBuf {
        self.table(table).join("part.parquet")
    }

    /// The folder of a table: a hive dataset, partitioned by step, or a file a process.
    #[must_use]
    pub fn table(&self, table: &str) -> PathBuf {
        let place = if table == UnitRow::TABLE { "metrics" } else { "data" };
        self.files.join(place).join(table)
    }

    /// The failed rows of a step whose parts are all there and made of just what this identity stands for.
    ///
    /// None where there is something to do, a checkpoint that failed as a whole among it.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`] or [`TableError::Store`] when it cannot be told.
    pub fn done(&self, step: u64, identity: &str) -> Result<Option<usize>, TableError> {
        let parts = self.parts(step)?;
        let done = parts.filter(|parts| parts.iter().all(|part| part.identity == identity && !part.retry));
        Ok(done.map(|parts| parts.iter().map(|part| part.failed_rows).max().unwrap_or(0)))
    }

    /// Whether a step has good parts of this plan, whatever its checkpoint was then.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`] or [`TableError::Store`] when it cannot be told.
    pub fn has(&self, step: u64, plan: &str) -> Result<bool, TableError> {
        let parts = self.parts(step)?;
        Ok(parts.is_some_and(|parts| parts.iter().all(|part| part.plan == plan && !part.retry)))
    }

    /// Whether a step has good parts of the plan of this folder.
    ///
    /// # Errors
    ///
    /// As [`Folder::has`].
    pub fn is_measured(&self, step: u64) -> Result<bool, TableError> {
        self.plan_hash().map_or(Ok(false), |plan| self.has(step, plan))
    }

    /// Whether every planned checkpoint has its parts.
    ///
    /// # Errors
    ///
    /// [`TableError::NoPlan`], [`TableError::Read`], [`TableError::Store`].
    pub fn is_whole(&self) -> Result<bool, TableError> {
        let units = self.units()?;
        // Names are told at once; looking into all parts takes long, and is only worth it at the end.
        if self.steps(CheckpointRow::TABLE)?.len() < units.len() {
            return Ok(false);
        }
        if let Some((remote, data)) = self.only_in_store(&self.files.join("data")) {
            // A listing tells what thousands of requests would: in a store a part is whole if it is there.
            let names: BTreeSet<String> =
                remote.store.names(&data, |name| name.contains("/step="))?.into_iter().map(|(name, _)| name).collect();
            let is_there = |table: &str, step: u64| names.contains(&format!("{table}/step={step}/part.parquet"));
            return Ok(units.iter().all(|unit| self.tables.iter().all(|table| is_there(table, unit.step))));
        }
        for unit in units {
            if self.parts(unit.step)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the parts of a step say of themselves, in the order of the tables.
    ///
    /// None if one is not there or not whole, or if two writers had different checkpoints before them.
    pub(super) fn parts(&self, step: u64) -> Result<Option<Vec<Found>>, TableError> {
        let paths: Vec<PathBuf> = self.tables.iter().map(|table| self.part(table, step)).collect();
        let there = self.all_there(&paths)?;
        let found: Option<Vec<Found>> = there.into_iter().map(|there| Found::of(&there?.words?)).collect();
        Ok(found.filter(|parts| parts.windows(2).all(|pair| pair[0].identity == pair[1].identity)))
    }

    /// Writes the parts of a checkpoint, each complete or not at all.
    ///
    /// A part that is there and made of the same stays: of two processes with one unit the second changes nothing. One
    /// made of something else is replaced, but never what was measured by the news that nothing can be read any more.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`], [`TableError::Store`] or [`TableError::Encode`]; what was there before is still there then.
    pub fn write(&self, step: u64, rows: RowsOf<'_>, provenance: &Provenance) -> Result<(), TableError> {
        if provenance.checkpoint.is_none() && self.has(step, &self.origin()?.plan)? {
            return Ok(());
        }
        if provenance.retry {
            self.mark_failed(step, rows.checkpoint)?;
        }
        self.write_part(step, rows.measurements, provenance)?;
        self.write_part(step, rows.failures, provenance)?;
        if self.tables.contains(&SampleRow::TABLE) {
            self.write_part(step, rows.samples, provenance)?;
        }
        if self.tables.contains(&PositionRow::TABLE) {
            self.write_part(step, rows.positions, provenance)?;
        }
        self.write_part(step, std::slice::from_ref(rows.checkpoint), provenance)?;
        if provenance.retry { Ok(()) } else { self.unmark_failed(step) }
    }

    fn write_part<R: Rows>(&self, step: u64, rows: &[R], provenance: &Provenance) -> Result<(), TableError> {
        let path = self.part(R::TABLE, step);
        let origin = self.origin()?;
        let mut bytes = Vec::new();
        part::write(&mut bytes, &path, rows, origin, Some(provenance))?;
        self.settle(R::TABLE, &path, &bytes.into(), |words| {
            Found::of(words).is_some_and(|found| {
                let is_unreadable_now = provenance.checkpoint.is_none() && found.plan == origin.plan;
                !found.retry && (found.identity == provenance.identity || is_unreadable_now)
            })
        })
    }

    /// Deletes the one file of a table that is about to change: one that tells old values would be believed.
    pub(super) fn forget_compacted(&self, table: &str) -> Result<(), TableError> {
        self.remove(&self.compacted(table))
    }

    /// The one file of a table, once it was compacted.
    #[must_use]
    pub fn compacted(&self, table: &str) -> PathBuf {
        self.files.join("tables").join(format!("{table}.parquet"))
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

    /// The plan of a part that is not of this one, as when `work` was deleted.
    fn other_plan(&self, plan: &str) -> Result<Option<String>, TableError> {
        let parts: Vec<PathBuf> = if self.remote.is_some() {
            // One is enough to say whose folder it is: each is a request, and no part of another plan is taken as done.
            let first = self.steps(CheckpointRow::TABLE)?.into_iter().next();
            first.map(|step| self.table(CheckpointRow::TABLE).join(step).join("part.parquet")).into_iter().collect()
        } else {
            let steps = self.plan.iter().flat_map(|planned| &planned.units).map(|unit| unit.step);
            steps.flat_map(|step| self.tables.iter().map(move |table| self.part(table, step))).collect()
        };
        for path in parts {
            let words = self.there(&path)?.and_then(|there| there.words);
            if let Some(found) = words.and_then(|words| words.plan()).filter(|found| found != plan) {
                return Ok(Some(found));
            }
        }
        Ok(None)
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
        let mut names = self.folders(&self.table(table))?;
        names.retain(|name| name.starts_with("step="));
        names.sort();
        Ok(names)
    }

    /// The parts of a table that are there, in the order of their steps.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`], [`TableError::Store`].
    pub fn parts_in_order(&self, table: &str) -> Result<Vec<PathBuf>, TableError> {
        let names = self.steps(table)?;
        let mut steps: Vec<u64> = names.iter().filter_map(|name| name["step=".len()..].parse().ok()).collect();
        steps.sort_unstable();
        Ok(steps.into_iter().map(|step| self.part(table, step)).filter(|part| part.is_file()).collect())
    }

    pub(super) fn part(&self, table: &str, step: u64) -> PathBuf {
        self.table(table).join(format!("step={step}")).join("part.parquet")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.files.join("work")
    }

    fn plan_path(&self) -> PathBuf {
        self.work().join("plan.json")
    }
}
