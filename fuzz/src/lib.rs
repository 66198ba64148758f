//! What the fuzz targets share: the readers under test, what is done with what they read, a folder
//! for their files, and a limit on memory.
//!
//! The readers are included by path, not through the crate: that depends on polars and Parquet,
//! which take twenty minutes to build and read nothing that comes from strangers.

mod arrays;
mod models;
pub mod mutate;
mod weights;

#[path = "../../src/archive/mod.rs"]
pub mod archive;
#[path = "../../src/graph/mod.rs"]
pub mod graph;
#[path = "../../src/samples/mod.rs"]
pub mod samples;

use std::alloc::System;
use std::path::{Path, PathBuf};

use cap::Cap;
use tempfile::TempDir;

pub use arrays::look_at as look_at_array;
pub use models::look_at as look_at_model;
pub use weights::look_at as look_at_weights;

/// Bytes that the readers may hold at a time, of inputs of some kilobytes.
///
/// libFuzzer's own `-malloc_limit_mb` needs a sanitizer, and its `-rss_limit_mb` sees only memory
/// that was written to. Here an allocation beyond the limit fails, which ends the process unless
/// the code was prepared for it.
const MOST: usize = 1 << 30;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MOST);

/// An empty folder that goes when it is dropped, in memory where the system has such a place.
///
/// # Panics
///
/// When there is no place for it.
#[must_use]
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a place for the files of the readers")
}

/// Writes a file of that name and content, and returns its path.
///
/// # Panics
///
/// When it cannot be written.
#[must_use]
pub fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("room for the file");
    path
}
