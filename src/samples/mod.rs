//! Samples: the fixed evaluation inputs, their labels and their ids.
//!
//! | file | what it holds |
//! |---|---|
//! | `array` | arrays of NumPy files (the only file that names `npyz` and `zip`) |
//! | `source` | where the pipeline file says that arrays lie |
//! | `column` | columns of labels: classes or numbers, some missing, some derived |
//! | `blocks` | several samples joined to one, for networks that read them at once |
//! | `set` | inputs, labels and ids that belong together |

mod array;
mod blocks;
mod column;
mod error;
mod set;
mod source;

pub use array::{Array, Values};
pub use blocks::{Blocks, Filled};
pub use column::{Column, ColumnKind, ColumnLabels, Description, Names};
pub use error::SamplesError;
pub use set::{Input, Samples};
pub use source::Source;
