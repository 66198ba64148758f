//! A model, its initializers and its tensors; the bytes that a session is made from.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;
use prost::bytes::Bytes;

use super::onnx::tensor_proto::{DataLocation, DataType};
use super::onnx::{GraphProto, ModelProto, StringStringEntryProto, TensorProto, ValueInfoProto};
use super::{Feed, GraphError};
use crate::archive::{Float, Floats};

/// An ONNX model in memory.
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    bytes: Bytes,
    graph: GraphProto,
    rest: ModelProto,
}

/// A floating-point initializer of a graph: a weight, or a constant.
#[derive(Clone, Debug)]
pub struct Initializer<'a> {
    /// Its name in the graph.
    pub name: &'a str,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its type.
    pub float: Float,
    tensor: &'a TensorProto,
}

impl Model {
    /// Reads a model file.
    ///
    /// # Errors
    ///
    /// [`GraphError::Read`] or [`GraphError::Invalid`].
    pub fn open(path: &Path) -> Result<Self, GraphError> {
        let bytes = fs::read(path).map_err(|source| GraphError::Read { path: path.to_owned(), source })?;
        let invalid = |reason: &str| GraphError::Invalid { path: path.to_owned(), reason: reason.to_owned() };
        let bytes = Bytes::from(bytes);
        let mut model = ModelProto::decode(bytes.clone()).map_err(|error| {
            invalid(&format!("found {} bytes that do not parse ({error}); export the model again", bytes.len()))
        })?;
        let graph = model.graph.take().filter(|graph| !graph.node.is_empty());
        let graph = graph.ok_or_else(|| invalid("found no graph with nodes in it; export the model again"))?;
        for initializer in &graph.initializer {
            if initializer.data_location() == DataLocation::External {
                return Err(invalid(&format!(
                    "found initializer `{}` stored in another file; needed the weights inside; export with `external_data=False`",
                    initializer.name()
                )));
            }
        }
        Ok(Self { path: path.to_owned(), bytes, graph, rest: model })
    }

    /// The file that the model was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A hash of the file.
    #[must_use]
    pub fn hash(&self) -> String {
        blake3::hash(&self.bytes).to_hex().to_string()
    }

    /// The names of the outputs.
    #[must_use]
    pub fn outputs(&self) -> Vec<&str> {
        self.graph.output.iter().map(ValueInfoProto::name).collect()
    }

    /// The names of the tensors that nodes compute, in graph order, with the operator of each.
    #[must_use]
    pub fn tensors(&self) -> Vec<(&str, &str)> {
        self.graph
            .node
            .iter()
            .flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node.op_type())))
            .filter(|(name, _)| !name.is_empty())
            .collect()
    }

    /// Whether there is an initializer of this name, of whatever type.
    #[must_use]
    pub fn has_initializer(&self, name: &str) -> bool {
        self.graph.initializer.iter().any(|tensor| tensor.name() == name)
    }

    /// The floating-point initializers, in graph order.
    #[must_use]
    pub fn initializers(&self) -> Vec<Initializer<'_>> {
        self.graph.initializer.iter().filter_map(Initializer::new).collect()
    }

    /// The bytes of the same graph with more outputs, its own weights in it.
    ///
    /// Repeated parts of a message add up, so that appending is enough: the model is not encoded
    /// again.
    #[must_use]
    pub fn with_outputs(&self, taps: &[&str]) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        let outputs = self.missing_outputs(taps);
        let graph = GraphProto { output: outputs, ..GraphProto::default() };
        bytes.extend(ModelProto { graph: Some(graph), ..ModelProto::default() }.encode_to_vec());
        bytes
    }

    /// The bytes of the same graph with more outputs, each fed initializer without its values:
    /// they are given to the session.
    #[must_use]
    pub fn without_weights(&self, taps: &[&str], feeds: &[Feed]) -> Vec<u8> {
        let feeds: HashMap<&str, &Feed> = feeds.iter().map(|feed| (feed.initializer.as_str(), feed)).collect();
        let mut graph = self.graph.clone();
        graph.output.extend(self.missing_outputs(taps));
        for tensor in &mut graph.initializer {
            if let Some(feed) = feeds.get(tensor.name()) {
                let bytes = feed.shape.iter().product::<usize>() * feed.float.size();
                tensor.raw_data = None;
                tensor.float_data.clear();
                tensor.double_data.clear();
                tensor.int32_data.clear();
                tensor.data_location = Some(DataLocation::External.into());
                tensor.external_data =
                    [("location", "checkpoint".to_owned()), ("offset", "0".to_owned()), ("length", bytes.to_string())]
                        .map(|(key, value)| StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) })
                        .into();
            }
        }
        ModelProto { graph: Some(graph), ..self.rest.clone() }.encode_to_vec()
    }

    fn missing_outputs(&self, taps: &[&str]) -> Vec<ValueInfoProto> {
        let outputs = self.outputs();
        taps.iter()
            .filter(|tap| !outputs.contains(tap))
            .map(|tap| ValueInfoProto { name: Some((*tap).to_owned()), ..ValueInfoProto::default() })
            .collect()
    }
}

impl<'a> Initializer<'a> {
    fn new(tensor: &'a TensorProto) -> Option<Self> {
        let float = match tensor.data_type() {
            kind if kind == DataType::Double as i32 => Float::F64,
            kind if kind == DataType::Float as i32 => Float::F32,
            kind if kind == DataType::Float16 as i32 => Float::F16,
            kind if kind == DataType::Bfloat16 as i32 => Float::Bf16,
            _ => return None,
        };
        let shape = tensor.dims.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect();
        Some(Self { name: tensor.name(), shape, float, tensor })
    }

    /// The number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values, or none if there are fewer than the shape claims.
    #[must_use]
    pub fn values(&self) -> Option<Floats<'a>> {
        let values = match (&self.tensor.raw_data, self.float) {
            (Some(bytes), float) => {
                return (bytes.len() == self.len() * float.size()).then(|| Floats::from_bytes(float, bytes));
            }
            (None, Float::F32) => Floats::F32((&self.tensor.float_data).into()),
            (None, Float::F64) => Floats::F64((&self.tensor.double_data).into()),
            // Sixteen-bit values without raw bytes lie in the low half of 32-bit integers.
            (None, Float::F16) => Floats::F16(self.halves().map(half::f16::from_bits).collect()),
            (None, Float::Bf16) => Floats::Bf16(self.halves().map(half::bf16::from_bits).collect()),
        };
        let found = match &values {
            Floats::F32(values) => values.len(),
            Floats::F64(values) => values.len(),
            Floats::F16(values) => values.len(),
            Floats::Bf16(values) => values.len(),
        };
        (found == self.len()).then_some(values)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the format keeps sixteen bits in the low half"
    )]
    fn halves(&self) -> impl Iterator<Item = u16> {
        self.tensor.int32_data.iter().map(|&value| value as u16)
    }
}
