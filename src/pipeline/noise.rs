//! Noise made definite: where it enters, how large it is at a checkpoint, and what rows say of it.

use std::ops::ControlFlow;

use serde_json::{Map, Value, json};

use super::readings::seed;
use super::reference::Bound;
use super::{PipelineError, Plan};
use crate::archive::{Checkpoint, Kind, Weights};
use crate::graph::{Model, NoiseOperator, NoisyGraph, NoisyTensor, SessionGraph, Tap, TapSide, select_taps};
use crate::replay::{
    Deviation, Element, FeedInputs, Noise, NoiseFeed, Propagated, Replayed, Runtime, Session, disturb, replay, scale,
};
use crate::samples::Samples;

/// The noise of a run.
#[derive(Clone, Debug)]
pub(super) enum NoisePlan {
    ReadOut(Deviation),
    Propagated(Box<Propagation>),
}

/// Noise inside the graph.
#[derive(Clone, Debug)]
pub(super) struct Propagation {
    deviation: Deviation,
    side: TapSide,
    tensors: Vec<NoisyTensor>,
    noisy: NoisyGraph,
    /// What is replayed without noise: the tensors whose scale is measured, and the output of the loss.
    clean: SessionGraph,
    scaled: Vec<Tap>,
}

/// What a checkpoint gave, with what its rows say of the noise at each of the taps that were replayed.
pub(super) struct Disturbed {
    pub replayed: Replayed,
    pub notes: Vec<Option<Value>>,
}

impl NoisePlan {
    /// Finds the tensors that the pipeline file puts noise on.
    pub(super) fn new(
        noise: &Noise,
        runtime: &Runtime,
        bound: &Bound,
        taps: &[Tap],
        (samples, batch): (&Samples, usize),
        outlets: &[&str],
    ) -> Result<Option<Self>, PipelineError> {
        let propagated = match noise {
            Noise::None => return Ok(None),
            Noise::ReadOut(read_out) => return Ok(Some(Self::ReadOut(read_out.deviation))),
            Noise::Propagated(propagated) => propagated,
        };
        let names: Vec<&str> = taps.iter().map(|tap| tap.name.as_str()).collect();
        let wanted = wanted(propagated, &bound.model, &names)?;
        let tensors = described(runtime, bound, &wanted, samples, batch)?;
        let fed = bound.binding.initializers();
        let operator = match propagated.deviation {
            Deviation::Multiplicative(_) => NoiseOperator::Multiply,
            Deviation::Absolute(_) | Deviation::Relative(_) => NoiseOperator::Add,
        };
        let noisy = bound.model.noisy_session(&names, &fed, &tensors, operator, propagated.taps);
        // By default noise behind the last tap is asked for and has nobody to see it.
        if let (Some(_), Some(place)) = (&propagated.at, noisy.inputs.iter().position(Option::is_none)) {
            return Err(unusable(format!(
                "found `{}`, which no tap depends on; remove it from `at`, or read out a later layer",
                tensors[place].name
            )));
        }
        let is_scaled = matches!(propagated.deviation, Deviation::Relative(_));
        let computed = |tensor: &&NoisyTensor| is_scaled && !is_input(&bound.model, &tensor.name);
        let used = tensors.iter().zip(&noisy.inputs).filter(|(_, input)| input.is_some()).map(|(tensor, _)| tensor);
        let scaled: Vec<Tap> = used.filter(computed).map(|tensor| Tap::flat(&tensor.name)).collect();
        let scaled_names: Vec<&str> = scaled.iter().map(|tap| tap.name.as_str()).collect();
        let clean = bound.model.session(&scaled_names, outlets, &fed);
        let (deviation, side) = (propagated.deviation, propagated.taps);
        Ok(Some(Self::Propagated(Box::new(Propagation { deviation, side, tensors, noisy, clean, scaled }))))
    }

    /// Whether what a tap shows depends on noise.
    pub(super) fn reaches(&self, tap: usize) -> bool {
        match self {
            Self::ReadOut(_) => true,
            Self::Propagated(propagation) => !propagation.noisy.reaching[tap].is_empty(),
        }
    }

    /// Whether later taps see the noise of earlier ones.
    pub(super) fn reaches_later_taps(&self) -> bool {
        matches!(self, Self::Propagated(_))
    }

    /// The numbers a sample that are kept beside the taps while scales are measured.
    pub(super) fn extra_width(&self) -> usize {
        let Self::Propagated(propagation) = self else { return 0 };
        let is_scaled = |tensor: &&NoisyTensor| propagation.scaled.iter().any(|tap| tap.name == tensor.name);
        propagation.tensors.iter().filter(is_scaled).map(|tensor| tensor.dims.iter().product::<usize>()).sum()
    }

