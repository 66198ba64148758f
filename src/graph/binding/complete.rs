//! The completeness check: nothing is left over on either side without a reason.
//!
//! Exporters fold, merge and drop weights without a word. A binding that leaves a weight of the graph
//! with its own value, or a tensor of the checkpoint unused, runs and is wrong.

use std::collections::BTreeMap;

use super::index::Index;
use super::leftovers::{self, Leftover};
use super::{Binding, Feed, advice};
use crate::archive::{Kind, Weights};
use crate::graph::taps::NamePattern;
use crate::graph::{GraphError, Initializer, Model};

/// What to say of an initializer that nothing explains.
pub(super) fn unexplained(index: &Index<'_>, initializer: &Initializer<'_>, producer: &str) -> String {
    let export = advice::export(producer);
    let Some(own) = initializer.values() else {
        return format!(
            "initializer `{}`, shape {:?}: found no value in the graph to look for; needed one, or a rule in `[graph.bind]`; \
             bind by name with `reference = \"none\"`",
            initializer.name, initializer.shape
        );
    };
    let named = index.place(initializer.name).map(|place| &index.tensors[place]);
    if let Some(tensor) = named.filter(|tensor| tensor.shape == initializer.shape) {
        return format!(
            "tensor `{}`: found another value than the graph's initializer of the same name (largest difference {:.3e}), and no \
             fold that explains it; needed equal values; either the graph was exported from another checkpoint (name it in \
             `[graph] reference`), or the exporter folded this weight: {export}",
            tensor.name,
            own.largest_difference(&tensor.values)
        );
    }
    format!(
        "initializer `{}`, shape {:?}: found no tensor, part of tensors or fold of this value; needed one for every weight of the graph; \
         if it is a constant of the graph, list it in `[graph.bind] constants`; if the exporter folded it, {export}",
        initializer.name, initializer.shape
    )
}

/// Puts the feeds in graph order, and gives every tensor that feeds nothing a reason, or refuses.
pub(super) fn complete(
    model: &Model,
    mut feeds: BTreeMap<String, Feed>,
    constants: Vec<(String, &'static str)>,
    allowed: Vec<NamePattern>,
    (reference, weights, elsewhere): (&str, &Weights, &[Weights]),
    index: &Index<'_>,
) -> Result<Binding, GraphError> {
    let unbound = |reason: String| GraphError::Unbound { checkpoint: reference.to_owned(), reason };
    let export = advice::export(model.producer());
    let ordered: Vec<Feed> =
        model.initializers().iter().filter_map(|initializer| feeds.remove(initializer.name)).collect();
    if ordered.is_empty() {
        return Err(unbound(format!(
            "found no floating-point weight of the graph to feed; needed one at least; {export}"
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
