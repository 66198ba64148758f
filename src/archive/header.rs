//! The header of a safetensors file: the only file that names `safetensors`.
//!
//! A header is parsed from its own bytes, without the data behind it, so that a remote checkpoint
//! can be opened by reading its first kilobytes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::Kind;

/// How many bytes tell the length of the header.
const LENGTH: u64 = 8;
/// What the format allows a header to have.
const LONGEST: u64 = 100_000_000;

/// What is wrong with an empty file.
pub(super) const EMPTY: &str = "found 0 bytes, needed a header; it is empty or was never written";

/// What a header tells.
#[derive(Debug)]
pub(super) struct Header {
    /// The tensors by name.
    pub(super) tensors: BTreeMap<String, Entry>,
    /// The training step that the metadata tell under `step` or `global_step`.
    pub(super) step: Option<u64>,
}

/// One tensor of a header.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// Its bytes, counted from the start of the file.
    pub(super) bytes: std::ops::Range<u64>,
}

/// Where the data begin in a file of `size` bytes that starts with `first`.
///
/// # Errors
///
/// What is wrong with the file, in words.
pub(super) fn data_start(first: &[u8], size: u64) -> Result<u64, String> {
    let Some(length) = first.first_chunk() else {
        return Err(format!("found {size} bytes, needed a header; it is empty or cut short"));
    };
    let length = u64::from_le_bytes(*length);
    if length > LONGEST {
        return Err(format!("its first bytes claim a header of {length} bytes, needed {LONGEST} or fewer"));
    }
    let start = LENGTH + length;
    if start > size {
        return Err(format!("found {size} bytes, needed {start} for its header alone; it is cut short or damaged"));
    }
    Ok(start)
}

/// Parses the bytes of a file of `size` bytes up to where the data begin.
///
/// Every tensor is checked to lie in the file, to have as many bytes as its shape and type take, and
/// to overlap with no other one.
///
/// # Errors
///
/// What is wrong with the file, in words.
pub(super) fn parse(bytes: &[u8], size: u64) -> Result<Header, String> {
    let start = bytes.len() as u64;
    let json = bytes.get(8..).unwrap_or_default();
    let Entries { mut tensors, metadata } = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let step = metadata.as_ref().and_then(step_of);
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    let end = tensors.last().map_or(0, |(_, info)| info.data_offsets.1) as u64;
    let checked = Metadata::new(None, tensors).map_err(|error| error.to_string())?;
    if start.checked_add(end) != Some(size) {
        let needed = u128::from(start) + u128::from(end);
        return Err(format!(
            "found {size} bytes, needed the {needed} that its header claims; it is cut short or damaged"
        ));
    }
    let entry = |info: &TensorInfo| Entry {
        dtype: info.dtype,
        shape: info.shape.clone(),
        bytes: start + info.data_offsets.0 as u64..start + info.data_offsets.1 as u64,
    };
    let tensors = checked.tensors().into_iter().map(|(name, info)| (name, entry(info))).collect();
    Ok(Header { tensors, step })
}

/// The kind of numbers that a type stands for; none for complex numbers and for types that share
/// bytes or scales between values.
pub(super) fn kind(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::F64 => Kind::F64,
        Dtype::F32 => Kind::F32,
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::Bf16,
        Dtype::F8_E4M3 => Kind::F8E4m3,
        Dtype::F8_E5M2 => Kind::F8E5m2,
        Dtype::I64 => Kind::I64,
        Dtype::I32 => Kind::I32,
        Dtype::I16 => Kind::I16,
        Dtype::I8 => Kind::I8,
        Dtype::U64 => Kind::U64,
        Dtype::U32 => Kind::U32,
        Dtype::U16 => Kind::U16,
        Dtype::U8 => Kind::U8,
        Dtype::BOOL => Kind::Bool,
        _ => return None,
    })
}

fn step_of(metadata: &HashMap<String, String>) -> Option<u64> {
    ["step", "global_step"].iter().find_map(|key| metadata.get(*key)?.trim().parse().ok())
}

