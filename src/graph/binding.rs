//! Which checkpoint tensor feeds which initializer, on what evidence.
//!
//! A graph whose weights have the right names and the wrong values runs without an error and
//! gives wrong activations, so that names alone are never enough where values can be compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::taps::NamePattern;
use super::{GraphError, Initializer, Model};
use crate::archive::{Checkpoint, Float, Floats, Tensor, Weights};

/// What the pipeline file says about the binding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bind {
    /// Initializers (names or globs) that are constants of the graph, not weights.
    #[serde(default)]
    pub constants: Vec<String>,
    /// Checkpoint tensors (names or globs) that the graph has no use for, such as a second head.
    #[serde(default)]
    pub unused: Vec<String>,
}

/// Why a checkpoint tensor is taken for an initializer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Equal name, shape and value in the reference checkpoint.
    NameAndValue,
    /// The only tensor of equal shape and value in the reference checkpoint.
    Value,
    /// Equal name and shape: there is no reference checkpoint to compare values with.
    NameOnly,
}

impl Evidence {
    /// The evidence in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NameAndValue => "name and value",
            Self::Value => "value",
            Self::NameOnly => "name only",
        }
    }
}

/// One initializer and the checkpoint tensor that feeds it.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The initializer of the graph.
    pub initializer: String,
    /// The tensor of every checkpoint.
    pub tensor: String,
    /// The shape of both.
    pub shape: Vec<usize>,
    /// The type that the graph needs.
    pub float: Float,
    /// Why this tensor.
    pub evidence: Evidence,
}

/// A complete binding: every weight of the graph is fed and every checkpoint tensor is used.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Who feeds whom, in graph order.
    pub feeds: Vec<Feed>,
    /// Initializers that keep the graph's own value.
    pub constants: Vec<String>,
    /// Checkpoint tensors that nothing takes, with the reason why that is right.
    pub unused: Vec<(String, &'static str)>,
    shapes: BTreeMap<String, Vec<usize>>,
    allowed: Vec<NamePattern>,
}

impl Binding {
    /// Binds by name, shape and value against the checkpoint that the graph was exported from.
    ///
    /// # Errors
    ///
    /// [`GraphError::Unbound`] when a weight has no tensor of its value, when several unnamed
    /// tensors have it, or when a tensor is left over.
    pub fn by_value(model: &Model, bind: &Bind, reference: &Checkpoint, weights: &Weights) -> Result<Self, GraphError> {
        Self::search(model, bind, reference.name(), weights, true)
    }

    /// Binds by name and shape alone, for graphs that were exported from no known checkpoint.
    ///
    /// # Errors
    ///
    /// As [`Binding::by_value`].
    pub fn by_name(model: &Model, bind: &Bind, example: &Checkpoint, weights: &Weights) -> Result<Self, GraphError> {
        Self::search(model, bind, example.name(), weights, false)
    }

    /// Whether each feed was compared by value.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        !self.feeds.is_empty() && self.feeds.iter().all(|feed| feed.evidence != Evidence::NameOnly)
    }

    /// Checks that a checkpoint has just the tensors of the reference, and returns what to feed.
    ///
    /// # Errors
    ///
    /// [`GraphError::Mismatch`] for a missing, additional or reshaped tensor.
    pub fn tensors<'w>(&self, checkpoint: &str, weights: &'w Weights) -> Result<Vec<(&Feed, Tensor<'w>)>, GraphError> {
        let mismatch = |tensor: &str, found: String, needed: String| GraphError::Mismatch {
            checkpoint: checkpoint.to_owned(),
            tensor: tensor.to_owned(),
            found,
            needed,
        };
        for tensor in weights.tensors() {
            if !self.shapes.contains_key(tensor.name) && !self.is_allowed(tensor.name) {
                return Err(mismatch(
                    tensor.name,
                    "it".to_owned(),
                    "no tensor of this name, as in the reference".to_owned(),
                ));
            }
        }
        for (name, shape) in self.shapes.iter().filter(|(name, _)| !self.is_allowed(name)) {
            match weights.get(name) {
                None => return Err(mismatch(name, "none".to_owned(), format!("shape {shape:?}"))),
                Some(tensor) if tensor.shape != shape => {
                    return Err(mismatch(name, format!("shape {:?}", tensor.shape), format!("shape {shape:?}")));
                }
                Some(_) => {}
            }
        }
        Ok(self
            .feeds
            .iter()
            .map(|feed| (feed, weights.get(&feed.tensor).expect("every tensor of the reference was just found")))
            .collect())
    }

    /// Whether the pipeline file lists the tensor as unused.
    fn is_allowed(&self, tensor: &str) -> bool {
        self.allowed.iter().any(|pattern| pattern.is_match(tensor))
    }

    fn search(
        model: &Model,
        bind: &Bind,
        checkpoint: &str,
        weights: &Weights,
        by_value: bool,
    ) -> Result<Self, GraphError> {
        let unbound = |reason: String| GraphError::Unbound { checkpoint: checkpoint.to_owned(), reason };
        let constants = NamePattern::all(&bind.constants)?;
        let allowed = NamePattern::all(&bind.unused)?;
        let mut binding =
            Self { feeds: Vec::new(), constants: Vec::new(), unused: Vec::new(), shapes: BTreeMap::new(), allowed };
        let mut taken = BTreeSet::new();
        let mut pending = Vec::new();
        for initializer in model.initializers() {
            if constants.iter().any(|pattern| pattern.is_match(initializer.name)) {
                binding.constants.push(initializer.name.to_owned());
                continue;
            }
            match by_equal_name(&initializer, weights, by_value).map_err(unbound)? {
                Some(feed) => {
                    taken.insert(feed.tensor.clone());
                    binding.feeds.push(feed);
                }
                None => pending.push(initializer),
            }
        }
        for initializer in pending {
            match by_equal_value(&initializer, weights, &taken, by_value).map_err(unbound)? {
                Some(feed) => {
                    taken.insert(feed.tensor.clone());
                    binding.feeds.push(feed);
                }
                None => binding.constants.push(initializer.name.to_owned()),
            }
        }
        for tensor in weights.tensors() {
            binding.shapes.insert(tensor.name.to_owned(), tensor.shape.to_vec());
            if taken.contains(tensor.name) {
                continue;
            }
            let reason = if binding.is_allowed(tensor.name) {
                "the pipeline file says so"
            } else if matches!(tensor.float(), Ok(None)) && !model.has_initializer(tensor.name) {
                "not floating-point"
            } else if matches!(tensor.float(), Ok(None)) {
                return Err(unbound(format!(
                    "tensor `{}`: found type {} here and an initializer of the same name in the graph; needed floating-point \
                     weights, since only they are replaced; if it never changes, list it in `[graph.bind] unused`",
                    tensor.name,
                    tensor.type_name()
                )));
            } else {
                return Err(unbound(format!(
                    "tensor `{}`, shape {:?}: found no initializer of the graph that takes it; needed every tensor to be used, \
                     since exporters fold and drop weights without a word; export with `torch.onnx.export(model.eval(), args, \
                     \"model.onnx\", dynamo=True, optimize=False)`, or list it in `[graph.bind] unused` if the graph rightly lacks it",
                    tensor.name, tensor.shape
                )));
            };
            binding.unused.push((tensor.name.to_owned(), reason));
        }
        if binding.feeds.is_empty() {
            return Err(unbound(
                "found no floating-point weight of the graph to feed; needed one at least; export with the weights as \
                 initializers (`export_params=True`)"
                    .to_owned(),
            ));
        }
        let order: BTreeMap<&str, usize> =
            model.initializers().iter().enumerate().map(|(place, initializer)| (initializer.name, place)).collect();
        binding.feeds.sort_by_key(|feed| order[feed.initializer.as_str()]);
        Ok(binding)
    }
}

