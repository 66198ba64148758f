//! Binding: which checkpoint tensors feed which initializer, on what evidence.
//!
//! A graph whose weights have the right names and the wrong values runs without an error and gives
//! wrong activations. So values decide where they can be compared, names only between equal values,
//! and nothing may be left over on either side without a reason.
//!
//! | file | what it holds |
//! |---|---|
//! | `recipe` | how the value of an initializer is made from tensors |
//! | `layout`, `transpose` | slices, reshapes and orders of axes; large matrices turned in blocks |
//! | `norm` | normalizations that were multiplied into weights |
//! | `evidence` | why a recipe is taken for an initializer |
//! | `index` | the tensors of a checkpoint, found by what they hold |
//! | `search`, `by_value` | binding by value against the reference checkpoint |
//! | `pieces`, `folds`, `unfold` | parts of tensors; what exporters multiplied in |
//! | `orientation` | which of several layouts is meant, for symmetric values |
//! | `wiring`, `ties`, `names` | who stands beside whom, and what names tell, for tensors of one value |
//! | `restore` | zero biases that an exporter dropped |
//! | `rules`, `by_name` | what the pipeline file says; binding where there are no values |
//! | `elsewhere` | what other checkpoints tell about tensors that are equal at the reference |
//! | `complete`, `leftovers` | what feeds nothing, and why that is right, or not |
//! | `advice` | the export call that would have kept names and values |

mod advice;
mod by_name;
mod by_value;
mod complete;
mod elsewhere;
mod evidence;
mod folds;
mod index;
mod layout;
mod leftovers;
mod names;
mod norm;
mod orientation;
mod pieces;
mod recipe;
mod restore;
mod rules;
mod search;
mod ties;
mod transpose;
mod unfold;
mod wiring;

pub use elsewhere::Elsewhere;
pub use evidence::Evidence;
pub use layout::{Piece, Slice};
pub use leftovers::Leftover;
pub use norm::{Folded, Part};
pub use recipe::{Joined, Recipe, Scaled};
pub use rules::Rule;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::leftovers::Digest;
use super::taps::NamePattern;
use super::{GraphError, Initializer, Model};
use crate::archive::{Kind, Numbers, Weights};

/// What the pipeline file says about the binding.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bind {
    /// Initializers and what feeds them, the first that matches; what no rule speaks of is searched for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Initializers (names or globs) that are constants of the graph, not weights.
    #[serde(default)]
    pub constants: Vec<String>,
    /// Checkpoint tensors (names or globs) that the graph has no use for, such as a second head.
    #[serde(default)]
    pub unused: Vec<String>,
}

/// One initializer and what feeds it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Feed {
    /// The initializer of the graph.
    pub initializer: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The type that the graph needs.
    pub kind: Kind,
    /// What it is made of.
    pub recipe: Recipe,
    /// Why.
    pub evidence: Evidence,
    /// The type in which the values were equal, where the checkpoint's is coarser than the graph's.
    pub rounded: Option<Kind>,
    /// The largest difference to the graph's own value at the reference checkpoint, where there is one.
    pub largest_difference: Option<f64>,
}

impl Feed {
    /// What feeds an initializer, whose value was compared in the graph's own type, if at all.
    fn new(initializer: &Initializer<'_>, recipe: Recipe, evidence: Evidence, largest_difference: Option<f64>) -> Self {
        Self {
            initializer: initializer.name.to_owned(),
            shape: initializer.shape.clone(),
            kind: initializer.kind,
            recipe,
            evidence,
            rounded: None,
            largest_difference,
        }
    }
}

/// A complete binding: every weight of the graph is fed and every checkpoint tensor accounted for.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Who feeds whom, in graph order.
    pub feeds: Vec<Feed>,
    /// Initializers that keep the graph's own value, and why.
    pub constants: Vec<(String, &'static str)>,
    /// Checkpoint tensors that feed nothing, and why that is right.
    pub leftovers: Vec<(String, Leftover)>,
    /// The shape of each tensor of the reference, and whether it holds floats.
    shapes: BTreeMap<String, (Vec<usize>, bool)>,
    unchanged: Vec<(String, Digest)>,
    allowed: Vec<NamePattern>,
}

/// The value of an initializer at a checkpoint.
pub type Fed<'w> = (String, Vec<usize>, Numbers<'w>);

impl Binding {
    /// Binds by value against the checkpoint that the graph was exported from, and gives the model
    /// back what its exporter merged or dropped.
    ///
    /// `elsewhere` are other checkpoints of the series: they tell which tensors are equal, or never
    /// change, by more than chance, and which were trained by the time of the reference.
    ///
    /// # Errors
    ///
    /// [`GraphError::Unbound`] when a weight has no explanation, or a tensor is left over without a
    /// reason.
    pub fn by_value(
        model: &mut Model,
        bind: &Bind,
        reference: &str,
        weights: &Weights,
        elsewhere: &Elsewhere,
    ) -> Result<Self, GraphError> {
        search::search(model, bind, reference, weights, elsewhere)
    }

    /// Binds by rules, names and shapes, for graphs that were exported from no known checkpoint.
    ///
    /// # Errors
    ///
    /// As [`Binding::by_value`].
    pub fn by_name(
        model: &mut Model,
        bind: &Bind,
        example: &str,
        weights: &Weights,
        elsewhere: &Elsewhere,
    ) -> Result<Self, GraphError> {
        by_name::by_name(model, bind, example, weights, elsewhere)
    }

