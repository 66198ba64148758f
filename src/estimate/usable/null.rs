//! What a probe scores when there is nothing to read.

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
