//! `measure bottleneck`: the frontier of a joint table, as one JSON object.

use anyhow::Context;
use infoplane::estimate::Flag;
use infoplane::estimate::bottleneck::{Bottleneck, Encoder, Joint};
use serde_json::{Value, json};

use super::measure::{matrix, toml_value};
use crate::cli::BottleneckArguments;

/// `measure bottleneck`
pub(super) fn bottleneck(arguments: &BottleneckArguments) -> anyhow::Result<Value> {
    let settings: Bottleneck = toml_value("--settings", &arguments.settings)?;
    let table = matrix(&arguments.joint)?;
    let joint = Joint::new(table.view()).with_context(|| format!("`{}`", arguments.joint.display()))?;
    let frontier = settings.frontier(&joint, arguments.seed)?;
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
        "seed": arguments.seed,
        "version": env!("CARGO_PKG_VERSION"),
    });
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
