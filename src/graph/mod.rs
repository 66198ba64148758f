//! Graph: one ONNX model whose weights are replaced, checkpoint by checkpoint.
//!
//! | file | what it holds |
//! |---|---|
//! | `onnx` | the ONNX messages, generated from `onnx-ml.proto` |
//! | `model` | a model, its initializers, nodes and tensors; the bytes that a session is made from |
//! | `normalize` | brings what exporters write into one form, in which each weight is one initializer |
//! | `walk` | nodes and tensors of a graph and of the graphs inside its nodes |
//! | `modules` | which module of the network a node came from |
//! | `taps` | the inner tensors that a run reads out |
//! | `suggest` | taps for someone who does not know the graph |
//! | `binding` | which checkpoint tensor feeds which initializer, on what evidence |

mod binding;
mod error;
mod model;
mod modules;
mod normalize;
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
#[cfg(test)]
mod sketch;
mod suggest;
mod taps;
mod walk;

pub use binding::{
    Bind, Binding, Elsewhere, Evidence, Fed, Feed, Folded, Joined, Leftover, Part, Piece, Recipe, Rule, Scaled, Slice,
};
pub use error::GraphError;
pub use model::{
    GraphInput, Initializer, Model, Node, NoiseOperator, NoisyGraph, NoisyTensor, OpaqueInitializer, OriginalGraph,
    SessionGraph, TapSide, TensorSource, Use,
};
pub use suggest::suggest_taps;
pub use taps::{Pooling, Tap, select_taps};
