//! One checkpoint: replayed, measured, turned into rows.

use std::ops::ControlFlow;

use ndarray::Array2;
use rayon::prelude::*;

use super::records::NOT_AS_RECORDED;
use super::variables::{INPUT, parameters};
use super::{Information, Measure, PipelineError, Plan};
use crate::archive::{Checkpoint, Weights};
use crate::estimate::compress::{Compressed, Compression};
use crate::estimate::{Estimate, EstimateError, Flag, Paired, Unit, finite};
use crate::replay::{Activations, ReplayError, Replayed, Score, Session, replay, score};
use crate::table::{CheckpointRow, MeasurementRow};

/// The flag of rows whose binding could not be compared by value.
const UNPROVEN: &str = "unproven-binding";

/// The flag of rows whose binding broke a tie by nothing better than order.
const AMBIGUOUS: &str = "ambiguous-binding";

/// The flag of a checkpoint that holds the very weights of the one before.
const SAME_AS_BEFORE: &str = "same-as-before";

/// The rows of one checkpoint.
#[derive(Debug)]
pub(super) struct Rows {
    pub measurements: Vec<MeasurementRow>,
    pub checkpoint: CheckpointRow,
}

/// A value with the number of dimensions that it was computed from.
struct Measured {
    estimate: Estimate,
    n_components: Option<usize>,
}

