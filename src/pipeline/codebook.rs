//! Codebooks of layers: what a few codewords cost and keep, and how far they lie from the information bottleneck.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use ndarray::{Array2, ArrayView2, Axis};
use rayon::ThreadPool;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::readings::{seed, split};
use super::rows::Found;
use super::variables::Label;
use super::{Measure, PipelineError, Plan, Subset, unit};
use crate::estimate::bottleneck::{Bottleneck, Codebook, Encoder, Frontier, Joint};
use crate::estimate::compress::Compression;
use crate::estimate::{Estimate, Flag, Unit};

/// Codebooks of a layer, and what they keep of a label.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Codebooks {
    /// The label column.
    pub label: String,
    /// How the layer is compressed first.
    #[serde(default)]
    pub compress: Compression,
    /// The codewords: rows for each number of them.
    pub sizes: Vec<NonZeroUsize>,
    /// The samples that share a codeword; of one, quantization is scalar.
    #[serde(default = "Codebooks::one")]
    pub block: NonZeroUsize,
    /// The beginnings of the search for codewords.
    #[serde(default = "Codebooks::few")]
    pub starts: NonZeroUsize,
    /// Hold each codebook against the information bottleneck of what the last checkpoint of the run makes of each
    /// held-out sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontier: Option<Bottleneck>,
    /// Which samples are looked at, where they are not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<Subset>,
}

impl Codebooks {
    fn one() -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    fn few() -> NonZeroUsize {
        NonZeroUsize::new(4).expect("4 is not zero")
    }

    /// The measures of one size each.
    pub(super) fn each(&self) -> impl Iterator<Item = Self> {
        self.sizes.iter().map(|&size| Self { sizes: vec![size], ..self.clone() })
    }

    /// The names of the rows of each size.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        ["codebook-relevance", "codebook-rate"].into_iter().chain(self.frontier.as_ref().map(|_| "codebook-gap"))
    }
}

/// The bottleneck of the last checkpoint's own posteriors.
#[derive(Debug)]
pub(super) struct Reference {
    joint: Joint,
    frontier: Frontier,
}

/// For each measure the bottleneck that it is held against, where it is one.
pub(super) fn references(plan: &Plan, pool: &ThreadPool) -> Result<Vec<Option<Reference>>, PipelineError> {
    let measures = plan.pipeline.estimate.measures.iter();
    let reference = |measure: &Measure| {
        let Measure::Codebook(Codebooks { label, frontier: Some(frontier), .. }) = measure else { return Ok(None) };
        let logits = last_output(plan, pool)?;
        let rows = &split(&plan.variables.labels[label]).test;
        let joint = Joint::new(softmax(logits.select(Axis(0), rows)).view())?;
        let frontier = pool.install(|| frontier.frontier(&joint, seed(plan, &["codebook", "frontier", label])))?;
        Ok(Some(Reference { joint, frontier }))
    };
    measures.map(reference).collect()
}

