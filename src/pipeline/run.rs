//! All checkpoints of a shard, in parallel, resumable.
//!
//! As many checkpoints are in flight as there are workers, and one more that is read ahead: each
//! worker hands one checkpoint at a time to the thread pool and waits for it. (Were the pool itself
//! to iterate over the checkpoints, a thread that waits for a measure would start another
//! checkpoint, and memory would grow with the archive.) Inside a checkpoint, taps and measures share
//! the pool.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;

use rayon::ThreadPool;

use super::ahead::{Ahead, Read};
use super::cells::Measured;
use super::shared::Shared;
use super::unit::{self, Rows};
use super::{PipelineError, Plan, bindings, typicality};
use crate::archive::Checkpoint;
use crate::replay::ReplayError;
use crate::table::{Folder, Provenance, RowsOf, Unit};

/// Which part of the checkpoints a process takes: those whose place leaves `index` when divided by `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// The shard `index` of `count`, from 0.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Shard`] for an index that is not below the count.
    pub fn new(index: usize, count: usize) -> Result<Self, PipelineError> {
        if index < count { Ok(Self { index, count }) } else { Err(PipelineError::Shard { index, count: count.max(1) }) }
    }

    /// All checkpoints.
    #[must_use]
    pub fn whole() -> Self {
        Self { index: 0, count: 1 }
    }
}

/// What is told while a run goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// This many checkpoints will be looked at.
    Planned(usize),
    /// A checkpoint was there already.
    Kept {
        /// The checkpoint.
        file: String,
    },
    /// A checkpoint is done.
    Done {
        /// The checkpoint.
        file: String,
    },
    /// A checkpoint as a whole failed, and its rows say so.
    Failed {
        /// The checkpoint.
        file: String,
        /// Why.
        reason: String,
    },
    /// A checkpoint was measured, and all its numbers are in doubt.
    Doubted {
        /// The checkpoint.
        file: String,
        /// Why.
        reason: String,
    },
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The result folder.
    pub folder: PathBuf,
    /// Checkpoints that were measured now.
    pub done: usize,
    /// Checkpoints that were there already.
    pub kept: usize,
    /// Rows of this shard without a value, those of checkpoints that were there already among them.
    pub failed_rows: usize,
    /// Whether every checkpoint of the plan has its parts, those of other shards among them.
    pub whole: bool,
}

/// Measures the checkpoints of a shard and writes a part for each, as many at a time as the pool has threads.
///
/// `stopping` returns the signal that asks to stop, if one does: checkpoints in flight are dropped,
/// finished ones stay. `tell` may be called from any thread.
///
/// # Errors
///
/// [`PipelineError::Table`] when results cannot be written, [`PipelineError::Stopped`]; a checkpoint
/// that is at fault is no error but rows.
pub fn run(
    plan: &Plan,
    shard: Shard,
    pool: &ThreadPool,
    stopping: &(dyn Fn() -> Option<i32> + Sync),
    tell: &(dyn Fn(Event) + Sync),
) -> Result<Finished, PipelineError> {
    let units = plan.checkpoints.iter().map(|it| Unit { step: it.step(), file: it.name().to_owned() }).collect();
    let folder = Folder::prepare(&plan.output, plan.origin(), units, plan.asked_tables())?;
    folder.write_bindings(&bindings::rows(plan))?;
    folder.write_typicality(&typicality::rows(plan))?;
    let mine: Vec<usize> = (shard.index..plan.checkpoints.len()).step_by(shard.count).collect();
    tell(Event::Planned(mine.len()));
    let shared = Shared::new(plan, pool)?;
    let work = Work { plan, folder, shared, pool, stopping, tell, failure: Mutex::new(None) };
    let tally = Mutex::new(Finished { folder: plan.output.clone(), done: 0, kept: 0, failed_rows: 0, whole: false });
    // No place in the channel: what is read ahead waits in the hand of the reader.
    let (give, take) = sync_channel(0);
    let take = Arc::new(Mutex::new(take));
    let workers = pool.current_num_threads().min(mine.len());
    thread::scope(|scope| {
        for _ in 0..workers {
            let take = Arc::clone(&take);
            let (work, tally) = (&work, &tally);
            scope.spawn(move || {
                while work.goes_on().is_continue() {
                    let next = take.lock().map(|take| take.recv());
                    let Ok(Ok(read)) = next else { break };
                    match work.one(read) {
                        Ok(outcome) => outcome.add_to(&mut tally.lock().expect("no worker panics while it counts")),
                        Err(error) => work.fail(error),
                    }
                }
            });
        }
        // Only the workers hold the other end: when they are gone, giving fails, and reading ends.
        drop(take);
        match Ahead::new(plan) {
            Ok(mut ahead) => {
                for &place in mine.iter().take_while(|_| work.goes_on().is_continue()) {
                    let read =
                        ahead.read(place, &|identity| work.folder.done(plan.checkpoints[place].step(), identity));
                    if give.send(read).is_err() {
                        break;
                    }
                }
            }
            Err(error) => work.fail(error),
        }
        drop(give);
    });
    let mut finished = tally.into_inner().expect("no worker panicked while it counted");
    if let Some(error) = work.failure.into_inner().expect("no worker panicked while it failed") {
        return Err(error);
    }
    // A signal that comes when all is done stops nothing.
    if finished.done + finished.kept < mine.len()
        && let Some(signal) = stopping()
    {
        return Err(PipelineError::Stopped { done: finished.done + finished.kept, planned: mine.len(), signal });
    }
    finished.whole = work.folder.is_whole()?;
    Ok(finished)
}

