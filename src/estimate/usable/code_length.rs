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
/// compression `n ln K / L` is 1 for a probe that learns nothing, and below 1 for one that is worse than that. The
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
    /// The labels that had not occurred when they were sent, those of the first block apart.
    pub escapes: usize,
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
    /// The standard error of that mean over the labels; none of a single one.
    pub std_error: Option<f64>,
}

impl CodeLength {
    /// Sends the classes of the rows in `order`.
    ///
    /// `predict` fits a probe to the training rows of a split, of the classes that occur there, and returns ln q(class|z)
    /// of its held-out rows, in their order, one row a sample and one column a class.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] without samples or with fewer than two classes; [`EstimateError::Numeric`] if a
    /// label cannot be sent because it was given the probability zero; those of `predict`.
    pub(super) fn new(
        order: &[usize],
        classes: &Classes<'_>,
        fractions: &Fractions,
        mut predict: impl FnMut(&Split, &Classes<'_>) -> Result<Array2<f64>, EstimateError>,
    ) -> Result<Self, EstimateError> {
        let (n, n_classes) = (order.len(), classes.n_classes);
        if n == 0 || n_classes < 2 {
            return Err(EstimateError::Degenerate {
                reason: format!("{n} samples of {n_classes} classes; a code needs one sample and two classes at least"),
            });
        }
        let uniform = (n_classes as f64).ln();
        let ends = fractions.ends(n);
        let mut blocks = vec![Block { n_train: 0, n_samples: ends[0], cross_entropy: uniform, std_error: Some(0.0) }];
        let mut escapes = 0;
        for ends in ends.windows(2) {
            let split = Split { train: order[..ends[0]].to_vec(), test: order[ends[0]..ends[1]].to_vec() };
            let (block, unknown) = send(&split, classes, &mut predict)?;
            blocks.push(block);
            escapes += unknown;
        }
        let nats: f64 = blocks.iter().map(|block| block.n_samples as f64 * block.cross_entropy).sum();
        Ok(Self { nats, compression: n as f64 * uniform / nats, escapes, blocks })
    }

    /// L, in bits.
    #[must_use]
    pub fn bits(&self) -> f64 {
        self.nats / LN_2
    }
}

/// Sends the held-out labels by a probe of the training ones, and counts those that it does not know.
fn send(
    split: &Split,
    classes: &Classes<'_>,
    predict: &mut impl FnMut(&Split, &Classes<'_>) -> Result<Array2<f64>, EstimateError>,
) -> Result<(Block, usize), EstimateError> {
    let mut number = vec![None; classes.n_classes];
    for &row in &split.train {
        number[classes.numbers[row] as usize] = Some(0);
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
    let said = if n_known == 1 {
        Array2::zeros((split.test.len(), 1))
    } else {
        predict(split, &Classes { numbers: &numbers, n_classes: n_known as usize })?
    };
    let n_train = split.train.len() as f64;
    let n_unknown = (classes.n_classes - n_known as usize) as f64;
    let escape = (n_train + n_unknown).ln();
    let mut lengths = Vec::with_capacity(split.test.len());
    let mut escapes = 0;
    for (said, &row) in said.outer_iter().zip(&split.test) {
        lengths.push(match number[classes.numbers[row] as usize] {
            Some(known) => escape - n_train.ln() - said[known as usize],
            None => escape,
        });
        escapes += usize::from(number[classes.numbers[row] as usize].is_none());
    }
    let length: f64 = lengths.iter().sum();
    if !length.is_finite() {
        return Err(EstimateError::Numeric {
            step: "the online code",
            reason: format!("{} labels take {length} nats after {n_train} samples", split.test.len()),
        });
    }
    let mean = mean(&lengths, Unit::Nats);
    let n_samples = lengths.len();
    Ok((Block { n_train: split.train.len(), n_samples, cross_entropy: mean.value, std_error: mean.std_error }, escapes))
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn length(n: usize, k: u32, said: impl Fn(usize, u32, usize) -> f64) -> CodeLength {
        let numbers: Vec<u32> = (0..k).cycle().take(n).collect();
        let classes = Classes { numbers: &numbers, n_classes: k as usize };
        let order: Vec<usize> = (0..n).collect();
        CodeLength::new(&order, &classes, &Fractions::default(), |split, known| {
            assert!(split.train.iter().all(|&row| (known.numbers[row] as usize) < known.n_classes));
            let shape = (split.test.len(), known.n_classes);
            Ok(Array2::from_shape_fn(shape, |(place, class)| {
                let own = known.numbers[split.test[place]];
                said(split.train.len(), own, class).ln()
            }))
        })
        .unwrap()
    }

    /// By hand from the formula, of two classes and 10,000 samples.
    #[test]
    fn agrees_with_the_formula() {
        for (right, bits, compression) in
            [(1.0, 10.0, 1000.0), (0.9, 1528.510_903_516_049, 6.542_315_123_167_849), (0.5, 10_000.0, 1.0)]
        {
            let found = length(10_000, 2, |_, own, class| if own as usize == class { right } else { 1.0 - right });
            assert!((found.bits() / bits - 1.0).abs() < 1e-9, "{found:?}");
            assert!((found.compression / compression - 1.0).abs() < 1e-9, "{found:?}");
            let ends: Vec<usize> = found.blocks.iter().map(|block| block.n_train).collect();
            assert_eq!(ends, [0, 10, 20, 40, 80, 160, 320, 625, 1250, 2500, 5000]);
            assert_eq!(found.escapes, 0);
        }
    }

    #[test]
    fn few_samples_have_few_blocks() {
        let blocks = |n| -> Vec<(usize, usize)> {
            length(n, 2, |_, _, _| 0.5).blocks.iter().map(|block| (block.n_train, block.n_samples)).collect()
        };
        assert_eq!(blocks(1), [(0, 1)]);
        assert_eq!(blocks(4), [(0, 1), (1, 1), (2, 2)]);
        assert_eq!(blocks(100), [(0, 1), (1, 1), (2, 1), (3, 3), (6, 7), (13, 12), (25, 25), (50, 50)]);
    }

    #[test]
    fn a_class_that_did_not_occur_costs_an_escape() {
        // Classes 0, 1, 2 in turn, blocks that end at 1, 2, 4, 8: after one sample two classes are new, after two one.
        let numbers = [0, 1, 2, 0, 1, 2, 0, 1];
        let classes = Classes { numbers: &numbers, n_classes: 3 };
        let order: Vec<usize> = (0..8).collect();
        let fractions = Fractions::try_from(vec![0.125, 0.25, 0.5, 1.0]).unwrap();
        let found = CodeLength::new(&order, &classes, &fractions, |split, known| {
            Ok(Array2::from_elem((split.test.len(), known.n_classes), (known.n_classes as f64).recip().ln()))
        })
        .unwrap();
        let exact = 3_f64.ln() + 3_f64.ln() + (3_f64.ln() + (2.0 * 3.0 / 2.0_f64).ln()) + 4.0 * 3_f64.ln();
        assert!((found.nats - exact).abs() < 1e-12 && found.escapes == 2, "{found:?}");
    }

    #[test]
    fn refuses_what_cannot_be_sent() {
        let numbers = [0, 1, 0, 1];
        let order = [0, 1, 2, 3];
        let classes = |n_classes| Classes { numbers: &numbers, n_classes };
        let certain = |split: &Split, known: &Classes<'_>| {
            let shape = (split.test.len(), known.n_classes);
            Ok(Array2::from_shape_fn(shape, |(_, class)| if class == 0 { 0.0 } else { f64::NEG_INFINITY }))
        };
        let send = |order: &[usize], n_classes| {
            CodeLength::new(order, &classes(n_classes), &Fractions::default(), certain).unwrap_err()
        };
        assert!(matches!(send(&order, 2), EstimateError::Numeric { .. }));
        assert!(matches!(send(&order, 1), EstimateError::Degenerate { .. }));
        assert!(matches!(send(&[], 2), EstimateError::Degenerate { .. }));
        for wrong in [vec![], vec![0.5], vec![0.5, 0.5, 1.0], vec![0.0, 1.0], vec![f64::NAN, 1.0], vec![-0.5, 1.0]] {
            assert!(Fractions::try_from(wrong).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// The probabilities of all classes sum to one in every block, whichever of them occurred before.
        #[test]
        fn is_a_proper_code(first in 1_usize..6, k in 2_u32..6, seed in 0_usize..1000) {
            let mut numbers: Vec<u32> = (0..first).map(|place| u32::try_from((seed >> place) % k as usize).unwrap()).collect();
            numbers.push(0);
            let order: Vec<usize> = (0..=first).collect();
            let fractions = Fractions::try_from(vec![first as f64 / (first + 1) as f64, 1.0]).unwrap();
            let total: f64 = (0..k)
                .map(|class| {
                    numbers[first] = class;
                    let classes = Classes { numbers: &numbers, n_classes: k as usize };
                    let code = CodeLength::new(&order, &classes, &fractions, |_, known| {
                        let total = (1..=known.n_classes).sum::<usize>() as f64;
                        Ok(Array2::from_shape_fn((1, known.n_classes), |(_, class)| ((class + 1) as f64 / total).ln()))
                    });
                    (-code.unwrap().blocks[1].cross_entropy).exp()
                })
                .sum();
            prop_assert!((total - 1.0).abs() < 1e-12, "{}", total);
        }
    }
}
