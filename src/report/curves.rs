//! Curves over training: those of a result folder, and those in other people's files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde_json::Value;

use super::query::{parquet, query_each};
use super::{Answer, ReportError, query};
use crate::dynamics::{Curve, CurveError, thin};
use crate::table::{CurveColumns, Folder};

/// Checkpoints that curves are drawn through at most: finding where they turn takes the square of that.
const MOST: usize = 2_000;

/// A curve that is not checked yet, with what it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedCurve {
    /// What it is of.
    pub columns: CurveColumns,
    /// Step, value and standard error of each checkpoint that has a value.
    pub points: Vec<(u64, f64, Option<f64>)>,
    /// The steps whose value hangs on one held-out sample, as its flag says.
    pub doubtful: Vec<u64>,
    /// How many checkpoints there are, where points were taken of only some of them.
    pub thinned_from: Option<usize>,
}

impl NamedCurve {
    /// The curve, in the order of the steps, without those whose value hangs on one sample.
    ///
    /// # Errors
    ///
    /// [`CurveError`].
    pub fn curve(&self) -> Result<Curve, CurveError> {
        Curve::new(self.points.iter().copied().filter(|(step, ..)| !self.doubtful.contains(step)))
    }
}

/// Which columns of a file make curves.
#[derive(Clone, Debug)]
pub struct Columns {
    /// The column of the step.
    pub step: String,
    /// The columns of values: each makes curves of its own.
    pub values: Vec<String>,
    /// Their standard errors, as many, or none.
    pub std_errors: Vec<String>,
    /// The columns whose values tell curves apart.
    pub by: Vec<String>,
}

/// The curves of a result folder: every measure of every layer, and the network's own loss and accuracy.
///
/// `usable-curve` is left out: it has several values a checkpoint. Of more than 2,000 checkpoints so many are taken, evenly
/// over ln(1 + step) and the same for all curves.
///
/// # Errors
///
/// [`ReportError`] when the folder cannot be read.
pub fn curves(folder: &Folder) -> Result<Vec<NamedCurve>, ReportError> {
    let mut network = query(folder, "SELECT step, run, loss, accuracy, n_samples FROM checkpoints")?;
    let steps: Vec<u64> = network.rows.iter().filter_map(|row| row[0].as_u64()).collect();
    let kept = thin(&steps, MOST);
    let thinned_from = (kept.len() < steps.len()).then_some(steps.len());
    let mut only = String::new();
    if thinned_from.is_some() {
        network.rows.retain(|row| row[0].as_u64().is_some_and(|step| kept.binary_search(&step).is_ok()));
        let numbers: Vec<String> = kept.iter().map(u64::to_string).collect();
        only = format!(" AND step IN ({})", numbers.join(", "));
    }
    let mut all = Vec::new();
    for (measure, place) in [("loss", 2), ("accuracy", 3)] {
        let points = network.rows.iter().filter_map(|row| {
            let value = row[place].as_f64()?;
            let binomial = (value * (1.0 - value) / row[4].as_f64()?).sqrt();
            Some((row[0].as_u64()?, value, (measure == "accuracy").then_some(binomial)))
        });
        let points: Vec<_> = points.collect();
        if let (Some(first), false) = (network.rows.first(), points.is_empty()) {
            let run = first[1].as_str().unwrap_or_default().to_owned();
            all.push(NamedCurve {
                columns: CurveColumns { run, measure: measure.to_owned(), ..CurveColumns::default() },
                points,
                doubtful: Vec::new(),
                thinned_from: None,
            });
        }
    }
    let mut measured = Measured::default();
    let sql = format!(
        "SELECT step, value, std_error, flags, run, tap, tap_index, measure, variable, given, class, subset, estimator, \
         parameters FROM measurements WHERE value IS NOT NULL AND measure <> 'usable-curve'{only}"
    );
    query_each(folder, &sql, |row| measured.take(&row))?;
    all.extend(measured.curves);
    for curve in &mut all {
        curve.thinned_from = thinned_from;
    }
    Ok(all)
}

