use std::path::PathBuf;

use thiserror::Error;

use super::reference::{LARGEST_DIFFERENCE, Proof};
use crate::archive::{ArchiveError, Fault};
use crate::estimate::{EstimateError, SampleError};
use crate::graph::GraphError;
use crate::replay::ReplayError;
use crate::samples::SamplesError;
use crate::store::StoreError;
use crate::table::TableError;

/// Why a run could not start, or could not go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The pipeline file cannot be read.
    #[error("cannot read pipeline `{path}`: {source}")]
    Read {
        /// The pipeline file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The pipeline file is no valid TOML, or has a key or value that does not exist.
    #[error("cannot load pipeline `{path}`: line {line}, column {column}: {reason}")]
    Parse {
        /// The pipeline file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
        /// What was found and what was expected.
        reason: String,
    },
    /// A measure asks for what the run does not have.
    #[error("measure {number} (`{measure}`): {reason}")]
    Measure {
        /// Its place in `measures`, from 1.
        number: usize,
        /// Its name.
        measure: &'static str,
        /// What was found, what was needed, and the remedy.
        reason: String,
    },
    /// It cannot be told how weights move.
    #[error("drift: {reason}")]
    Drift {
        /// What was found, what was needed, and the remedy.
        reason: String,
    },
    /// It cannot be told how typical samples are.
    #[error("`[samples] typicality`: {reason}")]
    Typicality {
        /// What was found, what was needed, and the remedy.
        reason: String,
    },
    /// The pipeline file names an output or a label for the loss that is not there.
    #[error("`[replay] loss`: {reason}")]
    Loss {
        /// What was found and what was needed.
        reason: String,
    },
    /// Noise cannot be put where the pipeline file wants it.
    #[error("`[replay] noise`: {reason}")]
    Noise {
        /// What was found, what was needed, and the remedy.
        reason: String,
    },
    /// The system has no thread left to read with.
    #[error("cannot start a thread: {reason}")]
    Thread {
        /// What the system said.
        reason: String,
    },
    /// What the training framework recorded cannot be used.
    #[error("`[replay] recorded`: {reason}")]
    Recorded {
        /// What was found, what was needed, and the remedy.
        reason: String,
    },
    /// The proof of the binding failed.
    #[error(
        "`{graph}`: tensor `{tensor}` differs by {difference:.3e} (relative to its largest value) between the graph's own weights and those bound from `{reference}`; \
         needed at most {needed:.0e}; the binding is wrong, nothing was measured"
    )]
    Unproven {
        /// The model file.
        graph: String,
        /// The tensor that differs most.
        tensor: String,
        /// The difference relative to the largest absolute value.
        difference: f64,
        /// The most that is allowed.
        needed: f64,
        /// The reference checkpoint.
        reference: String,
    },
    /// No checkpoint of the series has the weights of the graph.
    #[error("no checkpoint of the archive has the weights that the graph holds; the nearest is {nearest}")]
    NoReference {
        /// Why the last checkpoint was refused.
        nearest: GraphError,
    },
    /// The pipeline file names a reference that is not there.
    #[error(
        "`[graph] reference`: found no checkpoint of step {step}; needed one of the archive's steps; `infoplane inspect` lists them"
    )]
    UnknownReference {
        /// The step asked for.
        step: u64,
    },
    /// A shard that does not exist.
    #[error("`--shard {index}/{count}`: needed a number from 0 to {}", count - 1)]
    Shard {
        /// The shard asked for.
        index: usize,
        /// The number of shards.
        count: usize,
    },
    /// The plan file cannot be used.
    #[error("plan `{path}`: {reason}")]
    PlanFile {
        /// The plan file.
        path: PathBuf,
        /// What was found, what was needed, and the remedy.
        reason: String,
    },
    /// A plan is made of something else by now.
    #[error(
        "plan `{path}`: found {what} {found}, needed {planned}, which it was when the plan was written; bring that back, or plan \
         again and run the new plan into another folder"
    )]
    PlanChanged {
        /// The plan file.
        path: PathBuf,
        /// What differs: `pipeline`, `graph`, `samples`, `reference`, ...
        what: &'static str,
        /// What was found: the start of a hash, or a version.
        found: String,
        /// What was planned.
        planned: String,
    },
    /// A unit can never be done in the memory that tasks have.
    #[error(
        "`--memory {} MB`: found about {} MB for the smallest unit, {tap} of one checkpoint; needed one that fits; give tasks more \
         memory, or take fewer samples, a smaller batch or fewer of its units (`[replay] pool`)",
        megabytes(*memory), megabytes(*needed)
    )]
    TooLarge {
        /// The tap that is too much alone.
        tap: String,
        /// The bytes that there are.
        memory: u64,
        /// The bytes that it takes.
        needed: u64,
    },
    /// A run cannot be done in the memory that it may have.
    #[error(
        "`--memory {} MB`: found about {} MB for one worker with one thread; needed one that fits; give more memory, or cut \
         checkpoints into smaller units with `infoplane plan --memory`",
        megabytes(*memory), megabytes(*needed)
    )]
    Memory {
        /// The bytes that there are.
        memory: u64,
        /// The bytes that it takes.
        needed: u64,
    },
    /// Shards that cut checkpoints by their own memory would not fit together.
    #[error(
        "`--memory` is too little for whole checkpoints, and shards without a plan may each cut them otherwise; write a plan with \
         `infoplane plan --memory`, and run its shards with `--plan`"
    )]
    CutWithoutPlan,
    /// What a unit left for the others of its checkpoint cannot be read.
    #[error("`{path}`: not a whole piece of a checkpoint: {reason}; delete it, and run again")]
    Piece {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The user asked to stop; finished units are kept.
    #[error("stopped by a signal; {done} of {planned} checkpoints are done; run the same command again to go on")]
    Stopped {
        /// Units that are done; one is one checkpoint unless checkpoints are cut.
        done: usize,
        /// Units of this shard.
        planned: usize,
        /// The signal.
        signal: i32,
    },
    /// A stage failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A stage failed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A stage failed.
    #[error(transparent)]
    Samples(#[from] SamplesError),
    /// A stage failed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A stage failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The object store of a plan file gave or took nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The inputs cannot be measured against.
    #[error("inputs: {0}")]
    Inputs(#[from] SampleError),
    /// The inputs cannot be compressed.
    #[error("inputs: {0}")]
    Compress(#[from] EstimateError),
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

impl PipelineError {
    /// Whether it helps to try again.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Archive(error) | Self::Graph(GraphError::Archive(error)) => error.fault(),
            Self::Table(error) if error.is_unreachable() => Fault::Unreachable,
            Self::Store(error) if error.is_unreachable() => Fault::Unreachable,
            _ => Fault::Other,
        }
    }

    /// A proof that does not hold, as an error.
    pub(super) fn unproven(graph: &str, reference: &str, proof: &Proof) -> Self {
        Self::Unproven {
            graph: graph.to_owned(),
            tensor: proof.tensor.clone(),
            difference: proof.largest_difference,
            needed: LARGEST_DIFFERENCE,
            reference: reference.to_owned(),
        }
    }
}
