//! Weights inside nodes become initializers of the main graph, the only ones that ONNX Runtime replaces.
//!
//! They lie in the graphs inside `If`, `Loop` and `Scan`, and in `Constant` nodes anywhere.

use std::collections::HashSet;

use super::super::onnx::tensor_proto::DataType;
use super::super::onnx::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};
use super::super::walk::{bodies_mut, is_standard};
use super::names::Names;
use super::tensor::count;

/// Moves weights to the main graph, whose names are visible in all others.
pub(super) fn hoist(graph: &mut GraphProto, names: &mut Names) -> Result<(), String> {
    refuse_sparse(graph)?;
    let mut found = Vec::new();
    from_nodes(graph, &mut found, names)?;
    graph.initializer.extend(found);
    Ok(())
}

fn from_nodes(graph: &mut GraphProto, found: &mut Vec<TensorProto>, names: &mut Names) -> Result<(), String> {
    let results: HashSet<&str> = graph.output.iter().map(ValueInfoProto::name).collect();
    let mut nodes = Vec::with_capacity(graph.node.len());
    for mut node in std::mem::take(&mut graph.node) {
        for body in bodies_mut(&mut node) {
            from_body(body, found, names)?;
        }
        match value_of(&mut node)? {
            None => nodes.push(node),
            Some(tensor) => nodes.extend(lift(tensor, &node.output[0], &results, found, names)),
        }
    }
    graph.node = nodes;
    Ok(())
}

fn from_body(body: &mut GraphProto, found: &mut Vec<TensorProto>, names: &mut Names) -> Result<(), String> {
    refuse_sparse(body)?;
    let own: HashSet<&str> = body.initializer.iter().map(TensorProto::name).collect();
    // Old files list initializers among the inputs, too.
    body.input.retain(|input| !own.contains(input.name()));
    let results: HashSet<&str> = body.output.iter().map(ValueInfoProto::name).collect();
    let mut copies = Vec::new();
    for tensor in std::mem::take(&mut body.initializer) {
        let name = tensor.name().to_owned();
        copies.extend(lift(tensor, &name, &results, found, names));
    }
    from_nodes(body, found, names)?;
    body.node.splice(0..0, copies);
    Ok(())
}

/// Takes a tensor out; what a graph returns must be made by a node of it, so that such a tensor needs a copy.
fn lift(
    mut tensor: TensorProto,
    name: &str,
    results: &HashSet<&str>,
    found: &mut Vec<TensorProto>,
    names: &mut Names,
) -> Option<NodeProto> {
    let copied = results.contains(name);
    let new = if copied { names.fresh(&format!("{name}_value")) } else { name.to_owned() };
    tensor.name = Some(new.clone());
    found.push(tensor);
    copied.then(|| NodeProto {
        op_type: Some("Identity".to_owned()),
        input: vec![new],
        output: vec![name.to_owned()],
        ..NodeProto::default()
    })
}

/// The value of a `Constant` of several numbers, taken out of it.
fn value_of(node: &mut NodeProto) -> Result<Option<TensorProto>, String> {
    if !is_standard(node, "Constant") || node.output.first().is_none_or(String::is_empty) {
        return Ok(None);
    }
    let Some(attribute) = node.attribute.first_mut() else { return Ok(None) };
    if attribute.name() == "sparse_value" {
        return Err(sparse(&node.output[0]));
    }
    let several = match attribute.name() {
        "value" => attribute.t.as_ref().and_then(count).is_some_and(|count| count > 1),
        "value_floats" => attribute.floats.len() > 1,
        "value_ints" => attribute.ints.len() > 1,
        _ => false,
    };
    Ok(several.then(|| take_value(attribute)).flatten())
}

fn take_value(attribute: &mut AttributeProto) -> Option<TensorProto> {
    let list = |kind: DataType, bytes: &[u8], count: usize| TensorProto {
        data_type: Some(kind.into()),
        dims: vec![i64::try_from(count).unwrap_or(i64::MAX)],
        raw_data: Some(bytes.to_vec().into()),
        ..TensorProto::default()
    };
    match attribute.name() {
        "value" => attribute.t.take(),
        "value_floats" => Some(list(DataType::Float, bytemuck::cast_slice(&attribute.floats), attribute.floats.len())),
        _ => Some(list(DataType::Int64, bytemuck::cast_slice(&attribute.ints), attribute.ints.len())),
    }
}

fn refuse_sparse(graph: &GraphProto) -> Result<(), String> {
    match graph.sparse_initializer.first() {
        None => Ok(()),
        Some(tensor) => Err(sparse(tensor.values.as_ref().map_or("", TensorProto::name))),
    }
}

fn sparse(name: &str) -> String {
    format!("tensor `{name}`: found sparse values, needed dense ones, since checkpoints hold those; export it densely")
}