/// The curves of rows of step, value, standard error, flags, and what the value is of.
#[derive(Default)]
struct Measured {
    curves: Vec<NamedCurve>,
    places: HashMap<Vec<Value>, usize>,
}

impl Measured {
    fn take(&mut self, row: &[Value]) {
        let Some((step, value)) = row[0].as_u64().zip(row[1].as_f64()) else { return };
        let place = self.places.get(&row[4..]).copied().unwrap_or_else(|| {
            self.places.insert(row[4..].to_vec(), self.curves.len());
            self.curves.push(curve_of(row));
            self.curves.len() - 1
        });
        let curve = &mut self.curves[place];
        curve.points.push((step, value, row[2].as_f64()));
        if row[3].as_array().into_iter().flatten().any(|flag| flag == "one-sample-decides") {
            curve.doubtful.push(step);
        }
    }
}

/// A curve without points, of what a row is of.
fn curve_of(row: &[Value]) -> NamedCurve {
    let text = |place: usize| row[place].as_str().map(str::to_owned);
    NamedCurve {
        columns: CurveColumns {
            run: text(4).unwrap_or_default(),
            tap: text(5),
            tap_index: row[6].as_u64(),
            measure: text(7).unwrap_or_default(),
            variable: text(8),
            given: text(9),
            class: text(10),
            subset: text(11),
            estimator: text(12),
            parameters: text(13),
        },
        points: Vec::new(),
        doubtful: Vec::new(),
        thinned_from: None,
    }
}

/// The curves of a `.csv` file with a header, or of a `.parquet` file.
///
/// Cells that are empty or not a number make no point. Of more than 2,000 steps so many are taken.
///
/// # Errors
///
/// [`ReportError::Curves`] with the column or the line that is at fault.
pub fn curves_of_file(path: &Path, columns: &Columns) -> Result<Vec<NamedCurve>, ReportError> {
    let fail = |reason: String| ReportError::Curves { path: path.to_owned(), reason };
    let table = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => comma_separated(path).map_err(&fail)?,
        Some("parquet") => parquet(path).map_err(|error| fail(error.to_string()))?,
        _ => {
            return Err(fail("found neither a result folder nor a file named `.csv` or `.parquet`".to_owned()));
        }
    };
    let find = |name: &String| {
        table.column(name).ok_or_else(|| {
            fail(format!(
                "found no column `{name}`, needed one of: {}; name it with an option",
                table.columns.join(", ")
            ))
        })
    };
    let step = find(&columns.step)?;
    let values = columns.values.iter().map(&find).collect::<Result<Vec<_>, _>>()?;
    let errors = columns.std_errors.iter().map(&find).collect::<Result<Vec<_>, _>>()?;
    let by = columns.by.iter().map(&find).collect::<Result<Vec<_>, _>>()?;
    if values.is_empty() || !errors.is_empty() && errors.len() != values.len() {
        return Err(fail(format!(
            "found {} columns of values and {} of standard errors, needed one `--value` at least, and as many \
             `--std-error` or none",
            values.len(),
            errors.len()
        )));
    }
    let run = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut all: Vec<NamedCurve> = Vec::new();
    for (index, &value) in values.iter().enumerate() {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (line, row) in table.rows.iter().enumerate() {
            let Some(number) = number(&row[value]) else { continue };
            let at = whole(&row[step]).ok_or_else(|| {
                let (found, name) = (plain(&row[step]), &columns.step);
                fail(format!("row {}: found `{found}` in column `{name}`, needed a step: a whole number", line + 1))
            })?;
            let key = by.iter().map(|&place| plain(&row[place])).collect::<Vec<_>>().join(", ");
            let place = *places.entry(key.clone()).or_insert_with(|| {
                let tap = (!by.is_empty()).then_some(key);
                let measure = columns.values[index].clone();
                let columns = CurveColumns { run: run.clone(), tap, measure, ..CurveColumns::default() };
                all.push(NamedCurve { columns, points: Vec::new(), doubtful: Vec::new(), thinned_from: None });
                all.len() - 1
            });
            all[place].points.push((at, number, errors.get(index).and_then(|&place| self::number(&row[place]))));
        }
    }
    let steps: BTreeSet<u64> = all.iter().flat_map(|curve| curve.points.iter().map(|point| point.0)).collect();
    let steps: Vec<u64> = steps.into_iter().collect();
    let kept = thin(&steps, MOST);
    if kept.len() < steps.len() {
        for curve in &mut all {
            curve.points.retain(|point| kept.binary_search(&point.0).is_ok());
            curve.thinned_from = Some(steps.len());
        }
    }
    Ok(all)
}

