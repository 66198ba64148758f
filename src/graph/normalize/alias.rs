//! Copies of a weight under another name become weights of their own.
//!
//! The TorchScript exporter merges weights that are equal at that moment, such as two fresh
//! layer norms, and gives the second its name back through an `Identity`. A later checkpoint has
//! different values for the two.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::super::onnx::{GraphProto, NodeProto, ValueInfoProto};
use super::super::walk::{bodies_mut, is_standard};

/// Bytes that all copies together may have; the values are shared, but a session writes them out.
const MOST: usize = 1 << 32;

/// Replaces each `Identity` of an initializer by an initializer, unless a graph returns it.
pub(super) fn split_aliases(graph: &mut GraphProto) {
    let places =
        graph.initializer.iter().enumerate().map(|(place, tensor)| (tensor.name().to_owned(), place)).collect();
    let mut found = Aliases { places, sources: Vec::new(), sizes: Vec::new(), left: MOST };
    found.sizes = graph.initializer.iter().map(|tensor| tensor.raw_data.as_ref().map_or(0, Bytes::len)).collect();
    found.take_from(graph);
    for (name, source) in found.sources {
        let mut tensor = graph.initializer[source].clone();
        tensor.name = Some(name);
        graph.initializer.push(tensor);
    }
}

struct Aliases {
    /// Where the initializer of a name, or of what it is an alias of, stands.
    places: HashMap<String, usize>,
    sources: Vec<(String, usize)>,
    sizes: Vec<usize>,
    left: usize,
}

impl Aliases {
    fn take_from(&mut self, graph: &mut GraphProto) {
        let results: HashSet<&str> = graph.output.iter().map(ValueInfoProto::name).collect();
        graph.node.retain_mut(|node| {
            for body in bodies_mut(node) {
                self.take_from(body);
            }
            !self.take(node, &results)
        });
    }

    fn take(&mut self, node: &NodeProto, results: &HashSet<&str>) -> bool {
        let ([input], [output]) = (&node.input[..], &node.output[..]) else { return false };
        let Some(&place) = self.places.get(input) else { return false };
        let size = self.sizes[place];
        if !is_standard(node, "Identity") || output.is_empty() || results.contains(output.as_str()) || size > self.left
        {
            return false;
        }
        self.left -= size;
        self.places.insert(output.clone(), place);
        self.sources.push((output.clone(), place));
        true
    }
}
