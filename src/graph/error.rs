use std::path::PathBuf;

use thiserror::Error;

use crate::archive::ArchiveError;

/// What is wrong with a graph, its taps, or its binding to checkpoints.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The model file cannot be read.
    #[error("`{path}`: cannot read: {source}")]
    Read {
        /// The model file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The model file is not an ONNX model that can be used.
    #[error("`{path}`: not a usable ONNX model: {reason}")]
    Invalid {
        /// The model file.
        path: PathBuf,
        /// What was found, what was needed, and the remedy.
        reason: String,
    },
    /// A tap names no tensor of the graph.
    #[error(
        "`taps`: found no tensor that matches `{tap}` in the graph; nearest names: {near}; `infoplane inspect` on the model lists them all"
    )]
    UnknownTap {
        /// The name or glob of the pipeline file.
        tap: String,
        /// Some names that are there.
        near: String,
    },
    /// A glob of the pipeline file is malformed.
    #[error("`{glob}`: not a valid glob: {reason}")]
    Glob {
        /// The glob of the pipeline file.
        glob: String,
        /// What the glob parser says.
        reason: String,
    },
    /// Two pooling rules match one tap.
    #[error(
        "`pool`: found both `{first}` and `{second}` matching tap `{tap}`; needed one at most; make the globs disjoint"
    )]
    AmbiguousPooling {
        /// The tap.
        tap: String,
        /// One rule.
        first: String,
        /// The other.
        second: String,
    },
    /// A pooling rule matches no tap.
    #[error("`pool`: found no tap that matches `{glob}`; needed one of {taps}")]
    UnusedPooling {
        /// The rule.
        glob: String,
        /// The taps there are.
        taps: String,
    },
    /// A rule of the binding cannot be used.
    #[error("`[graph.bind] rules`: `{rule}`: {reason}")]
    Rule {
        /// The rule's expression.
        rule: String,
        /// What was found and what was needed.
        reason: String,
    },
    /// A tensor of the checkpoint cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// An initializer of the graph cannot be fed from the checkpoint.
    #[error("`{checkpoint}`: {reason}")]
    Unbound {
        /// The checkpoint.
        checkpoint: String,
        /// The tensor, what was found, what was needed, and the remedy.
        reason: String,
    },
    /// A later checkpoint does not have the tensors of the reference.
    #[error(
        "`{checkpoint}`: tensor `{tensor}`: found {found}, needed {needed}; the checkpoint is of another network, or saved incompletely"
    )]
    Mismatch {
        /// The checkpoint.
        checkpoint: String,
        /// The tensor at fault.
        tensor: String,
        /// What was found.
        found: String,
        /// What the reference checkpoint has.
        needed: String,
    },
}
