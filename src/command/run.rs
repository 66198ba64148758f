//! `run` and `check`.

use std::fmt::Write;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::available_parallelism;

use anyhow::Context;
use infoplane::pipeline::{self, Finished, Limits, PipelineError, Plan, Planned, Shard};
use infoplane::replay::Runtime;
use infoplane::report;
use infoplane::table::Folder;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::phases::write_phases;
use super::progress::Progress;
use super::{exit, log, print};
use crate::cli::{Check, Cli, Run};

/// `run`: measures, and ends with a table of what each layer knew.
pub(crate) fn run(cli: &Cli, arguments: &Run) -> anyhow::Result<ExitCode> {
    // Until there is something to keep, a signal simply ends the process; SIGTERM as schedulers want it.
    let planning = Arc::new(AtomicBool::new(true));
    flag::register_conditional_shutdown(SIGTERM, exit::TRY_AGAIN.into(), Arc::clone(&planning))?;
    let threads = arguments.threads.or(available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let pool = pool_of(threads.get())?;
    let runtime = runtime(cli)?;
    let plan = pool.install(|| planned(arguments, runtime))?;
    let (workers, measuring) = plan.fit(arguments.memory, threads)?;
    let pool = if measuring == threads.get() { pool } else { pool_of(measuring)? };
    if !cli.quiet {
        let facts = json!({ "plan": plan.hash, "checkpoints": plan.checkpoints.len() });
        log::tell(cli.log_format, "info", "plan", &plan.to_string(), &facts);
    }
    let shard = arguments.shard.map_or(Ok(Shard::whole()), |(index, count)| Shard::new(index, count))?;
    let is_cut = plan.groups.len() > 1;
    let progress = if is_cut { Progress::new(cli, "units", "unit") } else { Progress::new(cli, "checkpoints", "ckpt") };
    let signal = watch_signals()?;
    planning.store(false, Ordering::Relaxed);
    let stopping = || match signal.load(Ordering::Relaxed) {
        0 => None,
        signal => i32::try_from(signal).ok(),
    };
    let result = pipeline::run(&plan, shard, (workers, &pool), &stopping, &|event| progress.tell(event));
    progress.finish();
    let finished = result?;
    let is_summed_up = arguments.shard.is_none() && !cli.quiet;
    if finished.whole || is_summed_up {
        // Opened once: of a folder in a store this makes a copy.
        let folder = Folder::open(&finished.folder)?;
        if finished.whole {
            write_phases(&folder)?;
        }
        if is_summed_up {
            print(&report::summary(&folder)?)?;
        }
    }
    print(&format!(
        "{} {} measured, {} kept from before, {} rows without a value; Parquet in {}\n",
        finished.done,
        if is_cut { "units of checkpoints" } else { "checkpoints" },
        finished.kept,
        finished.failed_rows,
        finished.folder.join("data").display()
    ))?;
    Ok(ExitCode::from(match finished {
        Finished { unreachable: 1.., .. } => exit::TRY_AGAIN,
        Finished { failed_rows: 0, .. } => 0,
        Finished { failed_rows, corrupt_rows, .. } if failed_rows == corrupt_rows => exit::CORRUPT,
        _ => exit::FAILED_ROWS,
    }))
}

/// The plan of a plan file, or the one that a pipeline file makes now.
fn planned(arguments: &Run, runtime: &'static Runtime) -> Result<Plan, PipelineError> {
    let output = arguments.output.as_deref();
    if let Some(path) = &arguments.plan {
        return Plan::planned(&Planned::open(path)?, output, runtime);
    }
    let pipeline = arguments.pipeline.as_deref().expect("the command line has one of the two");
    let limits = Limits { memory: arguments.memory, taps: None };
    let plan = Plan::new(pipeline, output, limits, runtime)?;
    if plan.groups.len() > 1 && arguments.shard.is_some() { Err(PipelineError::CutWithoutPlan) } else { Ok(plan) }
}

fn pool_of(threads: usize) -> anyhow::Result<ThreadPool> {
    ThreadPoolBuilder::new().num_threads(threads).build().context("cannot start the threads")
}

/// `check`: the pipeline with every default filled in, and the plan.
pub(crate) fn check(cli: &Cli, arguments: &Check) -> anyhow::Result<ExitCode> {
    let plan = Plan::new(&arguments.pipeline, None, Limits::default(), runtime(cli)?)?;
    let mut text = plan.resolved().to_owned();
    for line in plan.to_string().lines() {
        writeln!(text, "# {line}")?;
    }
    for feed in &plan.binding.feeds {
        let words = feed.evidence.words();
        writeln!(text, "# {} {:?} <- {} ({words})", feed.initializer, feed.shape, feed.recipe)?;
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Starts ONNX Runtime; what it fetches is told in one line.
pub(super) fn runtime(cli: &Cli) -> anyhow::Result<&'static Runtime> {
    Ok(Runtime::start(cli.offline, &|line| {
        if !cli.quiet {
            log::tell(cli.log_format, "info", "fetch", line, &json!({}));
        }
    })?)
}

/// The first signal asks to stop; the second one ends the process at once.
fn watch_signals() -> anyhow::Result<Arc<AtomicUsize>> {
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [SIGINT, SIGTERM] {
        let again = Arc::new(AtomicBool::new(false));
        let code = if number == SIGTERM { exit::TRY_AGAIN.into() } else { 128 + number };
        flag::register_conditional_shutdown(number, code, Arc::clone(&again))?;
        flag::register(number, again)?;
        flag::register_usize(number, Arc::clone(&signal), usize::try_from(number)?)?;
    }
    Ok(signal)
}
