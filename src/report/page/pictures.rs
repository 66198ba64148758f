//! Reconstructions as pictures: inputs beside what each layer gives back, and which positions it remembers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::image::{gray, share};
use super::number::percent;
use super::run::Run;
use crate::report::title::titles;
use crate::report::{Answer, ReportError, query};
use crate::table::CurveColumns;

/// Steps, and samples, that fit on a page side by side.
const MOST: usize = 6;

/// The pictures of one measure of reconstruction.
#[derive(Clone, Debug)]
pub(super) struct Pictures {
    /// What is rebuilt and how.
    pub title: String,
    /// How positions are laid out, in words.
    pub layout: String,
    /// The samples that were kept, by step; empty where none were.
    pub kept: Vec<Kept>,
    /// The steps of the memory maps.
    pub memory_steps: Vec<u64>,
    /// For each layer and step which part of the variance at each position is left unexplained; empty where it was not
    /// asked for.
    pub memory: Vec<Row>,
}

/// Samples beside what is rebuilt of them at one step.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub step: u64,
    pub samples: Vec<u64>,
    /// The targets, and what each layer makes of them.
    pub rows: Vec<Row>,
}

/// A line of pictures.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The layer, or `target`.
    pub name: String,
    /// Each picture as a `data:` address with what it says in words; none where there are no rows of it.
    pub cells: Vec<Option<(String, String)>>,
}

/// Values at the positions of one sample, or of none, at one step and layer.
type Places = BTreeMap<(u64, Option<u64>, u64), Vec<[f64; 4]>>;

/// All pictures of a run; none where its measures kept none.
///
/// # Errors
///
/// [`ReportError`] when the table cannot be read.
pub(super) fn pictures(run: &Run) -> Result<Vec<Pictures>, ReportError> {
    if !run.folder.tables().contains(&"positions") {
        return Ok(Vec::new());
    }
    let found = query(
        &run.folder,
        "SELECT variable, estimator, parameters, MAX(position) AS most FROM positions \
         GROUP BY variable, estimator, parameters ORDER BY parameters",
    )?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let columns = |row: &Vec<Value>| CurveColumns {
        measure: "reconstruction".to_owned(),
        variable: text(&row[0]),
        estimator: text(&row[1]),
        parameters: text(&row[2]),
        ..CurveColumns::default()
    };
    let columns: Vec<CurveColumns> = found.rows.iter().map(columns).collect();
    let measures = found.rows.iter().zip(titles(&columns));
    measures.map(|(row, title)| measure(run, title, &row[2], &row[3])).collect()
}

fn measure(run: &Run, title: String, parameters: &Value, most: &Value) -> Result<Pictures, ReportError> {
    let parameters = parameters.as_str().unwrap_or_default().replace('\'', "''");
    let of = format!("FROM positions WHERE parameters = '{parameters}'");
    let steps = |condition: &str| -> Result<Vec<u64>, ReportError> {
        let found = query(&run.folder, &format!("SELECT DISTINCT step {of} AND {condition} ORDER BY step"))?;
        let steps: Vec<u64> = found.rows.iter().filter_map(|row| row[0].as_u64()).collect();
        Ok(spread(&steps))
    };
    let memory_steps = steps("sample IS NULL")?;
    let kept_steps = steps("sample IS NOT NULL")?;
    let places = |steps: &[u64], condition: &str| -> Result<Places, ReportError> {
        if steps.is_empty() {
            return Ok(Places::new());
        }
        let list: Vec<String> = steps.iter().map(u64::to_string).collect();
        let sql = format!(
            "SELECT step, sample, tap_index, target, rebuilt, value, mean_predictor {of} AND {condition} \
             AND step IN ({}) ORDER BY step, tap_index, sample, position",
            list.join(", ")
        );
        Ok(by_picture(&query(&run.folder, &sql)?))
    };
    let of_means = places(&memory_steps, "sample IS NULL")?;
    let of_samples = places(&kept_steps, "sample IS NOT NULL")?;
    let (width, layout) = layout(usize::try_from(most.as_u64().unwrap_or(0)).unwrap_or(0) + 1);
    let memory = run.taps.iter().enumerate().map(|(tap, name)| {
        let cell = |&step: &u64| Some(map(of_means.get(&(step, None, tap as u64))?, width, name, step));
        Row { name: name.clone(), cells: memory_steps.iter().map(cell).collect() }
    });
    let memory = if memory_steps.is_empty() { Vec::new() } else { memory.collect() };
    let kept = kept_steps.iter().map(|&step| kept(&of_samples, &run.taps, step, width)).collect();
    Ok(Pictures { title, layout, kept, memory_steps, memory })
}

