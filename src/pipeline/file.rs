//! The pipeline file: every key, its meaning and its default.
//!
//! Tables come in the order of the stages. Paths are relative to the file. Unknown keys are
//! refused. There is nothing else that a result depends on.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Measure, PipelineError, TypicalityTable};
use crate::archive::{StepFrom, Steps};
use crate::graph::{Bind, Pooling};
use crate::replay::Noise;
use crate::samples::{Blocks, Description, Source};

/// A whole pipeline file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pipeline {
    /// The seed that every random choice derives from.
    pub seed: u64,
    /// The checkpoints.
    pub archive: ArchiveTable,
    /// The graph and what is read out of it.
    pub graph: GraphTable,
    /// The evaluation inputs and labels.
    pub samples: SamplesTable,
    /// How inputs go through the graph.
    #[serde(default)]
    pub replay: ReplayTable,
    /// What is measured.
    pub estimate: EstimateTable,
    /// Where results go.
    pub table: TableTable,
}

/// `[archive]`: the checkpoints.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ArchiveTable {
    /// A folder, a glob, or a single file.
    pub checkpoints: String,
    /// Which steps: `"all"`, `{ every = 100 }`, `{ range = [0, 5000] }`, `{ log-spaced = 24 }`.
    #[serde(default)]
    pub steps: Steps,
    /// Where the step is read: `"name"` or `"metadata"`. Without it, the name, then the metadata, and a contradiction is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_from: Option<StepFrom>,
}

/// `[graph]`: the graph and what is read out of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GraphTable {
    /// The ONNX model.
    pub model: String,
    /// The checkpoint that the model was exported from; without it, found by trying, the last one first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The tensors to read out: names or globs.
    pub taps: Vec<String>,
    /// Exceptions of the binding.
    #[serde(default)]
    pub bind: Bind,
}

/// The checkpoint that the graph was exported from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reference {
    /// The first checkpoint of the archive.
    First,
    /// The last checkpoint of the archive.
    Last,
    /// None: names and shapes must do, and no proof is possible.
    None,
    /// The checkpoint of this step.
    Step(u64),
    /// A safetensors file that need not be part of the archive.
    File(String),
}

/// `[samples]`: the evaluation inputs and labels.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SamplesTable {
    /// `"inputs.npy"`, `"data.npz"` (members are inputs), or `{ name = "file.npy" }`.
    pub inputs: Source,
    /// `{ digit = "labels.npy" }`, or an `.npz` whose members are label columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Source>,
    /// How label columns are to be understood, and columns that are derived from them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Description>,
    /// An id for each sample; without it the row number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Source>,
    /// How typical each sample is, for the table `typicality` and for subsets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typicality: Option<TypicalityTable>,
}

/// `[replay]`: how inputs go through the graph.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReplayTable {
    /// Samples a batch; it may change the last bit of an activation, and so belongs to the result.
    #[serde(default = "ReplayTable::default_batch")]
    pub batch: NonZeroUsize,
    /// How taps become one row a sample, by name or glob: `flatten` (the default), `mean`, `last`, `spatial-mean`.
    #[serde(default)]
    pub pool: BTreeMap<String, Pooling>,
    /// Noise that makes the network stochastic: `"none"`, `{ read-out = { deviation = { absolute = 0.1 } } }`, or
    /// `{ propagated = { deviation = { relative = 0.01 } } }`. Loss and accuracy are those of the network without.
    #[serde(default)]
    pub noise: Noise,
    /// Several samples at once, for a network with a head for each: `{ fold = 2, axis = 1, filled = "batched" }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Blocks>,
    /// What the network's own loss is computed from; without it the only output and the only label column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// What the training framework recorded of the same samples, to be compared at every checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
}

/// What the training framework recorded of the same samples.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recorded {
    /// Mean losses in nats, by step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub losses: Option<RecordedLosses>,
    /// Outputs, by step: an `.npz` with a member for each step, such as `step-000100`; of all samples or the first ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<String>,
}

/// A table of losses.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RecordedLosses {
    /// A file of comma-separated values with a header.
    pub file: String,
    /// The column of the loss.
    pub loss: String,
    /// The column of the step.
    #[serde(default = "RecordedLosses::step")]
    pub step: String,
}

impl RecordedLosses {
    fn step() -> String {
        "step".to_owned()
    }
}

impl ReplayTable {
    fn default_batch() -> NonZeroUsize {
        NonZeroUsize::new(256).expect("256 is not zero")
    }
}

impl Default for ReplayTable {
    fn default() -> Self {
        Self {
            batch: Self::default_batch(),
            pool: BTreeMap::new(),
            noise: Noise::None,
            blocks: None,
            loss: None,
            recorded: None,
        }
    }
}

/// What the network's own loss is computed from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Loss {
    /// No loss is computed.
    None,
    /// An output of the graph, taken as logits, against a label column.
    #[serde(rename_all = "kebab-case")]
    Of {
        /// The output; without it the only one. Of `blocks`, also a list with an output a slot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Outputs>,
        /// The label column; without it the only one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
    },
}

/// The outputs that a loss is computed from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Outputs {
    /// One, which holds all heads if there are several.
    One(String),
    /// One a slot of blocks, in their order.
    BySlot(Vec<String>),
}

/// `[estimate]`: what is measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EstimateTable {
    /// The measures, each at every tap of every checkpoint; none gives only the network's loss and accuracy.
    pub measures: Vec<Measure>,
    /// The fraction of samples, chosen by id, that probes and decoders are tested on.
    #[serde(default)]
    pub held_out: Fraction,
}

/// A number strictly between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64")]
pub struct Fraction(f64);

impl Fraction {
    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Default for Fraction {
    fn default() -> Self {
        Self(0.3)
    }
}

impl TryFrom<f64> for Fraction {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        if value > 0.0 && value < 1.0 {
            Ok(Self(value))
        } else {
            Err(format!("found {value}, needed a fraction between 0 and 1"))
        }
    }
}

/// `[table]`: where results go.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TableTable {
    /// The result folder, or a URL such as `s3://bucket/prefix`.
    pub folder: String,
}

impl Pipeline {
    /// Reads a pipeline file.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Read`], or [`PipelineError::Parse`] with line and column.
    pub fn open(path: &Path) -> Result<Self, PipelineError> {
        let text = fs::read_to_string(path).map_err(|source| PipelineError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|error| {
            let before = &text[..error.span().map_or(0, |span| span.start).min(text.len())];
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            PipelineError::Parse {
                path: path.to_owned(),
                line: before.matches('\n').count() + 1,
                column: before[line_start..].chars().count() + 1,
                reason: error.message().replace('\n', "; "),
            }
        })
    }

    /// The file with every default filled in.
    #[must_use]
    pub fn resolved(&self) -> String {
        toml::to_string(self).expect("every value of a pipeline file can be written as TOML")
    }
}
