//! Archive: a series of safetensors checkpoints, ordered by training step.
//!
//! | file | what it holds |
//! |---|---|
//! | `series` | which checkpoints there are, in which order |
//! | `step` | the training step that a file's name tells |
//! | `selection` | which steps of a series a run looks at |
//! | `shards` | which files make up one checkpoint |
//! | `weights` | the tensors of one checkpoint, memory-mapped (the only file that names `safetensors`) |
//! | `number` | the types of numbers, and conversion between them |

mod error;
mod number;
mod selection;
mod series;
mod shards;
mod step;
mod weights;

pub use error::ArchiveError;
pub use number::{Kind, Numbers};
pub use selection::Steps;
pub use series::{Checkpoint, Series, StepFrom};
pub use weights::{Tensor, Weights};
