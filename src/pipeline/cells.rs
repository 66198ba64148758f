//! One checkpoint's taps, each measured in all ways.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::decoded::{self, OfCell};
use super::inputs::INPUT;
use super::layers::Layers;
use super::readings::{Layer, Readings, given, probe_text, read_beside, seed, split};
use super::rows::{Cell, Found, cells, row, sample};
use super::shared::{Shared, information_seed};
use super::variables::Label;
use super::{
    GradientLayers, Information, LayerTypicality, Measure, Plan, Reconstruction, Usable, codebook, every_layer,
    gradient, typicality,
};
use crate::archive::{Checkpoint, Weights};
use crate::estimate::compress::{Compressed, Compression};
use crate::estimate::information::{Against, Estimator, measure};
use crate::estimate::reconstruction::Decoded;
use crate::estimate::usable::{Reading, Target, control, selectivity};
use crate::estimate::{Estimate, EstimateError, Flag, Labels, Split, Unit};
use crate::replay::{Activations, ReplayError};
use crate::table::{MeasurementRow, PositionRow, SampleId, SampleRow};

/// What is measured of one checkpoint, or of some of its taps.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Measured {
    pub measurements: Vec<MeasurementRow>,
    pub samples: Vec<SampleRow>,
    pub positions: Vec<PositionRow>,
}

impl Measured {
    /// Takes the rows of later taps, or of measures of other samples.
    pub(super) fn extend(&mut self, later: Self) {
        self.measurements.extend(later.measurements);
        self.samples.extend(later.samples);
        self.positions.extend(later.positions);
    }

    /// All rows of a tap together.
    pub(super) fn by_tap(mut self) -> Self {
        self.measurements.sort_by_key(|row| row.tap_index);
        self.samples.sort_by_key(|row| row.tap_index);
        self.positions.sort_by_key(|row| row.tap_index);
        self
    }
}

/// Some taps of a checkpoint.
struct Taps<'p> {
    plan: &'p Plan,
    weights: &'p Weights,
    measured: Range<usize>,
    layers: &'p Layers<'p>,
    /// The output that the loss is computed from.
    output: Option<&'p Activations>,
    compressions: Vec<&'p Compression>,
    /// Each measured tap in all compressions: several measures look at one compressed layer.
    compressed: Vec<Vec<Result<Compressed, String>>>,
    readings: Readings<'p>,
    shared: &'p Shared<'p>,
}

