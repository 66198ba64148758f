//! SQL over a result folder: the only file that names `polars`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use polars::prelude::{
    AnyValue, DataFrame, DataType, LazyFrame, ParquetWriter, PlRefPath, PolarsResult, ScanArgsParquet, Series,
    UnionArgs, col, concat, lit, polars_err,
};
use polars::sql::SQLContext;
use serde_json::{Number, Value};

use super::{Answer, ReportError, Runs};
use crate::table::Folder;

/// What the path of a part is called while its step is taken from it.
const PATH: &str = "path of the part";

/// Answers a query over the tables of a folder, whose rows come in the order of the steps.
///
/// # Errors
///
/// [`ReportError::Query`] with what polars says.
pub fn query(folder: &Folder, sql: &str) -> Result<Answer, ReportError> {
    let folders = [(None, folder)];
    execute(&folders, sql).and_then(rows).map_err(|error| failed(&folders, &error))
}

/// As [`query`], for more rows than should lie in memory as an [`Answer`].
///
/// # Errors
///
/// [`ReportError::Query`] with what polars says.
pub(super) fn query_each(folder: &Folder, sql: &str, take: impl FnMut(Vec<Value>)) -> Result<(), ReportError> {
    let folders = [(None, folder)];
    let frame = execute(&folders, sql).and_then(LazyFrame::collect).map_err(|error| failed(&folders, &error))?;
    for_each(&frame, take);
    Ok(())
}

/// Answers a query over the tables of one run, or of several on top of each other, told apart by the column `run`.
///
/// # Errors
///
/// [`ReportError::Query`] with what polars says.
pub fn query_runs(runs: &Runs, sql: &str) -> Result<Answer, ReportError> {
    let folders = named(runs);
    execute(&folders, sql).and_then(rows).map_err(|error| failed(&folders, &error))
}

/// As [`query_runs`], written as a Parquet file with the types of its columns.
///
/// # Errors
///
/// [`ReportError::Query`], [`ReportError::Write`].
pub fn query_parquet(runs: &Runs, sql: &str, out: &mut dyn Write) -> Result<(), ReportError> {
    let folders = named(runs);
    let frame = execute(&folders, sql).and_then(LazyFrame::collect);
    let mut frame = frame.map_err(|error| failed(&folders, &error))?;
    let written = ParquetWriter::new(out).finish(&mut frame);
    written.map(drop).map_err(|error| ReportError::Write { reason: error.to_string() })
}

/// The folders, each with the name that replaces its own in the column `run`: none where there is but one.
fn named(runs: &Runs) -> Vec<(Option<&str>, &Folder)> {
    let several = runs.runs().len() > 1;
    runs.runs().iter().map(|(name, folder)| (several.then_some(name.as_str()), folder)).collect()
}

fn failed(folders: &[(Option<&str>, &Folder)], error: &impl ToString) -> ReportError {
    let tables = tables(folders).into_iter().map(str::to_owned).collect();
    ReportError::Query { reason: error.to_string(), tables }
}

/// The tables that any of the folders has.
fn tables(folders: &[(Option<&str>, &Folder)]) -> BTreeSet<&'static str> {
    let own = |(_, folder): &(Option<&str>, &Folder)| {
        folder
            .tables()
            .iter()
            .copied()
            .chain(folder.tables_of_series())
            .chain(folder.tables_of_processes())
            .collect::<Vec<_>>()
    };
    folders.iter().flat_map(own).collect()
}

fn execute(folders: &[(Option<&str>, &Folder)], sql: &str) -> PolarsResult<LazyFrame> {
    let mut context = SQLContext::new();
    for table in tables(folders) {
        let mut frames = Vec::new();
        for (name, folder) in folders {
            let by_step = folder.tables().contains(&table);
            let mut others = folder.tables_of_series().chain(folder.tables_of_processes());
            if !by_step && !others.any(|other| other == table) {
                continue;
            }
            let frame = if by_step {
                scan(folder, table)?
            } else {
                LazyFrame::scan_parquet(PlRefPath::try_from_path(&folder.table(table))?, plain())?
            };
            frames.push(match name {
                Some(name) => frame.with_columns([lit(*name).alias("run")]),
                None => frame,
            });
        }
        let frame = if frames.len() == 1 { frames.remove(0) } else { concat(frames, UnionArgs::default())? };
        context.register(table, frame);
    }
    context.execute(sql)
}

