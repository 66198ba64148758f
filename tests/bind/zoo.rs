//! An archive of the zoo in a temporary folder, to be changed at will, and a pipeline file beside it.

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;
use zip::ZipArchive;

use crate::common::{
    Outcome, Tensors, command, contains_all, files, npz, parts, query, read_tensors, repository, write_tensors,
};

/// How far a replay may be from what the framework recorded, relative to the largest output.
///
/// Both compute in single precision, in other kernels and orders of sums: the scripts of the zoo
/// found 5·10⁻⁷ at most (`replay_max_abs_diff` in `exports.json`, of outputs up to 12). One wrong
/// tensor moves an output by 10⁻⁴ of the largest or more (`data/README.md`).
pub(crate) const TOLERANCE: f64 = 1e-5;

/// A measure that sixteen samples are enough for.
pub(crate) const KSG: &str = "{ information = { of = \"input\", compress = { pca = { components = 2 } }, \
                              estimator = { ksg = { neighbors = 3 } } } }";

/// Each field but `bind` is the TOML value of a key.
#[derive(Debug)]
pub(crate) struct Zoo {
    folder: TempDir,
    pub checkpoints: String,
    pub model: String,
    /// None leaves the key out.
    pub reference: Option<String>,
    pub taps: String,
    /// The lines of `[graph.bind]`.
    pub bind: String,
    /// None leaves the key out.
    pub recorded: Option<String>,
    pub measures: String,
}

