//! The index that joins shards to one checkpoint.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::ArchiveError;
use super::location::Location;
use crate::store::StoreError;

/// No index of real tensors comes near this size.
const LARGEST: u64 = 100_000_000;

/// The `weight_map` of a Hugging Face index: which file each tensor may come from.
#[derive(Debug, Deserialize)]
struct Index {
    #[serde(deserialize_with = "each_once")]
    weight_map: BTreeMap<String, String>,
}

/// Checks that an index is small enough to be read at once.
///
/// # Errors
///
/// [`ArchiveError::Index`] when it is not.
pub(super) fn check_size(path: &str, size: u64) -> Result<(), ArchiveError> {
    if size <= LARGEST {
        return Ok(());
    }
    Err(ArchiveError::index(path, format!("found {size} bytes, needed {LARGEST} or fewer; name the right file")))
}

/// Parses an index and returns, for each file that it names, the tensors to take from it.
///
/// A tensor that lies in another file than the index says (a stale shard) is never taken.
///
/// # Errors
///
/// [`ArchiveError::Index`] when it is no index, or leads out of its folder.
pub(super) fn parse(path: &str, text: &[u8]) -> Result<BTreeMap<String, Vec<String>>, ArchiveError> {
    let fail = |reason: String| ArchiveError::index(path, reason);
    let index: Index = serde_json::from_slice(text)
        .map_err(|error| fail(format!("{error}; needed a JSON object with a `weight_map` of tensor names to files")))?;
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tensor, file) in index.weight_map {
        // An index comes with the archive: it may not lead outside of its own folder.
        if file.is_empty() || file.contains(['/', '\\', '\0']) || file == ".." || file == "." {
            return Err(fail(format!("tensor `{tensor}` points at `{file}`; needed a file in the index's own folder")));
        }
        files.entry(file).or_default().push(tensor);
    }
    if files.is_empty() {
        return Err(fail("its `weight_map` names no tensor".to_owned()));
    }
    Ok(files)
}

/// Names the index where one of its shards is at fault.
pub(super) fn blame(index: &Location, tensor: &str, error: ArchiveError) -> ArchiveError {
    let missing = |file: &str| {
        let file = file.rsplit('/').next().unwrap_or(file);
        format!("tensor `{tensor}` points at `{file}`, which is not there; copy the missing shard")
    };
    match error {
        ArchiveError::Store(StoreError::Missing { url }) => ArchiveError::index(index, missing(&url)),
        ArchiveError::Read { path, source } if source.kind() == io::ErrorKind::NotFound => {
            ArchiveError::index(index, missing(&path))
        }
        ArchiveError::Invalid { path, reason } => ArchiveError::index(index, format!("its shard `{path}`: {reason}")),
        other => other,
    }
}

/// A map that names nothing twice: readers differ in which of two they take.
fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    deserializer.deserialize_map(EachOnce)
}

struct EachOnce;

impl<'de> Visitor<'de> for EachOnce {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of tensor names to files")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut files = BTreeMap::new();
        while let Some((tensor, file)) = map.next_entry::<String, String>()? {
            if let Some(first) = files.insert(tensor.clone(), file) {
                return Err(A::Error::custom(format!("tensor `{tensor}` is named twice, first for `{first}`")));
            }
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_of_thousands_of_tensors_is_grouped_by_file() {
        let entries: Vec<String> = (0..20_000).map(|i| format!("\"t{i}\":\"model-{}.safetensors\"", i % 7)).collect();
        let text = format!("{{\"metadata\":{{}},\"weight_map\":{{{}}}}}", entries.join(","));
        let files = parse("i", text.as_bytes()).unwrap();
        assert_eq!(files.len(), 7);
        assert_eq!(files.values().map(Vec::len).sum::<usize>(), 20_000);
    }

    #[test]
    fn indexes_that_cannot_be_trusted_are_refused() {
        for (map, reason) in [
            (r#"{"a":"../x"}"#, "needed a file in the index's own folder"),
            (r#"{"a":"/x"}"#, "needed a file in the index's own folder"),
            (r#"{"a":""}"#, "needed a file in the index's own folder"),
            ("{}", "names no tensor"),
            (r#"{"a":"x","a":"y"}"#, "tensor `a` is named twice, first for `x`"),
            (r#"["a"]"#, "needed a JSON object with a `weight_map`"),
        ] {
            let error = parse("m.index.json", format!("{{\"weight_map\":{map}}}").as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("`m.index.json`") && error.contains(reason), "{error}");
        }
        assert!(check_size("i", LARGEST + 1).is_err());
    }
}
