//! `init`: a pipeline file for one's own checkpoints, tried before it is written.

mod draft;
mod found;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use infoplane::graph::{Model, suggest_taps};
use infoplane::pipeline::{Limits, Pipeline, Plan};
use infoplane::replay::{Runtime, Session, TensorInfo};

use super::print;
use super::run::runtime;
use crate::cli::{Cli, Init};
use draft::Draft;
use found::Found;

/// `init`
pub(crate) fn init(cli: &Cli, arguments: &Init) -> anyhow::Result<ExitCode> {
    let model = Model::open(&arguments.model)?;
    let runtime = runtime(cli)?;
    let (inputs, taps) = looked_at(runtime, &model, &arguments.model)?;
    let found = Found::look(arguments, &inputs)?;
    let path = arguments.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.toml", found.name)));
    if path.exists() {
        bail!("`{}`: found a file, needed a new name; choose one with `--output`", path.display());
    }
    let folder = folder_of(&path);
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    if taps.is_empty() {
        bail!(
            "`{}`: found no tensor between its inputs and outputs that all samples pass through; `infoplane inspect` lists \
             what can be tapped; write a pipeline file by hand",
            arguments.model.display()
        );
    }
    let mut draft = Draft::new(found, taps, folder)?;
    // Without measures first: what can be measured depends on what the layers turn out to be.
    let plan = tried(&draft.text(), folder, runtime)?;
    draft.settle(&plan);
    let plan = tried(&draft.text(), folder, runtime)?;
    let mut file = tempfile::Builder::new().tempfile_in(folder).context("cannot write beside the pipeline file")?;
    file.write_all(draft.text().as_bytes())?;
    file.persist_noclobber(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
    let mut text = plan.to_string() + "\n\n";
    let shown = path.display();
    writeln!(text, "{shown} written. Look at it, and then:")?;
    writeln!(text, "  infoplane bind {shown}     which tensor feeds which weight")?;
    writeln!(text, "  infoplane run {shown}      measure")?;
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The inputs of a graph, and the taps that are suggested for it.
fn looked_at(runtime: &Runtime, model: &Model, path: &Path) -> anyhow::Result<(Vec<TensorInfo>, Vec<String>)> {
    let names: Vec<&str> = model.tensors().iter().map(|tensor| tensor.name).collect();
    let original = model.original(&names);
    let label = path.display().to_string();
    let session = Session::new(runtime, &label, &original.bytes, original.folder.as_deref(), Vec::new())?;
    let shapes = session.outputs().iter().map(|info| (info.name.clone(), info.shape.clone())).collect();
    Ok((session.inputs().to_vec(), suggest_taps(model, &shapes)))
}

/// Plans a draft just as `check` would.
fn tried(text: &str, folder: &Path, runtime: &'static Runtime) -> anyhow::Result<Plan> {
    let mut file = tempfile::Builder::new().prefix(".infoplane-init-").suffix(".toml").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    Pipeline::open(file.path())?;
    Ok(Plan::new(file.path(), None, Limits::default(), runtime)?)
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
