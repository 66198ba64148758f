//! The checked plan: everything that can be wrong before the work starts has been looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::every_layer::{self, LayerNames};
use super::facts::Facts;
use super::gradient::{self, LastTap};
use super::heads::Heads;
use super::inputs::INPUT;
use super::noise::NoisePlan;
use super::planned::Planned;
use super::records::Records;
use super::reference::{self, Bound, Proof, Trial};
use super::shared::{basis_checkpoints, with_basis};
use super::typicality::{self, Scores};
use super::units::{Group, Limits};
use super::variables::Variables;
use super::{Loss, Measure, Outputs, Pipeline, PipelineError, Subset, codebook, posterior, subset};
use crate::archive::{Checkpoint, Series, Weights};
use crate::graph::{Binding, Model, SessionGraph, Tap, select_taps};
use crate::replay::{FeedInputs, Runtime, TensorInfo};
use crate::samples::{Column, ColumnLabels, Samples};
use crate::store::is_url;
use crate::table::{Asked, Origin, SCHEMA_VERSION};

/// A run made definite.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The pipeline file, with the measures that look at the samples of this plan only.
    pub pipeline: Pipeline,
    /// The name of the run: the pipeline file's, without its ending.
    pub name: String,
    /// Where results go.
    pub output: PathBuf,
    /// The selected checkpoints, in the order of their steps.
    pub checkpoints: Vec<Checkpoint>,
    /// The groups of taps that are measured together, in graph order: one unit of each checkpoint.
    pub groups: Vec<Group>,
    /// All checkpoints that the archive has.
    pub(super) series: Series,
    /// Who feeds whom.
    pub binding: Binding,
    /// The reference checkpoint's name.
    pub reference: String,
    /// Where it lies.
    pub(super) reference_location: String,
    /// Its step; zero for a file outside of the archive.
    pub reference_step: u64,
    /// The proof of the binding, where one was possible.
    pub proof: Option<Proof>,
    /// The taps, in graph order.
    pub taps: Vec<Tap>,
    /// The units of each tap.
    pub widths: Vec<usize>,
    /// The output and the label column of the loss, or why there is none.
    pub loss: Result<(String, String), String>,
    /// The runtime.
    pub runtime: &'static Runtime,
    /// The hash of everything that all parts have in common.
    pub hash: String,
    /// The tensors that a checkpoint is read for.
    pub(super) tensors: Vec<String>,
    /// The outputs that loss and records are about: one, or one a slot of blocks.
    pub(super) outlets: Vec<String>,
    pub(super) records: Arc<Records>,
    pub(super) noise: Option<NoisePlan>,
    /// What it was made of, as hashes by name.
    pub(super) facts: BTreeMap<String, String>,
    graph_hash: String,
    inputs_hash: String,
    pub(super) model: Arc<Model>,
    /// What messages call the model.
    pub(super) label: String,
    pub(super) graph: SessionGraph,
    pub(super) feed: FeedInputs,
    pub(super) samples: Samples,
    pub(super) variables: Variables,
    pub(super) weight_bytes: usize,
    /// The whole pipeline file, with every default.
    resolved: String,
    /// The places of the measures in it.
    pub(super) places: Vec<usize>,
    /// Which samples are looked at, and their rows; none if all.
    pub(super) subset: Option<Subset>,
    pub(super) rows: Option<Vec<usize>>,
    /// The same plan for the measures that look at some of the samples.
    pub(super) subsets: Vec<Plan>,
    pub(super) typicality: Option<Arc<Scores>>,
    /// The blocks that samples are joined to.
    pub(super) heads: Option<Arc<Heads>>,
    /// What the last layer multiplies, where a measure is about it.
    pub(super) last_tap: Option<LastTap>,
    /// The layers, where a measure is about all of them.
    pub(super) layers: Option<Arc<LayerNames>>,
}

impl Plan {
    /// Resolves a pipeline file: finds the checkpoints, binds the graph, proves the binding, checks
    /// samples, taps and measures.
    ///
    /// # Errors
    ///
    /// [`PipelineError`] for everything that would make the run fail or its numbers wrong.
    pub fn new(
        path: &Path,
        output: Option<&Path>,
        limits: Limits,
        runtime: &'static Runtime,
    ) -> Result<Self, PipelineError> {
        let mut plan = Self::unproven(path, output, runtime)?.proven()?;
        plan.groups = plan.cut(limits)?;
        Ok(plan)
    }

