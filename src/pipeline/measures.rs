//! What is measured: the entries of `measures` in the pipeline file's `[estimate]`.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::{Codebooks, Gradient, GradientLayers, LayerTypicality, Subset};
use crate::estimate::Permutations;
use crate::estimate::compress::{Compression, Margins};
use crate::estimate::information::{Estimator, Intervals};
use crate::estimate::reconstruction::Decoder;
use crate::estimate::usable::{Fractions, Probe};

/// A number about one layer of one checkpoint.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Measure {
    /// Mutual information between the layer and the input or a label.
    Information(Information),
    /// What a probe can read of a label.
    Usable(Usable),
    /// How well the input, or another layer, can be rebuilt.
    Reconstruction(Reconstruction),
    /// Signal and noise of the last layer's gradients; at the tap that it multiplies.
    Gradient(Gradient),
    /// What a few codewords for the layer cost, and keep of a label.
    Codebook(Codebooks),
    /// How far the layer and the inputs agree on which samples are typical.
    Typicality(LayerTypicality),
}

/// Mutual information between the layer and another variable.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Information {
    /// `"input"`, or the name of a label column.
    pub of: String,
    /// How both sides are compressed; labels never are.
    #[serde(default)]
    pub compress: Compression,
    /// How the input is compressed where that is not as `compress` says, once a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compress_input: Option<Compression>,
    /// What is done to each coordinate after compression: `"raw"`, `"standardized"`, `"rank"`, `"asinh"` or `"whitened"`.
    #[serde(default)]
    pub margins: Margins,
    /// The estimator; where a setting has several values, each gives a row.
    pub estimator: Estimator,
    /// How intervals are found.
    #[serde(default)]
    pub interval: Intervals,
    /// Hold the value against this many permutations of the samples, 19 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permutations: Option<Permutations>,
    /// Which samples are looked at, where they are not all: `{ typical = 0.5 }`, `{ atypical = 0.5 }`,
    /// `{ label = { column = "digit", is = 3 } }` or `{ ids = "some.npy" }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<Subset>,
}

/// Usable information about a label.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Usable {
    /// The label column.
    pub label: String,
    /// The family of probes.
    pub probe: Probe,
    /// `"input"`, or a tap: measure what the layer adds to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// Keep what the probe says of each held-out sample, in the table `samples`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub per_sample: bool,
    /// A row for each class.
    #[serde(default, skip_serializing_if = "is_false")]
    pub per_class: bool,
    /// Hold the value against this many permutations of the labels, 19 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permutations: Option<Permutations>,
    /// Compare with random labels of types of samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// Send the labels as a message: how many samples does the probe need?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_length: Option<Prequential>,
    /// Which samples are looked at, where they are not all: `{ typical = 0.5 }`, `{ atypical = 0.5 }`,
    /// `{ label = { column = "digit", is = 3 } }` or `{ ids = "some.npy" }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<Subset>,
}

/// A control task.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Control {
    /// The label column that holds the type of each sample.
    pub types: String,
    /// How many times types are given random labels.
    #[serde(default = "Control::default_draws")]
    pub draws: NonZeroUsize,
}

impl Control {
    fn default_draws() -> NonZeroUsize {
        NonZeroUsize::new(5).expect("5 is not zero")
    }
}

/// A prequential code.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Prequential {
    /// The parts of the samples after which the probe is fitted anew.
    pub fractions: Fractions,
}

