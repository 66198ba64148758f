use thiserror::Error;

use crate::table::TableError;

/// Why results could not be shown.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The folder holds no results.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The query is wrong.
    #[error("cannot answer the query: {reason}; the tables are `measurements` and `checkpoints`")]
    Query {
        /// What polars says.
        reason: String,
    },
}
