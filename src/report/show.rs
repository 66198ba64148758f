//! The standard views of results on a terminal: what each layer knew, the best checkpoints, flags and failures.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::compare::{Aligned, Spread, align, curves_of_runs};
use super::phases::FALLING;
use super::terminal::{WIDTH, aligned, number, shortened, sparkline};
use super::{NamedCurve, ReportError, Runs, query};
use crate::table::{CurveColumns, Folder};

/// Characters of a sparkline, of one run and beside the count of several.
const BARS: [usize; 2] = [16, 10];

/// Failures and flags that are listed one by one.
const LISTED: usize = 12;

/// Which curves are shown.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Of this measure; all without it.
    pub measure: Option<String>,
    /// Of this variable; all without it.
    pub variable: Option<String>,
}

impl Selection {
    fn has(&self, columns: &CurveColumns) -> bool {
        let measure = match &self.measure {
            Some(measure) => *measure == columns.measure,
            // The rows that say the same in another way are there for those who ask for them.
            None => {
                [
                    "information",
                    "usable",
                    "usable-given",
                    "reconstruction",
                    "gradient-snr",
                    "typical-overlap",
                    "loss",
                    "accuracy",
                ]
                .contains(&columns.measure.as_str())
                    && columns.class.is_none()
                    && !is_accuracy_of_probe(columns)
            }
        };
        let variable = |wanted: &String| columns.variable.as_ref() == Some(wanted);
        measure && self.variable.as_ref().is_none_or(variable)
    }
}

/// Whether an accuracy is that of a probe, not the network's own.
fn is_accuracy_of_probe(columns: &CurveColumns) -> bool {
    columns.measure == "accuracy" && columns.tap.is_some()
}

/// The standard views, in lines of 80 columns at most: for one run each layer's course with its first, best and last value;
/// for several runs mean and spread at the steps that all have; then flags and failures of each.
///
/// # Errors
///
/// [`ReportError`] when a folder cannot be read, [`ReportError::NoCurves`] when nothing is selected.
pub fn show(runs: &Runs, selection: &Selection) -> Result<String, ReportError> {
    let curves: Vec<NamedCurve> =
        curves_of_runs(runs)?.into_iter().filter(|curve| selection.has(&curve.columns)).collect();
    // Where nothing was asked for, flags and failures say why there is nothing.
    if curves.is_empty() && (selection.measure.is_some() || selection.variable.is_some()) {
        return Err(ReportError::NoCurves {
            measure: selection.measure.clone().unwrap_or_else(|| "any measure".to_owned()),
            variable: selection.variable.clone(),
        });
    }
    let mut text = String::new();
    for (name, folder) in runs.runs() {
        text.push_str(&heading(name, folder)?);
    }
    text.push('\n');
    let units = units(runs)?;
    text.push_str(&if runs.runs().len() == 1 {
        of_one(&curves, &units)
    } else {
        of_several(&align(&curves), runs, &units)
    });
    for (name, folder) in runs.runs() {
        text.push_str(&flags(name, folder)?);
        text.push_str(&failures(name, folder)?);
    }
    Ok(text)
}

/// The unit of each measure.
fn units(runs: &Runs) -> Result<BTreeMap<String, String>, ReportError> {
    let network = [("loss", "nats"), ("accuracy", "fraction")];
    let mut units: BTreeMap<String, String> =
        network.into_iter().map(|(measure, unit)| (measure.to_owned(), unit.to_owned())).collect();
    for (_, folder) in runs.runs() {
        let rows = query(folder, "SELECT DISTINCT measure, unit FROM measurements")?;
        units.extend(
            rows.rows.iter().filter_map(|row| Some((row[0].as_str()?.to_owned(), row[1].as_str()?.to_owned()))),
        );
    }
    Ok(units)
}

/// What a run is: its checkpoints, and whether its binding is proven.
fn heading(name: &str, folder: &Folder) -> Result<String, ReportError> {
    let rows = query(folder, "SELECT MIN(step) AS first, MAX(step) AS last, COUNT(*) AS n FROM checkpoints")?;
    let whole = |place: usize| rows.rows.first().and_then(|row| row[place].as_i64()).unwrap_or(0);
    let (first, last, n) = (whole(0), whole(1), whole(2));
    let proof = query(folder, "SELECT largest_difference, holds FROM bindings WHERE role = 'proof'")?;
    let proven = match proof.rows.first() {
        Some(row) if row[1] == Value::Bool(true) => {
            format!("binding proven to {:.1e}", row[0].as_f64().unwrap_or(f64::NAN))
        }
        Some(_) => "binding DISPROVEN".to_owned(),
        None => "binding NOT PROVEN".to_owned(),
    };
    let facts = format!("{n} checkpoints, steps {first} to {last}; {proven}");
    Ok(format!("{}: {facts}\n", shortened(name, (WIDTH - 2).saturating_sub(facts.chars().count()))))
}

