//! The text of a pipeline file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use infoplane::pipeline::Plan;
use infoplane::samples::{ColumnLabels, Samples, Source};
use toml_edit::{Key, Value};

use super::found::Found;

/// More checkpoints than one picture shows are thinned out.
const MOST_CHECKPOINTS: usize = 24;

/// Principal components, of layers that have so many units.
const COMPONENTS: usize = 4;

/// Samples from which on neighbor searches take minutes a checkpoint.
const MANY_SAMPLES: usize = 20_000;

/// A pipeline file as far as it is known.
pub(super) struct Draft {
    found: Found,
    taps: Vec<String>,
    samples: Samples,
    /// Where the file will lie: paths are relative to it.
    folder: PathBuf,
    /// The lines of `[graph] reference`, once the binding is known.
    reference: String,
    /// The lines of `measures`, once the layers are known.
    measures: Vec<String>,
}

impl Draft {
    pub(super) fn new(found: Found, taps: Vec<String>, folder: &Path) -> anyhow::Result<Self> {
        let source = |path: &Path| Source::File(path.display().to_string());
        let labels: BTreeMap<String, String> =
            found.labels.iter().map(|(name, path)| (name.clone(), path.display().to_string())).collect();
        let labels = (!labels.is_empty()).then_some(Source::Named(labels));
        let samples = Samples::read(Path::new(""), &source(&found.inputs), labels.as_ref(), None, &BTreeMap::new())?;
        let folder = folder.canonicalize()?;
        Ok(Self { found, taps, samples, folder, reference: String::new(), measures: Vec::new() })
    }

    /// Chooses measures for what the plan found, and keeps what it found out.
    pub(super) fn settle(&mut self, plan: &Plan) {
        let proof = plan.proof.as_ref().map_or_else(
            || "The graph has no weights to compare with: bound by names only, NOT PROVEN.".to_owned(),
            |proof| format!("Found by value; the outputs agree to {:.1e}.", proof.largest_difference),
        );
        self.reference = format!("# {proof}\nreference = {{ step = {} }}\n", plan.reference_step);
        let narrowest = plan.widths.iter().min().copied().unwrap_or(1);
        let inputs = self.samples.inputs.iter().all(|input| input.array.values.is_scale());
        if inputs && self.samples.inputs.len() == 1 {
            let width: usize = self.samples.inputs[0].array.values.shape().iter().skip(1).product();
            let compress = pca(narrowest.min(width));
            self.measures.push("# I(X;T), between principal components of the input and of the layer.".to_owned());
            self.measures.push(format!(
                "{{ information = {{ of = \"input\", {compress}margins = \"standardized\", estimator = {{ ksg = {{ neighbors = 5 }} }} }} }},"
            ));
            self.measures.push("# How much of the input a linear decoder gives back from the layer.".to_owned());
            self.measures.push("{ reconstruction = { decoder = { linear = {} } } },".to_owned());
        } else {
            self.measures.push("# The inputs are no values on a scale: nothing is measured against them.".to_owned());
        }
        for column in &self.samples.labels {
            let name = Value::from(column.name.as_str());
            if matches!(column.labels, ColumnLabels::Classes { .. }) {
                let compress = pca(narrowest);
                self.measures.push(format!("# I(T;Y) of `{}`, and what a linear probe can read of it.", column.name));
                self.measures.push(format!(
                    "{{ information = {{ of = {name}, {compress}margins = \"standardized\", estimator = {{ ross = {{ neighbors = 3 }} }} }} }},"
                ));
            } else {
                self.measures.push(format!("# What a linear probe can read of the number `{}`.", column.name));
            }
            self.measures.push(format!("{{ usable = {{ label = {name}, probe = {{ linear = {{}} }} }} }},"));
        }
    }

