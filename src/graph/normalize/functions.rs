//! Functions that a model brings along are written out where they are called.
//!
//! Only then can the tensors inside be tapped, and weights be followed to where they are used.

use std::collections::{BTreeMap, HashMap, HashSet};

use prost::Message;

use super::super::onnx::{AttributeProto, FunctionProto, ModelProto, NodeProto, OperatorSetIdProto};
use super::super::walk::{DEPTH, bodies_mut, nodes};
use super::names::{Names, Scope, rename};

/// Bytes that the written-out calls may have in all: functions that call functions grow exponentially.
const MOST: usize = 1 << 28;
/// What a node takes in memory beside its names and attributes.
const NODE: usize = 512;

/// Writes out every call of a function of the model.
pub(super) fn inline(model: &mut ModelProto) -> Result<(), String> {
    let functions: Functions =
        std::mem::take(&mut model.functions).into_iter().map(|function| (key_of(&function), function)).collect();
    let Some(graph) = model.graph.as_mut().filter(|_| !functions.is_empty()) else { return Ok(()) };
    let mut opsets: BTreeMap<String, i64> = BTreeMap::new();
    for set in &model.opset_import {
        opsets.insert(domain(set.domain()).to_owned(), set.version());
    }
    let mut inliner =
        Inliner { functions: &functions, names: Names::of(graph), labels: Names::default(), opsets, left: MOST };
    inliner.labels.take_all(graph.node.iter().filter_map(|node| node.name.as_ref()));
    graph.node = inliner.expand(std::mem::take(&mut graph.node), 0)?;
    // Nothing calls into the functions' own domains any more.
    let used: HashSet<&str> = nodes(&graph.node).map(|node| domain(node.domain())).chain([""]).collect();
    let remaining = inliner.opsets.into_iter().filter(|(domain, _)| used.contains(domain.as_str()));
    model.opset_import = remaining
        .map(|(domain, version)| OperatorSetIdProto { domain: Some(domain), version: Some(version) })
        .collect();
    Ok(())
}

/// The domain, name and overload that a call names.
type Key = (String, String, String);
type Functions = HashMap<Key, FunctionProto>;

struct Inliner<'f> {
    functions: &'f Functions,
    names: Names,
    /// The names of nodes, which must differ, too.
    labels: Names,
    opsets: BTreeMap<String, i64>,
    left: usize,
}

