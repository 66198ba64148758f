//! Object stores and web servers: the only folder that names `object_store` and `tokio`.
//!
//! Credentials come from the usual environment variables (`AWS_ACCESS_KEY_ID`,
//! `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME`, ...) or the machine's own
//! identity in its cloud; `AWS_SKIP_SIGNATURE=true` and its like read public buckets without any.
//! Failed requests are tried again, as the crate does by default: up to ten times in three minutes.
//!
//! Everything here blocks, and may be called from any number of threads that run no asynchronous
//! code themselves.

#[cfg(test)]
mod memory;
mod ranges;
mod service;

use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::{Builder, Runtime};

use self::ranges::{pieces, spans};
use self::service::Service;
use super::header::{self, Header};
use super::{ArchiveError, shards};

/// The first request of a header: enough for some hundred tensors, and as fast as a smaller one.
const FIRST: u64 = 64 << 10;
/// Requests at a time.
const PARALLEL: usize = 8;

/// A bucket, a container, or a web server.
#[derive(Debug)]
pub(super) struct Store {
    /// The start of every URL in it, without a slash at the end.
    root: String,
    service: Service,
    inner: Arc<dyn ObjectStore>,
    runtime: &'static Runtime,
}

/// An object as it was when its header was read.
#[derive(Debug)]
pub(super) struct Object {
    store: Arc<Store>,
    meta: ObjectMeta,
    url: String,
}

impl Store {
    /// The store that a URL such as `s3://bucket` starts with; nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Url`] for a scheme that is not known, [`ArchiveError::Store`] for settings
    /// that cannot work, [`ArchiveError::Read`] when the system lets no connection be made.
    pub(super) fn connect(root: &str) -> Result<Arc<Self>, ArchiveError> {
        let service = Service::of(root)?;
        let built = match service {
            Service::S3 => AmazonS3Builder::from_env().with_url(root).build().map(|store| Arc::new(store) as _),
            Service::Google => {
                GoogleCloudStorageBuilder::from_env().with_url(root).build().map(|store| Arc::new(store) as _)
            }
            Service::Azure => {
                MicrosoftAzureBuilder::from_env().with_url(root).build().map(|store| Arc::new(store) as _)
            }
            Service::Http => {
                let options = ClientOptions::new().with_allow_http(root.starts_with("http://"));
                HttpBuilder::new().with_url(root).with_client_options(options).build().map(|store| Arc::new(store) as _)
            }
        };
        let inner = built.map_err(|error| service.failure(root, &error))?;
        let runtime = runtime().map_err(|source| ArchiveError::read(root, source))?;
        Ok(Arc::new(Self { root: root.to_owned(), service, inner, runtime }))
    }

    /// Whether the store can tell which objects it has.
    pub(super) fn lists(&self) -> bool {
        self.service != Service::Http
    }

    /// The URL of an object.
    pub(super) fn url(&self, key: &str) -> String {
        format!("{}/{key}", self.root)
    }

    /// The names of all objects below a folder that `wanted` takes, relative to it.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Store`] when the store cannot be asked.
    pub(super) fn names(&self, folder: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, ArchiveError> {
        let url = self.url(folder);
        let prefix = self.path(folder)?;
        let names = self.inner.list(Some(&prefix)).try_filter_map(|meta| {
            let name = meta.location.as_ref().strip_prefix(prefix.as_ref()).map(|name| name.trim_start_matches('/'));
            let name = name.filter(|name| wanted(name)).map(str::to_owned);
            async { Ok(name) }
        });
        self.runtime.block_on(names.try_collect()).map_err(|error| self.service.failure(&url, &error))
    }

    /// All bytes of a small object.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Store`], and [`ArchiveError::Index`] for one that is too large for an index.
    pub(super) fn small(&self, key: &str) -> Result<Bytes, ArchiveError> {
        let url = self.url(key);
        let path = self.path(key)?;
        self.runtime.block_on(async {
            let found = self.inner.get(&path).await.map_err(|error| self.service.failure(&url, &error))?;
            shards::check_size(&url, found.meta.size)?;
            found.bytes().await.map_err(|error| self.service.failure(&url, &error))
        })
    }

    /// Reads the headers of some objects, and nothing else of them.
    ///
    /// # Errors
    ///
    /// For each object [`ArchiveError::Store`] or [`ArchiveError::Invalid`].
    pub(super) fn open(self: &Arc<Self>, keys: &[&str]) -> Vec<Result<(Object, Header), ArchiveError>> {
        self.runtime.block_on(stream::iter(keys).map(|key| self.header(key)).buffered(PARALLEL).collect())
    }

    async fn header(self: &Arc<Self>, key: &str) -> Result<(Object, Header), ArchiveError> {
        let url = self.url(key);
        let path = self.path(key)?;
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(0..FIRST)));
        let found = match self.inner.get_opts(&path, options).await {
            Ok(found) => found,
            // No range of an object without a byte can be had, and each store says so in other words.
            Err(error) => match self.inner.head(&path).await {
                Ok(ObjectMeta { size: 0, .. }) => return Err(ArchiveError::invalid(url, header::EMPTY)),
                _ => return Err(self.service.failure(&url, &error)),
            },
        };
        let object = Object { store: Arc::clone(self), meta: found.meta.clone(), url };
        let first = found.bytes().await.map_err(|error| self.service.failure(&object.url, &error))?;
        let invalid = |reason: String| ArchiveError::invalid(&object.url, reason);
        let start = header::data_start(&first, object.meta.size).map_err(invalid)?;
        let have = first.len() as u64;
        let header = if start <= have {
            header::parse(first.get(..to_usize(&object.url, start)?).unwrap_or_default(), object.meta.size)
        } else {
            let rest = object.range(have..start).await?;
            header::parse(&[first, rest].concat(), object.meta.size)
        };
        let header = header.map_err(invalid)?;
        Ok((object, header))
    }

    fn path(&self, key: &str) -> Result<Path, ArchiveError> {
        // A key is what it is; only the path of a web address is written with escapes.
        let path = if self.service == Service::Http { Path::from_url_path(key) } else { Path::parse(key) };
        path.map_err(|error| ArchiveError::Url { url: self.url(key), reason: error.to_string() })
    }
}

