//! `inspect`: what a checkpoint, a series or a graph holds.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use infoplane::archive::{Checkpoint, Series};
use infoplane::graph::Model;
use infoplane::replay::Session;

use super::print;
use super::run::runtime;
use crate::cli::{Cli, Inspect};

/// `inspect`
pub(crate) fn inspect(cli: &Cli, arguments: &Inspect) -> anyhow::Result<ExitCode> {
    let path = &arguments.path;
    let text = if path.extension().is_some_and(|extension| extension == "onnx") {
        graph(cli, path)?
    } else if path.is_file() {
        checkpoint(&Checkpoint::alone(path.clone()))?
    } else {
        series(path)?
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn checkpoint(checkpoint: &Checkpoint) -> anyhow::Result<String> {
    let mut text = String::new();
    let weights = checkpoint.open()?;
    let step = weights.step().map_or("none in its metadata".to_owned(), |step| step.to_string());
    writeln!(text, "{}: {} tensors, step {step}", checkpoint.path().display(), weights.len())?;
    for tensor in weights.tensors() {
        writeln!(text, "{:<6} {:<20} {}", tensor.type_name(), format!("{:?}", tensor.shape), tensor.name)?;
    }
    Ok(text)
}

fn series(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let series = Series::find(Path::new(""), &path.to_string_lossy(), None)?;
    writeln!(text, "{}: {} checkpoints", path.display(), series.checkpoints().len())?;
    for checkpoint in series.checkpoints() {
        match checkpoint.open() {
            Ok(weights) => {
                writeln!(text, "{:>12} {:>5} tensors  {}", checkpoint.step(), weights.len(), checkpoint.name())?;
            }
            Err(error) => writeln!(text, "{:>12} unusable: {error}", checkpoint.step())?,
        }
    }
    Ok(text)
}

/// Shapes come from the runtime, which knows them even where the exporter recorded none.
fn graph(cli: &Cli, path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let model = Model::open(path)?;
    let tensors = model.tensors();
    let names: Vec<&str> = tensors.iter().map(|(name, _)| *name).collect();
    let session = Session::new(runtime(cli)?, &path.display().to_string(), &model.with_outputs(&names), Vec::new())?;
    writeln!(text, "inputs")?;
    for info in session.inputs() {
        writeln!(text, "  {:<9} {:<20} {}", info.element.name(), info.shape_words(), info.name)?;
    }
    writeln!(text, "tappable tensors (give these names or globs as `taps`)")?;
    for (name, operator) in tensors {
        let info =
            session.outputs().iter().find(|info| info.name == name).context("every tensor was made an output")?;
        let output = if model.outputs().contains(&name) { "  (output)" } else { "" };
        writeln!(text, "  {:<9} {:<20} {name}  from {operator}{output}", info.element.name(), info.shape_words())?;
    }
    writeln!(text, "weights")?;
    for initializer in model.initializers() {
        writeln!(
            text,
            "  {:<9} {:<20} {}",
            initializer.float.name(),
            format!("{:?}", initializer.shape),
            initializer.name
        )?;
    }
    Ok(text)
}
