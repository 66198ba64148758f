//! What fitted probes say of samples: the one thing that every family returns.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayViewMut1};
use serde_json::{Map, Value};

use crate::estimate::Flag;

/// The probes that a family fitted to the training samples of a split.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    /// One for each seed; a convex family has one.
    pub members: Vec<Member>,
    /// What was found on the way (penalty, gradient, steps, ...), by name.
    pub details: Map<String, Value>,
    /// Reasons for doubt that only the family knows.
    pub flags: Vec<Flag>,
}

/// One fitted probe.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// ln q(class | z) of each held-out sample, in the order of the split: `n_test` × K.
    pub held_out: Array2<f64>,
    /// The same of training samples, from probes that were not fitted to them; none where there are no such probes.
    pub unseen: Option<Unseen>,
}

/// Training samples seen by probes that were not fitted to them.
#[derive(Clone, Debug)]
pub(super) struct Unseen {
    /// ln q(class | z), one row a sample: n × K.
    pub log_probabilities: Array2<f64>,
    /// The class of each of these samples.
    pub classes: Vec<u32>,
    /// Where in these rows each fold ends, the last one at n; a single validation part is one fold.
    pub ends: Vec<usize>,
}

/// The class of each row of a layer, in `0..n_classes`; every class occurs among the training rows of the split.
#[derive(Clone, Copy, Debug)]
pub(super) struct Classes<'a> {
    /// The class of each row; of no meaning for rows outside of the split.
    pub numbers: &'a [u32],
    /// The number of classes K.
    pub n_classes: usize,
}

impl Classes<'_> {
    /// The classes of some rows.
    pub(super) fn at(&self, rows: &[usize]) -> Vec<u32> {
        rows.iter().map(|&row| self.numbers[row]).collect()
    }

    /// Rows dealt to folds class after class, so that no fold lacks a class that has enough: fold after fold, and where
    /// those folds lie that have rows.
    pub(super) fn dealt(&self, rows: &[usize], n_folds: usize) -> (Vec<usize>, Vec<Range<usize>>) {
        let mut order = rows.to_vec();
        order.sort_by_key(|&row| self.numbers[row]);
        let mut dealt = Vec::with_capacity(order.len());
        let folds = (0..n_folds)
            .map(|fold| {
                let first = dealt.len();
                dealt.extend(order.iter().skip(fold).step_by(n_folds));
                first..dealt.len()
            })
            .filter(|fold| !fold.is_empty())
            .collect();
        (dealt, folds)
    }
}

/// Subtracts ln Σ eᶻ from logits z.
pub(super) fn normalize(mut logits: ArrayViewMut1<'_, f64>) {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    logits -= largest + sum.ln();
}

/// The mean of −ln q(y|z) over samples, one a row.
pub(super) fn cross_entropy(log_probabilities: &Array2<f64>, classes: &[u32]) -> f64 {
    let said = log_probabilities.outer_iter().zip(classes);
    -said.map(|(row, &class)| row[class as usize]).sum::<f64>() / classes.len() as f64
}

/// The part of samples whose class is the most probable one.
pub(super) fn accuracy(log_probabilities: &Array2<f64>, classes: &[u32]) -> f64 {
    let said = log_probabilities.outer_iter().zip(classes);
    said.filter(|(row, class)| most_probable(row.view()) == **class).count() as f64 / classes.len() as f64
}

/// The class of the largest entry, the first of equals.
pub(super) fn most_probable(row: ArrayView1<'_, f64>) -> u32 {
    let mut best = 0;
    for (class, &value) in row.iter().enumerate() {
        if value > row[best] {
            best = class;
        }
    }
    u32::try_from(best).unwrap_or(u32::MAX)
}