    /// The plan that a plan file tells, over the checkpoints that it lists: nothing is looked for.
    ///
    /// # Errors
    ///
    /// [`PipelineError::PlanChanged`] where it is made of something else by now, and as [`Plan::new`].
    pub fn planned(planned: &Planned, output: Option<&Path>, runtime: &'static Runtime) -> Result<Self, PipelineError> {
        let output = output.unwrap_or(planned.output());
        let mut plan = Self::made(planned.pipeline(), Some(output), Some(planned), runtime)?.proven()?;
        planned.groups().clone_into(&mut plan.groups);
        Ok(plan)
    }

    fn proven(self) -> Result<Self, PipelineError> {
        match self.proof.as_ref().filter(|proof| !proof.holds()) {
            Some(proof) => Err(PipelineError::unproven(&self.label, &self.reference, proof)),
            None => Ok(self),
        }
    }

    /// As [`Plan::new`], whether the proof of the binding holds or not: for looking at the binding.
    ///
    /// # Errors
    ///
    /// As [`Plan::new`], but for a proof that does not hold.
    pub fn unproven(path: &Path, output: Option<&Path>, runtime: &'static Runtime) -> Result<Self, PipelineError> {
        Self::made(path, output, None, runtime)
    }

    fn made(
        path: &Path,
        output: Option<&Path>,
        planned: Option<&Planned>,
        runtime: &'static Runtime,
    ) -> Result<Self, PipelineError> {
        let pipeline = Pipeline::open(path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut facts = Facts::new(planned);
        facts.note("version", env!("CARGO_PKG_VERSION"))?;
        facts.note("schema", SCHEMA_VERSION)?;
        facts.note("pipeline", &hash_of(&json!([name, pipeline])))?;
        facts.note("onnxruntime", runtime.version())?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let series = match planned {
            Some(planned) => planned.series(pipeline.archive.step_from)?,
            None => Series::find(&folder, &pipeline.archive.checkpoints, pipeline.archive.step_from)?,
        };
        let checkpoints = pipeline.archive.steps.select(series.checkpoints().to_vec())?;
        let model = Model::open(&folder.join(&pipeline.graph.model))?;
        facts.note("graph", &model.hash())?;
        let taps = select_taps(&model, &pipeline.graph.taps, &pipeline.replay.pool)?;
        let table = &pipeline.samples;
        let samples = Samples::read(&folder, &table.inputs, table.labels.as_ref(), table.ids.as_ref(), &table.columns)?;
        let (heads, samples) = Heads::of(pipeline.replay.blocks.as_ref(), samples, pipeline.seed)?;
        facts.note("samples", &samples.hash())?;
        let names: Vec<&str> = taps.iter().map(|tap| tap.name.as_str()).collect();
        let scores = typicality::scores(&pipeline, &samples)?;
        let mut populations = subset::populations(&folder, &pipeline, &samples, scores.as_ref(), &names)?;
        let batch = pipeline.replay.batch.get();
        let bound = reference::bind(&folder, &pipeline.graph, &model, &series).map_err(|error| facts.explain(error))?;
        let all = bound.weights.tensors().map(|tensor| tensor.name);
        facts.note("reference", &bound.weights.hash(all)?)?;
        let Trial { taps: trial, outputs, feed, proof } = reference::prove(runtime, &bound, &taps, &samples, batch)?;
        let loss = loss(pipeline.replay.loss.as_ref(), &outputs, &samples.labels, heads.as_ref())?;
        let records = Records::read(&folder, pipeline.replay.recorded.as_ref(), &loss, &outputs, samples.len())?;
        facts.note("records", &records.hash())?;
        let outlets = outlets(pipeline.replay.loss.as_ref(), &loss, &records);
        let outlets: Vec<&str> = outlets.iter().map(String::as_str).collect();
        let noise = NoisePlan::new(&pipeline.replay.noise, runtime, &bound, &taps, (&samples, batch), &outlets)?;
        let Bound { model, binding, checkpoint, weights } = bound;
        let graph = model.session(&names, &outlets, &binding.initializers());
        let tensors: Vec<String> = binding.tensors(&graph.fed).into_iter().map(str::to_owned).collect();
        let bases = basis_hashes(&pipeline.estimate.measures, &checkpoints, &tensors)?;
        facts.note("bases", &hash_of(&json!(bases)))?;
        let subsets: Vec<_> = populations.iter().map(|population| &population.rows).collect();
        let (graph_hash, inputs_hash) = (model.hash(), samples.hash());
        let hash = hash(&name, &pipeline, (&graph_hash, &inputs_hash, &records, &subsets), (&binding, &bases), runtime);
        facts.note("plan", &hash)?;
        let last_tap = last_tap(&pipeline, scores.as_ref(), || match outlets[..] {
            [_, _, ..] => {
                Err("found an output for each slot, needed one layer that makes the logits of all".to_owned())
            }
            _ => LastTap::find(&model, &taps, &loss, heads.is_some()),
        })?;
        let is_plain = heads.is_none() && noise.is_none();
        let layers = layers(&pipeline, &loss, is_plain, (&model, &binding, &graph.fed), (&checkpoint, &weights))?;
        let whole = populations.remove(0);
        let mut plan = Self {
            hash,
            groups: Vec::new(),
            facts: facts.found(),
            resolved: pipeline.resolved(),
            places: whole.places,
            subset: None,
            rows: None,
            subsets: Vec::new(),
            typicality: scores.map(Arc::new),
            last_tap,
            layers,
            heads: heads.map(Arc::new),
            graph_hash,
            inputs_hash,
            name,
            output: output.map_or_else(|| beside(&folder, &pipeline.table.folder), Path::to_owned),
            weight_bytes: weight_bytes(&binding, &graph),
            tensors,
            outlets: outlets.into_iter().map(str::to_owned).collect(),
            widths: trial.iter().map(|tap| tap.values.ncols()).collect(),
            reference: checkpoint.name().to_owned(),
            reference_location: checkpoint.location(),
            reference_step: checkpoint.step(),
            pipeline: whole.pipeline,
            checkpoints,
            series,
            binding,
            proof,
            taps,
            loss,
            records: Arc::new(records),
            noise,
            runtime,
            label: model.path().display().to_string(),
            model: Arc::new(model),
            graph,
            feed,
            samples,
            variables: whole.variables,
        };
        plan.subsets = populations.into_iter().map(|population| plan.of_population(population)).collect();
        plan.check_codebooks()?;
        plan.groups = plan.cut(Limits::default())?;
        Ok(plan)
    }

    fn check_codebooks(&self) -> Result<(), PipelineError> {
        for population in self.populations() {
            for (measure, &place) in population.pipeline.estimate.measures.iter().zip(&population.places) {
                if let Measure::Codebook(codebook) = measure {
                    codebook::check(population, codebook).map_err(|reason| PipelineError::Measure {
                        number: place + 1,
                        measure: measure.name(),
                        reason,
                    })?;
                }
            }
        }
        Ok(())
    }

    /// The whole pipeline file, with every default filled in.
    #[must_use]
    pub fn resolved(&self) -> &str {
        &self.resolved
    }

    /// What all parts have in common.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            plan: self.hash.clone(),
            pipeline: self.resolved.clone(),
            seed: self.pipeline.seed,
            graph: self.graph_hash.clone(),
            inputs: self.inputs_hash.clone(),
            onnxruntime: self.runtime.version().to_owned(),
        }
    }

    /// The number of samples.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.samples.len()
    }

    /// The id of each sample.
    #[must_use]
    pub fn sample_ids(&self) -> &[u64] {
        &self.samples.ids
    }

    /// The tables that measures ask for.
    #[must_use]
    pub fn asked_tables(&self) -> Asked {
        let mut asked = Asked::default();
        for measure in self.populations().flat_map(|population| &population.pipeline.estimate.measures) {
            match measure {
                Measure::Information(_) | Measure::Gradient(_) | Measure::Codebook(_) => {}
                Measure::Typicality(typicality) => asked.samples |= typicality.per_sample,
                Measure::Usable(usable) => asked.samples |= usable.per_sample,
                Measure::Reconstruction(reconstruction) => {
                    asked.samples |= reconstruction.per_sample;
                    asked.positions |= reconstruction.per_position || reconstruction.keep.is_some();
                }
            }
        }
        asked
    }
}

