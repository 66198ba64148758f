//! What the script of the page draws, as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::curve::{Measure, Series};
use super::number::short;
use super::run::Run;
use crate::report::{NamedCurve, align};
use crate::table::CurveColumns;

/// Curves, phases and names of all runs.
pub(super) fn figures(runs: &[Run]) -> Value {
    let mut taps: Vec<&str> = Vec::new();
    for tap in runs.iter().flat_map(|run| &run.taps) {
        if !taps.contains(&tap.as_str()) {
            taps.push(tap);
        }
    }
    let of_runs: Vec<Value> = runs.iter().map(|run| json!({ "name": run.name, "steps": run.steps })).collect();
    let network: Vec<Value> = ["loss", "accuracy"].into_iter().filter_map(|key| card(runs, &taps, key)).collect();
    let mut keys: Vec<&str> = Vec::new();
    for measure in runs.iter().flat_map(|run| &run.measures) {
        if !keys.contains(&measure.key.as_str()) {
            keys.push(&measure.key);
        }
    }
    let cards: Vec<Value> = keys.into_iter().filter_map(|key| card(runs, &taps, key)).collect();
    json!({ "runs": of_runs, "taps": taps, "network": network, "measures": cards })
}

/// One measure of all runs.
fn card(runs: &[Run], taps: &[&str], key: &str) -> Option<Value> {
    let find = |run: &Run| run.network.iter().find(|measure| measure.key == key).or(run.measure(key)).cloned();
    let found: Vec<(usize, Measure)> =
        runs.iter().enumerate().filter_map(|(place, run)| Some((place, find(run)?))).collect();
    let (_, first) = found.first()?;
    let mut curves = Vec::new();
    let mut of_taps: BTreeMap<usize, Vec<&Series>> = BTreeMap::new();
    for (run, measure) in &found {
        for (own, series) in measure.series.iter().enumerate() {
            let network = runs[*run].network.iter().any(|network| network.key == key);
            let tap = if network { 0 } else { taps.iter().position(|tap| *tap == runs[*run].taps[own]).unwrap_or(0) };
            of_taps.entry(tap).or_default().push(series);
            curves.push(curve(*run, tap, series));
        }
    }
    let means: Vec<Value> = of_taps.iter().filter_map(|(tap, all)| mean(*tap, all)).collect();
    Some(json!({
        "title": first.title,
        "measure": first.columns.measure,
        "variable": first.columns.variable,
        "class": first.columns.class,
        "unit": first.unit,
        "main": first.is_main(),
        "curves": curves,
        "means": means,
        "phases": found.iter().flat_map(|(run, measure)| phases(*run, &runs[*run], taps, measure)).collect::<Vec<_>>(),
    }))
}

fn curve(run: usize, tap: usize, series: &Series) -> Value {
    let points = &series.points;
    let low = points.iter().map(|point| point.band().map_or(Value::Null, |(low, _)| short(low)));
    let high = points.iter().map(|point| point.band().map_or(Value::Null, |(_, high)| short(high)));
    json!({
        "run": run,
        "tap": tap,
        "steps": points.iter().map(|point| point.step).collect::<Vec<_>>(),
        "values": points.iter().map(|point| short(point.value)).collect::<Vec<_>>(),
        "low": low.collect::<Vec<_>>(),
        "high": high.collect::<Vec<_>>(),
        "flagged": points.iter().map(|point| u8::from(point.flagged)).collect::<Vec<_>>(),
    })
}

/// Mean and spread over runs of one layer, at the steps that all of them have; none for a single run.
fn mean(tap: usize, all: &[&Series]) -> Option<Value> {
    let curves: Vec<NamedCurve> = all
        .iter()
        .map(|series| {
            let points = series.points.iter().map(|point| (point.step, point.value, point.std_error));
            NamedCurve {
                columns: CurveColumns::default(),
                points: points.collect(),
                doubtful: Vec::new(),
                thinned_from: None,
            }
        })
        .collect();
    let aligned = align(&curves).pop().filter(|aligned| aligned.runs.len() > 1 && !aligned.steps.is_empty())?;
    let spreads = aligned.spreads();
    let end = |sign: f64| {
        let ends =
            spreads.iter().map(|spread| spread.deviation.map_or(Value::Null, |own| short(spread.mean + sign * own)));
        ends.collect::<Vec<_>>()
    };
    Some(json!({
        "tap": tap,
        "steps": aligned.steps,
        "values": spreads.iter().map(|spread| short(spread.mean)).collect::<Vec<_>>(),
        "low": end(-1.0),
        "high": end(1.0),
    }))
}

/// The phases by thresholds of a measure's curves.
fn phases(run: usize, of: &Run, taps: &[&str], measure: &Measure) -> Vec<Value> {
    let names = ["tap", "measure", "class", "parameters", "method", "phase", "from_step", "to_step", "resolved"];
    let Some(places) = names.iter().map(|name| of.phases.column(name)).collect::<Option<Vec<_>>>() else {
        return Vec::new();
    };
    let columns = &measure.columns;
    let own = |row: &&Vec<Value>| {
        row[places[1]].as_str() == Some(&columns.measure)
            && row[places[2]].as_str() == columns.class.as_deref()
            && row[places[3]].as_str() == columns.parameters.as_deref()
            && row[places[4]] == "three-phases"
    };
    let phase = |row: &Vec<Value>| {
        let tap = row[places[0]].as_str();
        json!({
            "run": run,
            "tap": tap.and_then(|tap| taps.iter().position(|found| *found == tap)).unwrap_or(0),
            "phase": row[places[5]],
            "from": row[places[6]],
            "to": row[places[7]],
            "resolved": row[places[8]],
        })
    };
    of.phases.rows.iter().filter(own).map(phase).collect()
}
