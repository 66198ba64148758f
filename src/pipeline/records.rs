//! What the training framework recorded, compared with the replay at every checkpoint.
//!
//! The proof of the binding looks at one checkpoint. Losses or outputs that the framework wrote down
//! while it trained are evidence about all of them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use ndarray::Array2;

use super::reference::difference;
use super::{PipelineError, Plan, Recorded, RecordedLosses};
use crate::archive::{Checkpoint, step_of_name};
use crate::replay::{Replayed, Session, TensorInfo, replay};
use crate::samples::{Array, Source};

/// The largest relative difference between a record and the replay.
///
/// Frameworks evaluate in single precision, in other batches and kernels, some in half precision:
/// 10⁻³ covers all of these. Weights of another checkpoint differ by more wherever training has
/// moved at all.
const LARGEST_DIFFERENCE: f64 = 1e-3;

/// The flag of checkpoints whose record differs from the replay.
pub(super) const NOT_AS_RECORDED: &str = "not-as-recorded";

/// Records by step.
#[derive(Debug, Default)]
pub(super) struct Records {
    losses: BTreeMap<u64, f64>,
    outputs: BTreeMap<u64, Array2<f64>>,
    output: Option<String>,
}

/// How a checkpoint compares with its records.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Compared {
    /// The loss that was recorded.
    pub loss: Option<f64>,
    /// The largest difference to the recorded outputs, relative to the largest of them.
    pub difference: Option<f64>,
    /// Whether some record differs by more than rounding explains.
    pub differs: bool,
    /// Whether there is a record, and none differs.
    pub agrees: bool,
}

impl Records {
    /// Reads the records that the pipeline file names.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Recorded`] for files, columns or members that are missing or do not fit.
    pub(super) fn read(
        folder: &Path,
        table: Option<&Recorded>,
        loss: &Result<(String, String), String>,
        outputs: &[TensorInfo],
        samples: usize,
    ) -> Result<Self, PipelineError> {
        let fail = |reason: String| PipelineError::Recorded { reason };
        let mut records = Self::default();
        if let Some(losses) = table.and_then(|table| table.losses.as_ref()) {
            if let Err(reason) = loss {
                return Err(fail(format!("the network's own loss cannot be computed: {reason}")));
            }
            records.losses = read_losses(folder, losses).map_err(fail)?;
        }
        if let Some(file) = table.and_then(|table| table.outputs.as_ref()) {
            let output = match (loss, outputs) {
                (Ok((output, _)), _) => output.clone(),
                (Err(_), [only]) => only.name.clone(),
                (Err(_), _) => {
                    let reason =
                        "found several outputs of the graph; needed to know which one was recorded; name it in `loss`";
                    return Err(fail(reason.to_owned()));
                }
            };
            records.output = Some(output);
            for (member, array) in Source::File(file.clone()).read(folder)? {
                let member = member.unwrap_or_default();
                let step = step_of_name(&member).ok_or_else(|| {
                    fail(format!("`{file}`: found member `{member}`; needed a step in its name, such as `step-000100`"))
                })?;
                records.outputs.insert(step, rows(&array, samples).map_err(fail)?);
            }
        }
        Ok(records)
    }

    /// The output that was recorded.
    pub(super) fn output(&self) -> Option<&str> {
        self.output.as_deref()
    }

