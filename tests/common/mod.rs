//! What the integration tests share: small archives, the binary as a user runs it, its results.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file needs a part of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A measure of a millisecond or two at taps of few units.
pub(crate) const ROSS: &str = "{ information = { of = \"digit\", compress = { pca = { components = 2 } }, \
                               estimator = { ross = { neighbors = 3 } } } }";
/// One measure of each kind.
pub(crate) const EVERY_KIND: &str = "{ information = { of = \"input\", compress = { pca = { components = 2 } }, \
     margins = \"standardized\", estimator = { ksg = { neighbors = 3 } } } }, \
     { information = { of = \"input\", compress = { pca = { components = 2 } }, estimator = { gaussian = {} } } }, \
     { information = { of = \"digit\", compress = { pca = { components = 2 } }, estimator = { ross = { neighbors = 3 } } } }, \
     { usable = { label = \"digit\", probe = { linear = {} } } }, \
     { reconstruction = { decoder = { linear = {} } } }";

/// A file or folder of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// ONNX Runtime's library, found (or fetched, once) as the program does.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| infoplane::replay::find_library(false, &|_| ()).unwrap())
}

/// The program.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_infoplane"))
}

/// The program with some arguments and the library at hand.
pub(crate) fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).env("ORT_DYLIB_PATH", library());
    command
}

/// Runs the program to its end.
pub(crate) fn infoplane<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Outcome {
    Outcome::of(&mut command(arguments))
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code; none when a signal killed it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Outcome {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::from(command.output().unwrap())
    }

    /// The output of a run without a fault.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert!(!self.err.contains("error:") && !self.err.contains("warning:"), "{self:?}");
        self.out
    }

    /// Checks that the command could not run, and says why in one line with all these words.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) {
        self.stopped(2, words);
    }

    /// Checks the exit code, and that standard error ends in one line of error with all these words.
    #[track_caller]
    pub(crate) fn stopped(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        let mut lines = self.err.lines().skip_while(|line| !line.starts_with("error: "));
        let error = lines.next().unwrap_or_else(|| panic!("no line of error: {self:?}"));
        assert_eq!(lines.next(), None, "more than one line of error: {self:?}");
        assert!(!self.err.contains("panicked") && !self.err.contains("warning:"), "{self:?}");
        let mut ends = error.rsplit(": ");
        assert_ne!(ends.next(), ends.next(), "says it twice: {error}");
        contains_all(error, words);
    }

    /// Checks that one checkpoint failed, be it corrupt or not, in one line of warning with all these words.
    #[track_caller]
    pub(crate) fn warned(&self, words: &[&str]) {
        assert!(matches!(self.code, Some(1 | 65)), "{self:?}");
        let warnings: Vec<&str> = self.err.lines().filter(|line| line.starts_with("warning: ")).collect();
        assert_eq!(warnings.len(), 1, "{self:?}");
        assert_eq!(self.err.lines().last(), Some(warnings[0]), "the warning is one line: {self:?}");
        assert!(!self.err.contains("error:") && !self.err.contains("panicked"), "{self:?}");
        contains_all(warnings[0], words);
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        Self { code: output.status.code(), out, err }
    }
}

#[track_caller]
pub(crate) fn contains_all(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

/// Which archive of `data/` a scene copies from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Archive {
    Digits,
    DigitsFlax,
}

impl Archive {
    pub(crate) fn folder(self) -> PathBuf {
        repository(if self == Self::Digits { "data/digits" } else { "data/digits-flax" })
    }

    pub(crate) fn checkpoint(self, step: u64) -> PathBuf {
        self.folder().join(format!("step-{step:06}.safetensors"))
    }

    /// The steps of all its checkpoints.
    pub(crate) fn steps(self) -> Vec<u64> {
        self.metrics().into_iter().map(|(step, ..)| step).collect()
    }

