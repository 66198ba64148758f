//! Weights that a model keeps in other files, memory-mapped in place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use memmap2::Mmap;

use super::super::onnx::tensor_proto::DataLocation;
use super::super::onnx::{StringStringEntryProto, TensorProto};

/// The other files that a model refers to, by the name that it gives them; none for one that is missing.
pub(in super::super) type ExternalFiles = BTreeMap<String, Option<Bytes>>;

/// Maps a file: it costs memory only while it is looked at.
pub(in super::super) fn map(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    // A pipe or a device would block, or never end.
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    #[expect(unsafe_code, reason = "mapping is unsafe because another program may shrink the file meanwhile")]
    // SAFETY: models are finished files; the documentation says not to run over one that is being written.
    let map = unsafe { Mmap::map(&file) }?;
    Ok(Bytes::from_owner(map))
}

/// Puts the values of a tensor in place if they lie in another file; without that file it stays without values.
pub(super) fn load(tensor: &mut TensorProto, folder: &Path, files: &mut ExternalFiles) -> Result<(), String> {
    if tensor.data_location() != DataLocation::External {
        return Ok(());
    }
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key() == key).map(StringStringEntryProto::value);
    let number = |key: &str| match entry(key).map(str::parse::<usize>) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(format!("found no number as `{key}` of its place in another file; export the model again")),
    };
    let location = entry("location").ok_or("found no name of the file that holds it; export the model again")?;
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    if !files.contains_key(location) {
        files.insert(location.to_owned(), open(location, folder)?);
    }
    let Some(Some(bytes)) = files.get(location) else { return Ok(()) };
    let end = length.map_or(Some(bytes.len()), |length| offset.checked_add(length));
    let range = end.filter(|&end| offset <= end && end <= bytes.len()).map(|end| offset..end).ok_or_else(|| {
        format!(
            "found {} bytes in `{location}`, needed those from {offset} on{}; the file is cut short or of another model",
            bytes.len(),
            length.map_or(String::new(), |length| format!(", {length} of them"))
        )
    })?;
    tensor.raw_data = Some(bytes.slice(range));
    tensor.external_data = Vec::new();
    tensor.data_location = None;
    Ok(())
}

/// Opens a file beside the model. A model comes from strangers: it may not point elsewhere.
fn open(location: &str, folder: &Path) -> Result<Option<Bytes>, String> {
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if location.is_empty() || !Path::new(location).components().all(inside) {
        return Err(format!(
            "found its values in `{location}`, needed a file in the model's folder; keep both files in one folder and export again"
        ));
    }
    let path: PathBuf = folder.join(location);
    match map(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("its values lie in `{}`, which cannot be read: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(entries: &[(&str, &str)]) -> TensorProto {
        let entry = |&(key, value): &(&str, &str)| StringStringEntryProto {
            key: Some(key.to_owned()),
            value: Some(value.to_owned()),
        };
        TensorProto {
            data_location: Some(DataLocation::External.into()),
            external_data: entries.iter().map(entry).collect(),
            ..TensorProto::default()
        }
    }

    #[test]
    fn values_come_from_their_place_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("w.data"), [0, 1, 2, 3]).unwrap();
        let mut files = ExternalFiles::new();
        let mut tensor = outside(&[("location", "w.data"), ("offset", "1"), ("length", "2")]);
        load(&mut tensor, folder.path(), &mut files).unwrap();
        assert_eq!(tensor.raw_data.unwrap()[..], [1, 2]);
        let mut rest = outside(&[("location", "w.data"), ("offset", "3")]);
        load(&mut rest, folder.path(), &mut files).unwrap();
        assert_eq!(rest.raw_data.unwrap()[..], [3]);
    }

    #[test]
    fn places_outside_the_file_or_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("w.data"), [0, 1, 2, 3]).unwrap();
        let most = usize::MAX.to_string();
        for entries in [
            vec![("location", "w.data"), ("offset", "3"), ("length", "2")],
            vec![("location", "w.data"), ("offset", most.as_str()), ("length", most.as_str())],
            vec![("location", "w.data"), ("offset", "-1")],
            vec![("location", "w.data"), ("offset", "5")],
            vec![("location", "../w.data")],
            vec![("location", "/etc/hostname")],
            vec![("location", "")],
            vec![("location", ".")],
            vec![],
        ] {
            let mut tensor = outside(&entries);
            assert!(load(&mut tensor, folder.path(), &mut ExternalFiles::new()).is_err(), "{entries:?}");
        }
    }

    #[test]
    fn a_missing_file_leaves_the_tensor_without_values() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = ExternalFiles::new();
        let mut tensor = outside(&[("location", "lost.data")]);
        load(&mut tensor, folder.path(), &mut files).unwrap();
        assert_eq!((tensor.raw_data, files.get("lost.data")), (None, Some(&None)));
    }
}
