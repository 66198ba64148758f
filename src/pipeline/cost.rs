//! What a unit costs, so that shards get equal shares: counted, not timed, so that every machine counts the same.
//!
//! Costs are additions and multiplications, with a byte that is read counted as one. They put units in the right order
//! and are not exact: convolutions use each weight many times, and training stops when it has converged.
//!
//! | of | operations |
//! |---|---|
//! | reading | bytes of the weights that are fed |
//! | replay | 2 n (weights + numbers that are read out), of the whole graph whichever taps are measured |
//! | information | n w min(n, w) to compress, 1600 n ln n × coordinates × settings × (1 + permutations) to estimate |
//! | usable information | 6 folds of 4 n w min(n, w) each, or steps of training, × (1 + permutations + draws of a control + 2 for a code) |
//! | codebooks | n × coordinates × codewords × 30 passes × starts |
//! | typicality | as information with one setting |
//! | gradients | 40 n w; of every layer 12 n weights, with the last tap |
//! | reconstruction | 6 folds of n w (min(n, w) + columns) each, or steps of training |
//! | a step of training | 6 × samples of the batch × weights; a quarter of the most steps that there may be |
//!
//! n are the samples, w the units of the tap.

use std::num::NonZeroUsize;
use std::ops::Range;

use super::{Measure, Plan};
use crate::estimate::compress::Compression;
use crate::estimate::reconstruction::Decoder;
use crate::estimate::usable::{Compat, Probe};

/// Operations of a search for neighbors, with those in the parts of an interval: comparing takes longer than multiplying.
const SEARCH: u64 = 1_600;

/// As if every label had so many.
const CLASSES: u64 = 10;

impl Plan {
    /// What measuring these taps of one checkpoint costs.
    pub(super) fn cost(&self, taps: Range<usize>) -> u64 {
        let n = self.n_samples() as u64;
        let read_out: u64 = self.widths.iter().map(|&width| width as u64).sum();
        let weights = self.weight_bytes as u64;
        let replay = (2 * n).saturating_mul((weights / 4).saturating_add(read_out));
        let of_tap =
            |tap: usize| self.populations().map(move |population| population.cost_of_tap(self.widths[tap] as u64));
        let every_layer = |population: &Self| {
            let asked = population.pipeline.estimate.measures.iter().filter(|it| it.is_of_every_layer()).count() as u64;
            if taps.end == self.taps.len() { asked.saturating_mul(3 * n).saturating_mul(weights) } else { 0 }
        };
        let every_layer = self.populations().map(every_layer).fold(0, u64::saturating_add);
        let measures = taps.clone().flat_map(of_tap).chain([every_layer]);
        measures.fold(weights.saturating_add(replay), u64::saturating_add)
    }

    fn cost_of_tap(&self, width: u64) -> u64 {
        let n = self.n_samples() as u64;
        let gram = n.saturating_mul(width).saturating_mul(width.min(n));
        let of_measure = |measure: &Measure| match measure {
            Measure::Information(information) => {
                let left = information.compress.components(usize::try_from(width).unwrap_or(usize::MAX)) as u64;
                let compressed = if matches!(information.compress, Compression::None {}) { 0 } else { gram };
                let permutations = information.permutations.map_or(0, |permutations| permutations.get() as u64);
                let settings = measure.each().len() as u64;
                let sorted = n.saturating_mul(u64::from(n.max(2).ilog2()));
                let estimated = (SEARCH * left).saturating_mul(sorted).saturating_mul(settings);
                compressed.saturating_add(estimated.saturating_mul(1 + permutations))
            }
            Measure::Typicality(typicality) => {
                let left = typicality.compress.components(usize::try_from(width).unwrap_or(usize::MAX)) as u64;
                gram.saturating_add((SEARCH * left).saturating_mul(n.saturating_mul(u64::from(n.max(2).ilog2()))))
            }
            Measure::Codebook(codebook) => {
                let left = codebook.compress.components(usize::try_from(width).unwrap_or(usize::MAX)) as u64;
                let words: u64 = codebook.sizes.iter().map(|size| size.get() as u64).sum();
                let passes = 30 * codebook.starts.get() as u64;
                gram.saturating_add(n.saturating_mul(left).saturating_mul(words).saturating_mul(passes))
            }
            // Of the one tap that has it as of any.
            Measure::Gradient(_) if measure.is_of_every_layer() => 0,
            Measure::Gradient(_) => n.saturating_mul(width).saturating_mul(4 * CLASSES),
            Measure::Usable(usable) => {
                let permutations = usable.permutations.map_or(0, |permutations| permutations.get() as u64);
                let draws = usable.control.as_ref().map_or(0, |control| control.draws.get() as u64);
                let code = if usable.code_length.is_some() { 2 } else { 0 };
                let fit = match &usable.probe {
                    Probe::Mlp(mlp) => {
                        let layers = mlp.layers.iter().map(|width| width.get() as u64);
                        training(width, layers.chain([CLASSES]), mlp.batch, mlp.max_steps.get() as u64 / 4)
                            .saturating_mul(mlp.seeds.get() as u64)
                    }
                    Probe::Compat(compat) => {
                        let all = NonZeroUsize::new(self.n_samples()).unwrap_or(NonZeroUsize::MIN);
                        let layers = Compat::HIDDEN.iter().map(|&width| width as u64);
                        training(width, layers.chain([CLASSES]), all, Compat::STEPS as u64)
                            .saturating_mul(compat.seeds.get() as u64)
                    }
                    _ => gram.saturating_mul(24),
                };
                fit.saturating_mul(1 + permutations + draws + code)
            }
            Measure::Reconstruction(reconstruction) => {
                let columns = self.variables.inputs.width(&reconstruction.of) as u64;
                match &reconstruction.decoder {
                    Decoder::Linear(_) => {
                        gram.saturating_add(n.saturating_mul(width).saturating_mul(columns)).saturating_mul(6)
                    }
                    Decoder::Mlp(mlp) => {
                        let layers = mlp.layers.get().into_iter().map(|width| width as u64);
                        training(width, layers.chain([columns]), mlp.batch, mlp.max_steps.get() as u64 / 4)
                    }
                    Decoder::Convolution(convolution) => {
                        // The last channels, which have most pixels, and as if the first ones had as many.
                        let channels = convolution.channels.get().last().map_or(0, |&channels| channels as u64);
                        let painting = columns.saturating_mul(9 * channels * channels);
                        let steps = (convolution.max_steps.get() as u64 / 4) * (6 * convolution.batch.get() as u64);
                        painting.saturating_add(width.saturating_mul(columns)).saturating_mul(steps)
                    }
                }
            }
        };
        self.pipeline.estimate.measures.iter().map(of_measure).fold(0, u64::saturating_add)
    }
}

/// Steps of training a dense network of these layers, each for a batch of samples, forth and back.
fn training(width: u64, layers: impl IntoIterator<Item = u64>, batch: NonZeroUsize, steps: u64) -> u64 {
    let mut before = width;
    let mut weights = 0_u64;
    for layer in layers {
        weights = weights.saturating_add(before.saturating_mul(layer));
        before = layer;
    }
    weights.saturating_mul(6 * batch.get() as u64).saturating_mul(steps)
}
