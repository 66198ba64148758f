//! Samples: the fixed evaluation inputs, their labels and their ids.
//!
//! | file | what it holds |
//! |---|---|
//! | `array` | arrays of NumPy files (the only file that names `npyz` and `zip`) |
//! | `source` | where the pipeline file says that arrays lie |
//! | `set` | inputs, labels and ids that belong together |

mod array;
mod error;
mod set;
mod source;

pub use array::{Array, Values};
pub use error::SamplesError;
pub use set::{Column, Input, Samples};
pub use source::Source;