/// All rows of a Parquet file.
pub(super) fn parquet(path: &Path) -> PolarsResult<Answer> {
    rows(file(path)?)
}

fn rows(frame: LazyFrame) -> PolarsResult<Answer> {
    let frame = frame.collect()?;
    let columns = frame.get_column_names().iter().map(ToString::to_string).collect();
    let mut rows = Vec::with_capacity(frame.height());
    for_each(&frame, |row| rows.push(row));
    Ok(Answer { columns, rows })
}

fn for_each(frame: &DataFrame, mut take: impl FnMut(Vec<Value>)) {
    let columns: Vec<_> = frame.columns().iter().map(|column| column.as_materialized_series().rechunk()).collect();
    let mut columns: Vec<_> = columns.iter().map(Series::iter).collect();
    for _ in 0..frame.height() {
        take(columns.iter_mut().map(|column| column.next().map_or(Value::Null, |value| json(&value))).collect());
    }
}

/// A table with `step` in front, in the order of the steps; read as far as a query needs it.
fn scan(folder: &Folder, table: &str) -> PolarsResult<LazyFrame> {
    if let Some(whole) = folder.whole(table) {
        return file(&whole);
    }
    let parts = folder.parts_in_order(table).map_err(|error| polars_err!(ComputeError: "{error}"))?;
    let parts = parts.iter().map(|part| PlRefPath::try_from_path(part)).collect::<PolarsResult<Vec<_>>>()?;
    let arguments = ScanArgsParquet { include_file_paths: Some(PATH.into()), ..plain() };
    let mut frame = LazyFrame::scan_parquet_files(parts.into(), arguments)?;
    let names = frame.collect_schema()?.iter_names().filter(|name| *name != PATH).cloned().collect::<Vec<_>>();
    let step = col(PATH).str().extract(lit(r"step=(\d+)[/\\]part\.parquet$"), 1).cast(DataType::Int64).alias("step");
    let columns: Vec<_> = std::iter::once(step).chain(names.into_iter().map(col)).collect();
    Ok(frame.select(columns))
}

/// One Parquet file.
fn file(path: &Path) -> PolarsResult<LazyFrame> {
    LazyFrame::scan_parquet(PlRefPath::try_from_path(path)?, plain())
}

/// Files of just the columns that lie in them, whatever the folders above are called: brackets and stars stand for
/// themselves, and `step=9` is no column.
fn plain() -> ScanArgsParquet {
    let mut arguments = ScanArgsParquet { glob: false, ..ScanArgsParquet::default() };
    arguments.hive_options.enabled = Some(false);
    arguments
}

fn json(value: &AnyValue<'_>) -> Value {
    match value {
        AnyValue::Null => Value::Null,
        AnyValue::Boolean(value) => Value::Bool(*value),
        AnyValue::String(value) => Value::String((*value).to_owned()),
        AnyValue::StringOwned(value) => Value::String(value.to_string()),
        AnyValue::Float64(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
        AnyValue::Float32(value) => Number::from_f64(f64::from(*value)).map_or(Value::Null, Value::Number),
        AnyValue::List(series) => Value::Array(list(series)),
        AnyValue::UInt64(value) => (*value).into(),
        other => match other.extract::<i64>() {
            Some(value) if other.is_integer() => value.into(),
            _ => Value::String(other.to_string()),
        },
    }
}

fn list(series: &Series) -> Vec<Value> {
    series.iter().map(|value| json(&value)).collect()
}
