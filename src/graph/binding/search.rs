//! Binding by value against the checkpoint that the graph was exported from.
//!
//! 1. What the pipeline file's rules say.
//! 2. Equal values, in any layout; ties broken by `ties`.
//! 3. Parts of tensors, end to end.
//! 4. Folds.
//! 5. What the exporter merged is split again, and what it dropped restored.
//! 6. What is left over on either side has a reason, or the binding is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{Candidate, Index, Known};
use super::leftovers;
use super::names::Name;
use super::recipe::Recipe;
use super::rules;
use super::ties::{Choice, Slot, Ties};
use super::wiring::Wiring;
use super::{Bind, Binding, Evidence, Feed, complete, orientation, pieces, restore};
use crate::archive::{ArchiveError, Kind, Weights};
use crate::graph::taps::NamePattern;
use crate::graph::{GraphError, Initializer, Model};

/// Integers of at least this many values are looked for by value alone; fewer are shapes and the like.
const FEWEST_INTEGERS: usize = 16;

pub(super) fn search(
    model: &mut Model,
    bind: &Bind,
    reference: &str,
    weights: &Weights,
    elsewhere: &[Weights],
) -> Result<Binding, GraphError> {
    let unbound = |reason: String| GraphError::Unbound { checkpoint: reference.to_owned(), reason };
    let constants = NamePattern::all(&bind.constants)?;
    let allowed = NamePattern::all(&bind.unused)?;
    let rules = rules::Compiled::new(&bind.rules)?;
    rules::inputs_to_weights(model, &rules, weights)?;
    rules.prepare(model)?;
    let kinds: BTreeSet<Kind> = model.initializers().iter().map(|initializer| initializer.kind).collect();
    let index = Index::new(weights, &kinds)?;
    let wiring = Wiring::new(model);
    let mut search = Search {
        index: &index,
        wiring: &wiring,
        elsewhere,
        feeds: BTreeMap::new(),
        constants: Vec::new(),
        splits: Vec::new(),
    };
    let mut open = Vec::new();
    for initializer in model.initializers() {
        if constants.iter().any(|pattern| pattern.is_match(initializer.name)) {
            search.constants.push((initializer.name.to_owned(), "the pipeline file says so"));
        } else if let Some(recipe) = rules.find(initializer.name) {
            let feed = rules::feed(&initializer, recipe, weights).map_err(unbound)?;
            search.feeds.insert(feed.initializer.clone(), feed);
        } else {
            open.push(initializer);
        }
    }
    let left = search.by_value(open);
    let left = search.by_parts(left);
    let left = search.by_folds(left);
    let left = search.constant(left);
    if let Some(initializer) = left.first() {
        return Err(unbound(complete::unexplained(&index, initializer, model.producer())));
    }
    let Search { mut feeds, constants, splits, .. } = search;
    for (initializer, choices) in splits {
        for choice in choices {
            let output = choice.slot.uses.first().and_then(|place| wiring.output(place.node)).unwrap_or_default();
            let name = rules::split_name(&initializer.initializer, output);
            let name = model.split(&initializer.initializer, &choice.slot.uses, &name);
            let feed = Feed { initializer: name.clone(), ..feed_of(&choice, &index, &initializer) };
            feeds.insert(name, feed);
        }
    }
    restore::restore(model, &wiring, &index, weights, &mut feeds);
    complete::complete(model, feeds, constants, allowed, (reference, weights, elsewhere), &index)
}

/// Whether some weight of the graph is in the checkpoint, by a value that no other would have by chance.
pub(super) fn resembles(model: &Model, weights: &Weights) -> Result<bool, ArchiveError> {
    let initializers = model.initializers();
    let kinds: BTreeSet<Kind> = initializers.iter().map(|initializer| initializer.kind).collect();
    let index = Index::new(weights, &kinds)?;
    Ok(initializers.iter().filter(|initializer| initializer.kind.is_float() && initializer.len() > 1).any(
        |initializer| {
            let candidates = index.candidates(initializer);
            candidates.iter().any(|candidate| !index.tensors[candidate.tensor].is_constant)
        },
    ))
}