/// The tensor of the same name, if its shape and, with a reference, its value are the same.
fn by_equal_name(initializer: &Initializer<'_>, weights: &Weights, by_value: bool) -> Result<Option<Feed>, String> {
    let Some(tensor) = weights.get(initializer.name) else { return Ok(None) };
    if !matches!(tensor.float(), Ok(Some(_))) || tensor.shape != initializer.shape {
        return Ok(None);
    }
    if !by_value {
        return Ok(Some(feed(initializer, tensor.name, Evidence::NameOnly)));
    }
    let own = own_values(initializer)?;
    let values = tensor.values(initializer.float).map_err(|error| error.to_string())?;
    if own.same_bits(&values) {
        return Ok(Some(feed(initializer, tensor.name, Evidence::NameAndValue)));
    }
    Err(format!(
        "tensor `{}`: found another value than the graph's initializer of the same name (largest difference {:.3e}); needed equal values; \
         either the graph was exported from another checkpoint (name it in `[graph] reference`), or the exporter folded this \
         weight: export with `torch.onnx.export(model.eval(), args, \"model.onnx\", dynamo=True, optimize=False)`",
        tensor.name,
        own.largest_difference(&values)
    ))
}

/// The only unclaimed tensor of the same shape and value, or none for a lone constant.
fn by_equal_value(
    initializer: &Initializer<'_>,
    weights: &Weights,
    taken: &BTreeSet<String>,
    by_value: bool,
) -> Result<Option<Feed>, String> {
    let mut equal = Vec::new();
    // A single number equals many others by chance: only its name could tell.
    if by_value && initializer.len() > 1 {
        let own = own_values(initializer)?;
        for tensor in weights.tensors() {
            if !taken.contains(tensor.name)
                && tensor.shape == initializer.shape
                && matches!(tensor.float(), Ok(Some(_)))
                && tensor.values(initializer.float).is_ok_and(|values: Floats<'_>| own.same_bits(&values))
            {
                equal.push(tensor.name);
            }
        }
    }
    match equal[..] {
        [name] => Ok(Some(feed(initializer, name, Evidence::Value))),
        // A single number without a counterpart is an operator's constant: a slope, an epsilon.
        [] if initializer.len() <= 1 => Ok(None),
        [] => Err(format!(
            "initializer `{}`, shape {:?}: found no tensor of this {}; needed one for every weight of the graph; \
             if it is a constant of the graph, list it in `[graph.bind] constants`; if the exporter folded it, export with \
             `torch.onnx.export(model.eval(), args, \"model.onnx\", dynamo=True, optimize=False)`",
            initializer.name,
            initializer.shape,
            if by_value { "shape and value" } else { "name and shape" }
        )),
        [first, second, ..] => Err(format!(
            "initializer `{}`: found equal values in `{first}` and `{second}`; needed one; export from a trained checkpoint, \
             or keep the checkpoint's names when exporting",
            initializer.name
        )),
    }
}

fn own_values<'a>(initializer: &Initializer<'a>) -> Result<Floats<'a>, String> {
    initializer.values().ok_or_else(|| {
        format!(
            "initializer `{}`: found fewer values in the graph than its shape needs; export it again",
            initializer.name
        )
    })
}

fn feed(initializer: &Initializer<'_>, tensor: &str, evidence: Evidence) -> Feed {
    Feed {
        initializer: initializer.name.to_owned(),
        tensor: tensor.to_owned(),
        shape: initializer.shape.clone(),
        float: initializer.float,
        evidence,
    }
}
