//! `inspect`: what a checkpoint, a series or a graph holds.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use infoplane::archive::{Checkpoint, Series};
use infoplane::graph::{Model, suggest_taps};
use infoplane::replay::{Session, TensorInfo};

use super::print;
use super::run::runtime;
use crate::cli::{Cli, Inspect};

/// `inspect`
pub(crate) fn inspect(cli: &Cli, arguments: &Inspect) -> anyhow::Result<ExitCode> {
    let path = &arguments.path;
    let name = path.to_string_lossy();
    let is_file = name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json");
    let text = if path.extension().is_some_and(|extension| extension == "onnx") {
        graph(cli, path)?
    } else if is_file && !name.contains(['*', '?', '[', '{']) {
        checkpoint(&Checkpoint::alone(Path::new(""), &name)?)?
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
    writeln!(text, "{}: {} tensors, step {step}", checkpoint.location(), weights.len())?;
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
    let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name).collect();
    let original = model.original(&names);
    let label = path.display().to_string();
    let session = Session::new(runtime(cli)?, &label, &original.bytes, original.folder.as_deref(), Vec::new())?;
    writeln!(text, "inputs")?;
    for info in session.inputs() {
        writeln!(text, "  {:<9} {:<20} {}", info.element.name(), info.shape_words(), info.name)?;
    }
    let shapes = session.outputs().iter().map(|info| (info.name.clone(), info.shape.clone())).collect();
    let suggested = suggest_taps(&model, &shapes);
    writeln!(text, "tappable tensors (give these names or globs as `taps`; * one a block)")?;
    for tensor in &tensors {
        // Functions are written out for replay, so that the file itself does not have all tensors.
        let info = session.outputs().iter().find(|info| info.name == tensor.name);
        let mark = if suggested.iter().any(|name| name == tensor.name) { '*' } else { ' ' };
        let element = info.map_or("", |info| info.element.name());
        let shape = info.map_or("in a function".to_owned(), TensorInfo::shape_words);
        let module = tensor.module.as_ref().map_or(String::new(), |module| format!(" of {module}"));
        let output = if model.outputs().contains(&tensor.name) { "  (output)" } else { "" };
        writeln!(text, "{mark} {element:<9} {shape:<20} {}  from {}{module}{output}", tensor.name, tensor.operator)?;
    }
    let quoted: Vec<String> = suggested.iter().map(|name| format!("{name:?}")).collect();
    writeln!(text, "suggested\n  taps = [{}]", quoted.join(", "))?;
    writeln!(text, "weights")?;
    for initializer in model.initializers() {
        writeln!(
            text,
            "  {:<9} {:<20} {}",
            initializer.kind.name(),
            format!("{:?}", initializer.shape),
            initializer.name
        )?;
    }
    Ok(text)
}
