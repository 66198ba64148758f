use prost::Message;

use crate::graph::onnx::{AttributeProto, FunctionProto, ModelProto, NodeProto, OperatorSetIdProto, SparseTensorProto};
use crate::graph::sketch::{constant, graph, holding, matrix, model, node, open, open_in, texts, weight};
use crate::graph::{Model, Use};

/// Each with its first value.
fn initializers(model: &Model) -> Vec<(&str, f64)> {
    model.initializers().iter().map(|tensor| (tensor.name, tensor.values().unwrap().doubles()[0])).collect()
}

fn operators(model: &Model) -> Vec<String> {
    model.nodes().map(|node| node.operator).collect()
}

#[test]
fn weights_in_branches_move_out_under_names_of_their_own() {
    let branch = |first| {
        let nodes = vec![node("MatMul", &["x", "w"], &["y"]), constant("k", weight("", &[2], &[first, 0.0]))];
        graph(&[], &["y", "w"], vec![matrix("w", first)], nodes)
    };
    let chosen = holding(node("If", &["c"], &["a", "b"]), vec![branch(5.0), branch(6.0)]);
    let model = open(&model(graph(&["x", "c"], &["a"], vec![matrix("w", 4.0)], vec![chosen]))).unwrap();
    let found = initializers(&model);
    assert_eq!(found.len(), 5, "{found:?}");
    let mut values: Vec<f64> = found.iter().map(|(_, first)| *first).collect();
    values.sort_by(f64::total_cmp);
    assert_eq!(values, [4.0, 5.0, 5.0, 6.0, 6.0]);
    assert_eq!(operators(&model), ["If", "Identity", "MatMul", "Identity", "MatMul"]);
    assert!(model.uses("w").is_empty(), "the branches have a weight of that name themselves");
}

#[test]
fn constants_of_several_values_are_weights_and_single_ones_are_not() {
    let list =
        AttributeProto { name: Some("value_floats".into()), floats: vec![7.0, 8.0], ..AttributeProto::default() };
    let nodes = vec![
        constant("k", weight("", &[2], &[1.0, 2.0])),
        NodeProto { attribute: vec![list], ..node("Constant", &[], &["l"]) },
        constant("one", weight("", &[1], &[9.0])),
        node("Add", &["k", "l"], &["s"]),
        node("Add", &["s", "one"], &["y"]),
    ];
    let model = open(&model(graph(&[], &["y"], vec![], nodes))).unwrap();
    assert_eq!(initializers(&model), [("k", 1.0), ("l", 7.0)]);
    assert_eq!(operators(&model), ["Constant", "Add", "Add"]);
    assert_eq!(model.value_of("one").unwrap().doubles(), [9.0]);
}

#[test]
fn a_second_name_of_a_weight_becomes_a_weight() {
    let nodes = vec![
        node("Identity", &["w"], &["v"]),
        node("Identity", &["v"], &["u"]),
        node("MatMul", &["x", "u"], &["y"]),
        node("Identity", &["w"], &["returned"]),
    ];
    let model = open(&model(graph(&["x"], &["y", "returned"], vec![matrix("w", 4.0)], nodes))).unwrap();
    assert_eq!(initializers(&model), [("w", 4.0), ("v", 4.0), ("u", 4.0)]);
    assert_eq!(operators(&model), ["MatMul", "Identity"]);
    assert_eq!(model.uses("u"), [Use { node: 0, input: 1 }]);
}

#[test]
fn initializers_are_no_inputs() {
    let mut old = model(graph(&["x", "w"], &["y"], vec![matrix("w", 4.0)], vec![node("MatMul", &["x", "w"], &["y"])]));
    old.ir_version = Some(3);
    let model = open(&old).unwrap();
    assert_eq!(model.inputs().iter().map(|input| input.name).collect::<Vec<_>>(), ["x"]);
    let session = ModelProto::decode(&model.session(&[], &["y"], &[].into()).bytes[..]).unwrap();
    assert_eq!(session.ir_version, Some(4));
}

fn function(name: &str, inputs: &[&str], outputs: &[&str], nodes: Vec<NodeProto>) -> FunctionProto {
    FunctionProto {
        name: Some(name.into()),
        domain: Some("own".into()),
        input: texts(inputs),
        output: texts(outputs),
        node: nodes,
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        ..FunctionProto::default()
    }
}

