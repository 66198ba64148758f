//! What the pipeline file says of the binding.

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::layout;
use super::names::Name;
use super::recipe::{Obstacle, Recipe};
use super::wiring::Wiring;
use super::{Bind, Evidence, Feed};
use crate::archive::Weights;
use crate::graph::taps::NamePattern;
use crate::graph::{GraphError, Initializer, Model, Use};

/// Which initializers a recipe is for.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rule {
    /// A regular expression for the whole name of an initializer.
    pub initializer: String,
    /// What feeds it; `$1` or `${name}` in tensors' names stand for what the expression captured.
    pub from: Recipe,
}

impl Rule {
    /// A rule for one initializer.
    pub(super) fn literal(initializer: &str, recipe: &Recipe) -> Self {
        let escaped = |name: &str| name.replace('$', "$$");
        Self { initializer: regex::escape(initializer), from: recipe.clone().renamed(&escaped) }
    }
}

/// Rules whose expressions were understood.
pub(super) struct Compiled<'b> {
    rules: Vec<(Regex, &'b Rule)>,
}

/// Stands between an initializer, or a bias, and the node's result that it was split or restored for.
const FOR: char = '@';

/// The name of the copy of an initializer that a node got for itself.
pub(super) fn split_name(initializer: &str, output: &str) -> String {
    format!("{initializer}{FOR}{output}")
}

/// The name of a bias that was given back to a node.
pub(super) fn restored_name(tensor: &str, output: &str) -> String {
    format!("{tensor}{FOR}{FOR}{output}")
}

/// What the pipeline file says of the binding, understood and done to the model.
pub(super) struct Told<'b> {
    pub rules: Compiled<'b>,
    pub constants: Vec<NamePattern>,
    pub unused: Vec<NamePattern>,
}

impl<'b> Told<'b> {
    /// Understands the table, and makes, splits and restores the weights that it speaks of.
    pub(super) fn new(bind: &'b Bind, model: &mut Model, weights: &Weights) -> Result<Self, GraphError> {
        let rules = Compiled::new(&bind.rules)?;
        let constants = NamePattern::all(&bind.constants)?;
        let unused = NamePattern::all(&bind.unused)?;
        inputs_to_weights(model, &rules, weights)?;
        rules.prepare(model, weights)?;
        Ok(Self { rules, constants, unused })
    }
}

