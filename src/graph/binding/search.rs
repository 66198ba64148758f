//! Binding by value against the checkpoint that the graph was exported from.
//!
//! 1. What the pipeline file's rules say.
//! 2. Equal values, in any layout; ties broken by `ties`.
//! 3. Parts of tensors, end to end.
//! 4. Folds.
//! 5. What the exporter merged is split again, and what it dropped restored.
//! 6. What is left over on either side has a reason, or the binding is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::elsewhere::Elsewhere;
use super::index::{Index, Known};
use super::layout::Slice;
use super::names::Name;
use super::recipe::Recipe;
use super::rules::{self, Told};
use super::ties::Choice;
use super::wiring::Wiring;
use super::{Bind, Binding, Evidence, Feed, complete, pieces, restore};
use crate::archive::{ArchiveError, Kind, Weights};
use crate::graph::{GraphError, Initializer, Model};

pub(super) fn search(
    model: &mut Model,
    bind: &Bind,
    reference: &str,
    weights: &Weights,
    elsewhere: &Elsewhere,
) -> Result<Binding, GraphError> {
    let unbound = |reason: String| GraphError::Unbound { checkpoint: reference.to_owned(), reason };
    let Told { rules, constants, unused } = Told::new(bind, model, weights)?;
    let kinds: BTreeSet<Kind> = model.initializers().iter().map(|initializer| initializer.kind).collect();
    let index = Index::new(weights, &kinds, &unused)?;
    let wiring = Wiring::new(model);
    let mut search = Search {
        index: &index,
        wiring: &wiring,
        weights,
        elsewhere,
        feeds: BTreeMap::new(),
        constants: Vec::new(),
        splits: Vec::new(),
    };
    let mut open = Vec::new();
    for initializer in model.initializers() {
        if constants.iter().any(|pattern| pattern.is_match(initializer.name)) {
            search.constants.push((initializer.name.to_owned(), "the pipeline file says so"));
        } else if wiring.uses(initializer.name).is_empty() {
            search.constants.push((initializer.name.to_owned(), "no node uses it"));
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
        return Err(unbound(complete::unexplained(&index, weights, initializer, model)));
    }
    if let Some(feed) = search.feeds.values().find_map(|feed| complete::misnamed(feed, &index, model)) {
        return Err(unbound(feed));
    }
    let Search { mut feeds, constants, splits, .. } = search;
    for (initializer, choices) in splits {
        for choice in choices {
            let output = choice.slot.uses.first().and_then(|place| wiring.output(place.node)).unwrap_or_default();
            let name = rules::split_name(&initializer.initializer, output);
            let name = model.split(&initializer.initializer, &choice.slot.uses, &name);
            let feed = Feed { initializer: name.clone(), ..feed_of(&choice, &initializer) };
            feeds.insert(name, feed);
        }
    }
    restore::restore(model, &wiring, &index, weights, &mut feeds);
    complete::complete(model, feeds, constants, unused, (reference, weights, elsewhere), &index)
}

/// How many weights of the graph are in the checkpoint, by a value that no other would have by chance.
pub(super) fn resemblance(model: &Model, weights: &Weights) -> Result<usize, ArchiveError> {
    let initializers = model.initializers();
    let kinds: BTreeSet<Kind> = initializers.iter().map(|initializer| initializer.kind).collect();
    let index = Index::new(weights, &kinds, &[])?;
    let weights = initializers.iter().filter(|initializer| initializer.kind.is_float() && initializer.len() > 1);
    let found = weights.filter(|initializer| {
        let candidates = index.candidates(initializer);
        candidates.iter().any(|candidate| !index.tensors[candidate.tensor].is_constant)
    });
    Ok(found.count())
}

pub(super) struct Search<'a, 'w> {
    pub(super) index: &'a Index<'w>,
    pub(super) wiring: &'a Wiring,
    pub(super) weights: &'a Weights,
    pub(super) elsewhere: &'a Elsewhere,
    pub(super) feeds: BTreeMap<String, Feed>,
    constants: Vec<(String, &'static str)>,
    /// Initializers whose uses need different tensors.
    pub(super) splits: Vec<(Feed, Vec<Choice>)>,
}

impl<'w> Search<'_, 'w> {
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
        let mut rows = pieces::Rows::new(self.index);
        // Parts of trained weights first: they tell which parts of repeating values belong beside them.
        let left = self.parts(open, &mut rows, |found| !found.is_guess);
        self.parts(left, &mut rows, |_| true)
    }

    fn parts<'m>(
        &mut self,
        open: Vec<Initializer<'m>>,
        rows: &mut pieces::Rows<'_, 'w>,
        accepts: impl Fn(&pieces::Found) -> bool,
    ) -> Vec<Initializer<'m>> {
        let mut left = Vec::new();
        for initializer in open {
            let values = initializer.values().filter(|_| initializer.kind.is_float() && initializer.len() > 1);
            let beside = self.parts_beside(initializer.name);
            let free: BTreeSet<usize> = self.free().into_iter().map(|(place, _)| place).collect();
            let found = values.and_then(|values| rows.find(&values, &initializer.shape, &free, &beside));
            match found.filter(&accepts) {
                Some(found) => {
                    let evidence = if found.is_guess { Evidence::Guessed } else { Evidence::Value };
                    self.feed(&initializer, found.recipe, evidence, 0.0);
                }
                None => left.push(initializer),
            }
        }
        left
    }

    /// The parts of tensors that feed the weights beside an initializer.
    fn parts_beside(&self, initializer: &str) -> Vec<(Name, Slice)> {
        let neighbors = self.wiring.uses(initializer).iter().flat_map(|&place| self.wiring.neighbors(place));
        let feeds = neighbors.filter_map(|name| self.feeds.get(name));
        let slices = feeds.filter_map(|feed| match &feed.recipe {
            Recipe::Tensor(piece) if !feed.evidence.is_guess() => Some((Name::new(&piece.name), piece.slice?)),
            _ => None,
        });
        slices.collect()
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
        let feed = Feed::new(initializer, recipe, evidence, Some(difference));
        self.feeds.insert(feed.initializer.clone(), feed);
    }
}

pub(super) fn owned(recipe: &Recipe) -> Vec<String> {
    recipe.tensors().into_iter().map(str::to_owned).collect()
}

pub(super) fn feed_of(choice: &Choice, blank: &Feed) -> Feed {
    let compared = choice.candidate.compared;
    Feed {
        recipe: Recipe::Tensor(choice.candidate.pieces[0].clone()),
        evidence: choice.evidence,
        rounded: (compared != blank.kind).then_some(compared),
        largest_difference: (compared == blank.kind).then_some(0.0),
        ..blank.clone()
    }
}
