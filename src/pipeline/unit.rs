//! One unit: some taps of a checkpoint, replayed, measured, turned into rows.

use std::ops::{ControlFlow, Range};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cells::{Measured, measure_all, missing};
use super::layers::Layers;
use super::meter::Seconds;
use super::noise::{Disturbed, NoisePlan};
use super::processing::flag_gains;
use super::records::NOT_AS_RECORDED;
use super::rows::{cells, row};
use super::shared::Shared;
use super::{PipelineError, Plan};
use crate::archive::{Checkpoint, Fault, Weights};
use crate::graph::Tap;
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

/// The rows of one unit, or of a whole checkpoint.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Rows {
    pub measured: Measured,
    pub checkpoint: CheckpointRow,
    /// What is wrong with the checkpoint, where nothing of it could be measured.
    #[serde(skip)]
    pub fault: Option<Fault>,
    /// What it took.
    #[serde(skip)]
    pub seconds: Seconds,
}

impl Rows {
    /// How many rows have no value.
    pub(super) fn failed(&self) -> usize {
        let measurements = self.measured.measurements.iter().filter(|row| row.value.is_none()).count();
        measurements + usize::from(self.checkpoint.error.is_some())
    }

    /// How many of them are of some of so many taps; what is wrong with the checkpoint itself counts with the first tap, layers
    /// that are no taps with the last.
    pub(super) fn failed_in(&self, taps: &Range<usize>, n_taps: usize) -> usize {
        let place = |row: &MeasurementRow| (row.tap_index as usize).min(n_taps - 1);
        let is_in = |row: &MeasurementRow| row.value.is_none() && taps.contains(&place(row));
        let measurements = self.measured.measurements.iter().filter(|row| is_in(row)).count();
        measurements + usize::from(self.checkpoint.error.is_some() && taps.start == 0)
    }

    /// Whether nothing of the checkpoint could be measured.
    pub(super) fn has_nothing(&self) -> bool {
        self.checkpoint.error.is_some() && self.checkpoint.n_tensors.is_none()
    }
}

/// Replays a checkpoint and measures some of its taps; what is wrong with it becomes rows.
///
/// What rows of other taps have a say in is left to [`judge`]. `unchanged` are the tensors that it shares with the checkpoint before, where that is known.
///
/// # Errors
///
/// [`ReplayError::Stopped`] only.
pub(super) fn rows(
    plan: &Plan,
    measured: Range<usize>,
    (checkpoint, weights, hash): (&Checkpoint, &Weights, &str),
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
    let places = plan.replayed_taps(measured.clone());
    let begun = Instant::now();
    let mut seconds = Seconds::default();
    let (mut measured, notes) = match replayed(plan, &places, checkpoint, weights, go_on) {
        Err(PipelineError::Replay(ReplayError::Stopped)) => return Err(ReplayError::Stopped),
        Err(error) => {
            let fault = error.fault();
            return Ok(failed(plan, checkpoint, Some(hash), (&error.to_string(), fault)));
        }
        Ok(Disturbed { replayed, notes }) => {
            seconds.replay = begun.elapsed().as_secs_f64();
            score_network(plan, &replayed, &mut own);
            compare_with_records(plan, checkpoint, &replayed, &mut own);
            let taps = measured;
            let output = replayed.output.as_ref();
            let layers = Layers::new(places.clone(), &replayed.taps);
            let mut measured =
                measure_all(plan, (checkpoint, weights), (taps.clone(), &layers, output), shared, go_on)?;
            for (subset, shared) in plan.subsets.iter().zip(&shared.subsets) {
                let cut = subset.chosen(&replayed);
                let layers = Layers::new(places.clone(), &cut.taps);
                let of_subset = (taps.clone(), &layers, cut.output.as_ref());
                measured.extend(measure_all(subset, (checkpoint, weights), of_subset, shared, go_on)?);
            }
            (measured.by_tap(), notes)
        }
    };
    for measurement in &mut measured.measurements {
        let place = places.binary_search(&(measurement.tap_index as usize)).ok();
        if let Some(note) = place.and_then(|place| notes.get(place)).and_then(Option::as_ref) {
            measurement.details = with_noise(&measurement.details, note);
        }
    }
    seconds.measure = begun.elapsed().as_secs_f64() - seconds.replay;
    Ok(Rows { measured, checkpoint: own, fault: None, seconds })
}

