//! What a probe scores when there is nothing to read.

use serde::{Deserialize, Serialize};

use crate::estimate::Null;
use crate::estimate::random::SplitMix64;
use crate::estimate::split::Split;

/// The normal quantile that one value in twenty exceeds.
const ONE_IN_TWENTY: f64 = 1.644_853_626_951_472_7;

/// The band that a linear probe of labels independent of the layer stays below nineteen times of twenty.
///
/// # Formula
///
/// P free parameters fitted to n samples cost χ²/2n nats of held-out cross-entropy, which over m held-out samples has
/// the variance P/nm besides:
///
/// ```text
/// mean −P/2n,  variance P/nm + P/2n²
/// ```
///
/// A penalty leaves fewer than P of them free, and nobody knows how many: the band is the highest one of all numbers
/// of parameters up to P.
///
/// # Reference
///
/// The mean is the textbook one (Akaike's); the variance follows from the same expansion, and the maximum is ours.
pub(super) fn asymptotic(n_parameters: usize, n_train: usize, n_test: usize) -> Null {
    let (n, m) = (n_train as f64, n_test as f64);
    let variance = 1.0 / (n * m) + 0.5 / (n * n);
    // −P/2n + q·√(P·variance) is largest where √P = q·n·√variance.
    let highest = (ONE_IN_TWENTY * n).powi(2) * variance;
    let free = highest.min(n_parameters as f64);
    let high = -free / (2.0 * n) + ONE_IN_TWENTY * (free * variance).sqrt();
    Null { mean: None, high, p_value: None, permutations: None }
}

/// Labels that are shuffled among the training and among the held-out samples.
///
/// Shuffled apart, so that both sides keep their frequencies, and with them the entropy.
pub(super) fn permuted(split: &Split, seed: u64) -> Vec<(usize, usize)> {
    let mut random = SplitMix64::new(seed);
    let mut moves = Vec::with_capacity(split.train.len() + split.test.len());
    for side in [&split.train, &split.test] {
        let mut from = side.clone();
        random.shuffle(&mut from);
        moves.extend(side.iter().copied().zip(from));
    }
    moves
}

/// What a value is worth against the values of permuted labels.
pub(super) fn of_permutations(value: f64, mut permuted: Vec<f64>) -> Null {
    permuted.sort_unstable_by(f64::total_cmp);
    let n = permuted.len();
    let above = permuted.iter().filter(|&&null| null >= value).count();
    // The smallest value that no more than one in twenty of n + 1 exceed.
    let place = (0..n).find(|&place| (n - place) * 20 <= n + 1).unwrap_or(n - 1);
    Null {
        mean: Some(permuted.iter().sum::<f64>() / n as f64),
        high: permuted[place],
        p_value: Some((above + 1) as f64 / (n + 1) as f64),
        permutations: Some(n),
    }
}

/// The number of permutations that a value is held against: 19 or more, so that one in twenty can be told.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "usize", into = "usize")]
pub struct Permutations(usize);

impl Permutations {
    /// The number.
    #[must_use]
    pub fn get(self) -> usize {
        self.0
    }
}

impl TryFrom<usize> for Permutations {
    type Error = String;

    fn try_from(permutations: usize) -> Result<Self, String> {
        if permutations < 19 {
            return Err(format!(
                "found {permutations} permutations, needed 19 or more: fewer cannot tell one in twenty"
            ));
        }
        Ok(Self(permutations))
    }
}

impl From<Permutations> for usize {
    fn from(permutations: Permutations) -> Self {
        permutations.0
    }
}
