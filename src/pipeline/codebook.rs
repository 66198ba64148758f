//! Codebooks of layers: what a few codewords cost and keep, and how far they lie from the information bottleneck.

use std::num::NonZeroUsize;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::inputs::INPUT;
use super::posterior::{Posterior, Reference};
use super::readings::{seed, split};
use super::rows::Found;
use super::variables::Label;
use super::{Measure, Plan, Subset};
use crate::estimate::bottleneck::{Bottleneck, Codebook};
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
    /// held-out sample, or of what `posterior` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontier: Option<Bottleneck>,
    /// A probe whose posteriors the frontier is of, in place of the network's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posterior: Option<Posterior>,
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
    let mut estimates = vec![coded.relevance.clone(), coded.rate.clone()];
    if let Some(Reference { joint, frontier, usable }) = reference {
        let placed =
            label.with_known(layer, |layer| codebook.place(&coded, layer, split(label), joint, seed)).map_err(fail)?;
        let gap = frontier.gap(placed.rate, placed.relevance);
        let mut estimate = Estimate::new(gap.at_least, Unit::Nats, None, placed.n_blocks * one.block.get());
        if frontier.points.iter().any(|point| !point.converged) {
            estimate.flag(Flag::NotConverged);
        }
        // Better than the best that the search found: too few values, steps or starts.
        if gap.at_least < 0.0 {
            estimate.flag(Flag::Negative);
        }
        estimate.detail("at_most", json!(gap.at_most));
        estimate.detail("rate", placed.rate);
        estimate.detail("relevance", placed.relevance);
        estimate.detail("distortion", placed.distortion);
        estimate.detail("information", joint.information());
        estimate.detail("posterior_usable", *usable);
        estimates.push(estimate);
    }
    Ok(estimates)
}

/// What is wrong with a measure of codebooks.
pub(super) fn check(plan: &Plan, asked: &Codebooks) -> Result<(), String> {
    if asked.frontier.is_none() {
        let no_use = "found `posterior` without `frontier`, which it is for; add `frontier = {}`, or remove it";
        return if asked.posterior.is_some() { Err(no_use.to_owned()) } else { Ok(()) };
    }
    if let Some(Posterior { of, .. }) = &asked.posterior {
        let names: Vec<&str> = plan.taps.iter().map(|tap| tap.name.as_str()).collect();
        if !plan.variables.inputs.has(of) && !names.contains(&of.as_str()) {
            return Err(format!("`posterior`: found no tap `{of}`, needed `{INPUT}` or one of: {}", names.join(", ")));
        }
        return Ok(());
    }
    let other = "or say whose posteriors there are, such as `posterior = { probe = { linear = {} } }`";
    let (_, of_loss) = plan.loss.as_ref().map_err(|reason| {
        format!("`frontier` goes by the network's own output, and there is none: {reason}; name it in `[replay] loss`, {other}")
    })?;
    let fits = match &plan.heads {
        Some(heads) => heads.has_head(of_loss, &asked.label),
        None => *of_loss == asked.label,
    };
    if !fits {
        return Err(format!(
            "`frontier` goes by the network's own output, no head of which is about `{}` alone; choose a label of a head, {other}",
            asked.label
        ));
    }
    Ok(())
}