/// Measures some taps in all ways; what goes wrong becomes rows.
///
/// # Errors
///
/// [`ReplayError::Stopped`] only.
pub(super) fn measure_all<'p>(
    plan: &'p Plan,
    (checkpoint, weights): (&Checkpoint, &'p Weights),
    (measured, layers, output): (Range<usize>, &'p Layers<'p>, Option<&'p Activations>),
    shared: &'p Shared<'p>,
    go_on: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Result<Measured, ReplayError> {
    if plan.pipeline.estimate.measures.is_empty() {
        return Ok(Measured::default());
    }
    let compressions = distinct_compressions(&plan.pipeline.estimate.measures);
    let compressed = measured
        .clone()
        .into_par_iter()
        .map(|tap| {
            let compress = |compression: &&Compression| {
                layers.valid(tap)?;
                shared.compress(plan, compression, (tap, layers.get(tap)))
            };
            compressions.par_iter().map(compress).collect()
        })
        .collect();
    let readings = Readings::of_taps(plan, measured.clone(), layers, go_on)?;
    let all: Vec<Cell> = cells(plan, measured.clone()).collect();
    let taps = Taps { plan, weights, measured, layers, output, compressions, compressed, readings, shared };
    let measured = all.par_iter().map(|&cell| {
        if go_on().is_break() {
            return Err(ReplayError::Stopped);
        }
        let OfCell { found, samples, positions } = taps.measure(checkpoint, cell);
        let rows = found.into_iter().map(|found| row(plan, checkpoint, cell, found));
        Ok(Measured { measurements: rows.collect(), samples, positions })
    });
    let measured = measured.collect::<Result<Vec<_>, ReplayError>>()?;
    let mut all = Measured::default();
    for one in measured {
        all.extend(one);
    }
    Ok(all)
}

/// The compressions of layers that measures look at, each once.
pub(super) fn distinct_compressions(measures: &[Measure]) -> Vec<&Compression> {
    let mut distinct = Vec::new();
    for measure in measures {
        let compress = match measure {
            Measure::Information(information) => &information.compress,
            Measure::Typicality(typicality) => &typicality.compress,
            Measure::Codebook(codebook) => &codebook.compress,
            _ => continue,
        };
        if !distinct.contains(&compress) {
            distinct.push(compress);
        }
    }
    distinct
}

/// The rows of a measure that are always there, for a reason without a value.
pub(super) fn missing(plan: &Plan, measure: &Measure, reason: &str) -> Vec<Found> {
    let found = |name: &'static str| Found::new(name, Err(reason.to_owned()));
    match measure {
        Measure::Usable(usable) if usable.given.is_none() => names(plan, usable).into_iter().map(found).collect(),
        Measure::Reconstruction(reconstruction) => decoded::names(reconstruction).into_iter().map(found).collect(),
        Measure::Codebook(codebook) => codebook
            .each()
            .flat_map(|one| {
                let parameters = Some(Measure::Codebook(one.clone()).parameters());
                let names: Vec<_> = one.names().collect();
                names.into_iter().map(move |name| Found { parameters: parameters.clone(), ..found(name) })
            })
            .collect(),
        Measure::Gradient(gradient) if gradient.layers == GradientLayers::All => {
            let layers = plan.layers.as_ref().expect("the plan found the layers");
            every_layer::missing(layers, gradient, reason)
        }
        Measure::Gradient(gradient) => gradient::missing(plan, gradient, reason),
        Measure::Typicality(typicality) => {
            let one = |(name, parameters)| Found { parameters: Some(parameters), ..found(name) };
            typicality.names().into_iter().map(one).collect()
        }
        _ => {
            let each = measure.each();
            each.iter().map(|one| Found { parameters: Some(one.parameters()), ..found(one.name()) }).collect()
        }
    }
}

/// The names of the rows about usable information that are always there.
fn names(plan: &Plan, usable: &Usable) -> Vec<&'static str> {
    let mut names = vec!["usable"];
    if plan.variables.labels[&usable.label].classes().is_some() {
        names.extend(["usable-calibrated", "usable-fraction", "accuracy"]);
    } else {
        names.push("r-squared");
    }
    names.extend(usable.control.is_some().then_some("selectivity"));
    if usable.code_length.is_some() {
        names.extend(["code-length", "compression"]);
    }
    names
}

impl Taps<'_> {
    fn measure(&self, checkpoint: &Checkpoint, cell: Cell) -> OfCell {
        let measure = &self.plan.pipeline.estimate.measures[cell.place];
        let result = match measure {
            Measure::Information(information) => {
                self.information(cell, information).map(|found| OfCell { found, ..OfCell::default() })
            }
            Measure::Reconstruction(reconstruction) => {
                let decoded = self.reconstruction(cell, reconstruction);
                decoded.map(|decoded| decoded::rows(self.plan, checkpoint, cell, reconstruction, &decoded))
            }
            Measure::Usable(usable) if usable.given.is_some() => {
                self.beyond(checkpoint, cell, usable).map(OfCell::from)
            }
            Measure::Usable(usable) => self.usable(checkpoint, cell, usable).map(OfCell::from),
            Measure::Gradient(gradient) if gradient.layers == GradientLayers::All => {
                let found = every_layer::rows(self.plan, gradient, (checkpoint, self.weights), self.output);
                found.map(|found| OfCell { found, ..OfCell::default() })
            }
            Measure::Gradient(gradient) => {
                let found = gradient::rows(self.plan, gradient, self.layers.get(cell.tap), self.output);
                found.map(|found| OfCell { found, ..OfCell::default() })
            }
            Measure::Codebook(asked) => {
                let rows = |layer: &Compressed| {
                    codebook::rows(self.plan, asked, layer.scores.view(), self.shared.references[cell.place].as_ref())
                };
                let found = self.compressed(cell, &asked.compress).map(rows);
                found.map(|found| OfCell { found, ..OfCell::default() })
            }
            Measure::Typicality(typicality) => self.typicality(checkpoint, cell, typicality).map(OfCell::from),
        };
        result.unwrap_or_else(|reason| OfCell { found: missing(self.plan, measure, &reason), ..OfCell::default() })
    }

    /// A layer as a measure compresses it.
    fn compressed(&self, cell: Cell, compression: &Compression) -> Result<&Compressed, String> {
        let which = self.compressions.iter().position(|other| *other == compression);
        let layer = &self.compressed[cell.tap - self.measured.start]
            [which.expect("every compression is among the distinct ones")];
        layer.as_ref().map_err(Clone::clone)
    }

    /// Which samples are typical in a compressed layer.
    fn typicality(
        &self,
        checkpoint: &Checkpoint,
        cell: Cell,
        asked: &LayerTypicality,
    ) -> Result<(Vec<Found>, Vec<SampleRow>), String> {
        let layer = self.compressed(cell, &asked.compress)?;
        let other = match self.plan.taps.iter().position(|tap| tap.name == asked.of) {
            Some(tap) if asked.of != INPUT => {
                self.layers.valid(tap).map_err(|reason| format!("of what it is held against: {reason}"))?;
                Some(self.shared.compress(self.plan, &asked.compress, (tap, self.layers.get(tap)))?)
            }
            _ => None,
        };
        let other = other.as_ref().map(|other| other.scores.view());
        let (found, kept) = typicality::of_layer(self.plan, asked, layer.scores.view(), other)?;
        let row = sample(self.plan, checkpoint, cell);
        let ids = self.plan.sample_ids();
        let samples = ids.iter().zip(kept).map(|(&id, value)| SampleRow { sample: SampleId(id), value, ..row.clone() });
        Ok((found, samples.collect()))
    }

    /// Information between a compressed layer and the input or a label, for each setting of the estimator.
    fn information(&self, cell: Cell, information: &Information) -> Result<Vec<Found>, String> {
        let layer = self.compressed(cell, &information.compress)?;
        let rescaled = information.margins.rescale(layer.scores.view()).map_err(|error| error.to_string())?.samples;
        let n_components = Some(rescaled.ncols());
        let estimates = self.informed(cell.place, information, &rescaled).map_err(|error| error.to_string())?;
        let noisy = self.plan.noise.as_ref().is_some_and(|noise| noise.reaches(cell.tap));
        let deterministic =
            self.plan.variables.inputs.has(&information.of) && !noisy && !is_finite_by_itself(&information.estimator);
        let inputs = self.shared.inputs[cell.place].as_ref().filter(|inputs| !inputs.details.is_empty());
        let each = Measure::Information(information.clone()).each();
        let found = estimates.into_iter().zip(each).map(|(mut estimate, one)| {
            if deterministic {
                estimate.flag(Flag::Deterministic);
            }
            estimate.details.extend(layer.details.clone());
            if let Some(inputs) = inputs {
                estimate.detail("input", inputs.details.clone());
            }
            Found { n_components, parameters: Some(one.parameters()), ..Found::new("information", Ok(estimate)) }
        });
        Ok(found.collect())
    }

    fn informed(
        &self,
        place: usize,
        information: &Information,
        layer: &Array2<f64>,
    ) -> Result<Vec<Estimate>, EstimateError> {
        if let Some(inputs) = &self.shared.inputs[place] {
            return inputs.series.measure(layer.view());
        }
        let Information { estimator, interval, permutations, .. } = information;
        let uncertainty = (interval, *permutations);
        let seed = information_seed(self.plan, information);
        let label = &self.plan.variables.labels[&information.of];
        let classes = label.classes().expect("the plan checked that the label has classes");
        label.with_known(layer.view(), |layer| measure(estimator, layer, Against::Labels(classes), uncertainty, seed))
    }

    fn reconstruction(&self, cell: Cell, reconstruction: &Reconstruction) -> Result<Decoded, String> {
        self.layers.valid(cell.tap)?;
        let variables = &self.plan.variables;
        let split = variables.split.as_ref().expect("the plan made the split that its measures need");
        let decoder = serde_json::to_string(&reconstruction.decoder).expect("every decoder can be written as JSON");
        let seed = seed(self.plan, &["reconstruction", &reconstruction.of, &decoder]);
        let layer = self.layers.values(cell.tap);
        let decode = |target: ArrayView2<'_, f64>| {
            reconstruction.decoder.decode(layer, target, split, seed).map_err(|error| error.to_string())
        };
        if variables.inputs.has(&reconstruction.of) {
            let target = variables.targets[cell.place].as_ref();
            return decode(target.unwrap_or_else(|| variables.inputs.get(&reconstruction.of)).view());
        }
        let place = self.plan.taps.iter().position(|tap| tap.name == reconstruction.of);
        let place = place.expect("the plan checked that the tap is there");
        self.layers.valid(place).map_err(|reason| format!("of what is to be rebuilt: {reason}"))?;
        let seed = super::readings::seed(self.plan, &["reconstruction", "compress", &reconstruction.of]);
        let target = reconstruction.compress.compress(self.layers.values(place), seed);
        decode(target.map_err(|error| error.to_string())?.scores.view())
    }

    /// What a probe reads of a layer, with all that the measure asks for besides.
    fn usable(
        &self,
        checkpoint: &Checkpoint,
        cell: Cell,
        usable: &Usable,
    ) -> Result<(Vec<Found>, Vec<SampleRow>), String> {
        let reading = self.readings.get(Layer::Tap(cell.tap), usable).expect("the reading was asked for");
        let mut reading = reading.clone()?;
        let label = &self.plan.variables.labels[&usable.label];
        let layer = self.layers.values(cell.tap);
        let probe = probe_text(&usable.probe);
        if let Some(permutations) = usable.permutations {
            let own = seed(self.plan, &[&usable.label, &probe]);
            let seeds = (seed(self.plan, &[&usable.label, "permutations"]), own);
            label
                .with_known(layer, |layer| {
                    let target = (&label.target, split(label));
                    usable.probe.hold_against_permutations(&mut reading, layer, target, permutations, seeds)
                })
                .map_err(|error| error.to_string())?;
        }
        let mut found = values(&reading);
        if usable.per_class {
            for class in label.classes().map_or(Vec::new(), |labels| reading.by_class(labels, split(label))) {
                let name = Some(label.class_name(class.class));
                found.push(Found { class: name, ..Found::new("usable-class", Ok(class.usable)) });
            }
        }
        if usable.control.is_some() {
            found.push(Found::new("selectivity", self.selectivity(cell, usable, &reading)));
        }
        for found in &mut found {
            found.n_train = Some(split(label).train.len());
        }
        if usable.code_length.is_some() {
            found.extend(self.code_length(cell, usable));
        }
        let samples = if usable.per_sample {
            self.samples(checkpoint, cell, label, &reading, &reading.pointwise)
        } else {
            Vec::new()
        };
        Ok((found, samples))
    }

    /// What the layer adds to a baseline.
    fn beyond(
        &self,
        checkpoint: &Checkpoint,
        cell: Cell,
        usable: &Usable,
    ) -> Result<(Vec<Found>, Vec<SampleRow>), String> {
        self.layers.valid(cell.tap)?;
        let baseline = given(self.plan, usable.given.as_deref().unwrap_or(INPUT));
        let readings = if matches!(baseline, Layer::Input(_)) { &self.shared.readings } else { &self.readings };
        let without = readings.get(baseline, usable).expect("the baseline was asked for").as_ref();
        let without = without.map_err(|reason| format!("of what is given: {reason}"))?;
        let with = read_beside(self.plan, usable, baseline, self.layers.values(cell.tap), self.layers)?;
        let label = &self.plan.variables.labels[&usable.label];
        let n_train = Some(split(label).train.len());
        let found = Found { n_train, ..Found::new("usable-given", Ok(with.beyond(without))) };
        let added: Vec<f64> =
            with.pointwise.iter().zip(&without.pointwise).map(|(with, without)| with - without).collect();
        let samples = if usable.per_sample { self.samples(checkpoint, cell, label, &with, &added) } else { Vec::new() };
        Ok((vec![found], samples))
    }

    fn selectivity(&self, cell: Cell, usable: &Usable, reading: &Reading) -> Result<Estimate, String> {
        let asked = usable.control.as_ref().expect("it was asked for");
        let label = &self.plan.variables.labels[&usable.label];
        let labels = label.classes().expect("the plan checked that the label has classes");
        let types = label.types(&self.plan.variables.labels[&asked.types]);
        let probe = probe_text(&usable.probe);
        let read = |draw: usize| {
            let seed = seed(self.plan, &[&usable.label, &probe, "control", &asked.types, &draw.to_string()]);
            let target = Target::Classes(control(labels, &types, seed));
            let layer = self.layers.values(cell.tap);
            label.with_known(layer, |layer| usable.probe.read(layer, &target, split(label), seed))
        };
        let seen = share_of_known_types(&types, split(label));
        if seen < 0.5 {
            return Err(format!(
                "{:.0} % of the held-out samples have a `{}` that occurs in training, needed half of them: of types that \
                 were never seen nothing can be known by heart; choose types that come back",
                100.0 * seen,
                asked.types
            ));
        }
        let controls = (0..asked.draws.get()).map(read).collect::<Result<Vec<_>, _>>();
        let mut estimate = selectivity(reading, &controls.map_err(|error| format!("of a control task: {error}"))?);
        estimate.detail("known_types", seen);
        Ok(estimate)
    }

    /// The labels as a message, and the curve of what a probe reads over the samples that it was fitted to.
    fn code_length(&self, cell: Cell, usable: &Usable) -> Vec<Found> {
        let asked = usable.code_length.as_ref().expect("it was asked for");
        let label = &self.plan.variables.labels[&usable.label];
        let labels = label.classes().expect("the plan checked that the label has classes");
        // Both sides are in the order of a hash of the ids: held-out samples first, as good an order as any.
        let order: Vec<usize> = split(label).test.iter().chain(&split(label).train).copied().collect();
        let seed = seed(self.plan, &[&usable.label, &probe_text(&usable.probe), "code-length"]);
        let code = label.with_known(self.layers.values(cell.tap), |layer| {
            usable.probe.code_length(layer, labels, &order, &asked.fractions, seed)
        });
        let code = match code {
            Ok(code) => code,
            Err(error) => {
                return ["code-length", "compression"].map(|name| Found::new(name, Err(error.to_string()))).into();
            }
        };
        let n = order.len();
        let mut length = Estimate::new(code.nats, Unit::Nats, None, n);
        length.detail("bits", code.bits());
        length.detail("escapes", code.escapes);
        length.detail("blind", code.blind_nats);
        let mut compression = Estimate::new(code.compression, Unit::Ratio, None, n);
        compression.detail("against_blind", code.blind_nats / code.nats);
        for estimate in [&mut length, &mut compression] {
            if !code.converged {
                estimate.flag(Flag::NotConverged);
            }
            if code.blind_nats <= code.nats {
                estimate.flag(Flag::Negative);
            }
        }
        let mut found = vec![Found::new("code-length", Ok(length)), Found::new("compression", Ok(compression))];
        for block in code.blocks.iter().filter(|block| block.n_train > 0) {
            let (saved, std_error) = block.saved;
            let mut value = Estimate::new(saved, Unit::Nats, std_error, block.n_samples);
            if value.value < 0.0 {
                value.flag(Flag::Negative);
            }
            found.push(Found { n_train: Some(block.n_train), ..Found::new("usable-curve", Ok(value)) });
        }
        found
    }

    /// What a probe says of each held-out sample.
    fn samples(
        &self,
        checkpoint: &Checkpoint,
        cell: Cell,
        label: &Label,
        reading: &Reading,
        values: &[f64],
    ) -> Vec<SampleRow> {
        let row = sample(self.plan, checkpoint, cell);
        let test = split(label).test.iter().zip(values).enumerate();
        test.map(|(place, (&of, &value))| SampleRow {
            sample: SampleId(label.ids[of]),
            label: label.text(of),
            predicted: reading.predicted.as_ref().map(|predicted| label.class_name(predicted[place])),
            value,
            ..row.clone()
        })
        .collect()
    }
}

