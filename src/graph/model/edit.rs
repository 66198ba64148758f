//! Changes that undo what an exporter did to the weights of a graph.

use std::collections::BTreeMap;

use super::super::normalize::Names;
use super::super::onnx::{NodeProto, TensorProto};
use super::super::walk::{find_mut, is_standard};
use super::{Model, Use, data_type_of};
use crate::archive::Kind;

impl Model {
    /// Gives some uses of an initializer a copy of their own, and returns its name: the wanted one
    /// unless another tensor has it.
    ///
    /// Exporters merge weights that are equal at that moment; later checkpoints have different ones.
    pub fn split(&mut self, initializer: &str, uses: &[Use], name: &str) -> String {
        let name = Names::of(&self.graph).fresh(name);
        if let Some(tensor) = self.graph.initializer.iter().find(|tensor| tensor.name() == initializer) {
            let copy = TensorProto { name: Some(name.clone()), ..tensor.clone() };
            self.graph.initializer.push(copy);
            for taken in uses {
                let input = self.node_mut(taken.node).and_then(|node| node.input.get_mut(taken.input));
                if let Some(input) = input.filter(|input| *input == initializer) {
                    input.clone_from(&name);
                }
            }
        }
        name
    }

    /// Gives a node that lost its bias one of zeros again, and returns its name: the wanted one
    /// unless another tensor has it; none if the node cannot take a bias or has one.
    ///
    /// Exporters drop biases that are zero at that moment; later checkpoints have others. Behind a
    /// `MatMul` an `Add` takes it, and what the `MatMul` was called becomes the name of the sum, so
    /// that taps and outputs keep their meaning.
    pub fn add_bias(&mut self, node: usize, name: &str, shape: &[usize], kind: Kind) -> Option<String> {
        let bytes = shape.iter().try_fold(kind.size(), |bytes, &size| bytes.checked_mul(size))?;
        let data_type = data_type_of(kind)?;
        let dims = shape.iter().map(|&size| i64::try_from(size).ok()).collect::<Option<_>>()?;
        let mut names = Names::of(&self.graph);
        let name = names.fresh(name);
        let place = self.places.iter().position(|&place| place == node)?;
        let (nodes, at) = find_mut(&mut self.graph, place)?;
        let node = nodes.get_mut(at)?;
        if is_standard(node, "MatMul") {
            let add = sum(node, &name, &mut names)?;
            nodes.insert(at + 1, add);
            // A MatMul has no graph inside: what comes next is the new node.
            self.places.insert(place + 1, self.places.len());
        } else {
            let operators = ["Gemm", "Conv", "ConvTranspose", "LayerNormalization"];
            let biased = node.input.get(2).is_some_and(|bias| !bias.is_empty());
            if biased || node.input.len() < 2 || !operators.iter().any(|operator| is_standard(node, operator)) {
                return None;
            }
            node.input.truncate(2);
            node.input.push(name.clone());
        }
        self.graph.initializer.push(TensorProto {
            name: Some(name.clone()),
            data_type: Some(data_type.into()),
            dims,
            raw_data: Some(vec![0; bytes].into()),
            ..TensorProto::default()
        });
        Some(name)
    }

    /// The uses of all initializers, for models of many.
    #[must_use]
    pub fn all_uses(&self) -> BTreeMap<&str, Vec<Use>> {
        let mut uses: BTreeMap<&str, Vec<Use>> =
            self.graph.initializer.iter().map(|tensor| (tensor.name(), Vec::new())).collect();
        for node in self.nodes() {
            for (input, name) in node.inputs.iter().enumerate() {
                if let Some(uses) = uses.get_mut(name.as_str()) {
                    uses.push(Use { node: node.place, input });
                }
            }
        }
        uses
    }

    fn node_mut(&mut self, node: usize) -> Option<&mut NodeProto> {
        let place = self.places.iter().position(|&place| place == node)?;
        let (nodes, at) = find_mut(&mut self.graph, place)?;
        nodes.get_mut(at)
    }
}

/// Takes the name of a node's output for the sum of that output and a bias.
fn sum(node: &mut NodeProto, bias: &str, names: &mut Names) -> Option<NodeProto> {
    let result = node.output.first().filter(|output| !output.is_empty())?.clone();
    let product = names.fresh(&format!("{result}_without_bias"));
    node.output[0].clone_from(&product);
    Some(NodeProto {
        op_type: Some("Add".to_owned()),
        input: vec![product, bias.to_owned()],
        output: vec![result],
        metadata_props: node.metadata_props.clone(),
        ..NodeProto::default()
    })
}
