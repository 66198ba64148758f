//! `measure codebook`: what a few codewords for a layer cost and keep, as one JSON object.

use anyhow::Context;
use infoplane::estimate::Labels;
use infoplane::estimate::bottleneck::{Bottleneck, Codebook, Joint};
use ndarray::{Array1, Axis};
use serde_json::{Value, json};

use super::measure::{held_out, integers, matrix, object, same_rows, short, split_settings, toml_value};
use crate::cli::CodebookArguments;

/// `measure codebook`
pub(super) fn codebook(arguments: &CodebookArguments) -> anyhow::Result<Value> {
    let layer = matrix(&arguments.x)?;
    let labels = Labels::new(Array1::from(integers(&arguments.labels, layer.nrows(), &arguments.x)?).view());
    let split = held_out(layer.nrows(), &arguments.split)?;
    let codebook = Codebook { size: arguments.size, block: arguments.block, starts: arguments.starts };
    let seed = arguments.split.seed;
    let coded = codebook.code(layer.view(), &labels, &split, seed)?;
    let gap = arguments.posteriors.as_deref().map(|path| {
        let settings: Bottleneck = toml_value("--frontier", &arguments.frontier)?;
        let posteriors = matrix(path)?;
        same_rows(path, posteriors.nrows(), &arguments.x, layer.nrows())?;
        let named = || format!("`{}`", path.display());
        let joint = Joint::new(posteriors.select(Axis(0), &split.test).view()).with_context(named)?;
        let placed = codebook.place(&coded, layer.view(), &split, &joint, seed).with_context(named)?;
        let gap = settings.frontier(&joint, seed)?.gap(placed.rate, placed.relevance);
        anyhow::Ok(json!({
            "rate": placed.rate,
            "relevance": placed.relevance,
            "distortion": placed.distortion,
            "information": joint.information(),
            "blocks": placed.n_blocks,
            "below_frontier": gap,
            "settings": settings,
        }))
    });
    let gap = gap.transpose()?;
    let mut all = object(coded.relevance, &codebook, &split_settings(&arguments.split))?;
    all["rate"] = short(&coded.rate);
    all["codewords"] = json!(coded.codewords);
    if let Some(gap) = gap {
        all["placed"] = gap;
    }
    Ok(all)
}
