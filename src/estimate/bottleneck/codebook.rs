use std::num::NonZeroUsize;

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::estimate::random::SplitMix64;
use crate::estimate::{Estimate, EstimateError, Flag, Labels, Split, Unit, finite};

/// Passes over the training blocks, at most; far fewer are needed.
const MOST_PASSES: usize = 200;

/// A codebook of a representation: each block of samples is replaced by the nearest of a few codewords.
///
/// # Formula
///
/// ```text
/// T         = argmin_j |(z₁, …, z_n) − c_j|²
/// rate      = −⟨ln p̂(T)⟩ / n
/// relevance = ⟨ln q̂ₛ(yₛ|T) − ln π̂(yₛ)⟩   over the blocks and their slots s
/// ```
///
/// with codewords c of the method of Lloyd, from the training blocks, p̂ the frequencies of codewords there and q̂ₛ those of
/// labels of slot s with each codeword, one more sample added to each that is spread as all labels π̂. Both means are over
/// held-out blocks: the rate is what the codewords cost as a message, the relevance a lower bound on `I(T; Y₁…Y_n)/n`.
///
/// # Use
///
/// For few coordinates: compress first. At one rate per sample, ln(size)/n, blocks (n > 1, vector quantization) may
/// or may not have more relevance than single samples (scalar); they need `size` to grow as a power of n, and training blocks
/// many times as many as codewords. Codewords keep distances, not labels: a better code of the same rate may exist.
///
/// # Cost
///
/// O(N d size) a pass over N training samples of d coordinates, tens of passes, from `starts` beginnings.
///
/// # Reference
///
/// S. P. Lloyd, Least squares quantization in PCM, IEEE Transactions on Information Theory 28, 129–137 (1982),
/// <https://doi.org/10.1109/TIT.1982.1056489>, begun as by D. Arthur, S. Vassilvitskii, k-means++, SODA 2007; rate and relevance
/// of blocks after H. Guo, M. Soflaei, Y. Mao, R. Zhang, Aggregated learning, AAAI 2020, <https://arxiv.org/abs/2001.03955>,
/// whose authors have published no code: that codewords are found by distance is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Codebook {
    /// The codewords.
    pub size: NonZeroUsize,
    /// The samples of a block, n in the formula.
    pub block: NonZeroUsize,
    /// The beginnings, of which the one with the least training error counts.
    pub starts: NonZeroUsize,
}

/// What a codebook costs and keeps, per sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// Nats a sample, on held-out blocks.
    pub rate: Estimate,
    /// Nats of the label a sample, on held-out blocks.
    pub relevance: Estimate,
    /// The codeword of each held-out block, in the order of `split.test`.
    pub codewords: Vec<usize>,
    /// The codewords themselves, one a row: the samples of a block side by side.
    pub centers: Array2<f64>,
}

