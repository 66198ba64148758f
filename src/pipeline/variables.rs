//! What layers are measured against: made once, shared by every checkpoint.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::inputs::{INPUT, Inputs, made_of_inputs};
use super::{Codebooks, Information, Measure, Pipeline, PipelineError, Reconstruction, Usable};
use crate::estimate::usable::{Probe, Target};
use crate::estimate::{Labels, Split};
use crate::samples::{Column, ColumnLabels, Samples};

/// The other side of every measure.
#[derive(Clone, Debug)]
pub(super) struct Variables {
    /// Who learns and who judges, when there are decoders.
    pub split: Option<Split>,
    /// The label columns.
    pub labels: BTreeMap<String, Label>,
    /// The inputs that measures name.
    pub inputs: Inputs,
    /// For each measure, what decoders rebuild, when it is made of the inputs and is not these themselves.
    pub targets: Vec<Option<Array2<f64>>>,
}

/// The samples of some measures among those of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Members<'a> {
    /// The ids of all samples of the run.
    pub ids: &'a [u64],
    /// Which rows they are, in increasing order; none if all.
    pub rows: Option<&'a [usize]>,
}

/// A label column, cut down to the samples whose label is known.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// The rows of these samples; none if they are all.
    rows: Option<Vec<usize>>,
    /// Their labels.
    pub target: Target,
    /// Who learns and who judges among them, when there are probes.
    pub split: Option<Split>,
    /// Their ids.
    pub ids: Vec<u64>,
    /// What people call the classes.
    names: BTreeMap<i64, String>,
}

impl Label {
    fn new(column: &Column, samples: &Samples) -> Self {
        let known = column.known();
        let ids = known.iter().map(|&row| samples.ids[row]).collect();
        let (target, names) = match &column.labels {
            ColumnLabels::Classes { values, names } => {
                let values: Array1<i64> = values.iter().flatten().copied().collect();
                (Target::Classes(Labels::new(values.view())), names.clone())
            }
            ColumnLabels::Numbers(numbers) => {
                (Target::Numbers(numbers.iter().flatten().copied().collect()), BTreeMap::new())
            }
        };
        let rows = (known.len() < samples.len()).then_some(known);
        Self { rows, target, split: None, ids, names }
    }

