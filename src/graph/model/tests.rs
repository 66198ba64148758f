use std::collections::BTreeSet;

use prost::Message;

use super::*;
use crate::archive::Kind;
use crate::graph::sketch::{graph, holding, matrix, model, node, open, value, weight};
use crate::graph::suggest_taps;

/// Two layers; the second has no bias.
fn two_layers() -> Model {
    let nodes = vec![
        node("Gemm", &["x", "w1", "b1"], &["h"]),
        node("Relu", &["h"], &["a"]),
        node("MatMul", &["a", "w2"], &["y"]),
        node("Relu", &["y"], &["z"]),
    ];
    let initializers = vec![matrix("w1", 1.0), weight("b1", &[2], &[5.0, 6.0]), matrix("w2", 2.0)];
    open(&model(graph(&["x"], &["y", "z"], initializers, nodes))).unwrap()
}

fn parse(session: &SessionGraph) -> GraphProto {
    ModelProto::decode(&session.bytes[..]).unwrap().graph.unwrap()
}

#[test]
fn a_session_has_only_what_is_needed() {
    let session = two_layers().session(&["a"], &[], &BTreeSet::from(["w1", "w2"]));
    let graph = parse(&session);
    assert_eq!(session.fed, ["w1"]);
    assert_eq!(graph.node.len(), 2);
    assert_eq!(graph.initializer.iter().map(TensorProto::name).collect::<Vec<_>>(), ["w1", "b1"]);
    assert_eq!(graph.initializer[0].raw_data, None);
    assert_eq!(graph.initializer[0].external_data[2].value(), "16");
    assert_eq!(graph.output.iter().map(ValueInfoProto::name).collect::<Vec<_>>(), ["a"]);
    assert_eq!(graph.input.len(), 1);
}

#[test]
fn what_a_branch_captures_is_kept() {
    let inner = holding(node("If", &["c"], &["i"]), vec![graph(&[], &["h"], vec![], vec![])]);
    let outer = holding(node("If", &["c"], &["y"]), vec![graph(&[], &["i"], vec![], vec![inner])]);
    let nodes = vec![node("MatMul", &["x", "w"], &["h"]), node("Relu", &["x"], &["unused"]), outer];
    let model = open(&model(graph(&["x", "c"], &["y"], vec![matrix("w", 1.0)], nodes))).unwrap();
    let graph = parse(&model.session(&[], &["y"], &BTreeSet::new()));
    assert_eq!(graph.node.iter().map(NodeProto::op_type).collect::<Vec<_>>(), ["MatMul", "If"]);
    assert_eq!(graph.initializer.len(), 1);
}

#[test]
fn split_uses_get_a_weight_of_their_own() {
    let nodes = vec![node("MatMul", &["x", "w"], &["h"]), node("MatMul", &["h", "w"], &["y"])];
    let mut model = open(&model(graph(&["x"], &["y"], vec![matrix("w", 4.0)], nodes))).unwrap();
    let second = model.uses("w")[1];
    assert_eq!(model.split("w", &[second], "h"), "h_2", "`h` is another tensor");
    assert_eq!(model.uses("w").len(), 1);
    assert_eq!(model.uses("h_2"), [Use { node: 1, input: 1 }]);
    assert_eq!(model.value_of("h_2"), model.value_of("w"));
    model.split("w", &[Use { node: 99, input: 9 }], "v");
    assert_eq!(model.all_uses()["v"], []);
}

#[test]
fn a_lost_bias_comes_back_without_changing_names() {
    let mut model = two_layers();
    assert_eq!(model.add_bias(0, "b", &[2], Kind::F32), None, "it has one");
    assert_eq!(model.add_bias(1, "b", &[2], Kind::F32), None, "no layer");
    assert_eq!(model.add_bias(2, "b2", &[2], Kind::F32).as_deref(), Some("b2"));
    let nodes: Vec<_> = model.nodes().map(|node| (node.place, node.operator, node.outputs.to_vec())).collect();
    assert_eq!(nodes[2], (2, "MatMul".to_owned(), vec!["y_without_bias".to_owned()]));
    assert_eq!(nodes[3], (4, "Add".to_owned(), vec!["y".to_owned()]));
    assert_eq!(nodes[4].0, 3, "nodes keep their number");
    assert_eq!(model.uses("b2"), [Use { node: 4, input: 1 }]);
    assert_eq!(model.value_of("b2").unwrap().doubles(), [0.0, 0.0]);
    assert_eq!(model.add_bias(2, "huge", &[usize::MAX, 2], Kind::F32), None);
}

#[test]
fn inputs_become_weights_if_their_shape_is_known() {
    let mut known = graph(&["x"], &["y"], vec![], vec![node("MatMul", &["x", "w"], &["y"])]);
    let mut weight = value("w", 2);
    known.input.push(weight.clone());
    let unknown = open(&model(known.clone())).unwrap().inputs_to_weights(&["w"]).unwrap_err().to_string();
    assert!(unknown.contains("depends on the samples"), "{unknown}");
    let Some(crate::graph::onnx::type_proto::Value::TensorType(tensor)) = &mut weight.r#type.as_mut().unwrap().value
    else {
        panic!("a tensor was made")
    };
    tensor.shape.as_mut().unwrap().dim.remove(0);
    known.input[1] = weight;
    let mut model = open(&model(known)).unwrap();
    assert_eq!(model.inputs()[1].dims, [Some(2)]);
    model.inputs_to_weights(&["w"]).unwrap();
    assert_eq!(model.inputs().len(), 1);
    let weights = model.initializers();
    assert_eq!((weights[0].name, &weights[0].shape[..], weights[0].kind), ("w", &[2][..], Kind::F32));
    assert!(weights[0].values().is_none());
    assert_eq!(model.session(&[], &["y"], &BTreeSet::from(["w"])).fed, ["w"]);
    assert!(model.inputs_to_weights(&["nothing"]).is_err());
}

