//! Noise as further inputs of a graph, so that whoever runs it decides every value.
//!
//! A node that draws random numbers would draw others for another batch size or version of the runtime.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::normalize::Names;
use super::super::onnx::tensor_shape_proto::Dimension;
use super::super::onnx::tensor_shape_proto::dimension::Value as DimensionValue;
use super::super::onnx::type_proto::{Tensor as TensorType, Value as TypeValue};
use super::super::onnx::{GraphProto, NodeProto, TensorShapeProto, TypeProto, ValueInfoProto};
use super::super::walk::bodies_mut;
use super::prune::needed;
use super::{Model, SessionGraph, data_type_of};
use crate::archive::Kind;

/// A tensor that noise is put on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoisyTensor {
    /// Its name: what a node of the main graph computes, or an input of the graph.
    pub name: String,
    /// The type of its elements, a float.
    pub kind: Kind,
    /// Its dimensions behind the first one, which is the sample.
    pub dims: Vec<usize>,
}

/// How noise meets a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseOperator {
    /// It is added.
    Add,
    /// It is a factor.
    Multiply,
}

/// What a tap shows of a tensor that noise is put on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TapSide {
    /// The tensor with its noise: the noise belongs to the layer's output.
    #[default]
    Noisy,
    /// The tensor before its noise: the noise belongs to the next layers' input.
    Clean,
}

/// A graph with inputs for noise.
#[derive(Clone, Debug)]
pub struct NoisyGraph {
    /// The graph that computes the taps.
    pub session: SessionGraph,
    /// The input for the noise of each tensor; none where no tap depends on it.
    pub inputs: Vec<Option<String>>,
    /// For each tap, the places of the tensors whose noise it sees.
    pub reaching: Vec<Vec<usize>>,
}

impl Model {
    /// As [`Model::session`], with noise on some tensors that is fed as further inputs.
    #[must_use]
    pub fn noisy_session(
        &self,
        taps: &[&str],
        fed: &BTreeSet<&str>,
        tensors: &[NoisyTensor],
        operator: NoiseOperator,
        side: TapSide,
    ) -> NoisyGraph {
        let mut graph = self.graph.clone();
        let mut names = Names::of(&graph);
        let inputs: Vec<String> =
            tensors.iter().map(|tensor| put_noise(&mut graph, tensor, operator, side, &mut names)).collect();
        let reaching: Vec<Vec<usize>> = taps
            .iter()
            .map(|tap| {
                let (_, needed) = needed(&graph, &[tap]);
                (0..inputs.len()).filter(|&place| needed.contains(&inputs[place])).collect()
            })
            .collect();
        let used: BTreeSet<usize> = reaching.iter().flatten().copied().collect();
        let inputs: Vec<(String, bool)> =
            inputs.into_iter().enumerate().map(|(place, input)| (input, used.contains(&place))).collect();
        graph.input.retain(|info| inputs.iter().all(|(input, used)| *used || input != info.name()));
        NoisyGraph {
            session: self.session_of(graph, taps, &[], fed),
            inputs: inputs.into_iter().map(|(input, used)| used.then_some(input)).collect(),
            reaching,
        }
    }
}

/// Puts noise between a tensor and those that take it; returns the name of the new input.
fn put_noise(
    graph: &mut GraphProto,
    tensor: &NoisyTensor,
    operator: NoiseOperator,
    side: TapSide,
    names: &mut Names,
) -> String {
    let input = names.fresh(&format!("{}_noise", tensor.name));
    let maker = graph.node.iter().position(|node| node.output.contains(&tensor.name));
    let (clean, noisy) = if let (Some(at), TapSide::Noisy) = (maker, side) {
        // Who takes the tensor, taps among them, takes the noisy one without knowing.
        let clean = names.fresh(&format!("{}_without_noise", tensor.name));
        let made = graph.node[at].output.iter_mut().find(|output| **output == tensor.name);
        made.expect("the node makes it").clone_from(&clean);
        (clean, tensor.name.clone())
    } else {
        let noisy = names.fresh(&format!("{}_with_noise", tensor.name));
        graph.node.iter_mut().for_each(|node| take_instead(node, &tensor.name, &noisy));
        (tensor.name.clone(), noisy)
    };
    let operator = match operator {
        NoiseOperator::Add => "Add",
        NoiseOperator::Multiply => "Mul",
    };
    let node = NodeProto {
        op_type: Some(operator.to_owned()),
        input: vec![clean, input.clone()],
        output: vec![noisy],
        ..NodeProto::default()
    };
    graph.node.insert(maker.map_or(0, |at| at + 1), node);
    graph.input.push(described(&input, tensor));
    input
}

/// Lets a node and the graphs inside it take another tensor. Names are unique over all nested graphs.
fn take_instead(node: &mut NodeProto, old: &str, new: &str) {
    node.input.iter_mut().filter(|name| *name == old).for_each(|name| new.clone_into(name));
    for body in bodies_mut(node) {
        let outputs = body.output.iter_mut().filter_map(|output| output.name.as_mut());
        outputs.filter(|name| *name == old).for_each(|name| new.clone_into(name));
        body.node.iter_mut().for_each(|node| take_instead(node, old, new));
    }
}

/// An input of the tensor's type and shape, for any number of samples.
fn described(input: &str, tensor: &NoisyTensor) -> ValueInfoProto {
    let size = |&size: &usize| Dimension {
        value: i64::try_from(size).ok().map(DimensionValue::DimValue),
        ..Dimension::default()
    };
    let dim = std::iter::once(Dimension::default()).chain(tensor.dims.iter().map(size)).collect();
    let tensor =
        TensorType { elem_type: data_type_of(tensor.kind).map(Into::into), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: Some(input.to_owned()),
        r#type: Some(TypeProto { value: Some(TypeValue::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}
