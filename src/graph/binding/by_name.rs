//! Binding by rules, names and shapes, where there are no values to go by.

use std::collections::{BTreeMap, BTreeSet};

use super::elsewhere::Elsewhere;
use super::index::Index;
use super::layout::Piece;
use super::names::Name;
use super::recipe::Recipe;
use super::rules::Told;
use super::wiring::Wiring;
use super::{Bind, Binding, Evidence, Feed, advice, complete};
use crate::archive::Weights;
use crate::graph::{GraphError, Initializer, Model};

/// Binds by rules, names and shapes alone.
pub(super) fn by_name(
    model: &mut Model,
    bind: &Bind,
    example: &str,
    weights: &Weights,
    elsewhere: &Elsewhere,
) -> Result<Binding, GraphError> {
    let unbound = |reason: String| GraphError::Unbound { checkpoint: example.to_owned(), reason };
    let Told { rules, constants, unused } = Told::new(bind, model, weights)?;
    let index = Index::new(weights, &BTreeSet::new(), &[])?;
    let wiring = Wiring::new(model);
    let (mut feeds, mut kept) = (BTreeMap::new(), Vec::new());
    for initializer in model.initializers() {
        if constants.iter().any(|pattern| pattern.is_match(initializer.name)) {
            kept.push((initializer.name.to_owned(), "the pipeline file says so"));
            continue;
        }
        let (recipe, evidence) = match rules.find(initializer.name) {
            Some(recipe) => (recipe, Evidence::RuleOnly),
            None => match named(&initializer, &index, &wiring).map_err(unbound)? {
                Some(recipe) => (recipe, Evidence::NameOnly),
                None if initializer.kind.is_float() && (initializer.len() > 1 || initializer.values().is_none()) => {
                    return Err(unbound(format!(
                        "initializer `{}`, shape {:?}: found no tensor of this name in any framework's style; needed one for every weight of \
                         the graph; write a rule in `[graph.bind] rules`, list it in `constants`, or {}",
                        initializer.name,
                        initializer.shape,
                        advice::export(model.producer())
                    )));
                }
                None => {
                    kept.push((initializer.name.to_owned(), "no tensor has its name"));
                    continue;
                }
            },
        };
        recipe.value(weights, &initializer.shape, initializer.kind).map_err(|obstacle| obstacle.at(example))?;
        feeds.insert(initializer.name.to_owned(), Feed::new(&initializer, recipe, evidence, None));
    }
    complete::complete(model, feeds, kept, unused, (example, weights, elsewhere), &index)
}

/// The tensor whose name means the same, in the layout that the operator wants.
fn named(initializer: &Initializer<'_>, index: &Index<'_>, wiring: &Wiring) -> Result<Option<Recipe>, String> {
    let own = Name::new(initializer.name);
    let exact = index.tensors.iter().filter(|tensor| tensor.name == initializer.name).collect::<Vec<_>>();
    let meant = index.tensors.iter().filter(|tensor| tensor.parsed.means(&own)).collect::<Vec<_>>();
    let tensor = match (&exact[..], &meant[..]) {
        ([tensor], _) | ([], [tensor]) => tensor,
        ([], []) => return Ok(None),
        _ => {
            let names: Vec<String> = meant.iter().map(|tensor| format!("`{}`", tensor.name)).collect();
            return Err(format!(
                "initializer `{}`: found several tensors whose names mean the same: {}; needed one; write a rule in `[graph.bind] rules`",
                initializer.name,
                names.join(", ")
            ));
        }
    };
    let wanted = wiring.uses(initializer.name).iter().find_map(|&place| wiring.order(place));
    let turned = match (wanted, tensor.parsed.order, tensor.shape.len()) {
        (Some(wanted), Some(found), axes @ 2..) if wanted != found => Some(wanted.turned(axes)),
        _ => None,
    };
    let plain = Piece::whole(tensor.name);
    let piece = Piece { axes: turned, ..plain.clone() };
    let fits = |piece: &Piece| piece.shape(tensor.shape).is_ok_and(|shape| shape == initializer.shape);
    if fits(&piece) {
        return Ok(Some(Recipe::Tensor(piece)));
    }
    if fits(&plain) {
        return Ok(Some(Recipe::Tensor(plain)));
    }
    Err(format!(
        "tensor `{}`: found shape {:?}; needed shape {:?} for initializer `{}`, as it is or with the layout of its framework changed; \
         write a rule with `reshape` and `axes` in `[graph.bind] rules`",
        tensor.name, tensor.shape, initializer.shape, initializer.name
    ))
}
