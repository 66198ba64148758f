//! The bottlenecks that codebooks are held against: of what the network, or a probe, makes of each held-out sample.

use std::ops::ControlFlow;

use ndarray::{Array2, ArrayView2, Axis};
use rayon::ThreadPool;
use serde::{Deserialize, Serialize};

use super::inputs::INPUT;
use super::readings::{probe_text, seed, split};
use super::variables::Label;
use super::{Codebooks, Measure, PipelineError, Plan, unit};
use crate::estimate::bottleneck::{Frontier, Joint};
use crate::estimate::usable::Probe;
use crate::replay::Replayed;

/// A probe whose posteriors stand for p(y|x).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Posterior {
    /// The family of probes, fitted to the training samples of the split.
    pub probe: Probe,
    /// What it reads: `"input"`, or a tap of the last checkpoint of the run.
    #[serde(default = "Posterior::input")]
    pub of: String,
}

impl Posterior {
    fn input() -> String {
        INPUT.to_owned()
    }
}

/// The bottleneck of the posteriors of the held-out samples.
#[derive(Debug)]
pub(super) struct Reference {
    pub joint: Joint,
    pub frontier: Frontier,
    /// What the posteriors really say of the held-out labels, in nats: H(Y) less their cross-entropy.
    pub usable: f64,
}

/// For each measure the bottleneck that it is held against, where it is one.
pub(super) fn references(plan: &Plan, pool: &ThreadPool) -> Result<Vec<Option<Reference>>, PipelineError> {
    let reference = |(place, measure): (usize, &Measure)| {
        let Measure::Codebook(asked @ Codebooks { label, frontier: Some(frontier), .. }) = measure else {
            return Ok(None);
        };
        let fail = |reason: String| PipelineError::Measure {
            number: plan.places[place] + 1,
            measure: measure.name(),
            reason: format!("`frontier`: {reason}"),
        };
        let own = &plan.variables.labels[label];
        let posteriors = posteriors(plan, asked, own, pool)?.map_err(fail)?;
        let usable = usable(posteriors.view(), own);
        let joint = Joint::new(posteriors.view())?;
        let frontier = pool.install(|| frontier.frontier(&joint, seed(plan, &["codebook", "frontier", label])))?;
        Ok(Some(Reference { joint, frontier, usable }))
    };
    plan.pipeline.estimate.measures.iter().enumerate().map(reference).collect()
}

/// Whether the last checkpoint has a say in a measure.
pub(super) fn goes_by_last(asked: &Codebooks) -> bool {
    asked.frontier.is_some() && asked.posterior.as_ref().is_none_or(|posterior| posterior.of != INPUT)
}

/// p(y|x) of the held-out samples, one column a class of the label.
fn posteriors(
    plan: &Plan,
    asked: &Codebooks,
    label: &Label,
    pool: &ThreadPool,
) -> Result<Result<Array2<f64>, String>, PipelineError> {
    let Some(Posterior { probe, of }) = &asked.posterior else { return own(plan, &asked.label, label, pool).map(Ok) };
    let classes = label.classes().expect("the plan checked that the label has classes");
    let seed = seed(plan, &["codebook", "posterior", &asked.label, of, &probe_text(probe)]);
    let of_layer = |layer: ArrayView2<'_, f64>| {
        let posteriors = label.with_known(layer, |layer| probe.posteriors(layer, classes, split(label), seed));
        posteriors.map_err(|error| format!("the probe of `{of}`: {error}"))
    };
    if plan.variables.inputs.has(of) {
        return Ok(pool.install(|| of_layer(plan.variables.inputs.get(of).view())));
    }
    let tap = plan.taps.iter().position(|tap| tap.name == *of).expect("the plan checked that the tap is there");
    let layer = last(plan, &[tap], pool)?.taps.remove(0).values.mapv(f64::from);
    Ok(pool.install(|| of_layer(layer.view())))
}

/// The softmax of what the last checkpoint gives.
fn own(plan: &Plan, name: &str, label: &Label, pool: &ThreadPool) -> Result<Array2<f64>, PipelineError> {
    let output = last(plan, &[], pool)?.output.expect("what the loss is computed from is replayed").values;
    let logits = match &plan.heads {
        Some(heads) => heads.logits_of(output.view(), name).expect("the plan checked that heads fit"),
        None => output,
    };
    let logits = label.with_known(logits.view(), |logits| logits.select(Axis(0), &split(label).test).mapv(f64::from));
    Ok(softmax(logits))
}

/// The last checkpoint of the run, of the samples of this plan.
fn last(plan: &Plan, taps: &[usize], pool: &ThreadPool) -> Result<Replayed, PipelineError> {
    let checkpoint = plan.checkpoints.last().expect("a run has a checkpoint");
    let weights = checkpoint.open()?;
    weights.load(plan.tensors.iter().map(String::as_str))?;
    let go_on = || ControlFlow::Continue(());
    let replayed = pool.install(|| unit::replayed(plan, taps, checkpoint, &weights, &go_on))?.replayed;
    Ok(if plan.rows.is_some() { plan.chosen(&replayed) } else { replayed })
}

fn softmax(mut logits: Array2<f64>) -> Array2<f64> {
    for mut row in logits.outer_iter_mut() {
        let largest = row.fold(f64::NEG_INFINITY, |largest, &value| largest.max(value));
        row.mapv_inplace(|value| (value - largest).exp());
        let sum = row.sum();
        row /= sum;
    }
    logits
}

/// ⟨ln q(y|x) − ln π(y)⟩ over the held-out samples, π the frequencies in training.
fn usable(posteriors: ArrayView2<'_, f64>, label: &Label) -> f64 {
    let classes = label.classes().expect("the plan checked that the label has classes");
    let (train, test) = (&split(label).train, &split(label).test);
    let counts = classes.counts_at(train);
    let column = |class: usize| {
        if posteriors.ncols() == classes.n_classes() {
            return class;
        }
        // The outputs of a network are as many as classes may be, and numbered as labels are.
        usize::try_from(classes.names()[class]).expect("the plan checked that labels are classes of the output")
    };
    let gain = |(row, &sample): (usize, &usize)| {
        let class = classes.classes()[sample];
        let said = posteriors[[row, column(class)]].max(f64::MIN_POSITIVE);
        (said * train.len() as f64 / counts[class] as f64).ln()
    };
    test.iter().enumerate().map(gain).sum::<f64>() / test.len() as f64
}
