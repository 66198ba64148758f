//! What layers are measured against: made once, shared by every checkpoint.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, Axis, concatenate};

use super::{Information, Measure, Pipeline, PipelineError};
use crate::estimate::compress::Compressed;
use crate::estimate::{Labels, Split, finite};
use crate::samples::Samples;

/// The name that stands for the inputs of the graph in measures.
pub(super) const INPUT: &str = "input";

/// The other side of every measure.
#[derive(Debug)]
pub(super) struct Variables {
    /// Who learns and who judges, when there are probes or decoders.
    pub split: Option<Split>,
    /// The label columns.
    pub labels: BTreeMap<String, Labels>,
    /// The inputs, one row a sample, when a measure needs them.
    pub inputs: Option<Array2<f64>>,
    /// For each measure, the inputs as its compression leaves them, when it is about the inputs.
    pub compressed: Vec<Option<Array2<f64>>>,
}

impl Variables {
    /// Checks that every measure has what it asks for, and makes it.
    pub(super) fn new(pipeline: &Pipeline, samples: &Samples) -> Result<Self, PipelineError> {
        let columns = samples.labels.iter();
        let labels: BTreeMap<String, Labels> = columns
            .map(|column| (column.name.clone(), Labels::new(Array1::from(column.values.clone()).view())))
            .collect();
        let measures = &pipeline.estimate.measures;
        for (place, measure) in measures.iter().enumerate() {
            check(measure, &labels).map_err(|reason| at(place, measure, reason))?;
            if let Some(first) = measures[..place].iter().position(|other| parameters(other) == parameters(measure)) {
                return Err(at(
                    place,
                    measure,
                    format!("found the same as measure {}, needed each once; remove one", first + 1),
                ));
            }
        }
        let inputs = match measures.iter().enumerate().find(|(_, measure)| measure.variable() == INPUT) {
            None => None,
            Some((place, measure)) => Some(flatten(samples).map_err(|reason| at(place, measure, reason))?),
        };
        let compressed = measures.iter().map(|measure| match (measure, &inputs) {
            (Measure::Information(information), Some(inputs)) if information.of == INPUT => {
                prepared(information, inputs).map(Some)
            }
            _ => Ok(None),
        });
        let compressed = compressed.collect::<Result<_, _>>()?;
        let learns = |measure: &Measure| matches!(measure, Measure::Usable(_) | Measure::Reconstruction(_));
        let split = match measures.iter().enumerate().find(|(_, measure)| learns(measure)) {
            None => None,
            Some((place, measure)) => {
                let split = Split::by_id(&samples.ids, pipeline.estimate.held_out.get(), pipeline.seed);
                Some(split.map_err(|error| at(place, measure, error.to_string()))?)
            }
        };
        Ok(Self { split, labels, inputs, compressed })
    }
}

/// A measure with all its parameters, as JSON.
pub(super) fn parameters(measure: &Measure) -> String {
    serde_json::to_string(measure).expect("every measure can be written as JSON")
}

fn at(place: usize, measure: &Measure, reason: String) -> PipelineError {
    PipelineError::Measure { number: place + 1, measure: measure.name(), reason }
}

fn check(measure: &Measure, labels: &BTreeMap<String, Labels>) -> Result<(), String> {
    let known = |name: &str| {
        if labels.contains_key(name) {
            return Ok(());
        }
        let names: Vec<&str> = labels.keys().map(String::as_str).collect();
        Err(format!(
            "found no label column `{name}`, needed one of: {}; add it to `[samples] labels`",
            names.join(", ")
        ))
    };
    match measure {
        Measure::Information(Information { of, estimator, .. }) if of == INPUT => {
            if labels.contains_key(INPUT) {
                return Err(format!("`{INPUT}` is both the inputs and a label column; rename the column"));
            }
            let wrong = "this estimator is for labels; use `ksg` or `gaussian` for the input".to_owned();
            estimator.continuous().map(drop).ok_or(wrong)
        }
        Measure::Information(Information { of, estimator, .. }) => {
            known(of)?;
            estimator
                .labeled()
                .map(drop)
                .ok_or_else(|| "this estimator is for continuous variables; use `ross` for labels".to_owned())
        }
        Measure::Usable(usable) => known(&usable.label),
        Measure::Reconstruction(_) => Ok(()),
    }
}

/// All inputs side by side, one row a sample.
fn flatten(samples: &Samples) -> Result<Array2<f64>, String> {
    let mut blocks = Vec::new();
    for input in &samples.inputs {
        if !input.array.values.is_float() {
            return Err(format!(
                "`{}`: found {} inputs, needed numbers on a scale: indices have no distances; measure against a label instead",
                input.array.name,
                input.array.values.type_name()
            ));
        }
        blocks.push(input.array.rows_of_numbers());
    }
    let views: Vec<_> = blocks.iter().map(|block| block.view()).collect();
    concatenate(Axis(1), &views).map_err(|error| error.to_string())
}

/// The inputs as one measure compresses them.
fn prepared(information: &Information, inputs: &Array2<f64>) -> Result<Array2<f64>, PipelineError> {
    let Compressed { scores, .. } = information.compress.compress(inputs.view())?;
    let rescaled = information.margins.rescale(scores.view()).samples;
    // A constant input has no column left: the measure then says so, layer by layer.
    if !rescaled.is_empty() {
        finite("inputs", rescaled.view())?;
    }
    Ok(rescaled)
}