impl Inliner<'_> {
    fn expand(&mut self, nodes: Vec<NodeProto>, depth: usize) -> Result<Vec<NodeProto>, String> {
        let mut expanded = Vec::with_capacity(nodes.len());
        for mut node in nodes {
            if depth > DEPTH {
                return Err(format!(
                    "operator `{}`: found more than {DEPTH} calls or graphs in one another, perhaps a function that \
                     calls itself; inline the functions with `onnx.inliner`",
                    node.op_type()
                ));
            }
            for body in bodies_mut(&mut node) {
                body.node = self.expand(std::mem::take(&mut body.node), depth + 1)?;
            }
            match self.functions.get(&key_called(&node)) {
                None => expanded.push(node),
                Some(function) => {
                    let inside = self.call(&node, function)?;
                    expanded.extend(self.expand(inside, depth + 1)?);
                }
            }
        }
        Ok(expanded)
    }

    /// The nodes of a function with the names and attributes of one call.
    fn call(&mut self, call: &NodeProto, function: &FunctionProto) -> Result<Vec<NodeProto>, String> {
        self.merge_opsets(function)?;
        let prefix = match call.name() {
            "" => self.labels.fresh(call.op_type()),
            name => name.to_owned(),
        };
        let labels: usize = call.metadata_props.iter().map(Message::encoded_len).sum();
        self.charge(call, function.encoded_len())?;
        let count = nodes(&function.node).count();
        self.charge(call, count.saturating_mul(NODE + labels + 4 * prefix.len()))?;
        let mut renamed = HashMap::new();
        for (place, name) in function.input.iter().enumerate() {
            renamed.insert(name.clone(), call.input.get(place).cloned().unwrap_or_default());
        }
        let mut copies = Vec::new();
        for (name, result) in function.output.iter().zip(&call.output).filter(|(_, result)| !result.is_empty()) {
            match renamed.get(name) {
                // What a function hands through, or returns twice, has a name already.
                Some(input) => copies.push(identity(input, result)),
                None => _ = renamed.insert(name.clone(), result.clone()),
            }
        }
        for name in function.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty()) {
            if !renamed.contains_key(name) {
                renamed.insert(name.clone(), self.names.fresh(&format!("{prefix}/{name}")));
            }
        }
        let mut inside = function.node.clone();
        rename(&mut inside, &Scope::new(renamed), &mut self.names);
        let given: HashMap<&str, &AttributeProto> = function
            .attribute_proto
            .iter()
            .chain(&call.attribute)
            .map(|attribute| (attribute.name(), attribute))
            .collect();
        self.substitute(call, &mut inside, &given)?;
        for node in &mut inside {
            let name = if node.name().is_empty() { node.op_type() } else { node.name() };
            node.name = Some(self.labels.fresh(&format!("{prefix}/{name}")));
            if node.metadata_props.is_empty() {
                node.metadata_props.clone_from(&call.metadata_props);
            }
        }
        inside.extend(copies);
        Ok(inside)
    }

    /// Puts the attributes of a call where the function's nodes refer to them; without a value they have none.
    fn substitute(
        &mut self,
        call: &NodeProto,
        nodes: &mut [NodeProto],
        given: &HashMap<&str, &AttributeProto>,
    ) -> Result<(), String> {
        for node in nodes {
            for body in bodies_mut(node) {
                self.substitute(call, &mut body.node, given)?;
            }
            let mut attributes = Vec::with_capacity(node.attribute.len());
            for attribute in std::mem::take(&mut node.attribute) {
                if attribute.ref_attr_name().is_empty() {
                    attributes.push(attribute);
                } else if let Some(&value) = given.get(attribute.ref_attr_name()) {
                    self.charge(call, NODE + value.encoded_len())?;
                    attributes.push(AttributeProto { name: attribute.name, ..value.clone() });
                }
            }
            node.attribute = attributes;
        }
        Ok(())
    }

    /// Adds the operator sets that a function needs.
    fn merge_opsets(&mut self, function: &FunctionProto) -> Result<(), String> {
        let used: HashSet<&str> = nodes(&function.node)
            .filter(|node| !self.functions.contains_key(&key_called(node)))
            .map(|node| domain(node.domain()))
            .collect();
        for set in function.opset_import.iter().filter(|set| used.contains(domain(set.domain()))) {
            let known = *self.opsets.entry(domain(set.domain()).to_owned()).or_insert(set.version());
            if known != set.version() {
                return Err(format!(
                    "function `{}`: found operators of version {} of the domain `{}`, needed version {known} as in the graph; \
                     convert it with `onnx.inliner.inline_local_functions(model, convert_version=True)`",
                    function.name(),
                    set.version(),
                    domain(set.domain())
                ));
            }
        }
        Ok(())
    }

    fn charge(&mut self, call: &NodeProto, bytes: usize) -> Result<(), String> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            format!(
                "call of the function `{}`: found more than {MOST} bytes of nodes when all calls are written out; \
                 export the model without functions",
                call.op_type()
            )
        })?;
        Ok(())
    }
}

fn identity(input: &str, output: &str) -> NodeProto {
    NodeProto {
        op_type: Some("Identity".to_owned()),
        input: vec![input.to_owned()],
        output: vec![output.to_owned()],
        ..NodeProto::default()
    }
}

fn key_of(function: &FunctionProto) -> Key {
    (domain(function.domain()).to_owned(), function.name().to_owned(), function.overload().to_owned())
}

fn key_called(node: &NodeProto) -> Key {
    (domain(node.domain()).to_owned(), node.op_type().to_owned(), node.overload().to_owned())
}

/// The standard domain has two names.
fn domain(name: &str) -> &str {
    if name == "ai.onnx" { "" } else { name }
}
