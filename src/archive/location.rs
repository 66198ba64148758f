//! Where a file or folder lies: on this machine, or behind a URL.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::pattern::is_wild;
use super::{ArchiveError, folder, shards};
use crate::store::{Store, StoreError, is_url};

/// The place of a file or folder.
#[derive(Clone, Debug)]
pub(super) enum Location {
    Local(PathBuf),
    Remote { store: Arc<Store>, key: String },
}

impl Location {
    /// Takes a URL as it is, and anything else as a path in `folder`.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Store`] for a URL that leads nowhere.
    pub(super) fn parse(folder: &Path, text: &str) -> Result<Self, ArchiveError> {
        if !is_url(text) {
            return Ok(Self::Local(folder.join(text)));
        }
        let (store, key) = Store::at(text)?;
        Ok(Self::Remote { store, key })
    }

    /// A place below this one.
    pub(super) fn join(&self, relative: &str) -> Self {
        match self {
            Self::Local(path) => Self::Local(path.join(relative)),
            Self::Remote { store, key } if key.is_empty() => {
                Self::Remote { store: Arc::clone(store), key: relative.to_owned() }
            }
            Self::Remote { store, key } if relative.is_empty() => {
                Self::Remote { store: Arc::clone(store), key: key.clone() }
            }
            Self::Remote { store, key } => Self::Remote { store: Arc::clone(store), key: format!("{key}/{relative}") },
        }
    }

    /// The folder that holds this place, and the name in it.
    pub(super) fn split(&self) -> (Self, String) {
        match self {
            Self::Local(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                (Self::Local(path.parent().map(Path::to_owned).unwrap_or_default()), name)
            }
            Self::Remote { store, key } => {
                let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
                (Self::Remote { store: Arc::clone(store), key: folder.to_owned() }, name.to_owned())
            }
        }
    }

    /// Whether this is one file; of a URL the name tells, since asking takes time.
    pub(super) fn is_file(&self) -> bool {
        match self {
            Self::Local(path) => path.is_file(),
            Self::Remote { key, .. } => folder::is_checkpoint(key) && !is_wild(key),
        }
    }

    /// Whether this is a folder; every URL without wildcards is one that is no file.
    pub(super) fn is_folder(&self) -> bool {
        match self {
            Self::Local(path) => path.is_dir(),
            Self::Remote { key, .. } => !is_wild(key) && !self.is_file(),
        }
    }

    /// The checkpoint files below this folder, relative to it, in the order of their names.
    ///
    /// On a disk only folders that `enters` takes are looked into; a store tells all names at once.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] when the folder or the store cannot be listed.
    pub(super) fn checkpoint_files(
        &self,
        depth: usize,
        enters: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<String>, ArchiveError> {
        let mut names = match self {
            Self::Local(path) => folder::files(path, depth, enters)?,
            Self::Remote { store, .. } if !store.lists() => {
                let reason = "a web server does not tell which files it has; needed the URL of one `.safetensors` or \
                              `.safetensors.index.json` file, without wildcards and queries"
                    .to_owned();
                return Err(StoreError::Url { url: self.to_string(), reason }.into());
            }
            Self::Remote { store, key } => {
                let wanted = |name: &str| {
                    name.matches('/').count() <= depth
                        && folder::is_checkpoint(name)
                        && !name.split('/').any(folder::is_passing)
                };
                store.names(key, wanted)?.into_iter().map(|(name, _)| name).collect()
            }
        };
        names.sort();
        Ok(names)
    }

    /// Reads an index: which tensors to take from which file beside it.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] when it cannot be read or is none.
    pub(super) fn index(&self) -> Result<BTreeMap<String, Vec<String>>, ArchiveError> {
        let name = self.to_string();
        match self {
            Self::Local(path) => {
                shards::check_size(&name, folder::size(path)?)?;
                shards::parse(&name, &fs::read(path).map_err(|source| ArchiveError::read(&name, source))?)
            }
            Self::Remote { store, key } => {
                let found = store.read(key, |size| shards::check_size(&name, size))?;
                let (bytes, _) = found.ok_or_else(|| StoreError::Missing { url: name.clone() })?;
                shards::parse(&name, &bytes)
            }
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(formatter),
            Self::Remote { store, key } => formatter.write_str(&store.url(key)),
        }
    }
}