    /// Step, test loss and test accuracy of each checkpoint, as the framework measured them.
    pub(crate) fn metrics(self) -> Vec<(u64, f64, f64)> {
        let text = fs::read_to_string(self.folder().join("metrics.csv")).unwrap();
        let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let header = lines.next().unwrap();
        let [step, loss, accuracy] = ["step", "test_loss", "test_accuracy"]
            .map(|name| header.iter().position(|column| *column == name).unwrap());
        lines
            .map(|row| (row[step].parse().unwrap(), row[loss].parse().unwrap(), row[accuracy].parse().unwrap()))
            .collect()
    }
}

/// A temporary folder with some checkpoints in `archive/` and a pipeline file beside it.
///
/// Each field is the TOML value of a key; `write` makes the file of them.
#[derive(Debug)]
pub(crate) struct Scene {
    folder: TempDir,
    pub archive: Archive,
    pub checkpoints: String,
    pub steps: String,
    pub model: String,
    pub reference: String,
    pub taps: String,
    pub inputs: String,
    pub labels: String,
    /// The lines of `[samples.columns]`.
    pub columns: String,
    pub ids: String,
    /// The lines of `[replay]`.
    pub replay: String,
    pub measures: String,
    pub seed: u64,
}

impl Scene {
    /// Some checkpoints of an archive; the last step must be among them for the binding to be proven.
    pub(crate) fn new(archive: Archive, steps: &[u64]) -> Self {
        let folder = TempDir::with_prefix("infoplane-test-").unwrap();
        let there = |name: &str| archive.folder().join(name).display().to_string();
        let scene = Self {
            archive,
            checkpoints: "archive".to_owned(),
            steps: "\"all\"".to_owned(),
            model: there("model.onnx"),
            reference: "\"last\"".to_owned(),
            taps: "[\"logits\"]".to_owned(),
            inputs: format!("\"{}\"", there("inputs.npy")),
            labels: format!("{{ digit = \"{}\" }}", there("labels.npy")),
            columns: String::new(),
            ids: format!("\"{}\"", there("ids.npy")),
            replay: String::new(),
            measures: ROSS.to_owned(),
            seed: 1,
            folder,
        };
        fs::create_dir(scene.path("archive")).unwrap();
        for &step in steps {
            fs::copy(archive.checkpoint(step), scene.checkpoint(step)).unwrap();
        }
        scene
    }