    /// A hash of all records: what is compared with them depends on them.
    pub(super) fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (step, loss) in &self.losses {
            hasher.update(&step.to_le_bytes());
            hasher.update(&loss.to_le_bytes());
        }
        for (step, output) in &self.outputs {
            hasher.update(&step.to_le_bytes());
            for value in output {
                hasher.update(&value.to_le_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Compares a checkpoint with its records; a step without a record has nothing to compare.
    pub(super) fn compare(&self, step: u64, loss: Option<f64>, replayed: &Replayed) -> Compared {
        let recorded_loss = self.losses.get(&step).copied();
        let of_loss = recorded_loss.map(|recorded| match loss {
            // A loss of nearly nothing is made of rounding: below a thousandth the difference counts as if it were one.
            Some(loss) => difference(loss, recorded) / recorded.abs().max(1e-3),
            None => f64::INFINITY,
        });
        let of_output = self.outputs.get(&step).map(|recorded| match &replayed.output {
            Some(found) if found.values.ncols() == recorded.ncols() => {
                let finite = recorded.iter().filter(|value| value.is_finite());
                let largest = finite.fold(0.0_f64, |largest, value| largest.max(value.abs()));
                let pairs = recorded.iter().zip(found.values.iter());
                let off = pairs.map(|(a, b)| difference(*a, f64::from(*b))).fold(0.0, f64::max);
                off / largest.max(f64::MIN_POSITIVE)
            }
            _ => f64::INFINITY,
        });
        let differences: Vec<f64> = [of_loss, of_output].into_iter().flatten().collect();
        let differs = differences.iter().any(|difference| difference.is_nan() || *difference > LARGEST_DIFFERENCE);
        Compared {
            loss: recorded_loss,
            difference: of_output.filter(|difference| difference.is_finite()),
            differs,
            agrees: !differences.is_empty() && !differs,
        }
    }
}

fn read_losses(folder: &Path, table: &RecordedLosses) -> Result<BTreeMap<u64, f64>, String> {
    let file = &table.file;
    let read = |error: csv::Error| format!("`{file}`: cannot read: {error}");
    let mut reader = csv::Reader::from_path(folder.join(file)).map_err(read)?;
    let header = reader.headers().map_err(read)?.clone();
    let column = |name: &str| {
        let names: Vec<&str> = header.iter().map(str::trim).collect();
        let place = names.iter().position(|found| *found == name);
        place.ok_or_else(|| format!("`{file}`: found columns {}; needed `{name}`", names.join(", ")))
    };
    let (step, loss) = (column(&table.step)?, column(&table.loss)?);
    let mut losses = BTreeMap::new();
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(read)?;
        let text = |column: usize| record.get(column).unwrap_or_default().trim();
        let wrong = |found: &str, needed: &str| format!("`{file}`: row {}: found `{found}`; needed {needed}", row + 1);
        // Loggers write a row for each split of the data, and leave the columns of others empty.
        if text(loss).is_empty() {
            continue;
        }
        let at: u64 = text(step).trim_end_matches(".0").parse().map_err(|_| wrong(text(step), "a step"))?;
        let value: f64 = text(loss).parse().map_err(|_| wrong(text(loss), "a loss"))?;
        if !value.is_finite() {
            return Err(wrong(text(loss), "a finite loss"));
        }
        if losses.insert(at, value).is_some_and(|before| before.to_bits() != value.to_bits()) {
            return Err(format!("`{file}`: found two losses for step {at}; needed one"));
        }
    }
    if losses.is_empty() { Err(format!("`{file}`: found no loss in column `{}`", table.loss)) } else { Ok(losses) }
}

/// A record as one row a sample.
fn rows(array: &Array, samples: usize) -> Result<Array2<f64>, String> {
    match array.rows() {
        rows if rows == 0 || rows > samples => {
            Err(format!("`{}`: found {rows} rows; needed those of the first samples, {samples} at most", array.name))
        }
        _ => Ok(array.rows_of_numbers()),
    }
}

/// How a checkpoint compares with its records, for looking at the binding.
#[derive(Clone, Debug)]
pub struct RecordCheck {
    /// The training step.
    pub step: u64,
    /// The network's own loss, where it can be computed.
    pub loss: Option<f64>,
    /// The loss that was recorded.
    pub recorded_loss: Option<f64>,
    /// The largest difference to the recorded outputs, relative to the largest of them.
    pub recorded_difference: Option<f64>,
    /// Whether some record differs by more than rounding explains.
    pub differs: bool,
}

impl Plan {
    /// The selected checkpoints that have a record.
    #[must_use]
    pub fn recorded(&self) -> Vec<&Checkpoint> {
        let has_record =
            |step: u64| self.records.losses.contains_key(&step) || self.records.outputs.contains_key(&step);
        self.checkpoints.iter().filter(|checkpoint| has_record(checkpoint.step())).collect()
    }

    /// Replays a checkpoint for nothing but its comparison with the records.
    ///
    /// # Errors
    ///
    /// [`PipelineError`] for a checkpoint that cannot be read, bound or replayed.
    pub fn check_record(&self, checkpoint: &Checkpoint) -> Result<RecordCheck, PipelineError> {
        let weights = checkpoint.open()?;
        let outlets: Vec<&str> = self.outlets.iter().map(String::as_str).collect();
        let graph = self.model.session(&[], &outlets, &self.binding.initializers());
        let values = self.binding.values(checkpoint.name(), &weights, &graph.fed)?;
        let mut session = Session::new(self.runtime, &self.label, &graph.bytes, None, values)?;
        let batch = self.pipeline.replay.batch.get();
        let go_on = || ControlFlow::Continue(());
        let replayed = replay(&mut session, &self.feed, &[], &self.outlets, batch, &go_on)?;
        let loss = super::unit::scored(self, &replayed).transpose()?.map(|score| score.loss);
        let Compared { loss: recorded_loss, difference, differs, .. } =
            self.records.compare(checkpoint.step(), loss, &replayed);
        Ok(RecordCheck { step: checkpoint.step(), loss, recorded_loss, recorded_difference: difference, differs })
    }
}
