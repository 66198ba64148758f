use std::fmt::Display;
use std::io;

use thiserror::Error;

use crate::store::StoreError;

/// What is wrong with an archive or with one of its checkpoints.
///
/// Places are paths, or URLs in an object store.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The folder or pattern leads to no checkpoint.
    #[error(
        "`{pattern}`: found no safetensors checkpoint; `checkpoints` must be a folder, a glob such as `runs/step-*.safetensors`, or the URL of one such as `s3://bucket/runs/step-*.safetensors`"
    )]
    Empty {
        /// The folder or glob of the pipeline file.
        pattern: String,
    },
    /// The pattern is not a glob.
    #[error("`{pattern}`: not a valid glob: {reason}")]
    Pattern {
        /// The glob of the pipeline file.
        pattern: String,
        /// What the glob parser says.
        reason: String,
    },
    /// The system refused to read.
    #[error("`{path}`: cannot read: {source}")]
    Read {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The object store gave nothing.
    #[error(transparent)]
    Store(StoreError),
    /// A folder holds several candidate files for one checkpoint.
    #[error(
        "`{folder}`: found {found} and no index that joins them; needed one checkpoint in the folder; name the right one in `checkpoints`, for instance `{example}`"
    )]
    Ambiguous {
        /// The folder of the checkpoint.
        folder: String,
        /// How many files it holds, and the names of the first.
        found: String,
        /// What could be named instead.
        example: String,
    },
    /// Neither name nor metadata tells the training step.
    #[error(
        "`{path}`: found no training step in its name or its metadata; rename it like `step-000123.safetensors`, save it with the metadata key `step`, or leave it out with a glob"
    )]
    NoStep {
        /// The checkpoint.
        path: String,
    },
    /// Two checkpoints claim the same step.
    #[error(
        "`{first}` and `{second}`: found step {step} in both; each step may occur once; narrow `checkpoints` or rename one"
    )]
    DuplicateStep {
        /// One of the two.
        first: String,
        /// The other one.
        second: String,
        /// The step of both.
        step: u64,
    },
    /// The name and the metadata of a checkpoint tell different steps.
    #[error(
        "`{path}`: found step {name} in its name and step {metadata} in its metadata; needed the same in both; rename the file, or say which counts with `step-from = \"name\"` or `\"metadata\"`"
    )]
    StepConflict {
        /// The checkpoint.
        path: String,
        /// The step that the name tells.
        name: u64,
        /// The step that the metadata tell.
        metadata: u64,
    },
    /// The selection leaves no checkpoint.
    #[error(
        "`steps`: {selection} selects none of the {available} checkpoints, whose steps run from {first} to {last}; widen it or use `steps = \"all\"`"
    )]
    NothingSelected {
        /// The selection, in words.
        selection: String,
        /// How many checkpoints there are.
        available: usize,
        /// The first step there is.
        first: u64,
        /// The last step there is.
        last: u64,
    },
    /// The file is not a whole and valid safetensors file.
    #[error("`{path}`: not a valid safetensors file: {reason}; copy or save the checkpoint again")]
    Invalid {
        /// The file.
        path: String,
        /// What was found.
        reason: String,
    },
    /// The index file cannot be used.
    #[error("`{path}`: not a usable index: {reason}")]
    Index {
        /// The index file.
        path: String,
        /// What was found and what was needed.
        reason: String,
    },
    /// A tensor holds NaN or an infinity.
    #[error(
        "`{path}`: tensor `{tensor}` holds {found} at element {element}; needed finite values; this checkpoint cannot be replayed"
    )]
    NotFinite {
        /// The file.
        path: String,
        /// The tensor.
        tensor: String,
        /// The value found.
        found: String,
        /// Where in the flattened tensor.
        element: usize,
    },
    /// A tensor's type is none that a graph computes with.
    #[error(
        "`{path}`: tensor `{tensor}` has type {found}; needed floats of eight bits or more, integers or booleans; convert it when saving the checkpoint"
    )]
    Type {
        /// The file.
        path: String,
        /// The tensor.
        tensor: String,
        /// The type found.
        found: String,
    },
}

impl From<StoreError> for ArchiveError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::CutShort { url, found, needed } => Self::invalid(
                url,
                format!("found {found} of the {needed} bytes that were asked for; they are cut short"),
            ),
            other => Self::Store(other),
        }
    }
}

/// Whether it helps to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The archive is not what it should be, and will not be the next time.
    Corrupt,
    /// A disk, network or store did not answer as it should: the next time it may.
    Unreachable,
    /// Anything else.
    Other,
}

impl ArchiveError {
    /// Whether it helps to try again.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Invalid { .. }
            | Self::Index { .. }
            | Self::NotFinite { .. }
            | Self::Type { .. }
            | Self::StepConflict { .. } => Fault::Corrupt,
            Self::Read { source, .. } if !is_lasting(source.kind()) => Fault::Unreachable,
            Self::Store(StoreError::Unreachable { .. } | StoreError::Changed { .. }) => Fault::Unreachable,
            _ => Fault::Other,
        }
    }

    /// Whether the same command may succeed later: an object store did not answer.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_unreachable())
    }

    pub(super) fn read(path: impl Display, source: io::Error) -> Self {
        Self::Read { path: path.to_string(), source }
    }

    pub(super) fn invalid(path: impl Display, reason: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_string(), reason: reason.into() }
    }

    pub(super) fn index(path: impl Display, reason: impl Into<String>) -> Self {
        Self::Index { path: path.to_string(), reason: reason.into() }
    }
}

/// Whether a file will be as unreadable the next time.
fn is_lasting(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    // `Other` is what we say ourselves of folders and devices in the place of files.
    matches!(kind, NotFound | PermissionDenied | IsADirectory | NotADirectory | InvalidInput | io::ErrorKind::Other)
}