    /// The file.
    pub(super) fn text(&self) -> String {
        let found = &self.found;
        let mut text = String::new();
        let mut line = |words: &str| {
            let _ = writeln!(text, "{words}");
        };
        line(&format!("# What did each layer of `{}` know, and when?", found.name));
        line("#\n# Written by `infoplane init`. Paths are relative to this file; the README explains every key.\n");
        line("# Every random choice derives from it.\nseed = 1\n\n[archive]");
        line(&format!("# {} checkpoints, steps {} to {}.", found.n_checkpoints, found.first_step, found.last_step));
        line(&format!("checkpoints = {}", self.checkpoints()));
        line("# \"all\", { every = 100 }, { range = [0, 5000] } or { log-spaced = 24 }.");
        let steps = if found.n_checkpoints > MOST_CHECKPOINTS {
            format!("{{ log-spaced = {MOST_CHECKPOINTS} }}")
        } else {
            "\"all\"".to_owned()
        };
        line(&format!("steps = {steps}\n\n[graph]\nmodel = {}", self.path(&found.model)));
        line(self.reference.trim_end());
        line("# One a block, in graph order; `infoplane inspect` lists all that can be tapped.");
        line(&format!("taps = [{}]\n\n[samples]", quoted(&self.taps)));
        line(&format!("# {} samples.", self.samples.len()));
        line(&format!("inputs = {}", self.path(&found.inputs)));
        if !found.labels.is_empty() {
            let columns = found.labels.iter().map(|(name, path)| format!("{} = {}", Key::new(name), self.path(path)));
            line("# Integers are classes, floating-point values are numbers on a scale.");
            line(&format!("labels = {{ {} }}", columns.collect::<Vec<_>>().join(", ")));
        }
        line("\n[estimate]");
        if self.samples.len() > MANY_SAMPLES {
            line(
                "# Neighbor searches over so many samples take minutes a checkpoint: a few thousand samples tell as much.",
            );
        }
        line("measures = [");
        for measure in &self.measures {
            line(&format!("    {measure}"));
        }
        line(&format!("]\n\n[table]\nfolder = {}", Value::from(format!("results/{}", found.name))));
        text
    }

    /// The checkpoints as the pipeline file names them: URLs and globs keep their words.
    fn checkpoints(&self) -> String {
        let given = &self.found.checkpoints;
        if given.contains("://") {
            return Value::from(given.as_str()).to_string();
        }
        // Only what goes before the first wildcard is a path that can be looked up.
        let wild = given.find(['*', '?', '[', '{']).unwrap_or(given.len());
        let fixed = if wild == given.len() { wild } else { given[..wild].rfind('/').map_or(0, |slash| slash + 1) };
        let (folder, rest) = given.split_at(fixed);
        let folder = if folder.is_empty() { "." } else { folder };
        let folder = relative(Path::new(folder), &self.folder);
        let path = if rest.is_empty() { folder } else { folder.join(rest) };
        Value::from(path.display().to_string()).to_string()
    }

    fn path(&self, path: &Path) -> String {
        Value::from(relative(path, &self.folder).display().to_string()).to_string()
    }
}

/// How variables are compressed, of which the narrowest has so many units: the setting with its comma.
fn pca(most: usize) -> String {
    format!("compress = {{ pca = {{ components = {} }} }}, ", most.clamp(1, COMPONENTS))
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| Value::from(name.as_str()).to_string()).collect::<Vec<_>>().join(", ")
}

/// A path as seen from a folder; as it is where it cannot be looked up.
fn relative(path: &Path, folder: &Path) -> PathBuf {
    let Ok(path) = path.canonicalize() else { return path.to_owned() };
    let (own, base): (Vec<_>, Vec<_>) = (path.components().collect(), folder.components().collect());
    let shared = own.iter().zip(&base).take_while(|(a, b)| a == b).count();
    let up = base[shared..].iter().map(|_| Path::new(".."));
    let found: PathBuf = up.chain(own[shared..].iter().map(|part| Path::new(part.as_os_str()))).collect();
    if found.as_os_str().is_empty() { PathBuf::from(".") } else { found }
}
