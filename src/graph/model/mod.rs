//! A model, its initializers, nodes and tensors; the bytes that a session is made from.

mod edit;
mod initializer;
mod input;
mod node;
mod noise;
mod prune;
mod session;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;

use super::GraphError;
use super::modules::module_of;
use super::normalize::{ExternalFiles, map, normalize};
use super::onnx::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use super::walk;
use crate::archive::Numbers;

use initializer::data_type_of;
pub(super) use initializer::kind_of;
pub use initializer::{Initializer, OpaqueInitializer};
pub use input::GraphInput;
pub(super) use node::operator_of;
pub use node::{Node, TensorSource, Use};
pub use noise::{NoiseOperator, NoisyGraph, NoisyTensor, TapSide};
pub use session::{OriginalGraph, SessionGraph};

/// An ONNX model in one form, whatever wrote it: every weight is one initializer of the main graph.
///
/// The file is mapped, not read, and the weights lie in it: they cost memory only while they are looked at.
#[derive(Clone, Debug)]
pub struct Model {
    path: PathBuf,
    file: Bytes,
    external: ExternalFiles,
    /// What nodes of the main graph compute in the file as it is.
    original_tensors: HashSet<String>,
    graph: GraphProto,
    /// The model without its graph.
    rest: ModelProto,
    /// The number of each node, in the order of [`walk::nodes`].
    places: Vec<usize>,
}

impl Model {
    /// Reads and normalizes a model file.
    ///
    /// # Errors
    ///
    /// [`GraphError::Read`] or [`GraphError::Invalid`].
    pub fn open(path: &Path) -> Result<Self, GraphError> {
        let file = map(path).map_err(|source| GraphError::Read { path: path.to_owned(), source })?;
        let invalid = |reason: String| GraphError::Invalid { path: path.to_owned(), reason };
        let mut model = ModelProto::decode(file.clone()).map_err(|error| {
            invalid(format!("found {} bytes that do not parse ({error}); export the model again", file.len()))
        })?;
        let nodes = model.graph.as_ref().map_or(&[][..], |graph| &graph.node);
        if nodes.is_empty() {
            return Err(invalid("found no graph with nodes in it; export the model again".to_owned()));
        }
        let original_tensors =
            nodes.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty()).cloned().collect();
        let external = normalize(&mut model, folder(path)).map_err(invalid)?;
        let graph = model.graph.take().unwrap_or_default();
        let places = (0..walk::nodes(&graph.node).count()).collect();
        Ok(Self { path: path.to_owned(), file, external, original_tensors, graph, rest: model, places })
    }

    /// The file that the model was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A hash of the file and of the other files that hold its weights, all of which it reads.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.file);
        for (location, bytes) in &self.external {
            hasher.update(format!("\0{location}\0{}\0", bytes.as_ref().map_or(0, Bytes::len)).as_bytes());
            hasher.update(bytes.as_deref().unwrap_or_default());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The files that should hold weights and are not there: those weights have no values.
    #[must_use]
    pub fn missing_files(&self) -> Vec<PathBuf> {
        let missing = self.external.iter().filter(|(_, bytes)| bytes.is_none());
        missing.map(|(location, _)| self.folder().join(location)).collect()
    }

    /// The inputs that samples are fed to.
    #[must_use]
    pub fn inputs(&self) -> Vec<GraphInput<'_>> {
        self.graph.input.iter().map(GraphInput::new).collect()
    }

    /// The name of the exporter, which may be empty.
    #[must_use]
    pub fn producer(&self) -> &str {
        self.rest.producer_name()
    }

    /// The names of the outputs.
    #[must_use]
    pub fn outputs(&self) -> Vec<&str> {
        self.graph.output.iter().map(ValueInfoProto::name).collect()
    }

    /// The tensors that nodes of the main graph compute, in graph order: those that can be tapped.
    #[must_use]
    pub fn tensors(&self) -> Vec<TensorSource<'_>> {
        let mut tensors = Vec::new();
        for node in &self.graph.node {
            for name in node.output.iter().filter(|name| !name.is_empty()) {
                tensors.push(TensorSource { name, operator: operator_of(node), module: module_of(node) });
            }
        }
        tensors
    }

    /// The initializers of all types that are read here, in graph order.
    #[must_use]
    pub fn initializers(&self) -> Vec<Initializer<'_>> {
        self.graph.initializer.iter().filter_map(Initializer::new).collect()
    }

    /// The initializers of other types, which keep the graph's own value.
    #[must_use]
    pub fn opaque_initializers(&self) -> Vec<OpaqueInitializer<'_>> {
        self.graph.initializer.iter().filter_map(OpaqueInitializer::new).collect()
    }

    /// Whether there is an initializer of this name, of whatever type.
    #[must_use]
    pub fn has_initializer(&self, name: &str) -> bool {
        self.tensor(name).is_some()
    }

    /// The nodes of the main graph and of those inside it, in graph order.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.places.iter().zip(walk::nodes(&self.graph.node)).map(|(&place, node)| Node::new(place, node))
    }

    /// The nodes of the main graph as the format has them.
    pub(super) fn main_nodes(&self) -> &[NodeProto] {
        &self.graph.node
    }

    /// Which nodes take an initializer.
    #[must_use]
    pub fn uses(&self, initializer: &str) -> Vec<Use> {
        let mut uses = Vec::new();
        for (&node, proto) in self.places.iter().zip(walk::nodes(&self.graph.node)) {
            let inputs = proto.input.iter().enumerate().filter(|(_, name)| *name == initializer);
            uses.extend(inputs.map(|(input, _)| Use { node, input }));
        }
        uses
    }

    /// The values of a constant or weight.
    #[must_use]
    pub fn value_of(&self, name: &str) -> Option<Numbers<'_>> {
        let constant = || {
            let node =
                walk::nodes(&self.graph.node).find(|node| node.output.first().is_some_and(|output| output == name))?;
            node.attribute
                .iter()
                .find(|attribute| attribute.name() == "value" && walk::is_standard(node, "Constant"))?
                .t
                .as_ref()
        };
        Initializer::new(self.tensor(name).or_else(constant)?)?.values()
    }

    fn tensor(&self, name: &str) -> Option<&TensorProto> {
        self.graph.initializer.iter().find(|tensor| tensor.name() == name)
    }

    fn folder(&self) -> &Path {
        folder(&self.path)
    }
}

/// The folder that a model file lies in.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}