#[test]
fn one_tap_a_layer_is_suggested() {
    assert_eq!(suggest_taps(&two_layers(), &[].into()), ["a", "z"]);
}

#[test]
fn in_a_residual_network_the_sums_are_suggested() {
    let mut nodes = vec![node("Gather", &["table", "x"], &["s0"])];
    let mut weights = vec![matrix("table", 0.0)];
    for block in 0..3 {
        let name = |part: &str| format!("{part}{block}");
        let (from, to) = (format!("s{block}"), format!("s{}", block + 1));
        for part in ["q", "k", "o"] {
            weights.push(matrix(&format!("w{part}{block}"), 1.0));
        }
        nodes.push(node("LayerNormalization", &[&from, "table"], &[&name("n")]));
        nodes.push(node("MatMul", &[&name("n"), &name("wq")], &[&name("q")]));
        nodes.push(node("MatMul", &[&name("n"), &name("wk")], &[&name("k")]));
        nodes.push(node("MatMul", &[&name("q"), &name("k")], &[&name("scores")]));
        nodes.push(node("Softmax", &[&name("scores")], &[&name("p")]));
        nodes.push(node("MatMul", &[&name("p"), &name("wo")], &[&name("o")]));
        nodes.push(node("Add", &[&from, &name("o")], &[&to]));
    }
    nodes.push(node("Gemm", &["s3", "table"], &["logits"]));
    let model = open(&model(graph(&["x"], &["logits"], weights, nodes))).unwrap();
    assert_eq!(suggest_taps(&model, &[].into()), ["s0", "s1", "s2", "s3", "logits"]);
    let flat = [("s1".to_owned(), vec![None])].into();
    assert_eq!(suggest_taps(&model, &flat), ["s0", "s2", "s3", "logits"]);
}

#[test]
fn a_long_network_gets_a_dozen_taps() {
    let mut nodes = Vec::new();
    let mut weights = Vec::new();
    for layer in 0..40 {
        let (from, to, name) = (format!("h{layer}"), format!("h{}", layer + 1), format!("w{layer}"));
        nodes.push(node("MatMul", &[&from, &name], &[&to]));
        weights.push(matrix(&name, 1.0));
    }
    let model = open(&model(graph(&["h0"], &["h40"], weights, nodes))).unwrap();
    let taps = suggest_taps(&model, &[].into());
    assert_eq!((taps.len(), taps[0].as_str(), taps[11].as_str()), (12, "h1", "h40"));
}

#[test]
fn noise_comes_between_a_tensor_and_those_that_take_it() {
    let tensor = |name: &str| NoisyTensor { name: name.to_owned(), kind: Kind::F32, dims: vec![2] };
    let places = [tensor("x"), tensor("a"), tensor("z")];
    let none = BTreeSet::new();
    let noisy = two_layers().noisy_session(&["h", "a", "y"], &none, &places, NoiseOperator::Add, TapSide::Noisy);
    let graph = parse(&noisy.session);
    let nodes: Vec<_> =
        graph.node.iter().map(|node| (node.op_type(), node.input[0].as_str(), node.output[0].as_str())).collect();
    assert_eq!(
        nodes,
        [
            ("Add", "x", "x_with_noise"),
            ("Gemm", "x_with_noise", "h"),
            ("Relu", "h", "a_without_noise"),
            ("Add", "a_without_noise", "a"),
            ("MatMul", "a", "y"),
        ]
    );
    // Nobody reads `z`: its noise is not asked for.
    assert_eq!(noisy.inputs, [Some("x_noise".to_owned()), Some("a_noise".to_owned()), None]);
    assert_eq!(graph.input.iter().map(ValueInfoProto::name).collect::<Vec<_>>(), ["x", "x_noise", "a_noise"]);
    assert_eq!(noisy.reaching, [vec![0], vec![0, 1], vec![0, 1]]);
    let clean = two_layers().noisy_session(&["a", "y"], &none, &places, NoiseOperator::Multiply, TapSide::Clean);
    let graph = parse(&clean.session);
    assert_eq!(clean.reaching, [vec![0], vec![0, 1]], "before its own noise a tap shows earlier noise alone");
    assert_eq!(graph.node[3].op_type(), "Mul");
    assert_eq!((graph.node[2].output[0].as_str(), graph.node[4].input[0].as_str()), ("a", "a_with_noise"));
}

#[test]
fn a_branch_takes_the_noisy_tensor_too() {
    let inner = holding(node("If", &["c"], &["i"]), vec![graph(&[], &["h"], vec![], vec![])]);
    let outer = holding(node("If", &["c"], &["y"]), vec![graph(&[], &["i"], vec![], vec![inner])]);
    let nodes = vec![node("MatMul", &["x", "w"], &["h"]), outer];
    let model = open(&model(graph(&["x", "c"], &["y"], vec![matrix("w", 1.0)], nodes))).unwrap();
    let tensor = NoisyTensor { name: "h".to_owned(), kind: Kind::F32, dims: vec![2] };
    for side in [TapSide::Noisy, TapSide::Clean] {
        let noisy =
            model.noisy_session(&["y"], &BTreeSet::new(), std::slice::from_ref(&tensor), NoiseOperator::Add, side);
        let graph = parse(&noisy.session);
        assert_eq!(graph.node.iter().map(NodeProto::op_type).collect::<Vec<_>>(), ["MatMul", "Add", "If"]);
        let taken = walk::taken(&graph.node[2]);
        assert!(taken.contains(&graph.node[1].output[0].as_str()), "{taken:?}");
        assert_eq!(noisy.reaching, [vec![0]]);
    }
}