/// Replays and measures a checkpoint; what is wrong with it becomes rows.
///
/// `unchanged` are the tensors that it shares with the checkpoint before, where that is known.
///
/// # Errors
///
/// [`ReplayError::Stopped`] only.
pub(super) fn rows(
    plan: &Plan,
    checkpoint: &Checkpoint,
    weights: &Weights,
    hash: &str,
    unchanged: Option<Vec<String>>,
    go_on: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Result<Rows, ReplayError> {
    let mut row = checkpoint_row(plan, checkpoint, Some(hash));
    row.n_tensors = Some(weights.len() as u64);
    if unchanged.as_ref().is_some_and(|unchanged| unchanged.len() == plan.tensors.len()) {
        row.flags.push(SAME_AS_BEFORE.to_owned());
    }
    row.unchanged = unchanged;
    let mut measurements = match replayed(plan, checkpoint, weights, go_on) {
        Err(PipelineError::Replay(ReplayError::Stopped)) => return Err(ReplayError::Stopped),
        Err(error) => return Ok(failed(plan, checkpoint, Some(hash), &error.to_string())),
        Ok(replayed) => {
            score_network(plan, &replayed, &mut row);
            compare_with_records(plan, checkpoint, &replayed, &mut row);
            measure_all(plan, checkpoint, &replayed.taps, go_on)?
        }
    };
    // What puts the whole checkpoint in doubt puts each of its numbers in doubt.
    for measurement in &mut measurements {
        measurement.flags.retain(|flag| flag != AMBIGUOUS);
        measurement.flags.extend(
            [AMBIGUOUS, SAME_AS_BEFORE, NOT_AS_RECORDED]
                .map(str::to_owned)
                .into_iter()
                .filter(|flag| row.flags.contains(flag)),
        );
    }
    Ok(Rows { measurements, checkpoint: row })
}

/// The rows of a checkpoint that failed as a whole: every planned one, without a value.
pub(super) fn failed(plan: &Plan, checkpoint: &Checkpoint, hash: Option<&str>, reason: &str) -> Rows {
    let measurements = cells(plan).map(|(tap, place)| blank(plan, checkpoint, tap, place, Some(reason))).collect();
    let row = checkpoint_row(plan, checkpoint, hash);
    Rows { measurements, checkpoint: CheckpointRow { error: Some(reason.to_owned()), ..row } }
}

fn checkpoint_row(plan: &Plan, checkpoint: &Checkpoint, hash: Option<&str>) -> CheckpointRow {
    CheckpointRow {
        run: plan.name.clone(),
        file: checkpoint.name().to_owned(),
        hash: hash.map(str::to_owned),
        loss: None,
        accuracy: None,
        recorded_loss: None,
        recorded_difference: None,
        n_samples: plan.n_samples() as u64,
        n_tensors: None,
        unchanged: None,
        flags: doubts(plan),
        error: None,
    }
}

/// What is doubtful about every number of a run.
fn doubts(plan: &Plan) -> Vec<String> {
    let doubts = [(!plan.binding.is_proven(), UNPROVEN), (plan.binding.is_ambiguous(), AMBIGUOUS)];
    doubts.into_iter().filter(|(holds, _)| *holds).map(|(_, flag)| flag.to_owned()).collect()
}

/// What puts every number of a checkpoint in doubt, in words.
pub(super) fn doubt(row: &CheckpointRow) -> Option<String> {
    let has = |flag: &str| row.flags.iter().any(|found| found == flag);
    if has(NOT_AS_RECORDED) {
        let loss = match (row.loss, row.recorded_loss) {
            (Some(found), Some(recorded)) => format!("; loss {found:.6}, recorded {recorded:.6}"),
            _ => String::new(),
        };
        return Some(format!(
            "the replay is not as the framework recorded{loss}; `infoplane bind` compares all checkpoints"
        ));
    }
    has(SAME_AS_BEFORE).then(|| "holds the very weights of the checkpoint before; was it saved twice?".to_owned())
}

fn replayed(
    plan: &Plan,
    checkpoint: &Checkpoint,
    weights: &Weights,
    go_on: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Result<Replayed, PipelineError> {
    let values = plan.binding.values(checkpoint.name(), weights, &plan.graph.fed)?;
    let mut session = Session::new(plan.runtime, &plan.label, &plan.graph.bytes, None, values)?;
    let batch = plan.pipeline.replay.batch.get();
    Ok(replay(&mut session, &plan.feed, &plan.taps, plan.outlet.as_deref(), batch, go_on)?)
}

fn compare_with_records(plan: &Plan, checkpoint: &Checkpoint, replayed: &Replayed, row: &mut CheckpointRow) {
    let compared = plan.records.compare(checkpoint.step(), row.loss, replayed);
    row.recorded_loss = compared.loss;
    row.recorded_difference = compared.difference;
    if compared.differs {
        row.flags.push(NOT_AS_RECORDED.to_owned());
    }
    // What the framework itself computed with this checkpoint settles what the values left open.
    if compared.agrees {
        row.flags.retain(|flag| flag != AMBIGUOUS);
    }
}

fn score_network(plan: &Plan, replayed: &Replayed, row: &mut CheckpointRow) {
    match scored(plan, replayed) {
        None => {}
        Some(Ok(score)) => {
            row.loss = Some(score.loss);
            row.accuracy = Some(score.accuracy);
            if score.looks_like_probabilities {
                row.flags.push("output-is-probabilities".to_owned());
            }
        }
        Some(Err(error)) => row.error = Some(error.to_string()),
    }
}

/// The network's own loss and accuracy, where the plan says what they are computed from.
pub(super) fn scored(plan: &Plan, replayed: &Replayed) -> Option<Result<Score, ReplayError>> {
    let (Ok((output, label)), Some(logits)) = (&plan.loss, &replayed.output) else { return None };
    let column = plan.samples.labels.iter().find(|column| column.name == *label);
    let labels = &column.expect("the plan checked that the column is there").values;
    Some(score(output, logits.values.view(), label, labels))
}

/// Every (tap, measure) of a checkpoint by place, in the order of the rows.
fn cells(plan: &Plan) -> impl Iterator<Item = (usize, usize)> {
    let measures = plan.pipeline.estimate.measures.len();
    (0..plan.taps.len()).flat_map(move |tap| (0..measures).map(move |measure| (tap, measure)))
}

fn measure_all(
    plan: &Plan,
    checkpoint: &Checkpoint,
    taps: &[Activations],
    go_on: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Result<Vec<MeasurementRow>, ReplayError> {
    if plan.pipeline.estimate.measures.is_empty() {
        return Ok(Vec::new());
    }
    let compressions = distinct_compressions(&plan.pipeline.estimate.measures);
    // Several measures look at one compressed layer: compress it once.
    let compressed: Vec<Vec<Result<Compressed, String>>> = taps
        .par_iter()
        .map(|tap| {
            let valid = finite("activations", tap.values.view()).map_err(|error| error.to_string());
            compressions
                .par_iter()
                .map(|compression| {
                    valid.clone()?;
                    compression.compress(tap.values.view()).map_err(|error| error.to_string())
                })
                .collect()
        })
        .collect();
    let all: Vec<(usize, usize)> = cells(plan).collect();
    all.par_iter()
        .map(|&(tap, place)| {
            if go_on().is_break() {
                return Err(ReplayError::Stopped);
            }
            let measure = &plan.pipeline.estimate.measures[place];
            let measured = match measure {
                Measure::Information(information) => {
                    let which = compressions.iter().position(|compression| *compression == &information.compress);
                    let layer = &compressed[tap][which.expect("every compression is among the distinct ones")];
                    layer
                        .as_ref()
                        .map_err(Clone::clone)
                        .and_then(|layer| informed(plan, place, information, layer).map_err(|error| error.to_string()))
                }
                other => decoded(plan, other, &taps[tap]),
            };
            Ok(filled(plan, checkpoint, tap, place, measured))
        })
        .collect()
}

fn distinct_compressions(measures: &[Measure]) -> Vec<&Compression> {
    let mut distinct = Vec::new();
    for measure in measures {
        if let Measure::Information(Information { compress, .. }) = measure
            && !distinct.contains(&compress)
        {
            distinct.push(compress);
        }
    }
    distinct
}

/// Information between a compressed layer and the input or a label.
fn informed(
    plan: &Plan,
    place: usize,
    information: &Information,
    layer: &Compressed,
) -> Result<Measured, EstimateError> {
    let degenerate = |error: crate::estimate::SampleError| EstimateError::Degenerate { reason: error.to_string() };
    let rescaled = information.margins.rescale(layer.scores.view()).samples;
    let n_components = Some(rescaled.ncols());
    let of_input = plan.variables.compressed[place].as_ref();
    let nothing = rescaled.ncols() == 0 || of_input.is_some_and(|inputs: &Array2<f64>| inputs.ncols() == 0);
    let mut estimate = if nothing {
        Estimate::constant(plan.n_samples())
    } else if let Some(inputs) = of_input {
        let pairs = Paired::new(inputs.view(), rescaled.view()).map_err(degenerate)?;
        information.estimator.continuous().expect("the plan checked the estimator").estimate(pairs)?
    } else {
        let labels = &plan.variables.labels[&information.of];
        information.estimator.labeled().expect("the plan checked the estimator").estimate(rescaled.view(), labels)?
    };
    if information.of == INPUT {
        estimate.flag(Flag::Deterministic);
    }
    if let Compression::Pca(_) = information.compress {
        estimate.detail("explained_variance", layer.explained_variance_ratio.iter().sum::<f64>());
        estimate.detail("rank", layer.rank);
    }
    Ok(Measured { estimate, n_components })
}

/// What a probe or a decoder reads from a layer.
fn decoded(plan: &Plan, measure: &Measure, layer: &Activations) -> Result<Measured, String> {
    finite("activations", layer.values.view()).map_err(|error| error.to_string())?;
    let variables = &plan.variables;
    let split = variables.split.as_ref().expect("the plan made the split that its measures need");
    let estimate = match measure {
        Measure::Usable(usable) => usable.probe.estimate(layer.values.view(), &variables.labels[&usable.label], split),
        Measure::Reconstruction(reconstruction) => {
            let inputs = variables.inputs.as_ref().expect("the plan made the inputs that its measures need");
            reconstruction.decoder.estimate(layer.values.view(), inputs.view(), split)
        }
        Measure::Information(_) => unreachable!("information is measured on compressed layers"),
    };
    estimate.map(|estimate| Measured { estimate, n_components: None }).map_err(|error| error.to_string())
}

fn filled(
    plan: &Plan,
    checkpoint: &Checkpoint,
    tap: usize,
    place: usize,
    measured: Result<Measured, String>,
) -> MeasurementRow {
    match measured {
        Err(reason) => blank(plan, checkpoint, tap, place, Some(&reason)),
        Ok(Measured { estimate, n_components }) => {
            let mut row = blank(plan, checkpoint, tap, place, None);
            if !estimate.value.is_finite() {
                row.error = Some(format!("the estimate is {}", estimate.value));
                return row;
            }
            row.unit = name(&estimate.unit);
            row.value = Some(estimate.value);
            row.std_error = estimate.std_error.filter(|error| error.is_finite());
            row.n_samples = Some(estimate.n_samples as u64);
            row.n_components = n_components.map(|components| components as u64);
            row.flags.extend(estimate.flags.iter().map(name));
            row.details = serde_json::Value::Object(estimate.details).to_string();
            row
        }
    }
}

/// A row without a value.
fn blank(plan: &Plan, checkpoint: &Checkpoint, tap: usize, place: usize, reason: Option<&str>) -> MeasurementRow {
    let measure = &plan.pipeline.estimate.measures[place];
    let (estimator, compression, unit) = match measure {
        Measure::Information(information) => (key(&information.estimator), key(&information.compress), Unit::Nats),
        Measure::Usable(usable) => (key(&usable.probe), "none".to_owned(), Unit::Nats),
        Measure::Reconstruction(reconstruction) => {
            (key(&reconstruction.decoder), "none".to_owned(), Unit::SquaredUnits)
        }
    };
    MeasurementRow {
        run: plan.name.clone(),
        file: checkpoint.name().to_owned(),
        tap: plan.taps[tap].name.clone(),
        tap_index: u32::try_from(tap).unwrap_or(u32::MAX),
        measure: measure.name().to_owned(),
        variable: measure.variable().to_owned(),
        estimator,
        compression,
        parameters: parameters(measure),
        unit: name(&unit),
        value: None,
        std_error: None,
        n_samples: None,
        n_units: Some(plan.widths[tap] as u64),
        n_components: None,
        seed: plan.pipeline.seed,
        flags: doubts(plan),
        details: "{}".to_owned(),
        error: reason.map(str::to_owned),
    }
}

/// The name of an externally tagged choice: `{ ksg = { ... } }` is `ksg`.
fn key(choice: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(choice).expect("every choice can be written as JSON");
    value.as_object().and_then(|object| object.keys().next().cloned()).unwrap_or_default()
}

/// The name of a unit or a flag, as files spell it.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
