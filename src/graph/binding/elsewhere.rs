//! Other checkpoints of the series: what they tell about tensors that are equal at the reference.

use super::leftovers::{Digest, digest, same};
use crate::archive::{ArchiveError, Weights};

/// Other checkpoints of the series, those before the reference and those after it.
#[derive(Debug, Default)]
pub struct Elsewhere {
    /// Checkpoints of earlier steps.
    pub before: Vec<Weights>,
    /// Checkpoints of later steps, or of a series that the reference is no part of.
    pub after: Vec<Weights>,
}

impl Elsewhere {
    /// All of them.
    fn all(&self) -> impl Iterator<Item = &Weights> {
        self.before.iter().chain(&self.after)
    }

    /// Whether training has moved a tensor by the time of the reference.
    ///
    /// Nothing equals a trained value by chance; an initial one may well equal a constant of the graph.
    pub(super) fn is_trained(&self, weights: &Weights, name: &str) -> Result<bool, ArchiveError> {
        if self.before.is_empty() && self.after.is_empty() {
            // No other checkpoint is replayed at which a constant could be something else.
            return Ok(true);
        }
        let own = digest(weights, name)?;
        for other in &self.before {
            if digest(other, name)? != own {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether two tensors are equal at all of them; so they are where there is no other checkpoint to replay.
    pub(super) fn are_same(&self, a: &str, b: &str) -> bool {
        self.all().all(|weights| same(weights, a, b).unwrap_or(false))
    }

    /// Whether a tensor has this value at all of them.
    pub(super) fn hold(&self, name: &str, own: Option<Digest>) -> Result<bool, ArchiveError> {
        for weights in self.all() {
            if digest(weights, name)? != own {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