pub(super) struct Search<'a, 'w> {
    pub(super) index: &'a Index<'w>,
    pub(super) wiring: &'a Wiring,
    elsewhere: &'a [Weights],
    pub(super) feeds: BTreeMap<String, Feed>,
    constants: Vec<(String, &'static str)>,
    /// Initializers whose uses need different tensors.
    splits: Vec<(Feed, Vec<Choice>)>,
}

impl<'w> Search<'_, 'w> {
    /// Equal values in any layout; returns the initializers that equal nothing.
    fn by_value<'m>(&mut self, open: Vec<Initializer<'m>>) -> Vec<Initializer<'m>> {
        let (mut slots, mut left) = (Vec::new(), Vec::new());
        let mut shapes: BTreeMap<String, (Vec<usize>, Kind)> = BTreeMap::new();
        for initializer in open {
            let candidates = self.distinct(&initializer, self.eligible(&initializer));
            if candidates.is_empty() {
                left.push(initializer);
                continue;
            }
            shapes.insert(initializer.name.to_owned(), (initializer.shape.clone(), initializer.kind));
            let uses = self.wiring.uses(initializer.name).to_vec();
            let slot =
                Slot { initializer: initializer.name.to_owned(), uses: uses.clone(), is_shared: false, candidates };
            if slot.candidates.len() > 1 && uses.len() > 1 {
                // The exporter may have merged equal weights: each use is a question of its own.
                slots.extend(uses.into_iter().map(|place| Slot { uses: vec![place], is_shared: true, ..slot.clone() }));
            } else {
                slots.push(slot);
            }
        }
        let bound = self.feeds.iter().map(|(name, feed)| (name.clone(), owned(&feed.recipe))).collect();
        let mut ties = Ties { index: self.index, wiring: self.wiring, bound, choices: Vec::new() };
        let unsettled: BTreeSet<String> = ties.settle(slots).into_iter().map(|slot| slot.initializer).collect();
        orientation::settle(&mut ties.choices, self.index, self.wiring);
        let mut chosen: BTreeMap<String, Vec<Choice>> = BTreeMap::new();
        for choice in ties.choices {
            chosen.entry(choice.slot.initializer.clone()).or_default().push(choice);
        }
        for (name, choices) in chosen {
            if unsettled.contains(&name) {
                continue;
            }
            let (shape, kind) = shapes[&name].clone();
            let blank = Feed {
                initializer: name.clone(),
                shape,
                kind,
                recipe: Recipe::whole(&name),
                evidence: Evidence::Value,
                rounded: None,
                largest_difference: Some(0.0),
            };
            let first = choices[0].candidate.tensor;
            if choices.iter().all(|choice| choice.candidate.tensor == first) {
                self.feeds.insert(name, feed_of(&choices[0], self.index, &blank));
            } else {
                self.splits.push((blank, choices));
            }
        }
        left
    }

    /// The tensors that an initializer may equal; few numbers prove nothing by themselves.
    fn eligible(&self, initializer: &Initializer<'_>) -> Vec<Candidate> {
        let mut candidates = self.index.candidates(initializer);
        let few = if initializer.kind.is_float() { 2 } else { FEWEST_INTEGERS };
        if initializer.len() < few {
            let own = Name::new(initializer.name);
            let modules = self.wiring.uses(initializer.name).iter().filter_map(|&place| self.wiring.module(place));
            let modules: Vec<&str> = modules.collect();
            candidates.retain(|candidate| {
                let tensor = &self.index.tensors[candidate.tensor];
                let named = tensor.name == initializer.name || tensor.parsed.means(&own);
                let placed = initializer.kind.is_float() && modules.iter().any(|module| tensor.parsed.lies_in(module));
                named || placed
            });
        }
        candidates
    }

    /// One of each set of candidates that are equal at every checkpoint, the one of the likest name.
    fn distinct(&self, initializer: &Initializer<'_>, candidates: Vec<Candidate>) -> Vec<Candidate> {
        let own = Name::new(initializer.name);
        let name = |candidate: &Candidate| self.index.tensors[candidate.tensor].name;
        let likeness = |candidate: &Candidate| {
            let tensor = &self.index.tensors[candidate.tensor];
            (tensor.name == initializer.name, tensor.parsed.likeness(&own))
        };
        let mut distinct: Vec<Candidate> = Vec::new();
        for candidate in candidates {
            let twin = distinct
                .iter_mut()
                .find(|other| leftovers::always_same(self.index, self.elsewhere, name(&candidate), name(other)));
            match twin {
                Some(other) if likeness(&candidate) > likeness(other) => *other = candidate,
                Some(_) => {}
                None => distinct.push(candidate),
            }
        }
        distinct
    }

    /// The tensors that nothing takes whole, and that so may be cut up or folded.
    pub(super) fn free(&self) -> Vec<(usize, &Known<'w>)> {
        let whole = |recipe: &Recipe| match recipe {
            Recipe::Tensor(piece) if piece.slice.is_none() => vec![piece.name.clone()],
            Recipe::Scaled(_) | Recipe::Folded(_) => owned(recipe),
            Recipe::Tensor(_) | Recipe::Joined(_) => Vec::new(),
        };
        let mut taken: BTreeSet<String> = self.feeds.values().flat_map(|feed| whole(&feed.recipe)).collect();
        let split = self.splits.iter().flat_map(|(_, choices)| choices);
        taken.extend(split.map(|choice| self.index.tensors[choice.candidate.tensor].name.to_owned()));
        let free = self.index.tensors.iter().enumerate();
        free.filter(|(_, tensor)| tensor.values.kind().is_float() && !taken.contains(tensor.name)).collect()
    }

    fn by_parts<'m>(&mut self, open: Vec<Initializer<'m>>) -> Vec<Initializer<'m>> {
        let mut left = Vec::new();
        for initializer in open {
            let values = initializer.values().filter(|_| initializer.kind.is_float() && initializer.len() > 1);
            match values.and_then(|values| pieces::find(&values, &initializer.shape, &self.free())) {
                Some(recipe) => self.feed(&initializer, recipe, Evidence::Value, 0.0),
                None => left.push(initializer),
            }
        }
        left
    }

    /// Sets single numbers and integers that equal nothing aside; they are the graph's own.
    fn constant<'m>(&mut self, open: Vec<Initializer<'m>>) -> Vec<Initializer<'m>> {
        let mut left = Vec::new();
        for initializer in open {
            if !initializer.kind.is_float() {
                self.constants.push((initializer.name.to_owned(), "whole numbers: shapes, places, masks"));
            } else if initializer.len() <= 1 {
                self.constants
                    .push((initializer.name.to_owned(), "a single number that no tensor of its module holds"));
            } else {
                left.push(initializer);
            }
        }
        left
    }

    pub(super) fn feed(&mut self, initializer: &Initializer<'_>, recipe: Recipe, evidence: Evidence, difference: f64) {
        let feed = Feed {
            initializer: initializer.name.to_owned(),
            shape: initializer.shape.clone(),
            kind: initializer.kind,
            recipe,
            evidence,
            rounded: None,
            largest_difference: Some(difference),
        };
        self.feeds.insert(feed.initializer.clone(), feed);
    }
}

fn owned(recipe: &Recipe) -> Vec<String> {
    recipe.tensors().into_iter().map(str::to_owned).collect()
}

fn feed_of(choice: &Choice, index: &Index<'_>, blank: &Feed) -> Feed {
    let tensor = &index.tensors[choice.candidate.tensor];
    let compared = choice.candidate.compared;
    Feed {
        recipe: Recipe::Tensor(choice.candidate.pieces[0].clone()),
        evidence: choice.evidence,
        rounded: (compared != blank.kind).then_some(compared),
        largest_difference: Some(if tensor.values.kind() == blank.kind || compared == blank.kind {
            0.0
        } else {
            f64::NAN
        })
        .filter(|difference| !difference.is_nan()),
        ..blank.clone()
    }
}
