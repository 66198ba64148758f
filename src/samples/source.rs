//! Where the pipeline file says that arrays lie: one file, or one file a name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Array, SamplesError};

/// One file (`"inputs.npy"`, `"data.npz"`, `"data.npz#images"`), or one file a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A single `.npy`, a member of an `.npz`, or all its members.
    File(String),
    /// A file, or a member, for each name.
    Named(BTreeMap<String, String>),
}

impl Source {
    /// Reads the arrays, each with its name if it has one, in name order.
    ///
    /// # Errors
    ///
    /// [`SamplesError`] for files that are missing or no arrays.
    pub fn read(&self, folder: &Path) -> Result<Vec<(Option<String>, Array)>, SamplesError> {
        match self {
            Self::File(file) => read(folder, file),
            Self::Named(files) => files
                .iter()
                .map(|(name, file)| {
                    let mut arrays = read(folder, file)?;
                    match arrays.len() {
                        1 => Ok((Some(name.clone()), arrays.remove(0).1)),
                        found => Err(SamplesError::Array {
                            array: file.clone(),
                            reason: format!("found {found} members, needed one; name it like `{file}#member`"),
                        }),
                    }
                })
                .collect(),
        }
    }
}

fn read(folder: &Path, file: &str) -> Result<Vec<(Option<String>, Array)>, SamplesError> {
    let (path, member) = match file.split_once('#') {
        Some((path, member)) => (path, Some(member)),
        None => (file, None),
    };
    let path = folder.join(path);
    if path.extension().is_some_and(|extension| extension == "npz") {
        let members = Array::read_npz(&path, member)?;
        Ok(members.into_iter().map(|(name, array)| (Some(name), array)).collect())
    } else {
        Ok(vec![(None, Array::read_npy(&path)?)])
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::File(file) => file.serialize(serializer),
            Self::Named(files) => files.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FileOrNames;
        impl<'de> Visitor<'de> for FileOrNames {
            type Value = Source;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a file such as \"inputs.npy\", or a table of names and files")
            }

            fn visit_str<E>(self, file: &str) -> Result<Source, E> {
                Ok(Source::File(file.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Source, A::Error> {
                Ok(Source::Named(BTreeMap::deserialize(MapAccessDeserializer::new(map))?))
            }
        }
        deserializer.deserialize_any(FileOrNames)
    }
}
