//! One safetensors file whose header was read: mapped, or an object in a store.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use memmap2::{Advice, Mmap};

use super::header::{self, Header};
use super::location::Location;
use super::weights::Place;
use super::{ArchiveError, folder};
use crate::store::Object;

/// Bytes that are read at a time only to see that they can be: few enough to stay in a processor's cache.
const CHUNK: usize = 256 << 10;

/// One file of a checkpoint.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its path or URL.
    pub(super) name: String,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Mapped(Mmap, File),
    Remote(Object),
}

/// Opens files that lie in one folder, and reads their headers; each may fail for itself.
pub(super) fn open(files: &[&Location]) -> Vec<Result<(Opened, Header), ArchiveError>> {
    let mut found = Vec::with_capacity(files.len());
    let mut remote = Vec::new();
    for file in files {
        match file {
            Location::Local(path) => found.push(map(path)),
            Location::Remote { store, key } => remote.push((store, key.as_str())),
        }
    }
    if let Some((store, _)) = remote.first() {
        let keys: Vec<&str> = remote.iter().map(|(_, key)| *key).collect();
        // Where the start tells no length, what was brought is enough to say why.
        let needed = |first: &[u8], size: u64| header::data_start(first, size).unwrap_or(0);
        found.extend(store.open(&keys, &needed).into_iter().map(|opened| {
            let (object, start) = opened?;
            let header = parsed(&start, object.size()).map_err(|reason| ArchiveError::invalid(object.url(), reason))?;
            Ok((Opened { name: object.url().to_owned(), data: Data::Remote(object) }, header))
        }));
    }
    found
}

fn map(path: &Path) -> Result<(Opened, Header), ArchiveError> {
    let failed = |source| ArchiveError::read(path.display(), source);
    let invalid = |reason: String| ArchiveError::invalid(path.display(), reason);
    // An empty file cannot be mapped, and a pipe not even be opened.
    if folder::size(path)? == 0 {
        return Err(invalid(header::EMPTY.to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    #[expect(unsafe_code, reason = "mapping is unsafe because another program may shrink the file meanwhile")]
    // SAFETY: archives are finished files; the documentation says not to run over one that is being written.
    let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
    let header = parsed(&map, map.len() as u64).map_err(invalid)?;
    Ok((Opened { name: path.display().to_string(), data: Data::Mapped(map, file) }, header))
}

/// The header of a file of `size` bytes that starts with `first`.
fn parsed(first: &[u8], size: u64) -> Result<Header, String> {
    if size == 0 {
        return Err(header::EMPTY.to_owned());
    }
    let start = header::data_start(first, size)?;
    header::parse(slice(first, &(0..start)), size)
}

impl Opened {
    /// The bytes of a tensor, brought now if they are not there.
    pub(super) fn bytes<'a>(&'a self, place: &'a Place) -> Result<&'a [u8], ArchiveError> {
        let object = match &self.data {
            Data::Mapped(map, file) => {
                if place.readable.get().is_none() {
                    read_through(file, &place.entry.bytes).map_err(|source| ArchiveError::read(&self.name, source))?;
                    place.readable.get_or_init(|| ());
                }
                return Ok(slice(map, &place.entry.bytes));
            }
            Data::Remote(object) => object,
        };
        if place.loaded.get().is_none() {
            fetch(object, &[place])?;
        }
        Ok(place.loaded.get().expect("it was just loaded"))
    }

    /// Brings some tensors, unless they are there.
    pub(super) fn load(&self, places: &[&Place]) -> Result<(), ArchiveError> {
        match &self.data {
            Data::Mapped(map, _) => {
                for Range { start, end } in places.iter().map(|place| place.entry.bytes.clone()) {
                    // Only advice: where a system takes none, reading is a little slower.
                    let [start, length] = [start, end - start].map(|bytes| usize::try_from(bytes).unwrap_or(0));
                    let _ = map.advise_range(Advice::WillNeed, start, length);
                }
                Ok(())
            }
            Data::Remote(object) => {
                let missing: Vec<&Place> =
                    places.iter().copied().filter(|place| place.loaded.get().is_none()).collect();
                fetch(object, &missing)
            }
        }
    }

    /// URL, size and version of an object; none for a file on this machine, and where a server tells no version.
    pub(super) fn version(&self) -> Option<String> {
        match &self.data {
            Data::Mapped(..) => None,
            Data::Remote(object) => object.identity(),
        }
    }
}

/// Reads a range and keeps nothing of it: what a disk cannot read, or what was cut off since the header was read, is an
/// error here. Where it is met first through the map, the system ends the process.
fn read_through(file: &File, range: &Range<u64>) -> io::Result<()> {
    let length = |start: u64| usize::try_from(range.end - start).map_or(CHUNK, |rest| rest.min(CHUNK));
    let mut buffer = vec![0; length(range.start)];
    for start in range.clone().step_by(CHUNK) {
        file.read_exact_at(&mut buffer[..length(start)], start)?;
    }
    Ok(())
}

/// Brings tensors of an object.
fn fetch(object: &Object, places: &[&Place]) -> Result<(), ArchiveError> {
    let ranges: Vec<Range<u64>> = places.iter().map(|place| place.entry.bytes.clone()).collect();
    for (place, bytes) in places.iter().zip(object.read(&ranges)?) {
        place.loaded.get_or_init(|| bytes);
    }
    Ok(())
}

/// A range that the header was checked to have.
fn slice<'a>(map: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    // A map's length is a usize, and the range lies in it.
    let [start, end] = [range.start, range.end].map(|place| usize::try_from(place).unwrap_or(map.len()));
    &map[start..end]
}