/// The members of the header's JSON object.
struct Entries {
    tensors: Vec<(String, TensorInfo)>,
    metadata: Option<HashMap<String, String>>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object of tensor names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut tensors = HashMap::new();
        let mut metadata = None;
        while let Some(name) = map.next_key::<String>()? {
            // The crate would take the last of two, another reader the first.
            let twice = if name == "__metadata__" {
                metadata.replace(map.next_value()?).is_some()
            } else {
                tensors.insert(name.clone(), map.next_value::<TensorInfo>()?).is_some()
            };
            if twice {
                return Err(A::Error::custom(format!("found `{name}` twice, needed each name once")));
            }
        }
        Ok(Entries { tensors: tensors.into_iter().collect(), metadata: metadata.flatten() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str, data: u64) -> Result<Header, String> {
        let bytes = [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
        let size = bytes.len() as u64 + data;
        let start = data_start(&bytes, size)?;
        parse(&bytes[..usize::try_from(start).unwrap()], size)
    }

    #[test]
    fn a_header_tells_tensors_and_step() {
        let json = r#"{"__metadata__":{"step":" 7"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  "#;
        let header = parsed(json, 8).unwrap();
        assert_eq!(header.step, Some(7));
        let start = 8 + json.len() as u64;
        assert_eq!(header.tensors["a"].bytes, start..start + 8);
    }

    #[test]
    fn damaged_headers_are_refused_with_what_is_wrong() {
        let tensor = |name: &str, shape: &str, from: u64, to: u64| {
            format!(r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#)
        };
        let part = 1_u64 << 60;
        let huge: Vec<String> = (0..16)
            .map(|i| (i * part, part - u64::from(i == 15)))
            .map(|(from, size)| {
                format!(r#""{from}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{from},{}]}}"#, from + size)
            })
            .collect();
        for (json, data, reason) in [
            (String::new(), 0, "EOF"),
            ("[]".to_owned(), 0, "a JSON object of tensor names"),
            (format!("{{{}}}", tensor("a", "[2]", 0, 8)), 7, "needed the"),
            (format!("{{{}}}", tensor("a", "[2]", 0, 8)), 9, "needed the"),
            (format!("{{{},{}}}", tensor("a", "[2]", 0, 8), tensor("a", "[2]", 0, 8)), 8, "found `a` twice"),
            (format!("{{{},{}}}", tensor("a", "[2]", 0, 8), tensor("b", "[2]", 4, 12)), 12, "invalid offset"),
            (format!("{{{},{}}}", tensor("a", "[2]", 0, 8), tensor("b", "[2]", 12, 20)), 20, "invalid offset"),
            (format!("{{{}}}", tensor("a", "[3]", 0, 8)), 8, "invalid shape"),
            (format!("{{{}}}", tensor("a", "[4294967296,4294967296]", 0, 8)), 8, "overflow"),
            (format!("{{{}}}", huge.join(",")), 8, "needed the 18446744073709553"),
            (r#"{"__metadata__":{},"__metadata__":{}}"#.to_owned(), 0, "found `__metadata__` twice"),
            (r#"{"a":{"dtype":"F99","shape":[],"data_offsets":[0,0]}}"#.to_owned(), 0, "F99"),
        ] {
            let error = parsed(&json, data).unwrap_err();
            assert!(error.contains(reason), "{json}: {error}");
        }
    }

    #[test]
    fn a_header_that_claims_gigabytes_is_not_read() {
        let claim = 10_000_000_000_u64.to_le_bytes();
        assert!(data_start(&claim, u64::MAX).unwrap_err().contains("needed 100000000 or fewer"));
        assert!(data_start(&50_000_u64.to_le_bytes(), 100).unwrap_err().contains("needed 50008 for its header alone"));
        assert!(data_start(&[0; 7], 7).unwrap_err().contains("found 7 bytes"));
    }
}