/// One line of inputs, and one for each layer of what it gives back.
fn kept(of_samples: &Places, taps: &[String], step: u64, width: usize) -> Kept {
    let own = of_samples.iter().filter(|((at, ..), _)| *at == step);
    let mut samples: Vec<u64> = own.clone().filter_map(|((_, sample, _), _)| *sample).collect();
    samples.sort_unstable();
    samples.dedup();
    samples.truncate(MOST);
    let first = |sample: u64| own.clone().find(|((_, found, _), _)| *found == Some(sample)).map(|(_, values)| values);
    // One scale a sample for what went in and what comes back, so that they can be compared by eye.
    let scale = |values: &[[f64; 4]]| {
        let all = values.iter().map(|place| place[0]);
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let targets = samples.iter().map(|&sample| {
        let values = first(sample)?;
        let target: Vec<f64> = values.iter().map(|place| place[0]).collect();
        Some((gray(&target, width, scale(values)), format!("sample {sample} as it went in")))
    });
    let mut rows = vec![Row { name: "target".to_owned(), cells: targets.collect() }];
    for (tap, name) in taps.iter().enumerate() {
        let cells = samples.iter().map(|&sample| {
            let values = of_samples.get(&(step, Some(sample), tap as u64))?;
            let rebuilt: Vec<f64> = values.iter().map(|place| place[1]).collect();
            Some((gray(&rebuilt, width, scale(values)), format!("sample {sample} rebuilt from {name} at step {step}")))
        });
        rows.push(Row { name: name.clone(), cells: cells.collect() });
    }
    Kept { step, samples, rows }
}

/// The part of the variance that is left unexplained at each position.
fn map(values: &[[f64; 4]], width: usize, tap: &str, step: u64) -> (String, String) {
    let shares: Vec<Option<f64>> =
        values.iter().map(|&[_, _, value, mean]| (mean > 0.0).then(|| value / mean)).collect();
    let known: Vec<f64> = shares.iter().flatten().copied().collect();
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    (share(&shares, width), format!("{tap} at step {step}: {} unexplained on average over positions", percent(mean)))
}

fn by_picture(answer: &Answer) -> Places {
    let mut places = Places::new();
    for row in &answer.rows {
        let (Some(step), Some(tap)) = (row[0].as_u64(), row[2].as_u64()) else { continue };
        let values = [3, 4, 5, 6].map(|place| row[place].as_f64().unwrap_or(f64::NAN));
        places.entry((step, row[1].as_u64(), tap)).or_default().push(values);
    }
    places
}

/// How so many positions are laid out: the table does not tell the shape of the target.
fn layout(n_positions: usize) -> (usize, String) {
    let side = n_positions.isqrt();
    if side > 1 && side * side == n_positions {
        return (side, format!("{n_positions} positions, drawn as {side} × {side}"));
    }
    (n_positions, format!("{n_positions} positions, which make no square: drawn as one line"))
}

/// Up to [`MOST`] of some steps, evenly spread over their places, with both ends.
fn spread(steps: &[u64]) -> Vec<u64> {
    if steps.len() <= MOST {
        return steps.to_vec();
    }
    (0..MOST).map(|place| steps[place * (steps.len() - 1) / (MOST - 1)]).collect()
}
