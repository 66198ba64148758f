use std::path::PathBuf;

use thiserror::Error;

/// Why inputs could not be replayed through a checkpoint.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is no ONNX Runtime, and fetching it was not allowed or not possible.
    #[error("cannot find ONNX Runtime: {reason}")]
    NoLibrary {
        /// What was tried, what failed, and the remedy.
        reason: String,
    },
    /// The library is there but cannot be used.
    #[error(
        "`{path}`: cannot be used as ONNX Runtime: {reason}; set `ORT_DYLIB_PATH` to a library of version 1.22 or later"
    )]
    Library {
        /// The library.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// ONNX Runtime refuses the graph, or fails while it runs.
    #[error(
        "`{graph}`: ONNX Runtime {version} refuses the graph: {reason}; export it again for this runtime, or name a newer runtime in `ORT_DYLIB_PATH`"
    )]
    Refused {
        /// The model file.
        graph: String,
        /// The version of the runtime.
        version: String,
        /// What it says, and the remedy where one is known.
        reason: String,
    },
    /// ONNX Runtime fails while it runs the graph.
    #[error(
        "ONNX Runtime failed on samples {first} to {last}: {reason}; check that the inputs are what the graph takes"
    )]
    Run {
        /// The first sample of the batch.
        first: usize,
        /// The last sample of the batch.
        last: usize,
        /// What it says.
        reason: String,
    },
    /// An input does not fit the graph.
    #[error("input `{input}`: found {found}, needed {needed}; {remedy}")]
    Input {
        /// The input of the graph.
        input: String,
        /// What the samples hold.
        found: String,
        /// What the graph wants.
        needed: String,
        /// What to do.
        remedy: String,
    },
    /// A tap cannot become one row a sample.
    #[error("tap `{tap}`: found {found}, needed {needed}; {remedy}")]
    Tap {
        /// The tap.
        tap: String,
        /// What the tensor is.
        found: String,
        /// What it must be.
        needed: String,
        /// What to do.
        remedy: String,
    },
    /// The loss cannot be computed from the output and the labels.
    #[error(
        "loss from output `{output}` and label `{label}`: found {found}, needed {needed}; name the right ones in `[replay] loss`, or set `loss = \"none\"`"
    )]
    Loss {
        /// The output of the graph.
        output: String,
        /// The label column.
        label: String,
        /// What was found.
        found: String,
        /// What was needed.
        needed: String,
    },
    /// The user asked to stop.
    #[error("stopped by a signal")]
    Stopped,
}