    /// Three checkpoints of the convolutional network: steps 0, 1 and 4000.
    pub(crate) fn digits() -> Self {
        Self::new(Archive::Digits, &[0, 1, 4000])
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn checkpoint(&self, step: u64) -> PathBuf {
        self.path("archive").join(format!("step-{step:06}.safetensors"))
    }

    /// Where results go unless `--output` says otherwise.
    pub(crate) fn results(&self) -> PathBuf {
        self.path("results")
    }

    /// The pipeline file's text.
    pub(crate) fn text(&self) -> String {
        format!(
            "seed = {}\n\n[archive]\ncheckpoints = \"{}\"\nsteps = {}\n\n[graph]\nmodel = \"{}\"\nreference = {}\ntaps = {}\n\n\
             [samples]\ninputs = {}\nlabels = {}\nids = {}\n\n[samples.columns]\n{}\n\n[replay]\n{}\n\n\
             [estimate]\nmeasures = [{}]\n\n[table]\nfolder = \"results\"\n",
            self.seed,
            self.checkpoints,
            self.steps,
            self.model,
            self.reference,
            self.taps,
            self.inputs,
            self.labels,
            self.ids,
            self.columns,
            self.replay,
            self.measures
        )
    }

    /// Writes the pipeline file.
    pub(crate) fn write(&self) -> PathBuf {
        let path = self.path("pipeline.toml");
        fs::write(&path, self.text()).unwrap();
        path
    }

    /// The command `infoplane run`.
    pub(crate) fn run_command(&self, options: &[&str]) -> Command {
        let mut command = command(["run"]);
        command.arg(self.write()).args(options);
        command
    }

    /// `infoplane run` with some options.
    pub(crate) fn run(&self, options: &[&str]) -> Outcome {
        Outcome::of(&mut self.run_command(options))
    }

    /// `infoplane check`.
    pub(crate) fn check(&self) -> Outcome {
        infoplane(["check".as_ref(), self.write().as_os_str()])
    }

    /// Rows of a query over the results.
    pub(crate) fn query(&self, sql: &str) -> Vec<Value> {
        query(&self.results(), sql)
    }

    /// Reads, changes and writes back the tensors of a checkpoint.
    pub(crate) fn change(&self, step: u64, change: impl FnOnce(&mut Tensors)) {
        let path = self.checkpoint(step);
        let (mut tensors, metadata) = read_tensors(&path);
        change(&mut tensors);
        write_tensors(&path, &tensors, metadata);
    }

    /// Checks that a checkpoint failed as a whole and that the others have values.
    #[track_caller]
    pub(crate) fn only_failed(&self, step: u64, words: &[&str]) {
        for (table, value) in [("measurements", "value"), ("checkpoints", "loss")] {
            let rows = self.query(&format!("SELECT step, {value}, error FROM {table}"));
            assert!(rows.iter().any(|row| row["step"] == step), "no row of step {step}: {rows:?}");
            assert!(rows.iter().any(|row| row["step"] != step), "no other rows: {rows:?}");
            for row in rows {
                if row["step"] == step {
                    assert!(row[value].is_null(), "{row}");
                    contains_all(row["error"].as_str().unwrap_or_default(), words);
                } else {
                    assert!(row[value].is_f64() && row["error"].is_null(), "{row}");
                }
            }
        }
    }
}

/// Rows of a query over a result folder.
#[track_caller]
pub(crate) fn query(results: &Path, sql: &str) -> Vec<Value> {
    let text = infoplane(["query".as_ref(), results.as_os_str(), sql.as_ref(), "--format".as_ref(), "json".as_ref()])
        .success();
    serde_json::from_str(&text).unwrap()
}

/// A tensor as safetensors keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

pub(crate) type Tensors = BTreeMap<String, Stored>;
pub(crate) type Metadata = Option<HashMap<String, String>>;

impl Stored {
    pub(crate) fn f32(shape: &[usize], values: &[f32]) -> Self {
        Self {
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    /// The values of a tensor in single precision.
    pub(crate) fn singles(&self) -> Vec<f32> {
        assert_eq!(self.dtype, Dtype::F32);
        self.bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    }

    /// The same values in another type.
    pub(crate) fn map<const N: usize>(&self, dtype: Dtype, convert: impl Fn(f32) -> [u8; N]) -> Self {
        Self { dtype, shape: self.shape.clone(), bytes: self.singles().into_iter().flat_map(convert).collect() }
    }
}

pub(crate) fn read_tensors(path: &Path) -> (Tensors, Metadata) {
    let bytes = fs::read(path).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let stored = |view: TensorView<'_>| Stored {
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    (file.iter().map(|(name, view)| (name.to_owned(), stored(view))).collect(), metadata.metadata().clone())
}

pub(crate) fn write_tensors(path: &Path, tensors: &Tensors, metadata: Metadata) {
    let views = tensors
        .iter()
        .map(|(name, stored)| (name, TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes).unwrap()));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, safetensors::serialize(views, metadata).unwrap()).unwrap();
}

/// Splits a checkpoint into two files and an index, as Hugging Face's tools do.
pub(crate) fn write_sharded(folder: &Path, tensors: &Tensors) {
    let mut shards = [Tensors::new(), Tensors::new()];
    let mut map = serde_json::Map::new();
    for (place, (name, stored)) in tensors.iter().enumerate() {
        shards[place % 2].insert(name.clone(), stored.clone());
        map.insert(name.clone(), shard_name(place % 2).into());
    }
    for (place, shard) in shards.iter().enumerate() {
        write_tensors(&folder.join(shard_name(place)), shard, None);
    }
    let index = serde_json::json!({ "metadata": { "total_size": 1 }, "weight_map": map });
    fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
}

pub(crate) fn shard_name(place: usize) -> String {
    format!("model-{:05}-of-00002.safetensors", place + 1)
}

/// The bytes of a `.npy` file of version 1.0, from the type as NumPy spells it.
pub(crate) fn npy(descr: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let mut sizes = String::new();
    for size in shape {
        let _ = write!(sizes, "{size}, ");
    }
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
    let padding = 64 - (10 + header.len() + 1) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let length = u16::try_from(header.len()).unwrap();
    [b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], header.as_bytes(), data].concat()
}

