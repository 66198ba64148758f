//! Measures of some of the samples only: which these are, and a plan that has no others.

use std::path::Path;

use ndarray::Axis;
use serde::{Deserialize, Serialize};

use super::typicality::Scores;
use super::variables::{Members, Variables};
use super::{Fraction, Measure, Pipeline, PipelineError, Plan};
use crate::replay::{Activations, Replayed};
use crate::samples::{Array, ColumnLabels, Samples};

/// Which samples a measure looks at.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Subset {
    /// This part of the samples: the most typical ones by the first `neighbors` of `[samples.typicality]`.
    Typical(Fraction),
    /// This part of the samples: the least typical ones.
    Atypical(Fraction),
    /// The samples around which ln p is as large or larger, in nats, by the same density.
    Denser(LogDensity),
    /// The samples around which ln p is less.
    Sparser(LogDensity),
    /// The samples of one class.
    Label(LabelIs),
    /// The samples whose ids a `.npy` file lists.
    Ids(String),
}

/// The logarithm of a density in nats, a finite number.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct LogDensity(f64);

impl TryFrom<f64> for LogDensity {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        if value.is_finite() { Ok(Self(value)) } else { Err(format!("found ln p of {value}, needed a finite number")) }
    }
}

impl From<LogDensity> for f64 {
    fn from(log_density: LogDensity) -> Self {
        log_density.0
    }
}

/// One class of a label column.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LabelIs {
    /// The label column.
    pub column: String,
    /// The value that stands for the class.
    pub is: i64,
}

/// What a measure is told that goes by typicality where nobody asked for that.
pub(super) const NO_TYPICALITY: &str = "found no `[samples.typicality]`, which says how typical a sample is; add for instance \
     `typicality = { compress = { pca = { components = 16 } }, neighbors = [10] }` to `[samples]`";

impl Subset {
    /// What tables and titles call it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Typical(fraction) => format!("typical {}", fraction.get()),
            Self::Atypical(fraction) => format!("atypical {}", fraction.get()),
            Self::Denser(least) => format!("ln p from {}", least.0),
            Self::Sparser(below) => format!("ln p below {}", below.0),
            Self::Label(label) => format!("{} = {}", label.column, label.is),
            Self::Ids(file) => format!("ids of {file}"),
        }
    }

    /// The part of the samples that is typical, where it goes by that.
    pub(super) fn typical_part(&self) -> Option<f64> {
        match self {
            Self::Typical(fraction) => Some(fraction.get()),
            Self::Atypical(fraction) => Some(1.0 - fraction.get()),
            Self::Denser(_) | Self::Sparser(_) | Self::Label(_) | Self::Ids(_) => None,
        }
    }

    /// The rows of its samples, in increasing order.
    fn rows(&self, folder: &Path, samples: &Samples, scores: Option<&Scores>) -> Result<Vec<usize>, String> {
        let typical = |fraction: f64| {
            let scores = scores.ok_or(NO_TYPICALITY)?;
            scores.densities[0].most_typical(fraction).map_err(|error| format!("`subset`: {error}"))
        };
        let denser = |least: LogDensity| -> Result<Vec<usize>, String> {
            Ok(scores.ok_or(NO_TYPICALITY)?.densities[0].denser_than(least.0))
        };
        let rows = match self {
            Self::Typical(fraction) => typical(fraction.get())?,
            Self::Atypical(fraction) => {
                let others = typical(1.0 - fraction.get())?;
                (0..samples.len()).filter(|row| others.binary_search(row).is_err()).collect()
            }
            Self::Denser(least) => denser(*least)?,
            Self::Sparser(below) => {
                let others = denser(*below)?;
                (0..samples.len()).filter(|row| others.binary_search(row).is_err()).collect()
            }
            Self::Label(LabelIs { column, is }) => {
                let names = || samples.labels.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
                let found =
                    samples.labels.iter().find(|label| label.name == *column).ok_or_else(|| {
                        format!("`subset`: found no label column `{column}`, needed one of: {}", names())
                    })?;
                let ColumnLabels::Classes { values, .. } = &found.labels else {
                    return Err(format!("`subset`: `{column}` holds numbers, needed classes; cut it with `edges`"));
                };
                (0..samples.len()).filter(|&row| values[row] == Some(*is)).collect::<Vec<_>>()
            }
            Self::Ids(file) => listed(folder, file, samples)?,
        };
        if rows.is_empty() {
            return Err(format!("`subset`: found no sample of `{}`, needed some", self.words()));
        }
        Ok(rows)
    }
}

