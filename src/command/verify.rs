//! `verify`: every estimator on distributions whose information is known.

use std::process::ExitCode;

use anyhow::bail;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use infoplane::estimate::information::{Against, Estimator, Intervals, measure};
use infoplane::estimate::known::{Drawn, Known, beyond_normal, catalogue};
use infoplane::estimate::{Estimate, EstimateError, Flag};
use rayon::prelude::*;
use serde::Serialize;

use super::measure::toml_value;
use super::print;
use super::progress::Progress;
use crate::cli::{Cli, Known as Set, Verify};

/// The estimators that are verified where none is named.
const ESTIMATORS: [&str; 12] = [
    "{ ksg = { neighbors = [1, 3, 10] } }",
    "{ ksg-2 = { neighbors = 3 } }",
    "{ mixed = { neighbors = 3 } }",
    "{ kozachenko-leonenko = { neighbors = 3 } }",
    "{ weighted = { neighbors = 5 } }",
    "{ kde = {} }",
    "{ gaussian = {} }",
    "{ binning = { bins = { quantile = 10 } } }",
    "{ sliced = { dimensions = 1, slices = 30, neighbors = 3 } }",
    "{ kolchinsky = { variance = 0.25 } }",
    "{ info-nce = {} }",
    "{ ross = { neighbors = 3 } }",
];

/// One estimator on one distribution, over all draws.
#[derive(Serialize)]
struct Verified {
    distribution: &'static str,
    estimator: Estimator,
    n_samples: usize,
    n_draws: usize,
    truth: f64,
    /// The mean over the draws, as are the ends of the interval.
    estimate: Option<f64>,
    error: Option<f64>,
    interval_low: Option<f64>,
    interval_high: Option<f64>,
    /// The draws whose interval holds the truth.
    covered: usize,
    /// The flags of any draw.
    flags: Vec<Flag>,
    /// Why there is no estimate.
    reason: Option<String>,
}