    /// What the plan says of it.
    pub(super) fn words(&self) -> String {
        match self {
            Self::ReadOut(deviation) => format!("{} on what is read out of each tap", words(*deviation)),
            Self::Propagated(propagation) => {
                let used = propagation.tensors.iter().zip(&propagation.noisy.inputs);
                let names: Vec<&str> =
                    used.filter(|(_, input)| input.is_some()).map(|(tensor, _)| tensor.name.as_str()).collect();
                let side = match propagation.side {
                    TapSide::Noisy => "",
                    TapSide::Clean => "; taps show it of earlier tensors only",
                };
                format!("{} on {}, seen by all later layers{side}", words(propagation.deviation), names.join(", "))
            }
        }
    }

    /// Replays some taps of a checkpoint with its noise. The output of the loss is that of the network without.
    pub(super) fn replay(
        &self,
        plan: &Plan,
        places: &[usize],
        checkpoint: &Checkpoint,
        weights: &Weights,
        go_on: &(dyn Fn() -> ControlFlow<()> + Sync),
    ) -> Result<Disturbed, PipelineError> {
        let batch = plan.pipeline.replay.batch.get();
        let taps: Vec<Tap> = places.iter().map(|&place| plan.taps[place].clone()).collect();
        let session = |graph: &SessionGraph| -> Result<Session, PipelineError> {
            let values = plan.binding.values(checkpoint.name(), weights, &graph.fed)?;
            Ok(Session::new(plan.runtime, &plan.label, &graph.bytes, None, values)?)
        };
        match self {
            Self::ReadOut(deviation) => {
                let mut replayed = replay(&mut session(&plan.graph)?, &plan.feed, &taps, &plan.outlets, batch, go_on)?;
                let notes = replayed.taps.iter_mut().map(|tap| {
                    let factor = deviation.factor(|| scale(tap.values.view()));
                    disturb(&mut tap.values, &plan.samples.ids, key(plan, &tap.tap), *deviation, factor);
                    Some(note("read-out", *deviation, None, [(tap.tap.as_str(), factor)].into_iter()))
                });
                let notes = notes.collect();
                Ok(Disturbed { replayed, notes })
            }
            Self::Propagated(own) => {
                // Where nothing is scaled and nothing scored there is nothing to compute without noise.
                let clean = if !plan.outlets.is_empty() || !own.scaled.is_empty() {
                    replay(&mut session(&own.clean)?, &plan.feed, &own.scaled, &plan.outlets, batch, go_on)?
                } else {
                    Replayed { taps: Vec::new(), output: None }
                };
                let factors = own.factors(&plan.feed, &clean);
                let feed = plan.feed.with_noise(own.feeds(plan, &factors));
                let noisy = replay(&mut session(&own.noisy.session)?, &feed, &taps, &[], batch, go_on)?;
                let notes = places.iter().map(|&tap| {
                    let seen =
                        own.noisy.reaching[tap].iter().map(|&place| (own.tensors[place].name.as_str(), factors[place]));
                    Some(note("propagated", own.deviation, Some(own.side), seen))
                });
                let notes = notes.collect();
                Ok(Disturbed { replayed: Replayed { output: clean.output, ..noisy }, notes })
            }
        }
    }
}

impl Propagation {
    /// What standard normal numbers are multiplied by at each tensor.
    fn factors(&self, feed: &FeedInputs, clean: &Replayed) -> Vec<f64> {
        let factor = |tensor: &NoisyTensor| {
            self.deviation.factor(|| {
                let computed = clean.taps.iter().find(|tap| tap.tap == tensor.name);
                // What is neither computed nor an input reaches no tap, and nobody sees its noise.
                computed
                    .map(|tap| scale(tap.values.view()))
                    .or_else(|| feed.floats(&tensor.name).map(|values| scale(values.view())))
                    .unwrap_or(0.0)
            })
        };
        self.tensors.iter().map(factor).collect()
    }

    fn feeds(&self, plan: &Plan, factors: &[f64]) -> Vec<NoiseFeed> {
        let offset = if matches!(self.deviation, Deviation::Multiplicative(_)) { 1.0 } else { 0.0 };
        let all = self.tensors.iter().zip(&self.noisy.inputs).zip(factors);
        all.filter_map(|((tensor, input), &factor)| {
            Some(NoiseFeed {
                input: input.clone()?,
                element: element(tensor.kind),
                dims: tensor.dims.clone(),
                key: key(plan, &tensor.name),
                factor,
                offset,
            })
        })
        .collect()
    }
}