impl Codebook {
    /// Fits the codewords to training samples, one a row of `layer`, and judges them by held-out ones.
    ///
    /// Blocks are made of samples that follow one another in the split; what is left over is in none.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] for values that are not finite or no held-out block, [`EstimateError::TooFewSamples`] for
    /// fewer training blocks than codewords.
    pub fn code(
        &self,
        layer: ArrayView2<'_, f64>,
        labels: &Labels,
        split: &Split,
        seed: u64,
    ) -> Result<Coded, EstimateError> {
        let fail = |reason: String| EstimateError::Degenerate { reason };
        finite("the layer", layer).map_err(|error| fail(error.to_string()))?;
        let n = self.block.get();
        let train: Vec<&[usize]> = split.train.chunks_exact(n).collect();
        let test: Vec<&[usize]> = split.test.chunks_exact(n).collect();
        if train.len() < self.size.get() {
            return Err(EstimateError::TooFewSamples { found: split.train.len(), needed: n * self.size.get() - 1 });
        }
        if test.is_empty() {
            return Err(fail(format!("found {} held-out samples, needed {n} for a block", split.test.len())));
        }
        let (fitted, judged) = (joined(layer, &train), joined(layer, &test));
        let (codewords, own, converged) = self.fit(&fitted, seed);
        let (codes, squared) = nearest(&judged, &codewords);

        let all = frequencies(split.train.iter().map(|&row| labels.classes()[row]), labels.n_classes());
        let used = frequencies(own.iter().copied(), self.size.get());
        let mut joint = vec![Array2::<f64>::zeros((self.size.get(), labels.n_classes())); n];
        for (block, &code) in train.iter().zip(&own) {
            for (slot, &row) in block.iter().enumerate() {
                joint[slot][[code, labels.classes()[row]]] += 1.0;
            }
        }
        let gain = |slot: usize, code: usize, class: usize| {
            let counts = joint[slot].row(code);
            ((counts[class] + all[class]) / (counts.sum() + 1.0) / all[class]).ln()
        };
        let gains: Vec<f64> = test
            .iter()
            .zip(&codes)
            .map(|(block, &code)| {
                let of_slot = |(slot, &row): (usize, &usize)| gain(slot, code, labels.classes()[row]);
                block.iter().enumerate().map(of_slot).sum::<f64>() / n as f64
            })
            .collect();
        let costs: Vec<f64> = codes.iter().map(|&code| -used[code].ln() / n as f64).collect();
        let n_samples = test.len() * n;
        let estimate = |values: &[f64]| {
            let (mean, error) = mean(values);
            let mut estimate = Estimate::new(mean, Unit::Nats, error, n_samples);
            if !converged {
                estimate.flag(Flag::NotConverged);
            }
            estimate
        };
        let (mut rate, mut relevance) = (estimate(&costs), estimate(&gains));
        rate.detail("largest", (self.size.get() as f64).ln() / n as f64);
        rate.detail("squared_error", squared.iter().sum::<f64>() / judged.len() as f64);
        if relevance.value < 0.0 {
            relevance.flag(Flag::Negative);
        }
        Ok(Coded { rate, relevance, codewords: codes, centers: codewords })
    }

    /// The best codewords of several beginnings, the codeword of each block, and whether nothing moved in the end.
    fn fit(&self, blocks: &Array2<f64>, seed: u64) -> (Array2<f64>, Vec<usize>, bool) {
        let fits = (0..self.starts.get() as u64).map(|start| {
            let mut codewords = self.begin(blocks, SplitMix64::new(seed.wrapping_add(start)));
            let (mut own, mut squared) = nearest(blocks, &codewords);
            for _ in 0..MOST_PASSES {
                for (code, mut codeword) in codewords.outer_iter_mut().enumerate() {
                    let members: Vec<usize> = (0..own.len()).filter(|&block| own[block] == code).collect();
                    // A codeword that nobody uses stays where it is.
                    if let Some(center) = blocks.select(Axis(0), &members).mean_axis(Axis(0)) {
                        codeword.assign(&center);
                    }
                }
                let before = own;
                (own, squared) = nearest(blocks, &codewords);
                if own == before {
                    return (squared.iter().sum::<f64>(), (codewords, own, true));
                }
            }
            (squared.iter().sum::<f64>(), (codewords, own, false))
        });
        fits.min_by(|a, b| a.0.total_cmp(&b.0)).expect("there is a beginning").1
    }

    /// Blocks drawn one after the other, with odds as the squared distance to those drawn before.
    fn begin(&self, blocks: &Array2<f64>, mut random: SplitMix64) -> Array2<f64> {
        let mut codewords = Array2::zeros((self.size.get(), blocks.ncols()));
        let mut odds = vec![1.0; blocks.nrows()];
        for code in 0..self.size.get() {
            let total: f64 = odds.iter().sum();
            let mut left = random.uniform() * total;
            let drawn = odds.iter().position(|&odds| {
                left -= odds;
                left < 0.0
            });
            codewords.row_mut(code).assign(&blocks.row(drawn.unwrap_or(0)));
            // Only those drawn so far: the others are zeros still.
            let drawn = codewords.select(Axis(0), &(0..=code).collect::<Vec<_>>());
            odds = nearest(blocks, &drawn).1;
        }
        codewords
    }
}

