//! Signal and noise of gradients; of the last layer's from its input and the output of the network, without backpropagation.

use std::num::NonZeroUsize;

use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::every_layer::LayerNames;
use super::rows::Found;
use super::{Fraction, Measure, Plan, Subset};
use crate::estimate::gradient::{Gradients, LastLayer, Published, Signal, Strata};
use crate::estimate::{Estimate, Flag, Split, Unit};
use crate::graph::{Model, Node, Pooling, Tap};
use crate::replay::Activations;
use crate::samples::ColumnLabels;

/// The gradient of the network's own loss with respect to its last layer, or to each.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Gradient {
    /// The samples in a minibatch.
    pub batch: NonZeroUsize,
    /// A minibatch that favors typical samples, held against others of its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixture: Option<Mixture>,
    /// Which layers.
    #[serde(default, skip_serializing_if = "GradientLayers::is_last")]
    pub layers: GradientLayers,
    /// Also the ratio as the first study of it computed it.
    #[serde(default, skip_serializing_if = "super::measures::is_false")]
    pub compat: bool,
    /// Which samples are looked at, where they are not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<Subset>,
}

/// The layers whose gradients are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GradientLayers {
    /// The last one, from what it multiplies and what comes out.
    #[default]
    Last,
    /// Each linear layer and each convolution, backwards through the graph.
    All,
}

impl GradientLayers {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_last(&self) -> bool {
        *self == Self::Last
    }
}

/// A minibatch of typical samples and others.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Mixture {
    /// The part of the samples that is typical.
    pub typical: Fraction,
    /// How many samples of a minibatch are drawn from these, and how many from the others.
    pub counts: [usize; 2],
}

/// The tap that the last layer multiplies.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastTap {
    pub tap: usize,
    /// Whether intercepts are added.
    intercepts: bool,
}

impl LastTap {
    /// Finds it in the graph; where there are several heads, behind what puts their logits side by side.
    pub(super) fn find(
        model: &Model,
        taps: &[Tap],
        loss: &Result<(String, String), String>,
        has_heads: bool,
    ) -> Result<Self, String> {
        let (output, _) = loss.as_ref().map_err(|reason| no_loss(reason))?;
        let maker = |name: &str| model.nodes().find(|node| node.outputs.first().is_some_and(|made| made == name));
        let input = |node: &Node<'_>| node.inputs.first().cloned().unwrap_or_default();
        let is_plain = |node: &Node<'_>| {
            let is_one = |name: &str| node.float(name).is_none_or(|value| (value - 1.0).abs() < f32::EPSILON);
            is_one("alpha") && is_one("beta") && node.integer("transA").unwrap_or(0) == 0
        };
        let mut node = maker(output).ok_or_else(|| format!("no node makes the output `{output}`"))?;
        if has_heads && node.operator == "Reshape" {
            node = maker(&input(&node)).unwrap_or(node);
        }
        let (layer, intercepts) = match node.operator.as_str() {
            "Gemm" if is_plain(&node) => (input(&node), node.inputs.get(2).is_some_and(|name| !name.is_empty())),
            "MatMul" => (input(&node), false),
            "Add" => {
                let product = node.inputs.iter().filter_map(|name| maker(name)).find(|node| node.operator == "MatMul");
                let constant = node.inputs.iter().any(|name| model.has_initializer(name));
                let product = product.filter(|_| constant);
                (product.map(|node| input(&node)).unwrap_or_default(), true)
            }
            _ => (String::new(), false),
        };
        if layer.is_empty() {
            return Err(format!(
                "the output `{output}` comes from a node `{}`, needed one linear layer (Gemm, MatMul, or MatMul and Add): \
                 `layers = \"all\"` takes gradients through more graphs",
                node.operator
            ));
        }
        match taps.iter().position(|tap| tap.name == layer) {
            None => Err(format!("the last layer multiplies `{layer}`, which is no tap; add it to `[graph] taps`")),
            Some(tap) if taps[tap].pooling == Pooling::Flatten => Ok(Self { tap, intercepts }),
            Some(_) => Err(format!("the tap `{layer}` is pooled, and the last layer multiplies it as it is")),
        }
    }
}

/// Why there is no gradient without a loss.
pub(super) fn no_loss(reason: &str) -> String {
    format!("the gradient is that of the network's own loss, and there is none: {reason}; see `[replay] loss`")
}

/// The names of the rows that are always there.
pub(super) fn names(gradient: &Gradient) -> Vec<&'static str> {
    let mixture = gradient.mixture.is_some().then_some("mixture-snr");
    let compat = gradient.compat.then_some("gradient-snr-compat");
    ["gradient-snr"].into_iter().chain(mixture).chain(compat).collect()
}

