//! How typical each sample is among the inputs: once a run, the same for every checkpoint.

use std::num::NonZeroUsize;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::inputs::{INPUT, flatten};
use super::rows::Found;
use super::{Fraction, Measure, Pipeline, PipelineError, Plan};
use crate::estimate::compress::Compression;
use crate::estimate::typicality::{Agreement, Density, Typicality};
use crate::estimate::{Estimate, EstimateError, Flag, Null, Unit};
use crate::samples::Samples;
use crate::table::{AgreementRow, SampleId, TypicalityRow};

/// The deviations that a normal value exceeds one time in twenty.
const ONE_IN_TWENTY: f64 = 1.644_853_6;

/// The part of samples that may coincide with others, as for all that goes by neighbors.
const MOST_TIES: f64 = 0.01;

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

/// The rows of the table `agreement`: each two densities, by each part of the samples that measures look at, a half without any.
pub(super) fn agreement(plan: &Plan) -> Result<Vec<AgreementRow>, PipelineError> {
    let Some(scores) = &plan.typicality else { return Ok(Vec::new()) };
    let mut fractions: Vec<f64> = plan.populations().filter_map(|plan| plan.subset.as_ref()?.typical_part()).collect();
    if fractions.is_empty() {
        fractions.push(0.5);
    }
    fractions.sort_unstable_by(f64::total_cmp);
    fractions.dedup();
    let mut rows = Vec::new();
    for (place, density) in scores.densities.iter().enumerate() {
        for other in &scores.densities[place + 1..] {
            for &fraction in &fractions {
                let fail = |error: EstimateError| PipelineError::Typicality { reason: error.to_string() };
                let agreement = Agreement::of(density, other, fraction).map_err(fail)?;
                rows.push(AgreementRow {
                    run: plan.name.clone(),
                    neighbors: density.neighbors.get() as u64,
                    other_neighbors: other.neighbors.get() as u64,
                    fraction,
                    overlap: agreement.overlap,
                    rank_correlation: agreement.rank_correlation,
                    n_samples: density.distances.len() as u64,
                });
            }
        }
    }
    Ok(rows)
}

/// How far a layer and the inputs, or another layer, agree on which samples are typical.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LayerTypicality {
    /// `"input"`, compressed as `[samples.typicality]` says and by the first of its neighbors, or another tap, compressed and by the
    /// neighbor as the layer is.
    #[serde(default = "LayerTypicality::input", skip_serializing_if = "LayerTypicality::is_input")]
    pub of: String,
    /// How the layer is compressed first.
    #[serde(default)]
    pub compress: Compression,
    /// The neighbors whose distances tell the density: a row each, and one for each but the first held against the first.
    pub neighbors: Vec<NonZeroUsize>,
    /// The part of the samples that is typical.
    #[serde(default = "LayerTypicality::half")]
    pub fraction: Fraction,
    /// Keep the logarithm of each sample's density in the layer, in the table `samples`, by the first of `neighbors`.
    #[serde(default, skip_serializing_if = "super::measures::is_false")]
    pub per_sample: bool,
}

impl LayerTypicality {
    fn input() -> String {
        INPUT.to_owned()
    }

    fn is_input(of: &str) -> bool {
        of == INPUT
    }

    fn half() -> Fraction {
        Fraction::try_from(0.5).expect("a half lies between 0 and 1")
    }

    /// The names and parameters of its rows: each neighbor against the other side, and the first against each later one.
    pub(super) fn names(&self) -> Vec<(&'static str, String)> {
        let one = |neighbors: &[NonZeroUsize]| {
            Measure::Typicality(Self { neighbors: neighbors.to_vec(), ..self.clone() }).parameters()
        };
        let alone = self.neighbors.iter().map(|&k| ("typical-overlap", one(&[k])));
        let pairs = self.neighbors.iter().skip(1).map(|&k| ("typical-overlap-neighbors", one(&[self.neighbors[0], k])));
        alone.chain(pairs).collect()
    }

    fn densities(&self, layer: ArrayView2<'_, f64>) -> Result<Vec<Density>, String> {
        let typicality = Typicality { neighbors: self.neighbors.clone() };
        typicality.densities(layer).map_err(|error| error.to_string())
    }
}

/// The rows of a compressed layer beside another one or the inputs, and ln p of each sample where it is to be kept.
pub(super) fn of_layer(
    plan: &Plan,
    asked: &LayerTypicality,
    layer: ArrayView2<'_, f64>,
    other: Option<ArrayView2<'_, f64>>,
) -> Result<(Vec<Found>, Vec<f64>), String> {
    let densities = asked.densities(layer)?;
    let others = if let Some(other) = other {
        asked.densities(other)?
    } else {
        let scores = plan.typicality.as_ref().expect("the plan checked that it is asked for");
        vec![scores.densities[0].clone(); densities.len()]
    };
    let pairs = densities.iter().zip(&others).chain(densities.iter().skip(1).map(|density| (&densities[0], density)));
    let found = asked.names().into_iter().zip(pairs).map(|((name, parameters), (density, other))| {
        let estimate = overlap(density, other, asked.fraction.get())?;
        let n_components = Some(layer.ncols());
        Ok(Found { parameters: Some(parameters), n_components, ..Found::new(name, Ok(estimate)) })
    });
    let found = found.collect::<Result<_, String>>()?;
    let kept = if asked.per_sample { densities[0].log_densities.clone() } else { Vec::new() };
    Ok((found, kept))
}

/// The part of the typical samples of one density that is typical by another.
fn overlap(density: &Density, other: &Density, fraction: f64) -> Result<Estimate, String> {
    let agreement = Agreement::of(density, other, fraction).map_err(|error| error.to_string())?;
    let n = density.distances.len();
    let mut estimate = Estimate::new(agreement.overlap, Unit::Fraction, None, n);
    // The variance of the overlap of two random sets of so many of n is hypergeometric.
    let deviation = (1.0 - fraction) / (n as f64 - 1.0).sqrt();
    let high = fraction + ONE_IN_TWENTY * deviation;
    estimate.null = Some(Null { mean: Some(fraction), high, p_value: None, permutations: None });
    if agreement.overlap <= high {
        estimate.flag(Flag::WithinNull);
    }
    if density.tied_fraction().max(other.tied_fraction()) > MOST_TIES {
        estimate.flag(Flag::Ties);
    }
    estimate.detail("rank_correlation", agreement.rank_correlation);
    Ok(estimate)
}
