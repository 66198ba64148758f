//! Where results come from: what is written into the metadata of every file.

use serde::{Deserialize, Serialize};

pub(super) const SCHEMA: &str = "infoplane.schema";
pub(super) const PLAN: &str = "infoplane.plan";
pub(super) const IDENTITY: &str = "infoplane.identity";
pub(super) const CHECKPOINT: &str = "infoplane.checkpoint";
pub(super) const FAILED: &str = "infoplane.failed";
pub(super) const RETRY: &str = "infoplane.retry";

/// What all parts of a run have in common, so that any one of them can be traced and rerun.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Origin {
    /// The hash of the plan: of everything here, the binding, and the records.
    pub plan: String,
    /// The pipeline file with every default filled in.
    pub pipeline: String,
    /// The seed of the run.
    pub seed: u64,
    /// The hash of the graph with all its weights.
    pub graph: String,
    /// The hash of the inputs, labels and ids.
    pub inputs: String,
    /// The version of ONNX Runtime.
    pub onnxruntime: String,
}

/// What one part depends on besides.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// The hash of everything that the part depends on.
    pub identity: String,
    /// The hash of the checkpoint's tensors; none if it cannot be read.
    pub checkpoint: Option<String>,
    /// How many rows of the checkpoint have no value, so that a rerun that keeps it can still tell.
    pub failed_rows: usize,
    /// Whether the checkpoint failed as a whole: the machine may have been at fault, so that a rerun tries again.
    pub retry: bool,
}

impl Origin {
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        vec![
            (PLAN, self.plan.clone()),
            ("infoplane.pipeline", self.pipeline.clone()),
            ("infoplane.seed", self.seed.to_string()),
            ("infoplane.graph", self.graph.clone()),
            ("infoplane.inputs", self.inputs.clone()),
            ("infoplane.onnxruntime", self.onnxruntime.clone()),
        ]
    }
}

impl Provenance {
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            (IDENTITY, self.identity.clone()),
            (FAILED, self.failed_rows.to_string()),
            (RETRY, self.retry.to_string()),
        ];
        pairs.extend(self.checkpoint.clone().map(|hash| (CHECKPOINT, hash)));
        pairs
    }
}