/// What a row says of the noise that its tap sees: the deviation asked for, and at each tensor the one that it came to.
fn note<'t>(
    mode: &str,
    deviation: Deviation,
    side: Option<TapSide>,
    seen: impl Iterator<Item = (&'t str, f64)>,
) -> Value {
    let deviations: Map<String, Value> = seen.map(|(name, factor)| (name.to_owned(), factor.into())).collect();
    let mut note = json!({ "mode": mode, "deviation": deviation, "deviations": deviations });
    if let Some(side) = side {
        note["taps"] = json!(side);
    }
    note
}

/// The key of the random numbers of a tensor: not of a checkpoint, so that curves over steps do not jump with the draw.
fn key(plan: &Plan, tensor: &str) -> u64 {
    seed(plan, &["noise", tensor])
}

fn words(deviation: Deviation) -> String {
    match deviation {
        Deviation::Absolute(deviation) => format!("deviation {}", deviation.get()),
        Deviation::Relative(deviation) => format!("{} of each tensor's own deviation", deviation.get()),
        Deviation::Multiplicative(deviation) => format!("{} of each element", deviation.get()),
    }
}

/// The names that noise is put on, inputs of the graph before what it computes.
fn wanted(propagated: &Propagated, model: &Model, taps: &[&str]) -> Result<Vec<String>, PipelineError> {
    let Some(at) = &propagated.at else { return Ok(taps.iter().map(|&tap| tap.to_owned()).collect()) };
    if at.is_empty() {
        return Err(unusable(
            "found an empty `at`, needed one tensor at least; without `at` it is the taps".to_owned(),
        ));
    }
    let (inputs, others): (Vec<String>, Vec<String>) = at.iter().cloned().partition(|name| is_input(model, name));
    let mut wanted: Vec<String> = Vec::new();
    for input in inputs {
        if !wanted.contains(&input) {
            wanted.push(input);
        }
    }
    let found = select_taps(model, &others, &std::collections::BTreeMap::new());
    wanted.extend(found.map_err(|error| unusable(error.to_string()))?.into_iter().map(|tap| tap.name));
    Ok(wanted)
}

/// The types and the shapes of the tensors, from one batch through the reference checkpoint.
fn described(
    runtime: &Runtime,
    Bound { model, binding, checkpoint, weights }: &Bound,
    wanted: &[String],
    samples: &Samples,
    batch: usize,
) -> Result<Vec<NoisyTensor>, PipelineError> {
    let computed: Vec<&str> = wanted.iter().filter(|name| !is_input(model, name)).map(String::as_str).collect();
    // A graph without outputs cannot be run: its own stand in where noise is on inputs alone.
    let graph = model.session(&computed, &model.outputs(), &binding.initializers());
    let values = binding.values(checkpoint.name(), weights, &graph.fed)?;
    let label = model.path().display().to_string();
    let mut session = Session::new(runtime, &label, &graph.bytes, None, values)?;
    let trial = samples.first(batch);
    let feed = FeedInputs::new(&trial, session.inputs())?;
    let mut shapes: Vec<Vec<usize>> = vec![Vec::new(); computed.len()];
    session.run(&feed, 0..trial.len(), &computed, &mut |place, shape, _| {
        shapes[place] = shape.to_vec();
        Ok(())
    })?;
    let mut tensors = Vec::new();
    for name in wanted {
        let place = computed.iter().position(|computed| computed == name);
        let infos = if place.is_some() { session.outputs() } else { session.inputs() };
        let element = infos.iter().find(|info| info.name == *name).map_or(Element::Other, |info| info.element);
        let shape = match place {
            Some(place) => shapes[place].clone(),
            None => feed.shape(name).map_or(Vec::new(), <[usize]>::to_vec),
        };
        let kind = kind(element).ok_or_else(|| {
            unusable(format!(
                "`{name}` holds {}, needed float16, float32 or float64; put the noise on a tensor of floats",
                element.name()
            ))
        })?;
        if shape.first() != Some(&trial.len()) || shape.contains(&0) {
            return Err(unusable(format!(
                "`{name}` has shape {shape:?} for a batch of {}, needed the sample as the first axis; put the noise on \
                 another tensor",
                trial.len()
            )));
        }
        tensors.push(NoisyTensor { name: name.clone(), kind, dims: shape[1..].to_vec() });
    }
    Ok(tensors)
}

fn is_input(model: &Model, name: &str) -> bool {
    model.inputs().iter().any(|input| input.name == name)
}

fn kind(element: Element) -> Option<Kind> {
    match element {
        Element::F16 => Some(Kind::F16),
        Element::F32 => Some(Kind::F32),
        Element::F64 => Some(Kind::F64),
        _ => None,
    }
}

fn element(kind: Kind) -> Element {
    match kind {
        Kind::F16 => Element::F16,
        Kind::F64 => Element::F64,
        _ => Element::F32,
    }
}

fn unusable(reason: String) -> PipelineError {
    PipelineError::Noise { reason }
}
