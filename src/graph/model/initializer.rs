//! Initializers: the weights and constants of a graph.

use super::super::normalize::count;
use super::super::onnx::TensorProto;
use super::super::onnx::tensor_proto::{DataLocation, DataType};
use crate::archive::{Kind, Numbers};

/// An initializer of a graph: a weight, or a constant.
#[derive(Clone, Debug)]
pub struct Initializer<'a> {
    /// Its name in the graph.
    pub name: &'a str,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its type.
    pub kind: Kind,
    bytes: Option<&'a [u8]>,
}

impl<'a> Initializer<'a> {
    pub(super) fn new(tensor: &'a TensorProto) -> Option<Self> {
        let shape = tensor.dims.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<_>>()?;
        let bytes = match tensor.data_location() {
            DataLocation::External => None,
            DataLocation::Default => tensor.raw_data.as_deref(),
        };
        Some(Self { name: tensor.name(), shape, kind: kind_of(tensor.data_type())?, bytes })
    }

    /// The number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The values; none if they lie in a file that is missing, or if it is a weight that was an
    /// input of the graph.
    #[must_use]
    pub fn values(&self) -> Option<Numbers<'a>> {
        Numbers::new(self.kind, self.bytes?)
    }
}

/// An initializer of a type that is not read here: text, or numbers of fewer than eight bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpaqueInitializer<'a> {
    /// Its name in the graph.
    pub name: &'a str,
    /// The name of its type, as ONNX spells it.
    pub type_name: String,
}

impl<'a> OpaqueInitializer<'a> {
    pub(super) fn new(tensor: &'a TensorProto) -> Option<Self> {
        let number = tensor.data_type();
        let type_name =
            DataType::try_from(number).map_or(format!("type {number}"), |kind| kind.as_str_name().to_owned());
        (kind_of(number).is_none() || count(tensor).is_none()).then_some(Self { name: tensor.name(), type_name })
    }
}

/// The type behind a number of the format; none for types that are not read here.
pub(in super::super) fn kind_of(data_type: i32) -> Option<Kind> {
    KINDS.iter().find(|(_, known)| *known as i32 == data_type).map(|(kind, _)| *kind)
}

/// The number of a type in the format.
pub(super) fn data_type_of(kind: Kind) -> Option<DataType> {
    KINDS.iter().find(|(known, _)| *known == kind).map(|(_, data_type)| *data_type)
}

const KINDS: [(Kind, DataType); 13] = [
    (Kind::F64, DataType::Double),
    (Kind::F32, DataType::Float),
    (Kind::F16, DataType::Float16),
    (Kind::Bf16, DataType::Bfloat16),
    (Kind::I64, DataType::Int64),
    (Kind::I32, DataType::Int32),
    (Kind::I16, DataType::Int16),
    (Kind::I8, DataType::Int8),
    (Kind::U64, DataType::Uint64),
    (Kind::U32, DataType::Uint32),
    (Kind::U16, DataType::Uint16),
    (Kind::U8, DataType::Uint8),
    (Kind::Bool, DataType::Bool),
];