/// The plan as it is printed before a run.
impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: usize| bytes.div_ceil(1 << 20);
        let first = self.checkpoints.first().map_or(0, Checkpoint::step);
        let last = self.checkpoints.last().map_or(0, Checkpoint::step);
        writeln!(
            formatter,
            "checkpoints  {} of {}, steps {first} to {last}",
            self.checkpoints.len(),
            self.series.checkpoints().len()
        )?;
        write!(formatter, "binding      {} tensors bound to {}", self.binding.feeds.len(), self.reference)?;
        match &self.proof {
            Some(proof) => writeln!(
                formatter,
                ", proven on {} samples (largest relative difference {:.1e})",
                proof.n_samples, proof.largest_difference
            )?,
            None => writeln!(formatter, " by name and shape only: NOT PROVEN, no reference checkpoint was given")?,
        }
        if self.binding.is_ambiguous() {
            writeln!(
                formatter,
                "             some feeds are guesses: rows say so wherever no record agrees; `infoplane bind` lists them"
            )?;
        }
        for (reason, names) in self.binding.bystanders() {
            writeln!(formatter, "             {} feed nothing: {reason} ({})", names.len(), few(&names))?;
        }
        write!(formatter, "taps         ")?;
        for (place, (tap, width)) in self.taps.iter().zip(&self.widths).enumerate() {
            write!(formatter, "{}{} ({width})", if place == 0 { "" } else { ", " }, tap.name)?;
        }
        writeln!(formatter)?;
        write!(formatter, "samples      {}", self.n_samples())?;
        if let Some(split) = &self.variables.split {
            write!(formatter, ", of which {} train and {} test decoders", split.train.len(), split.test.len())?;
        }
        writeln!(formatter)?;
        if let Some(heads) = &self.heads {
            writeln!(formatter, "blocks       {}", heads.words())?;
        }
        match self.samples.repeated() {
            0 => {}
            repeated => writeln!(
                formatter,
                "             {repeated} have the inputs of another one: what is held out may have been seen in training"
            )?,
        }
        if let Some(scores) = &self.typicality {
            writeln!(formatter, "typicality   {}", scores.words())?;
        }
        for (name, label) in &self.variables.labels {
            writeln!(formatter, "label        {name}: {}", label.words())?;
        }
        if let Some(noise) = &self.noise {
            writeln!(formatter, "noise        {}", noise.words())?;
        }
        let measures: usize = self.populations().map(|population| population.places.len()).sum();
        writeln!(formatter, "measures     {measures} at each tap of each checkpoint")?;
        for population in &self.subsets {
            let words = population.subset.as_ref().map(Subset::words).unwrap_or_default();
            writeln!(
                formatter,
                "             {} of them of {words} ({} samples)",
                population.places.len(),
                population.n_samples()
            )?;
        }
        match &self.loss {
            Ok((output, label)) => writeln!(formatter, "loss         cross-entropy of `{output}` against `{label}`")?,
            Err(reason) => writeln!(formatter, "loss         none: {reason}")?,
        }
        writeln!(
            formatter,
            "memory       about {} MB a worker and {} MB shared, whatever the number of checkpoints, beside ONNX Runtime's buffers",
            megabytes(self.bytes_per_worker()),
            megabytes(self.shared_bytes())
        )?;
        writeln!(
            formatter,
            "runtime      ONNX Runtime {} ({})",
            self.runtime.version(),
            self.runtime.path().display()
        )?;
        write!(formatter, "plan         {}", &self.hash[..8])
    }
}

