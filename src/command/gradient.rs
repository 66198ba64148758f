//! `measure gradient`: signal and noise of the last layer's gradients, as one JSON object.

use std::path::Path;

use anyhow::Context;
use infoplane::estimate::gradient::{Gradients, LastLayer, Signal, Strata};
use infoplane::estimate::{Flag, Labels};
use ndarray::Array1;
use serde_json::{Value, json};

use super::measure::{integers, matrix, same_rows};
use crate::cli::GradientArguments;

/// `measure gradient`
pub(super) fn gradient(arguments: &GradientArguments) -> anyhow::Result<Value> {
    let inputs = matrix(&arguments.x)?;
    let logits = matrix(&arguments.logits)?;
    same_rows(&arguments.logits, logits.nrows(), &arguments.x, inputs.nrows())?;
    let labels = integers(&arguments.labels, inputs.nrows(), &arguments.x)?
        .into_iter()
        .map(|label| {
            usize::try_from(label).with_context(|| format!("found label {label}, needed columns of the logits, from 0"))
        })
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("`{}`", arguments.labels.display()))?;
    let intercepts = !arguments.no_intercepts;
    let gradients =
        LastLayer { inputs: inputs.view(), logits: logits.view(), labels: &labels, intercepts }.gradients()?;
    let signal = Signal::of(&gradients)?;
    let batch = arguments.batch.get();
    let value = signal.ratio(batch);
    let mut flags = Vec::new();
    if signal.squared <= 0.0 {
        flags.push(Flag::Negative);
    }
    let mut object = json!({
        "value": value,
        "unit": "ratio",
        "reason": value.is_none().then(|| reason(&signal)),
        "squared_signal": signal.squared,
        "squared_signal_std_error": signal.std_error,
        "squared_mean": signal.mean_squared,
        "noise": signal.noise,
        "noise_scale": signal.noise_scale(),
        "n_samples": signal.n_samples,
        "flags": flags,
        "settings": { "batch": batch, "intercepts": intercepts, "mixture": arguments.mixture },
        "version": env!("CARGO_PKG_VERSION"),
    });
    if let Some(path) = &arguments.strata {
        object["minibatches"] = minibatches(&gradients, path, arguments)?;
    }
    Ok(object)
}

fn reason(signal: &Signal) -> String {
    if signal.noise > 0.0 {
        format!("the squared signal is {}, not above zero: more samples are needed to see it", signal.squared)
    } else {
        "all gradients are equal: there is no noise".to_owned()
    }
}

/// The laws of minibatches drawn from these very samples.
fn minibatches(gradients: &Gradients, path: &Path, arguments: &GradientArguments) -> anyhow::Result<Value> {
    let numbers = integers(path, gradients.len(), &arguments.x)?;
    let labels = Labels::new(Array1::from(numbers).view());
    let strata = Strata::of(gradients, labels.classes())?;
    let batch = arguments.batch.get() as f64;
    let parts = strata
        .parts()
        .iter()
        .zip(labels.names())
        .map(|(stratum, name)| json!({ "stratum": name, "weight": stratum.weight, "variance": stratum.variance }));
    let mut all = json!({
        "strata": parts.collect::<Vec<_>>(),
        "simple_random": strata.simple_random(batch),
        "proportional": strata.proportional(batch),
        "neyman": strata.neyman(batch),
        "neyman_parts": strata.neyman_parts(),
    });
    if !arguments.mixture.is_empty() {
        all["mixture"] = json!(strata.mixture(&arguments.mixture)?);
        // Without a sample of some stratum no weights make it unbiased.
        if !arguments.mixture.contains(&0) {
            all["weighted_mixture"] = json!(strata.weighted_mixture(&arguments.mixture)?);
        }
    }
    Ok(all)
}
