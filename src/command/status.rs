//! `status`: how far a run is.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::SystemTime;

use infoplane::table::{Folder, Progress};

use super::finish::{list, located};
use super::print;
use crate::cli::Results;

/// `status`: looks at the results, and at nothing that runs.
pub(crate) fn status(arguments: &Results) -> anyhow::Result<ExitCode> {
    let (results, planned) = located(arguments)?;
    let mut folder = Folder::at_work(&results)?;
    if let Some(planned) = planned {
        folder.expect(planned.plan_hash(), planned.checkpoints())?;
    }
    let progress = folder.progress(SystemTime::now())?;
    let text = if arguments.json { serde_json::to_string_pretty(&progress)? + "\n" } else { words(&progress)? };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn words(progress: &Progress) -> Result<String, std::fmt::Error> {
    let Progress { planned, done, failed, missing, pieces, idle, per_hour, seconds_left } = progress;
    let mut text = String::new();
    list(&mut text, "failed", failed)?;
    let percent = 100 * done / (*planned).max(1);
    write!(
        text,
        "{done} of {planned} checkpoints done ({percent} %), {} failed, {} missing",
        failed.len(),
        missing.len()
    )?;
    if *pieces > 0 {
        write!(text, ", {pieces} units of these done")?;
    }
    text.push('\n');
    match (idle, per_hour, seconds_left) {
        _ if missing.is_empty() => writeln!(text, "all are there; `infoplane finish` puts them together")?,
        (_, Some(per_hour), Some(left)) => writeln!(text, "{per_hour:.0} an hour, about {} left", span(*left))?,
        (Some(idle), ..) => writeln!(text, "nothing was done for {}: does anything run?", span(*idle))?,
        (None, ..) => writeln!(text, "nothing was done yet")?,
    }
    Ok(text)
}

fn span(seconds: f64) -> String {
    match seconds / 60.0 {
        minutes if minutes < 90.0 => format!("{minutes:.0} min"),
        minutes if minutes < 48.0 * 60.0 => format!("{:.1} h", minutes / 60.0),
        minutes => format!("{:.1} days", minutes / 60.0 / 24.0),
    }
}
