//! Archive: a series of safetensors checkpoints, ordered by training step, on this machine or in an
//! object store.
//!
//! | file | what it holds |
//! |---|---|
//! | `series`, `checkpoint` | which checkpoints there are, in which order |
//! | `layout` | which files of a folder are checkpoints |
//! | `step` | the training step that a file's name tells |
//! | `selection` | which steps of a series a run looks at |
//! | `location`, `folder`, `pattern` | paths and URLs, what lies there, and globs |
//! | `weights`, `opened` | the files and tensors of one checkpoint, mapped or brought when asked for |
//! | `shards` | the index that joins several files |
//! | `header` | what a file says of its tensors (the only file that names `safetensors`) |
//! | `tensor`, `number` | one tensor; the types of numbers, and conversion between them |
//! | `hash` | what tells one checkpoint from another |

mod checkpoint;
mod error;
mod folder;
mod hash;
mod header;
mod layout;
mod location;
mod number;
mod opened;
mod pattern;
mod selection;
mod series;
mod shards;
mod step;
mod tensor;
#[cfg(test)]
mod tests;
mod weights;

pub use checkpoint::Checkpoint;
pub use error::{ArchiveError, Fault};
pub use number::{Kind, Numbers};
pub use selection::Steps;
pub use series::{Series, StepFrom};
pub use step::from_name as step_of_name;
pub use tensor::Tensor;
pub use weights::Weights;
