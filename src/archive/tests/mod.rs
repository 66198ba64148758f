//! Archives as people have them, on a disk and in a store, whole and damaged.

mod faults;
mod layouts;
mod remote;
mod web;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use tempfile::TempDir;

use super::location::Location;
use super::{ArchiveError, Checkpoint, Series, Weights};
use crate::store::Store;

/// A tensor in single precision, by name.
type Named<'a> = (&'a str, &'a [f32]);

/// The bytes of a safetensors file.
fn file(tensors: &[Named<'_>], step: Option<u64>) -> Vec<u8> {
    let metadata = step.map(|step| HashMap::from([("step".to_owned(), step.to_string())]));
    let bytes: Vec<(&str, Vec<u8>)> = tensors
        .iter()
        .map(|(name, values)| (*name, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    let views =
        bytes.iter().map(|(name, bytes)| (*name, TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).unwrap()));
    safetensors::serialize(views, metadata).unwrap()
}

/// The text of an index.
fn index(entries: &[(&str, &str)]) -> Vec<u8> {
    let map: serde_json::Map<String, serde_json::Value> =
        entries.iter().map(|(tensor, file)| ((*tensor).to_owned(), (*file).into())).collect();
    serde_json::json!({ "metadata": {}, "weight_map": map }).to_string().into_bytes()
}

/// A folder with some files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::with_prefix("infoplane-archive-").unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

/// A store with some objects.
fn store(files: &[(&str, &[u8])]) -> Arc<Store> {
    let store = Store::in_memory();
    for (name, bytes) in files {
        store.set(name, bytes);
    }
    store
}

fn remote(store: &Arc<Store>, key: &str) -> Location {
    Location::Remote { store: Arc::clone(store), key: key.to_owned() }
}

fn open_remote(store: &Arc<Store>, key: &str) -> Result<Weights, ArchiveError> {
    Weights::at(&remote(store, key))
}

fn series_in(store: &Arc<Store>, pattern: &str) -> Result<Series, ArchiveError> {
    Series::at(&remote(store, pattern), Path::new(""), &store.url(pattern), None)
}

/// All names of a checkpoint's tensors.
fn names(weights: &Weights) -> Vec<&str> {
    weights.tensors().map(|tensor| tensor.name).collect()
}