impl<'b> Compiled<'b> {
    fn new(rules: &'b [Rule]) -> Result<Self, GraphError> {
        let compile = |rule: &'b Rule| {
            let whole = format!("^(?:{})$", rule.initializer);
            let regex = Regex::new(&whole).map_err(|error| GraphError::Rule {
                rule: rule.initializer.clone(),
                reason: error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
            });
            Ok((regex?, rule))
        };
        Ok(Self { rules: rules.iter().map(compile).collect::<Result<_, GraphError>>()? })
    }

    /// What the first rule that matches says of an initializer.
    pub(super) fn find(&self, initializer: &str) -> Option<Recipe> {
        self.rules.iter().find_map(|(regex, rule)| {
            let captures = regex.captures(initializer)?;
            let expand = |name: &str| {
                let mut expanded = String::new();
                captures.expand(name, &mut expanded);
                expanded
            };
            Some(rule.from.clone().renamed(&expand))
        })
    }

    /// Splits and restores what the names of literal rules ask for, so that a written binding is found again.
    fn prepare(&self, model: &mut Model, weights: &Weights) -> Result<(), GraphError> {
        for (_, rule) in &self.rules {
            let name = unescape(&rule.initializer);
            if model.has_initializer(&name) || !name.contains(FOR) || regex::escape(&name) != rule.initializer {
                continue;
            }
            let wiring = Wiring::new(model);
            // A name may have the separator in it: every place is tried.
            let places = name.match_indices(FOR).map(|(place, _)| (&name[..place], &name[place + 1..]));
            let found = places.into_iter().any(|(before, output)| match output.strip_prefix(FOR) {
                Some(output) => restored(model, &wiring, &rule.from, weights, output, &name),
                None => split(model, &wiring, before, output, &name),
            });
            if !found {
                return Err(GraphError::Rule {
                    rule: rule.initializer.clone(),
                    reason: "found no such weight in the graph, nor one to make it of; write the rules again with `bind --write`".to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// Gives a node's use of an initializer a copy of its own, if there is such a use.
fn split(model: &mut Model, wiring: &Wiring, initializer: &str, output: &str, name: &str) -> bool {
    let Some(node) = wiring.producer(output) else { return false };
    let uses: Vec<Use> = wiring.uses(initializer).iter().copied().filter(|place| place.node == node).collect();
    !uses.is_empty() && model.split(initializer, &uses, name) == name
}

/// Gives a node a bias again, if it lacks one.
fn restored(model: &mut Model, wiring: &Wiring, recipe: &Recipe, weights: &Weights, output: &str, name: &str) -> bool {
    let Some(node) = wiring.producer(output).filter(|&node| wiring.lacks_bias(node)) else { return false };
    let shape = |name: &str| weights.get(name).map(|tensor| tensor.shape.to_vec());
    let len = match recipe {
        Recipe::Tensor(piece) => shape(&piece.name).and_then(|shape| piece.shape(&shape).ok()),
        Recipe::Folded(folded) => shape(&folded.variance),
        Recipe::Joined(_) | Recipe::Scaled(_) => None,
    };
    let kind = model.initializers().iter().map(|initializer| initializer.kind).find(|kind| kind.is_float());
    let (Some(len), Some(kind)) = (len, kind) else { return false };
    model.add_bias(node, name, &[layout::len(&len)], kind).is_some_and(|made| made == name)
}

/// A name out of the expression that matches only it; other expressions stay what they are.
fn unescape(expression: &str) -> String {
    let mut name = String::with_capacity(expression.len());
    let mut characters = expression.chars();
    while let Some(character) = characters.next() {
        name.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    name
}

/// Follows a rule at the reference checkpoint, and compares with the graph's own value where there is one.
pub(super) fn feed(initializer: &Initializer<'_>, recipe: Recipe, weights: &Weights) -> Result<Feed, String> {
    let wrong = |found: String, needed: String| {
        format!(
            "initializer `{}`: its rule gives `{recipe}`: found {found}; needed {needed}; correct the rule in `[graph.bind] rules`",
            initializer.name
        )
    };
    let value = recipe.value(weights, &initializer.shape, initializer.kind).map_err(|obstacle| match obstacle {
        Obstacle::Archive(error) => error.to_string(),
        Obstacle::Tensor { tensor, found, needed } => wrong(format!("{found} in tensor `{tensor}`"), needed),
    })?;
    let (difference, rounded) = match initializer.values() {
        None => (None, None),
        Some(own) => {
            let difference = own.largest_difference(&value);
            let largest = own.doubles().iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
            // Half-precision checkpoints hold rounded weights: three digits of the largest are right.
            let kinds = recipe.tensors().into_iter().filter_map(|name| weights.get(name)?.kind().ok());
            let coarsest = kinds.map(|kind| layout::common(initializer.kind, kind)).min_by_key(|kind| kind.size());
            let rounded = coarsest.filter(|&kind| kind != initializer.kind);
            let tolerance = if rounded.is_some() { 1e-2 } else { 1e-5 };
            if difference > tolerance * largest {
                return Err(wrong(
                    format!("a value that differs by up to {difference:.3e} from the graph's own"),
                    "the graph's own value at the reference checkpoint".to_owned(),
                ));
            }
            (Some(difference), rounded)
        }
    };
    let evidence = if difference.is_some() { Evidence::RuleAndValue } else { Evidence::RuleOnly };
    Ok(Feed { rounded, ..Feed::new(initializer, recipe, evidence, difference) })
}

/// Makes the inputs that the checkpoint has tensors or the pipeline file rules for weights again.
///
/// Some exporters write weights as inputs. Samples come with a first axis that depends on their number.
fn inputs_to_weights(model: &mut Model, rules: &Compiled<'_>, weights: &Weights) -> Result<(), GraphError> {
    let tensors: Vec<(&str, Name)> = weights.tensors().map(|tensor| (tensor.name, Name::new(tensor.name))).collect();
    let is_weight = |name: &str| {
        let own = Name::new(name);
        rules.find(name).is_some() || tensors.iter().any(|(tensor, parsed)| *tensor == name || parsed.means(&own))
    };
    let fixed = model.inputs().into_iter().filter(|input| input.dims.iter().all(Option::is_some));
    let names: Vec<String> = fixed.map(|input| input.name.to_owned()).filter(|name| is_weight(name)).collect();
    model.inputs_to_weights(&names.iter().map(String::as_str).collect::<Vec<_>>())
}
