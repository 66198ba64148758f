//! Replay: the same inputs through every checkpoint, with the inner tensors read out.
//!
//! | file | what it holds |
//! |---|---|
//! | `library` | where ONNX Runtime's shared library is found |
//! | `fetch` | the pinned ONNX Runtime, fetched once through the user's own pip |
//! | `session` | ONNX Runtime itself (the only file that names `ort`) |
//! | `feed` | the inputs in the types that the graph wants |
//! | `noise` | noise that makes the network stochastic: how much, where, and its values |
//! | `activations` | what is read out: one row a sample, pooled as asked |
//! | `loss` | the network's own loss and accuracy |

mod activations;
mod error;
mod feed;
mod fetch;
mod library;
mod loss;
mod noise;
mod session;

pub use activations::{Activations, Replayed, check_batch, replay};
pub use error::ReplayError;
pub use feed::{FeedInputs, NoiseFeed};
pub use library::find_library;
pub use loss::{Score, score};
pub use noise::{Deviation, Noise, Positive, Propagated, ReadOut, disturb, scale};
pub use session::{Element, Runtime, Session, Sink, TensorInfo};
