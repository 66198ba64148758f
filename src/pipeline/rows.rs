//! Values turned into rows.

use std::ops::Range;

use super::unit::doubts;
use super::{Measure, Plan, Subset};
use crate::archive::Checkpoint;
use crate::estimate::{Estimate, Unit};
use crate::table::{MeasurementRow, PositionRow, SampleId, SampleRow};

/// A tap and a measure, by their places in the plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub tap: usize,
    pub place: usize,
}

/// A value that one measure gives of one tap, or why there is none.
pub(super) struct Found {
    /// The name of the measure in the table.
    pub measure: &'static str,
    /// The measure with the one value of each setting that was used, as JSON; none where it has no other.
    pub parameters: Option<String>,
    /// What it is about, where that is not what the measure is.
    pub variable: Option<String>,
    /// The class that it is about.
    pub class: Option<String>,
    /// The layer that it is about where that is no tap: its place among the layers, and its weights.
    pub layer: Option<(usize, String)>,
    pub outcome: Result<Estimate, String>,
    /// The dimensions that it was computed from.
    pub n_components: Option<usize>,
    /// The samples that a probe was fitted to.
    pub n_train: Option<usize>,
}

impl Found {
    pub(super) fn new(measure: &'static str, outcome: Result<Estimate, String>) -> Self {
        Self {
            measure,
            parameters: None,
            variable: None,
            class: None,
            layer: None,
            outcome,
            n_components: None,
            n_train: None,
        }
    }
}

/// Some taps, each with every measure that it has, in the order of the rows.
pub(super) fn cells(plan: &Plan, taps: Range<usize>) -> impl Iterator<Item = Cell> {
    let measures = &plan.pipeline.estimate.measures;
    let is_there = move |cell: &Cell| match &measures[cell.place] {
        measure if measure.is_of_every_layer() => cell.tap + 1 == plan.taps.len(),
        Measure::Gradient(_) => plan.last_tap.is_some_and(|last| last.tap == cell.tap),
        _ => true,
    };
    let places = 0..measures.len();
    taps.flat_map(move |tap| places.clone().map(move |place| Cell { tap, place })).filter(is_there)
}

/// The row of a value.
pub(super) fn row(plan: &Plan, checkpoint: &Checkpoint, cell: Cell, found: Found) -> MeasurementRow {
    let mut row = blank(plan, checkpoint, cell, &found);
    if let Some(parameters) = found.parameters {
        row.parameters = parameters;
    }
    if let Some(variable) = found.variable {
        row.variable = variable;
    }
    row.class = found.class;
    if let Some((place, weights)) = found.layer {
        row.tap = weights;
        row.tap_index = index(plan.taps.len() + place);
        row.n_units = None;
    }
    row.n_train = found.n_train.map(|count| count as u64);
    match found.outcome {
        Err(reason) => row.error = Some(reason),
        Ok(estimate) if !estimate.value.is_finite() => {
            row.error = Some(format!("the estimate is {}", estimate.value));
        }
        Ok(estimate) => {
            row.unit = name(&estimate.unit);
            row.value = Some(estimate.value);
            row.std_error = estimate.std_error.filter(|error| error.is_finite());
            row.interval_low = estimate.interval.map(|interval| interval.low);
            row.interval_high = estimate.interval.map(|interval| interval.high);
            row.null_mean = estimate.null.and_then(|null| null.mean);
            row.null_high = estimate.null.map(|null| null.high);
            row.p_value = estimate.null.and_then(|null| null.p_value);
            row.n_samples = Some(estimate.n_samples as u64);
            row.n_components = found.n_components.map(|components| components as u64);
            row.flags.extend(estimate.flags.iter().map(name));
            row.details = serde_json::Value::Object(estimate.details).to_string();
        }
    }
    row
}