fn call(name: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto { domain: Some("own".into()), name: Some(format!("/{name}")), ..node(name, inputs, outputs) }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { name: Some(name.into()), f: Some(value), r#type: Some(1), ..AttributeProto::default() }
}

#[test]
fn functions_are_written_out_with_their_attributes() {
    let reference = AttributeProto { ref_attr_name: Some("slope".into()), ..float("alpha", 0.0) };
    let leaky = NodeProto { attribute: vec![reference], ..node("LeakyRelu", &["t"], &["out"]) };
    let mut layer = function("layer", &["a", "w"], &["out"], vec![node("MatMul", &["a", "w"], &["t"]), leaky]);
    layer.attribute_proto = vec![float("slope", 0.5)];
    let both = function("both", &["a", "w"], &["b", "a"], vec![call("layer", &["a", "w"], &["b"])]);
    let given = NodeProto { attribute: vec![float("slope", 0.25)], ..call("layer", &["p", "w"], &["y"]) };
    let nodes = vec![call("both", &["x", "w"], &["p", "q"]), given];
    let mut whole = model(graph(&["x"], &["y", "q"], vec![matrix("w", 4.0)], nodes));
    whole.functions = vec![layer, both];
    let model = open(&whole).unwrap();
    assert_eq!(operators(&model), ["MatMul", "LeakyRelu", "Identity", "MatMul", "LeakyRelu"]);
    let slopes: Vec<_> = model.nodes().filter_map(|node| node.float("alpha")).collect();
    assert_eq!(slopes, [0.5, 0.25]);
    assert_eq!(model.uses("w").len(), 2);
    let tensors: Vec<_> = model.tensors().iter().map(|tensor| tensor.name.to_owned()).collect();
    assert_eq!(tensors, ["/both//layer/t", "p", "q", "/layer/t", "y"]);
    assert_eq!(model.original(&["p", "/layer/t", "y"]).taps, ["p", "y"]);
}

#[test]
fn functions_without_end_or_of_another_version_are_refused() {
    let mut endless = model(graph(&["x"], &["y"], vec![], vec![call("f", &["x"], &["y"])]));
    endless.functions = vec![function("f", &["a"], &["b"], vec![call("f", &["a"], &["b"])])];
    assert!(open(&endless).unwrap_err().contains("calls itself"));
    let mut growing = endless.clone();
    let twice = |next: &str| vec![call(next, &["a"], &["t"]), call(next, &["t"], &["b"])];
    growing.functions = (0..30)
        .map(|place| function(&format!("f{place}"), &["a"], &["b"], twice(&format!("f{}", place + 1))))
        .collect();
    growing.functions.push(function(
        "f30",
        &["a"],
        &["b"],
        vec![constant("b", weight("", &[1 << 16], &[0.5; 1 << 16]))],
    ));
    growing.functions[0].name = Some("f".into());
    assert!(open(&growing).unwrap_err().contains("written out"));
    endless.functions = vec![function("f", &["a"], &["b"], vec![node("Relu", &["a"], &["b"])])];
    endless.functions[0].opset_import[0].version = Some(9);
    assert!(open(&endless).unwrap_err().contains("version 9"));
}

#[test]
fn sparse_weights_are_refused_by_name() {
    let sparse = SparseTensorProto { values: Some(weight("thin", &[1], &[1.0])), ..SparseTensorProto::default() };
    let mut whole = graph(&["x"], &["y"], vec![], vec![node("Add", &["x", "thin"], &["y"])]);
    whole.sparse_initializer = vec![sparse.clone()];
    assert!(open(&model(whole)).unwrap_err().contains("`thin`"));
    let attribute =
        AttributeProto { name: Some("sparse_value".into()), sparse_tensor: Some(sparse), ..AttributeProto::default() };
    let nodes = vec![NodeProto { attribute: vec![attribute], ..node("Constant", &[], &["k"]) }];
    assert!(open(&model(graph(&[], &["k"], vec![], nodes))).unwrap_err().contains("`k`"));
}

#[test]
fn two_weights_of_one_name_and_graphs_without_nodes_are_refused() {
    let nodes = || vec![node("MatMul", &["x", "w"], &["y"])];
    let twice = graph(&["x"], &["y"], vec![matrix("w", 1.0), matrix("w", 2.0)], nodes());
    assert!(open(&model(twice)).unwrap_err().contains("two initializers"));
    assert!(open(&model(graph(&["x"], &["y"], vec![], vec![]))).unwrap_err().contains("no graph"));
}

#[test]
fn values_in_a_missing_file_are_absent_and_said_to_be() {
    use crate::graph::onnx::StringStringEntryProto;
    let mut outside = matrix("w", 1.0);
    outside.float_data.clear();
    outside.data_location = Some(1);
    outside.external_data =
        vec![StringStringEntryProto { key: Some("location".into()), value: Some("weights.bin".into()) }];
    let whole = model(graph(&["x"], &["y"], vec![outside], vec![node("MatMul", &["x", "w"], &["y"])]));
    let folder = tempfile::tempdir().unwrap();
    let without = open_in(folder.path(), &whole).unwrap();
    assert_eq!(without.missing_files(), [folder.path().join("weights.bin")]);
    assert!(without.initializers()[0].values().is_none());
    std::fs::write(folder.path().join("weights.bin"), bytemuck::bytes_of(&[3_f32, 0.0, 0.0, 0.0])).unwrap();
    let with = open_in(folder.path(), &whole).unwrap();
    assert_eq!(initializers(&with), [("w", 3.0)]);
    assert_ne!(with.hash(), without.hash(), "the weights are part of the model");
    assert_eq!(with.original(&[]).folder.as_deref(), Some(folder.path()));
    std::fs::write(folder.path().join("weights.bin"), [0; 15]).unwrap();
    assert!(open_in(folder.path(), &whole).unwrap_err().contains("needed 16"));
}

#[test]
fn branches_that_reuse_an_outer_name_keep_their_own_tensor() {
    let branch = graph(&[], &["h"], vec![], vec![node("Relu", &["x"], &["h"])]);
    let nodes = vec![
        node("MatMul", &["x", "w"], &["h"]),
        holding(node("If", &["c"], &["y"]), vec![branch]),
        node("Add", &["h", "y"], &["z"]),
    ];
    let model = open(&model(graph(&["x", "c"], &["z"], vec![matrix("w", 1.0)], nodes))).unwrap();
    let made: Vec<_> = model.nodes().flat_map(|node| node.outputs.to_vec()).collect();
    assert_eq!(made, ["h", "y", "h_2", "z"]);
}
