//! The plan file: which units there are and what each costs, written once and never changed.
//!
//! The first line is one JSON object with all that units have in common, the others are one object a checkpoint of the
//! archive. The units are the selected checkpoints, each with every group of taps. Paths in it are absolute, so that it
//! means the same in any working directory and on every machine that sees the same file system.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf, absolute};

use serde::{Deserialize, Serialize};

use super::units::Group;
use super::{PipelineError, Plan};
use crate::archive::{Checkpoint, Series, StepFrom};
use crate::store::{Condition, Store, StoreError, is_url};
use crate::table::Unit;

/// The version of the format.
const FORMAT: u32 = 1;

/// A plan file.
#[derive(Clone, Debug)]
pub struct Planned {
    path: PathBuf,
    header: Header,
    checkpoints: Vec<Line>,
}

/// The first line.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Header {
    format: u32,
    /// Of all other lines, and of this one without it.
    hash: String,
    pipeline: PathBuf,
    output: PathBuf,
    archive: String,
    reference: String,
    /// The selected checkpoints, each with all groups.
    units: usize,
    taps: Vec<String>,
    groups: Vec<Group>,
    facts: BTreeMap<String, String>,
}

/// A checkpoint of the archive.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    step: u64,
    file: String,
    /// Whether it is measured; the others are there because the binding looks at some of them.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    selected: bool,
}

impl Planned {
    /// The plan file of a plan; nothing is written yet.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Read`] when the working directory is gone, which relative paths are in.
    pub fn new(plan: &Plan, pipeline: &Path) -> Result<Self, PipelineError> {
        let read = |source| PipelineError::Read { path: pipeline.to_owned(), source };
        let place = |text: &str| -> Result<PathBuf, PipelineError> {
            if is_url(text) { Ok(text.into()) } else { absolute(text).map_err(read) }
        };
        let checkpoints = plan.series.checkpoints();
        let selected: Vec<u64> = plan.checkpoints.iter().map(Checkpoint::step).collect();
        let line = |checkpoint: &Checkpoint| Line {
            step: checkpoint.step(),
            file: checkpoint.name().to_owned(),
            selected: selected.binary_search(&checkpoint.step()).is_ok(),
        };
        let mut planned = Self {
            path: PathBuf::new(),
            header: Header {
                format: FORMAT,
                hash: String::new(),
                pipeline: absolute(pipeline).map_err(read)?,
                output: place(&plan.output.to_string_lossy())?,
                archive: place(&plan.series.base())?.to_string_lossy().into_owned(),
                reference: place(&plan.reference_location)?.to_string_lossy().into_owned(),
                units: plan.checkpoints.len() * plan.groups.len(),
                taps: plan.taps.iter().map(|tap| tap.name.clone()).collect(),
                groups: plan.groups.clone(),
                facts: plan.facts.clone(),
            },
            checkpoints: checkpoints.iter().map(line).collect(),
        };
        planned.header.hash = planned.own_hash();
        Ok(planned)
    }

    /// Reads a plan file.
    ///
    /// # Errors
    ///
    /// [`PipelineError::PlanFile`] for one that is not whole, was changed, or is of another version.
    pub fn open(path: &Path) -> Result<Self, PipelineError> {
        let wrong = |reason: String| PipelineError::PlanFile { path: path.to_owned(), reason };
        let text = match url(path) {
            None => fs::read_to_string(path),
            Some(url) => {
                let (store, key) = Store::at(url)?;
                let found = store.read(&key, |_| Ok::<_, StoreError>(()))?;
                let (bytes, _) = found.ok_or_else(|| StoreError::Missing { url: url.to_owned() })?;
                String::from_utf8(bytes.into()).map_err(io::Error::other)
            }
        };
        let text = text.map_err(|error| wrong(format!("cannot read: {error}")))?;
        let not_one = |number: usize, error: &serde_json::Error| {
            wrong(format!("line {number}: {error}; needed the file that `infoplane plan` wrote"))
        };
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let header: Header = serde_json::from_str(first).map_err(|error| not_one(1, &error))?;
        if header.format != FORMAT {
            let reason = format!("found format {}, needed {FORMAT}; plan again with this version", header.format);
            return Err(wrong(reason));
        }
        let line =
            |(number, line): (usize, &str)| serde_json::from_str(line).map_err(|error| not_one(number + 2, &error));
        let checkpoints = lines.enumerate().map(line).collect::<Result<Vec<Line>, _>>()?;
        let planned = Self { path: path.to_owned(), header, checkpoints };
        if planned.own_hash() != planned.header.hash {
            let reason = "its content is not what its hash tells: it was changed or cut off; needed the file as `infoplane plan` wrote it; plan again";
            return Err(wrong(reason.to_owned()));
        }
        Ok(planned)
    }

