//! Nodes and tensors of a graph and of the graphs inside its nodes.

use super::onnx::{GraphProto, NodeProto, TensorProto, ValueInfoProto};

/// How deep graphs may lie in one another; what reads a file stops at about this depth, too.
pub(super) const DEPTH: usize = 32;

/// The graphs inside a node: the branches of an `If`, the body of a `Loop` or a `Scan`.
pub(super) fn bodies(node: &NodeProto) -> impl DoubleEndedIterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs))
}

/// As [`bodies`], to be changed.
pub(super) fn bodies_mut(node: &mut NodeProto) -> impl Iterator<Item = &mut GraphProto> {
    node.attribute.iter_mut().flat_map(|attribute| attribute.g.iter_mut().chain(&mut attribute.graphs))
}

/// Every node, each followed by those inside it.
pub(super) fn nodes(nodes: &[NodeProto]) -> Nodes<'_> {
    Nodes { stack: vec![nodes.iter()] }
}

/// Iterator of [`nodes`].
pub(super) struct Nodes<'a> {
    stack: Vec<std::slice::Iter<'a, NodeProto>>,
}

impl<'a> Iterator for Nodes<'a> {
    type Item = &'a NodeProto;

    fn next(&mut self) -> Option<&'a NodeProto> {
        loop {
            match self.stack.last_mut()?.next() {
                Some(node) => {
                    self.stack.extend(bodies(node).rev().map(|body| body.node.iter()));
                    return Some(node);
                }
                None => self.stack.pop(),
            };
        }
    }
}

/// The names of everything that a node or the graphs inside it take.
pub(super) fn taken(node: &NodeProto) -> Vec<&str> {
    let mut names: Vec<&str> = node.input.iter().map(String::as_str).collect();
    for body in std::iter::once(node).chain(bodies(node).flat_map(|body| nodes(&body.node))).flat_map(bodies) {
        names.extend(body.output.iter().map(ValueInfoProto::name));
        names.extend(body.node.iter().flat_map(|inner| &inner.input).map(String::as_str));
    }
    names
}

/// The list that holds the node at this place of [`nodes`], and where in it.
pub(super) fn find_mut(graph: &mut GraphProto, place: usize) -> Option<(&mut Vec<NodeProto>, usize)> {
    let mut path = Vec::new();
    let at = locate(&graph.node, &mut { place }, &mut path)?;
    let mut nodes = &mut graph.node;
    for (node, body) in path {
        nodes = &mut bodies_mut(nodes.get_mut(node)?).nth(body)?.node;
    }
    Some((nodes, at))
}

fn locate(nodes: &[NodeProto], left: &mut usize, path: &mut Vec<(usize, usize)>) -> Option<usize> {
    for (at, node) in nodes.iter().enumerate() {
        if *left == 0 {
            return Some(at);
        }
        *left -= 1;
        for (place, body) in bodies(node).enumerate() {
            path.push((at, place));
            if let Some(found) = locate(&body.node, left, path) {
                return Some(found);
            }
            path.pop();
        }
    }
    None
}

/// How deep graphs lie in one another below these nodes.
pub(super) fn depth(nodes: &[NodeProto]) -> usize {
    nodes.iter().flat_map(bodies).map(|body| 1 + depth(&body.node)).max().unwrap_or(0)
}

/// Hands every tensor inside nodes to `visit`, with the name of what it becomes.
pub(super) fn tensors_mut<E>(
    nodes: &mut [NodeProto],
    visit: &mut dyn FnMut(&str, &mut TensorProto) -> Result<(), E>,
) -> Result<(), E> {
    for node in nodes {
        let output = node.output.first().map_or("", String::as_str);
        for attribute in &mut node.attribute {
            for tensor in attribute.t.iter_mut().chain(&mut attribute.tensors) {
                visit(output, tensor)?;
            }
            for body in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                for tensor in &mut body.initializer {
                    let name = tensor.name().to_owned();
                    visit(&name, tensor)?;
                }
                tensors_mut(&mut body.node, visit)?;
            }
        }
    }
    Ok(())
}

/// Whether a node is this operator of the ONNX standard.
pub(super) fn is_standard(node: &NodeProto, operator: &str) -> bool {
    matches!(node.domain(), "" | "ai.onnx") && node.op_type() == operator
}
