//! Zero biases that an exporter dropped, given back to the nodes of their modules.
//!
//! A bias that is zero at the exported checkpoint adds nothing there, and optimizing exporters
//! remove it; at later checkpoints it is something else. The module tells where it belongs: the
//! bias beside a weight is added where the weight is used.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{Index, Known};
use super::layout::Piece;
use super::names::{Name, Role};
use super::norm::{Folded, Part};
use super::recipe::Recipe;
use super::rules::restored_name;
use super::wiring::Wiring;
use super::{Evidence, Feed};
use crate::archive::{Kind, Weights};
use crate::graph::Model;

/// Adds a bias, and its feed, for each tensor or fold that is zero at the reference checkpoint,
/// feeds nothing, and stands beside the weight of a node without a bias.
pub(super) fn restore(
    model: &mut Model,
    wiring: &Wiring,
    index: &Index<'_>,
    weights: &Weights,
    feeds: &mut BTreeMap<String, Feed>,
) {
    let fed: BTreeSet<String> = feeds.values().flat_map(|feed| feed.recipe.tensors()).map(str::to_owned).collect();
    let free: Vec<&Known<'_>> = index.tensors.iter().filter(|tensor| !fed.contains(tensor.name)).collect();
    let mut restored = Vec::new();
    for feed in feeds.values() {
        let Some((recipe, channels)) = dropped(feed, &free) else { continue };
        let is_zero =
            recipe.value(weights, &[channels], feed.kind).is_ok_and(|value| value.doubles().iter().all(|v| *v == 0.0));
        let nodes: BTreeSet<usize> = model.uses(&feed.initializer).iter().map(|place| place.node).collect();
        for node in nodes.into_iter().filter(|&node| is_zero && wiring.lacks_bias(node)) {
            let Some(output) = wiring.output(node) else { continue };
            restored.push((node, output.to_owned(), recipe.clone(), channels, feed.kind));
        }
    }
    for (node, output, recipe, channels, kind) in restored {
        let wanted = restored_name(recipe.tensors().first().copied().unwrap_or_default(), &output);
        if let Some(name) = model.add_bias(node, &wanted, &[channels], kind) {
            feeds.insert(name.clone(), restored_feed(name, recipe, channels, kind));
        }
    }
}

fn restored_feed(initializer: String, recipe: Recipe, channels: usize, kind: Kind) -> Feed {
    Feed {
        initializer,
        shape: vec![channels],
        kind,
        recipe,
        evidence: Evidence::Restored,
        rounded: None,
        largest_difference: Some(0.0),
    }
}

/// The bias that belongs to a weight and feeds nothing: a tensor, or what a normalization makes of it.
fn dropped(feed: &Feed, free: &[&Known<'_>]) -> Option<(Recipe, usize)> {
    let beside = |name: &Name, role: Role| {
        let mut found = free.iter().filter(|tensor| tensor.parsed.beside(name) && tensor.parsed.role == Some(role));
        found.next().filter(|_| found.next().is_none())
    };
    match &feed.recipe {
        Recipe::Tensor(Piece { name, .. }) => {
            let name = Name::new(name);
            let bias = beside(&name, Role::Bias).filter(|_| name.role == Some(Role::Weight))?;
            Some((Recipe::whole(bias.name), bias.values.len()))
        }
        Recipe::Folded(folded) => {
            let Part::Weight { piece, .. } = &folded.part else { return None };
            let norm = Name::new(&folded.variance);
            let shift = beside(&norm, Role::Bias).map(|tensor| tensor.name.to_owned());
            let mean = beside(&norm, Role::Mean)?;
            let bias = beside(&Name::new(&piece.name), Role::Bias).map(|tensor| tensor.name.to_owned());
            let bias = Folded { part: Part::Bias { bias }, shift, mean: Some(mean.name.to_owned()), ..folded.clone() };
            Some((Recipe::Folded(bias), mean.values.len()))
        }
        Recipe::Joined(_) | Recipe::Scaled(_) => None,
    }
}
