//! Pipeline: one file describes one run; a plan makes it definite; a run carries it out.
//!
//! | file | what it holds |
//! |---|---|
//! | `file` | the pipeline file: every key, its meaning and its default |
//! | `plan` | the checked plan: checkpoints, binding, taps, samples, memory |
//! | `reference` | the checkpoint that the graph was exported from, and the proof of the binding |
//! | `records` | what the training framework recorded, compared at every checkpoint |
//! | `variables` | what layers are measured against: made once, shared by every checkpoint |
//! | `ahead` | checkpoints read ahead, and compared with the ones before |
//! | `unit` | one checkpoint: replayed, measured, turned into rows |
//! | `run` | all checkpoints of a shard, in parallel, resumable |

mod ahead;
mod error;
mod file;
mod plan;
mod records;
mod reference;
mod run;
mod unit;
mod variables;

pub use error::PipelineError;
pub use file::{
    ArchiveTable, EstimateTable, Fraction, GraphTable, Information, Loss, Measure, Pipeline, Reconstruction, Recorded,
    RecordedLosses, Reference, ReplayTable, SamplesTable, TableTable, Usable,
};
pub use plan::Plan;
pub use records::RecordCheck;
pub use reference::Proof;
pub use run::{Event, Finished, Shard, run};
