//! One frame for all checkpoints of a series.

use ndarray::{Array1, Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::pca::details;
use super::{Compressed, Pca, passes};
use crate::estimate::EstimateError;
use crate::estimate::columns::{self, Element};

/// Which checkpoints the principal components of a layer are taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Each from itself.
    #[default]
    Own,
    /// All from the first one of the run.
    First,
    /// All from the last one of the run.
    Last,
    /// All from the one of this step.
    Step(u64),
    /// All from so many of the run together, two or more, evenly spread over their places with both ends: a frame that
    /// favors no moment of training. Their samples count alike, so a checkpoint where the layer varies more counts more.
    Pooled(usize),
}

impl Basis {
    pub(super) fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

/// The means and directions of a layer at one checkpoint, for the same layer at others.
#[derive(Clone, Debug, PartialEq)]
pub struct Axes {
    means: Array1<f64>,
    axes: Array2<f64>,
}

impl Pca {
    /// The components of a layer, for other checkpoints.
    ///
    /// # Errors
    ///
    /// As [`Pca::compress`].
    pub fn fit<T: Element>(&self, samples: ArrayView2<'_, T>) -> Result<Axes, EstimateError> {
        let Compressed { means, axes, .. } = self.compress(samples)?;
        Ok(Axes { means, axes })
    }
}

impl Axes {
    /// The coordinates of a layer along these directions, with the part of *its* variance that they explain.
    ///
    /// The origin stays that of the fitted checkpoint; information does not depend on it.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if the layer has another number of units.
    pub fn apply<T: Element>(&self, samples: ArrayView2<'_, T>) -> Result<Compressed, EstimateError> {
        if samples.ncols() != self.means.len() {
            let reason = format!("the basis is of {} units and the layer has {}", self.means.len(), samples.ncols());
            return Err(EstimateError::Degenerate { reason });
        }
        let scores = passes::scores(samples, &self.means.to_vec(), self.axes.view());
        let total = columns::moments(samples, None).squares.sum();
        let squares = columns::moments(scores.view(), None).squares;
        let explained: Vec<f64> = squares.iter().map(|square| if total > 0.0 { square / total } else { 0.0 }).collect();
        let rank = self.axes.nrows();
        Ok(Compressed {
            details: details(&explained, rank),
            scores,
            explained_variance_ratio: explained,
            rank,
            means: self.means.clone(),
            axes: self.axes.clone(),
        })
    }
}
