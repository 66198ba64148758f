use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why results could not be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TableError {
    /// The system refused to write.
    #[error("`{path}`: cannot write: {source}; free some space or choose another folder with `--output`")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused to read.
    #[error("`{path}`: cannot read: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The rows could not be encoded.
    #[error("`{path}`: cannot encode rows: {reason}")]
    Encode {
        /// The part.
        path: PathBuf,
        /// What the writer says.
        reason: String,
    },
    /// The folder belongs to another run.
    #[error(
        "`{folder}`: found the results of another run (plan {found}), needed an empty folder or those of this one (plan {needed}); \
         choose another folder with `--output`, or delete this one"
    )]
    OtherPlan {
        /// The result folder.
        folder: PathBuf,
        /// The plan that the folder belongs to.
        found: String,
        /// The plan of this run.
        needed: String,
    },
    /// The folder holds steps that the plan does not select.
    #[error(
        "`{folder}`: found results for step {step}, which this run does not select; choose another folder with `--output`, or delete `{path}`"
    )]
    UnplannedStep {
        /// The result folder.
        folder: PathBuf,
        /// The step.
        step: String,
        /// The folder of that step.
        path: PathBuf,
    },
    /// The folder holds no results.
    #[error("`{folder}`: found no results; needed the folder that `infoplane run` wrote")]
    NoResults {
        /// The folder.
        folder: PathBuf,
    },
}

impl TableError {
    pub(super) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Write { path, source }
    }
}
