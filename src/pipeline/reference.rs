//! The checkpoint that the graph was exported from, and the proof of the binding.

use std::ops::ControlFlow;
use std::path::Path;

use super::{GraphTable, PipelineError, Reference};
use crate::archive::{ArchiveError, Checkpoint, Series, Weights};
use crate::graph::{Binding, Elsewhere, Fed, GraphError, Model, Tap};
use crate::replay::{Activations, FeedInputs, Runtime, Session, TensorInfo, check_batch, replay};
use crate::samples::Samples;

/// The largest relative difference that a proven binding may show.
///
/// Equal weights give equal results up to the order of sums: with the weights in the graph the
/// optimizers may fold more, and folds that are recomputed are rounded once more, which showed as
/// 10⁻⁶ at most over the exports in `data/zoo`. Wrong weights of the right shape show far above
/// that, but for weights that hardly matter to any output (the key bias of attention, which the
/// softmax cancels): of those the equal value itself is the evidence.
pub(super) const LARGEST_DIFFERENCE: f64 = 1e-4;

/// What the reference checkpoint settled.
#[derive(Debug)]
pub(super) struct Bound {
    /// The model, with what its exporter merged or dropped given back.
    pub model: Model,
    pub binding: Binding,
    pub checkpoint: Checkpoint,
    pub weights: Weights,
}

/// How well the graph with bound weights agrees with the graph with its own.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The largest difference over all taps and outputs, relative to each one's largest value.
    pub largest_difference: f64,
    /// The tap or output where it was found.
    pub tensor: String,
    /// The samples compared.
    pub n_samples: usize,
}

impl Proof {
    /// Whether the difference is what rounding explains.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.largest_difference <= LARGEST_DIFFERENCE
    }
}

/// Finds the reference checkpoint and binds the graph to it.
pub(super) fn bind(folder: &Path, table: &GraphTable, model: &Model, series: &Series) -> Result<Bound, PipelineError> {
    let checkpoints = series.checkpoints();
    let by_value = |checkpoint: &Checkpoint| bound(table, model, checkpoint.open()?, checkpoint, checkpoints);
    match &table.reference {
        Some(Reference::First) => by_value(&checkpoints[0]),
        Some(Reference::Last) => by_value(&checkpoints[checkpoints.len() - 1]),
        Some(Reference::Step(step)) => {
            let found = checkpoints.iter().find(|checkpoint| checkpoint.step() == *step);
            by_value(found.ok_or(PipelineError::UnknownReference { step: *step })?)
        }
        Some(Reference::File(file)) => by_value(&Checkpoint::alone(folder, file)?),
        Some(Reference::None) => {
            let (checkpoint, weights) = first_readable(checkpoints)?;
            let mut model = model.clone();
            let others = elsewhere(checkpoints, checkpoint);
            let binding = Binding::by_name(&mut model, &table.bind, checkpoint.name(), &weights, &others)?;
            Ok(Bound { model, binding, checkpoint: checkpoint.clone(), weights })
        }
        None => search(table, model, checkpoints),
    }
}

fn bound(
    table: &GraphTable,
    model: &Model,
    weights: Weights,
    checkpoint: &Checkpoint,
    checkpoints: &[Checkpoint],
) -> Result<Bound, PipelineError> {
    let mut model = model.clone();
    let others = elsewhere(checkpoints, checkpoint);
    // Every value is compared: brought together, they take few requests.
    weights.load(weights.tensors().map(|tensor| tensor.name))?;
    let binding = Binding::by_value(&mut model, &table.bind, checkpoint.name(), &weights, &others)?;
    Ok(Bound { model, binding, checkpoint: checkpoint.clone(), weights })
}

/// The first, the middle and the last checkpoint, less the reference and unreadable ones.
fn elsewhere(checkpoints: &[Checkpoint], reference: &Checkpoint) -> Elsewhere {
    let is_reference = |other: &Checkpoint| other.location() == reference.location();
    // A reference outside of the series has nothing before it for all that can be told.
    let place = checkpoints.iter().position(is_reference).unwrap_or(0);
    let last = checkpoints.len() - 1;
    let mut places = vec![0, last / 2, last];
    places.dedup();
    let mut elsewhere = Elsewhere::default();
    for other in places.into_iter().filter(|&other| !is_reference(&checkpoints[other])) {
        let side = if other < place { &mut elsewhere.before } else { &mut elsewhere.after };
        side.extend(checkpoints[other].open());
    }
    elsewhere
}

