//! How typical each sample is among the inputs: once a run, the same for every checkpoint.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::variables::flatten;
use super::{Pipeline, PipelineError, Plan};
use crate::estimate::compress::Compression;
use crate::estimate::typicality::{Agreement, Density, Typicality};
use crate::samples::Samples;
use crate::table::{SampleId, TypicalityRow};

/// `[samples.typicality]`: how densely other samples lie around each, in the compressed inputs.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TypicalityTable {
    /// How the inputs are compressed first.
    #[serde(default)]
    pub compress: Compression,
    /// The neighbors whose distances tell the density: one density each; `subset` goes by the first.
    pub neighbors: Vec<NonZeroUsize>,
}

/// The densities of the samples.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    pub densities: Vec<Density>,
}

/// The densities that the pipeline file asks for.
pub(super) fn scores(pipeline: &Pipeline, samples: &Samples) -> Result<Option<Scores>, PipelineError> {
    let Some(table) = &pipeline.samples.typicality else { return Ok(None) };
    let fail = |reason: String| PipelineError::Typicality { reason };
    let inputs = flatten(samples).map_err(fail)?;
    let compressed = table.compress.compress(inputs.view(), pipeline.seed).map_err(|error| fail(error.to_string()))?;
    let typicality = Typicality { neighbors: table.neighbors.clone() };
    let densities = typicality.densities(compressed.scores.view()).map_err(|error| fail(error.to_string()))?;
    Ok(Some(Scores { densities }))
}

impl Scores {
    /// How far the first density and each other one agree on the typical half, in words.
    pub(super) fn words(&self) -> String {
        let [first, others @ ..] = &self.densities[..] else { return String::new() };
        let agreement = |other: &Density| {
            let overlap = Agreement::of(first, other, 0.5).map_or(f64::NAN, |agreement| agreement.overlap);
            format!("{:.0} % by {}", 100.0 * overlap, other.neighbors)
        };
        let agreed: Vec<String> = others.iter().map(agreement).collect();
        let agreed =
            if agreed.is_empty() { String::new() } else { format!("; typical halves shared: {}", agreed.join(", ")) };
        format!("by the distance of neighbor {} in the inputs{agreed}", first.neighbors)
    }
}

/// The rows of the table `typicality`.
pub(super) fn rows(plan: &Plan) -> Vec<TypicalityRow> {
    let densities = plan.typicality.iter().flat_map(|scores| &scores.densities);
    let of_density = |density: &Density| {
        let mut ranks = vec![0; density.distances.len()];
        for (rank, row) in (0..).zip(density.order()) {
            ranks[row] = rank;
        }
        let row = |row: usize| TypicalityRow {
            run: plan.name.clone(),
            sample: SampleId(plan.samples.ids[row]),
            neighbors: density.neighbors.get() as u64,
            distance: density.distances[row],
            log_density: Some(density.log_densities[row]).filter(|value| value.is_finite()),
            rank: ranks[row],
        };
        (0..ranks.len()).map(row).collect::<Vec<_>>()
    };
    densities.flat_map(of_density).collect()
}
