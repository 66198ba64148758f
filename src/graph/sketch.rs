//! Small graphs for tests.

use std::path::Path;

use prost::Message;

use super::Model;
use super::onnx::attribute_proto::AttributeType;
use super::onnx::tensor_proto::DataType;
use super::onnx::tensor_shape_proto::Dimension;
use super::onnx::tensor_shape_proto::dimension::Value as DimensionValue;
use super::onnx::type_proto::{Tensor, Value};
use super::onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto,
};

pub(super) fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub(super) fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: Some(operator.to_owned()),
        input: texts(inputs),
        output: texts(outputs),
        ..NodeProto::default()
    }
}

pub(super) fn weight(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Float.into()),
        float_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// A matrix of two by two.
pub(super) fn matrix(name: &str, first: f32) -> TensorProto {
    weight(name, &[2, 2], &[first, 1.0, 2.0, 3.0])
}

pub(super) fn constant(output: &str, value: TensorProto) -> NodeProto {
    let attribute = AttributeProto {
        name: Some("value".to_owned()),
        r#type: Some(AttributeType::Tensor.into()),
        t: Some(value),
        ..AttributeProto::default()
    };
    NodeProto { attribute: vec![attribute], ..node("Constant", &[], &[output]) }
}

/// A node with graphs inside.
pub(super) fn holding(mut node: NodeProto, bodies: Vec<GraphProto>) -> NodeProto {
    for (place, body) in bodies.into_iter().enumerate() {
        node.attribute.push(AttributeProto {
            name: Some(format!("body{place}")),
            r#type: Some(AttributeType::Graph.into()),
            g: Some(body),
            ..AttributeProto::default()
        });
    }
    node
}

/// A value of two axes, the first of any size.
pub(super) fn value(name: &str, width: i64) -> ValueInfoProto {
    let dim = [DimensionValue::DimParam("batch".to_owned()), DimensionValue::DimValue(width)]
        .map(|value| Dimension { value: Some(value), ..Dimension::default() });
    let tensor = Tensor { elem_type: Some(DataType::Float.into()), shape: Some(TensorShapeProto { dim: dim.into() }) };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto { value: Some(Value::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

pub(super) fn graph(
    inputs: &[&str],
    outputs: &[&str],
    initializer: Vec<TensorProto>,
    node: Vec<NodeProto>,
) -> GraphProto {
    let values = |names: &[&str]| names.iter().map(|name| value(name, 2)).collect();
    GraphProto { input: values(inputs), output: values(outputs), initializer, node, ..GraphProto::default() }
}

pub(super) fn model(graph: GraphProto) -> ModelProto {
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

/// A model from a file, as everything else opens it.
pub(super) fn open(model: &ModelProto) -> Result<Model, String> {
    let folder = tempfile::tempdir().unwrap();
    open_in(folder.path(), model)
}

/// As [`open`], beside the files of a folder.
pub(super) fn open_in(folder: &Path, model: &ModelProto) -> Result<Model, String> {
    let path = folder.join("model.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    Model::open(&path).map_err(|error| error.to_string())
}
