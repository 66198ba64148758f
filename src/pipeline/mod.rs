//! Pipeline: one file describes one run; a plan makes it definite; a run carries it out.
//!
//! | file | what it holds |
//! |---|---|
//! | `decoded` | what decoders rebuild, as rows |
//! | `codebook` | codebooks of layers, and how far they lie from the information bottleneck |
//! | `posterior` | whose posteriors that bottleneck is of |
//! | `drift` | drift and diffusion of the weights of an archive |
//! | `heads` | networks that read blocks of samples and have a head for each slot |
//! | `gradient` | signal and noise of the last layer's gradients |
//! | `every_layer`, `translation` | those of every layer; the graph as steps that gradients can be taken through |
//! | `file` | the pipeline file: every key, its meaning and its default |
//! | `measures` | what is measured, as the pipeline file says it |
//! | `noise` | noise: where it enters, how large it is, what rows say of it |
//! | `plan` | the checked plan: checkpoints, binding, taps, samples |
//! | `memory`, `cost` | what it takes: bytes, and operations |
//! | `units` | which taps of which checkpoint are measured together, and by which shard |
//! | `planned`, `facts` | the plan as a file, and whether it still holds |
//! | `reference` | the checkpoint that the graph was exported from, and the proof of the binding |
//! | `records` | what the training framework recorded, compared at every checkpoint |
//! | `variables` | what layers are measured against: made once, shared by every checkpoint |
//! | `inputs` | the inputs among them, whole or slot by slot |
//! | `subset` | measures of some of the samples only |
//! | `typicality` | how typical each sample is among the inputs |
//! | `shared` | what all checkpoints share: compressed inputs, one basis for a series |
//! | `layers` | what a unit replays |
//! | `ahead` | checkpoints read ahead, and compared with the ones before |
//! | `unit` | some taps of one checkpoint: replayed, measured, turned into rows |
//! | `pieces` | the units of one checkpoint put together |
//! | `cells` | one checkpoint's taps, each measured in all ways |
//! | `readings` | what probes read of labels: fitted once, used by every measure that asks |
//! | `rows` | values turned into rows |
//! | `meter` | what units take |
//! | `work` | one unit, from what was read to what is written |
//! | `run` | all units of a shard, in parallel, resumable |

mod ahead;
mod bindings;
mod cells;
mod codebook;
mod cost;
mod decoded;
mod drift;
mod error;
mod every_layer;
mod facts;
mod file;
mod gradient;
mod heads;
mod inputs;
mod layers;
mod measures;
mod memory;
mod meter;
mod noise;
mod pieces;
mod plan;
mod planned;
mod posterior;
mod processing;
mod readings;
mod records;
mod reference;
mod rows;
mod run;
mod shared;
mod subset;
mod translation;
mod typicality;
mod unit;
mod units;
mod variables;
mod work;

pub use codebook::Codebooks;
pub use drift::{TensorDrift, drift};
pub use error::PipelineError;
pub use file::{
    ArchiveTable, EstimateTable, Fraction, GraphTable, Loss, Outputs, Pipeline, Recorded, RecordedLosses, Reference,
    ReplayTable, SamplesTable, TableTable,
};
pub use gradient::{Gradient, GradientLayers, Mixture};
pub use measures::{Control, Information, Keep, Measure, Prequential, Reconstruction, Usable};
pub use pieces::join_all;
pub use plan::Plan;
pub use planned::Planned;
pub use posterior::Posterior;
pub use records::RecordCheck;
pub use reference::Proof;
pub use run::{Event, Finished, run};
pub use subset::{LabelIs, LogDensity, Subset};
pub use typicality::{LayerTypicality, TypicalityTable};
pub use units::{Group, Limits, Shard};
