//! Object stores and web servers: the only folder that names `object_store` and `tokio`.
//!
//! | file | what it holds |
//! |---|---|
//! | `service` | the kinds of stores, and what helps when they refuse |
//! | `object` | an object that is opened, and read by ranges |
//! | `ranges` | which requests bring some ranges |
//! | `read` | whole objects, their ends, copies of many |
//! | `write` | objects that are created if absent, or replaced if unchanged |
//!
//! Credentials come from the usual environment variables (`AWS_ACCESS_KEY_ID`,
//! `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME`, ...) or the machine's own
//! identity in its cloud; `AWS_SKIP_SIGNATURE=true` and its like read public buckets without any.
//! Failed requests are tried again, as the crate does by default: ten times, which takes some seconds,
//! or for as long as `INFOPLANE_RETRY_SECONDS` says.
//!
//! Everything here blocks, and may be called from any number of threads that run no asynchronous
//! code themselves.

mod error;
#[cfg(test)]
mod memory;
mod object;
mod ranges;
mod read;
mod service;
mod write;

pub use error::StoreError;
pub(crate) use object::Object;
pub(crate) use write::{Condition, Version};

use std::env;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use tokio::runtime::{Builder, Runtime};

use self::service::Service;

/// How many seconds a request that fails is tried again.
const RETRY_SECONDS: &str = "INFOPLANE_RETRY_SECONDS";
/// Requests at a time.
const PARALLEL: usize = 8;

/// A bucket, a container, or a web server.
#[derive(Debug)]
pub(crate) struct Store {
    /// The start of every URL in it, without a slash at the end.
    root: String,
    service: Service,
    inner: Arc<dyn ObjectStore>,
    runtime: &'static Runtime,
}

/// Whether a text is a URL, and no path.
#[must_use]
pub fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.chars().all(|letter| letter.is_ascii_alphanumeric()))
}

impl Store {
    /// The store of a URL such as `s3://bucket/key`, and the key; nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// [`StoreError::Url`] for a scheme that is not known, [`StoreError::Refused`] for settings
    /// that cannot work, [`StoreError::System`] when the system lets no connection be made.
    pub(crate) fn at(url: &str) -> Result<(Arc<Self>, String), StoreError> {
        let after_scheme = url.find("://").map_or(0, |place| place + 3);
        let end = url[after_scheme..].find('/').map_or(url.len(), |place| after_scheme + place);
        let (root, key) = url.split_at(end);
        Ok((Self::connect(root)?, key.trim_matches('/').to_owned()))
    }

    fn connect(root: &str) -> Result<Arc<Self>, StoreError> {
        let service = Service::of(root)?;
        let retry = retry(root)?;
        let built = match service {
            Service::S3 => {
                let builder = AmazonS3Builder::from_env().with_url(root).with_retry(retry);
                builder.build().map(|store| Arc::new(store) as _)
            }
            Service::Google => {
                let builder = GoogleCloudStorageBuilder::from_env().with_url(root).with_retry(retry);
                builder.build().map(|store| Arc::new(store) as _)
            }
            Service::Azure => {
                let builder = MicrosoftAzureBuilder::from_env().with_url(root).with_retry(retry);
                builder.build().map(|store| Arc::new(store) as _)
            }
            Service::Http => {
                let options = ClientOptions::new().with_allow_http(root.starts_with("http://"));
                let builder = HttpBuilder::new().with_url(root).with_client_options(options).with_retry(retry);
                builder.build().map(|store| Arc::new(store) as _)
            }
        };
        let inner = built.map_err(|error| service.failure(root, "read", &error))?;
        let runtime = runtime().map_err(|source| StoreError::System { path: root.to_owned(), source })?;
        Ok(Arc::new(Self { root: root.to_owned(), service, inner, runtime }))
    }

    /// Whether the store can tell which objects it has, and takes new ones.
    pub(crate) fn lists(&self) -> bool {
        self.service != Service::Http
    }

    /// The URL of an object.
    pub(crate) fn url(&self, key: &str) -> String {
        format!("{}/{key}", self.root)
    }

    /// The names of all objects below a folder that `wanted` takes, relative to it, with what tells each one's content
    /// from another.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be asked.
    pub(crate) fn names(
        &self,
        folder: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let prefix = self.path(folder)?;
        let names = self.inner.list(Some(&prefix)).try_filter_map(|meta| {
            let name = meta.location.as_ref().strip_prefix(prefix.as_ref()).map(|name| name.trim_start_matches('/'));
            let name = name.filter(|name| wanted(name)).map(str::to_owned);
            let content = meta.e_tag.unwrap_or_else(|| meta.last_modified.timestamp_micros().to_string());
            async { Ok(name.map(|name| (name, content))) }
        });
        self.runtime.block_on(names.try_collect()).map_err(|error| self.failure(folder, "read", &error))
    }

    /// The names of all objects below a folder, relative to it, with the times when they were written.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be asked.
    pub(crate) fn times(&self, folder: &str) -> Result<Vec<(String, SystemTime)>, StoreError> {
        let prefix = self.path(folder)?;
        let times = self.inner.list(Some(&prefix)).map_ok(|meta| {
            let name = meta.location.as_ref().strip_prefix(prefix.as_ref()).unwrap_or_default();
            (name.trim_start_matches('/').to_owned(), SystemTime::from(meta.last_modified))
        });
        self.runtime.block_on(times.try_collect()).map_err(|error| self.failure(folder, "read", &error))
    }

    /// The names of the folders in a folder.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be asked.
    pub(crate) fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let prefix = self.path(folder)?;
        let listed = self.runtime.block_on(self.inner.list_with_delimiter(Some(&prefix)));
        let listed = listed.map_err(|error| self.failure(folder, "read", &error))?;
        Ok(listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
    }

    fn failure(&self, key: &str, action: &'static str, error: &object_store::Error) -> StoreError {
        self.service.failure(&self.url(key), action, error)
    }

    fn path(&self, key: &str) -> Result<Path, StoreError> {
        // A key is what it is; only the path of a web address is written with escapes.
        let path = if self.service == Service::Http { Path::from_url_path(key) } else { Path::parse(key) };
        path.map_err(|error| StoreError::Url { url: self.url(key), reason: error.to_string() })
    }
}

/// How long a request is tried again: as the crate does by default, or as the environment says.
fn retry(root: &str) -> Result<RetryConfig, StoreError> {
    let mut retry = RetryConfig::default();
    if let Ok(text) = env::var(RETRY_SECONDS) {
        let seconds = text.parse().map_err(|_| StoreError::Url {
            url: root.to_owned(),
            reason: format!("found `{RETRY_SECONDS}={text}`, needed a whole number of seconds"),
        })?;
        (retry.retry_timeout, retry.max_retries) = (Duration::from_secs(seconds), usize::MAX);
    }
    Ok(retry)
}

/// The one runtime that all connections of the process share, whichever thread waits for an answer.
fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(RUNTIME.get_or_init(|| runtime))
}
