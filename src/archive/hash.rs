//! What tells one checkpoint from another.
//!
//! Hashes are of content: they do not change when a checkpoint is copied, cut into shards or read
//! over the network. A tensor is hashed in pieces of a fixed size, in parallel.

use std::collections::BTreeMap;

use blake3::{Hash, Hasher};
use rayon::prelude::*;

use super::{ArchiveError, Tensor, Weights};

/// Part of what the hash is: another size gives other hashes.
const PIECE: usize = 1 << 20;

impl Weights {
    /// A hash of the names, types and shapes of all tensors and of the bytes of the named ones.
    ///
    /// Names that are not there add nothing. Hashes of tensors are kept, so that asking again, here
    /// or by [`Weights::tensor_hashes`], reads nothing again.
    ///
    /// # Errors
    ///
    /// For a remote checkpoint as for [`Weights::load`].
    pub fn hash<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<String, ArchiveError> {
        let mut hasher = Hasher::new();
        for tensor in self.tensors() {
            hasher.update(format!("{}\0{}\0{:?}\0", tensor.name, tensor.type_name(), tensor.shape).as_bytes());
        }
        for (name, hash) in self.tensor_hashes(names)? {
            hasher.update(format!("{name}\0").as_bytes());
            hasher.update(hash.as_bytes());
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// A hash of each named tensor: its type, shape and bytes, but not its name.
    ///
    /// # Errors
    ///
    /// For a remote checkpoint as for [`Weights::load`].
    pub fn tensor_hashes<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, Hash>, ArchiveError> {
        let tensors = self.named(names);
        self.load(tensors.iter().filter(|tensor| tensor.place.hash.get().is_none()).map(|tensor| tensor.name))?;
        tensors.par_iter().map(|tensor| Ok((tensor.name.to_owned(), of(tensor)?))).collect()
    }

    /// What a finished measurement is compared with to see that it still holds.
    ///
    /// For files on this machine the hash of the named tensors. For objects their URLs, sizes and
    /// versions, so that nothing has to be brought but headers; where a server tells no version,
    /// the hash again.
    ///
    /// # Errors
    ///
    /// As for [`Weights::hash`].
    pub fn identity<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<String, ArchiveError> {
        let Some(versions) = self.versions() else { return self.hash(names) };
        let mut hasher = Hasher::new();
        for text in versions.iter().map(String::as_str).chain(self.named(names).iter().map(|tensor| tensor.name)) {
            hasher.update(text.as_bytes());
            hasher.update(b"\0");
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}

fn of(tensor: &Tensor<'_>) -> Result<Hash, ArchiveError> {
    if let Some(hash) = tensor.place.hash.get() {
        return Ok(*hash);
    }
    let pieces: Vec<Hash> = tensor.bytes()?.par_chunks(PIECE).map(blake3::hash).collect();
    let mut hasher = Hasher::new();
    hasher.update(format!("{}\0{:?}\0", tensor.type_name(), tensor.shape).as_bytes());
    for piece in pieces {
        hasher.update(piece.as_bytes());
    }
    Ok(*tensor.place.hash.get_or_init(|| hasher.finalize()))
}