/// A row without a value.
fn blank(plan: &Plan, checkpoint: &Checkpoint, cell: Cell, found: &Found) -> MeasurementRow {
    let measure = &plan.pipeline.estimate.measures[cell.place];
    let (estimator, compression) = method(measure);
    MeasurementRow {
        run: plan.name.clone(),
        file: checkpoint.name().to_owned(),
        tap: plan.taps[cell.tap].name.clone(),
        tap_index: index(cell.tap),
        measure: found.measure.to_owned(),
        variable: measure.variable().to_owned(),
        given: given(measure),
        class: None,
        subset: subset(plan),
        estimator,
        compression,
        parameters: measure.parameters(),
        unit: name(&unit(found.measure)),
        value: None,
        std_error: None,
        interval_low: None,
        interval_high: None,
        null_mean: None,
        null_high: None,
        p_value: None,
        n_samples: None,
        n_train: None,
        n_units: Some(plan.widths[cell.tap] as u64),
        n_components: None,
        seed: plan.pipeline.seed,
        flags: doubts(plan),
        details: "{}".to_owned(),
        error: None,
    }
}

/// The row of what a probe says of a sample, to be filled with the sample.
pub(super) fn sample(plan: &Plan, checkpoint: &Checkpoint, cell: Cell) -> SampleRow {
    let measure = &plan.pipeline.estimate.measures[cell.place];
    SampleRow {
        run: plan.name.clone(),
        file: checkpoint.name().to_owned(),
        tap: plan.taps[cell.tap].name.clone(),
        tap_index: index(cell.tap),
        measure: measure.name().to_owned(),
        variable: measure.variable().to_owned(),
        given: given(measure),
        subset: subset(plan),
        estimator: method(measure).0,
        parameters: measure.parameters(),
        sample: SampleId(0),
        label: String::new(),
        predicted: None,
        value: 0.0,
    }
}

/// The row of a position, to be filled with it.
pub(super) fn position(plan: &Plan, checkpoint: &Checkpoint, cell: Cell) -> PositionRow {
    let measure = &plan.pipeline.estimate.measures[cell.place];
    PositionRow {
        run: plan.name.clone(),
        file: checkpoint.name().to_owned(),
        tap: plan.taps[cell.tap].name.clone(),
        tap_index: index(cell.tap),
        variable: measure.variable().to_owned(),
        subset: subset(plan),
        estimator: method(measure).0,
        parameters: measure.parameters(),
        position: 0,
        sample: None,
        target: None,
        rebuilt: None,
        value: 0.0,
        mean_predictor: 0.0,
    }
}

/// The unit of a measure that has no value.
fn unit(measure: &str) -> Unit {
    match measure {
        "reconstruction" | "reconstruction-class" => Unit::SquaredUnits,
        "accuracy"
        | "typical-overlap"
        | "typical-overlap-neighbors"
        | "fraction-unexplained"
        | "r-squared"
        | "usable-fraction"
        | "selectivity" => Unit::Fraction,
        "compression" | "gradient-snr" | "mixture-snr" => Unit::Ratio,
        "gradient-snr-compat" => Unit::GradientUnits,
        _ => Unit::Nats,
    }
}

fn given(measure: &Measure) -> Option<String> {
    match measure {
        Measure::Usable(usable) => usable.given.clone(),
        _ => None,
    }
}

fn subset(plan: &Plan) -> Option<String> {
    plan.subset.as_ref().map(Subset::words)
}

fn index(tap: usize) -> u32 {
    u32::try_from(tap).unwrap_or(u32::MAX)
}

/// The names of the estimator and of the compression.
fn method(measure: &Measure) -> (String, String) {
    match measure {
        Measure::Information(information) => (key(&information.estimator), key(&information.compress)),
        Measure::Usable(usable) => (key(&usable.probe), "none".to_owned()),
        Measure::Reconstruction(reconstruction) => {
            // It is the target that is compressed, not the layer: `parameters` has it.
            (key(&reconstruction.decoder), "none".to_owned())
        }
        measure if measure.is_of_every_layer() => ("every-layer".to_owned(), "none".to_owned()),
        Measure::Gradient(_) => ("last-layer".to_owned(), "none".to_owned()),
        Measure::Codebook(codebook) => ("codebook".to_owned(), key(&codebook.compress)),
        Measure::Typicality(typicality) => ("nearest-neighbors".to_owned(), key(&typicality.compress)),
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
