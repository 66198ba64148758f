//! What a graph needs to compute some of its tensors.

use std::collections::{HashMap, HashSet};

use super::super::onnx::{GraphProto, TensorProto};
use super::super::walk::taken;

/// Removes the nodes and initializers that none of the wanted tensors needs.
///
/// ONNX Runtime runs all nodes, needed or not: for an early tensor of a deep network that is
/// nearly all the time.
pub(super) fn prune(graph: &mut GraphProto, wanted: &[&str]) {
    let (nodes, names) = needed(graph, wanted);
    let mut place = 0..;
    graph.node.retain(|_| place.next().is_some_and(|place| nodes[place]));
    graph.initializer.retain(|tensor| names.contains(tensor.name()));
    graph.value_info.retain(|info| names.contains(info.name()));
    graph.quantization_annotation = Vec::new();
}

/// Which nodes are needed, and the names of everything that is.
pub(super) fn needed(graph: &GraphProto, wanted: &[&str]) -> (Vec<bool>, HashSet<String>) {
    let mut makers = HashMap::new();
    for (place, node) in graph.node.iter().enumerate() {
        makers.extend(node.output.iter().map(|name| (name.as_str(), place)));
    }
    let mut kept = vec![false; graph.node.len()];
    let mut names: HashSet<String> = HashSet::new();
    let mut open: Vec<&str> = wanted.to_vec();
    while let Some(name) = open.pop() {
        if name.is_empty() || !names.insert(name.to_owned()) {
            continue;
        }
        let Some(&place) = makers.get(name) else { continue };
        if std::mem::replace(&mut kept[place], true) {
            continue;
        }
        let node = &graph.node[place];
        names.extend(node.output.iter().cloned());
        // Names are unique over all nested graphs: what is not made inside is captured.
        open.extend(taken(node));
    }
    (kept, names)
}

/// The number of bytes that an initializer's values take; none if the type is not read here.
pub(super) fn size(tensor: &TensorProto) -> Option<usize> {
    let kind = super::kind_of(tensor.data_type())?;
    super::super::normalize::count(tensor)?.checked_mul(kind.size())
}
