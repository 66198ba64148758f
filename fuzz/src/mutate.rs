//! Changes to ONNX models that bytes alone would hardly come to: a message holds its length, so
//! that one byte more or less leaves no model.

use prost::Message;

#[allow(dead_code, clippy::all, reason = "generated, and only a part of it is used here")]
#[path = "../../src/graph/onnx.rs"]
mod onnx;

use onnx::attribute_proto::AttributeType;
use onnx::tensor_proto::{DataLocation, DataType};
use onnx::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, ValueInfoProto,
};

const OPERATORS: [&str; 22] = [
    "MatMul",
    "Gemm",
    "Conv",
    "ConvTranspose",
    "Add",
    "Mul",
    "Sub",
    "Div",
    "Sqrt",
    "Relu",
    "Identity",
    "Constant",
    "Transpose",
    "Reshape",
    "Split",
    "Concat",
    "Gather",
    "LSTM",
    "GRU",
    "LayerNormalization",
    "BatchNormalization",
    "If",
];
const ATTRIBUTES: [&str; 10] =
    ["axis", "perm", "group", "transA", "transB", "epsilon", "direction", "hidden_size", "value", "split"];
const SIZES: [i64; 9] = [0, 1, 2, 3, 24, -1, 1 << 32, i64::MAX, i64::MIN];

/// The model in `bytes` after a change or some; none if the bytes are no model.
#[must_use]
pub fn model(bytes: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut model = ModelProto::decode(bytes).ok()?;
    let mut dice = Dice(u64::from(seed) << 1 | 1);
    for _ in 0..=dice.below(3) {
        let ModelProto { graph: Some(graph), functions, opset_import, .. } = &mut model else { return None };
        if dice.below(8) == 0 {
            call(graph, functions, &mut dice);
            opset_import.push(OperatorSetIdProto { domain: Some("own".to_owned()), version: Some(1) });
        } else {
            change(graph, &mut dice);
        }
    }
    Some(model.encode_to_vec())
}

/// Numbers that a seed decides.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        // Xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides.max(1)
    }

    fn of<'a, T>(&mut self, many: &'a [T]) -> Option<&'a T> {
        many.get(self.below(many.len()))
    }

    fn of_mut<'a, T>(&mut self, many: &'a mut [T]) -> Option<&'a mut T> {
        let place = self.below(many.len());
        many.get_mut(place)
    }
}

/// Changes something in a graph, or in one of a node of it.
fn change(graph: &mut GraphProto, dice: &mut Dice) -> Option<()> {
    let names: Vec<String> = graph
        .node
        .iter()
        .flat_map(|node| node.input.iter().chain(&node.output))
        .chain(graph.initializer.iter().filter_map(|tensor| tensor.name.as_ref()))
        .cloned()
        .collect();
    let place = dice.below(graph.node.len());
    let tensor = dice.below(graph.initializer.len());
    match dice.below(16) {
        0 => _ = (!graph.node.is_empty()).then(|| graph.node.remove(place)),
        1 => graph.node.insert(place, dice.of(&graph.node)?.clone()),
        2 => graph.node.get_mut(place)?.op_type = Some((*dice.of(&OPERATORS)?).to_owned()),
        3 | 4 => dice.of_mut(&mut graph.node.get_mut(place)?.input)?.clone_from(dice.of(&names)?),
        5 => dice.of_mut(&mut graph.node.get_mut(place)?.output)?.clone_from(dice.of(&names)?),
        6 => graph.node.get_mut(place)?.input.push(dice.of(&names)?.clone()),
        7 => _ = graph.node.get_mut(place)?.input.pop(),
        8 => reshape(graph.initializer.get_mut(tensor)?, dice)?,
        9 => graph.initializer.get_mut(tensor)?.data_type = Some(i32::try_from(dice.below(24)).ok()?),
        10 => graph.node.get_mut(place)?.attribute.push(attribute(dice)?),
        11 => enter(graph.node.get_mut(place)?, dice)?,
        12 => hide(graph.initializer.get_mut(tensor)?, dice)?,
        13 => {
            let name = graph.initializer.get(tensor)?.name.clone();
            graph.input.push(ValueInfoProto { name, ..ValueInfoProto::default() });
        }
        14 => {
            let (name, alias) = (graph.initializer.get(tensor)?.name().to_owned(), dice.of(&names)?.clone());
            graph.node.insert(place, node("Identity", vec![name], vec![alias]));
        }
        _ => {
            let value = (!graph.initializer.is_empty()).then(|| graph.initializer.remove(tensor))?;
            let constant = node("Constant", Vec::new(), vec![value.name().to_owned()]);
            let attribute = AttributeProto { t: Some(value), ..named("value", AttributeType::Tensor) };
            graph.node.insert(0, NodeProto { attribute: vec![attribute], ..constant });
        }
    }
    Some(())
}

