//! The tensors of one checkpoint, memory-mapped: the only file that names `safetensors`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use super::shards::{is_index, read_index};
use super::{ArchiveError, Kind, Numbers};

/// The tensors of one checkpoint.
///
/// The files are mapped, not read: a tensor costs memory only while it is looked at.
#[derive(Debug)]
pub struct Weights {
    files: Vec<MappedFile>,
    places: BTreeMap<String, Place>,
    step: Option<u64>,
}

#[derive(Debug)]
struct MappedFile {
    path: PathBuf,
    map: Mmap,
    data_start: usize,
}

#[derive(Debug)]
struct Place {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    offsets: (usize, usize),
}

/// One tensor of a checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// The file that holds it.
    pub path: &'a Path,
    /// Its name.
    pub name: &'a str,
    /// Its dimensions.
    pub shape: &'a [usize],
    dtype: Dtype,
    bytes: &'a [u8],
}

impl Weights {
    /// Maps a safetensors file, or all shards that an index joins, and checks their headers.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] when a file is missing, truncated, or its header claims what the file does
    /// not hold.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let parts: Vec<(PathBuf, Option<BTreeSet<String>>)> = if is_index(path) {
            read_index(path)?.into_iter().map(|(file, names)| (file, Some(names.into_iter().collect()))).collect()
        } else {
            vec![(path.to_owned(), None)]
        };
        let mut weights = Self { files: Vec::new(), places: BTreeMap::new(), step: None };
        for (file, wanted) in parts {
            weights.add(&file, wanted).map_err(|error| match error {
                // A shard is at fault because the index promised something of it: name both.
                ArchiveError::Invalid { path: shard, reason } if is_index(path) => ArchiveError::Index {
                    path: path.to_owned(),
                    reason: format!("its shard `{}`: {reason}", shard.display()),
                },
                other => other,
            })?;
        }
        Ok(weights)
    }

    /// The training step that the metadata tell under `step` or `global_step`.
    #[must_use]
    pub fn step(&self) -> Option<u64> {
        self.step
    }

    /// The tensors in the order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        self.places.iter().map(|(name, place)| self.at(name, place))
    }

    /// The number of tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no tensor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// A tensor by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Tensor<'_>> {
        self.places.get_key_value(name).map(|(name, place)| self.at(name, place))
    }

    /// A hash of everything that these weights are: names, types, shapes and bytes.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for tensor in self.tensors() {
            hasher.update(format!("{}\0{:?}\0{:?}\0", tensor.name, tensor.dtype, tensor.shape).as_bytes());
            hasher.update(tensor.bytes);
        }
        hasher.finalize().to_hex().to_string()
    }

    fn at<'a>(&'a self, name: &'a str, place: &'a Place) -> Tensor<'a> {
        let file = &self.files[place.file];
        let (start, end) = place.offsets;
        Tensor {
            path: &file.path,
            name,
            shape: &place.shape,
            dtype: place.dtype,
            bytes: &file.map[file.data_start + start..file.data_start + end],
        }
    }

    fn add(&mut self, path: &Path, wanted: Option<BTreeSet<String>>) -> Result<(), ArchiveError> {
        let invalid = |reason: String| ArchiveError::Invalid { path: path.to_owned(), reason };
        let map = map(path)?;
        let (header, metadata) = SafeTensors::read_metadata(&map).map_err(|error| match error {
            SafeTensorError::MetadataIncompleteBuffer
            | SafeTensorError::HeaderTooSmall
            | SafeTensorError::InvalidHeaderLength => {
                invalid(format!("found {} bytes, needed what its header claims; it is cut short or damaged", map.len()))
            }
            other => invalid(other.to_string()),
        })?;
        let data_start = header + 8;
        if let Some(pairs) = metadata.metadata() {
            self.step = self.step.or_else(|| step_of(pairs));
        }
        let mut found = 0;
        for (name, info) in metadata.tensors() {
            if wanted.as_ref().is_none_or(|wanted| wanted.contains(&name)) {
                found += 1;
                let place = Place {
                    file: self.files.len(),
                    dtype: info.dtype,
                    shape: info.shape.clone(),
                    offsets: info.data_offsets,
                };
                self.places.insert(name, place);
            }
        }
        if let Some(missing) = wanted.filter(|wanted| wanted.len() != found) {
            let name = missing.iter().find(|name| !self.places.contains_key(*name)).map_or("", String::as_str);
            return Err(invalid(format!("does not hold tensor `{name}`, which the index says it does")));
        }
        self.files.push(MappedFile { path: path.to_owned(), map, data_start });
        Ok(())
    }
}

impl<'a> Tensor<'a> {
    /// The type of its numbers.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Type`] for complex numbers and types that share bytes or scales between values.
    pub fn kind(&self) -> Result<Kind, ArchiveError> {
        Ok(match self.dtype {
            Dtype::F64 => Kind::F64,
            Dtype::F32 => Kind::F32,
            Dtype::F16 => Kind::F16,
            Dtype::BF16 => Kind::Bf16,
            Dtype::F8_E4M3 => Kind::F8E4m3,
            Dtype::F8_E5M2 => Kind::F8E5m2,
            Dtype::I64 => Kind::I64,
            Dtype::I32 => Kind::I32,
            Dtype::I16 => Kind::I16,
            Dtype::I8 => Kind::I8,
            Dtype::U64 => Kind::U64,
            Dtype::U32 => Kind::U32,
            Dtype::U16 => Kind::U16,
            Dtype::U8 => Kind::U8,
            Dtype::BOOL => Kind::Bool,
            _ => {
                return Err(ArchiveError::Type {
                    path: self.path.to_owned(),
                    tensor: self.name.to_owned(),
                    found: self.type_name(),
                });
            }
        })
    }

    /// The name of the type as safetensors spell it.
    #[must_use]
    pub fn type_name(&self) -> String {
        format!("{:?}", self.dtype)
    }

    /// The values as they are.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Type`] as for [`Tensor::kind`].
    pub fn values(&self) -> Result<Numbers<'a>, ArchiveError> {
        let kind = self.kind()?;
        Ok(Numbers::new(kind, self.bytes).expect("the header was checked against the shape"))
    }

    /// The values, checked to be finite.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Type`], or [`ArchiveError::NotFinite`] for NaN and infinities.
    pub fn finite(&self) -> Result<Numbers<'a>, ArchiveError> {
        let values = self.values()?;
        match values.first_not_finite() {
            None => Ok(values),
            Some((element, value)) => Err(ArchiveError::NotFinite {
                path: self.path.to_owned(),
                tensor: self.name.to_owned(),
                found: value.to_string(),
                element,
            }),
        }
    }
}

fn map(path: &Path) -> Result<Mmap, ArchiveError> {
    let file = File::open(path).map_err(|source| ArchiveError::read(path, source))?;
    #[expect(unsafe_code, reason = "mapping is unsafe because another program may shrink the file meanwhile")]
    // SAFETY: archives are finished files; the documentation says not to run over one that is being written.
    let map = unsafe { Mmap::map(&file) };
    map.map_err(|source| ArchiveError::read(path, source))
}

fn step_of(metadata: &HashMap<String, String>) -> Option<u64> {
    ["step", "global_step"].iter().find_map(|key| metadata.get(*key)?.trim().parse().ok())
}
