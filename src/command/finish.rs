//! `finish`: is everything there, and all of it in one file a table.

use std::fmt::Write;
use std::process::ExitCode;

use infoplane::pipeline;
use infoplane::report;
use infoplane::table::{Folder, Standing, Unit};

use super::phases::write_phases;
use super::print;
use crate::cli::Finish;

/// Checkpoints that are listed one by one.
const LISTED: usize = 20;

/// `finish`
pub(crate) fn finish(arguments: &Finish) -> anyhow::Result<ExitCode> {
    pipeline::join_all(&Folder::open_in_place(&arguments.results)?)?;
    let folder = Folder::open_parts(&arguments.results)?;
    let standing = folder.standing()?;
    let mut text = String::new();
    if standing.is_whole() {
        write_phases(&folder)?;
        let files = folder.compact()?;
        let swept = folder.sweep()?;
        list(&mut text, "failed", &standing.failed)?;
        for row in report::query(&folder, "SELECT step, error FROM failures WHERE what = 'checkpoint'")?.rows {
            writeln!(text, "  step {}: {}", row[0], row[1].as_str().unwrap_or_default())?;
        }
        if swept > 0 {
            writeln!(text, "working files of stopped runs deleted: {swept}")?;
        }
        let place = arguments.results.join("tables");
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
            arguments.results.display(),
            standing.planned - standing.missing.len(),
            standing.planned
        );
    }
    Ok(if standing.failed_rows == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn list(text: &mut String, what: &str, units: &[Unit]) -> std::fmt::Result {
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