/// Whether later taps see what earlier ones see, so that none of them can know more.
pub(super) fn is_chain(plan: &Plan) -> bool {
    plan.noise.as_ref().is_none_or(NoisePlan::reaches_later_taps)
}

/// Flags what is doubtful beside the other rows of the checkpoint, once all of them are there.
pub(super) fn judge(rows: &mut Rows, is_chain: bool) {
    let Rows { measured, checkpoint: own, .. } = rows;
    flag_gains(&mut measured.measurements, is_chain);
    // What puts the whole checkpoint in doubt puts each of its numbers in doubt.
    for measurement in &mut measured.measurements {
        measurement.flags.retain(|flag| flag != AMBIGUOUS);
        measurement.flags.extend(
            [AMBIGUOUS, SAME_AS_BEFORE, NOT_AS_RECORDED]
                .map(str::to_owned)
                .into_iter()
                .filter(|flag| own.flags.contains(flag)),
        );
    }
}

/// The rows of a checkpoint that failed as a whole: every planned one, without a value.
pub(super) fn failed(plan: &Plan, checkpoint: &Checkpoint, hash: Option<&str>, (reason, fault): (&str, Fault)) -> Rows {
    let of_population = |plan| {
        cells(plan, 0..plan.taps.len()).flat_map(move |cell| {
            let missing = missing(plan, &plan.pipeline.estimate.measures[cell.place], reason);
            missing.into_iter().map(move |found| row(plan, checkpoint, cell, found))
        })
    };
    let all = plan.populations().flat_map(of_population).collect();
    let measured = Measured { measurements: all, ..Measured::default() }.by_tap();
    let own = checkpoint_row(plan, checkpoint, hash);
    Rows {
        measured,
        checkpoint: CheckpointRow { error: Some(reason.to_owned()), ..own },
        fault: Some(fault),
        seconds: Seconds::default(),
    }
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
        slot_losses: None,
        slot_accuracies: None,
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

/// Replays some taps of a checkpoint, with its noise where there is some.
///
/// The graph is that of all taps in any case: with fewer outputs it would be optimized otherwise, and last bits change.
pub(super) fn replayed(
    plan: &Plan,
    places: &[usize],
    checkpoint: &Checkpoint,
    weights: &Weights,
    go_on: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Result<Disturbed, PipelineError> {
    if let Some(noise) = &plan.noise {
        return noise.replay(plan, places, checkpoint, weights, go_on);
    }
    let values = plan.binding.values(checkpoint.name(), weights, &plan.graph.fed)?;
    let mut session = Session::new(plan.runtime, &plan.label, &plan.graph.bytes, None, values)?;
    let batch = plan.pipeline.replay.batch.get();
    let taps: Vec<Tap> = places.iter().map(|&place| plan.taps[place].clone()).collect();
    let replayed = replay(&mut session, &plan.feed, &taps, &plan.outlets, batch, go_on)?;
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
            let slots = scored_by_slot(plan, replayed);
            row.slot_losses = slots.as_ref().map(|slots| slots.iter().map(|score| score.loss).collect());
            row.slot_accuracies = slots.map(|slots| slots.iter().map(|score| score.accuracy).collect());
            if score.looks_like_probabilities {
                row.flags.push(PROBABILITIES.to_owned());
            }
        }
        Some(Err(error)) => row.error = Some(error.to_string()),
    }
}

/// Loss and accuracy of each head by itself, of a network that has several.
fn scored_by_slot(plan: &Plan, replayed: &Replayed) -> Option<Vec<Score>> {
    let (Ok((output, label)), Some(heads), Some(logits)) = (&plan.loss, &plan.heads, &replayed.output) else {
        return None;
    };
    let slots = heads.by_slot(logits.values.view(), label)?;
    // What is wrong with a slot is wrong with all of them together, and told there.
    slots.into_iter().map(|(logits, values)| score(output, logits, label, &values).ok()).collect()
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
