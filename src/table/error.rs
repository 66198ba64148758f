use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::store::StoreError;

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
    /// The object store gave or took nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A URL that results cannot be written to.
    #[error(
        "`{url}`: found a web server, which takes no results; needed a folder, or a URL that starts with `s3://`, `gs://` or `az://`"
    )]
    NoStore {
        /// The URL.
        url: String,
    },
    /// Whenever a part was to be written, another writer had just written it.
    #[error("`{path}`: other writers replaced it again and again; end the other runs that write here, and run again")]
    Contended {
        /// The part.
        path: PathBuf,
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
    /// The folder was written with other columns.
    #[error(
        "`{folder}`: found results of schema version {found}, needed version {needed}; run its pipeline again into another folder \
         (`--output`), or read it with the version of infoplane that wrote it"
    )]
    OtherSchema {
        /// The result folder.
        folder: PathBuf,
        /// The version that it has.
        found: String,
        /// The version that this tool reads and writes.
        needed: &'static str,
    },
    /// The folder does not say which run it belongs to.
    #[error(
        "`{path}`: found no plan; needed the file that `infoplane run` wrote; run the pipeline again to have it back"
    )]
    NoPlan {
        /// Where it should lie.
        path: PathBuf,
    },
    /// A checkpoint's step is too large for the tables.
    #[error("`{file}`: found step {step}, needed one below 2^63, which is what tables can hold; rename the checkpoint")]
    StepTooLarge {
        /// The checkpoint.
        file: String,
        /// Its step.
        step: u64,
    },
    /// The parts changed while they were put together.
    #[error(
        "`{folder}`: parts changed while they were put together; wait until no run writes here, and run `infoplane finish` again"
    )]
    Changed {
        /// The result folder.
        folder: PathBuf,
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
    /// Whether the same command may succeed later: an object store did not answer.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_unreachable())
    }

    pub(super) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Write { path, source }
    }
}
