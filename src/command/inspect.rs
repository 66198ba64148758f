//! `inspect`: what a checkpoint, a series or a graph holds.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use infoplane::archive::{Checkpoint, Series};
use infoplane::graph::Model;
use infoplane::replay::Session;

use super::run::runtime;
use crate::cli::{Cli, Inspect};

/// `inspect`
pub(crate) fn inspect(cli: &Cli, arguments: &Inspect) -> anyhow::Result<ExitCode> {
    let path = &arguments.path;
    if path.extension().is_some_and(|extension| extension == "onnx") {
        graph(cli, path)?;
    } else if path.is_file() {
        checkpoint(&Checkpoint::alone(path.clone()))?;
    } else {
        series(path)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn checkpoint(checkpoint: &Checkpoint) -> anyhow::Result<()> {
    let weights = checkpoint.open()?;
    let step = weights.step().map_or("none in its metadata".to_owned(), |step| step.to_string());
    println!("{}: {} tensors, step {step}", checkpoint.path().display(), weights.len());
    for tensor in weights.tensors() {
        println!("{:<6} {:<20} {}", tensor.type_name(), format!("{:?}", tensor.shape), tensor.name);
    }
    Ok(())
}

fn series(path: &Path) -> anyhow::Result<()> {
    let series = Series::find(path, None)?;
    println!("{}: {} checkpoints", path.display(), series.checkpoints().len());
    for checkpoint in series.checkpoints() {
        match checkpoint.open() {
            Ok(weights) => println!("{:>12} {:>5} tensors  {}", checkpoint.step(), weights.len(), checkpoint.name()),
            Err(error) => println!("{:>12} unusable: {error}", checkpoint.step()),
        }
    }
    Ok(())
}

/// Shapes come from the runtime, which knows them even where the exporter recorded none.
fn graph(cli: &Cli, path: &Path) -> anyhow::Result<()> {
    let model = Model::open(path)?;
    let tensors = model.tensors();
    let names: Vec<&str> = tensors.iter().map(|(name, _)| *name).collect();
    let session = Session::new(runtime(cli)?, &path.display().to_string(), &model.with_outputs(&names), Vec::new())?;
    println!("inputs");
    for info in session.inputs() {
        println!("  {:<9} {:<20} {}", info.element.name(), info.shape_words(), info.name);
    }
    println!("tappable tensors (give these names or globs as `taps`)");
    for (name, operator) in tensors {
        let info =
            session.outputs().iter().find(|info| info.name == name).context("every tensor was made an output")?;
        let output = if model.outputs().contains(&name) { "  (output)" } else { "" };
        println!("  {:<9} {:<20} {name}  from {operator}{output}", info.element.name(), info.shape_words());
    }
    println!("weights");
    for initializer in model.initializers() {
        println!("  {:<9} {:<20} {}", initializer.float.name(), format!("{:?}", initializer.shape), initializer.name);
    }
    Ok(())
}
