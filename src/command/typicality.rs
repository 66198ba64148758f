//! `measure typicality`: how densely samples lie, as one JSON object.

use std::path::Path;

use anyhow::bail;
use infoplane::estimate::Flag;
use infoplane::estimate::compress::Compression;
use infoplane::estimate::typicality::{Agreement, Density, Typicality};
use serde_json::{Map, Value, json};

use super::measure::{flat, same_rows, toml_value};
use crate::cli::TypicalityArguments;

/// More than this part of the samples with an infinite density are told.
const FEW_TIES: f64 = 0.01;

/// `measure typicality`
pub(super) fn typicality(arguments: &TypicalityArguments) -> anyhow::Result<Value> {
    let compress: Compression = toml_value("--compress", &arguments.compress)?;
    if compress.basis().is_some() {
        bail!("`basis`: found one for a series, and an array has none; remove it");
    }
    let typicality = Typicality { neighbors: arguments.neighbors.clone() };
    let measured = |path: &Path| -> anyhow::Result<(Vec<Density>, Map<String, Value>)> {
        let compressed = compress.compress(flat(path)?.view(), arguments.seed)?;
        if compressed.rank == 0 {
            bail!("`{}`: every row is the same; no sample is more typical than another", path.display());
        }
        Ok((typicality.densities(compressed.scores.view())?, compressed.details))
    };
    let (densities, details) = measured(&arguments.x)?;
    let first = &densities[0];
    let typical = match arguments.log_density {
        Some(least) => first.denser_than(least),
        None => first.most_typical(arguments.fraction)?,
    };
    let n = first.distances.len();
    // Sets are held against each other at the size of the one that was asked for.
    let fraction = typical.len() as f64 / n as f64;
    if typical.is_empty() || typical.len() == n {
        bail!(
            "`--log-density`: found {} of {n} samples at least as dense, needed one at least on either side",
            typical.len()
        );
    }
    let flags: Vec<Flag> = (first.tied_fraction() > FEW_TIES).then_some(Flag::Ties).into_iter().collect();
    let mut object = json!({
        "n_samples": n,
        "typical": typical,
        "fraction": fraction,
        "tied_fraction": first.tied_fraction(),
        "agreement": agreement(first, &densities[1..], fraction)?,
        "flags": flags,
        "details": details,
        "settings": {
            "compress": compress,
            "neighbors": arguments.neighbors,
            "fraction": arguments.log_density.is_none().then_some(arguments.fraction),
            "log_density": arguments.log_density,
            "seed": arguments.seed,
        },
        "version": env!("CARGO_PKG_VERSION"),
    });
    if arguments.per_sample {
        // What is infinite JSON cannot tell: null, at a distance of zero.
        let each = densities.iter().map(|density| {
            json!({ "neighbors": density.neighbors, "log_density": density.log_densities, "distance": density.distances })
        });
        object["samples"] = each.collect();
    }
    if let Some(path) = &arguments.other {
        let (others, _) = measured(path)?;
        same_rows(path, others[0].distances.len(), &arguments.x, n)?;
        object["agreement_with_other"] = agreement(first, &others, fraction)?;
    }
    Ok(object)
}

fn agreement(first: &Density, others: &[Density], fraction: f64) -> anyhow::Result<Value> {
    let each = others.iter().map(|other| -> anyhow::Result<Value> {
        let agreement = Agreement::of(first, other, fraction)?;
        Ok(json!({
            "neighbors": other.neighbors,
            "rank_correlation": agreement.rank_correlation,
            "overlap": agreement.overlap,
        }))
    });
    each.collect()
}