    /// Writes the file, complete or not at all, unless it is there already; tells whether it was written.
    ///
    /// # Errors
    ///
    /// [`PipelineError::PlanFile`] when another plan is there: none is ever replaced.
    pub fn write(&self, path: &Path) -> Result<bool, PipelineError> {
        let text = self.text(&self.header.hash);
        let is_new = match url(path) {
            None => create(path, &text).map_err(|error| PipelineError::PlanFile {
                path: path.to_owned(),
                reason: format!("cannot write: {error}"),
            })?,
            Some(url) => {
                let (store, key) = Store::at(url)?;
                store.put(&key, &text.into(), &Condition::Absent)?
            }
        };
        if is_new {
            return Ok(true);
        }
        let found = Self::open(path)?.header.hash;
        if found == self.header.hash {
            return Ok(false);
        }
        let (found, own) = (short(&found), short(&self.header.hash));
        let reason = format!(
            "found another plan ({found}), needed no file or this plan ({own}); plans are never replaced: choose another \
             file with `--output`"
        );
        Err(PipelineError::PlanFile { path: path.to_owned(), reason })
    }

    /// Where it is written unless the user says otherwise: a changed archive has another name.
    #[must_use]
    pub fn default_path(&self) -> PathBuf {
        let name = self.header.pipeline.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        PathBuf::from(format!("{name}-{}.plan", short(&self.header.hash)))
    }

    /// The hash of its content.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.header.hash
    }

    /// The pipeline file.
    #[must_use]
    pub fn pipeline(&self) -> &Path {
        &self.header.pipeline
    }

    /// The result folder.
    #[must_use]
    pub fn output(&self) -> &Path {
        &self.header.output
    }

    /// The groups of taps.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.header.groups
    }

    /// The number of units.
    #[must_use]
    pub fn n_units(&self) -> usize {
        self.header.units
    }

    /// The number of checkpoints that are to be measured.
    #[must_use]
    pub fn n_checkpoints(&self) -> usize {
        self.checkpoints.iter().filter(|line| line.selected).count()
    }

    /// The hash that parts of this plan carry.
    #[must_use]
    pub fn plan_hash(&self) -> &str {
        self.header.facts.get("plan").map_or("", String::as_str)
    }

    /// The checkpoints that are to be measured.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<Unit> {
        let selected = self.checkpoints.iter().filter(|line| line.selected);
        selected.map(|line| Unit { step: line.step, file: line.file.clone() }).collect()
    }

    /// All checkpoints of the archive, as they were found.
    pub(super) fn series(&self, step_from: Option<StepFrom>) -> Result<Series, PipelineError> {
        let names = self.checkpoints.iter().map(|line| (line.step, line.file.clone()));
        Ok(Series::listed(&self.header.archive, names, step_from)?)
    }

    /// Holds a fact against the one that was written down.
    pub(super) fn check(&self, what: &'static str, found: &str) -> Result<(), PipelineError> {
        match self.header.facts.get(what) {
            Some(planned) if planned == found => Ok(()),
            planned => Err(PipelineError::PlanChanged {
                path: self.path.clone(),
                what,
                found: short(found),
                planned: planned.map_or_else(|| "nothing".to_owned(), |planned| short(planned)),
            }),
        }
    }

    /// Holds the reference checkpoint as it is now against what it was.
    pub(super) fn check_reference(&self) -> Result<(), PipelineError> {
        let weights = Checkpoint::alone(Path::new(""), &self.header.reference)?.open()?;
        let names: Vec<&str> = weights.tensors().map(|tensor| tensor.name).collect();
        self.check("reference", &weights.hash(names)?)
    }

    fn text(&self, hash: &str) -> String {
        let mut text = line(&Header { hash: hash.to_owned(), ..self.header.clone() });
        for checkpoint in &self.checkpoints {
            text.push_str(&line(checkpoint));
        }
        text
    }

    fn own_hash(&self) -> String {
        blake3::hash(self.text("").as_bytes()).to_hex().to_string()
    }
}

/// A place in an object store.
fn url(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| is_url(text))
}

/// Writes a file, complete or not at all; false if there is one. Who is killed meanwhile leaves one that says what it is.
fn create(path: &Path, text: &str) -> io::Result<bool> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let mut file = tempfile::Builder::new().prefix(&name).suffix(".unfinished").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers can be written as JSON") + "\n"
}

/// The start of a hash; versions stay whole.
fn short(hash: &str) -> String {
    let is_hash = hash.len() == 64;
    hash.chars().take(if is_hash { 8 } else { hash.len() }).collect()
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_yes(value: &bool) -> bool {
    *value
}