/// What the last layer multiplies, if a measure is about it; measures that go by typicality need scores.
fn last_tap(
    pipeline: &Pipeline,
    scores: Option<&Scores>,
    find: impl Fn() -> Result<LastTap, String>,
) -> Result<Option<LastTap>, PipelineError> {
    let measures = &pipeline.estimate.measures;
    let at = |(place, reason): (usize, String)| of_measure(pipeline, place, reason);
    let compares = |measure: &Measure| matches!(measure, Measure::Typicality(typicality) if typicality.of == INPUT);
    if let (Some(place), None) = (measures.iter().position(compares), scores) {
        return Err(at((place, subset::NO_TYPICALITY.to_owned())));
    }
    gradient::last_tap(measures, scores.is_some(), find).map_err(at)
}

/// The layers, if a measure is about the gradients of all.
fn layers(
    pipeline: &Pipeline,
    loss: &Result<(String, String), String>,
    is_plain: bool,
    graph: (&Model, &Binding, &[String]),
    reference: (&Checkpoint, &Weights),
) -> Result<Option<Arc<LayerNames>>, PipelineError> {
    let find = || {
        let (output, _) = loss.as_ref().map_err(|reason| gradient::no_loss(reason))?;
        if !is_plain {
            let reason = "found `[replay] blocks` or `noise`, through which no gradients are taken; remove one of them";
            return Err(reason.to_owned());
        }
        every_layer::layers(graph, reference, output)
    };
    let found = gradient::all_layers(&pipeline.estimate.measures, find);
    found.map(|layers| layers.map(Arc::new)).map_err(|(place, reason)| of_measure(pipeline, place, reason))
}