    /// Does something with the rows of a layer whose label is known, without a copy if they are all.
    pub(super) fn with_known<T: Clone, R>(
        &self,
        layer: ArrayView2<'_, T>,
        f: impl FnOnce(ArrayView2<'_, T>) -> R,
    ) -> R {
        match &self.rows {
            None => f(layer),
            Some(rows) => f(layer.select(Axis(0), rows).view()),
        }
    }

    /// The classes, if it has classes.
    pub(super) fn classes(&self) -> Option<&Labels> {
        match &self.target {
            Target::Classes(labels) => Some(labels),
            Target::Numbers(_) => None,
        }
    }

    /// What it holds, for the plan.
    pub(super) fn words(&self) -> String {
        let what = match &self.target {
            Target::Numbers(_) => "numbers".to_owned(),
            Target::Classes(labels) if labels.n_classes() == 1 => {
                "one class, so that there is nothing to know".to_owned()
            }
            Target::Classes(labels) => {
                let counts = labels.counts();
                let least = counts.iter().min().copied().unwrap_or(0);
                let most = counts.iter().max().copied().unwrap_or(0);
                format!("{} classes of {least} to {most} samples", counts.len())
            }
        };
        let known = self.rows.as_ref().map(|rows| format!("known of {} samples", rows.len()));
        let sides = self
            .split
            .as_ref()
            .map(|split| format!("of which {} train and {} test probes", split.train.len(), split.test.len()));
        [Some(what), known, sides].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// What people call a class.
    pub(super) fn class_name(&self, class: usize) -> String {
        let value = self.classes().map_or(0, |labels| labels.names()[class]);
        self.names.get(&value).cloned().unwrap_or_else(|| value.to_string())
    }

    /// Another column of classes, cut down to the samples whose label is known here.
    pub(super) fn types(&self, other: &Self) -> Labels {
        let all = other.classes().expect("the plan checked that types are classes");
        let value = |row: usize| all.names()[all.classes()[row]];
        let values: Array1<i64> = match &self.rows {
            None => (0..all.classes().len()).map(value).collect(),
            Some(rows) => rows.iter().map(|&row| value(row)).collect(),
        };
        Labels::new(values.view())
    }

    /// The label of a row, as text.
    pub(super) fn text(&self, row: usize) -> String {
        match &self.target {
            Target::Classes(labels) => self.class_name(labels.classes()[row]),
            Target::Numbers(numbers) => numbers[row].to_string(),
        }
    }
}

impl Variables {
    /// Checks that every measure has what it asks for, and makes it.
    pub(super) fn new(
        pipeline: &Pipeline,
        samples: &Samples,
        members: Members<'_>,
        taps: &[&str],
    ) -> Result<Self, PipelineError> {
        let columns = samples.labels.iter();
        let mut labels: BTreeMap<String, Label> =
            columns.map(|column| (column.name.clone(), Label::new(column, samples))).collect();
        let measures = &pipeline.estimate.measures;
        let blocks = pipeline.replay.blocks.as_ref();
        let sources = Inputs::names(blocks);
        for (place, measure) in measures.iter().enumerate() {
            check(measure, &labels, (taps, &sources)).map_err(|reason| at(place, measure, reason))?;
            let own = parameters(measure);
            let shared = |other: &Measure| parameters(other).iter().any(|parameters| own.contains(parameters));
            if let Some(first) = measures[..place].iter().position(shared) {
                return Err(at(
                    place,
                    measure,
                    format!("found the same as measure {}, needed each once; remove one", first + 1),
                ));
            }
        }
        let mut inputs = Inputs::default();
        for (place, measure) in measures.iter().enumerate() {
            if let Some(name) = source(measure).filter(|name| sources.iter().any(|source| source == name)) {
                inputs.add(name, samples, blocks).map_err(|reason| at(place, measure, reason))?;
            }
        }
        let targets = measures.iter().enumerate().map(|(place, measure)| match measure {
            Measure::Reconstruction(reconstruction) if inputs.has(&reconstruction.of) => {
                let made = made_of_inputs(reconstruction, samples, blocks, pipeline.seed);
                made.map_err(|reason| at(place, measure, reason))
            }
            _ => Ok(None),
        });
        let targets = targets.collect::<Result<_, _>>()?;
        let held_out = |place: usize, measure: &Measure| {
            // A sample that judges does so in every subset.
            let split = Split::by_id(members.ids, pipeline.estimate.held_out.get(), pipeline.seed);
            let split = split.map_err(|error| at(place, measure, error.to_string()))?;
            let own = members.rows.map_or_else(|| split.clone(), |rows| split.within(rows));
            if own.train.is_empty() || own.test.is_empty() {
                let reason = format!(
                    "of the samples of `subset` {} train and {} test; both sides need one at least",
                    own.train.len(),
                    own.test.len()
                );
                return Err(at(place, measure, reason));
            }
            Ok(own)
        };
        let mut split = None;
        for (place, measure) in measures.iter().enumerate() {
            match measure {
                Measure::Usable(Usable { label: name, .. }) | Measure::Codebook(Codebooks { label: name, .. }) => {
                    let label = labels.get_mut(name).expect("the column was checked");
                    let all = held_out(place, measure)?;
                    let own = label.rows.as_ref().map_or_else(|| all.clone(), |rows| all.within(rows));
                    if own.train.is_empty() || own.test.is_empty() {
                        let reason = format!(
                            "of the samples whose `{}` is known {} train and {} test; both sides need one at least",
                            name,
                            own.train.len(),
                            own.test.len()
                        );
                        return Err(at(place, measure, reason));
                    }
                    label.split = Some(own);
                }
                Measure::Reconstruction(_) => split = Some(held_out(place, measure)?),
                Measure::Information(_) | Measure::Gradient(_) | Measure::Typicality(_) => {}
            }
        }
        Ok(Self { split, labels, inputs, targets })
    }
}

/// What tells the rows of a measure from those of others.
fn parameters(measure: &Measure) -> Vec<String> {
    measure.each().iter().map(Measure::parameters).collect()
}

fn at(place: usize, measure: &Measure, reason: String) -> PipelineError {
    PipelineError::Measure { number: place + 1, measure: measure.name(), reason }
}

/// The inputs that a measure may be about, or another layer that it names in their place.
fn source(measure: &Measure) -> Option<&str> {
    match measure {
        Measure::Usable(usable) => usable.given.as_deref(),
        Measure::Codebook(codebook) => codebook.posterior.as_ref().map(|posterior| posterior.of.as_str()),
        Measure::Information(Information { of, .. }) | Measure::Reconstruction(Reconstruction { of, .. }) => Some(of),
        // Typicality has them compressed already.
        Measure::Typicality(_) | Measure::Gradient(_) => None,
    }
}

fn check(
    measure: &Measure,
    labels: &BTreeMap<String, Label>,
    (taps, inputs): (&[&str], &[String]),
) -> Result<(), String> {
    match measure {
        Measure::Information(Information { of, estimator, permutations, .. }) if inputs.contains(of) => {
            if labels.contains_key(of) {
                return Err(format!("`{of}` is both inputs and a label column; rename the column"));
            }
            let wrong = "this estimator is for labels; use `ksg` or `gaussian` for the input".to_owned();
            let estimator = estimator.continuous().ok_or(wrong)?;
            if permutations.is_some() && !estimator.has_null() {
                return Err(
                    "permutations say nothing of an estimator that looks at the layer only; remove them".to_owned()
                );
            }
            Ok(())
        }
        Measure::Information(Information { of, estimator, compress_input, .. }) => {
            classes(of, labels)?;
            if compress_input.is_some() {
                return Err(format!(
                    "`compress-input` is for `of = \"{INPUT}\"`, and labels are never compressed; remove it"
                ));
            }
            estimator
                .labeled()
                .map(drop)
                .ok_or_else(|| "this estimator is for continuous variables; use `ross` for labels".to_owned())
        }
        Measure::Usable(usable) => check_usable(usable, labels, (taps, inputs)),
        Measure::Reconstruction(reconstruction) => check_reconstruction(reconstruction, labels, (taps, inputs)),
        Measure::Typicality(typicality) if typicality.of != INPUT && !taps.contains(&typicality.of.as_str()) => {
            Err(format!("found no tap `{}` for `of`, needed `{INPUT}` or one of: {}", typicality.of, taps.join(", ")))
        }
        Measure::Typicality(typicality) if typicality.compress.basis().is_some() => {
            Err("`compress`: found a `basis` for the series, and densities have each layer's own; remove it".to_owned())
        }
        Measure::Typicality(typicality) if typicality.neighbors.is_empty() => {
            Err("`neighbors`: found none, needed one at least, such as `neighbors = [10]`".to_owned())
        }
        Measure::Codebook(codebook) => {
            if codebook.compress.basis().is_some() {
                return Err(
                    "`compress`: found a `basis` for the series, which codebooks do not take; remove it".to_owned()
                );
            }
            if codebook.sizes.is_empty() {
                return Err("`sizes`: found none, needed one at least, such as `sizes = [16]`".to_owned());
            }
            classes(&codebook.label, labels).map(drop)
        }
        // What these need is known once the graph is bound.
        Measure::Gradient(_) | Measure::Typicality(_) => Ok(()),
    }
}

fn check_reconstruction(
    reconstruction: &Reconstruction,
    labels: &BTreeMap<String, Label>,
    (taps, inputs): (&[&str], &[String]),
) -> Result<(), String> {
    let of = &reconstruction.of;
    if !inputs.contains(of) && !taps.contains(&of.as_str()) {
        return Err(format!("found no tap `{of}` for `of`, needed {}", either(taps, inputs)));
    }
    if !inputs.contains(of) && reconstruction.pool.is_some() {
        return Err(format!(
            "`pool` is for the input, found it with the tap `{of}`; use `[replay] pool`, or `compress`"
        ));
    }
    if reconstruction.compress.basis().is_some() {
        return Err("`compress`: found a `basis` for the series, and what is rebuilt has none; remove it".to_owned());
    }
    if let Some(label) = &reconstruction.per_class
        && classes(label, labels)?.rows.is_some()
    {
        return Err(format!("`per-class`: some samples have no `{label}`, and each needs a class"));
    }
    Ok(())
}

/// What a measure can be held against, in words.
fn either(taps: &[&str], inputs: &[String]) -> String {
    format!("`{}` or one of: {}", inputs.join("`, `"), taps.join(", "))
}

fn check_usable(
    usable: &Usable,
    labels: &BTreeMap<String, Label>,
    (taps, inputs): (&[&str], &[String]),
) -> Result<(), String> {
    let label = known(&usable.label, labels)?;
    if label.classes().is_none() {
        if !matches!(usable.probe, Probe::Linear(_)) {
            return Err(format!(
                "`{}` holds numbers, and only the `linear` family reads those; cut it into classes with `edges` in `[samples.columns]`",
                usable.label
            ));
        }
        for (key, asked) in [
            ("per-class", usable.per_class),
            ("control", usable.control.is_some()),
            ("code-length", usable.code_length.is_some()),
        ] {
            if asked {
                return Err(format!(
                    "`{}` holds numbers, and `{key}` needs classes; remove it, or cut the column into classes with `edges`",
                    usable.label
                ));
            }
        }
    }
    if let Some(control) = &usable.control {
        let types = classes(&control.types, labels)?;
        if types.rows.is_some() {
            return Err(format!("`control`: some samples have no `{}`, and each needs a type", control.types));
        }
        if types.classes().is_some_and(|types| types.n_classes() < 2) {
            return Err(format!("`control`: found one type in `{}`, needed two at least", control.types));
        }
    }
    if let Some(given) = &usable.given {
        if !inputs.contains(given) && !taps.contains(&given.as_str()) {
            return Err(format!("found no tap `{given}` for `given`, needed {}", either(taps, inputs)));
        }
        for (key, asked) in [
            ("per-class", usable.per_class),
            ("control", usable.control.is_some()),
            ("code-length", usable.code_length.is_some()),
            ("permutations", usable.permutations.is_some()),
        ] {
            if asked {
                return Err(format!(
                    "`{key}` is about one layer, and `given` compares two; make it a measure of its own"
                ));
            }
        }
    }
    Ok(())
}

fn known<'l>(name: &str, labels: &'l BTreeMap<String, Label>) -> Result<&'l Label, String> {
    labels.get(name).ok_or_else(|| {
        let names: Vec<&str> = labels.keys().map(String::as_str).collect();
        format!("found no label column `{name}`, needed one of: {}; add it to `[samples] labels`", names.join(", "))
    })
}

fn classes<'l>(name: &str, labels: &'l BTreeMap<String, Label>) -> Result<&'l Label, String> {
    let label = known(name, labels)?;
    match label.classes() {
        Some(_) => Ok(label),
        None => Err(format!(
            "`{name}` holds numbers, needed classes; cut it into classes with `edges` in `[samples.columns]`"
        )),
    }
}
