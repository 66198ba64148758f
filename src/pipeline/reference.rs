//! The checkpoint that the graph was exported from, and the proof of the binding.

use std::ops::ControlFlow;
use std::path::Path;

use super::{GraphTable, PipelineError, Reference};
use crate::archive::{ArchiveError, Checkpoint, Series, Weights};
use crate::graph::{Binding, GraphError, Model, Tap};
use crate::replay::{Activations, FeedInputs, Runtime, Session, replay};
use crate::samples::Samples;

/// The largest relative difference that a proven binding may show.
///
/// Equal weights give equal results up to the order of sums: with the weights in the graph the
/// optimizers may fold more. Wrong weights of the right shape differ by a good part of the largest
/// value.
const LARGEST_DIFFERENCE: f64 = 1e-4;

/// What the reference checkpoint settled.
#[derive(Debug)]
pub(super) struct Bound {
    pub binding: Binding,
    pub checkpoint: Checkpoint,
    pub weights: Weights,
}

/// How well the graph with bound weights agrees with the graph with its own.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The largest difference over all taps and outputs, relative to each one's largest value.
    pub largest_difference: f64,
    /// The samples compared.
    pub n_samples: usize,
}

/// Finds the reference checkpoint and binds the graph to it.
pub(super) fn bind(folder: &Path, table: &GraphTable, model: &Model, series: &Series) -> Result<Bound, PipelineError> {
    let checkpoints = series.checkpoints();
    let by_value = |checkpoint: &Checkpoint| -> Result<Bound, PipelineError> {
        let weights = checkpoint.open()?;
        let binding = Binding::by_value(model, &table.bind, checkpoint, &weights)?;
        Ok(Bound { binding, checkpoint: checkpoint.clone(), weights })
    };
    match &table.reference {
        Some(Reference::First) => by_value(&checkpoints[0]),
        Some(Reference::Last) => by_value(&checkpoints[checkpoints.len() - 1]),
        Some(Reference::Step(step)) => {
            let found = checkpoints.iter().find(|checkpoint| checkpoint.step() == *step);
            by_value(found.ok_or(PipelineError::UnknownReference { step: *step })?)
        }
        Some(Reference::File(file)) => by_value(&Checkpoint::alone(folder.join(file))),
        Some(Reference::None) => {
            let (checkpoint, weights) = first_readable(checkpoints)?;
            let binding = Binding::by_name(model, &table.bind, checkpoint, &weights)?;
            Ok(Bound { binding, checkpoint: checkpoint.clone(), weights })
        }
        None => search(checkpoints, by_value),
    }
}

/// Tries every checkpoint, the last one first; unreadable ones are none.
fn search(
    checkpoints: &[Checkpoint],
    by_value: impl Fn(&Checkpoint) -> Result<Bound, PipelineError>,
) -> Result<Bound, PipelineError> {
    let mut nearest: Option<GraphError> = None;
    let mut unreadable: Option<ArchiveError> = None;
    for checkpoint in checkpoints.iter().rev() {
        match by_value(checkpoint) {
            Ok(bound) => return Ok(bound),
            Err(PipelineError::Graph(error)) => nearest = nearest.or(Some(error)),
            Err(PipelineError::Archive(error)) => unreadable = unreadable.or(Some(error)),
            Err(other) => return Err(other),
        }
    }
    match (nearest, unreadable) {
        (Some(nearest), _) => Err(PipelineError::NoReference { nearest }),
        (None, Some(error)) => Err(error.into()),
        (None, None) => unreachable!("a series has a checkpoint"),
    }
}

fn first_readable(checkpoints: &[Checkpoint]) -> Result<(&Checkpoint, Weights), ArchiveError> {
    let mut first_error = None;
    for checkpoint in checkpoints {
        match checkpoint.open() {
            Ok(weights) => return Ok((checkpoint, weights)),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.expect("a series has a checkpoint"))
}

/// Runs one batch through the graph with bound weights, and with its own where there is a reference.
///
/// Returns the activations of the taps, for their widths, and the proof.
pub(super) fn prove(
    runtime: &Runtime,
    model: &Model,
    bound: &Bound,
    taps: &[Tap],
    samples: &Samples,
    batch: usize,
) -> Result<(Vec<Activations>, Option<Proof>), PipelineError> {
    let names: Vec<&str> = taps.iter().map(|tap| tap.name.as_str()).collect();
    let outputs: Vec<Tap> = model.outputs().into_iter().filter(|name| !names.contains(name)).map(Tap::flat).collect();
    let all: Vec<Tap> = taps.iter().cloned().chain(outputs).collect();
    let graph = model.path().display().to_string();
    let run = |session: &mut Session| -> Result<Vec<Activations>, PipelineError> {
        let trial = samples.first(batch);
        let feed = FeedInputs::new(&trial, session.inputs())?;
        Ok(replay(session, &feed, &all, None, batch, &|| ControlFlow::Continue(()))?.taps)
    };
    let bytes = model.without_weights(&names, &bound.binding.feeds);
    let mut session = bound_session(runtime, &graph, &bytes, &bound.binding, &bound.checkpoint, &bound.weights)?;
    let mut found = run(&mut session)?;
    drop(session);
    let proof = if bound.binding.is_proven() {
        let mut own = Session::new(runtime, &graph, &model.with_outputs(&names), Vec::new())?;
        let expected = run(&mut own)?;
        Some(compare(&graph, bound, &found, &expected)?)
    } else {
        None
    };
    found.truncate(taps.len());
    Ok((found, proof))
}

/// A session with the weights of a checkpoint, each checked to be finite.
pub(super) fn bound_session(
    runtime: &Runtime,
    graph: &str,
    bytes: &[u8],
    binding: &Binding,
    checkpoint: &Checkpoint,
    weights: &Weights,
) -> Result<Session, PipelineError> {
    let tensors = binding.tensors(checkpoint.name(), weights)?;
    let values = tensors.into_iter().map(|(feed, tensor)| Ok((feed, tensor.values(feed.float)?)));
    let values = values.collect::<Result<Vec<_>, ArchiveError>>()?;
    Ok(Session::new(runtime, graph, bytes, values)?)
}

/// The distance of two values; infinite where only one of them is a number, or both are other infinities.
fn difference(a: f32, b: f32) -> f64 {
    let equal = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    match (f64::from(a) - f64::from(b)).abs() {
        _ if equal => 0.0,
        distance if distance.is_finite() => distance,
        _ => f64::INFINITY,
    }
}

fn compare(
    graph: &str,
    bound: &Bound,
    found: &[Activations],
    expected: &[Activations],
) -> Result<Proof, PipelineError> {
    let mut worst = (0.0, "");
    for (found, expected) in found.iter().zip(expected) {
        let finite = expected.values.iter().filter(|value| value.is_finite());
        let scale = finite.fold(f64::MIN_POSITIVE, |largest, value| largest.max(f64::from(value.abs())));
        let pairs = found.values.iter().zip(&expected.values);
        let largest = pairs.map(|(a, b)| difference(*a, *b)).fold(0.0, f64::max);
        if largest / scale > worst.0 {
            worst = (largest / scale, found.tap.as_str());
        }
    }
    let (difference, tensor) = worst;
    if difference > LARGEST_DIFFERENCE {
        return Err(PipelineError::Unproven {
            graph: graph.to_owned(),
            tensor: tensor.to_owned(),
            difference,
            needed: LARGEST_DIFFERENCE,
            reference: bound.checkpoint.name().to_owned(),
        });
    }
    Ok(Proof { largest_difference: difference, n_samples: found.first().map_or(0, |tap| tap.values.nrows()) })
}
