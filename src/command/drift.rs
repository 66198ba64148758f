//! `drift`: which way weights move, and how far they wander.

use std::path::Path;
use std::process::ExitCode;

use infoplane::archive::Series;
use infoplane::pipeline::drift as drift_of;
use infoplane::report::Answer;
use serde_json::json;

use super::print_answer;
use crate::cli::Drift;

/// `drift`
pub(crate) fn drift(arguments: &Drift) -> anyhow::Result<ExitCode> {
    let series = Series::find(Path::new(""), &arguments.path.to_string_lossy(), None)?;
    let found = drift_of(series.checkpoints(), arguments.moves.get())?;
    let columns = ["tensor", "from_step", "to_step", "n_weights", "ratio", "squared_drift", "squared_mean", "noise"];
    let rows = found.iter().map(|row| {
        let own = &row.drift;
        let [tensor, from, to] = [json!(row.tensor), json!(row.from_step), json!(row.to_step)];
        let numbers = [json!(own.ratio()), json!(own.squared), json!(own.mean_squared), json!(own.noise)];
        [tensor, from, to, json!(row.n_weights)].into_iter().chain(numbers).collect()
    });
    let answer = Answer { columns: columns.map(str::to_owned).into(), rows: rows.collect() };
    print_answer(&answer, arguments.format)?;
    Ok(ExitCode::SUCCESS)
}
