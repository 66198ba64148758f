//! An object that is opened by its first bytes, and then read by ranges.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{Error, GetOptions, GetRange, ObjectMeta, ObjectStoreExt};

use super::ranges::{pieces, spans};
use super::{PARALLEL, Store, StoreError};

/// The first request: enough for the header of some hundred tensors, and as fast as a smaller one.
const FIRST: u64 = 64 << 10;

/// An object as it was when it was opened.
#[derive(Debug)]
pub(crate) struct Object {
    store: Arc<Store>,
    meta: ObjectMeta,
    url: String,
}

impl Store {
    /// Opens some objects, and brings the first bytes of each: as many as `needed` says when it is given some of them
    /// and the size, or a few more. Of an object without a byte there are none.
    ///
    /// # Errors
    ///
    /// For each object [`StoreError`].
    pub(crate) fn open(
        self: &Arc<Self>,
        keys: &[&str],
        needed: &dyn Fn(&[u8], u64) -> u64,
    ) -> Vec<Result<(Object, Bytes), StoreError>> {
        self.runtime.block_on(stream::iter(keys).map(|key| self.start(key, needed)).buffered(PARALLEL).collect())
    }

    async fn start(
        self: &Arc<Self>,
        key: &str,
        needed: &dyn Fn(&[u8], u64) -> u64,
    ) -> Result<(Object, Bytes), StoreError> {
        let path = self.path(key)?;
        let object = |meta| Object { store: Arc::clone(self), meta, url: self.url(key) };
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(0..FIRST)));
        let found = match self.inner.get_opts(&path, options).await {
            Ok(found) => found,
            // No range of an object without a byte can be had, and each store says so in other words.
            Err(error) => match self.inner.head(&path).await {
                Ok(meta) if meta.size == 0 => return Ok((object(meta), Bytes::new())),
                _ => return Err(self.failure(key, "read", &error)),
            },
        };
        let object = object(found.meta.clone());
        let first = found.bytes().await.map_err(|error| self.failure(key, "read", &error))?;
        let (have, end) = (first.len() as u64, needed(&first, object.meta.size));
        if end <= have {
            return Ok((object, first));
        }
        let rest = object.range(have..end).await?;
        Ok((object, [first, rest].concat().into()))
    }
}

impl Object {
    /// The URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How many bytes it has.
    pub(crate) fn size(&self) -> u64 {
        self.meta.size
    }

    /// URL, size and version; none if the server does not tell versions apart.
    pub(crate) fn identity(&self) -> Option<String> {
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
    /// [`StoreError::Changed`] when the object is another one by now, [`StoreError::Memory`], and all that a store may
    /// answer.
    pub(crate) fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        let spans = spans(ranges);
        let mut buffers = Vec::with_capacity(spans.len());
        for span in &spans {
            let bytes = span.end - span.start;
            let mut buffer = Vec::new();
            buffer
                .try_reserve_exact(to_usize(&self.url, bytes)?)
                .map_err(|_| StoreError::Memory { url: self.url.clone(), bytes })?;
            buffers.push(buffer);
        }
        let requests = spans.iter().enumerate().flat_map(|(span, whole)| pieces(whole).map(move |piece| (span, piece)));
        self.store.runtime.block_on(async {
            let mut answers = stream::iter(requests)
                .map(async |(span, piece)| Ok::<_, StoreError>((span, self.range(piece).await?)))
                .buffered(PARALLEL);
            while let Some((span, bytes)) = answers.try_next().await? {
                buffers[span].extend_from_slice(&bytes);
            }
            Ok::<_, StoreError>(())
        })?;
        let buffers: Vec<Bytes> = buffers.into_iter().map(Bytes::from).collect();
        ranges.iter().map(|range| self.cut(&spans, &buffers, range)).collect()
    }

    fn cut(&self, spans: &[Range<u64>], buffers: &[Bytes], range: &Range<u64>) -> Result<Bytes, StoreError> {
        let holder = spans.iter().zip(buffers).find(|(span, _)| span.start <= range.start && range.end <= span.end);
        let Some((span, buffer)) = holder.filter(|_| !range.is_empty()) else { return Ok(Bytes::new()) };
        let [start, end] = [range.start, range.end].map(|place| to_usize(&self.url, place - span.start));
        Ok(buffer.slice(start?..end?))
    }

    /// One range, in one request, of the object that was opened and of no other.
    async fn range(&self, range: Range<u64>) -> Result<Bytes, StoreError> {
        let needed = range.end - range.start;
        // A weak tag never matches; what the answer says of itself is compared in any case.
        let tag = self.meta.e_tag.as_deref().filter(|tag| !tag.starts_with("W/"));
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(range))).with_if_match(tag);
        let failure = |error: Error| match error {
            Error::Precondition { .. } => StoreError::Changed { url: self.url.clone() },
            error => self.store.service.failure(&self.url, "read", &error),
        };
        let found = self.store.inner.get_opts(&self.meta.location, options).await.map_err(failure)?;
        let same = found.meta.size == self.meta.size
            && found.meta.e_tag == self.meta.e_tag
            && found.meta.last_modified == self.meta.last_modified;
        if !same {
            return Err(StoreError::Changed { url: self.url.clone() });
        }
        let bytes = found.bytes().await.map_err(failure)?;
        if bytes.len() as u64 != needed {
            return Err(StoreError::CutShort { url: self.url.clone(), found: bytes.len() as u64, needed });
        }
        Ok(bytes)
    }
}

fn to_usize(url: &str, bytes: u64) -> Result<usize, StoreError> {
    usize::try_from(bytes).map_err(|_| StoreError::Memory { url: url.to_owned(), bytes })
}
