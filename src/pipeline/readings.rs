//! What probes read of labels: fitted once, used by every measure that asks.

use std::ops::{ControlFlow, Range};

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use rayon::prelude::*;

use super::inputs::INPUT;
use super::layers::Layers;
use super::variables::Label;
use super::{Measure, Plan, Usable};
use crate::estimate::Element;
use crate::estimate::usable::{Probe, Reading};
use crate::replay::ReplayError;

/// What a probe reads: inputs, by their name, or a tap, by its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Layer<'p> {
    Input(&'p str),
    Tap(usize),
}

/// A reading that some measure asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Asked<'p> {
    layer: Layer<'p>,
    label: &'p str,
    probe: &'p Probe,
}

/// Readings, each with what it is of.
#[derive(Debug)]
pub(super) struct Readings<'p>(Vec<(Asked<'p>, Result<Reading, String>)>);

impl<'p> Readings<'p> {
    /// What is read of the inputs: the same for every checkpoint.
    pub(super) fn of_inputs(plan: &'p Plan) -> Self {
        let read = |asked: Asked<'p>| {
            let Layer::Input(name) = asked.layer else { return None };
            Some((asked, read(plan, asked.label, asked.probe, plan.variables.inputs.get(name).view())))
        };
        Self(asked(plan, 0..0).into_par_iter().filter_map(read).collect())
    }

    /// What is read of some taps of a checkpoint, and of those that these are held against.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Stopped`].
    pub(super) fn of_taps(
        plan: &'p Plan,
        measured: Range<usize>,
        layers: &Layers<'_>,
        go_on: &(dyn Fn() -> ControlFlow<()> + Sync),
    ) -> Result<Self, ReplayError> {
        let readings = asked(plan, measured).into_par_iter().filter_map(|asked| {
            let Layer::Tap(tap) = asked.layer else { return None };
            if go_on().is_break() {
                return Some(Err(ReplayError::Stopped));
            }
            let reading = layers.valid(tap).and_then(|()| read(plan, asked.label, asked.probe, layers.values(tap)));
            Some(Ok((asked, reading)))
        });
        Ok(Self(readings.collect::<Result<_, _>>()?))
    }

    pub(super) fn get(&self, layer: Layer<'_>, usable: &Usable) -> Option<&Result<Reading, String>> {
        let wanted = Asked { layer, label: &usable.label, probe: &usable.probe };
        self.0.iter().find(|(asked, _)| *asked == wanted).map(|(_, reading)| reading)
    }
}

/// The layer that a measure's `given` names.
pub(super) fn given<'p>(plan: &Plan, name: &'p str) -> Layer<'p> {
    match plan.taps.iter().position(|tap| tap.name == name) {
        Some(tap) if name != INPUT => Layer::Tap(tap),
        _ => Layer::Input(name),
    }
}

/// What is read of a baseline and a layer side by side.
pub(super) fn read_beside(
    plan: &Plan,
    usable: &Usable,
    baseline: Layer<'_>,
    layer: ArrayView2<'_, f32>,
    layers: &Layers<'_>,
) -> Result<Reading, String> {
    #[expect(clippy::cast_possible_truncation, reason = "activations are in single precision too")]
    let single = |inputs: &Array2<f64>| inputs.mapv(|value| value as f32);
    let beside = |baseline: ArrayView2<'_, f32>| concatenate(Axis(1), &[baseline, layer]);
    let both = match baseline {
        Layer::Input(name) => beside(single(plan.variables.inputs.get(name)).view()),
        Layer::Tap(tap) => beside(layers.values(tap)),
    };
    let both = both.map_err(|error| error.to_string())?;
    read(plan, &usable.label, &usable.probe, both.view())
}

fn read<T: Element>(plan: &Plan, label: &str, probe: &Probe, layer: ArrayView2<'_, T>) -> Result<Reading, String> {
    let seed = seed(plan, &[label, &probe_text(probe)]);
    let label = &plan.variables.labels[label];
    label
        .with_known(layer, |layer| probe.read(layer, &label.target, split(label), seed))
        .map_err(|error| error.to_string())
}

/// Who learns and who judges.
pub(super) fn split(label: &Label) -> &crate::estimate::Split {
    label.split.as_ref().expect("the plan made the split that its measures need")
}

/// A seed that depends on the run's and on what is computed, not on the checkpoint or the layer: readings then differ by
/// what they read alone.
pub(super) fn seed(plan: &Plan, of: &[&str]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&plan.pipeline.seed.to_le_bytes());
    for part in of {
        hasher.update(part.as_bytes()).update(b"\0");
    }
    let bytes = hasher.finalize();
    u64::from_le_bytes(bytes.as_bytes()[..8].try_into().expect("a hash has 32 bytes"))
}

/// A family with all its parameters, as JSON.
pub(super) fn probe_text(probe: &Probe) -> String {
    serde_json::to_string(probe).expect("every family can be written as JSON")
}

/// Every distinct reading that the measures ask for at some taps.
fn asked(plan: &Plan, measured: Range<usize>) -> Vec<Asked<'_>> {
    let mut all: Vec<Asked<'_>> = Vec::new();
    for measure in &plan.pipeline.estimate.measures {
        let Measure::Usable(usable) = measure else { continue };
        let layers = match &usable.given {
            Some(name) => vec![given(plan, name)],
            None => measured.clone().map(Layer::Tap).collect(),
        };
        for layer in layers {
            let asked = Asked { layer, label: &usable.label, probe: &usable.probe };
            if !all.contains(&asked) {
                all.push(asked);
            }
        }
    }
    all
}
