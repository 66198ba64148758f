//! Graph: one ONNX model whose weights are replaced, checkpoint by checkpoint.
//!
//! | file | what it holds |
//! |---|---|
//! | `onnx` | the ONNX messages, generated from `onnx-ml.proto` (the only file that names `prost`) |
//! | `model` | a model, its initializers and its tensors; the bytes that a session is made from |
//! | `taps` | the inner tensors that a run reads out |
//! | `binding` | which checkpoint tensor feeds which initializer, on what evidence |

mod binding;
mod error;
mod model;
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::pedantic,
    clippy::enum_variant_names,
    clippy::allow_attributes,
    reason = "generated"
)]
mod onnx;
mod taps;

pub use binding::{Bind, Binding, Evidence, Feed};
pub use error::GraphError;
pub use model::{Initializer, Model};
pub use taps::{Pooling, Tap, select_taps};
