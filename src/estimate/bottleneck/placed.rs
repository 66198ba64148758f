use ndarray::{Array2, ArrayView2};

use super::codebook::{joined, nearest};
use super::{Codebook, Coded, Encoder, Joint, term};
use crate::estimate::random::SplitMix64;
use crate::estimate::{EstimateError, Split};

/// Blocks that are drawn for each codeword, at least.
const BLOCKS_PER_CODEWORD: usize = 256;

/// Where a codebook lies beside the information bottleneck of its source, per sample.
///
/// # Formula
///
/// ```text
/// rate       H(T) / n
/// relevance  Σₛ I(T; Yₛ) / n
/// distortion Σₛ E KL(p(y|xₛ) ‖ p(yₛ|T)) / n = I(X; Y) − relevance
/// ```
///
/// for n independent samples, each one of the held-out ones with equal odds, T their codeword, p(y|x) given.
///
/// # Use
///
/// Independent samples have n times the bottleneck of one, so that these numbers lie below the frontier of a single sample
/// for codebooks of every n. Of single samples they are exact. Blocks are drawn, each sample once in every slot and round, and
/// what so few blocks add to the information, by their number inversely, is taken off (jackknife of two halves). The sum over slots is at most I(T; Y₁…Yₙ):
/// what a codeword says of several labels only together is not counted.
///
/// # Cost
///
/// O(N d size) for N blocks, at least 256 a codeword.
///
/// # Reference
///
/// H. S. Witsenhausen, A. D. Wyner, A conditional entropy bound for a pair of discrete random variables, IEEE Transactions
/// on Information Theory 21, 493–501 (1975), <https://doi.org/10.1109/TIT.1975.1055437>, section IV for blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Nats a sample.
    pub rate: f64,
    /// Nats a sample.
    pub relevance: f64,
    /// E `d_IB` in nats a sample.
    pub distortion: f64,
    /// The blocks that these were computed from.
    pub n_blocks: usize,
}

impl Codebook {
    /// Places a codebook that was fitted to `layer`; the rows of the table of `joint` are the held-out samples in their order.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if these are not as many.
    pub fn place(
        &self,
        coded: &Coded,
        layer: ArrayView2<'_, f64>,
        split: &Split,
        joint: &Joint,
        seed: u64,
    ) -> Result<Placed, EstimateError> {
        let samples = split.test.len();
        if joint.rows().len() != samples {
            let found = joint.rows().len();
            let reason = format!("found posteriors of {found} samples, needed those of the {samples} held-out ones");
            return Err(EstimateError::Degenerate { reason });
        }
        if self.block.get() == 1 {
            let codes = nearest(&joined(layer, &split.test.chunks_exact(1).collect::<Vec<_>>()), &coded.centers).0;
            let blocks: Vec<Vec<usize>> = (0..samples).map(|place| vec![place]).collect();
            return self.of_blocks(&blocks, &codes, joint);
        }
        // An even number of rounds, half of them for either half.
        let rounds = (BLOCKS_PER_CODEWORD * self.size.get()).div_ceil(2 * samples) * 2;
        let mut random = SplitMix64::new(seed);
        let mut halves = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            halves[round % 2].extend(self.drawn(samples, &mut random));
        }
        let coded = halves.map(|blocks| {
            let rows: Vec<Vec<usize>> =
                blocks.iter().map(|block| block.iter().map(|&place| split.test[place]).collect()).collect();
            let rows: Vec<&[usize]> = rows.iter().map(Vec::as_slice).collect();
            let codes = nearest(&joined(layer, &rows), &coded.centers).0;
            (blocks, codes)
        });
        let [first, second] = &coded;
        let all = ([&first.0[..], &second.0[..]].concat(), [&first.1[..], &second.1[..]].concat());
        let [first, second, all] = [first, second, &all].map(|(blocks, codes)| self.of_blocks(blocks, codes, joint));
        let (first, second, all) = (first?, second?, all?);
        let corrected = |of: fn(&Placed) -> f64| 2.0 * of(&all) - f64::midpoint(of(&first), of(&second));
        Ok(Placed {
            rate: corrected(|placed| placed.rate),
            relevance: corrected(|placed| placed.relevance),
            distortion: corrected(|placed| placed.distortion),
            n_blocks: all.n_blocks,
        })
    }

    /// Blocks in which each sample is once in every slot, by its place among the held-out ones.
    fn drawn(&self, samples: usize, random: &mut SplitMix64) -> Vec<Vec<usize>> {
        let slots: Vec<Vec<usize>> = (0..self.block.get())
            .map(|_| {
                let mut order: Vec<usize> = (0..samples).collect();
                random.shuffle(&mut order);
                order
            })
            .collect();
        (0..samples).map(|place| slots.iter().map(|slot| slot[place]).collect()).collect()
    }

    /// What the codewords of these blocks cost and keep, if there were no others.
    fn of_blocks(&self, blocks: &[Vec<usize>], codes: &[usize], joint: &Joint) -> Result<Placed, EstimateError> {
        let (size, n, samples) = (self.size.get(), self.block.get(), joint.rows().len());
        let rounds = (blocks.len() / samples) as f64;
        let (mut relevance, mut distortion) = (0.0, 0.0);
        for slot in 0..n {
            let mut assignment = Array2::<f64>::zeros((samples, size));
            for (block, &code) in blocks.iter().zip(codes) {
                assignment[[block[slot], code]] += 1.0 / rounds;
            }
            let encoder = Encoder::new(joint, assignment.view(), samples)?;
            relevance += encoder.relevance(joint) / n as f64;
            distortion += encoder.distortion(joint) / n as f64;
        }
        let mut used = vec![0.0; size];
        for &code in codes {
            used[code] += 1.0 / codes.len() as f64;
        }
        let rate = -used.iter().map(|&p| term(p, 1.0)).sum::<f64>() / n as f64;
        Ok(Placed { rate, relevance, distortion, n_blocks: blocks.len() })
    }
}