/// What the last checkpoint of the run gives, one row a sample.
fn last_output(plan: &Plan, pool: &ThreadPool) -> Result<Array2<f64>, PipelineError> {
    let checkpoint = plan.checkpoints.last().expect("a run has a checkpoint");
    let weights = checkpoint.open()?;
    weights.load(plan.tensors.iter().map(String::as_str))?;
    let go_on = || ControlFlow::Continue(());
    let replayed = pool.install(|| unit::replayed(plan, &[], checkpoint, &weights, &go_on))?.replayed;
    let (_, label) = plan.loss.as_ref().expect("the plan checked that there is a loss");
    let output = replayed.output.expect("what the loss is computed from is replayed").values;
    let logits = match &plan.heads {
        Some(heads) => heads.unfold(output.view(), label).expect("the plan checked that heads fit").0,
        None => output,
    };
    let wide = logits.mapv(f64::from);
    Ok(plan.rows.as_ref().map_or_else(|| wide.clone(), |rows| wide.select(Axis(0), rows)))
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

/// The rows of all sizes of a compressed layer.
pub(super) fn rows(
    plan: &Plan,
    asked: &Codebooks,
    layer: ArrayView2<'_, f64>,
    reference: Option<&Reference>,
) -> Vec<Found> {
    let label = &plan.variables.labels[&asked.label];
    let mut found = Vec::new();
    for one in asked.each() {
        let parameters = Some(Measure::Codebook(one.clone()).parameters());
        let n_train = Some(split(label).train.len());
        let n_components = Some(layer.ncols());
        let of_size = match of_size(plan, &one, label, layer, reference) {
            Ok(estimates) => estimates.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(reason) => one.names().map(|_| Err(reason.clone())).collect(),
        };
        found.extend(one.names().zip(of_size).map(|(name, outcome)| Found {
            parameters: parameters.clone(),
            n_train,
            n_components,
            ..Found::new(name, outcome)
        }));
    }
    found
}

/// Relevance, rate, and the gap to the frontier where there is one.
fn of_size(
    plan: &Plan,
    one: &Codebooks,
    label: &Label,
    layer: ArrayView2<'_, f64>,
    reference: Option<&Reference>,
) -> Result<Vec<Estimate>, String> {
    let fail = |error: crate::estimate::EstimateError| error.to_string();
    let codebook = Codebook { size: one.sizes[0], block: one.block, starts: one.starts };
    let classes = label.classes().expect("the plan checked that the label has classes");
    let seed = seed(plan, &["codebook", &one.label]);
    let coded = label.with_known(layer, |layer| codebook.code(layer, classes, split(label), seed)).map_err(fail)?;
    let mut estimates = vec![coded.relevance, coded.rate];
    if let Some(Reference { joint, frontier }) = reference {
        let n = coded.codewords.len();
        let assignment = Array2::from_shape_fn((n, one.sizes[0].get()), |(row, code)| {
            f64::from(u8::from(coded.codewords[row] == code))
        });
        let encoder = Encoder::new(joint, assignment.view(), n).map_err(fail)?;
        let (rate, relevance) = (encoder.rate(joint), encoder.relevance(joint));
        let gap = frontier.gap(rate, relevance);
        let mut estimate = Estimate::new(gap.at_least, Unit::Nats, None, n);
        if frontier.points.iter().any(|point| !point.converged) {
            estimate.flag(Flag::NotConverged);
        }
        estimate.detail("at_most", json!(gap.at_most));
        estimate.detail("rate", rate);
        estimate.detail("relevance", relevance);
        estimate.detail("distortion", encoder.distortion(joint));
        estimate.detail("information", joint.information());
        estimates.push(estimate);
    }
    Ok(estimates)
}

/// What is wrong with a measure of codebooks.
pub(super) fn check(plan_has: &Plan, asked: &Codebooks) -> Result<(), String> {
    let Some(_) = &asked.frontier else { return Ok(()) };
    if asked.block.get() > 1 {
        return Err(
            "found `frontier` and blocks, whose posteriors are too many to count; remove one of them".to_owned()
        );
    }
    if let Err(reason) = &plan_has.loss {
        return Err(format!("`frontier` needs the network's own output, and there is none: {reason}"));
    }
    if plan_has.loss.as_ref().is_ok_and(|(_, label)| *label != asked.label) {
        return Err(format!("`frontier` goes by the network's own output, which is not about `{}`", asked.label));
    }
    if plan_has.heads.as_ref().is_some_and(|heads| heads.is_batched()) {
        return Err("`frontier` needs one posterior a sample, and blocks of different samples have several".to_owned());
    }
    if plan_has.variables.labels[&asked.label].n_known() != plan_has.n_samples() {
        return Err(format!("`frontier`: some samples have no `{}`, and each needs one", asked.label));
    }
    Ok(())
}
