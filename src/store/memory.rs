//! A store in memory, for tests.

use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

use super::service::Service;
use super::{Store, runtime};

impl Store {
    /// A store named `s3://test` that holds nothing.
    pub(crate) fn in_memory() -> Arc<Self> {
        let runtime = runtime().unwrap();
        let inner = Arc::new(InMemory::new());
        Arc::new(Self { root: "s3://test".to_owned(), service: Service::S3, inner, runtime })
    }

    /// Writes or overwrites an object.
    pub(crate) fn set(&self, key: &str, bytes: &[u8]) {
        let path = self.path(key).unwrap();
        self.runtime.block_on(self.inner.put(&path, Bytes::copy_from_slice(bytes).into())).unwrap();
    }
}
