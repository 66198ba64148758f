//! What all checkpoints share and only a run needs: made once before the first of them, the same for every shard.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::{ControlFlow, Range};

use ndarray::{Axis, concatenate};
use rayon::ThreadPool;
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::posterior::{self, Reference};
use super::readings::{Readings, seed};
use super::{Information, Measure, PipelineError, Plan, unit};
use crate::archive::Checkpoint;
use crate::estimate::compress::{Axes, Basis, Compressed, Compression};
use crate::estimate::finite;
use crate::estimate::information::Series;
use crate::replay::Activations;

/// What all checkpoints share.
#[derive(Debug)]
pub(super) struct Shared<'p> {
    /// What is read of the inputs, as a baseline.
    pub readings: Readings<'p>,
    /// For each measure, the inputs as its compression leaves them, when it is about the inputs.
    pub inputs: Vec<Option<CompressedInputs<'p>>>,
    /// For each measure, the bottleneck that its codebooks are held against.
    pub references: Vec<Option<Reference>>,
    bases: Vec<SeriesBasis<'p>>,
    /// What measures of some of the samples only share, subset by subset.
    pub subsets: Vec<Self>,
}

/// The inputs as a measure compares layers with them.
#[derive(Debug)]
pub(super) struct CompressedInputs<'p> {
    /// The inputs, for all layers of all checkpoints.
    pub series: Series<'p>,
    /// What rows say of the compression.
    pub details: Map<String, Value>,
}

/// The frame that one compression has for all checkpoints, tap by tap.
#[derive(Debug)]
struct SeriesBasis<'p> {
    compression: &'p Compression,
    axes: HashMap<usize, Result<Axes, String>>,
}

impl<'p> Shared<'p> {
    /// Compresses inputs and fits what is fitted once, for some groups of taps.
    ///
    /// # Errors
    ///
    /// [`PipelineError`] when the inputs cannot be compressed, or a checkpoint of a basis cannot be replayed.
    pub(super) fn new(plan: &'p Plan, groups: &[Range<usize>], pool: &ThreadPool) -> Result<Self, PipelineError> {
        let (readings, inputs) = pool.install(|| (Readings::of_inputs(plan), inputs(plan)));
        let of_subset = |subset: &'p Plan| Self::new(subset, groups, pool);
        let subsets = plan.subsets.iter().map(of_subset).collect::<Result<_, _>>()?;
        let references = posterior::references(plan, pool)?;
        Ok(Self { readings, inputs: inputs?, references, bases: bases(plan, groups, pool)?, subsets })
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
            Some(basis) => basis.axes[&tap].clone()?.apply(values),
            None => compression.compress(values, seed(plan, &["compress", &layer.tap, &text(compression)])),
        };
        compressed.map_err(|error| error.to_string())
    }
}

/// The checkpoints that a basis is taken from.
///
/// # Errors
///
/// What was found and needed, for steps that the run does not have.
pub(super) fn basis_checkpoints<'c>(
    checkpoints: &'c [Checkpoint],
    basis: &Basis,
) -> Result<Vec<&'c Checkpoint>, String> {
    let last = checkpoints.len() - 1;
    match basis {
        Basis::Own => Err("each checkpoint has its own basis".to_owned()),
        Basis::First => Ok(vec![&checkpoints[0]]),
        Basis::Last => Ok(vec![&checkpoints[last]]),
        Basis::Pooled(count) if (2..=checkpoints.len()).contains(count) => {
            Ok((0..*count).map(|place| &checkpoints[place * last / (count - 1)]).collect())
        }
        Basis::Pooled(count) => Err(format!(
            "found {count} checkpoints to pool for `basis`, needed from 2 to {}, which the run has; of one checkpoint say \
             `\"first\"`, `\"last\"` or `{{ step = ... }}`",
            checkpoints.len()
        )),
        Basis::Step(step) => {
            let found = checkpoints.iter().find(|checkpoint| checkpoint.step() == *step).ok_or_else(|| {
                format!(
                    "found no checkpoint of step {step} for `basis` among those of the run (steps {} to {}); choose one of \
                     them, or `\"last\"`",
                    checkpoints[0].step(),
                    checkpoints[last].step()
                )
            });
            Ok(vec![found?])
        }
    }
}

/// The distinct compressions of layers that one basis serves for all checkpoints.
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

