//! `measure bottleneck`: the frontier of a joint table, as one JSON object.

use std::path::Path;

use anyhow::{Context, bail};
use infoplane::estimate::bottleneck::{Bottleneck, Encoder, Joint};
use infoplane::estimate::usable::Probe;
use infoplane::estimate::{Flag, Labels};
use ndarray::{Array1, Array2};
use serde_json::{Value, json};

use super::measure::{held_out, integers, matrix, toml_value};
use crate::cli::BottleneckArguments;

/// `measure bottleneck`
pub(super) fn bottleneck(arguments: &BottleneckArguments) -> anyhow::Result<Value> {
    let settings: Bottleneck = toml_value("--settings", &arguments.settings)?;
    let (table, of) = table(arguments)?;
    let joint = Joint::new(table.view()).with_context(|| format!("`{}`", of.display()))?;
    let frontier = settings.frontier(&joint, arguments.split.seed)?;
    let mut flags = Vec::new();
    if frontier.points.iter().any(|point| !point.converged) {
        flags.push(Flag::NotConverged);
    }
    let corners = frontier.corners.iter().map(|&(rate, relevance)| json!({ "rate": rate, "relevance": relevance }));
    let mut object = json!({
        "unit": "nats",
        "information": joint.information(),
        "entropy_x": joint.entropy_x(),
        "entropy_y": joint.entropy_y(),
        "total": table.sum(),
        "flags": flags,
        "points": frontier.points,
        "frontier": corners.collect::<Vec<_>>(),
        "settings": settings,
        "seed": arguments.split.seed,
        "version": env!("CARGO_PKG_VERSION"),
    });
    if arguments.x.is_some() {
        object["held_out"] = json!(arguments.split.held_out);
    }
    if let Some(path) = &arguments.encoder {
        let encoder = Encoder::new(&joint, matrix(path)?.view(), table.nrows())
            .with_context(|| format!("`{}`", path.display()))?;
        let (rate, relevance) = (encoder.rate(&joint), encoder.relevance(&joint));
        object["encoder"] = json!({
            "rate": rate,
            "relevance": relevance,
            "entropy": encoder.entropy(),
            "distortion": encoder.distortion(&joint),
            "below_frontier": frontier.gap(rate, relevance),
        });
    }
    Ok(object)
}

/// p(x, y) up to a factor, and the file that it comes from: a table, or what a probe makes of the held-out samples.
fn table(arguments: &BottleneckArguments) -> anyhow::Result<(Array2<f64>, &Path)> {
    let (x, labels, probe) = match arguments {
        BottleneckArguments { joint: Some(path), .. } => return Ok((matrix(path)?, path)),
        BottleneckArguments { x: Some(x), labels: Some(labels), probe: Some(probe), .. } => (x, labels, probe),
        _ => bail!("needed `--joint`, or `--x`, `--labels` and `--probe`"),
    };
    let probe: Probe = toml_value("--probe", probe)?;
    let layer = matrix(x)?;
    let labels = Labels::new(Array1::from(integers(labels, layer.nrows(), x)?).view());
    let split = held_out(layer.nrows(), &arguments.split)?;
    Ok((probe.posteriors(layer.view(), &labels, &split, arguments.split.seed)?, x))
}
