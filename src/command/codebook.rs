//! `measure codebook`: what a few codewords for a layer cost and keep, as one JSON object.

use infoplane::estimate::Labels;
use infoplane::estimate::bottleneck::Codebook;
use ndarray::Array1;
use serde_json::{Value, json};

use super::measure::{held_out, integers, matrix, object, short, split_settings};
use crate::cli::CodebookArguments;

/// `measure codebook`
pub(super) fn codebook(arguments: &CodebookArguments) -> anyhow::Result<Value> {
    let layer = matrix(&arguments.x)?;
    let labels = Labels::new(Array1::from(integers(&arguments.labels, layer.nrows(), &arguments.x)?).view());
    let split = held_out(layer.nrows(), &arguments.split)?;
    let codebook = Codebook { size: arguments.size, block: arguments.block, starts: arguments.starts };
    let coded = codebook.code(layer.view(), &labels, &split, arguments.split.seed)?;
    let mut all = object(coded.relevance, &codebook, &split_settings(&arguments.split))?;
    all["rate"] = short(&coded.rate);
    all["codewords"] = json!(coded.codewords);
    Ok(all)
}
