//! The completeness check: nothing is left over on either side without a reason.
//!
//! Exporters fold, merge and drop weights without a word. A binding that leaves a weight of the graph
//! with its own value, or a tensor of the checkpoint unused, runs and is wrong.

use std::collections::BTreeMap;

use super::elsewhere::Elsewhere;
use super::index::Index;
use super::leftovers::{self, Leftover};
use super::recipe::Recipe;
use super::{Binding, Evidence, Feed, advice};
use crate::archive::{Kind, Weights};
use crate::graph::taps::NamePattern;
use crate::graph::{GraphError, Initializer, Model};

/// What to say of an initializer that nothing explains.
pub(super) fn unexplained(
    index: &Index<'_>,
    weights: &Weights,
    initializer: &Initializer<'_>,
    model: &Model,
) -> String {
    let export = advice::export(model.producer());
    let name = initializer.name;
    // A tensor of its name that cannot be a weight is the likeliest fault.
    if let Some(error) = weights.get(name).and_then(|tensor| tensor.finite().err()) {
        return error.to_string();
    }
    let Some(own) = initializer.values() else {
        let files: Vec<String> = model.missing_files().iter().map(|file| format!("`{}`", file.display())).collect();
        return match &files[..] {
            [] => format!(
                "initializer `{name}`, shape {:?}: found no value in the graph to look for; needed one, or a rule in `[graph.bind]`; \
                 bind by name with `reference = \"none\"`",
                initializer.shape
            ),
            files => format!(
                "initializer `{name}`: found no value, since {} is not there; needed the file that was exported beside the graph; copy it, \
                 or bind by name with `reference = \"none\"`",
                files.join(", ")
            ),
        };
    };
    let named = index.place(name).map(|place| &index.tensors[place]);
    if let Some(tensor) = named.filter(|tensor| tensor.shape == initializer.shape) {
        return format!(
            "tensor `{name}`: found another value than the graph's initializer of the same name (largest difference {:.3e}), and no \
             fold that explains it; needed equal values; either the graph was exported from another checkpoint (name it in \
             `[graph] reference`), or the exporter folded this weight: {export}",
            own.largest_difference(&tensor.values)
        );
    }
    format!(
        "initializer `{name}`, shape {:?}: found no tensor, part of tensors or fold of this value; needed one for every weight of the graph; \
         if it is a constant of the graph, list it in `[graph.bind] constants`; if the exporter folded it, {export}",
        initializer.shape
    )
}

/// What to say of an initializer that holds the value of one tensor under the name of another.
///
/// The name and the value contradict each other: weights were exchanged in one of both files.
pub(super) fn misnamed(feed: &Feed, index: &Index<'_>, model: &Model) -> Option<String> {
    let Recipe::Tensor(piece) = &feed.recipe else { return None };
    let named = &index.tensors[index.place(&feed.initializer)?];
    let is_other =
        piece.name != feed.initializer && named.shape == feed.shape && feed.evidence != Evidence::RuleAndValue;
    let other = &index.tensors[index.place(&piece.name)?];
    (is_other && other.values != named.values).then(|| {
        format!(
            "initializer `{}`: found the value of tensor `{}`, while the tensor of its own name has another one; needed name and value to \
             agree; weights were exchanged in the graph or in the checkpoint: {}, or say which counts with a rule in `[graph.bind] rules`",
            feed.initializer,
            piece.name,
            advice::export(model.producer())
        )
    })
}

/// Puts the feeds in graph order, and gives every tensor that feeds nothing a reason, or refuses.
pub(super) fn complete(
    model: &Model,
    mut feeds: BTreeMap<String, Feed>,
    constants: Vec<(String, &'static str)>,
    allowed: Vec<NamePattern>,
    (reference, weights, elsewhere): (&str, &Weights, &Elsewhere),
    index: &Index<'_>,
) -> Result<Binding, GraphError> {
    let unbound = |reason: String| GraphError::Unbound { checkpoint: reference.to_owned(), reason };
    let export = advice::export(model.producer());
    let ordered: Vec<Feed> =
        model.initializers().iter().filter_map(|initializer| feeds.remove(initializer.name)).collect();
    if ordered.is_empty() {
        let inputs: Vec<String> = model.inputs().iter().map(|input| format!("`{}`", input.name)).collect();
        return Err(unbound(format!(
            "found no floating-point weight of the graph to feed; needed one at least; its inputs are {}: if some of them are weights, name \
             them in `[graph.bind] rules`; else {export}",
            inputs.join(", ")
        )));
    }
    let fed: Vec<&str> = ordered.iter().flat_map(|feed| feed.recipe.tensors()).collect();
    let mut binding = Binding {
        feeds: Vec::new(),
        constants,
        leftovers: Vec::new(),
        shapes: BTreeMap::new(),
        unchanged: Vec::new(),
        allowed,
    };
    for tensor in weights.tensors() {
        let is_float = tensor.kind().is_ok_and(Kind::is_float);
        binding.shapes.insert(tensor.name.to_owned(), (tensor.shape.to_vec(), is_float));
        if fed.contains(&tensor.name) {
            continue;
        }
        let reason = if binding.is_allowed(tensor.name) {
            Some(Leftover::Allowed)
        } else {
            tensor.kind()?;
            leftovers::reason(tensor.name, index, weights, elsewhere, &fed)?
        };
        let Some(reason) = reason else {
            return Err(unbound(format!(
                "tensor `{}`, shape {:?}: found no initializer of the graph that takes it, and it changes over the series; needed every \
                 tensor to be used, since exporters fold and drop weights without a word; {export}, or list it in `[graph.bind] unused` \
                 if the graph rightly lacks it",
                tensor.name, tensor.shape
            )));
        };
        if reason == Leftover::Unchanged
            && let Some(digest) = leftovers::digest(weights, tensor.name)?
        {
            binding.unchanged.push((tensor.name.to_owned(), digest));
        }
        binding.leftovers.push((tensor.name.to_owned(), reason));
    }
    binding.feeds = ordered;
    Ok(binding)
}
