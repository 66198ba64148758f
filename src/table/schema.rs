//! The schema: every table and column, its type, unit, meaning and what a null says.
//!
//! It is made of the row types themselves, doc comments included, and everything else is made of it: the types in the
//! Parquet files, `infoplane schema`, and the tables of `docs/tables.md`.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use super::cells::About;
use super::row::{
    AgreementRow, BindingRow, CheckpointRow, FailureRow, LagRow, MeasurementRow, PhaseRow, PositionRow, Rows,
    SampleRow, TypicalityRow, UnitRow,
};

/// The version of the columns, in the metadata of every part.
pub const SCHEMA_VERSION: &str = "7";

/// A table.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// Its name: a folder below `data`, and a table of `infoplane query`.
    pub name: &'static str,
    /// What one row says.
    pub row: String,
    /// How its parts are cut.
    pub parts: Parts,
    /// Its columns, in their order; the first of those that are cut by step is in the path only.
    pub columns: Vec<Column>,
}

/// How a table is cut into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parts {
    /// One part a checkpoint, in every result folder: `step=500/part.parquet`.
    Checkpoint,
    /// One part a checkpoint, where a measure asks for it.
    CheckpointIfAsked,
    /// One part for the whole series: `part.parquet`.
    Series,
    /// One part for the whole series, where the pipeline asks for it.
    SeriesIfAsked,
    /// One part a process, below `metrics`: not the same from run to run.
    Process,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The unit of its values, where they have one.
    pub unit: Option<&'static str>,
    /// What a null says; none where there is never a null.
    pub null: Option<&'static str>,
    /// What its values are.
    pub meaning: String,
}

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// UTF-8.
    #[serde(rename = "string")]
    Text,
    /// A list of texts.
    #[serde(rename = "list<string>")]
    Texts,
    /// Double precision.
    #[serde(rename = "float64")]
    Real,
    /// A list of numbers in double precision.
    #[serde(rename = "list<float64>")]
    Reals,
    /// A signed integer.
    #[serde(rename = "int64")]
    Integer,
    /// An unsigned integer, of which any bit may be set.
    #[serde(rename = "uint64")]
    Id,
    /// True or false.
    #[serde(rename = "bool")]
    Truth,
}

impl Parts {
    /// Whether there is one part a checkpoint.
    #[must_use]
    pub fn are_by_step(self) -> bool {
        matches!(self, Self::Checkpoint | Self::CheckpointIfAsked)
    }

    /// Whether there is one part for the whole series.
    #[must_use]
    pub fn are_of_series(self) -> bool {
        matches!(self, Self::Series | Self::SeriesIfAsked)
    }
}

impl Kind {
    /// The name of the type, as Arrow has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Texts => "list<string>",
            Self::Real => "float64",
            Self::Reals => "list<float64>",
            Self::Integer => "int64",
            Self::Id => "uint64",
            Self::Truth => "bool",
        }
    }
}

impl Column {
    /// A column, which says what a null means just where there may be one.
    pub(super) fn new(about: About, kind: Kind, may_be_null: bool) -> Self {
        assert_eq!(about.null.is_some(), may_be_null, "column `{}`: `#[null]` goes with `Option`", about.name);
        let meaning = about.meaning.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { name: about.name, kind, unit: about.unit, null: about.null, meaning }
    }

    /// The step of the checkpoint, which readers take from the path.
    pub(super) fn step() -> Self {
        let meaning = "The training step of the checkpoint; in parts it is in the path only.";
        Self { name: "step", kind: Kind::Integer, unit: Some("steps"), null: None, meaning: meaning.to_owned() }
    }
}

impl Table {
    fn of<R: Rows>() -> Self {
        let step = R::PARTS.are_by_step().then(Column::step);
        let row = R::ABOUT.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { name: R::TABLE, row, parts: R::PARTS, columns: step.into_iter().chain(R::file_columns()).collect() }
    }
}

/// All tables.
#[must_use]
pub fn tables() -> Vec<Table> {
    vec![
        Table::of::<MeasurementRow>(),
        Table::of::<CheckpointRow>(),
        Table::of::<FailureRow>(),
        Table::of::<BindingRow>(),
        Table::of::<SampleRow>(),
        Table::of::<PositionRow>(),
        Table::of::<TypicalityRow>(),
        Table::of::<AgreementRow>(),
        Table::of::<PhaseRow>(),
        Table::of::<LagRow>(),
        Table::of::<UnitRow>(),
    ]
}

/// The schema as JSON: what `infoplane schema` prints.
#[must_use]
pub fn schema_json() -> Value {
    json!({ "version": SCHEMA_VERSION, "tables": tables() })
}

/// The schema as Markdown: a section for each table.
#[must_use]
pub fn schema_markdown() -> String {
    let mut text = String::new();
    for table in tables() {
        let _ = writeln!(text, "## {}\n\n{}\n", table.name, table.row);
        text.push_str("| column | type | unit | meaning | null |\n|---|---|---|---|---|\n");
        for column in &table.columns {
            let (unit, null) = (column.unit.unwrap_or_default(), column.null.unwrap_or("never"));
            let (name, kind) = (column.name, column.kind.name());
            let cells =
                [format!("`{name}`"), kind.to_owned(), unit.to_owned(), column.meaning.clone(), null.to_owned()];
            let _ = writeln!(text, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_units_are_told_where_a_number_has_one() {
        for table in tables() {
            let mut names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.columns.len(), "{}", table.name);
            for column in &table.columns {
                let named = format!("{}.{}", table.name, column.name);
                assert!(column.meaning.ends_with('.'), "{named}: {}", column.meaning);
                assert!(
                    !matches!(column.kind, Kind::Real | Kind::Reals) || column.unit.is_some(),
                    "{named} has no unit"
                );
            }
        }
    }

    #[test]
    fn the_documentation_is_that_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/tables.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, tables) = text.split_once("<!-- infoplane schema --format markdown -->\n\n").unwrap();
        assert!(tables == schema_markdown(), "docs/tables.md: put in what `infoplane schema --format markdown` prints");
    }
}
