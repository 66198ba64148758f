//! `finish`: is everything there, and all of it in one file a table.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use infoplane::pipeline::{self, Planned};
use infoplane::report;
use infoplane::table::{Folder, Standing, Unit};

use super::phases::write_phases;
use super::print;
use crate::cli::Results;

/// Checkpoints that are listed one by one.
const LISTED: usize = 20;

/// `finish`
pub(crate) fn finish(arguments: &Results) -> anyhow::Result<ExitCode> {
    let (results, planned) = located(arguments)?;
    let at_work = Folder::at_work(&results)?;
    pipeline::join_all(&at_work)?;
    let mut folder = Folder::open_parts(&results)?;
    if let Some(planned) = planned {
        folder.expect(planned.plan_hash(), planned.checkpoints())?;
    }
    let standing = folder.standing()?;
    let mut text = String::new();
    if standing.is_whole() {
        let mut files = folder.compact_checkpoints()?;
        // From the one file a table: that takes less time and memory than from thousands of parts.
        write_phases(&folder)?;
        files.extend(folder.compact_series()?);
        let swept = folder.sweep()?;
        at_work.drop_all_pieces()?;
        list(&mut text, "failed", &standing.failed)?;
        for row in report::query(&folder, "SELECT step, error FROM failures WHERE what = 'checkpoint'")?.rows {
            writeln!(text, "  step {}: {}", row[0], row[1].as_str().unwrap_or_default())?;
        }
        if swept > 0 {
            writeln!(text, "working files of stopped runs deleted: {swept}")?;
        }
        let place = results.join("tables");
        writeln!(text, "{}; {} tables in {}", words(&standing), files.len(), place.display())?;
    } else {
        list(&mut text, "missing", &standing.missing)?;
        list(&mut text, "failed", &standing.failed)?;
        writeln!(text, "{}; nothing was put together", words(&standing))?;
    }
    if arguments.json {
        text = serde_json::to_string_pretty(&standing)? + "\n";
    }
    print(&text)?;
    if !standing.is_whole() {
        anyhow::bail!(
            "`{}`: found {} of {} checkpoints, needed all; run the pipeline (or the shards that stopped) again",
            results.display(),
            standing.planned - standing.missing.len(),
            standing.planned
        );
    }
    Ok(if standing.failed_rows == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The result folder, and the plan that it is to have.
pub(super) fn located(arguments: &Results) -> anyhow::Result<(PathBuf, Option<Planned>)> {
    let planned = arguments.plan.as_deref().map(Planned::open).transpose()?;
    let own = planned.as_ref().map(|planned| planned.output().to_owned());
    let results = arguments.folder.clone().or(own).expect("the command line has one of the two");
    Ok((results, planned))
}

pub(super) fn list(text: &mut String, what: &str, units: &[Unit]) -> std::fmt::Result {
    for unit in units.iter().take(LISTED) {
        writeln!(text, "{what}: step {} ({})", unit.step, unit.file)?;
    }
    if units.len() > LISTED {
        writeln!(text, "{what}: {} more (`--json` has all)", units.len() - LISTED)?;
    }
    Ok(())
}

fn words(standing: &Standing) -> String {
    format!(
        "{} checkpoints planned, {} missing, {} failed, {} rows without a value",
        standing.planned,
        standing.missing.len(),
        standing.failed.len(),
        standing.failed_rows
    )
}
