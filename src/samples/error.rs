use std::path::PathBuf;

use thiserror::Error;

/// What is wrong with inputs, labels or ids.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SamplesError {
    /// The file cannot be read.
    #[error("`{path}`: cannot read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a NumPy array that can be used.
    #[error("`{array}`: {reason}")]
    Array {
        /// The file, with the member behind `#` where it is an archive.
        array: String,
        /// What was found, what was needed, and the remedy.
        reason: String,
    },
    /// A column of labels is not what the pipeline file says of it.
    #[error("label column `{column}`: {reason}")]
    Column {
        /// The column.
        column: String,
        /// What was found, what was needed, and the remedy.
        reason: String,
    },
    /// Arrays that should belong together have different lengths.
    #[error("`{array}`: found {found} rows, needed the {needed} of `{other}`: one row a sample")]
    Length {
        /// The array at fault.
        array: String,
        /// Its rows.
        found: usize,
        /// The rows of the first input.
        needed: usize,
        /// The first input.
        other: String,
    },
    /// An id stands for two samples.
    #[error("`{array}`: found id {id} twice; needed a different id for every sample")]
    DuplicateId {
        /// The array of ids.
        array: String,
        /// The id.
        id: i64,
    },
}
