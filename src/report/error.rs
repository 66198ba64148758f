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
    /// The query is wrong.
    #[error("cannot answer the query: {reason}; the tables are `measurements`, `checkpoints`, `phases` and `lags`")]
    Query {
        /// What polars says.
        reason: String,
    },
}
