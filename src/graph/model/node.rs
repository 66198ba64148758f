//! Nodes: the operators of a graph and what they take and make.

use super::super::modules::module_of;
use super::super::onnx::attribute_proto::AttributeType;
use super::super::onnx::{AttributeProto, NodeProto};

/// A node of the main graph or of a graph inside it.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// A number of its own, which it keeps when the model changes.
    pub place: usize,
    /// Its own name, which may be empty.
    pub name: &'a str,
    /// The operator; of another domain than the standard's as `domain.Operator`.
    pub operator: String,
    /// The path of the module that it belongs to, such as `layers.0.attn`.
    pub module: Option<String>,
    /// What it takes; an optional input that is left out is empty.
    pub inputs: &'a [String],
    /// What it makes; an output that is left out is empty.
    pub outputs: &'a [String],
    attributes: &'a [AttributeProto],
}

impl<'a> Node<'a> {
    pub(super) fn new(place: usize, node: &'a NodeProto) -> Self {
        Self {
            place,
            name: node.name(),
            operator: operator_of(node),
            module: module_of(node),
            inputs: &node.input,
            outputs: &node.output,
            attributes: &node.attribute,
        }
    }

    /// An attribute that is a whole number, such as `group` or `axis`.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.attribute(name, AttributeType::Int)?.i
    }

    /// An attribute that is a list of whole numbers, such as `perm`.
    #[must_use]
    pub fn integers(&self, name: &str) -> Option<&'a [i64]> {
        Some(&self.attribute(name, AttributeType::Ints)?.ints)
    }

    /// An attribute that is a number, such as `epsilon`.
    #[must_use]
    pub fn float(&self, name: &str) -> Option<f32> {
        self.attribute(name, AttributeType::Float)?.f
    }

    /// An attribute that is text, such as `direction`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.attribute(name, AttributeType::String)?.s.as_deref()?).ok()
    }

    fn attribute(&self, name: &str, kind: AttributeType) -> Option<&'a AttributeProto> {
        // Files of the first version of the format tell no type.
        let fits = |found: AttributeType| found == kind || found == AttributeType::Undefined;
        self.attributes.iter().find(|attribute| attribute.name() == name && fits(attribute.r#type()))
    }
}

/// One use of a tensor by a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Use {
    /// The [`Node::place`].
    pub node: usize,
    /// Which of the node's inputs.
    pub input: usize,
}

/// A tensor that a node of the main graph computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSource<'a> {
    /// Its name.
    pub name: &'a str,
    /// The operator that computes it, as [`Node::operator`].
    pub operator: String,
    /// The path of the module that computes it, such as `layers.0.attn`.
    pub module: Option<String>,
}

/// The name of an operator, with its domain if that is not the standard's.
pub(in super::super) fn operator_of(node: &NodeProto) -> String {
    match node.domain() {
        "" | "ai.onnx" => node.op_type().to_owned(),
        domain => format!("{domain}.{}", node.op_type()),
    }
}