/// A table for each measure, a line for each layer.
fn of_one(curves: &[NamedCurve], units: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for group in by_measure(curves, |curve| &curve.columns) {
        let header = ["layer", "course", "first", "best", "at step", "last"].map(str::to_owned).to_vec();
        let falls = FALLING.contains(&group[0].columns.measure.as_str());
        let lines = group.iter().map(|curve| {
            let mut points = curve.points.clone();
            points.sort_by_key(|&(step, ..)| step);
            let values: Vec<Option<f64>> = points.iter().map(|&(_, value, _)| Some(value)).collect();
            let order = |a: f64, b: f64| if falls { b.total_cmp(&a) } else { a.total_cmp(&b) };
            // Of equally good ones the earliest.
            let best = points.iter().rev().max_by(|a, b| order(a.1, b.1)).expect("a curve has a point");
            let cell = |&(_, value, error): &(u64, f64, Option<f64>)| with_error(value, error);
            vec![
                layer(&curve.columns),
                sparkline(&values, BARS[0]),
                cell(&points[0]),
                cell(best),
                best.0.to_string(),
                cell(&points[points.len() - 1]),
            ]
        });
        let rows: Vec<Vec<String>> = [header].into_iter().chain(lines).collect();
        let _ = writeln!(text, "{}\n{}", title(&group[0].columns, units), aligned(&rows, &[1]));
    }
    text
}

/// A table for each measure, a line for each layer, of means over runs.
fn of_several(curves: &[Aligned], runs: &Runs, units: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for group in by_measure(curves, |curve| &curve.columns) {
        let header = ["layer", "mean", "first", "best", "at step", "last", "runs"].map(str::to_owned).to_vec();
        let falls = FALLING.contains(&group[0].columns.measure.as_str());
        let lines = group.iter().map(|curve| {
            let spreads = curve.spreads();
            let means: Vec<Option<f64>> = spreads.iter().map(|spread| Some(spread.mean)).collect();
            let order = |a: f64, b: f64| if falls { b.total_cmp(&a) } else { a.total_cmp(&b) };
            let best = spreads.iter().zip(&curve.steps).rev().max_by(|a, b| order(a.0.mean, b.0.mean));
            let cell = |spread: Option<&Spread>| {
                spread.map_or_else(|| "–".to_owned(), |spread| with_error(spread.mean, spread.deviation))
            };
            vec![
                layer(&curve.columns),
                sparkline(&means, BARS[1]),
                cell(spreads.first()),
                cell(best.map(|(spread, _)| spread)),
                best.map_or_else(|| "–".to_owned(), |(_, step)| step.to_string()),
                cell(spreads.last()),
                format!("{}", curve.runs.len()),
            ]
        });
        let rows: Vec<Vec<String>> = [header].into_iter().chain(lines).collect();
        let _ = write!(text, "{}\n{}", title(&group[0].columns, units), aligned(&rows, &[1]));
        text.push_str(&alignment(&group, runs));
        text.push('\n');
    }
    text
}

/// What the means are over.
fn alignment(group: &[&Aligned], runs: &Runs) -> String {
    let steps = group.iter().map(|curve| curve.steps.len()).min().unwrap_or(0);
    let left_out = group.iter().map(|curve| curve.n_left_out).max().unwrap_or(0);
    let lacking = group.iter().filter(|curve| curve.runs.len() < runs.runs().len()).count();
    let mut text = format!(" mean ± deviation over runs at the {steps} steps that all have");
    if left_out > 0 {
        let _ = write!(text, "; {left_out} steps left out");
    }
    if lacking > 0 {
        let _ = write!(text, ";\n {lacking} layers are not in every run");
    }
    text + "\n"
}

/// The curves of each measure with all its parameters, in the order in which they come.
fn by_measure<C>(curves: &[C], columns: impl Fn(&C) -> &CurveColumns) -> Vec<Vec<&C>> {
    let key = |curve: &C| CurveColumns { tap: None, tap_index: None, ..columns(curve).clone() };
    let mut groups: Vec<(CurveColumns, Vec<&C>)> = Vec::new();
    for curve in curves {
        let key = key(curve);
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.push(curve),
            None => groups.push((key, vec![curve])),
        }
    }
    let mut groups: Vec<Vec<&C>> = groups.into_iter().map(|(_, group)| group).collect();
    for group in &mut groups {
        group.sort_by_key(|curve| columns(curve).tap_index);
    }
    groups
}

