//! Objects that are created if absent, or replaced if unchanged: of several writers one wins, and none tears.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path as FilePath;

use bytes::Bytes;
use object_store::{
    Error, MultipartUpload, ObjectMeta, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};

use super::service::was_cut;
use super::{Store, StoreError};

/// A file of more bytes goes up in pieces: a store takes 5 GB at once, and a line that breaks costs one piece.
const PIECE: usize = 32 << 20;
/// How often an answer that was cut off is asked for again: the crate does so only where repeating can never matter.
const ATTEMPTS: usize = 5;

/// What must be so for an object to be written.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// There is none of the name.
    Absent,
    /// It is still this one.
    Unchanged(Version),
    /// Nothing.
    Always,
}

/// What tells an object from another one of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    tag: Option<String>,
    generation: Option<String>,
}

impl Version {
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        Self { tag: meta.e_tag.clone(), generation: meta.version.clone() }
    }
}

impl Store {
    /// Writes an object in one request, complete or not at all; false if the condition does not hold.
    ///
    /// An answer that never came is asked for again, so that false may also say that this very write had been done.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(crate) fn put(&self, key: &str, bytes: &Bytes, condition: &Condition) -> Result<bool, StoreError> {
        let path = self.path(key)?;
        let mode = match condition {
            Condition::Absent => PutMode::Create,
            Condition::Unchanged(Version { tag, generation }) => {
                PutMode::Update(UpdateVersion { e_tag: tag.clone(), version: generation.clone() })
            }
            Condition::Always => PutMode::Overwrite,
        };
        let mut attempts = 0;
        loop {
            attempts += 1;
            let options = PutOptions { mode: mode.clone(), ..PutOptions::default() };
            let put = self.inner.put_opts(&path, PutPayload::from(bytes.clone()), options);
            match self.runtime.block_on(put) {
                Ok(_) => return Ok(true),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => return Ok(false),
                Err(error) if attempts < ATTEMPTS && was_cut(&error) => {}
                Err(error) => return Err(self.failure(key, "write", &error)),
            }
        }
    }

    /// Writes a file as an object, whatever was there: a large one in pieces, which show as a whole at the end.
    ///
    /// # Errors
    ///
    /// [`StoreError`], [`StoreError::System`] where the file cannot be read.
    pub(crate) fn upload(&self, key: &str, file: &FilePath) -> Result<(), StoreError> {
        let failed = |source: io::Error| StoreError::System { path: file.display().to_string(), source };
        let mut input = File::open(file).map_err(failed)?;
        let first = piece(&mut input).map_err(failed)?;
        if first.len() < PIECE {
            return self.put(key, &first, &Condition::Always).map(drop);
        }
        let path = self.path(key)?;
        let failure = |error: Error| self.failure(key, "write", &error);
        self.runtime.block_on(async {
            let mut upload = self.inner.put_multipart(&path).await.map_err(failure)?;
            let sent = async {
                let mut next = first;
                while !next.is_empty() {
                    upload.put_part(next.into()).await.map_err(failure)?;
                    next = piece(&mut input).map_err(failed)?;
                }
                upload.complete().await.map_err(failure)
            };
            let sent = sent.await;
            if sent.is_err() {
                // What else went wrong is told; pieces that stay behind cost room, which `docs/storage.md` says.
                let _ = upload.abort().await;
            }
            sent.map(drop)
        })
    }

    /// Deletes an object; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(crate) fn delete(&self, key: &str) -> Result<(), StoreError> {
        let path = self.path(key)?;
        match self.runtime.block_on(self.inner.delete(&path)) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failure(key, "write", &error)),
        }
    }
}

/// The next bytes of a file: fewer than a piece only at its end.
fn piece(input: &mut File) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    input.take(PIECE as u64).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn of_many_creators_one_is_first_and_of_many_who_replace_one_version_one_does() {
        let store = Store::in_memory();
        let wins = |condition: &Condition| {
            let put = |name: u8| store.put("part", &Bytes::from(vec![name; 9]), condition).unwrap();
            thread::scope(|scope| {
                let racers: Vec<_> = (0..8).map(|name| scope.spawn(move || put(name))).collect();
                racers.into_iter().map(|racer| usize::from(racer.join().unwrap())).sum::<usize>()
            })
        };
        let version = || store.read("part", |_| Ok::<_, StoreError>(())).unwrap().unwrap().1;
        assert_eq!(wins(&Condition::Absent), 1);
        assert_eq!(wins(&Condition::Absent), 0);
        let first = version();
        assert_eq!(wins(&Condition::Unchanged(first.clone())), 1);
        assert_ne!(version(), first);
        assert_eq!(wins(&Condition::Unchanged(first.clone())), 0, "it is another one by now");
        assert_eq!(wins(&Condition::Always), 8);
        store.delete("part").unwrap();
        store.delete("part").unwrap();
        assert_eq!(wins(&Condition::Unchanged(first)), 0, "there is none");
        assert!(store.read("part", |_| Ok::<_, StoreError>(())).unwrap().is_none());
    }

    #[test]
    fn files_go_up_whole_in_one_piece_and_in_several() {
        let store = Store::in_memory();
        let file = tempfile::NamedTempFile::new().unwrap();
        for length in [0, 1000, PIECE, PIECE + 1] {
            let bytes: Vec<u8> = (0..251).cycle().take(length).collect();
            std::fs::write(file.path(), &bytes).unwrap();
            store.upload("table", file.path()).unwrap();
            let (found, _) = store.read("table", |_| Ok::<_, StoreError>(())).unwrap().unwrap();
            assert!(found == bytes, "{length} bytes");
            let tail = store.tails(&["table".to_owned(), "none".to_owned()], 100);
            let [Ok(Some(tail)), Ok(None)] = tail.as_slice() else { panic!("{tail:?}") };
            assert_eq!((tail.size, &tail.bytes[..]), (length as u64, &bytes[length - length.min(100)..]));
        }
    }
}
