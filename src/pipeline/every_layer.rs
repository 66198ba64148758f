//! Signal and noise of the gradients of every layer, by a translation of the graph that gradients can be taken through.

use std::collections::HashMap;

use ndarray::{ArrayD, IxDyn};

use super::gradient::{known, ratio};
use super::rows::Found;
use super::translation::Translation;
use super::{Gradient, Plan};
use crate::archive::{Checkpoint, Numbers, Weights};
use crate::estimate::gradient::{EveryLayer, LayerSignal, Published};
use crate::estimate::{Estimate, Split, Unit};
use crate::graph::{Binding, Fed, Model};
use crate::replay::Activations;

/// The layers of a network, each by the initializers that are its weights and intercepts.
pub(super) type LayerNames = Vec<Vec<String>>;

/// The layers of a graph whose gradients can be told.
pub(super) fn layers(
    (model, binding, fed): (&Model, &Binding, &[String]),
    (checkpoint, weights): (&Checkpoint, &Weights),
    output: &str,
) -> Result<LayerNames, String> {
    Ok(translate((model, binding, fed), (checkpoint, weights), output)?.layers)
}

fn translate(
    (model, binding, fed): (&Model, &Binding, &[String]),
    (checkpoint, weights): (&Checkpoint, &Weights),
    output: &str,
) -> Result<Translation, String> {
    let bound = binding.values(checkpoint.name(), weights, fed);
    let bound: Vec<Fed<'_>> = bound.map_err(|error| error.to_string())?;
    let own = model.initializers().into_iter().filter_map(|own| {
        let values = own.values()?;
        Some((own.name.to_owned(), (own.shape, values)))
    });
    let mut all: HashMap<String, (Vec<usize>, Numbers<'_>)> = own.collect();
    all.extend(bound.into_iter().map(|(name, shape, values)| (name, (shape, values))));
    Translation::of(model, output, &|name| {
        let (shape, values) = all.get(name)?;
        ArrayD::from_shape_vec(IxDyn(shape), values.doubles()).ok()
    })
}

/// The rows of a checkpoint: those of each layer, in the order of the graph.
pub(super) fn rows(
    plan: &Plan,
    gradient: &Gradient,
    (checkpoint, weights): (&Checkpoint, &Weights),
    output: Option<&Activations>,
) -> Result<Vec<Found>, String> {
    let (name, label) = plan.loss.as_ref().expect("the plan checked that there is a loss");
    let output = output.ok_or("the output of the loss was not replayed")?;
    let translation = translate((&plan.model, &plan.binding, &plan.graph.fed), (checkpoint, weights), name)?;
    let (known, known_labels) = known(plan, label)?;
    let mut labels = vec![0; output.values.nrows()];
    for (&row, &label) in known.iter().zip(&known_labels) {
        labels[row] = label;
    }
    let inputs = |rows: &[usize]| -> ArrayD<f64> {
        let whole: Vec<usize> = rows.iter().map(|&row| plan.rows.as_ref().map_or(row, |rows| rows[row])).collect();
        plan.feed.doubles(&translation.input, &whole)
    };
    let outputs = output.values.mapv(f64::from);
    let every = EveryLayer {
        steps: &translation.steps,
        ending: translation.ending,
        inputs: &inputs,
        labels: &labels,
        outputs: outputs.view(),
    };
    let ids: Vec<u64> = known.iter().map(|&row| plan.samples.ids[row]).collect();
    let split = Split::by_id(&ids, 0.5, plan.pipeline.seed).map_err(|error| error.to_string())?;
    let order: Vec<usize> = split.test.iter().chain(&split.train).map(|&place| known[place]).collect();
    let batch = gradient.batch.get();
    let signals = every.signals(&order, batch).map_err(|error| error.to_string())?;
    let published: Option<Vec<Published>> = signals.iter().map(|layer| layer.published).collect();
    let cumulative = published.as_deref().map(Published::cumulative);
    let mut found = Vec::new();
    for (place, (layer, names)) in signals.iter().zip(&translation.layers).enumerate() {
        let own = ratio(&layer.signal, batch, names.len() > 1).map(|estimate| described(estimate, layer, names));
        found.push(of_layer(place, names, Found::new("gradient-snr", own)));
        if gradient.compat {
            let ratio = match &cumulative {
                None => Err(format!("found {} samples, needed two whole minibatches of {batch}", order.len())),
                Some(ratios) => ratios[place].ok_or_else(|| "all minibatches have the same gradient".to_owned()),
            };
            let own = ratio.map(|ratio| {
                let mut estimate = Estimate::new(ratio, Unit::GradientUnits, None, order.len() / batch * batch);
                if let Some(published) = &layer.published {
                    estimate.detail("signal", published.signal);
                    estimate.detail("noise", published.noise);
                }
                described(estimate, layer, names)
            });
            found.push(of_layer(place, names, Found::new("gradient-snr-compat", own)));
        }
    }
    Ok(found)
}

/// All rows of every layer, without a value.
pub(super) fn missing(layers: &LayerNames, gradient: &Gradient, reason: &str) -> Vec<Found> {
    let names = super::gradient::names(gradient);
    let of = |(place, layer): (usize, &Vec<String>)| {
        let rows = names.iter().map(|&name| of_layer(place, layer, Found::new(name, Err(reason.to_owned()))));
        rows.collect::<Vec<_>>()
    };
    layers.iter().enumerate().flat_map(of).collect()
}

/// A row that is about a layer by its weights, not about a tap.
fn of_layer(place: usize, names: &[String], found: Found) -> Found {
    Found { layer: names.first().map(|weights| (place, weights.clone())), ..found }
}

fn described(mut estimate: Estimate, layer: &LayerSignal, names: &[String]) -> Estimate {
    estimate.detail("parameters", names);
    estimate.detail("n_weights", layer.n_weights);
    estimate
}
