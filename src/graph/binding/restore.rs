//! Zero biases that an exporter dropped, given back to the nodes of their modules.
//!
//! A bias that is zero at the exported checkpoint adds nothing there, and optimizing exporters
//! remove it; at later checkpoints it is something else. The module tells where it belongs: the
//! bias beside a weight is added where the weight is used. That is how layers are built, but the
//! graph cannot prove it, so that such a binding is a guess until records say otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{Index, Known};
use super::layout::{Piece, Slice};
use super::names::{Name, Order, Role};
use super::norm::{Folded, Part};
use super::recipe::Recipe;
use super::rules::restored_name;
use super::wiring::Wiring;
use super::{Evidence, Feed};
use crate::archive::{Kind, Weights};
use crate::graph::{Model, Use};

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
        let value = recipe.value(weights, &[channels], feed.kind);
        if !value.is_ok_and(|value| value.doubles().iter().all(|value| *value == 0.0)) {
            continue;
        }
        let uses = model.uses(&feed.initializer);
        // Used in different ways, the weight does not tell where its bias was added.
        let manners: BTreeSet<Option<String>> = uses.iter().map(|&place| wiring.manner(place)).collect();
        let takes = |place: Use| wiring.takes_bias(place) && is_last(feed, wiring.order(place), channels);
        if manners.len() != 1 || !uses.iter().all(|&place| takes(place)) {
            continue;
        }
        for place in uses {
            let Some(output) = wiring.output(place.node) else { continue };
            restored.push((place.node, output.to_owned(), recipe.clone(), channels, feed.kind));
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

/// Whether the outputs of a weight are as many as the bias has values, on the side where the operator has them.
fn is_last(feed: &Feed, order: Option<Order>, channels: usize) -> bool {
    let outputs = match order {
        Some(Order::OutputsFirst) => feed.shape.first(),
        Some(Order::OutputsLast) => feed.shape.last(),
        None => None,
    };
    // Of a square matrix only the framework's convention tells which side that is.
    let found = feed.recipe.tensors().first().and_then(|name| Name::new(name).order);
    let turned = matches!(&feed.recipe, Recipe::Tensor(piece) if piece.axes.is_some());
    let agrees = found.zip(order).is_none_or(|(found, order)| (found != order) == turned);
    outputs == Some(&channels) && agrees
}

/// The bias that belongs to a weight and feeds nothing: a tensor, or what a normalization makes of it.
fn dropped(feed: &Feed, free: &[&Known<'_>]) -> Option<(Recipe, usize)> {
    let beside = |name: &Name, role: Role| {
        let mut found = free.iter().filter(|tensor| tensor.parsed.beside(name) && tensor.parsed.role == Some(role));
        found.next().filter(|_| found.next().is_none())
    };
    match &feed.recipe {
        Recipe::Tensor(piece) => {
            let name = Name::new(&piece.name);
            let bias = beside(&name, Role::Bias).filter(|_| name.role == Some(Role::Weight))?;
            // The bias of a part of the outputs is that part of the bias.
            let slice = piece.slice.map(|slice| Slice { axis: 0, ..slice });
            let recipe = Recipe::Tensor(Piece { slice, ..Piece::whole(bias.name) });
            Some((recipe, slice.map_or(bias.values.len(), |slice| slice.end - slice.start)))
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
