use std::path::PathBuf;

use thiserror::Error;

use crate::table::TableError;

/// Why results could not be shown.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The folder holds no results.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A file holds no curves, or not those that were named.
    #[error("`{path}`: {reason}")]
    Curves {
        /// The file.
        path: PathBuf,
        /// What was found, and what was needed.
        reason: String,
    },
    /// One run is given twice.
    #[error(
        "`{first}` and `{second}`: found the same run in both, needed different ones; its values would count twice"
    )]
    Twice {
        /// A result folder.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// Nothing is there to be shown.
    #[error(
        "found no values of {measure}{}; `infoplane query RESULTS \"SELECT DISTINCT measure, variable FROM measurements\"` lists them",
        variable.as_ref().map_or(String::new(), |variable| format!(" of `{variable}`"))
    )]
    NoCurves {
        /// The measure asked for.
        measure: String,
        /// The variable asked for.
        variable: Option<String>,
    },
    /// A figure cannot be drawn.
    #[error("no figure: {reason}")]
    NoFigure {
        /// What was found, what was needed, and the remedy.
        reason: String,
    },
    /// The query is wrong.
    #[error(
        "cannot answer the query: {reason}; the tables are {}; `infoplane schema` lists their columns",
        names(tables)
    )]
    Query {
        /// What polars says.
        reason: String,
        /// The tables that there are.
        tables: Vec<String>,
    },
    /// The answer cannot be written.
    #[error("cannot write the answer as Parquet: {reason}")]
    Write {
        /// What polars says.
        reason: String,
    },
}

impl ReportError {
    /// Whether the same command may succeed later: an object store did not answer.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Table(error) if error.is_unreachable())
    }
}

fn names(tables: &[String]) -> String {
    tables.iter().map(|table| format!("`{table}`")).collect::<Vec<_>>().join(", ")
}
