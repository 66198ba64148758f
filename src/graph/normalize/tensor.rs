//! Tensors as plain little-endian bytes, whatever way the file keeps them.

use bytes::Bytes;

use super::super::model::kind_of;
use super::super::onnx::TensorProto;
use super::super::onnx::tensor_proto::DataLocation;
use crate::archive::Kind;

/// The number of values; none if a dimension is negative or there are too many to count.
pub(in super::super) fn count(tensor: &TensorProto) -> Option<usize> {
    tensor.dims.iter().try_fold(1_usize, |count, &size| count.checked_mul(usize::try_from(size).ok()?))
}

/// Moves the values into `raw_data` and checks their number.
///
/// Types that are not read here stay as they are, and so do tensors whose file is missing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the format keeps small types in the low bits"
)]
pub(super) fn make_raw(tensor: &mut TensorProto) -> Result<(), String> {
    let Some(kind) = kind_of(tensor.data_type()) else { return Ok(()) };
    let needed = count(tensor).and_then(|count| count.checked_mul(kind.size())).ok_or_else(|| {
        format!(
            "found dimensions {:?}, needed sizes that can be counted; the file is damaged: export it again",
            tensor.dims
        )
    })?;
    if tensor.data_location() == DataLocation::External {
        return Ok(());
    }
    if tensor.raw_data.is_none() {
        let small = || tensor.int32_data.iter();
        let raw: Vec<u8> = match kind {
            Kind::F32 => bytemuck::cast_slice(&tensor.float_data).to_vec(),
            Kind::F64 => bytemuck::cast_slice(&tensor.double_data).to_vec(),
            Kind::I32 => bytemuck::cast_slice(&tensor.int32_data).to_vec(),
            Kind::I64 => bytemuck::cast_slice(&tensor.int64_data).to_vec(),
            Kind::U64 => bytemuck::cast_slice(&tensor.uint64_data).to_vec(),
            Kind::U32 => tensor.uint64_data.iter().flat_map(|&value| (value as u32).to_le_bytes()).collect(),
            Kind::F16 | Kind::Bf16 | Kind::I16 | Kind::U16 => {
                small().flat_map(|&value| (value as u16).to_le_bytes()).collect()
            }
            Kind::I8 | Kind::U8 | Kind::Bool | Kind::F8E4m3 | Kind::F8E5m2 => {
                small().map(|&value| value as u8).collect()
            }
        };
        tensor.raw_data = Some(raw.into());
    }
    // Both forms at once would make the file twice as large, and ONNX Runtime refuse it.
    tensor.float_data = Vec::new();
    tensor.double_data = Vec::new();
    tensor.int32_data = Vec::new();
    tensor.int64_data = Vec::new();
    tensor.uint64_data = Vec::new();
    let found = tensor.raw_data.as_ref().map_or(0, Bytes::len);
    if found == needed {
        return Ok(());
    }
    Err(format!(
        "found {found} bytes of values, needed {needed} for shape {:?} of {}; the file is damaged: export it again",
        tensor.dims,
        kind.name()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::onnx::tensor_proto::DataType;

    fn tensor(data_type: DataType, dims: &[i64]) -> TensorProto {
        TensorProto { data_type: Some(data_type.into()), dims: dims.to_vec(), ..TensorProto::default() }
    }

    #[test]
    fn typed_fields_become_bytes() {
        let mut half = TensorProto { int32_data: vec![0x3C00, 0xC000], ..tensor(DataType::Float16, &[2]) };
        make_raw(&mut half).unwrap();
        assert_eq!(half.raw_data.unwrap()[..], [0, 0x3C, 0, 0xC0]);
        let mut small = TensorProto { int32_data: vec![-1, 5], ..tensor(DataType::Int8, &[2]) };
        make_raw(&mut small).unwrap();
        assert_eq!(small.raw_data.unwrap()[..], [0xFF, 5]);
    }

    #[test]
    fn shapes_that_lie_are_refused() {
        for dims in [vec![2, 2], vec![-1], vec![i64::MAX, i64::MAX]] {
            let mut lying = TensorProto { float_data: vec![1.0], ..tensor(DataType::Float, &dims) };
            assert!(make_raw(&mut lying).is_err(), "{dims:?}");
        }
        make_raw(&mut TensorProto { float_data: vec![1.0], ..tensor(DataType::Float, &[]) }).unwrap();
        make_raw(&mut tensor(DataType::Float, &[0, 3])).unwrap();
    }
}
