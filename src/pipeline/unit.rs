//! One checkpoint: replayed, measured, turned into rows.

use std::ops::ControlFlow;

use serde_json::Value;

use super::cells::{Measured, measure_all, missing};
use super::noise::{Disturbed, NoisePlan};
use super::processing::flag_gains;
use super::records::NOT_AS_RECORDED;
use super::rows::{cells, row};
use super::shared::Shared;
use super::{PipelineError, Plan};
use crate::archive::{Checkpoint, Weights};
use crate::replay::{ReplayError, Replayed, Score, Session, replay, score};
use crate::samples::ColumnLabels;
use crate::table::{CheckpointRow, FailureRow, MeasurementRow};

/// The flag of rows whose binding could not be compared by value.
const UNPROVEN: &str = "unproven-binding";

/// The flag of rows whose binding broke a tie by nothing better than order.
const AMBIGUOUS: &str = "ambiguous-binding";

/// The flag of a checkpoint that holds the very weights of the one before.
const SAME_AS_BEFORE: &str = "same-as-before";

/// The flag of a checkpoint whose output sums to one where logits were expected.
const PROBABILITIES: &str = "output-is-probabilities";

/// The rows of one checkpoint.
#[derive(Debug)]
pub(super) struct Rows {
    pub measured: Measured,
    pub checkpoint: CheckpointRow,
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
    shared: &Shared<'_>,
    go_on: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Result<Rows, ReplayError> {
    let mut own = checkpoint_row(plan, checkpoint, Some(hash));
    own.n_tensors = Some(weights.len() as u64);
    if unchanged.as_ref().is_some_and(|unchanged| unchanged.len() == plan.tensors.len()) {
        own.flags.push(SAME_AS_BEFORE.to_owned());
    }
    own.unchanged = unchanged;
    let (mut measured, notes) = match replayed(plan, checkpoint, weights, go_on) {
        Err(PipelineError::Replay(ReplayError::Stopped)) => return Err(ReplayError::Stopped),
        Err(error) => return Ok(failed(plan, checkpoint, Some(hash), &error.to_string())),
        Ok(Disturbed { replayed, notes }) => {
            score_network(plan, &replayed, &mut own);
            compare_with_records(plan, checkpoint, &replayed, &mut own);
            let mut measured =
                measure_all(plan, checkpoint, (&replayed.taps, replayed.output.as_ref()), shared, go_on)?;
            for (subset, shared) in plan.subsets.iter().zip(&shared.subsets) {
                let cut = subset.cut(&replayed);
                measured.add(measure_all(subset, checkpoint, (&cut.taps, cut.output.as_ref()), shared, go_on)?);
            }
            (measured.by_tap(), notes)
        }
    };
    let is_chain = plan.noise.as_ref().is_none_or(NoisePlan::reaches_later_taps);
    flag_gains(&mut measured.measurements, is_chain);
    // What puts the whole checkpoint in doubt puts each of its numbers in doubt.
    for measurement in &mut measured.measurements {
        if let Some(note) = notes.get(measurement.tap_index as usize).and_then(Option::as_ref) {
            measurement.details = with_noise(&measurement.details, note);
        }
        measurement.flags.retain(|flag| flag != AMBIGUOUS);
        measurement.flags.extend(
            [AMBIGUOUS, SAME_AS_BEFORE, NOT_AS_RECORDED]
                .map(str::to_owned)
                .into_iter()
                .filter(|flag| own.flags.contains(flag)),
        );
    }
    Ok(Rows { measured, checkpoint: own })
}

/// The rows of a checkpoint that failed as a whole: every planned one, without a value.
pub(super) fn failed(plan: &Plan, checkpoint: &Checkpoint, hash: Option<&str>, reason: &str) -> Rows {
    let of_group = |plan| {
        cells(plan).flat_map(move |cell| {
            let missing = missing(plan, &plan.pipeline.estimate.measures[cell.place], reason);
            missing.into_iter().map(move |found| row(plan, checkpoint, cell, found))
        })
    };
    let all = plan.groups().flat_map(of_group).collect();
    let measured = Measured { measurements: all, ..Measured::default() }.by_tap();
    let own = checkpoint_row(plan, checkpoint, hash);
    Rows { measured, checkpoint: CheckpointRow { error: Some(reason.to_owned()), ..own } }
}

/// What could not be had of a checkpoint: the whole, its loss, or single measures.
pub(super) fn failures(measurements: &[MeasurementRow], checkpoint: &CheckpointRow) -> Vec<FailureRow> {
    let of_checkpoint = |what: &str, error: &str| FailureRow {
        run: checkpoint.run.clone(),
        file: checkpoint.file.clone(),
        what: what.to_owned(),
        tap: None,
        tap_index: None,
        measure: None,
        variable: None,
        given: None,
        subset: None,
        estimator: None,
        parameters: None,
        error: error.to_owned(),
    };
    match &checkpoint.error {
        // Every measure has the same reason then.
        Some(error) if checkpoint.n_tensors.is_none() => return vec![of_checkpoint("checkpoint", error)],
        _ => {}
    }
    let loss = checkpoint.error.iter().map(|error| of_checkpoint("loss", error));
    let measures = measurements.iter().filter_map(|row| {
        Some(FailureRow {
            tap: Some(row.tap.clone()),
            tap_index: Some(row.tap_index),
            measure: Some(row.measure.clone()),
            variable: Some(row.variable.clone()),
            given: row.given.clone(),
            subset: row.subset.clone(),
            estimator: Some(row.estimator.clone()),
            parameters: Some(row.parameters.clone()),
            ..of_checkpoint("measure", row.error.as_ref()?)
        })
    });
    loss.chain(measures).collect()
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
pub(super) fn doubts(plan: &Plan) -> Vec<String> {
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

/// Replays a checkpoint, with its noise where there is some.
pub(super) fn replayed(
    plan: &Plan,
    checkpoint: &Checkpoint,
    weights: &Weights,
    go_on: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Result<Disturbed, PipelineError> {
    if let Some(noise) = &plan.noise {
        return noise.replay(plan, checkpoint, weights, go_on);
    }
    let values = plan.binding.values(checkpoint.name(), weights, &plan.graph.fed)?;
    let mut session = Session::new(plan.runtime, &plan.label, &plan.graph.bytes, None, values)?;
    let batch = plan.pipeline.replay.batch.get();
    let replayed = replay(&mut session, &plan.feed, &plan.taps, plan.outlet.as_deref(), batch, go_on)?;
    Ok(Disturbed { replayed, notes: Vec::new() })
}

/// The details of a row with what is known of the noise.
fn with_noise(details: &str, note: &Value) -> String {
    let mut all: Value = serde_json::from_str(details).expect("details are written as JSON");
    all["noise"] = note.clone();
    all.to_string()
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
                row.flags.push(PROBABILITIES.to_owned());
            }
        }
        Some(Err(error)) => row.error = Some(error.to_string()),
    }
}

/// The network's own loss and accuracy, where the plan says what they are computed from.
pub(super) fn scored(plan: &Plan, replayed: &Replayed) -> Option<Result<Score, ReplayError>> {
    let (Ok((output, label)), Some(logits)) = (&plan.loss, &replayed.output) else { return None };
    if let Some(heads) = &plan.heads {
        let (logits, values) = heads.unfold(logits.values.view(), label)?;
        return Some(score(output, logits.view(), label, &values));
    }
    let column = plan.samples.labels.iter().find(|column| column.name == *label);
    match &column.expect("the plan checked that the column is there").labels {
        ColumnLabels::Classes { values, .. } => Some(score(output, logits.values.view(), label, values)),
        ColumnLabels::Numbers(_) => None,
    }
}
