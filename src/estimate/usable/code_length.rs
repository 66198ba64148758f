//! The length of a code for the labels that a probe learns to predict while they are sent.

use std::f64::consts::LN_2;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::fitted::Classes;
use super::reading::mean;
use crate::estimate::{EstimateError, Split, Unit};

/// The length of a prequential (online) code of labels, given a representation.
///
/// # Formula
///
/// ```text
/// L = t₁ ln K − Σᵢ Σ_{tᵢ < s ≤ tᵢ₊₁} ln pᵢ(y_s | z_s)
/// ```
///
/// The samples come in a fixed order. The first t₁ labels are sent with the uniform code over the K classes; then the
/// labels of each block with a probe pᵢ fitted to all tᵢ samples before it. The tᵢ are fractions of the n samples.
///
/// Where U of the K classes do not occur among the first tᵢ samples, the probe q cannot name them, and a label of them
/// is sent with an escape (ours; the source does not say what to do):
///
/// ```text
/// pᵢ(y|z) = (1 − e)·q(y|z) for classes that occurred,  e/U for each of the others,  e = U/(tᵢ + U)
/// ```
///
/// This is a proper code: an unknown class costs ln(tᵢ + U), and a known one ln(1 + U/tᵢ) more than by q. A probe of a
/// single class is certain of it and is not fitted.
///
/// # Use
///
/// How easily the labels are learned from the representation: a code is short if a few samples are enough to predict
/// the rest well, so that it tells apart representations that serve as well once there are many samples. The
/// compression `n ln K / L` is 1 for a probe that learns nothing of balanced classes, and below 1 for one that is worse than
/// that; classes that are not balanced are compressed without looking at z, and how far `blind_nats` says. The
/// blocks are the curve of cross-entropy against the number of samples. The order must have nothing to do with the
/// classes. Few samples have few blocks: fractions that round to no sample, or to as many as the one before, are
/// left out.
///
/// # Cost
///
/// A fit for each block but the first; with the default fractions they see as many samples together as one fit of all.
///
/// # Reference
///
/// E. Voita, I. Titov, Information-theoretic probing with minimum description length, EMNLP 2020 (the online code).
#[derive(Clone, Debug, PartialEq)]
pub struct CodeLength {
    /// L, in nats.
    pub nats: f64,
    /// The length of the uniform code over L: `n ln K / L`.
    pub compression: f64,
    /// The same with the frequencies of the labels sent before in place of the probe, in nats: what is saved by looking
    /// at the representation is the difference.
    pub blind_nats: f64,
    /// The labels that had not occurred when they were sent, those of the first block apart.
    pub escapes: usize,
    /// Whether all fits reached their tolerance.
    pub converged: bool,
    /// The blocks in order, from the one that is sent with the uniform code.
    pub blocks: Vec<Block>,
}

/// Labels that are sent with one probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// The samples that the probe was fitted to; none of the first block.
    pub n_train: usize,
    /// The samples of the block.
    pub n_samples: usize,
    /// The mean code length of its labels, in nats.
    pub cross_entropy: f64,
    /// The mean of what the probe saves of the code by frequencies, with its standard error over the labels.
    pub saved: (f64, Option<f64>),
}

