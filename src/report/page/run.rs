//! What the tables of one result folder hold for the page.

use std::collections::BTreeMap;

use serde_json::Value;

use super::curve::{Measure, Point, Series, network};
use crate::report::title::titles;
use crate::report::{Answer, ReportError, query};
use crate::table::{CurveColumns, Folder};

/// One result folder, read.
#[derive(Clone, Debug)]
pub(in crate::report) struct Run {
    /// What tells the run from the others of the page.
    pub name: String,
    /// The steps of its checkpoints, those that failed among them.
    pub steps: Vec<u64>,
    /// The samples that were replayed.
    pub n_samples: u64,
    /// The layers, in graph order.
    pub taps: Vec<String>,
    /// The network's own loss and accuracy, where they are known.
    pub network: Vec<Measure>,
    /// The measures, in the order of the pipeline file.
    pub measures: Vec<Measure>,
    /// The table `phases`; empty where it is not there yet.
    pub phases: Answer,
    /// The table `lags`; likewise.
    pub lags: Answer,
    /// How many rows carry each flag, and which measures they are of.
    pub flags: BTreeMap<String, (usize, Vec<String>)>,
    /// Rows with a value, and rows without.
    pub rows: (usize, usize),
    /// Rows with a flag.
    pub flagged: usize,
    /// Why rows have no value: the reason, what it is about, and how many rows.
    pub failures: Vec<(String, String, usize)>,
    /// What the parts say of where they come from.
    pub provenance: BTreeMap<String, String>,
    /// The folder.
    pub folder: Folder,
}

impl Run {
    /// Reads a result folder.
    ///
    /// # Errors
    ///
    /// [`ReportError`] when it cannot be read.
    pub(in crate::report) fn read(name: &str, folder: &Folder) -> Result<Self, ReportError> {
        let checkpoints = query(folder, "SELECT step, loss, accuracy, n_samples, flags, error, file FROM checkpoints")?;
        let rows = query(
            folder,
            "SELECT step, tap, tap_index, run, measure, variable, given, class, estimator, parameters, unit, value, \
             std_error, interval_low, interval_high, flags, error, null_high, subset FROM measurements \
             WHERE measure <> 'usable-curve'",
        )?;
        let mut run = Self {
            name: name.to_owned(),
            steps: checkpoints.rows.iter().filter_map(|row| row[0].as_u64()).collect(),
            n_samples: checkpoints.rows.iter().filter_map(|row| row[3].as_u64()).max().unwrap_or(0),
            taps: Vec::new(),
            network: network(&checkpoints),
            measures: Vec::new(),
            phases: of_series(folder, "phases")?,
            lags: of_series(folder, "lags")?,
            flags: BTreeMap::new(),
            rows: (0, 0),
            flagged: 0,
            failures: Vec::new(),
            provenance: folder.metadata()?,
            folder: folder.clone(),
        };
        let mut taps: BTreeMap<u64, String> = BTreeMap::new();
        for row in &rows.rows {
            taps.insert(row[2].as_u64().unwrap_or(0), text(&row[1]).unwrap_or_default());
        }
        run.taps = taps.into_values().collect();
        run.take(&rows);
        let of_checkpoints = checkpoints.rows.iter().filter_map(|row| {
            let whole = format!("checkpoint `{}`, step {}", row[6].as_str().unwrap_or_default(), row[0]);
            Some((text(&row[5])?, whole, 1))
        });
        run.failures.splice(0..0, of_checkpoints);
        run.count_flags(checkpoints.rows.iter().map(|row| (&row[4], "checkpoints")));
        Ok(run)
    }

    /// A measure's series by what it is of.
    pub(in crate::report) fn measure(&self, key: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| measure.key == key)
    }

    /// Sorts the rows of measures into series.
    fn take(&mut self, rows: &Answer) {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut failures: BTreeMap<(String, String), usize> = BTreeMap::new();
        for row in &rows.rows {
            let of = [4, 5, 6, 7, 9].map(|place| &row[place]);
            let key = serde_json::to_string(&of).expect("values can be written as JSON");
            let place = *places.entry(key.clone()).or_insert_with(|| {
                let columns = CurveColumns {
                    measure: text(&row[4]).unwrap_or_default(),
                    variable: text(&row[5]),
                    given: text(&row[6]),
                    class: text(&row[7]),
                    subset: text(&row[18]),
                    estimator: text(&row[8]),
                    parameters: text(&row[9]),
                    ..CurveColumns::default()
                };
                let unit = text(&row[10]).unwrap_or_default();
                let blank = Series { points: Vec::new() };
                let series = vec![blank; self.taps.len()];
                self.measures.push(Measure { key, title: String::new(), columns, unit, series });
                self.measures.len() - 1
            });
            let flagged = row[15].as_array().is_some_and(|flags| !flags.is_empty());
            let measure = &mut self.measures[place];
            let tap = self.taps.iter().position(|tap| row[1].as_str() == Some(tap)).unwrap_or(0);
            if let (Some(step), Some(value)) = (row[0].as_u64(), row[11].as_f64()) {
                let [std_error, low, high, null_high] = [12, 13, 14, 17].map(|place| row[place].as_f64());
                let interval = low.zip(high);
                measure.series[tap].points.push(Point { step, value, std_error, interval, null_high, flagged });
                self.rows.0 += 1;
                self.flagged += usize::from(flagged);
            } else {
                let reason = text(&row[16]).unwrap_or_default();
                let about = format!("{} at {}", measure.columns.measure, self.taps[tap]);
                *failures.entry((reason, about)).or_default() += 1;
                self.rows.1 += 1;
            }
        }
        let columns: Vec<CurveColumns> = self.measures.iter().map(|measure| measure.columns.clone()).collect();
        for (measure, title) in self.measures.iter_mut().zip(titles(&columns)) {
            measure.title = title;
        }
        self.failures = failures.into_iter().map(|((reason, about), count)| (reason, about, count)).collect();
        self.count_flags(rows.rows.iter().map(|row| (&row[15], row[4].as_str().unwrap_or_default())));
    }

    fn count_flags<'r>(&mut self, rows: impl Iterator<Item = (&'r Value, &'r str)>) {
        for (flags, measure) in rows {
            for flag in flags.as_array().into_iter().flatten().filter_map(Value::as_str) {
                let (count, measures) = self.flags.entry(flag.to_owned()).or_default();
                *count += 1;
                if !measures.iter().any(|found| found == measure) {
                    measures.push(measure.to_owned());
                }
            }
        }
    }
}

/// All rows of a table about the whole series; none where it is not there.
fn of_series(folder: &Folder, table: &str) -> Result<Answer, ReportError> {
    if folder.tables_of_series().any(|found| found == table) {
        return query(folder, &format!("SELECT * FROM {table}"));
    }
    Ok(Answer { columns: Vec::new(), rows: Vec::new() })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