/// What is wrong with the measure at a place.
fn of_measure(pipeline: &Pipeline, place: usize, reason: String) -> PipelineError {
    PipelineError::Measure { number: place + 1, measure: pipeline.estimate.measures[place].name(), reason }
}

/// The bytes of the weights that are fed.
fn weight_bytes(binding: &Binding, graph: &SessionGraph) -> usize {
    let fed = binding.feeds.iter().filter(|feed| graph.fed.contains(&feed.initializer));
    fed.map(|feed| feed.shape.iter().product::<usize>() * feed.kind.size()).sum()
}

/// The first names of a list that may be long.
fn few(names: &[&str]) -> String {
    const FEW: usize = 3;
    let more = if names.len() > FEW { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(FEW)].join(", "))
}

/// A URL as it is, or a path relative to a folder, with `a/../b` written `b`.
fn beside(folder: &Path, path: &str) -> PathBuf {
    if is_url(path) {
        return PathBuf::from(path);
    }
    let mut joined = PathBuf::new();
    for part in folder.join(path).components() {
        let is_named = matches!(joined.components().next_back(), Some(Component::Normal(_)));
        if part == Component::ParentDir && is_named {
            joined.pop();
        } else {
            joined.push(part);
        }
    }
    joined
}

/// What the loss is computed from: what the pipeline file names, or the only ones of their kind.
fn loss(
    table: Option<&Loss>,
    outputs: &[TensorInfo],
    columns: &[Column],
    heads: Option<&Heads>,
) -> Result<Result<(String, String), String>, PipelineError> {
    let columns = heads.map_or(columns, |heads| &heads.labels);
    let (output, label) = match table {
        Some(Loss::None) => return Ok(Err("the pipeline file says so".to_owned())),
        Some(Loss::Of { output, label }) => (output.clone(), label.clone()),
        None => (None, None),
    };
    let output = match output {
        None => None,
        Some(Outputs::One(name)) => Some(name),
        Some(Outputs::BySlot(names)) => {
            let label = choose("label", label, &columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>());
            let label = label.map_err(|reason| PipelineError::Loss { reason })?;
            let column = columns.iter().find(|column| column.name == label);
            by_slot(&names, outputs, column, heads).map_err(|reason| PipelineError::Loss { reason })?;
            return Ok(Ok((names.join("`, `"), label)));
        }
    };
    let names: Vec<String> = outputs.iter().map(|info| info.name.clone()).collect();
    let labels: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let named = table.is_some();
    let output = choose("output", output, &names);
    let label = choose("label", label, &labels);
    let chosen = output.and_then(|output| {
        let label = label?;
        let info = outputs.iter().find(|info| info.name == output);
        let column = columns.iter().find(|column| column.name == label);
        match (info, heads) {
            (Some(info), Some(heads)) => {
                let of_one = heads.of_one(info).ok_or_else(|| {
                    let shape = info.shape_words();
                    format!("output `{output}` has shape {shape}, needed samples × slots × classes, or samples × classes of all slots")
                })?;
                is_logits(Some(&of_one), column)?;
            }
            _ => is_logits(info, column)?,
        }
        Ok((output, label))
    });
    match chosen {
        Err(reason) if named => Err(PipelineError::Loss { reason }),
        chosen => Ok(chosen),
    }
}

/// Checks that outputs can be the heads of a network that reads blocks, one a slot.
fn by_slot(
    names: &[String],
    outputs: &[TensorInfo],
    column: Option<&Column>,
    heads: Option<&Heads>,
) -> Result<(), String> {
    let fold = heads.map_or(1, Heads::fold);
    if heads.is_none() || names.len() != fold {
        return Err(format!(
            "found a list of {} outputs, needed one a slot of `[replay] blocks`, which are {fold}; of an output that holds \
             all heads say its name alone",
            names.len()
        ));
    }
    let there: Vec<String> = outputs.iter().map(|info| info.name.clone()).collect();
    let mut shapes = Vec::new();
    for name in names {
        let name = choose("output", Some(name.clone()), &there)?;
        let info = outputs.iter().find(|info| info.name == name);
        is_logits(info, column)?;
        shapes.extend(info.map(|info| info.shape.get(1).copied()));
    }
    if shapes.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(format!("outputs `{}` have different shapes, needed as many classes each", names.join("`, `")));
    }
    Ok(())
}