impl CodeLength {
    /// Sends the classes of the rows in `order`.
    ///
    /// `predict` fits a probe to the training rows of a split, of the classes that occur there, and returns ln q(class|z)
    /// of its held-out rows, in their order, one row a sample and one column a class, and whether the fit converged.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] without samples or with fewer than two classes; [`EstimateError::Numeric`] if a
    /// label cannot be sent because it was given the probability zero; those of `predict`.
    pub(super) fn new(
        order: &[usize],
        classes: &Classes<'_>,
        fractions: &Fractions,
        mut predict: impl FnMut(&Split, &Classes<'_>) -> Result<(Array2<f64>, bool), EstimateError>,
    ) -> Result<Self, EstimateError> {
        let (n, n_classes) = (order.len(), classes.n_classes);
        if n == 0 || n_classes < 2 {
            return Err(EstimateError::Degenerate {
                reason: format!("{n} samples of {n_classes} classes; a code needs one sample and two classes at least"),
            });
        }
        let uniform = (n_classes as f64).ln();
        let ends = fractions.ends(n);
        let mut blocks =
            vec![Block { n_train: 0, n_samples: ends[0], cross_entropy: uniform, saved: (0.0, Some(0.0)) }];
        let (mut escapes, mut converged) = (0, true);
        for ends in ends.windows(2) {
            let split = Split { train: order[..ends[0]].to_vec(), test: order[ends[0]..ends[1]].to_vec() };
            let sent = send(&split, classes, &mut predict)?;
            blocks.push(sent.block);
            escapes += sent.escapes;
            converged &= sent.converged;
        }
        let nats: f64 = blocks.iter().map(|block| block.n_samples as f64 * block.cross_entropy).sum();
        let saved: f64 = blocks.iter().map(|block| block.n_samples as f64 * block.saved.0).sum();
        Ok(Self { nats, compression: n as f64 * uniform / nats, blind_nats: nats + saved, escapes, converged, blocks })
    }

    /// L, in bits.
    #[must_use]
    pub fn bits(&self) -> f64 {
        self.nats / LN_2
    }
}

/// A block that was sent.
struct Sent {
    block: Block,
    escapes: usize,
    converged: bool,
}

/// Sends the held-out labels by a probe of the training ones, and counts those that it does not know.
fn send(
    split: &Split,
    classes: &Classes<'_>,
    predict: &mut impl FnMut(&Split, &Classes<'_>) -> Result<(Array2<f64>, bool), EstimateError>,
) -> Result<Sent, EstimateError> {
    let mut number = vec![None; classes.n_classes];
    let mut counts = vec![0_usize; classes.n_classes];
    for &row in &split.train {
        number[classes.numbers[row] as usize] = Some(0);
        counts[classes.numbers[row] as usize] += 1;
    }
    let mut n_known = 0;
    for number in number.iter_mut().flatten() {
        *number = n_known;
        n_known += 1;
    }
    let numbers: Vec<u32> = classes
        .numbers
        .iter()
        .map(|&class| number.get(class as usize).copied().flatten().unwrap_or(u32::MAX))
        .collect();
    let (said, converged) = if n_known == 1 {
        (Array2::zeros((split.test.len(), 1)), true)
    } else {
        predict(split, &Classes { numbers: &numbers, n_classes: n_known as usize })?
    };
    let n_train = split.train.len() as f64;
    let n_unknown = (classes.n_classes - n_known as usize) as f64;
    let escape = (n_train + n_unknown).ln();
    let (mut lengths, mut saved) = (Vec::with_capacity(split.test.len()), Vec::with_capacity(split.test.len()));
    let mut escapes = 0;
    for (said, &row) in said.outer_iter().zip(&split.test) {
        lengths.push(match number[classes.numbers[row] as usize] {
            Some(known) => escape - n_train.ln() - said[known as usize],
            None => escape,
        });
        let class = classes.numbers[row] as usize;
        // An unknown class costs both codes the same.
        saved
            .push(number[class].map_or(0.0, |known: u32| said[known as usize] - (counts[class] as f64 / n_train).ln()));
        escapes += usize::from(number[class].is_none());
    }
    let length: f64 = lengths.iter().sum();
    if !length.is_finite() {
        return Err(EstimateError::Numeric {
            step: "the online code",
            reason: format!("{} labels take {length} nats after {n_train} samples", split.test.len()),
        });
    }
    let n_samples = lengths.len();
    let saved = mean(&saved, Unit::Nats);
    let block = Block {
        n_train: split.train.len(),
        n_samples,
        cross_entropy: length / n_samples as f64,
        saved: (saved.value, saved.std_error),
    };
    Ok(Sent { block, escapes, converged })
}

/// The parts of the samples after which an online code fits its probe anew.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct Fractions(Vec<f64>);

impl Default for Fractions {
    /// Those of the code of Voita and Titov: about twice as many samples each time.
    fn default() -> Self {
        Self(vec![0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0])
    }
}

impl TryFrom<Vec<f64>> for Fractions {
    type Error = String;

    fn try_from(fractions: Vec<f64>) -> Result<Self, String> {
        let increases = fractions.iter().zip([0.0].iter().chain(&fractions)).all(|(next, last)| next > last);
        if increases && fractions.last() == Some(&1.0) {
            Ok(Self(fractions))
        } else {
            Err(format!("the fractions {fractions:?} do not increase from above 0 to 1"))
        }
    }
}

impl From<Fractions> for Vec<f64> {
    fn from(fractions: Fractions) -> Self {
        fractions.0
    }
}

impl Fractions {
    /// The places where blocks of `n` samples end, increasing, the last one at n.
    ///
    /// Parts of n are rounded to the nearest number; those that come out as none or as the one before are left out.
    fn ends(&self, n: usize) -> Vec<usize> {
        let mut ends = Vec::with_capacity(self.0.len());
        for fraction in &self.0 {
            let exact = fraction * n as f64;
            let end = (0..=n).rev().find(|&end| end as f64 <= exact + 0.5).unwrap_or(0);
            if end > ends.last().copied().unwrap_or(0) {
                ends.push(end);
            }
        }
        ends
    }
}

#[cfg(test)]
mod tests;
