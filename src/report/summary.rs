//! The table that a run ends with: what each layer knew, from the first step to the last.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

use super::title::titles;
use super::{Answer, ReportError, query};
use crate::table::{CurveColumns, Folder};

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
        "SELECT step, tap_index, tap, measure, variable, given, subset, estimator, unit, parameters, value, std_error, flags \
         FROM measurements WHERE measure IN ('information', 'usable', 'usable-given', 'reconstruction', 'gradient-snr', \
         'mixture-snr', 'codebook-relevance', 'codebook-gap', 'typical-overlap') \
         ORDER BY step, tap_index",
    )?;
    let steps: Vec<i64> = checkpoints.rows.iter().filter_map(|row| row[0].as_i64()).collect();
    let shown = spread(&steps);
    let mut text = String::new();
    let column = |row: &[Value], name: &str| row[measurements.column(name).expect("the query names it")].clone();
    let word = |row: &[Value], name: &str| column(row, name).as_str().unwrap_or_default().to_owned();
    let groups = by_measure(&measurements);
    let named: Vec<CurveColumns> = groups
        .iter()
        .map(|rows| {
            let some = |name: &str| Some(word(rows[0], name)).filter(|word| !word.is_empty());
            CurveColumns {
                measure: word(rows[0], "measure"),
                variable: some("variable"),
                given: some("given"),
                subset: some("subset"),
                estimator: some("estimator"),
                parameters: some("parameters"),
                ..CurveColumns::default()
            }
        })
        .collect();
    for (rows, title) in groups.iter().zip(titles(&named)) {
        let title = format!("{title} ({})", word(rows[0], "unit"));
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
    text.push_str(&readable(folder)?);
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

/// How much of each label each layer makes available: sufficient for the task, minimal about all else.
fn readable(folder: &Folder) -> Result<String, ReportError> {
    let rows = query(
        folder,
        "SELECT step, tap_index, tap, variable, estimator, parameters, value, flags, subset FROM measurements \
         WHERE measure = 'usable-fraction' ORDER BY step, tap_index",
    )?;
    let word = |row: &[Value], place: usize| row[place].as_str().unwrap_or_default().to_owned();
    let mut columns: Vec<(&Value, String)> = Vec::new();
    let mut taps: BTreeMap<u64, String> = BTreeMap::new();
    for row in &rows.rows {
        if !columns.iter().any(|(parameters, _)| **parameters == row[5]) {
            let subset = row[8].as_str().map(|subset| format!(", {subset}")).unwrap_or_default();
            columns.push((&row[5], format!("{}, {}{subset}", word(row, 3), word(row, 4))));
        }
        taps.insert(row[1].as_u64().unwrap_or(0), word(row, 2));
    }
    if columns.is_empty() {
        return Ok(String::new());
    }
    let mut table = plain_table([String::new()].into_iter().chain(columns.iter().map(|(_, title)| title.clone())));
    for (index, tap) in &taps {
        let cells = columns.iter().map(|(parameters, _)| {
            let own = rows.rows.iter().filter(|row| row[1].as_u64() == Some(*index) && row[5] == **parameters);
            course(own)
        });
        table.add_row([tap.clone()].into_iter().chain(cells));
    }
    Ok(format!(
        "part of each label that is readable: the most, and at the last step (all of a task: sufficient; noise of \
         anything else: minimal)\n{}\n\n",
        lines(table)
    ))
}

/// The largest value of rows in the order of their steps, with its step, and the last one.
///
/// What does not rise above its null band is noise, as far as so many samples can tell.
fn course<'r>(rows: impl Iterator<Item = &'r Vec<Value>>) -> String {
    let rows: Vec<&Vec<Value>> = rows.collect();
    let part = |row: &[Value]| {
        let has = |name: &str| row[7].as_array().into_iter().flatten().any(|flag| flag == name);
        let doubtful = ["not-converged", "one-sample-decides", "few-samples-per-class"].into_iter().any(has);
        let mark = if doubtful { "*" } else { "" };
        match row[6].as_f64() {
            None => "–".to_owned(),
            Some(_) if has("within-null") => format!("noise{mark}"),
            Some(value) => format!("{:.0} %{mark}", 100.0 * value),
        }
    };
    let valued = rows.iter().filter_map(|row| Some((row[6].as_f64()?, row)));
    let most = valued.max_by(|a, b| a.0.total_cmp(&b.0));
    let (Some((_, most)), Some(last)) = (most, rows.last()) else { return "–".to_owned() };
    format!("{} at {}, {}", part(most), most[0], part(last))
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
    let [name, parameters] = ["measure", "parameters"].map(|column| answer.column(column).expect("the query names it"));
    let mut groups: Vec<([&Value; 2], Vec<&[Value]>)> = Vec::new();
    for row in &answer.rows {
        let own = [&row[name], &row[parameters]];
        match groups.iter_mut().find(|(other, _)| *other == own) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((own, vec![row])),
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
fn table(title: &str, steps: &[i64], rows: impl Iterator<Item = (String, Vec<String>)>) -> String {
    let header = [String::new()].into_iter().chain(steps.iter().map(|step| format!("step {step}")));
    let mut table = plain_table(header);
    for (name, cells) in rows {
        table.add_row([name].into_iter().chain(cells));
    }
    format!("{title}\n{}\n\n", lines(table))
}

fn plain_table(header: impl Iterator<Item = String>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(header);
    table
}

/// The lines of a table of which all but the first column are numbers.
fn lines(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Up to [`COLUMNS`] steps, evenly spread over their places in the series, with both ends.
fn spread(steps: &[i64]) -> Vec<i64> {
    if steps.len() <= COLUMNS {
        return steps.to_vec();
    }
    (0..COLUMNS).map(|place| steps[place * (steps.len() - 1) / (COLUMNS - 1)]).collect()
}