/// Whether an estimator makes the variables discrete, or adds noise of its own.
fn is_finite_by_itself(estimator: &Estimator) -> bool {
    matches!(estimator, Estimator::Kolchinsky(_) | Estimator::Binning(_))
}

/// The share of held-out samples whose type occurs in training.
fn share_of_known_types(types: &Labels, split: &Split) -> f64 {
    let known: BTreeSet<usize> = split.train.iter().map(|&row| types.classes()[row]).collect();
    let seen = split.test.iter().filter(|row| known.contains(&types.classes()[**row])).count();
    seen as f64 / split.test.len() as f64
}

/// The values that every reading has.
fn values(reading: &Reading) -> Vec<Found> {
    let usable = Found::new("usable", Ok(reading.usable.clone()));
    if reading.predicted.is_none() {
        return vec![usable, Found::new("r-squared", Ok(reading.score.clone()))];
    }
    let fraction =
        reading.fraction().ok_or_else(|| "the held-out labels are all the same: there is nothing to know".to_owned());
    // Where no training sample was left out of a fit (of a single penalty, as published) there is nothing to calibrate.
    let calibrated = reading.calibrated.clone().map(|estimate| Found::new("usable-calibrated", Ok(estimate)));
    let others = [Found::new("usable-fraction", fraction), Found::new("accuracy", Ok(reading.score.clone()))];
    [usable].into_iter().chain(calibrated).chain(others).collect()
}