/// The rows that are always there: each with the loss that it is about, where that is of one head only.
pub(super) fn missing(plan: &Plan, gradient: &Gradient, reason: &str) -> Vec<Found> {
    let slots = plan.heads.as_ref().map_or(0, |heads| heads.fold());
    let losses = [None].into_iter().chain((0..slots).map(|slot| Some(loss_of(slot))));
    let of_loss = |variable: Option<String>| {
        let found = |name| Found { variable: variable.clone(), ..Found::new(name, Err(reason.to_owned())) };
        names(gradient).into_iter().map(found).collect::<Vec<_>>()
    };
    losses.flat_map(of_loss).collect()
}

/// What the loss of the head of a slot is called.
fn loss_of(slot: usize) -> String {
    format!("loss-{}", slot + 1)
}

/// The logits of a head, and the class of each sample where it is known.
type Head<'o> = (ArrayView2<'o, f32>, Vec<Option<i64>>);

/// The rows of a checkpoint: of all heads together, and of each where there are several.
pub(super) fn rows(
    plan: &Plan,
    gradient: &Gradient,
    layer: &Activations,
    output: Option<&Activations>,
) -> Result<Vec<Found>, String> {
    let (_, label) = plan.loss.as_ref().expect("the plan checked that there is a loss");
    let output = output.ok_or("the output of the loss was not replayed")?.values.view();
    let heads = match &plan.heads {
        None => vec![(output, classes(plan, label)?.to_vec())],
        Some(heads) => {
            let mut heads = heads.by_slot(output, label).ok_or_else(|| format!("`{label}` holds numbers"))?;
            if let Some(rows) = &plan.rows {
                for (_, labels) in &mut heads {
                    *labels = rows.iter().map(|&row| labels[row]).collect();
                }
            }
            heads
        }
    };
    let mut found = of_heads(plan, gradient, layer, &heads)?;
    if plan.heads.is_some() {
        for (slot, head) in heads.iter().enumerate() {
            let own = of_heads(plan, gradient, layer, std::slice::from_ref(head))?;
            found.extend(own.into_iter().map(|own| Found { variable: Some(loss_of(slot)), ..own }));
        }
    }
    Ok(found)
}

/// The rows of the sum of the losses of some heads.
fn of_heads(plan: &Plan, gradient: &Gradient, layer: &Activations, heads: &[Head<'_>]) -> Result<Vec<Found>, String> {
    let last = plan.last_tap.as_ref().expect("the plan found it");
    let is_known = |&row: &usize| heads.iter().all(|(_, labels)| labels[row].is_some());
    let known: Vec<usize> = (0..layer.values.nrows()).filter(is_known).collect();
    let wide = |values: ArrayView2<'_, f32>| values.select(Axis(0), &known).mapv(f64::from);
    let inputs = wide(layer.values.view());
    let of_known = |(logits, labels): &Head<'_>| {
        let labels = known.iter().filter_map(|&row| usize::try_from(labels[row]?).ok());
        (wide(*logits), labels.collect::<Vec<_>>())
    };
    let heads: Vec<_> = heads.iter().map(of_known).collect();
    let gradients = |intercepts: bool| -> Result<Gradients, String> {
        let layers = heads.iter().map(|(logits, labels)| LastLayer {
            inputs: inputs.view(),
            logits: logits.view(),
            labels,
            intercepts,
        });
        let layers: Vec<_> = layers.collect();
        LastLayer::together(&layers).map_err(|error| error.to_string())
    };
    let all = gradients(last.intercepts)?;
    let signal = Signal::of(&all).map_err(|error| error.to_string())?;
    let batch = gradient.batch.get();
    let mut found = vec![Found::new("gradient-snr", ratio(&signal, batch, last.intercepts))];
    let ids: Vec<u64> = known.iter().map(|&row| plan.samples.ids[row]).collect();
    if let Some(mixture) = &gradient.mixture {
        found.push(Found::new("mixture-snr", mixed(plan, &all, &known, mixture)));
    }
    if gradient.compat {
        let published = || -> Result<Estimate, String> {
            let order = Split::by_id(&ids, 0.5, plan.pipeline.seed).map_err(|error| error.to_string())?;
            let order = [order.test, order.train].concat();
            let own = Published::of(&gradients(false)?, &order, batch).map_err(|error| error.to_string())?;
            let ratio = Published::cumulative(&[own])[0].ok_or("all minibatches have the same gradient")?;
            let mut estimate = Estimate::new(ratio, Unit::GradientUnits, None, ids.len() / batch * batch);
            estimate.detail("signal", own.signal);
            estimate.detail("noise", own.noise);
            Ok(estimate)
        };
        found.push(Found::new("gradient-snr-compat", published()));
    }
    Ok(found)
}

/// The classes of a label.
fn classes<'p>(plan: &'p Plan, label: &str) -> Result<&'p [Option<i64>], String> {
    let column = plan.samples.labels.iter().find(|column| column.name == label);
    match &column.expect("the plan checked that the column is there").labels {
        ColumnLabels::Classes { values, .. } => Ok(values),
        ColumnLabels::Numbers(_) => Err(format!("`{label}` holds numbers, needed classes")),
    }
}