/// Changes a graph inside a node, or puts the node into one.
fn enter(whole: &mut NodeProto, dice: &mut Dice) -> Option<()> {
    if let Some(body) = whole.attribute.iter_mut().find_map(|attribute| attribute.g.as_mut())
        && dice.below(4) > 0
    {
        return change(body, dice);
    }
    let inside = whole.clone();
    let results = inside.output.iter().map(|name| ValueInfoProto { name: Some(name.clone()), ..Default::default() });
    let body = GraphProto { output: results.collect(), node: vec![inside.clone()], ..GraphProto::default() };
    let branch = |name: &str| AttributeProto { g: Some(body.clone()), ..named(name, AttributeType::Graph) };
    *whole = NodeProto {
        attribute: vec![branch("then_branch"), branch("else_branch")],
        ..node("If", vec![inside.input.first()?.clone()], inside.output)
    };
    Some(())
}

/// Makes a function of a node, and calls it instead.
fn call(graph: &mut GraphProto, functions: &mut Vec<FunctionProto>, dice: &mut Dice) -> Option<()> {
    let place = dice.below(graph.node.len());
    let inside = graph.node.get(place)?.clone();
    let name = format!("f{}", dice.below(4));
    let own = Some("own".to_owned());
    graph.node[place] = NodeProto { domain: own.clone(), ..node(&name, inside.input.clone(), inside.output.clone()) };
    functions.push(FunctionProto {
        name: Some(name),
        domain: own,
        input: inside.input.clone(),
        output: inside.output.clone(),
        node: vec![inside],
        ..FunctionProto::default()
    });
    Some(())
}

/// Gives a tensor another shape, with or without the values for it.
fn reshape(tensor: &mut TensorProto, dice: &mut Dice) -> Option<()> {
    if dice.below(2) == 0 {
        *dice.of_mut(&mut tensor.dims)? = *dice.of(&SIZES)?;
        return Some(());
    }
    let dims: Vec<usize> = (0..dice.below(4)).map(|_| dice.below(5)).collect();
    let values = 0..u8::try_from(dims.iter().product::<usize>()).ok()?;
    *tensor = TensorProto {
        name: tensor.name.take(),
        dims: dims.iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX)).collect(),
        data_type: Some(DataType::Float.into()),
        float_data: values.map(|value| f32::from(value) / 2.0).collect(),
        ..TensorProto::default()
    };
    Some(())
}

/// Puts the values of a tensor into a file.
fn hide(tensor: &mut TensorProto, dice: &mut Dice) -> Option<()> {
    let location = *dice.of(&["external.onnx.data", "missing", "..", "model.onnx"])?;
    let entries = [
        ("location", location.to_owned()),
        ("offset", dice.of(&SIZES)?.to_string()),
        ("length", dice.of(&SIZES)?.to_string()),
    ];
    let entry = |(key, value): (&str, String)| StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) };
    tensor.external_data = entries.into_iter().take(1 + dice.below(3)).map(entry).collect();
    tensor.data_location = Some(DataLocation::External.into());
    Some(())
}

fn attribute(dice: &mut Dice) -> Option<AttributeProto> {
    let name = *dice.of(&ATTRIBUTES)?;
    let size = *dice.of(&SIZES)?;
    Some(match dice.below(3) {
        0 => AttributeProto { i: Some(size), ..named(name, AttributeType::Int) },
        1 => AttributeProto { ints: vec![size, *dice.of(&SIZES)?], ..named(name, AttributeType::Ints) },
        _ => AttributeProto { ref_attr_name: Some(name.to_owned()), ..named(name, AttributeType::Float) },
    })
}

fn named(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), r#type: Some(kind.into()), ..AttributeProto::default() }
}

fn node(operator: &str, input: Vec<String>, output: Vec<String>) -> NodeProto {
    NodeProto { op_type: Some(operator.to_owned()), input, output, ..NodeProto::default() }
}
