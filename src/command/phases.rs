//! `phases`: when each curve turned.
#![expect(clippy::print_stderr, reason = "curves without phases are told beside the table")]

use std::process::ExitCode;

use anyhow::bail;
use infoplane::dynamics::{Direction, Of};
use infoplane::report::{self, Columns, PhaseSettings};
use infoplane::store::is_url;
use infoplane::table::Folder;

use super::print_answer;
use crate::cli::{CurveDirection, OutputFormat, PartOf, Phases};

/// `phases`: prints them, and writes those of a result folder.
pub(crate) fn phases(arguments: &Phases) -> anyhow::Result<ExitCode> {
    for (option, value) in [("onset", arguments.onset), ("plateau", arguments.plateau), ("errors", arguments.errors)] {
        if !(value >= 0.0 && value.is_finite()) {
            bail!("`--{option}`: found {value}, needed a number of 0 or more");
        }
    }
    let settings = PhaseSettings {
        onset: arguments.onset,
        plateau: arguments.plateau,
        errors: arguments.errors,
        direction: arguments.direction.map(|direction| match direction {
            CurveDirection::Falling => Direction::Falling,
            CurveDirection::Rising => Direction::Rising,
        }),
        of: arguments.of.map(|of| match of {
            PartOf::Value => Of::Value,
            PartOf::Range => Of::Range,
        }),
    };
    let transfer = arguments.transfer || !arguments.transfer_labels.is_empty();
    let found = if arguments.path.is_dir() || arguments.path.to_str().is_some_and(is_url) {
        let folder = Folder::open(&arguments.path)?;
        let curves = report::curves(&folder)?;
        if transfer {
            let answer =
                report::transfer(&curves, &arguments.transfer_labels, &settings).map_err(anyhow::Error::msg)?;
            print_answer(&answer, arguments.format)?;
            return Ok(ExitCode::SUCCESS);
        }
        let found = report::phases(&curves, &settings);
        folder.write_phases(&found.phases, &found.lags)?;
        found
    } else if transfer {
        bail!("`{}`: found a file; needed the result folder of a run for advice on transfer", arguments.path.display());
    } else {
        let columns = Columns {
            step: arguments.step.clone(),
            values: arguments.value.clone(),
            std_errors: arguments.std_error.clone(),
            by: arguments.by.clone(),
        };
        report::phases(&report::curves_of_file(&arguments.path, &columns)?, &settings)
    };
    for (curve, error) in &found.failed {
        let words = [curve.tap.as_deref(), Some(curve.measure.as_str()), curve.variable.as_deref()];
        eprintln!("{}: {error}", words.into_iter().flatten().collect::<Vec<_>>().join(", "));
    }
    let full = !matches!(arguments.format, OutputFormat::Table);
    let answer = if arguments.lags { found.lag_table() } else { found.phase_table(full) };
    print_answer(&answer, arguments.format)?;
    Ok(if found.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Writes the phases and lags of a result folder that has all its checkpoints, with the default settings.
pub(super) fn write_phases(folder: &Folder) -> anyhow::Result<()> {
    let found = report::phases(&report::curves(folder)?, &PhaseSettings::default());
    Ok(folder.write_phases(&found.phases, &found.lags)?)
}
