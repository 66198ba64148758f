//! What is there: checkpoints, inputs, labels.

use std::path::{Path, PathBuf};

use anyhow::bail;
use infoplane::archive::{Checkpoint, Series};
use infoplane::replay::TensorInfo;

use super::folder_of;
use crate::cli::Init;

/// What the pipeline file will name.
#[derive(Debug)]
pub(super) struct Found {
    /// What the checkpoints are called.
    pub name: String,
    /// A folder, a glob or a URL.
    pub checkpoints: String,
    pub n_checkpoints: usize,
    pub first_step: u64,
    pub last_step: u64,
    pub model: PathBuf,
    pub inputs: PathBuf,
    /// Label files with the names of their columns.
    pub labels: Vec<(String, PathBuf)>,
}

impl Found {
    /// Looks for what is not named beside the checkpoints and the model.
    pub(super) fn look(arguments: &Init, needed: &[TensorInfo]) -> anyhow::Result<Self> {
        let series = Series::find(Path::new(""), &arguments.checkpoints, None)?;
        let steps: Vec<u64> = series.checkpoints().iter().map(Checkpoint::step).collect();
        let beside = [Path::new(&arguments.checkpoints), folder_of(&arguments.model)];
        let there = |name: &str| beside.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        let inputs = arguments.inputs.clone().or_else(|| there("inputs.npy")).or_else(|| there("inputs.npz"));
        let Some(inputs) = inputs else {
            let shapes =
                needed.iter().map(|info| format!("`{}`: {} {}", info.name, info.element.name(), info.shape_words()));
            bail!(
                "found no inputs beside the checkpoints or the model; needed a thousand samples or more that were not trained on, \
                 as `numpy.save(\"inputs.npy\", ...)` writes them; the graph takes {}",
                shapes.collect::<Vec<_>>().join(", ")
            );
        };
        let labels = if arguments.labels.is_empty() {
            there("labels.npy").into_iter().collect()
        } else {
            arguments.labels.clone()
        };
        let labels: Vec<(String, PathBuf)> = labels.into_iter().map(|path| (column(&path), path)).collect();
        for (place, (name, path)) in labels.iter().enumerate() {
            if let Some((_, other)) = labels[..place].iter().find(|(other, _)| other == name) {
                bail!(
                    "`{}` and `{}`: found two columns `{name}`, needed different names; rename a file",
                    other.display(),
                    path.display()
                );
            }
        }
        Ok(Self {
            name: name(&arguments.checkpoints),
            checkpoints: arguments.checkpoints.clone(),
            n_checkpoints: steps.len(),
            first_step: steps.first().copied().unwrap_or(0),
            last_step: steps.last().copied().unwrap_or(0),
            model: arguments.model.clone(),
            inputs,
            labels,
        })
    }
}

/// The name of a run: the last folder of the checkpoints that is a name.
fn name(checkpoints: &str) -> String {
    let absolute = Path::new(checkpoints).canonicalize().unwrap_or_else(|_| PathBuf::from(checkpoints));
    let mut parts = absolute.components().rev().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let is_name = |part: &String| !part.contains(['*', '?', '[', '{', ':', '/']) && !part.ends_with(".safetensors");
    parts.find(is_name).unwrap_or_else(|| "run".to_owned())
}

/// The name of a label column: `color` of `labels_color.npy`, `label` of `labels.npy`.
fn column(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let rest = stem.strip_prefix("labels").or_else(|| stem.strip_prefix("label")).unwrap_or(&stem);
    let rest = rest.trim_matches(['_', '-', '.']);
    if rest.is_empty() { "label".to_owned() } else { rest.to_owned() }
}
