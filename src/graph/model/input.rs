//! Inputs of a graph, and weights that were exported as inputs.

use super::super::GraphError;
use super::super::onnx::tensor_proto::DataLocation;
use super::super::onnx::tensor_shape_proto::dimension::Value as DimensionValue;
use super::super::onnx::type_proto::{Tensor as TensorType, Value as TypeValue};
use super::super::onnx::{StringStringEntryProto, TensorProto, ValueInfoProto};
use super::{Model, kind_of};
use crate::archive::Kind;

/// What samples are fed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphInput<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type; none for text, sequences and other types that are not fed.
    pub kind: Option<Kind>,
    /// Its dimensions; none where they depend on the samples. Empty, too, if the graph says nothing of them.
    pub dims: Vec<Option<usize>>,
}

impl<'a> GraphInput<'a> {
    pub(super) fn new(info: &'a ValueInfoProto) -> Self {
        let tensor = tensor_type(info);
        let kind = tensor.and_then(|tensor| kind_of(tensor.elem_type()));
        Self { name: info.name(), kind, dims: tensor.and_then(dims_of).unwrap_or_default() }
    }
}

impl Model {
    /// Makes inputs of the graph weights without a value, for graphs that were exported without weights.
    ///
    /// # Errors
    ///
    /// [`GraphError::Invalid`] when there is no such input, or its type or shape is unknown.
    pub fn inputs_to_weights(&mut self, names: &[&str]) -> Result<(), GraphError> {
        let mut weights = Vec::new();
        for &name in names {
            let input = self.graph.input.iter().find(|input| input.name() == name);
            let weight = input.ok_or_else(|| "found no input of this name".to_owned()).and_then(weight);
            weights.push(weight.map_err(|reason| GraphError::Invalid {
                path: self.path.clone(),
                reason: format!(
                    "input `{name}`: {reason}; needed a weight of known type and shape; export with the weights inside \
                     (`export_params=True`)"
                ),
            })?);
        }
        self.graph.input.retain(|input| !names.contains(&input.name()));
        self.graph.initializer.extend(weights);
        Ok(())
    }
}

fn weight(info: &ValueInfoProto) -> Result<TensorProto, String> {
    let tensor = tensor_type(info).ok_or("found no tensor")?;
    let kind = kind_of(tensor.elem_type()).ok_or("found a type that is no number")?;
    let dims = dims_of(tensor).ok_or("found no shape")?;
    let sizes: Option<Vec<usize>> = dims.iter().copied().collect();
    let sizes = sizes.ok_or("found a shape that depends on the samples")?;
    let bytes = sizes.iter().try_fold(kind.size(), |bytes, &size| bytes.checked_mul(size));
    let bytes = bytes.ok_or("found a shape that is too large")?;
    let mut weight = TensorProto {
        name: info.name.clone(),
        data_type: Some(tensor.elem_type()),
        dims: sizes.iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX)).collect(),
        ..TensorProto::default()
    };
    take_values(&mut weight, bytes);
    Ok(weight)
}

/// Leaves a tensor without values: they are given to the session.
pub(super) fn take_values(tensor: &mut TensorProto, bytes: usize) {
    tensor.raw_data = None;
    tensor.data_location = Some(DataLocation::External.into());
    tensor.external_data =
        [("location", "checkpoint".to_owned()), ("offset", "0".to_owned()), ("length", bytes.to_string())]
            .map(|(key, value)| StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) })
            .into();
}

fn tensor_type(info: &ValueInfoProto) -> Option<&TensorType> {
    match info.r#type.as_ref()?.value.as_ref()? {
        TypeValue::TensorType(tensor) => Some(tensor),
        _ => None,
    }
}

fn dims_of(tensor: &TensorType) -> Option<Vec<Option<usize>>> {
    let dims = &tensor.shape.as_ref()?.dim;
    let size = |value: Option<&DimensionValue>| match value {
        Some(DimensionValue::DimValue(size)) => usize::try_from(*size).ok(),
        _ => None,
    };
    Some(dims.iter().map(|dim| size(dim.value.as_ref())).collect())
}
