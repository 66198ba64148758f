//! Whole objects, their ends, and copies of many.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{Error, GetOptions, GetRange, ObjectStoreExt};

use super::service::Service;
use super::{PARALLEL, Store, StoreError, Version};

/// The end of an object, or all of it.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The last bytes.
    pub(crate) bytes: Bytes,
    /// How many bytes the object has.
    pub(crate) size: u64,
    /// What tells it from another object of the same name.
    pub(crate) version: Version,
}

impl Store {
    /// All bytes of an object and its version; none if it is not there. `check` may refuse its size.
    ///
    /// # Errors
    ///
    /// [`StoreError`], or what `check` says.
    pub(crate) fn read<E: From<StoreError>>(
        &self,
        key: &str,
        check: impl Fn(u64) -> Result<(), E>,
    ) -> Result<Option<(Bytes, Version)>, E> {
        let path = self.path(key)?;
        self.runtime.block_on(async {
            let found = match self.inner.get(&path).await {
                Err(Error::NotFound { .. }) => return Ok(None),
                found => found.map_err(|error| self.failure(key, "read", &error))?,
            };
            check(found.meta.size)?;
            let version = Version::of(&found.meta);
            let bytes = found.bytes().await.map_err(|error| self.failure(key, "read", &error))?;
            Ok(Some((bytes, version)))
        })
    }

    /// The last bytes of some objects, `length` of them or all; none where there is no object.
    ///
    /// # Errors
    ///
    /// For each object [`StoreError`].
    pub(crate) fn tails(&self, keys: &[String], length: u64) -> Vec<Result<Option<Tail>, StoreError>> {
        self.runtime.block_on(stream::iter(keys).map(|key| self.tail(key, length)).buffered(PARALLEL).collect())
    }

    async fn tail(&self, key: &str, length: u64) -> Result<Option<Tail>, StoreError> {
        let path = self.path(key)?;
        // Azure knows no ranges that are counted from the end.
        let range = (self.service != Service::Azure && length > 0).then_some(GetRange::Suffix(length));
        let found = match self.inner.get_opts(&path, GetOptions::new().with_range(range)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            // No range of an object without a byte can be had, and each store says so in other words.
            Err(error) => match self.inner.head(&path).await {
                Ok(meta) if meta.size == 0 => {
                    return Ok(Some(Tail { bytes: Bytes::new(), size: 0, version: Version::of(&meta) }));
                }
                _ => return Err(self.failure(key, "read", &error)),
            },
            Ok(found) => found,
        };
        let (size, version) = (found.meta.size, Version::of(&found.meta));
        let bytes = found.bytes().await.map_err(|error| self.failure(key, "read", &error))?;
        Ok(Some(Tail { bytes, size, version }))
    }

    /// Copies objects into files, some at a time; the folders are made.
    ///
    /// # Errors
    ///
    /// [`StoreError`], [`StoreError::Copy`] where a file cannot be written.
    pub(crate) fn copy(&self, files: &[(String, PathBuf)]) -> Result<(), StoreError> {
        let copies = stream::iter(files).map(async |(key, file)| {
            let path = self.path(key)?;
            let failed = |source: io::Error| StoreError::Copy { path: file.display().to_string(), source };
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder).map_err(failed)?;
            }
            let mut out = File::create(file).map_err(failed)?;
            let failure = |error: Error| self.failure(key, "read", &error);
            let mut stream = self.inner.get(&path).await.map_err(failure)?.into_stream();
            while let Some(bytes) = stream.try_next().await.map_err(failure)? {
                out.write_all(&bytes).map_err(failed)?;
            }
            Ok(())
        });
        self.runtime.block_on(copies.buffer_unordered(PARALLEL).try_collect())
    }
}