/// The samples whose class is known, with it.
pub(super) fn known(plan: &Plan, label: &str) -> Result<(Vec<usize>, Vec<usize>), String> {
    let values = classes(plan, label)?;
    let known: Vec<usize> = (0..values.len()).filter(|&row| values[row].is_some()).collect();
    let labels = known.iter().filter_map(|&row| usize::try_from(values[row]?).ok()).collect();
    Ok((known, labels))
}

/// The ratio of a minibatch; zero, with a flag, where the signal cannot be told from nothing.
pub(super) fn ratio(signal: &Signal, batch: usize, intercepts: bool) -> Result<Estimate, String> {
    if signal.noise <= 0.0 {
        return Err("all gradients are equal: there is no noise".to_owned());
    }
    let value = signal.ratio(batch);
    let std_error = value.map(|value| 0.5 * value * signal.std_error / signal.squared);
    let mut estimate = Estimate::new(value.unwrap_or(0.0), Unit::Ratio, std_error, signal.n_samples);
    if value.is_none() {
        estimate.flag(Flag::Negative);
    }
    estimate.detail("squared_signal", signal.squared);
    estimate.detail("squared_signal_std_error", signal.std_error);
    estimate.detail("noise", signal.noise);
    estimate.detail("noise_scale", signal.noise_scale());
    estimate.detail("intercepts", intercepts);
    Ok(estimate)
}

/// The ratio of a minibatch that favors typical samples, with what other draws of its size have in the details.
fn mixed(plan: &Plan, gradients: &Gradients, known: &[usize], mixture: &Mixture) -> Result<Estimate, String> {
    let fail = |error: crate::estimate::EstimateError| error.to_string();
    let scores = plan.typicality.as_ref().expect("the plan checked that it is asked for");
    let whole = scores.densities[0].most_typical(mixture.typical.get()).map_err(fail)?;
    let in_whole = |row: usize| plan.rows.as_ref().map_or(row, |rows| rows[row]);
    let member = |&row: &usize| usize::from(whole.binary_search(&in_whole(row)).is_err());
    let members: Vec<usize> = known.iter().map(member).collect();
    let strata = Strata::of(gradients, &members).map_err(fail)?;
    let [typical, others] = mixture.counts;
    let batch = (typical + others) as f64;
    let draw = strata.mixture(&mixture.counts).map_err(fail)?;
    let value = draw.ratio.ok_or("no minibatch has an error")?;
    let mut estimate = Estimate::new(value, Unit::Ratio, None, gradients.len());
    estimate.detail("mixture", json!(draw));
    estimate.detail("simple_random", json!(strata.simple_random(batch)));
    estimate.detail("proportional", json!(strata.proportional(batch)));
    estimate.detail("neyman", json!(strata.neyman(batch)));
    estimate.detail("neyman_parts", json!(strata.neyman_parts()));
    if typical > 0 && others > 0 {
        estimate.detail("weighted_mixture", json!(strata.weighted_mixture(&mixture.counts).map_err(fail)?));
    }
    Ok(estimate)
}

/// Checks that measures of the last layer's gradients have what they need, and finds it.
pub(super) fn last_tap(
    measures: &[Measure],
    has_typicality: bool,
    find: impl Fn() -> Result<LastTap, String>,
) -> Result<Option<LastTap>, (usize, String)> {
    let needs = |gradient: &Gradient| match gradient.mixture {
        Some(_) if !has_typicality => Err(super::subset::NO_TYPICALITY.to_owned()),
        _ => Ok(()),
    };
    find_for(measures, GradientLayers::Last, needs, find)
}

/// Checks that measures of all layers' gradients have what they need, and finds these.
pub(super) fn all_layers(
    measures: &[Measure],
    find: impl Fn() -> Result<LayerNames, String>,
) -> Result<Option<LayerNames>, (usize, String)> {
    let needs = |gradient: &Gradient| match gradient.mixture {
        Some(_) => Err("found `mixture`, which is of the last layer; write a measure of its own".to_owned()),
        None => Ok(()),
    };
    find_for(measures, GradientLayers::All, needs, find)
}

/// What the measures of some layers need is found once, for the first of them.
fn find_for<T>(
    measures: &[Measure],
    layers: GradientLayers,
    needs: impl Fn(&Gradient) -> Result<(), String>,
    find: impl Fn() -> Result<T, String>,
) -> Result<Option<T>, (usize, String)> {
    let mut found = None;
    for (place, measure) in measures.iter().enumerate() {
        if let Measure::Gradient(gradient) = measure
            && gradient.layers == layers
        {
            needs(gradient).map_err(|reason| (place, reason))?;
            if found.is_none() {
                found = Some(find().map_err(|reason| (place, reason))?);
            }
        }
    }
    Ok(found)
}
