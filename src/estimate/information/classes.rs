//! The samples of each class, as estimators between a continuous variable and a label need them.

use ndarray::ArrayView2;

use crate::estimate::{Estimate, EstimateError, Flag, Labels};

/// Classes that are large enough, and the rows of their samples.
pub(super) struct Classes {
    /// The rows of the samples of each class, in order.
    pub(super) members: Vec<Vec<usize>>,
    /// The rows of the samples of all of these classes, in order.
    pub(super) rows: Vec<usize>,
    /// The size of the smallest class of all.
    smallest: usize,
    /// The entropy of the label among `rows`, in nats.
    pub(super) entropy: f64,
}

impl Classes {
    /// The classes with more than `least` samples; smaller ones are left out of everything.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] where there is not one label a sample, or no class is large enough.
    pub(super) fn new(x: ArrayView2<'_, f64>, labels: &Labels, least: usize) -> Result<Self, EstimateError> {
        if labels.classes().len() != x.nrows() {
            let reason = format!("there are {} samples and {} labels", x.nrows(), labels.classes().len());
            return Err(EstimateError::Degenerate { reason });
        }
        let mut members = vec![Vec::new(); labels.n_classes()];
        for (row, &class) in labels.classes().iter().enumerate() {
            members[class].push(row);
        }
        let smallest = members.iter().map(Vec::len).min().unwrap_or(0);
        members.retain(|members| members.len() > least);
        let mut rows = members.concat();
        rows.sort_unstable();
        if rows.is_empty() {
            let reason = format!("no class has {} samples; give more samples or fewer classes", least + 1);
            return Err(EstimateError::Degenerate { reason });
        }
        let entropy = labels.entropy(&rows);
        Ok(Self { members, rows, smallest, entropy })
    }

    /// The same classes, where the sample at place i of `rows` has the label of the one at place `order[i]`.
    pub(super) fn shuffled(&self, order: &[usize]) -> Self {
        let mut class_of = vec![0; self.rows.last().map_or(0, |last| last + 1)];
        for (class, members) in self.members.iter().enumerate() {
            for &row in members {
                class_of[row] = class;
            }
        }
        let mut members = vec![Vec::new(); self.members.len()];
        let from = order.iter().filter(|&&place| place < self.rows.len());
        for (&row, &place) in self.rows.iter().zip(from) {
            members[class_of[self.rows[place]]].push(row);
        }
        Self { members, rows: self.rows.clone(), ..*self }
    }

    /// The places in `rows` of the samples of each class.
    pub(super) fn places(&self) -> Vec<Vec<usize>> {
        let mut place_of = vec![0; self.rows.last().map_or(0, |last| last + 1)];
        for (place, &row) in self.rows.iter().enumerate() {
            place_of[row] = place;
        }
        self.members.iter().map(|members| members.iter().map(|&row| place_of[row]).collect()).collect()
    }

    /// An estimate with a flag where some class has fewer samples than are needed.
    pub(super) fn flagged(&self, mut estimate: Estimate, needed: usize) -> Estimate {
        if self.smallest < needed {
            estimate.flag(Flag::FewSamplesPerClass);
        }
        estimate
    }

    /// Flags a value clearly above the entropy of the label.
    pub(super) fn flag_entropy(&self, estimate: &mut Estimate) {
        if estimate.value > self.entropy + 2.0 * estimate.std_error.unwrap_or(0.0) {
            estimate.flag(Flag::AboveLabelEntropy);
        }
    }
}