impl Zoo {
    /// A copy of an archive, with one of its exports as the graph.
    pub(crate) fn new(archive: &str, export: &str) -> Self {
        let from = repository("data/zoo").join(archive);
        let zoo = Self::empty(export);
        for (name, bytes) in files(&from) {
            let path = zoo.path("zoo").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let sharded = from.join("checkpoint-200").is_dir();
        Self { checkpoints: if sharded { "zoo/checkpoint-*".to_owned() } else { zoo.checkpoints.clone() }, ..zoo }
    }

    /// No checkpoints, and no graph.
    pub(crate) fn empty(export: &str) -> Self {
        let folder = TempDir::with_prefix("infoplane-test-").unwrap();
        fs::create_dir(folder.path().join("zoo")).unwrap();
        Self {
            folder,
            checkpoints: "zoo/step-*.safetensors".to_owned(),
            model: format!("zoo/{export}"),
            reference: Some("{ step = 200 }".to_owned()),
            taps: "[\"logits\"]".to_owned(),
            bind: String::new(),
            recorded: Some("{ outputs = \"zoo/outputs.npz\" }".to_owned()),
            measures: String::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn pipeline(&self) -> PathBuf {
        self.path("pipeline.toml")
    }

    pub(crate) fn text(&self) -> String {
        let key = |name: &str, value: &Option<String>| {
            value.as_ref().map_or(String::new(), |value| format!("{name} = {value}\n"))
        };
        let bind = if self.bind.is_empty() { String::new() } else { format!("[graph.bind]\n{}\n\n", self.bind) };
        format!(
            "# A network of the zoo.\nseed = 1\n\n[archive]\ncheckpoints = \"{}\"\n\n[graph]\nmodel = \"{}\"\n{}\
             taps = {} # what is read out\n\n{bind}[samples]\ninputs = \"zoo/inputs.npy\"\n\
             labels = {{ digit = \"zoo/labels.npy\" }}\n\n[replay]\n{}\n[estimate]\nmeasures = [{}]\n\n\
             # Where results go.\n[table]\nfolder = \"results\"\n",
            self.checkpoints,
            self.model,
            key("reference", &self.reference),
            self.taps,
            key("recorded", &self.recorded),
            self.measures
        )
    }

    /// Writes the pipeline file and runs a command on it.
    pub(crate) fn command(&self, name: &str, options: &[&str]) -> Outcome {
        fs::write(self.pipeline(), self.text()).unwrap();
        self.again(name, options)
    }

    /// Runs a command on the pipeline file as it stands.
    pub(crate) fn again(&self, name: &str, options: &[&str]) -> Outcome {
        Outcome::of(command([name]).arg(self.pipeline()).args(options))
    }

    /// What `bind` says of a binding that is proven.
    #[track_caller]
    pub(crate) fn proven(&self) -> Value {
        proven(self.command("bind", &["--json"]))
    }

    /// What `bind` says of a binding that is not proven, with all these words in its reasons.
    #[track_caller]
    pub(crate) fn doubted(&self, words: &[&str]) -> Value {
        let outcome = self.command("bind", &["--json"]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let said: Value = serde_json::from_str(&outcome.out).unwrap();
        assert_eq!(said["proven"], false, "{said}");
        contains_all(&said["doubts"].to_string(), words);
        said
    }

    /// Checks that nothing is done with this binding, and that all words are in the reason.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) {
        for name in ["bind", "run"] {
            self.command(name, &[]).refused(words);
        }
        assert!(!self.path("results").exists());
    }

    /// The rows of the checkpoints after a run that ends with this code.
    #[track_caller]
    pub(crate) fn rows(&self, code: i32) -> Vec<Value> {
        let outcome = self.command("run", &[]);
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert!(!outcome.err.contains("error:") && !outcome.err.contains("panicked"), "{outcome:?}");
        parts(&self.path("results"));
        self.query("SELECT * FROM checkpoints")
    }

    pub(crate) fn query(&self, sql: &str) -> Vec<Value> {
        query(&self.path("results"), sql)
    }

    pub(crate) fn checkpoint(&self, step: u64) -> PathBuf {
        self.path(&format!("zoo/step-{step:06}.safetensors"))
    }

    pub(crate) fn tensors(&self, step: u64) -> Tensors {
        read_tensors(&self.checkpoint(step)).0
    }

    pub(crate) fn put(&self, step: u64, tensors: &Tensors) {
        write_tensors(&self.checkpoint(step), tensors, None);
    }

    /// Changes the tensors of a checkpoint.
    pub(crate) fn change(&self, step: u64, change: impl FnOnce(&mut Tensors)) {
        let mut tensors = self.tensors(step);
        change(&mut tensors);
        self.put(step, &tensors);
    }

    /// Changes bytes of the graph's file, each of which stands there once.
    #[track_caller]
    pub(crate) fn patch(&self, changes: &[(&[u8], &[u8])]) {
        let path = self.path(&self.model);
        let whole = fs::read(&path).unwrap();
        let mut patched = whole.clone();
        for (old, new) in changes {
            assert_eq!(old.len(), new.len());
            let places: Vec<usize> = (0..=whole.len() - old.len()).filter(|&at| whole[at..].starts_with(old)).collect();
            assert_eq!(places.len(), 1, "of {} bytes", old.len());
            patched[places[0]..places[0] + old.len()].copy_from_slice(new);
        }
        fs::write(path, patched).unwrap();
    }

    /// The framework's outputs at a step, as a `.npy`.
    pub(crate) fn outputs(&self, step: u64) -> Vec<u8> {
        let bytes = fs::read(self.path("zoo/outputs.npz")).unwrap();
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut member = Vec::new();
        archive.by_name(&format!("step-{step:06}.npy")).unwrap().read_to_end(&mut member).unwrap();
        member
    }

    /// Sets what the framework is said to have put out, by step.
    pub(crate) fn record(&self, outputs: &[(u64, Vec<u8>)]) {
        let named: Vec<(String, Vec<u8>)> =
            outputs.iter().map(|(step, bytes)| (format!("step-{step:06}"), bytes.clone())).collect();
        let members: Vec<(&str, Vec<u8>)> = named.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        fs::write(self.path("zoo/outputs.npz"), npz(&members)).unwrap();
    }
}

/// What `bind --json` printed of a binding that is proven.
#[track_caller]
pub(crate) fn proven(outcome: Outcome) -> Value {
    let said: Value = serde_json::from_str(&outcome.success()).unwrap();
    assert_eq!(said["proven"], true, "{said}");
    assert_eq!(said["proof"]["holds"], true, "{said}");
    as_recorded(&said);
    said
}

/// Checks that the outputs of every checkpoint that has a record are those of the framework.
#[track_caller]
pub(crate) fn as_recorded(said: &Value) {
    for record in said["records"].as_array().unwrap() {
        assert_eq!(record["differs"], false, "{record}");
        if let Some(difference) = record["recorded-difference"].as_f64() {
            assert!(difference <= TOLERANCE, "{record}");
        }
    }
}

/// The names of a list of objects, or of strings.
pub(crate) fn strings(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|value| value[key].as_str().unwrap().to_owned()).collect()
}

/// The flags of each row by its step.
pub(crate) fn flags(rows: &[Value]) -> Vec<(u64, Vec<&str>)> {
    rows.iter()
        .map(|row| {
            let flags = row["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap());
            (row["step"].as_u64().unwrap(), flags.collect())
        })
        .collect()
}
