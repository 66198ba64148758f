use super::opened::Opened;
use super::weights::Place;
use super::{ArchiveError, Kind, Numbers, header};

/// One tensor of a checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// The path or URL of the file that holds it.
    pub file: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its dimensions.
    pub shape: &'a [usize],
    pub(super) opened: &'a Opened,
    pub(super) place: &'a Place,
}

impl<'a> Tensor<'a> {
    /// The type of its numbers.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Type`] for complex numbers and types that share bytes or scales between values.
    pub fn kind(&self) -> Result<Kind, ArchiveError> {
        header::kind(self.place.entry.dtype).ok_or_else(|| ArchiveError::Type {
            path: self.file.to_owned(),
            tensor: self.name.to_owned(),
            found: self.type_name(),
        })
    }

    /// The name of the type as safetensors spell it.
    #[must_use]
    pub fn type_name(&self) -> String {
        format!("{:?}", self.place.entry.dtype)
    }

    /// The number of its bytes, known without bringing them.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.place.entry.bytes.end - self.place.entry.bytes.start
    }

    /// The values as they are, brought from the store if they are not there.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Type`] as for [`Tensor::kind`]; for a remote tensor also as for
    /// [`Weights::load`](super::Weights::load).
    pub fn values(&self) -> Result<Numbers<'a>, ArchiveError> {
        let kind = self.kind()?;
        Ok(Numbers::new(kind, self.bytes()?).expect("the header was checked against the shape"))
    }

    /// The values, checked to be finite.
    ///
    /// # Errors
    ///
    /// As for [`Tensor::values`], or [`ArchiveError::NotFinite`] for NaN and infinities.
    pub fn finite(&self) -> Result<Numbers<'a>, ArchiveError> {
        let values = self.values()?;
        match values.first_not_finite() {
            None => Ok(values),
            Some((element, value)) => Err(ArchiveError::NotFinite {
                path: self.file.to_owned(),
                tensor: self.name.to_owned(),
                found: value.to_string(),
                element,
            }),
        }
    }

    pub(super) fn bytes(&self) -> Result<&'a [u8], ArchiveError> {
        self.opened.bytes(self.place)
    }
}
