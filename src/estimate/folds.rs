//! The number of parts of a cross-validation, checked when it is read.

use serde::{Deserialize, Serialize};

/// The number of parts for cross-validation, at least 2.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "usize", into = "usize")]
pub struct Folds(usize);

impl Folds {
    /// The number.
    #[must_use]
    pub fn get(self) -> usize {
        self.0
    }
}

impl Default for Folds {
    /// Five: the penalty is chosen for a probe that saw four fifths of the samples, close to all of them.
    fn default() -> Self {
        Self(5)
    }
}

impl TryFrom<usize> for Folds {
    type Error = String;

    fn try_from(folds: usize) -> Result<Self, String> {
        if folds < 2 { Err(format!("cross-validation needs 2 folds or more, found {folds}")) } else { Ok(Self(folds)) }
    }
}

impl From<Folds> for usize {
    fn from(folds: Folds) -> Self {
        folds.0
    }
}
