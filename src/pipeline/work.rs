//! One unit from the checkpoint that was read to the rows that are written.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Instant;

use rayon::ThreadPool;

use super::ahead::{Kept, Next, Read};
use super::meter::{Meter, since_1970};
use super::run::{Event, Finished};
use super::shared::Shared;
use super::unit::{self, Rows};
use super::{PipelineError, Plan, pieces};
use crate::archive::{Checkpoint, Fault};
use crate::replay::ReplayError;
use crate::table::{Folder, UnitRow};

/// What the workers share.
pub(super) struct Work<'a> {
    pub plan: &'a Plan,
    pub folder: Folder,
    pub shared: Shared<'a>,
    pub pool: &'a ThreadPool,
    pub stopping: &'a (dyn Fn() -> Option<i32> + Sync),
    pub tell: &'a (dyn Fn(Event) + Sync),
    pub failure: Mutex<Option<PipelineError>>,
    pub meter: Meter,
    pub workers: usize,
}

/// What became of one unit.
pub(super) enum Outcome {
    Kept { failed_rows: usize, fault: Option<Fault> },
    Done { failed_rows: usize, fault: Option<Fault> },
    Dropped,
}

impl Work<'_> {
    /// Whether nobody asked to stop and nothing failed for good.
    pub(super) fn goes_on(&self) -> ControlFlow<()> {
        let failed = self.failure.lock().is_ok_and(|failure| failure.is_some());
        if failed || (self.stopping)().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    pub(super) fn fail(&self, error: PipelineError) {
        if let Ok(mut failure) = self.failure.lock() {
            failure.get_or_insert(error);
        }
    }

    /// What is there of a unit already: the parts of its checkpoint, or its own piece of them.
    pub(super) fn kept(&self, place: usize, group: usize, identity: &str) -> Result<Option<Kept>, PipelineError> {
        let step = self.plan.checkpoints[place].step();
        if let Some(failed_rows) = self.folder.done(step, identity)? {
            return Ok(Some(Kept { failed_rows, is_whole: true }));
        }
        let taps = self.plan.groups[group].taps.clone();
        if self.is_whole_checkpoint(group) {
            return Ok(None);
        }
        let failed_rows = match pieces::kept(&self.folder, step, (identity, taps, self.plan.taps.len())) {
            // One that is no piece is told when it is to be put together with the others.
            Err(PipelineError::Piece { .. }) => None,
            kept => kept?,
        };
        Ok(failed_rows.map(|failed_rows| Kept { failed_rows, is_whole: false }))
    }

    pub(super) fn one(&self, group: usize, read: Read<'_>) -> Result<Outcome, PipelineError> {
        let (checkpoint, identity, rows) = match read {
            Read::Done { checkpoint, kept: Kept { failed_rows, is_whole } } => {
                // The process that kept it may have been killed before it could put the pieces together.
                if !is_whole {
                    pieces::join(&self.folder, checkpoint.step())?;
                }
                (self.tell)(Event::Kept { file: checkpoint.name().to_owned() });
                return Ok(Outcome::Kept { failed_rows, fault: None });
            }
            Read::Weights(next) => {
                let started = since_1970();
                let Some(rows) = self.measured(group, &next)? else { return Ok(Outcome::Dropped) };
                let mut row = self.metrics(group, &next, &rows);
                row.started = started.as_secs_f64();
                let begun = Instant::now();
                let outcome = self.write(group, next.checkpoint, &next.identity, rows)?;
                row.write_time = begun.elapsed().as_secs_f64();
                self.meter.add(&self.folder, row)?;
                return Ok(outcome);
            }
            Read::Failed { checkpoint, error, .. } if self.folder.has(checkpoint.step(), &self.plan.hash)? => {
                // What was measured while the file could be read is better than what is known of it now.
                (self.tell)(Event::Failed { file: checkpoint.name().to_owned(), reason: error.0 });
                return Ok(Outcome::Kept { failed_rows: 1, fault: Some(error.1) });
            }
            Read::Failed { checkpoint, error: (reason, fault), identity } => {
                (checkpoint, identity, unit::failed(self.plan, checkpoint, None, (&reason, fault)))
            }
        };
        self.write(group, checkpoint, &identity, rows)
    }

    /// Writes the rows of a unit: as the parts of its checkpoint if they are all of it, else as a piece.
    fn write(
        &self,
        group: usize,
        checkpoint: &Checkpoint,
        identity: &str,
        mut rows: Rows,
    ) -> Result<Outcome, PipelineError> {
        let step = checkpoint.step();
        let taps = self.plan.groups[group].taps.clone();
        let outcome = Outcome::Done { failed_rows: rows.failed_in(&taps, self.plan.taps.len()), fault: rows.fault };
        let file = checkpoint.name().to_owned();
        let is_whole = rows.has_nothing() || self.is_whole_checkpoint(group);
        if is_whole && !rows.has_nothing() {
            unit::judge(&mut rows, unit::is_chain(self.plan));
        }
        let event = match (&rows.checkpoint.error, unit::doubt(&rows.checkpoint)) {
            (Some(reason), _) => Event::Failed { file, reason: reason.clone() },
            (None, Some(reason)) => Event::Doubted { file, reason },
            (None, None) => Event::Done { file },
        };
        if is_whole {
            pieces::write(&self.folder, step, identity, &rows)?;
        } else {
            pieces::keep(self.plan, &self.folder, step, (identity, taps), rows)?;
            pieces::join(&self.folder, step)?;
        }
        (self.tell)(event);
        Ok(outcome)
    }

    /// What a unit took, but for the machine and the time of writing.
    fn metrics(&self, group: usize, next: &Next<'_>, rows: &Rows) -> UnitRow {
        let taps = &self.plan.groups[group].taps;
        let (read_time, read_bytes) = next.took;
        UnitRow {
            run: self.plan.name.clone(),
            step: next.checkpoint.step(),
            file: next.checkpoint.name().to_owned(),
            first_tap: taps.start as u64,
            n_taps: taps.len() as u64,
            failed: rows.has_nothing(),
            started: 0.0,
            read_time,
            replay_time: rows.seconds.replay,
            measure_time: rows.seconds.measure,
            write_time: 0.0,
            read_bytes,
            peak_bytes: None,
            workers: self.workers as u64,
            threads: self.pool.current_num_threads() as u64,
            host: None,
            process: String::new(),
        }
    }

    fn is_whole_checkpoint(&self, group: usize) -> bool {
        self.plan.groups[group].taps.len() == self.plan.taps.len()
    }

    /// The rows of a unit, or none if somebody asked to stop.
    fn measured(&self, group: usize, next: &Next<'_>) -> Result<Option<Rows>, PipelineError> {
        let Next { checkpoint, weights, hash, unchanged, .. } = next;
        let taps = self.plan.groups[group].taps.clone();
        let go_on = || self.goes_on();
        let measure =
            || unit::rows(self.plan, taps, (checkpoint, weights, hash), unchanged.clone(), &self.shared, &go_on);
        match catch_unwind(AssertUnwindSafe(|| self.pool.install(measure))) {
            Ok(Ok(rows)) => Ok(Some(rows)),
            Ok(Err(ReplayError::Stopped)) => Ok(None),
            Ok(Err(error)) => Err(error.into()),
            // A defect of ours must not lose the other checkpoints.
            Err(_) => {
                let reason = "infoplane has a defect here (its message is above); please report it";
                Ok(Some(unit::failed(self.plan, checkpoint, Some(hash), (reason, Fault::Other))))
            }
        }
    }
}

impl Outcome {
    pub(super) fn add_to(self, tally: &mut Finished) {
        let (rows, fault) = match self {
            Self::Kept { failed_rows, fault } => {
                tally.kept += 1;
                (failed_rows, fault)
            }
            Self::Done { failed_rows, fault } => {
                tally.done += 1;
                (failed_rows, fault)
            }
            Self::Dropped => return,
        };
        tally.failed_rows += rows;
        match fault {
            Some(Fault::Corrupt) => tally.corrupt_rows += rows,
            Some(Fault::Unreachable) => tally.unreachable += 1,
            Some(Fault::Other) | None => {}
        }
    }
}