/// What is replayed for the loss and the records.
fn outlets(table: Option<&Loss>, loss: &Result<(String, String), String>, records: &Records) -> Vec<String> {
    match (table, loss) {
        (Some(Loss::Of { output: Some(Outputs::BySlot(names)), .. }), Ok(_)) => names.clone(),
        (_, Ok((output, _))) => vec![output.clone()],
        (_, Err(_)) => records.output().map(str::to_owned).into_iter().collect(),
    }
}

/// Checks that an output can be logits for a label column: samples × classes, each label one of the classes.
fn is_logits(output: Option<&TensorInfo>, column: Option<&Column>) -> Result<(), String> {
    let (Some(info), Some(column)) = (output, column) else { return Ok(()) };
    let [_, classes] = info.shape[..] else {
        return Err(format!("output `{}` has shape {}, needed samples × classes", info.name, info.shape_words()));
    };
    let ColumnLabels::Classes { values, .. } = &column.labels else {
        return Err(format!("label `{}` holds numbers, needed classes", column.name));
    };
    let least = values.iter().flatten().min().copied().unwrap_or(0);
    let most = values.iter().flatten().max().copied().unwrap_or(0);
    let fits = classes.is_none_or(|classes| classes > 1 && usize::try_from(most).is_ok_and(|most| most < classes));
    if least < 0 || !fits {
        return Err(format!(
            "label `{}` runs from {least} to {most}, needed one of the classes of output `{}` of shape {}",
            column.name,
            info.name,
            info.shape_words()
        ));
    }
    Ok(())
}

fn choose(kind: &str, wanted: Option<String>, there: &[String]) -> Result<String, String> {
    match (wanted, there) {
        (Some(wanted), _) if there.contains(&wanted) => Ok(wanted),
        (Some(wanted), _) => Err(format!("found no {kind} `{wanted}`, needed one of: {}", there.join(", "))),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(format!("there is no {kind}")),
        (None, _) => Err(format!(
            "found the {kind}s {}; name one with `[replay] loss = {{ of = {{ {kind} = \"...\" }} }}`",
            there.join(", ")
        )),
    }
}

/// Hashes of the checkpoints that the others take their frame from.
fn basis_hashes(
    measures: &[Measure],
    checkpoints: &[Checkpoint],
    tensors: &[String],
) -> Result<Vec<String>, PipelineError> {
    let hash = |(place, measure): (usize, &Measure)| -> Result<Vec<String>, PipelineError> {
        let mut hashes = Vec::new();
        if let (Measure::Codebook(asked), Some(last)) = (measure, checkpoints.last())
            && posterior::goes_by_last(asked)
        {
            let weights = last.open()?;
            let names = || tensors.iter().map(String::as_str);
            weights.load(names())?;
            hashes.push(weights.hash(names())?);
        }
        for (_, basis) in with_basis(std::slice::from_ref(measure)) {
            let found = basis_checkpoints(checkpoints, basis);
            for checkpoint in
                found.map_err(|reason| PipelineError::Measure { number: place + 1, measure: measure.name(), reason })?
            {
                let weights = checkpoint.open()?;
                let names = || tensors.iter().map(String::as_str);
                weights.load(names())?;
                hashes.push(weights.hash(names())?);
            }
        }
        Ok(hashes)
    };
    let hashes = measures.iter().enumerate().map(hash).collect::<Result<Vec<_>, _>>()?;
    Ok(hashes.concat())
}

/// The hash of everything that all parts have in common.
fn hash(
    run: &str,
    pipeline: &Pipeline,
    (graph, inputs, records, subsets): (&str, &str, &Records, &[&Option<Vec<usize>>]),
    (binding, bases): (&Binding, &[String]),
    runtime: &Runtime,
) -> String {
    let feeds: Vec<_> = binding.feeds.iter().map(|feed| json!([feed.initializer, feed.recipe])).collect();
    let all = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "schema": SCHEMA_VERSION,
        "run": run,
        "pipeline": pipeline,
        "graph": graph,
        "samples": inputs,
        "records": records.hash(),
        "binding": feeds,
        "bases": bases,
        "subsets": subsets,
        "onnxruntime": runtime.version(),
    });
    hash_of(&all)
}

fn hash_of(value: &Value) -> String {
    blake3::hash(value.to_string().as_bytes()).to_hex().to_string()
}
