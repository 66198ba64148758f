//! SQL over a result folder: the only file that names `polars`.

use std::path::Path;

use polars::prelude::{
    AnyValue, IntoLazy, LazyFrame, PlRefPath, PolarsResult, ScanArgsParquet, Series, SortMultipleOptions, col,
};
use polars::sql::SQLContext;
use serde_json::{Number, Value};

use super::{Answer, ReportError};
use crate::table::Folder;

/// Answers a query over the tables of a folder, whose rows come in the order of the steps.
///
/// # Errors
///
/// [`ReportError::Query`] with what polars says.
pub fn query(folder: &Folder, sql: &str) -> Result<Answer, ReportError> {
    answer(folder, sql).map_err(|error| ReportError::Query { reason: error.to_string() })
}

fn answer(folder: &Folder, sql: &str) -> PolarsResult<Answer> {
    let mut context = SQLContext::new();
    for table in folder.tables() {
        context.register(table, scan(folder, table)?);
    }
    for table in folder.tables_of_series() {
        let path = PlRefPath::try_from_path(&folder.table(table))?;
        context.register(table, LazyFrame::scan_parquet(path, ScanArgsParquet::default())?);
    }
    rows(context.execute(sql)?)
}

/// All rows of a Parquet file.
pub(super) fn parquet(path: &Path) -> PolarsResult<Answer> {
    rows(LazyFrame::scan_parquet(PlRefPath::try_from_path(path)?, ScanArgsParquet::default())?)
}

fn rows(frame: LazyFrame) -> PolarsResult<Answer> {
    let frame = frame.collect()?;
    let columns: Vec<String> = frame.get_column_names().iter().map(ToString::to_string).collect();
    let mut rows = vec![Vec::with_capacity(columns.len()); frame.height()];
    for column in frame.columns() {
        let series = column.as_materialized_series();
        for (row, value) in rows.iter_mut().zip(series.rechunk().iter()) {
            row.push(json(&value));
        }
    }
    Ok(Answer { columns, rows })
}

/// A table with `step` in front, sorted by it.
fn scan(folder: &Folder, table: &str) -> PolarsResult<LazyFrame> {
    let mut arguments = ScanArgsParquet::default();
    arguments.hive_options.enabled = Some(true);
    let path = PlRefPath::try_from_path(&folder.table(table))?;
    let mut frame = LazyFrame::scan_parquet(path, arguments)?;
    let names = frame.collect_schema()?.iter_names().filter(|name| *name != "step").cloned().collect::<Vec<_>>();
    let columns: Vec<_> = [col("step")].into_iter().chain(names.into_iter().map(col)).collect();
    let sorted = frame.select(columns).sort(["step"], SortMultipleOptions::default().with_maintain_order(true));
    // Collected here, so that no optimization of the query loses the order.
    Ok(sorted.collect()?.lazy())
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