pub(crate) fn npy_f64(shape: &[usize], values: &[f64]) -> Vec<u8> {
    npy("<f8", shape, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

pub(crate) fn npy_f32(shape: &[usize], values: &[f32]) -> Vec<u8> {
    npy("<f4", shape, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

pub(crate) fn npy_i64(shape: &[usize], values: &[i64]) -> Vec<u8> {
    npy("<i8", shape, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

/// The bytes of a `.npz` file, its members compressed.
pub(crate) fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// All files below a folder by their path in it.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |path: PathBuf| (name_in(folder, &path), fs::read(&path).unwrap());
    walk(folder).into_iter().filter(|path| path.is_file()).map(read).collect()
}

/// All files but those that tell how long units took: each process has one of its own.
pub(crate) fn files_but_metrics(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    files(folder).into_iter().filter(|(name, _)| !name.starts_with("metrics/")).collect()
}

/// When each file below a folder was last written.
pub(crate) fn times(folder: &Path) -> BTreeMap<String, SystemTime> {
    let read = |path: PathBuf| (name_in(folder, &path), path.metadata().unwrap().modified().unwrap());
    walk(folder).into_iter().filter(|path| path.is_file()).map(read).collect()
}

/// The bytes of all parts of a result folder, each checked to be a whole Parquet file.
#[track_caller]
pub(crate) fn parts(results: &Path) -> BTreeMap<String, Vec<u8>> {
    use parquet::file::reader::{FileReader, SerializedFileReader};

    let parts = files(&results.join("data"));
    for name in parts.keys() {
        assert!(name.ends_with("/part.parquet"), "{name} is no part");
        let file = File::open(results.join("data").join(name)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap_or_else(|error| panic!("{name}: {error}"));
        let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap).count();
        assert_eq!(i64::try_from(rows).unwrap(), reader.metadata().file_metadata().num_rows(), "{name}");
    }
    parts
}

/// Everything below a folder: files, folders, links.
pub(crate) fn walk(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && !path.is_symlink() {
            found.extend(walk(&path));
        }
        found.push(path);
    }
    found
}

fn name_in(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap().display().to_string()
}

/// Starts a run and returns once its first part lies there.
#[track_caller]
pub(crate) fn start_until_first_part(command: &mut Command, results: &Path) -> Child {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !walk(&results.join("data/checkpoints")).iter().any(|path| path.ends_with("part.parquet")) {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be stopped");
        assert!(start.elapsed() < Duration::from_mins(1), "no part after a minute");
        sleep(Duration::from_millis(2));
    }
    child
}

/// Compiles C code into a program, or with `-shared` into a library.
#[track_caller]
pub(crate) fn compile(folder: &Path, name: &str, options: &[&str], code: &str) -> PathBuf {
    let [source, target] = [folder.join(format!("{name}.c")), folder.join(name)];
    fs::write(&source, code).unwrap();
    let outcome = Outcome::of(Command::new("cc").args(options).arg("-o").arg(&target).arg(&source).args(["-ldl"]));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    target
}

/// Writes an executable script.
///
/// Another process copies it into place: were it written from here, a child that another test
/// forks meanwhile could hold it open, and the system would refuse to run it.
#[track_caller]
pub(crate) fn script(folder: &Path, name: &str, text: &str) {
    let draft = folder.join(format!(".{name}.draft"));
    fs::write(&draft, text).unwrap();
    let copied = Command::new("install").args(["-m", "755"]).arg(&draft).arg(folder.join(name)).status().unwrap();
    assert!(copied.success());
    fs::remove_file(draft).unwrap();
}
