use std::num::NonZeroUsize;

use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::decoder::{Activation, log_probabilities, member_seeds};
use super::fitted::{Classes, Fitted, Member, cross_entropy};
use crate::estimate::neural::{Architecture, CrossEntropy, Descent, Rows, descend};
use crate::estimate::split::Split;
use crate::estimate::{Element, EstimateError};

/// The published decoder: three hidden layers of 64, all samples in each of 3,000 steps of plain gradient descent.
const DESCENT: Descent = Descent { learning_rate: 5e-2, steps: Compat::STEPS };

/// What stands for 1/ln 2 where the published values are turned into bits.
const BITS: f64 = 1.44;

/// Usable information by the decoder, the schedule and the constants of the published code.
///
/// # Formula
///
/// ```text
/// published_bits = log₂K − 1.44·L
/// ```
///
/// L is the held-out cross-entropy in nats of a network with three hidden layers of 64, trained by 3,000 steps of plain
/// gradient descent at a rate of 0.05 on all training samples at once: with leaky rectifiers of slope 0.2 and dropout
/// of one half, or (`decoder = "linear"`) without activations and with dropout of four fifths. 1.44 stands for 1/ln 2,
/// and 3.32 for log₂10; the label's entropy is that of K equal classes. Two classes have a single logit. Weights and
/// intercepts start uniformly between ±1/√(inputs of their layer). There is no standardization, no penalty, and nothing
/// that stops early. The value itself is the exact one, in nats and with the entropy of the held-out labels.
///
/// # Use
///
/// To compare with published curves, and for nothing else. The published split trains on a quarter of the samples:
/// `held-out = 0.75`. PyTorch's random numbers cannot be reproduced: agreement is within the spread of the seeds. Units
/// far from unit scale make it diverge, which is an error, or not learn, which is not. The "linear" decoder is noisier
/// than a linear probe, and further from the optimum. With classes that are not equally frequent the published value is
/// too large by what log₂K exceeds their entropy.
///
/// # Cost
///
/// O(n·P) for each of the 3,000 steps, n training samples and P parameters: nine seconds of a processor for five
/// hundred samples of few units. Seeds run in parallel.
///
/// # Reference
///
/// M. Kleinman, C. Chandrasekaran, J. C. Kao, A mechanistic multi-area recurrent network model of decision-making,
/// `NeurIPS` 2021, and the code that came with it; the definition is that of M. Kleinman, A. Achille, D. Idnani,
/// J. C. Kao, Usable information and evolution of optimal representations during training, ICLR 2021, equation 1,
/// <https://arxiv.org/abs/2010.02459>.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Compat {
    /// Which of the two published decoders; by default the nonlinear one.
    pub decoder: Published,
    /// The number of decoders, each from its own seed; by default 1, as published.
    pub seeds: NonZeroUsize,
}

/// A decoder of the publication.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Published {
    /// Leaky rectifiers with a slope of 0.2, dropout of one half.
    #[default]
    Nonlinear,
    /// No activations, dropout of four fifths.
    Linear,
}

impl Default for Compat {
    fn default() -> Self {
        Self { decoder: Published::default(), seeds: NonZeroUsize::MIN }
    }
}

impl Compat {
    /// The units of its hidden layers.
    pub const HIDDEN: [usize; 3] = [64; 3];
    /// The steps that it is trained for.
    pub const STEPS: usize = 3000;

    /// Trains the decoders on the training rows of z, one row a sample, and lets them judge the held-out rows.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if the layer has no units, [`EstimateError::Numeric`] if a decoder diverges.
    pub(super) fn fit<T: Element>(
        &self,
        z: ArrayView2<'_, T>,
        classes: &Classes<'_>,
        split: &Split,
        seed: u64,
    ) -> Result<Fitted, EstimateError> {
        if z.ncols() == 0 {
            let reason = "the layer has no units; leave it out of the taps".to_owned();
            return Err(EstimateError::Degenerate { reason });
        }
        let (activation, dropout) = match self.decoder {
            Published::Nonlinear => (Activation::LeakyRelu, 0.5),
            Published::Linear => (Activation::Linear, 0.8),
        };
        let architecture = Architecture {
            inputs: z.ncols(),
            hidden: Self::HIDDEN.to_vec(),
            // Two classes have one logit and the binary cross-entropy.
            outputs: if classes.n_classes == 2 { 1 } else { classes.n_classes },
            slope: activation.slope(),
            dropout,
            start: None,
        };
        let (training, held_out) = (raw(z, &split.train), raw(z, &split.test));
        let (training_classes, held_out_classes) = (classes.at(&split.train), classes.at(&split.test));
        let seeds = member_seeds(seed, self.seeds);
        let trained: Vec<(f64, Member)> = seeds
            .par_iter()
            .map(|&seed| {
                let loss = CrossEntropy(&training_classes);
                let rows = Rows::new(&training, z.ncols(), z.ncols());
                let (network, last) = descend(&architecture, (rows, loss), DESCENT, seed)?;
                let rows = Rows::new(&held_out, z.ncols(), z.ncols());
                let held_out = log_probabilities(&network, rows, classes.n_classes)?;
                Ok((last, Member { held_out, unseen: None }))
            })
            .collect::<Result<_, EstimateError>>()?;
        let published: Vec<f64> = trained
            .iter()
            .map(|(_, member)| {
                label_bits(classes.n_classes) - BITS * cross_entropy(&member.held_out, &held_out_classes)
            })
            .collect();
        let training_loss: Vec<f64> = trained.iter().map(|&(last, _)| last).collect();
        let mut details = Map::new();
        let mut detail = |name: &str, value: Value| details.insert(name.to_owned(), value);
        detail("published_bits", published.into());
        detail("steps", DESCENT.steps.into());
        detail("training_cross_entropy", training_loss.into());
        detail("n_parameters", architecture.n_parameters().into());
        detail("seeds", seeds.into());
        Ok(Fitted { members: trained.into_iter().map(|(_, member)| member).collect(), details, flags: Vec::new() })
    }
}

/// The entropy of the label that was published with the decoder, in bits: that of equal classes, of ten to two digits.
fn label_bits(n_classes: usize) -> f64 {
    if n_classes == 10 { 3.32 } else { (n_classes as f64).log2() }
}

/// The units as they are, row after row.
fn raw<T: Element>(z: ArrayView2<'_, T>, places: &[usize]) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "networks are in single precision")]
    let single = |value: &T| (*value).into() as f32;
    places.iter().flat_map(|&row| z.row(row).into_iter().map(single).collect::<Vec<_>>()).collect()
}