impl Object {
    /// The URL.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// URL, size and version; none if the server does not tell versions apart.
    pub(super) fn identity(&self) -> Option<String> {
        let ObjectMeta { size, e_tag, last_modified, .. } = &self.meta;
        // The crate sets the start of 1970 where a server is silent.
        let time = Some(last_modified.timestamp_micros()).filter(|&time| time != 0);
        let version = e_tag.clone().or_else(|| time.map(|time| time.to_string()))?;
        Some(format!("{}\0{size}\0{version}", self.url))
    }

    /// Brings some ranges in as few requests as are worth it.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Changed`] when the object is another one by now, [`ArchiveError::Store`], or
    /// [`ArchiveError::Memory`].
    pub(super) fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, ArchiveError> {
        let spans = spans(ranges);
        let mut buffers = Vec::with_capacity(spans.len());
        for span in &spans {
            let bytes = span.end - span.start;
            let mut buffer = Vec::new();
            buffer
                .try_reserve_exact(to_usize(&self.url, bytes)?)
                .map_err(|_| ArchiveError::Memory { path: self.url.clone(), bytes })?;
            buffers.push(buffer);
        }
        let requests = spans.iter().enumerate().flat_map(|(span, whole)| pieces(whole).map(move |piece| (span, piece)));
        self.store.runtime.block_on(async {
            let mut answers = stream::iter(requests)
                .map(async |(span, piece)| Ok::<_, ArchiveError>((span, self.range(piece).await?)))
                .buffered(PARALLEL);
            while let Some((span, bytes)) = answers.try_next().await? {
                buffers[span].extend_from_slice(&bytes);
            }
            Ok::<_, ArchiveError>(())
        })?;
        let buffers: Vec<Bytes> = buffers.into_iter().map(Bytes::from).collect();
        ranges.iter().map(|range| self.cut(&spans, &buffers, range)).collect()
    }

    fn cut(&self, spans: &[Range<u64>], buffers: &[Bytes], range: &Range<u64>) -> Result<Bytes, ArchiveError> {
        let holder = spans.iter().zip(buffers).find(|(span, _)| span.start <= range.start && range.end <= span.end);
        let Some((span, buffer)) = holder.filter(|_| !range.is_empty()) else { return Ok(Bytes::new()) };
        let [start, end] = [range.start, range.end].map(|place| to_usize(&self.url, place - span.start));
        Ok(buffer.slice(start?..end?))
    }

    /// One range, in one request, of the object that was opened and of no other.
    async fn range(&self, range: Range<u64>) -> Result<Bytes, ArchiveError> {
        let length = range.end - range.start;
        // A weak tag never matches; what the answer says of itself is compared in any case.
        let tag = self.meta.e_tag.as_deref().filter(|tag| !tag.starts_with("W/"));
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(range))).with_if_match(tag);
        let failure = |error: Error| match error {
            Error::Precondition { .. } => ArchiveError::Changed { url: self.url.clone() },
            error => self.store.service.failure(&self.url, &error),
        };
        let found = self.store.inner.get_opts(&self.meta.location, options).await.map_err(failure)?;
        let same = found.meta.size == self.meta.size
            && found.meta.e_tag == self.meta.e_tag
            && found.meta.last_modified == self.meta.last_modified;
        if !same {
            return Err(ArchiveError::Changed { url: self.url.clone() });
        }
        let bytes = found.bytes().await.map_err(failure)?;
        if bytes.len() as u64 != length {
            let reason = format!("found {} of the {length} bytes that were asked for; they are cut short", bytes.len());
            return Err(ArchiveError::invalid(&self.url, reason));
        }
        Ok(bytes)
    }
}

fn to_usize(url: &str, bytes: u64) -> Result<usize, ArchiveError> {
    usize::try_from(bytes).map_err(|_| ArchiveError::Memory { path: url.to_owned(), bytes })
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
