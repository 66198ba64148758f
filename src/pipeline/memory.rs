//! About how much memory a run takes, told before it starts.

use std::ops::Range;

use ndarray::ArrayBase;

use super::cells::distinct_compressions;
use super::noise::NoisePlan;
use super::shared::with_basis;
use super::{Measure, Plan};
use crate::estimate::compress::Basis;
use crate::estimate::gradient::EveryLayer;
use crate::estimate::information::Series;

/// The program itself, ONNX Runtime and its kernels: 60 to 110 MB were seen with small graphs.
const PROGRAM: usize = 128 << 20;

/// What measuring some taps of a checkpoint takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// Each worker: weights, the batch in ONNX Runtime, activations.
    pub worker: usize,
    /// Each measure at work: there are as many at a time as there are threads.
    pub measure: usize,
}

impl Plan {
    /// About the memory that each worker needs, in bytes: its checkpoint, and the measure that takes most.
    ///
    /// There are as many measures at a time as there are workers.
    #[must_use]
    pub fn bytes_per_worker(&self) -> usize {
        let needs = self.groups.iter().map(|group| self.need(group.taps.clone()));
        needs.map(|need| need.worker + need.measure).max().unwrap_or(0)
    }

    /// The bytes that all workers share: inputs, and what measures make of them.
    #[must_use]
    pub fn shared_bytes(&self) -> usize {
        2 * self.feed.bytes() + self.populations().map(Self::bytes_of_variables).sum::<usize>()
    }

    fn bytes_of_variables(&self) -> usize {
        let inputs = &self.variables.inputs;
        let compressed: usize = self
            .pipeline
            .estimate
            .measures
            .iter()
            .filter_map(|measure| match measure {
                Measure::Information(information) if inputs.has(&information.of) => {
                    let n = self.n_samples();
                    let width = information.input_compression().components(inputs.width(&information.of));
                    let kept = Series::kept_bytes(&information.estimator, &information.interval, (n, width));
                    Some(width * n * size_of::<f64>() + kept)
                }
                _ => None,
            })
            .sum();
        let targets: usize = self.variables.targets.iter().flatten().map(ArrayBase::len).sum();
        (inputs.len() + targets) * size_of::<f64>() + compressed
    }

    /// About what one task takes that measures these taps with so many workers and threads.
    pub(super) fn bytes(&self, need: Need, workers: usize, threads: usize) -> usize {
        let sum = self.shared_bytes().saturating_add(PROGRAM);
        sum.saturating_add(need.worker.saturating_mul(workers)).saturating_add(need.measure.saturating_mul(threads))
    }

    /// About what measuring these taps of a checkpoint takes.
    ///
    /// Weights twice (ours and the runtime's), one batch of all taps as it comes and as it is read out, the activations
    /// of the taps that are needed, and what compressions leave of them; of a basis, the activations of all checkpoints
    /// that it is taken from.
    pub(super) fn need(&self, taps: Range<usize>) -> Need {
        let needs: Vec<Need> = self.populations().map(|population| population.own_need(taps.clone())).collect();
        // Of one subset at a time there is a copy beside the whole.
        let copied = needs[1..].iter().map(|need| need.worker).max().unwrap_or(0);
        let measure = needs.iter().map(|need| need.measure).max().unwrap_or(0);
        Need { worker: needs[0].worker.saturating_add(copied), measure }
    }

    fn own_need(&self, taps: Range<usize>) -> Need {
        let n = self.n_samples();
        let noise = self.noise.as_ref().map_or(0, NoisePlan::extra_width);
        let width = |taps: &mut dyn Iterator<Item = usize>| taps.map(|tap| self.widths[tap]).sum::<usize>();
        let all = width(&mut (0..self.taps.len())) + noise;
        let replayed = width(&mut self.replayed_taps(taps.clone()).into_iter()) + noise;
        let batch = 2 * self.pipeline.replay.batch.get().min(n) * all;
        let measures = &self.pipeline.estimate.measures;
        let pooled = with_basis(measures).into_iter();
        let pooled = pooled.map(|(_, basis)| if let Basis::Pooled(count) = basis { *count } else { 1 });
        let activations = replayed.saturating_mul(n).saturating_mul(pooled.max().unwrap_or(1));
        let compressions = distinct_compressions(measures);
        let left = |tap: usize| compressions.iter().map(move |it| it.components(self.widths[tap])).sum::<usize>();
        let compressed = taps.clone().map(left).sum::<usize>().saturating_mul(n).saturating_mul(size_of::<f64>());
        let singles = batch.saturating_add(activations).saturating_mul(size_of::<f32>());
        let most =
            measures.iter().enumerate().map(|(place, measure)| self.bytes_of_measure(place, measure, taps.clone()));
        Need {
            worker: (2 * self.weight_bytes).saturating_add(singles).saturating_add(compressed),
            measure: most.max().unwrap_or(0),
        }
    }

    /// What a measure of the widest of some taps needs beside the activations.
    ///
    /// Of information and probes, two copies in double precision and the Gram matrices of five folds and the whole.
    fn bytes_of_measure(&self, place: usize, measure: &Measure, taps: Range<usize>) -> usize {
        let widest = self.widths[taps].iter().max().copied().unwrap_or(0);
        let n = self.n_samples();
        if measure.is_of_every_layer() {
            return EveryLayer::bytes(self.weight_bytes / size_of::<f32>());
        }
        let Measure::Reconstruction(reconstruction) = measure else {
            return (2 * widest * n + 8 * widest.min(n).pow(2)) * size_of::<f64>();
        };
        let inputs = &self.variables.inputs;
        let made = self.variables.targets[place].as_ref().map_or(inputs.width(&reconstruction.of), ArrayBase::ncols);
        let tap = self.taps.iter().position(|tap| tap.name == reconstruction.of).map(|tap| {
            // Another layer is compressed at each checkpoint.
            reconstruction.compress.components(self.widths[tap])
        });
        let columns = if inputs.has(&reconstruction.of) { Some(made) } else { tap };
        reconstruction.decoder.bytes(n, widest, columns.unwrap_or(0))
    }
}