fn title(columns: &CurveColumns, units: &BTreeMap<String, String>) -> String {
    let CurveColumns { measure, variable, given, class, estimator, .. } = columns;
    let mut words = vec![measure.clone()];
    words.extend(variable.iter().map(|variable| format!("of {variable}")));
    words.extend(given.iter().map(|given| format!("beyond {given}")));
    words.extend(class.iter().map(|class| format!("class {class}")));
    words.extend(estimator.iter().map(|estimator| format!("by {estimator}")));
    words.extend(units.get(measure).map(|unit| format!("({unit})")));
    shortened(&words.join(" "), WIDTH)
}

fn layer(columns: &CurveColumns) -> String {
    columns.tap.clone().unwrap_or_else(|| "(network)".to_owned())
}

fn with_error(value: f64, error: Option<f64>) -> String {
    match error {
        Some(error) => format!("{}±{}", number(value), short_error(error)),
        None => number(value),
    }
}

/// An error with as many decimals as its value has.
fn short_error(error: f64) -> String {
    match error {
        0.0 => "0".to_owned(),
        error if error < 1e-3 => format!("{error:.0e}"),
        error if error < 10.0 => format!("{error:.3}"),
        error => format!("{error:.0}"),
    }
}

/// How many values have which reason for doubt.
fn flags(name: &str, folder: &Folder) -> Result<String, ReportError> {
    let rows = query(folder, "SELECT flags, measure FROM measurements WHERE value IS NOT NULL")?;
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in &rows.rows {
        for flag in row[0].as_array().into_iter().flatten().filter_map(Value::as_str) {
            *counts.entry((flag, row[1].as_str().unwrap_or_default())).or_default() += 1;
        }
    }
    if counts.is_empty() {
        return Ok(String::new());
    }
    let mut lines: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
    for ((flag, measure), count) in counts {
        let line = lines.entry(flag).or_default();
        line.0 += count;
        line.1.push(measure);
    }
    let mut text =
        format!("flags of {}, of {} values (the README says what they mean)\n", named(name), rows.rows.len());
    for (flag, (count, measures)) in lines {
        let line = format!("{flag}  {count}  {}", measures.join(", "));
        let _ = writeln!(text, " {}", shortened(&line, WIDTH - 1));
    }
    Ok(text + "\n")
}

/// What could not be had, and why: one line for each reason.
fn failures(name: &str, folder: &Folder) -> Result<String, ReportError> {
    let rows = query(folder, "SELECT error, step, what FROM failures ORDER BY step")?;
    if rows.rows.is_empty() {
        return Ok(format!("no failures in {}\n", named(name)));
    }
    let mut reasons: Vec<(&str, Vec<i64>)> = Vec::new();
    for row in &rows.rows {
        let (error, step) = (row[0].as_str().unwrap_or_default(), row[1].as_i64().unwrap_or(0));
        match reasons.iter_mut().find(|(other, _)| *other == error) {
            Some((_, steps)) => steps.push(step),
            None => reasons.push((error, vec![step])),
        }
    }
    let mut text = format!("failures of {}: {} (table `failures` has all)\n", named(name), rows.rows.len());
    for (error, steps) in reasons.iter().take(LISTED) {
        let count = if steps.len() > 1 { format!(" ({} times)", steps.len()) } else { String::new() };
        text.push_str(&wrapped(&format!("step {}{count}: {error}", steps[0])));
    }
    if reasons.len() > LISTED {
        let _ = writeln!(text, " and {} other reasons", reasons.len() - LISTED);
    }
    Ok(text)
}

fn named(name: &str) -> String {
    shortened(name, WIDTH / 4)
}

/// Words in lines of 80 columns at most; a path that is longer is cut.
fn wrapped(text: &str) -> String {
    let letters: Vec<Vec<char>> = text.split_whitespace().map(|word| word.chars().collect()).collect();
    let mut lines = vec![String::new()];
    for word in letters.iter().flat_map(|word| word.chunks(WIDTH - 2)) {
        let last = lines.last_mut().expect("there is a line");
        if !last.is_empty() && last.chars().count() + 1 + word.len() > WIDTH - 2 {
            lines.push(word.iter().collect());
        } else {
            last.extend((!last.is_empty()).then_some(' ').into_iter().chain(word.iter().copied()));
        }
    }
    lines.iter().flat_map(|line| [" ", line.as_str(), "\n"]).collect()
}