fn comma_separated(path: &Path) -> Result<Answer, String> {
    let mut reader = csv::Reader::from_path(path).map_err(|error| error.to_string())?;
    let columns = reader.headers().map_err(|error| error.to_string())?.iter().map(str::to_owned).collect();
    let rows = reader.records().map(|record| {
        let record = record.map_err(|error| error.to_string())?;
        Ok(record.iter().map(|cell| Value::String(cell.trim().to_owned())).collect())
    });
    Ok(Answer { columns, rows: rows.collect::<Result<_, String>>()? })
}

/// A finite number, also one in text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|number: &f64| number.is_finite())
}

/// A whole number, also one written as `1e3`.
fn whole(value: &Value) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    let exact =
        |number: f64| (number >= 0.0 && number < 2_f64.powi(53) && number.fract() == 0.0).then_some(number as u64);
    value.as_u64().or_else(|| number(value).and_then(exact))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_hangs_on_one_sample_is_no_point_of_a_curve() {
        let row = |step: u64, value: f64, flags: &[&str]| {
            let mut row = vec![json!(step), json!(value), json!(0.1), json!(flags), json!("a"), json!("h"), json!(2)];
            row.extend(["reconstruction", "input"].map(Value::from));
            row.extend([Value::Null, Value::Null, Value::Null, json!("mlp"), json!("{}")]);
            row
        };
        let rows = [row(4, 1.0, &[]), row(0, 2.0, &["constant-units"]), row(2, 332.0, &["one-sample-decides"])];
        let of_rows = |rows: &[Vec<Value>]| {
            let mut measured = Measured::default();
            for row in rows {
                measured.take(row);
            }
            measured.curves
        };
        let curves = of_rows(&[&rows[..], &[row(8, 3.0, &[])]].concat());
        assert_eq!((curves.len(), curves[0].points.len(), curves[0].doubtful.as_slice()), (1, 4, [2].as_slice()));
        assert_eq!(curves[0].curve().unwrap().steps(), [0, 4, 8]);
        // Too few are left.
        assert_eq!(of_rows(&rows)[0].curve(), Err(CurveError::TooFew { found: 2 }));
    }

    #[test]
    fn of_very_many_checkpoints_some_are_taken_and_that_is_told() {
        let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        let line = |step: u64| format!("{step},{}\n", if step < 30_000 { 1.0 } else { 3.0 });
        let lines: String = (0..10_000).map(|place| line(place * 10)).collect();
        std::io::Write::write_all(&mut file, format!("step,loss\n{lines}").as_bytes()).unwrap();
        let columns =
            Columns { step: "step".to_owned(), values: vec!["loss".to_owned()], std_errors: vec![], by: vec![] };
        let curves = curves_of_file(file.path(), &columns).unwrap();
        assert_eq!((curves.len(), curves[0].thinned_from), (1, Some(10_000)));
        assert!((1_800..=MOST).contains(&curves[0].points.len()), "{}", curves[0].points.len());
        let found = super::super::phases(&curves, &super::super::PhaseSettings::default());
        let jump = found.phases.iter().find(|row| row.method == "change-points" && row.from_step > 0).unwrap();
        // Checkpoints that were taken lie less than one part in a hundred apart by then.
        assert!((30_000..30_300).contains(&jump.from_step), "{jump:?}");
        assert!(jump.settings.contains(r#""thinned_from":10000"#), "{}", jump.settings);
    }
}