/// Reconstruction loss of the input, or of another layer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Reconstruction {
    /// `"input"`, or a tap.
    #[serde(default = "Reconstruction::input", skip_serializing_if = "Reconstruction::is_input")]
    pub of: String,
    /// Rebuild the means of squares of so many pixels a side, in place of the pixels of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<NonZeroUsize>,
    /// How the target is compressed; with principal components there is a bound on the information, too.
    #[serde(default, skip_serializing_if = "Reconstruction::is_whole")]
    pub compress: Compression,
    /// The family of decoders.
    pub decoder: Decoder,
    /// Keep the loss of each held-out sample, in the table `samples`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub per_sample: bool,
    /// Keep the loss at each position of the target, in the table `positions`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub per_position: bool,
    /// A row for each class of this label column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_class: Option<String>,
    /// Keep what is rebuilt of some held-out samples, in the table `positions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// Which samples are looked at, where they are not all: `{ typical = 0.5 }`, `{ atypical = 0.5 }`,
    /// `{ label = { column = "digit", is = 3 } }` or `{ ids = "some.npy" }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<Subset>,
}

impl Reconstruction {
    fn input() -> String {
        "input".to_owned()
    }

    fn is_input(of: &str) -> bool {
        of == "input"
    }

    fn is_whole(compress: &Compression) -> bool {
        *compress == Compression::default()
    }
}

/// Which reconstructions are kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Keep {
    /// The number of held-out samples: the first by the hash that chose them.
    pub samples: NonZeroUsize,
    /// At these steps only; at all without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<u64>,
}

impl Information {
    /// How the input is compressed.
    #[must_use]
    pub fn input_compression(&self) -> &Compression {
        self.compress_input.as_ref().unwrap_or(&self.compress)
    }
}

impl Measure {
    /// Whether it goes backwards through the graph, whatever the taps.
    pub(super) fn is_of_every_layer(&self) -> bool {
        matches!(self, Self::Gradient(gradient) if gradient.layers == GradientLayers::All)
    }

    /// The name of the measure in tables; one measure may give rows of other names besides.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Information(_) => "information",
            Self::Usable(Usable { given: Some(_), .. }) => "usable-given",
            Self::Usable(_) => "usable",
            Self::Reconstruction(_) => "reconstruction",
            Self::Gradient(_) => "gradient-snr",
            Self::Typicality(_) => "typical-overlap",
            Self::Codebook(_) => "codebook-relevance",
        }
    }

    /// The variable that the layer is measured against.
    #[must_use]
    pub fn variable(&self) -> &str {
        match self {
            Self::Information(information) => &information.of,
            Self::Usable(usable) => &usable.label,
            Self::Reconstruction(reconstruction) => &reconstruction.of,
            Self::Gradient(_) => "loss",
            Self::Typicality(typicality) => &typicality.of,
            Self::Codebook(codebook) => &codebook.label,
        }
    }

    /// The samples that are looked at, where they are not all.
    #[must_use]
    pub fn subset(&self) -> Option<&Subset> {
        match self {
            Self::Information(information) => information.subset.as_ref(),
            Self::Usable(usable) => usable.subset.as_ref(),
            Self::Reconstruction(reconstruction) => reconstruction.subset.as_ref(),
            Self::Gradient(gradient) => gradient.subset.as_ref(),
            Self::Typicality(_) => None,
            Self::Codebook(codebook) => codebook.subset.as_ref(),
        }
    }

    /// The measures that give one row of their name each, in the order of the rows.
    #[must_use]
    pub fn each(&self) -> Vec<Self> {
        match self {
            Self::Information(information) => {
                let estimators = information.estimator.each().into_iter();
                let one = |estimator| Self::Information(Information { estimator, ..information.clone() });
                estimators.map(one).collect()
            }
            Self::Typicality(typicality) => {
                let one = |&k| Self::Typicality(LayerTypicality { neighbors: vec![k], ..typicality.clone() });
                typicality.neighbors.iter().map(one).collect()
            }
            Self::Codebook(codebook) => codebook.each().map(Self::Codebook).collect(),
            _ => vec![self.clone()],
        }
    }

    /// The measure with all its parameters, as JSON.
    #[must_use]
    pub fn parameters(&self) -> String {
        serde_json::to_string(self).expect("every measure can be written as JSON")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_false(value: &bool) -> bool {
    !value
}