    /// How many weights of the graph are in a checkpoint: the more, the likelier it was exported from it.
    ///
    /// # Errors
    ///
    /// [`GraphError::Archive`] for tensors that cannot be read.
    pub fn resemblance(model: &Model, weights: &Weights) -> Result<usize, GraphError> {
        Ok(search::resemblance(model, weights)?)
    }

    /// Whether every feed was compared by value.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        !self.feeds.is_empty() && self.feeds.iter().all(|feed| feed.evidence.is_by_value())
    }

    /// Whether another binding would explain the reference checkpoint as well.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.feeds.iter().any(|feed| feed.evidence.is_guess())
    }

    /// What feeds nothing, tensors and initializers alike, by the reason why that is right.
    #[must_use]
    pub fn bystanders(&self) -> BTreeMap<String, Vec<&str>> {
        let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (tensor, leftover) in &self.leftovers {
            reasons.entry(format!("tensors, {}", leftover.words())).or_default().push(tensor);
        }
        for (initializer, reason) in &self.constants {
            reasons.entry(format!("constants of the graph, {reason}")).or_default().push(initializer);
        }
        reasons
    }

    /// The initializers that are fed.
    #[must_use]
    pub fn initializers(&self) -> BTreeSet<&str> {
        self.feeds.iter().map(|feed| feed.initializer.as_str()).collect()
    }

    /// The rules that make this binding without a search.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        self.feeds.iter().map(|feed| Rule::literal(&feed.initializer, &feed.recipe)).collect()
    }

    /// The tensors that must be read to feed some initializers, or to be compared, by name.
    #[must_use]
    pub fn tensors(&self, initializers: &[String]) -> Vec<&str> {
        let fed = self.feeds.iter().filter(|feed| initializers.contains(&feed.initializer));
        let mut names: Vec<&str> = fed.flat_map(|feed| feed.recipe.tensors()).collect();
        for (name, leftover) in &self.leftovers {
            match leftover {
                Leftover::SameAs(other) => names.extend([name.as_str(), other]),
                Leftover::Unchanged => names.push(name),
                _ => {}
            }
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Checks that a checkpoint has just the tensors of the reference, and makes the values of some
    /// initializers from them.
    ///
    /// # Errors
    ///
    /// [`GraphError::Mismatch`] for a missing, additional or reshaped tensor, for one that stands
    /// for another or for a constant and no longer equals it, and for values that do not fit the
    /// graph; [`GraphError::Archive`] for values that cannot be read or are not finite.
    pub fn values<'w>(
        &self,
        checkpoint: &str,
        weights: &'w Weights,
        initializers: &[String],
    ) -> Result<Vec<Fed<'w>>, GraphError> {
        self.check_tensors(checkpoint, weights)?;
        let fed = self.feeds.iter().filter(|feed| initializers.contains(&feed.initializer));
        fed.map(|feed| {
            let value =
                feed.recipe.value(weights, &feed.shape, feed.kind).map_err(|obstacle| obstacle.at(checkpoint))?;
            Ok((feed.initializer.clone(), feed.shape.clone(), value))
        })
        .collect()
    }

    fn check_tensors(&self, checkpoint: &str, weights: &Weights) -> Result<(), GraphError> {
        let mismatch = |tensor: &str, found: String, needed: String| GraphError::Mismatch {
            checkpoint: checkpoint.to_owned(),
            tensor: tensor.to_owned(),
            found,
            needed,
        };
        for tensor in weights.tensors() {
            if !self.shapes.contains_key(tensor.name) && !self.is_allowed(tensor.name) {
                let needed = "no tensor of this name, as in the reference".to_owned();
                return Err(mismatch(tensor.name, "it".to_owned(), needed));
            }
        }
        for (name, (shape, is_float)) in self.shapes.iter().filter(|(name, _)| !self.is_allowed(name)) {
            match weights.get(name) {
                None => return Err(mismatch(name, "none".to_owned(), format!("shape {shape:?}"))),
                Some(tensor) if tensor.shape != shape => {
                    return Err(mismatch(name, format!("shape {:?}", tensor.shape), format!("shape {shape:?}")));
                }
                Some(tensor) if tensor.kind().is_ok_and(|kind| kind.is_float() != *is_float) => {
                    let needed = if *is_float { "floats" } else { "integers or booleans" };
                    let needed = format!("{needed}, as in the reference");
                    return Err(mismatch(name, format!("type {}", tensor.type_name()), needed));
                }
                Some(_) => {}
            }
        }
        let changed = "another value than in the reference checkpoint".to_owned();
        for (name, digest) in &self.unchanged {
            if leftovers::digest(weights, name)? != Some(*digest) {
                let needed = "the same, since the graph holds it as a constant".to_owned();
                return Err(mismatch(name, changed, needed));
            }
        }
        for (name, leftover) in &self.leftovers {
            if let Leftover::SameAs(other) = leftover
                && !leftovers::same(weights, name, other)?
            {
                let needed = format!("the value of `{other}`, since the graph holds one weight for both");
                return Err(mismatch(name, "another value".to_owned(), needed));
            }
        }
        Ok(())
    }

    /// Whether the pipeline file lists the tensor as unused.
    fn is_allowed(&self, tensor: &str) -> bool {
        self.allowed.iter().any(|pattern| pattern.is_match(tensor))
    }
}
