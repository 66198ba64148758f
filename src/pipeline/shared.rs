//! What all checkpoints share and only a run needs: made once before the first of them, the same for every shard.

use std::ops::ControlFlow;

use ndarray::Array2;
use rayon::ThreadPool;
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::readings::{Readings, seed};
use super::variables::INPUT;
use super::{Information, Measure, PipelineError, Plan, unit};
use crate::archive::Checkpoint;
use crate::estimate::compress::{Axes, Basis, Compressed, Compression};
use crate::estimate::finite;
use crate::replay::Activations;

/// What all checkpoints share.
#[derive(Debug)]
pub(super) struct Shared<'p> {
    /// What is read of the inputs, as a baseline.
    pub readings: Readings<'p>,
    /// For each measure, the inputs as its compression leaves them, when it is about the inputs.
    pub inputs: Vec<Option<CompressedInputs>>,
    bases: Vec<SeriesBasis<'p>>,
}

/// The inputs as a measure compares layers with them.
#[derive(Debug)]
pub(super) struct CompressedInputs {
    pub samples: Array2<f64>,
    /// What rows say of the compression.
    pub details: Map<String, Value>,
}

/// The frame that one compression has for all checkpoints, tap by tap.
#[derive(Debug)]
struct SeriesBasis<'p> {
    compression: &'p Compression,
    axes: Vec<Result<Axes, String>>,
}

impl<'p> Shared<'p> {
    /// Compresses inputs and fits what is fitted once.
    ///
    /// # Errors
    ///
    /// [`PipelineError`] when the inputs cannot be compressed, or the checkpoint of a basis cannot be replayed.
    pub(super) fn new(plan: &'p Plan, pool: &ThreadPool) -> Result<Self, PipelineError> {
        let (readings, inputs) = pool.install(|| (Readings::of_inputs(plan), inputs(plan)));
        Ok(Self { readings, inputs: inputs?, bases: bases(plan, pool)? })
    }

    /// A tap of a checkpoint as a compression leaves it.
    pub(super) fn compress(
        &self,
        plan: &Plan,
        compression: &Compression,
        (tap, layer): (usize, &Activations),
    ) -> Result<Compressed, String> {
        let values = layer.values.view();
        let basis = self.bases.iter().find(|basis| basis.compression == compression);
        let compressed = match basis {
            Some(basis) => basis.axes[tap].clone()?.apply(values),
            None => compression.compress(values, seed(plan, &["compress", &layer.tap, &text(compression)])),
        };
        compressed.map_err(|error| error.to_string())
    }
}

/// The checkpoint that a basis is taken from, by its place in the plan.
///
/// # Errors
///
/// What was found and needed, for a step that the run does not have.
pub(super) fn basis_checkpoint<'c>(checkpoints: &'c [Checkpoint], basis: &Basis) -> Result<&'c Checkpoint, String> {
    match basis {
        Basis::Own => Err("each checkpoint has its own basis".to_owned()),
        Basis::First => Ok(&checkpoints[0]),
        Basis::Last => Ok(&checkpoints[checkpoints.len() - 1]),
        Basis::Step(step) => checkpoints.iter().find(|checkpoint| checkpoint.step() == *step).ok_or_else(|| {
            let last = checkpoints.last().map_or(0, Checkpoint::step);
            format!(
                "found no checkpoint of step {step} for `basis` among those of the run (steps {} to {last}); choose \
                     one of them, or `\"last\"`",
                checkpoints[0].step()
            )
        }),
    }
}

/// The distinct compressions of layers that one checkpoint's basis serves.
pub(super) fn with_basis(measures: &[Measure]) -> Vec<(&Compression, &Basis)> {
    let mut distinct: Vec<(&Compression, &Basis)> = Vec::new();
    for measure in measures {
        if let Measure::Information(Information { compress, .. }) = measure
            && let Some((_, basis)) = compress.basis()
            && !distinct.iter().any(|(other, _)| *other == compress)
        {
            distinct.push((compress, basis));
        }
    }
    distinct
}

fn bases<'p>(plan: &'p Plan, pool: &ThreadPool) -> Result<Vec<SeriesBasis<'p>>, PipelineError> {
    let mut replayed: Vec<(&Checkpoint, Vec<Activations>)> = Vec::new();
    let mut bases = Vec::new();
    for (compression, basis) in with_basis(&plan.pipeline.estimate.measures) {
        let checkpoint = basis_checkpoint(&plan.checkpoints, basis).expect("the plan found it");
        if !replayed.iter().any(|(other, _)| other.step() == checkpoint.step()) {
            let weights = checkpoint.open()?;
            // Brought here: the pool computes and must not wait for a store.
            weights.load(plan.tensors.iter().map(String::as_str))?;
            let go_on = || ControlFlow::Continue(());
            let found = pool.install(|| unit::replayed(plan, checkpoint, &weights, &go_on))?;
            replayed.push((checkpoint, found.replayed.taps));
        }
        let (_, taps) = replayed.iter().find(|(other, _)| other.step() == checkpoint.step()).expect("it was replayed");
        let (pca, _) = compression.basis().expect("it has one");
        let fit = |tap: &Activations| {
            let failed = |reason: String| format!("the basis of step {} failed: {reason}", checkpoint.step());
            finite("activations", tap.values.view()).map_err(|error| failed(error.to_string()))?;
            pca.fit(tap.values.view()).map_err(|error| failed(error.to_string()))
        };
        bases.push(SeriesBasis { compression, axes: pool.install(|| taps.par_iter().map(fit).collect()) });
    }
    Ok(bases)
}

/// The inputs as each measure compresses them; a compression that several measures share is computed once.
fn inputs(plan: &Plan) -> Result<Vec<Option<CompressedInputs>>, PipelineError> {
    let mut distinct: Vec<(&Compression, Compressed)> = Vec::new();
    let mut all = Vec::new();
    for measure in &plan.pipeline.estimate.measures {
        let (Measure::Information(information), Some(inputs)) = (measure, &plan.variables.inputs) else {
            all.push(None);
            continue;
        };
        if information.of != INPUT {
            all.push(None);
            continue;
        }
        let compression = information.input_compression();
        if !distinct.iter().any(|(other, _)| *other == compression) {
            let seed = seed(plan, &["compress", INPUT, &text(compression)]);
            distinct.push((compression, compression.compress(inputs.view(), seed)?));
        }
        let (_, compressed) = distinct.iter().find(|(other, _)| *other == compression).expect("it was added");
        let samples = information.margins.rescale(compressed.scores.view())?.samples;
        // A constant input has no column left: the measure then says so, layer by layer.
        if !samples.is_empty() {
            finite("inputs", samples.view())?;
        }
        all.push(Some(CompressedInputs { samples, details: compressed.details.clone() }));
    }
    Ok(all)
}

fn text(compression: &Compression) -> String {
    serde_json::to_string(compression).expect("every compression can be written as JSON")
}
