//! What the families of neural decoders share: their parameters, checked when they are read, and their predictions.

use std::num::NonZeroUsize;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::fitted::normalize;
use crate::estimate::EstimateError;
use crate::estimate::neural::{Network, Rows};
use crate::estimate::random::SplitMix64;

/// What follows a hidden layer.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// x above zero, 0.2·x below.
    #[default]
    LeakyRelu,
    /// x above zero, zero below.
    Relu,
    /// x: the decoder is a product of matrices.
    Linear,
}

impl Activation {
    pub(super) fn slope(self) -> f32 {
        match self {
            Self::LeakyRelu => 0.2,
            Self::Relu => 0.0,
            Self::Linear => 1.0,
        }
    }
}

/// A number from 0 on that is less than 1.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Fraction(f64);

impl Fraction {
    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    #[expect(clippy::cast_possible_truncation, reason = "networks are in single precision")]
    pub(super) fn single(self) -> f32 {
        self.0 as f32
    }
}

impl TryFrom<f64> for Fraction {
    type Error = String;

    fn try_from(fraction: f64) -> Result<Self, String> {
        if (0.0..1.0).contains(&fraction) {
            Ok(Self(fraction))
        } else {
            Err(format!("{fraction} is not a fraction: from 0 on, and less than 1"))
        }
    }
}

impl From<Fraction> for f64 {
    fn from(fraction: Fraction) -> Self {
        fraction.0
    }
}

/// A positive number.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

impl Rate {
    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Rate {
    type Error = String;

    fn try_from(rate: f64) -> Result<Self, String> {
        if rate.is_finite() && rate > 0.0 { Ok(Self(rate)) } else { Err(format!("rate {rate} is not positive")) }
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

/// One seed for each decoder.
pub(super) fn member_seeds(seed: u64, count: NonZeroUsize) -> Vec<u64> {
    let mut random = SplitMix64::new(seed);
    (0..count.get()).map(|_| random.next_u64()).collect()
}

/// ln q(class | z) of each row: n × K.
///
/// A network with one output gives the logit of the second of two classes.
///
/// # Errors
///
/// [`EstimateError::Numeric`] if an output is not finite.
pub(super) fn log_probabilities(
    network: &Network,
    rows: Rows<'_>,
    n_classes: usize,
) -> Result<Array2<f64>, EstimateError> {
    let outputs = network.outputs(&rows)?;
    if let Some(output) = outputs.iter().find(|output| !output.is_finite()) {
        return Err(EstimateError::Numeric {
            step: "the neural decoder",
            reason: format!("a logit of a sample that it was not trained on is {output}; lower the learning rate"),
        });
    }
    let n_outputs = outputs.len() / rows.len();
    let mut logits = Array2::zeros((rows.len(), n_classes));
    for (mut row, outputs) in logits.rows_mut().into_iter().zip(outputs.chunks_exact(n_outputs)) {
        for (logit, &output) in row.iter_mut().skip(n_classes - n_outputs).zip(outputs) {
            *logit = f64::from(output);
        }
        normalize(row);
    }
    Ok(logits)
}

/// The logarithm of each class's frequency.
pub(super) fn log_frequencies(classes: &[u32], n_classes: usize) -> Vec<f64> {
    let mut counts = vec![0_usize; n_classes];
    for &class in classes {
        counts[class as usize] += 1;
    }
    counts.into_iter().map(|count| (count as f64 / classes.len() as f64).ln()).collect()
}