/// The samples of each block side by side.
pub(super) fn joined(layer: ArrayView2<'_, f64>, blocks: &[&[usize]]) -> Array2<f64> {
    let d = layer.ncols();
    let width = d * blocks.first().map_or(0, |block| block.len());
    Array2::from_shape_fn((blocks.len(), width), |(block, column)| layer[[blocks[block][column / d], column % d]])
}

/// The nearest codeword of each block, of equals the first, and its squared distance.
pub(super) fn nearest(blocks: &Array2<f64>, codewords: &Array2<f64>) -> (Vec<usize>, Vec<f64>) {
    let of_block = |block: ndarray::ArrayView1<'_, f64>| {
        let distances = codewords.outer_iter().map(|codeword| {
            block.iter().zip(codeword).map(|(value, code)| (value - code) * (value - code)).sum::<f64>()
        });
        let best = |best: (usize, f64), (code, distance): (usize, f64)| {
            if distance < best.1 { (code, distance) } else { best }
        };
        distances.enumerate().fold((0, f64::INFINITY), best)
    };
    blocks.outer_iter().map(of_block).unzip()
}

/// The part of each number, half a count added to each.
fn frequencies(numbers: impl Iterator<Item = usize>, kinds: usize) -> Vec<f64> {
    let mut counts = vec![0.5; kinds];
    for number in numbers {
        counts[number] += 1.0;
    }
    let total: f64 = counts.iter().sum();
    counts.into_iter().map(|count| count / total).collect()
}

/// The mean and its standard error; none of a single value.
fn mean(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (mean, (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt()))
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::*;

    fn codebook(size: usize, block: usize) -> Codebook {
        let count = |n| NonZeroUsize::new(n).unwrap();
        Codebook { size: count(size), block: count(block), starts: count(4) }
    }

    fn halves(n: usize) -> Split {
        Split { train: (0..n / 2).collect(), test: (n / 2..n).collect() }
    }

    /// Four points in a line, each with a label of its own: two bits, of which two codewords keep one.
    #[test]
    fn codewords_of_separate_points_cost_and_keep_their_entropy() {
        let n = 8_000;
        let labels =
            Labels::new((0..n).map(|row| i64::from(u8::try_from(row % 4).unwrap())).collect::<Array1<i64>>().view());
        let layer = Array2::from_shape_fn((n, 1), |(row, _)| [0.0, 0.1, 5.0, 5.1][row % 4]);
        for (size, bits) in [(1, 0.0), (2, 1.0), (4, 2.0)] {
            let coded = codebook(size, 1).code(layer.view(), &labels, &halves(n), 1).unwrap();
            let nats = bits * 2_f64.ln();
            // Half a count and one more sample among a thousand of each kind.
            assert!((coded.rate.value - nats).abs() < 1e-2, "{size}: {coded:?}");
            assert!((coded.relevance.value - nats).abs() < 1e-2, "{size}: {coded:?}");
        }
        let few = codebook(4_001, 1).code(layer.view(), &labels, &halves(n), 1).unwrap_err();
        assert!(matches!(few, EstimateError::TooFewSamples { found: 4_000, .. }));
    }

    /// One bit a sample of a normal variable leaves 1 − 2/π of its variance; blocks of more samples leave less, down to ¼.
    #[test]
    fn blocks_of_normal_samples_are_kept_better_at_the_same_rate() {
        let mut random = SplitMix64::new(5);
        let n = 24_000;
        let layer = Array2::from_shape_simple_fn((n, 1), || random.normal_pair().0);
        let labels = Labels::new(Array1::zeros(n).view());
        let error = |size: usize, block: usize| {
            let coded = codebook(size, block).code(layer.view(), &labels, &halves(n), 1).unwrap();
            coded.rate.details["squared_error"].as_f64().unwrap()
        };
        let scalar = error(2, 1);
        // The mean of 12,000 squared errors, of deviation 0.62 each, scatters by 0.0056; three of these.
        assert!((scalar - (1.0 - 2.0 / std::f64::consts::PI)).abs() < 0.017, "{scalar}");
        let blocks = error(64, 6);
        assert!(blocks < scalar - 0.005 && blocks > 0.25, "{blocks} against {scalar}");
    }
}
