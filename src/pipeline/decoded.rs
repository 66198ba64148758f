//! What decoders rebuild, as rows.

use ndarray::{ArrayView1, Zip};

use super::rows::{Cell, Found, position, sample};
use super::{Plan, Reconstruction};
use crate::archive::Checkpoint;
use crate::estimate::compress::Compression;
use crate::estimate::reconstruction::Decoded;
use crate::table::{PositionRow, SampleId, SampleRow};

/// All that a measure gives of a tap.
#[derive(Default)]
pub(super) struct OfCell {
    pub found: Vec<Found>,
    pub samples: Vec<SampleRow>,
    pub positions: Vec<PositionRow>,
}

impl From<(Vec<Found>, Vec<SampleRow>)> for OfCell {
    fn from((found, samples): (Vec<Found>, Vec<SampleRow>)) -> Self {
        Self { found, samples, positions: Vec::new() }
    }
}

/// The names of the rows that a reconstruction always has.
pub(super) fn names(reconstruction: &Reconstruction) -> Vec<&'static str> {
    let bound = matches!(reconstruction.compress, Compression::Pca(_)).then_some("information-bound");
    ["reconstruction", "fraction-unexplained"].into_iter().chain(bound).collect()
}

/// The rows of a reconstruction.
pub(super) fn rows(
    plan: &Plan,
    checkpoint: &Checkpoint,
    cell: Cell,
    reconstruction: &Reconstruction,
    decoded: &Decoded,
) -> OfCell {
    let split = plan.variables.split.as_ref().expect("the plan made the split that its measures need");
    let mut found = vec![Found::new("reconstruction", Ok(decoded.loss.clone()))];
    let same = || "the held-out samples of the target do not vary".to_owned();
    found.push(Found::new("fraction-unexplained", decoded.unexplained().ok_or_else(same)));
    if let Compression::Pca(_) = reconstruction.compress {
        let exact = || "a component is rebuilt without error: the bound is infinite".to_owned();
        found.push(Found::new("information-bound", decoded.information_bound().ok_or_else(exact)));
    }
    let label = reconstruction.per_class.as_ref().map(|name| &plan.variables.labels[name]);
    if let Some((label, labels)) = label.and_then(|label| Some((label, label.classes()?))) {
        let of_test: Vec<usize> = split.test.iter().map(|&row| labels.classes()[row]).collect();
        for (class, estimate) in decoded.of_classes(&of_test, labels.n_classes()) {
            let class = Some(label.class_name(class));
            found.push(Found { class, ..Found::new("reconstruction-class", Ok(estimate)) });
        }
    }
    for found in &mut found {
        found.n_train = Some(split.train.len());
    }
    let ids = plan.sample_ids();
    let mut samples = Vec::new();
    if reconstruction.per_sample {
        let blank = sample(plan, checkpoint, cell);
        let losses = decoded.of_samples().0;
        samples.extend(split.test.iter().zip(losses).map(|(&row, value)| SampleRow {
            sample: SampleId(ids[row]),
            label: label.map(|label| label.text(row)).unwrap_or_default(),
            value,
            ..blank.clone()
        }));
    }
    let mut positions = Vec::new();
    let blank = position(plan, checkpoint, cell);
    if reconstruction.per_position {
        let (losses, mean_losses) = decoded.of_positions();
        positions.extend(losses.iter().zip(&mean_losses).enumerate().map(|(place, (&value, &mean_predictor))| {
            PositionRow { position: index(place), value, mean_predictor, ..blank.clone() }
        }));
    }
    if let Some(keep) = &reconstruction.keep
        && (keep.steps.is_empty() || keep.steps.contains(&checkpoint.step()))
    {
        for (place, &row) in split.test.iter().enumerate().take(keep.samples.get()) {
            let (target, rebuilt) = (decoded.target.row(place), decoded.rebuilt.row(place));
            positions.extend(of_sample(&blank, SampleId(ids[row]), target, rebuilt, decoded.means.view()));
        }
    }
    OfCell { found, samples, positions }
}

/// One sample beside what was rebuilt of it.
fn of_sample(
    blank: &PositionRow,
    sample: SampleId,
    target: ArrayView1<'_, f64>,
    rebuilt: ArrayView1<'_, f64>,
    means: ArrayView1<'_, f64>,
) -> Vec<PositionRow> {
    let mut rows = Vec::with_capacity(target.len());
    Zip::from(target).and(rebuilt).and(means).for_each(|&target, &rebuilt, &mean| {
        rows.push(PositionRow {
            position: index(rows.len()),
            sample: Some(sample),
            target: Some(target),
            rebuilt: Some(rebuilt),
            value: (target - rebuilt).powi(2),
            mean_predictor: (target - mean).powi(2),
            ..blank.clone()
        });
    });
    rows
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