/// Tries the last checkpoint, and then the one that shares more weights with the graph than it does.
///
/// Graphs are mostly exported from the last one: what is shared is looked at only if it is refused.
fn search(table: &GraphTable, model: &Model, checkpoints: &[Checkpoint]) -> Result<Bound, PipelineError> {
    let mut unreadable: Option<ArchiveError> = None;
    let mut tried = None;
    for (place, checkpoint) in checkpoints.iter().enumerate().rev() {
        match checkpoint
            .open()
            .map_err(PipelineError::from)
            .and_then(|it| bound(table, model, it, checkpoint, checkpoints))
        {
            Err(PipelineError::Archive(error) | PipelineError::Graph(GraphError::Archive(error))) => {
                unreadable = unreadable.or(Some(error));
            }
            Err(PipelineError::Graph(nearest)) => {
                tried = Some((place, nearest));
                break;
            }
            other => return other,
        }
    }
    let Some((last, nearest)) = tried else { return Err(unreadable.expect("a series has a checkpoint").into()) };
    // A checkpoint that cannot be read shares nothing.
    let shared = |place: usize| checkpoints[place].open().ok().and_then(|it| Binding::resemblance(model, &it).ok());
    // Of equally like ones the later, and the one that was refused before all.
    let likest = (0..=last).max_by_key(|&place| (shared(place).unwrap_or(0), place)).unwrap_or(last);
    if likest == last {
        return Err(PipelineError::NoReference { nearest });
    }
    let checkpoint = &checkpoints[likest];
    bound(table, model, checkpoint.open()?, checkpoint, checkpoints).map_err(|error| match error {
        PipelineError::Graph(nearest) => PipelineError::NoReference { nearest },
        other => other,
    })
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

/// What one batch through the bound graph gave.
pub(super) struct Trial {
    /// The activations of the taps, for their widths.
    pub taps: Vec<Activations>,
    /// The outputs of the graph, for the loss.
    pub outputs: Vec<TensorInfo>,
    /// The inputs as the graph takes them.
    pub feed: FeedInputs,
    /// None where there was no value to compare with.
    pub proof: Option<Proof>,
}

/// Runs one batch through the graph with bound weights, and with its own where there is a reference.
///
/// Its own means the file as the exporter wrote it, so that what was done to the graph since is part
/// of what is proven. Where the checkpoint holds rounded weights, the graph's own are rounded alike.
pub(super) fn prove(
    runtime: &Runtime,
    bound: &Bound,
    taps: &[Tap],
    samples: &Samples,
    batch: usize,
) -> Result<Trial, PipelineError> {
    let Bound { model, binding, checkpoint, weights } = bound;
    let names: Vec<&str> = taps.iter().map(|tap| tap.name.as_str()).collect();
    let outputs: Vec<Tap> = model.outputs().into_iter().filter(|name| !names.contains(name)).map(Tap::flat).collect();
    let all: Vec<Tap> = taps.iter().cloned().chain(outputs).collect();
    let label = model.path().display().to_string();
    let graph = model.session(&names, &model.outputs(), &binding.initializers());
    let values = binding.values(checkpoint.name(), weights, &graph.fed)?;
    let mut session = Session::new(runtime, &label, &graph.bytes, None, values)?;
    let feed = FeedInputs::new(samples, session.inputs())?;
    check_batch(&session, batch, samples.len())?;
    let trial = samples.first(batch);
    let run = |session: &mut Session, taps: &[Tap]| -> Result<Vec<Activations>, PipelineError> {
        let feed = FeedInputs::new(&trial, session.inputs())?;
        Ok(replay(session, &feed, taps, &[], batch, &|| ControlFlow::Continue(()))?.taps)
    };
    let mut found = run(&mut session, &all)?;
    let infos: Vec<TensorInfo> =
        session.outputs().iter().filter(|info| model.outputs().contains(&info.name.as_str())).cloned().collect();
    drop(session);
    let proof = if binding.is_proven() {
        let expected = if binding.feeds.iter().any(|feed| feed.rounded.is_some()) {
            let own = own_values(model, binding, &graph.fed);
            run(&mut Session::new(runtime, &label, &graph.bytes, None, own)?, &all)?
        } else {
            let original = model.original(&names);
            let there = |tap: &&Tap| !names.contains(&tap.name.as_str()) || original.taps.contains(&tap.name);
            let there: Vec<Tap> = all.iter().filter(there).cloned().collect();
            let folder = original.folder.as_deref();
            run(&mut Session::new(runtime, &label, &original.bytes, folder, Vec::new())?, &there)?
        };
        Some(compare(&found, &expected))
    } else {
        None
    };
    found.truncate(taps.len());
    Ok(Trial { taps: found, outputs: infos, feed, proof })
}

/// The graph's own weights, rounded as the checkpoint's are.
fn own_values<'m>(model: &'m Model, binding: &Binding, fed: &[String]) -> Vec<Fed<'m>> {
    let initializers = model.initializers();
    let wanted = initializers.into_iter().filter(|initializer| fed.iter().any(|name| name == initializer.name));
    wanted
        .filter_map(|initializer| {
            let feed = binding.feeds.iter().find(|feed| feed.initializer == initializer.name)?;
            let own = initializer.values()?;
            let rounded = match feed.rounded {
                Some(kind) => own.cast(kind).ok()?.cast(feed.kind).ok()?,
                None => own,
            };
            Some((initializer.name.to_owned(), initializer.shape, rounded))
        })
        .collect()
}

/// The distance of two values; infinite where only one of them is a number, or both are other infinities.
pub(super) fn difference(a: f64, b: f64) -> f64 {
    let equal = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    match (a - b).abs() {
        _ if equal => 0.0,
        distance if distance.is_finite() => distance,
        _ => f64::INFINITY,
    }
}

/// The largest difference over the tensors that both have, each relative to its own largest value.
fn compare(found: &[Activations], expected: &[Activations]) -> Proof {
    let mut worst = (0.0, "");
    for expected in expected {
        let Some(found) = found.iter().find(|found| found.tap == expected.tap) else { continue };
        let finite = expected.values.iter().filter(|value| value.is_finite());
        let scale = finite.fold(f64::MIN_POSITIVE, |largest, value| largest.max(f64::from(value.abs())));
        let pairs = found.values.iter().zip(&expected.values);
        let largest = pairs.map(|(a, b)| difference((*a).into(), (*b).into())).fold(0.0, f64::max);
        if largest / scale > worst.0 {
            worst = (largest / scale, expected.tap.as_str());
        }
    }
    Proof {
        largest_difference: worst.0,
        tensor: worst.1.to_owned(),
        n_samples: expected.first().map_or(0, |tap| tap.values.nrows()),
    }
}