/// What the workers share.
struct Work<'a> {
    plan: &'a Plan,
    folder: Folder,
    shared: Shared<'a>,
    pool: &'a ThreadPool,
    stopping: &'a (dyn Fn() -> Option<i32> + Sync),
    tell: &'a (dyn Fn(Event) + Sync),
    failure: Mutex<Option<PipelineError>>,
}

/// What became of one checkpoint.
enum Outcome {
    Kept { failed_rows: usize },
    Done { failed_rows: usize },
    Dropped,
}

impl Work<'_> {
    /// Whether nobody asked to stop and nothing failed for good.
    fn goes_on(&self) -> ControlFlow<()> {
        let failed = self.failure.lock().is_ok_and(|failure| failure.is_some());
        if failed || (self.stopping)().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn fail(&self, error: PipelineError) {
        if let Ok(mut failure) = self.failure.lock() {
            failure.get_or_insert(error);
        }
    }

    fn one(&self, read: Read<'_>) -> Result<Outcome, PipelineError> {
        let (checkpoint, identity, rows) = match read {
            Read::Done { checkpoint, failed_rows } => {
                (self.tell)(Event::Kept { file: checkpoint.name().to_owned() });
                return Ok(Outcome::Kept { failed_rows });
            }
            Read::Weights(next) => {
                let (checkpoint, identity) = (next.checkpoint, next.identity.clone());
                let measured = self.measured(checkpoint, &next.hash, || {
                    let unchanged = next.unchanged.clone();
                    unit::rows(self.plan, checkpoint, &next.weights, &next.hash, unchanged, &self.shared, &|| {
                        self.goes_on()
                    })
                })?;
                let Some(rows) = measured else { return Ok(Outcome::Dropped) };
                (checkpoint, identity, rows)
            }
            Read::Failed { checkpoint, error, .. } if self.folder.has(checkpoint.step(), &self.plan.hash) => {
                // What was measured while the file could be read is better than what is known of it now.
                (self.tell)(Event::Failed { file: checkpoint.name().to_owned(), reason: error });
                return Ok(Outcome::Kept { failed_rows: 1 });
            }
            Read::Failed { checkpoint, error, identity } => {
                (checkpoint, identity, unit::failed(self.plan, checkpoint, None, &error))
            }
        };
        let Rows { measured: Measured { measurements, samples, positions }, checkpoint: row } = rows;
        let failed_rows =
            measurements.iter().filter(|row| row.value.is_none()).count() + usize::from(row.error.is_some());
        let provenance = Provenance { identity, checkpoint: row.hash.clone(), failed_rows, retry: row.error.is_some() };
        let rows = RowsOf {
            measurements: &measurements,
            samples: &samples,
            positions: &positions,
            failures: &unit::failures(&measurements, &row),
            checkpoint: &row,
        };
        self.folder.write(checkpoint.step(), rows, &provenance)?;
        let reason = unit::doubt(&row);
        (self.tell)(match (row.error, reason) {
            (Some(reason), _) => Event::Failed { file: row.file, reason },
            (None, Some(reason)) => Event::Doubted { file: row.file, reason },
            (None, None) => Event::Done { file: row.file },
        });
        Ok(Outcome::Done { failed_rows })
    }

    /// The rows of a checkpoint, or none if somebody asked to stop.
    fn measured(
        &self,
        checkpoint: &Checkpoint,
        hash: &str,
        measure: impl FnOnce() -> Result<Rows, ReplayError> + Send,
    ) -> Result<Option<Rows>, PipelineError> {
        match catch_unwind(AssertUnwindSafe(|| self.pool.install(measure))) {
            Ok(Ok(rows)) => Ok(Some(rows)),
            Ok(Err(ReplayError::Stopped)) => Ok(None),
            Ok(Err(error)) => Err(error.into()),
            // A defect of ours must not lose the other checkpoints.
            Err(_) => {
                let reason = "infoplane has a defect here (its message is above); please report it";
                Ok(Some(unit::failed(self.plan, checkpoint, Some(hash), reason)))
            }
        }
    }
}

impl Outcome {
    fn add_to(self, tally: &mut Finished) {
        match self {
            Self::Kept { failed_rows } => {
                tally.kept += 1;
                tally.failed_rows += failed_rows;
            }
            Self::Done { failed_rows } => {
                tally.done += 1;
                tally.failed_rows += failed_rows;
            }
            Self::Dropped => {}
        }
    }
}