fn bases<'p>(
    plan: &'p Plan,
    groups: &[Range<usize>],
    pool: &ThreadPool,
) -> Result<Vec<SeriesBasis<'p>>, PipelineError> {
    let compressions = with_basis(&plan.pipeline.estimate.measures);
    let bases = compressions.iter().map(|(compression, _)| SeriesBasis { compression, axes: HashMap::new() });
    let mut bases: Vec<SeriesBasis<'_>> = bases.collect();
    // One group after the other: all at once may be more than the memory.
    for group in groups {
        let taps: Vec<usize> = group.clone().collect();
        for (basis, fitted) in bases.iter_mut().zip(fitted(plan, &compressions, &taps, pool)?) {
            basis.axes.extend(taps.iter().copied().zip(fitted));
        }
    }
    Ok(bases)
}

/// For each compression, the axes of each of some taps.
fn fitted(
    plan: &Plan,
    compressions: &[(&Compression, &Basis)],
    taps: &[usize],
    pool: &ThreadPool,
) -> Result<Vec<Vec<Result<Axes, String>>>, PipelineError> {
    let mut replayed: HashMap<u64, Vec<Activations>> = HashMap::new();
    let mut all = Vec::new();
    for (compression, basis) in compressions {
        let checkpoints = basis_checkpoints(&plan.checkpoints, basis).expect("the plan found them");
        for checkpoint in &checkpoints {
            if let Entry::Vacant(place) = replayed.entry(checkpoint.step()) {
                let weights = checkpoint.open()?;
                // Brought here: the pool computes and must not wait for a store.
                weights.load(plan.tensors.iter().map(String::as_str))?;
                let go_on = || ControlFlow::Continue(());
                let found = pool.install(|| unit::replayed(plan, taps, checkpoint, &weights, &go_on))?;
                place.insert(found.replayed.taps);
            }
        }
        let (pca, _) = compression.basis().expect("it has one");
        let fit = |place: usize| {
            let mut layers = Vec::new();
            for checkpoint in &checkpoints {
                let values = replayed[&checkpoint.step()][place].values.view();
                finite("activations", values)
                    .map_err(|error| format!("the basis of step {} failed: {error}", checkpoint.step()))?;
                layers.push(values);
            }
            let fitted = match layers[..] {
                [layer] => pca.fit(layer),
                _ => pca.fit(concatenate(Axis(0), &layers).expect("a tap has as many units at every step").view()),
            };
            fitted.map_err(|error| format!("the basis of the series failed: {error}"))
        };
        all.push(pool.install(|| (0..taps.len()).into_par_iter().map(fit).collect()));
    }
    Ok(all)
}

/// The inputs as each measure compresses them; a compression that several measures share is computed once.
fn inputs(plan: &Plan) -> Result<Vec<Option<CompressedInputs<'_>>>, PipelineError> {
    let mut distinct: Vec<((&str, &Compression), Compressed)> = Vec::new();
    let mut all = Vec::new();
    for measure in &plan.pipeline.estimate.measures {
        let Measure::Information(information) = measure else {
            all.push(None);
            continue;
        };
        if !plan.variables.inputs.has(&information.of) {
            all.push(None);
            continue;
        }
        let inputs = plan.variables.inputs.get(&information.of);
        let compression = information.input_compression();
        let wanted = (information.of.as_str(), compression);
        if !distinct.iter().any(|(other, _)| *other == wanted) {
            let seed = seed(plan, &["compress", &information.of, &text(compression)]);
            distinct.push((wanted, compression.compress(inputs.view(), seed)?));
        }
        let (_, compressed) = distinct.iter().find(|(other, _)| *other == wanted).expect("it was added");
        let samples = information.margins.rescale(compressed.scores.view())?.samples;
        // A constant input has no column left: the measure then says so, layer by layer.
        if !samples.is_empty() {
            finite("inputs", samples.view())?;
        }
        let uncertainty = (&information.interval, information.permutations);
        let seed = information_seed(plan, information);
        let series = Series::new(&information.estimator, samples, uncertainty, seed);
        all.push(Some(CompressedInputs { series, details: compressed.details.clone() }));
    }
    Ok(all)
}

/// The seed of the subsamples and permutations of a measure: the same for every layer and checkpoint.
pub(super) fn information_seed(plan: &Plan, information: &Information) -> u64 {
    seed(plan, &[&information.of, "information"])
}

fn text(compression: &Compression) -> String {
    serde_json::to_string(compression).expect("every compression can be written as JSON")
}
