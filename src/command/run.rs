//! `run` and `check`.

use std::fmt::Write;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use anyhow::Context;
use infoplane::pipeline::{self, Plan, Shard};
use infoplane::replay::Runtime;
use infoplane::report;
use infoplane::table::Folder;
use rayon::ThreadPoolBuilder;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::phases::write_phases;
use super::progress::Progress;
use super::{log, print};
use crate::cli::{Check, Cli, Run};

/// `run`: measures, and ends with a table of what each layer knew.
pub(crate) fn run(cli: &Cli, arguments: &Run) -> anyhow::Result<ExitCode> {
    let threads = arguments.threads.or(available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let pool = ThreadPoolBuilder::new().num_threads(threads.get()).build().context("cannot start the threads")?;
    let runtime = runtime(cli)?;
    let plan = pool.install(|| Plan::new(&arguments.pipeline, arguments.output.as_deref(), runtime))?;
    if !cli.quiet {
        let facts = json!({ "plan": plan.hash, "checkpoints": plan.checkpoints.len() });
        log::tell(cli.log_format, "info", "plan", &plan.to_string(), &facts);
    }
    let shard = arguments.shard.map_or(Ok(Shard::whole()), |(index, count)| Shard::new(index, count))?;
    let progress = Progress::new(cli, "checkpoints", "ckpt");
    // Until here there is nothing to keep, and a signal simply ends the process.
    let signal = watch_signals()?;
    let stopping = || match signal.load(Ordering::Relaxed) {
        0 => None,
        signal => i32::try_from(signal).ok(),
    };
    let result = pipeline::run(&plan, shard, &pool, &stopping, &|event| progress.tell(event));
    progress.finish();
    let finished = result?;
    if finished.whole {
        write_phases(&Folder::open(&finished.folder)?)?;
    }
    let whole = arguments.shard.is_none();
    if whole && !cli.quiet {
        print(&report::summary(&Folder::open(&finished.folder)?)?)?;
    }
    print(&format!(
        "{} checkpoints measured, {} kept from before, {} rows without a value; Parquet in {}\n",
        finished.done,
        finished.kept,
        finished.failed_rows,
        finished.folder.join("data").display()
    ))?;
    Ok(if finished.failed_rows == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// `check`: the pipeline with every default filled in, and the plan.
pub(crate) fn check(cli: &Cli, arguments: &Check) -> anyhow::Result<ExitCode> {
    let plan = Plan::new(&arguments.pipeline, None, runtime(cli)?)?;
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
        let again = Arc::new(std::sync::atomic::AtomicBool::new(false));
        flag::register_conditional_shutdown(number, 128 + number, Arc::clone(&again))?;
        flag::register(number, again)?;
        flag::register_usize(number, Arc::clone(&signal), usize::try_from(number)?)?;
    }
    Ok(signal)
}
