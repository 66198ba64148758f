use std::path::Path;

use super::location::Location;
use super::{ArchiveError, Weights};

/// One checkpoint: a file, or an index that joins several.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub(super) step: u64,
    pub(super) location: Location,
    pub(super) name: String,
    pub(super) step_in_name: Option<u64>,
}

impl Checkpoint {
    /// A checkpoint that need not be part of a series, such as the one that a graph was exported
    /// from: a URL, or a path in `folder`.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Store`] for a URL that leads nowhere; whether the
    /// checkpoint is there shows when it is opened.
    pub fn alone(folder: &Path, path: &str) -> Result<Self, ArchiveError> {
        let location = Location::parse(folder, path)?;
        let (_, name) = location.split();
        Ok(Self { step: 0, location, name, step_in_name: None })
    }

    /// The training step.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The path or URL of the safetensors file, or of the index of its shards.
    #[must_use]
    pub fn location(&self) -> String {
        self.location.to_string()
    }

    /// The path relative to the archive's folder, with `/` between its parts.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens the checkpoint and checks that its metadata tell the same step as its name.
    ///
    /// Of a remote one only headers are read.
    ///
    /// # Errors
    ///
    /// Any [`ArchiveError`] of an unreadable file, or [`ArchiveError::StepConflict`].
    pub fn open(&self) -> Result<Weights, ArchiveError> {
        let weights = Weights::at(&self.location)?;
        if let (Some(name), Some(metadata)) = (self.step_in_name, weights.step())
            && name != metadata
        {
            return Err(ArchiveError::StepConflict { path: self.name.clone(), name, metadata });
        }
        Ok(weights)
    }

    #[cfg(test)]
    pub(super) fn for_test(step: u64) -> Self {
        let location = Location::Local(std::path::PathBuf::new());
        Self { step, location, name: format!("step-{step}"), step_in_name: None }
    }
}
