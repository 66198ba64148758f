//! The rows that a query gives: as a table, CSV or JSON.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Map, Value};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for people.
    Table,
    /// Comma-separated values with a header; lists are JSON.
    Csv,
    /// One JSON array of objects.
    Json,
}

/// The rows that a query gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The values of each row, in the order of the columns.
    pub rows: Vec<Vec<Value>>,
}

impl Answer {
    /// Writes the rows.
    ///
    /// # Errors
    ///
    /// Whatever the writer says.
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Table => writeln!(out, "{}", self.table()),
            Format::Csv => self.write_csv(out),
            Format::Json => {
                let objects: Vec<Value> = self.rows.iter().map(|row| Value::Object(self.object(row))).collect();
                serde_json::to_writer_pretty(&mut *out, &objects)?;
                writeln!(out)
            }
        }
    }

    /// The place of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    fn object(&self, row: &[Value]) -> Map<String, Value> {
        self.columns.iter().cloned().zip(row.iter().cloned()).collect()
    }

    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(&self.columns)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(plain))?;
        }
        writer.flush()
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(&self.columns);
        for row in &self.rows {
            table.add_row(row.iter().map(rounded));
        }
        let is_number = |place: usize| self.rows.iter().all(|row| row[place].is_number() || row[place].is_null());
        let numeric: Vec<usize> = (0..self.columns.len()).filter(|&place| is_number(place)).collect();
        for place in numeric {
            if let Some(column) = table.column_mut(place) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

/// A value as text: numbers in full, nothing for null.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value as people read it: six digits, lists with commas.
fn rounded(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            if number != 0.0 && (number.abs() < 1e-3 || number.abs() >= 1e6) {
                format!("{number:.5e}")
            } else {
                format!("{number:.6}")
            }
        }
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => plain(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(format: Format) -> String {
        let answer = Answer {
            columns: vec!["step".to_owned(), "flags".to_owned(), "value".to_owned()],
            rows: vec![vec![json!(1), json!(["a", "b"]), json!(0.1)], vec![json!(2), json!([]), Value::Null]],
        };
        let mut out = Vec::new();
        answer.write(format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_quotes_what_has_commas_and_leaves_null_empty() {
        assert_eq!(written(Format::Csv), "step,flags,value\n1,\"[\"\"a\"\",\"\"b\"\"]\",0.1\n2,[],\n");
    }

    #[test]
    fn json_keeps_types_and_nulls() {
        let rows: Value = serde_json::from_str(&written(Format::Json)).unwrap();
        assert_eq!(
            rows,
            json!([{"step": 1, "flags": ["a", "b"], "value": 0.1}, {"step": 2, "flags": [], "value": null}])
        );
    }
}
