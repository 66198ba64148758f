//! The table that a run ends with: what each layer knew, from the first step to the last.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

use super::{Answer, ReportError, query};
use crate::table::Folder;

/// Steps that fit side by side on eighty columns.
const COLUMNS: usize = 6;

/// What each layer knew: for each measure a table of layers × steps, and the network's own loss.
///
/// A `*` marks values with flags, a dash values that are missing; `infoplane query` tells why.
///
/// # Errors
///
/// [`ReportError`] when the folder holds no whole results.
pub fn summary(folder: &Folder) -> Result<String, ReportError> {
    let checkpoints = query(folder, "SELECT step, loss, accuracy, unchanged FROM checkpoints ORDER BY step")?;
    let measurements = query(
        folder,
        "SELECT step, tap_index, tap, measure, variable, estimator, unit, parameters, value, std_error, flags \
         FROM measurements ORDER BY step, tap_index",
    )?;
    let steps: Vec<i64> = checkpoints.rows.iter().filter_map(|row| row[0].as_i64()).collect();
    let shown = spread(&steps);
    let mut text = String::new();
    for rows in by_measure(&measurements) {
        let column = |row: &[Value], name: &str| row[measurements.column(name).expect("the query names it")].clone();
        let word = |row: &[Value], name: &str| column(row, name).as_str().unwrap_or_default().to_owned();
        let first = rows[0];
        let title =
            title(&word(first, "measure"), &word(first, "variable"), &word(first, "estimator"), &word(first, "unit"));
        let mut taps: Vec<(u64, String)> =
            rows.iter().map(|row| (column(row, "tap_index").as_u64().unwrap_or(0), word(row, "tap"))).collect();
        taps.sort();
        taps.dedup();
        let lines = taps.into_iter().map(|(_, tap)| {
            let cells = shown.iter().map(|&step| {
                let row = rows.iter().find(|row| row[0].as_i64() == Some(step) && word(row, "tap") == tap);
                row.map_or_else(
                    || "–".to_owned(),
                    |row| cell(&column(row, "value"), &column(row, "std_error"), &column(row, "flags")),
                )
            });
            (tap.clone(), cells.collect())
        });
        text.push_str(&table(&title, &shown, lines));
    }
    let place = |step: i64| checkpoints.rows.iter().find(|row| row[0].as_i64() == Some(step));
    if checkpoints.rows.iter().any(|row| !row[1].is_null()) {
        let lines = [("loss (nats)", 1), ("accuracy", 2)].map(|(name, column)| {
            let cells = shown.iter().map(|&step| {
                place(step).map_or_else(|| "–".to_owned(), |row| cell(&row[column], &Value::Null, &Value::Null))
            });
            (name.to_owned(), cells.collect())
        });
        text.push_str(&table("the network itself", &shown, lines.into_iter()));
    }
    text.push_str(&frozen(&checkpoints));
    text.push_str(&legend(&measurements));
    Ok(text)
}

/// The tensors that no checkpoint changes.
fn frozen(checkpoints: &Answer) -> String {
    let place = checkpoints.column("unchanged").expect("the query names it");
    let lists = checkpoints.rows.iter().skip(1).map(|row| {
        let names = row[place].as_array().into_iter().flatten().filter_map(Value::as_str);
        names.collect::<BTreeSet<&str>>()
    });
    let always = lists.reduce(|always, list| &always & &list).unwrap_or_default();
    if always.is_empty() {
        return String::new();
    }
    format!("frozen over the whole run: {}\n\n", always.into_iter().collect::<Vec<_>>().join(", "))
}

/// The rows of each measure with all its parameters, in the order of the pipeline file.
fn by_measure(answer: &Answer) -> Vec<Vec<&[Value]>> {
    let place = answer.column("parameters").expect("the query names it");
    let mut groups: Vec<(&Value, Vec<&[Value]>)> = Vec::new();
    for row in &answer.rows {
        match groups.iter_mut().find(|(parameters, _)| **parameters == row[place]) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((&row[place], vec![row])),
        }
    }
    groups.into_iter().map(|(_, rows)| rows).collect()
}

/// What the flags are that a `*` stands for, and how many values have each.
fn legend(answer: &Answer) -> String {
    let place = answer.column("flags").expect("the query names it");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for flag in answer.rows.iter().filter_map(|row| row[place].as_array()).flatten().filter_map(Value::as_str) {
        *counts.entry(flag).or_default() += 1;
    }
    if counts.is_empty() {
        return String::new();
    }
    let flags: Vec<String> = counts.iter().map(|(flag, count)| format!("{flag} ({count})")).collect();
    format!("* flagged, of {} values: {}\n\n", answer.rows.len(), flags.join(", "))
}

fn title(measure: &str, variable: &str, estimator: &str, unit: &str) -> String {
    match measure {
        "information" if variable == "input" => format!("I(X;T), {estimator} ({unit})"),
        "information" => format!("I(T;{variable}), {estimator} ({unit})"),
        "usable" => format!("usable, {variable}, {estimator} ({unit})"),
        _ => format!("{measure}, {estimator} ({unit})"),
    }
}

fn cell(value: &Value, std_error: &Value, flags: &Value) -> String {
    let Some(value) = value.as_f64() else { return "–".to_owned() };
    let mark = if flags.as_array().is_some_and(|flags| !flags.is_empty()) { "*" } else { "" };
    match std_error.as_f64() {
        // Two decimals tell nothing of small values: those in their own power of ten, without the error.
        Some(_) if value != 0.0 && value.abs() < 0.1 => format!("{value:.1e}{mark}"),
        Some(error) => format!("{value:.2}±{error:.2}{mark}"),
        None => format!("{value:.3}{mark}"),
    }
}

/// A title, and below it a table of layers × steps.
fn table(title: &str, steps: &[i64], lines: impl Iterator<Item = (String, Vec<String>)>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([String::new()].into_iter().chain(steps.iter().map(|step| format!("step {step}"))));
    for (name, cells) in lines {
        table.add_row([name].into_iter().chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{title}\n{}\n\n", lines.join("\n"))
}

/// Up to [`COLUMNS`] steps, evenly spread over their places in the series, with both ends.
fn spread(steps: &[i64]) -> Vec<i64> {
    if steps.len() <= COLUMNS {
        return steps.to_vec();
    }
    (0..COLUMNS).map(|place| steps[place * (steps.len() - 1) / (COLUMNS - 1)]).collect()
}
