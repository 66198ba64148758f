//! The classes that a probe can know: those that occur among its training samples.

use super::fitted::Classes;
use crate::estimate::split::Split;
use crate::estimate::{EstimateError, Labels};

/// The classes that occur in training, numbered anew without gaps.
pub(super) struct KnownClasses {
    numbers: Vec<u32>,
    /// The label's own number of each known class.
    own: Vec<usize>,
}

impl KnownClasses {
    /// Finds them, and checks that a probe can be fitted and judged.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if a side of the split is empty, if there are not as many labels as rows, or if a
    /// held-out label does not occur in training.
    pub(super) fn new(n_rows: usize, labels: &Labels, split: &Split) -> Result<Self, EstimateError> {
        let known = Self::of_training(n_rows, labels, split)?;
        if let Some(&row) = split.test.iter().find(|&&row| !known.own.contains(&labels.classes()[row])) {
            return Err(EstimateError::Degenerate {
                reason: format!(
                    "label {} is held out but never occurs in training, so that its cross-entropy is infinite; give more \
                     samples, join it with another class, or list it in `missing`",
                    labels.names()[labels.classes()[row]]
                ),
            });
        }
        Ok(known)
    }

    /// The same, where held-out labels may be unknown.
    pub(super) fn of_training(n_rows: usize, labels: &Labels, split: &Split) -> Result<Self, EstimateError> {
        let refusal = |reason: String| Err(EstimateError::Degenerate { reason });
        if labels.classes().len() != n_rows {
            return refusal(format!("{} labels for {n_rows} rows; each row needs one", labels.classes().len()));
        }
        if split.train.is_empty() || split.test.is_empty() {
            return refusal(format!(
                "{} training and {} held-out samples; a probe needs both",
                split.train.len(),
                split.test.len()
            ));
        }
        let mut number = vec![None; labels.n_classes()];
        for &row in &split.train {
            number[labels.classes()[row]] = Some(0);
        }
        let own: Vec<usize> = (0..number.len()).filter(|&class| number[class].is_some()).collect();
        for (new, &class) in (0..).zip(&own) {
            number[class] = Some(new);
        }
        let numbers = labels.classes().iter().map(|&class| number[class].unwrap_or(u32::MAX)).collect();
        Ok(Self { numbers, own })
    }

    /// The number of known classes.
    pub(super) fn len(&self) -> usize {
        self.own.len()
    }

    /// The new numbers of all rows, [`u32::MAX`] for those whose class is not known.
    pub(super) fn classes(&self) -> Classes<'_> {
        Classes { numbers: &self.numbers, n_classes: self.own.len() }
    }

    /// The label's own number of a known class.
    pub(super) fn own(&self, number: u32) -> usize {
        self.own[number as usize]
    }
}