/// `verify`
pub(crate) fn verify(cli: &Cli, arguments: &Verify) -> anyhow::Result<ExitCode> {
    let named = arguments.estimator.iter().map(String::as_str);
    let texts: Vec<&str> = if arguments.estimator.is_empty() { ESTIMATORS.to_vec() } else { named.collect() };
    let estimators: Vec<Estimator> =
        texts.iter().map(|text| toml_value("--estimator", text)).collect::<anyhow::Result<_>>()?;
    let all = match arguments.known {
        Set::Own => catalogue(),
        Set::BeyondNormal => beyond_normal(),
    };
    let known: Vec<&Known> = match &arguments.distribution {
        None => all.iter().collect(),
        Some(part) => all.iter().filter(|known| known.name.contains(part.as_str())).collect(),
    };
    if known.is_empty() {
        let names: Vec<&str> = all.iter().map(|known| known.name).collect();
        bail!("`--distribution`: found none with that in its name, needed one of: {}", names.join(", "));
    }
    let cells: Vec<(&Estimator, &Known)> =
        estimators.iter().flat_map(|estimator| known.iter().map(move |known| (estimator, *known))).collect();
    let progress = Progress::new(cli, "estimates", "estimate");
    progress.planned(cells.len());
    let verified: Vec<Verified> = cells
        .par_iter()
        .flat_map_iter(|(estimator, known)| {
            let rows = verified(estimator, known, arguments);
            progress.one_done();
            rows
        })
        .collect();
    progress.finish();
    if arguments.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&verified)?))?;
    } else {
        print(&format!("{}\n", table(&verified)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The rows of one estimator on one distribution; none where the one is not for such variables.
fn verified(estimator: &Estimator, known: &Known, arguments: &Verify) -> Vec<Verified> {
    let (n, n_draws) = (arguments.samples.get(), arguments.draws.get());
    let seeds = (0..n_draws as u64).map(|draw| arguments.seed.wrapping_add(draw));
    let draws: Option<Vec<_>> = seeds.map(|seed| estimates(estimator, &known.draw(n, seed), seed)).collect();
    let Some(draws) = draws else { return Vec::new() };
    let each = estimator.each().into_iter().enumerate();
    each.map(|(setting, estimator)| {
        let draws = draws.iter().map(|draw| draw.as_ref().map(|estimates| &estimates[setting]));
        let draws: Result<Vec<&Estimate>, &EstimateError> = draws.collect();
        let reason = draws.as_ref().err().map(ToString::to_string);
        let draws = draws.unwrap_or_default();
        let mean = |of: &dyn Fn(&Estimate) -> Option<f64>| {
            let values: Option<Vec<f64>> = draws.iter().map(|estimate| of(estimate)).collect();
            values.filter(|values| !values.is_empty()).map(|values| values.iter().sum::<f64>() / values.len() as f64)
        };
        let covers = |estimate: &&&Estimate| {
            estimate.interval.is_some_and(|interval| (interval.low..=interval.high).contains(&known.truth))
        };
        let mut flags: Vec<Flag> = draws.iter().flat_map(|estimate| estimate.flags.iter().copied()).collect();
        flags.sort_unstable();
        flags.dedup();
        let estimate = mean(&|estimate| Some(estimate.value));
        Verified {
            distribution: known.name,
            estimator,
            n_samples: n,
            n_draws,
            truth: known.truth,
            estimate,
            error: estimate.map(|estimate| estimate - known.truth),
            interval_low: mean(&|estimate| estimate.interval.map(|interval| interval.low)),
            interval_high: mean(&|estimate| estimate.interval.map(|interval| interval.high)),
            covered: draws.iter().filter(covers).count(),
            flags,
            reason,
        }
    })
    .collect()
}

/// The estimates of one draw; none where the estimator is not for such variables.
fn estimates(estimator: &Estimator, drawn: &Drawn, seed: u64) -> Option<Result<Vec<Estimate>, EstimateError>> {
    let uncertainty = (&Intervals::default(), None);
    match drawn {
        Drawn::Pair(x, y) => estimator
            .continuous()
            .filter(|estimator| estimator.has_null())
            .map(|_| measure(estimator, x.view(), Against::Variable(y.view()), uncertainty, seed)),
        Drawn::Labeled(x, labels) => {
            // Its noise is in no distribution of labels.
            let fits = estimator.labeled().is_some() && !matches!(estimator, Estimator::Kolchinsky(_));
            fits.then(|| measure(estimator, x.view(), Against::Labels(labels), uncertainty, seed))
        }
        Drawn::Layer(layer, variance) => {
            let Estimator::Kolchinsky(bounds) = estimator else { return None };
            let fits = bounds.variance.as_slice().iter().all(|own| (own.get() - variance).abs() < f64::EPSILON);
            fits.then(|| measure(estimator, layer.view(), Against::Variable(layer.view()), uncertainty, seed))
        }
    }
}

fn table(verified: &[Verified]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(["estimator", "distribution", "truth", "estimate", "error", "interval", "covers", "flags"]);
    let number = |value: f64| format!("{value:.3}");
    for row in verified {
        let estimator = serde_json::to_string(&row.estimator).unwrap_or_default();
        let interval = row.interval_low.zip(row.interval_high);
        let covers = match (row.n_draws, interval) {
            (_, None) => String::new(),
            (1, _) => if row.covered == 1 { "yes" } else { "no" }.to_owned(),
            (draws, _) => format!("{} of {draws}", row.covered),
        };
        let flags: Vec<String> =
            row.flags.iter().filter_map(|flag| serde_json::to_value(flag).ok()?.as_str().map(str::to_owned)).collect();
        table.add_row([
            estimator.replace('"', "").replace(':', " ").trim_matches(['{', '}']).to_owned(),
            row.distribution.to_owned(),
            number(row.truth),
            row.estimate.map_or_else(|| "none".to_owned(), number),
            row.error.map_or_else(String::new, |error| format!("{error:+.3}")),
            interval.map_or_else(String::new, |(low, high)| format!("{low:.3} to {high:.3}")),
            covers,
            row.reason.clone().unwrap_or_else(|| flags.join(", ")),
        ]);
    }
    for column in 2..=4 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
