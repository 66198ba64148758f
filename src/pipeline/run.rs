//! All units of a shard, in parallel, resumable.
//!
//! As many units are in flight as there are workers, and one more checkpoint is read ahead: each
//! worker hands one unit at a time to the thread pool and waits for it. (Were the pool itself
//! to iterate over the units, a thread that waits for a measure would start another one, and memory
//! would grow with the archive.) Inside a unit, taps and measures share the pool.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;

use rayon::ThreadPool;

use super::ahead::{Ahead, Read};
use super::meter::Meter;
use super::shared::Shared;
use super::work::Work;
use super::{PipelineError, Plan, Shard, bindings, typicality};
use crate::table::{Folder, Unit};

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// The result folder.
    pub folder: PathBuf,
    /// Units that were measured now; one is one checkpoint unless checkpoints are cut.
    pub done: usize,
    /// Units that were there already.
    pub kept: usize,
    /// Rows of this shard without a value, those of units that were there already among them.
    pub failed_rows: usize,
    /// Those of checkpoints that are corrupt: no other run will have them either.
    pub corrupt_rows: usize,
    /// Checkpoints that a disk, a network or a store did not let us read: another run may.
    pub unreachable: usize,
    /// Whether every checkpoint of the plan has its parts, those of other shards among them.
    pub whole: bool,
}

/// Measures the units of a shard, so many checkpoints at a time, and writes parts for each checkpoint.
///
/// `stopping` returns the signal that asks to stop, if one does: units in flight are dropped, finished ones stay. `tell`
/// may be called from any thread.
///
/// # Errors
///
/// [`PipelineError::Table`] when results cannot be written, [`PipelineError::Stopped`]; a checkpoint
/// that is at fault is no error but rows.
pub fn run(
    plan: &Plan,
    shard: Shard,
    (workers, pool): (usize, &ThreadPool),
    stopping: &(dyn Fn() -> Option<i32> + Sync),
    tell: &(dyn Fn(Event) + Sync),
) -> Result<Finished, PipelineError> {
    let units = plan.checkpoints.iter().map(|it| Unit { step: it.step(), file: it.name().to_owned() }).collect();
    let folder = Folder::prepare(&plan.output, plan.origin(), units, plan.asked_tables())?;
    folder.write_bindings(&bindings::rows(plan))?;
    folder.write_typicality(&typicality::rows(plan), &typicality::agreement(plan)?)?;
    let mine = shard.units(&plan.groups, plan.checkpoints.len());
    tell(Event::Planned(mine.len()));
    let groups: BTreeSet<usize> = mine.iter().map(|&(_, group)| group).collect();
    let groups: Vec<Range<usize>> = groups.into_iter().map(|group| plan.groups[group].taps.clone()).collect();
    let shared = Shared::new(plan, &groups, pool)?;
    let workers = workers.min(mine.len());
    let meter = Meter::new();
    let work = Work { plan, folder, shared, pool, stopping, tell, failure: Mutex::new(None), meter, workers };
    let tally = Mutex::new(Finished { folder: plan.output.clone(), ..Finished::default() });
    // No place in the channel: what is read ahead waits in the hand of the reader.
    let (give, take) = sync_channel(0);
    let take = Arc::new(Mutex::new(take));
    thread::scope(|scope| {
        for _ in 0..workers {
            let take = Arc::clone(&take);
            let (work, tally) = (&work, &tally);
            scope.spawn(move || {
                while work.goes_on().is_continue() {
                    let next = take.lock().map(|take| take.recv());
                    let Ok(Ok((group, read))) = next else { break };
                    match work.one(group, read) {
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
                let mut counted = None;
                for &(place, group) in mine.iter().take_while(|_| work.goes_on().is_continue()) {
                    let mut read = match ahead.read(place, &|identity| work.kept(place, group, identity)) {
                        Ok(read) => read,
                        Err(error) => {
                            work.fail(error);
                            break;
                        }
                    };
                    // The failed rows of a whole checkpoint count once, not with each of its units.
                    if let Read::Done { kept, .. } = &mut read
                        && kept.is_whole
                        && counted.replace(place) == Some(place)
                    {
                        kept.failed_rows = 0;
                    }
                    if give.send((group, read)).is_err() {
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
    work.meter.finish(&work.folder)?;
    // A signal that comes when all is done stops nothing.
    if finished.done + finished.kept < mine.len()
        && let Some(signal) = stopping()
    {
        return Err(PipelineError::Stopped { done: finished.done + finished.kept, planned: mine.len(), signal });
    }
    finished.whole = work.folder.is_whole()?;
    Ok(finished)
}