/// The rows of the samples whose ids a file lists.
fn listed(folder: &Path, file: &str, samples: &Samples) -> Result<Vec<usize>, String> {
    let array = Array::read_npy(&folder.join(file)).map_err(|error| error.to_string())?;
    let place = |id: i64| {
        let found = samples.ids.iter().position(|&own| i64::try_from(own) == Ok(id));
        found.ok_or_else(|| format!("`{file}`: found the id {id}, which no sample has; needed ids of `[samples] ids`"))
    };
    let ids = array.integers().map_err(|error| error.to_string())?;
    let mut rows = ids.into_iter().map(place).collect::<Result<Vec<_>, _>>()?;
    rows.sort_unstable();
    match rows.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("`{file}`: found the id {} twice, needed each once", samples.ids[pair[0]])),
        None => Ok(rows),
    }
}

/// The measures that look at the same samples.
pub(super) struct Population {
    pub subset: Option<Subset>,
    /// The rows of these samples; none if they are all.
    pub rows: Option<Vec<usize>>,
    /// The measures' places in the pipeline file.
    pub places: Vec<usize>,
    /// The pipeline file with these measures only.
    pub pipeline: Pipeline,
    /// The samples, with these rows only.
    pub samples: Samples,
    pub variables: Variables,
}

/// The measures by the samples that they look at: first those that look at all of them, if only none.
pub(super) fn populations(
    folder: &Path,
    pipeline: &Pipeline,
    samples: &Samples,
    scores: Option<&Scores>,
    taps: &[&str],
) -> Result<Vec<Population>, PipelineError> {
    let measures = &pipeline.estimate.measures;
    let mut subsets: Vec<Option<&Subset>> = vec![None];
    for measure in measures {
        if !subsets.contains(&measure.subset()) {
            subsets.push(measure.subset());
        }
    }
    let population = |subset: Option<&Subset>| {
        let places: Vec<usize> = (0..measures.len()).filter(|&place| measures[place].subset() == subset).collect();
        let at = |place: usize, reason: String| PipelineError::Measure {
            number: place + 1,
            measure: measures[place].name(),
            reason,
        };
        let rows = subset.map(|subset| {
            if let Some(&place) = places.iter().find(|&&place| has_basis(&measures[place])) {
                let reason =
                    "found a `basis` for the series, which is of all samples, and a `subset`; remove one of them";
                return Err(at(place, reason.to_owned()));
            }
            subset.rows(folder, samples, scores).map_err(|reason| at(places[0], reason))
        });
        let rows = rows.transpose()?;
        let mut own = pipeline.clone();
        own.estimate.measures = places.iter().map(|&place| measures[place].clone()).collect();
        let members = Members { ids: &samples.ids, rows: rows.as_deref() };
        let samples = rows.as_ref().map_or_else(|| samples.clone(), |rows| samples.at(rows));
        let variables = Variables::new(&own, &samples, members, taps).map_err(|error| match error {
            PipelineError::Measure { number, reason, .. } => at(places[number - 1], reason),
            other => other,
        })?;
        Ok(Population { subset: subset.cloned(), rows, places, pipeline: own, samples, variables })
    };
    subsets.into_iter().map(population).collect()
}

fn has_basis(measure: &Measure) -> bool {
    matches!(measure, Measure::Information(information) if information.compress.basis().is_some())
}

impl Plan {
    /// The same plan for measures that look at some of the samples.
    pub(super) fn of_population(&self, population: Population) -> Self {
        let mut plan = self.clone();
        plan.subset = population.subset;
        plan.rows = population.rows;
        plan.places = population.places;
        plan.pipeline = population.pipeline;
        plan.samples = population.samples;
        plan.variables = population.variables;
        plan
    }

    /// What was replayed, of the samples of this plan only.
    pub(super) fn chosen(&self, replayed: &Replayed) -> Replayed {
        let rows = self.rows.as_deref().unwrap_or_default();
        let cut = |activations: &Activations| Activations {
            tap: activations.tap.clone(),
            values: activations.values.select(Axis(0), rows),
        };
        Replayed { taps: replayed.taps.iter().map(cut).collect(), output: replayed.output.as_ref().map(cut) }
    }

    /// This plan, and those of its subsets.
    pub(super) fn populations(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.subsets)
    }
}
