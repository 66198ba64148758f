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
use super::index::{Candidate, Index, Known};
use super::layout::Slice;
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
    elsewhere: &Elsewhere,
) -> Result<Binding, GraphError> {
    let unbound = |reason: String| GraphError::Unbound { checkpoint: reference.to_owned(), reason };
    let constants = NamePattern::all(&bind.constants)?;
    let allowed = NamePattern::all(&bind.unused)?;
    let rules = rules::Compiled::new(&bind.rules)?;
    rules::inputs_to_weights(model, &rules, weights)?;
    rules.prepare(model, weights)?;
    let kinds: BTreeSet<Kind> = model.initializers().iter().map(|initializer| initializer.kind).collect();
    let index = Index::new(weights, &kinds, &allowed)?;
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
    if let Some(feed) = search.feeds.values().find_map(|feed| complete::misnamed(feed, &index)) {
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
    complete::complete(model, feeds, constants, allowed, (reference, weights, elsewhere), &index)
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
    weights: &'a Weights,
    elsewhere: &'a Elsewhere,
    pub(super) feeds: BTreeMap<String, Feed>,
    constants: Vec<(String, &'static str)>,
    /// Initializers whose uses need different tensors.
    splits: Vec<(Feed, Vec<Choice>)>,
}

impl<'w> Search<'_, 'w> {
    /// Equal values in any layout; returns the initializers that equal nothing, or nothing that fits.
    fn by_value<'m>(&mut self, open: Vec<Initializer<'m>>) -> Vec<Initializer<'m>> {
        let candidates: Vec<Vec<Candidate>> =
            open.iter().map(|initializer| self.distinct(initializer, self.eligible(initializer))).collect();
        let mut claims: BTreeMap<usize, usize> = BTreeMap::new();
        for candidate in candidates.iter().flatten() {
            *claims.entry(candidate.tensor).or_default() += 1;
        }
        let sure = self.feeds.iter().map(|(name, feed)| (name.clone(), owned(&feed.recipe))).collect();
        let taken = self.feeds.values().flat_map(|feed| owned(&feed.recipe)).collect();
        let mut ties = Ties { index: self.index, wiring: self.wiring, sure, taken, choices: Vec::new() };
        let mut slots = Vec::new();
        for (initializer, candidates) in open.iter().zip(candidates) {
            let uses = self.wiring.uses(initializer.name).to_vec();
            let may_guess = self.may_guess(initializer, &candidates);
            let slot = Slot { initializer: initializer.name.to_owned(), uses, is_whole: true, may_guess, candidates };
            match self.certain(&slot, &claims) {
                Some((place, evidence)) => {
                    ties.take(Slot { candidates: vec![slot.candidates[place].clone()], ..slot }, evidence);
                }
                // The exporter may have merged equal weights, or a weight and a constant: each use is a question of its own.
                None if slot.uses.len() > 1 => {
                    let uses = slot.uses.clone().into_iter();
                    slots.extend(uses.map(|place| Slot { uses: vec![place], is_whole: false, ..slot.clone() }));
                }
                None => slots.push(slot),
            }
        }
        slots.retain(|slot| !slot.candidates.is_empty());
        let unsettled: BTreeSet<String> = ties.settle(slots).into_iter().map(|slot| slot.initializer).collect();
        let shapes: BTreeMap<&str, &[usize]> = open.iter().map(|it| (it.name, &it.shape[..])).collect();
        orientation::settle(&mut ties.choices, &shapes, self.index, self.wiring);
        let mut chosen: BTreeMap<String, Vec<Choice>> = BTreeMap::new();
        for choice in ties.choices {
            chosen.entry(choice.slot.initializer.clone()).or_default().push(choice);
        }
        let mut left = Vec::new();
        for initializer in open {
            match chosen.remove(initializer.name).filter(|_| !unsettled.contains(initializer.name)) {
                Some(choices) => self.chosen(&initializer, choices),
                None => left.push(initializer),
            }
        }
        left
    }

    /// The candidate that nothing else can stand for: a value that training has made, or one of its own.
    fn certain(&self, slot: &Slot, claims: &BTreeMap<usize, usize>) -> Option<(usize, Evidence)> {
        let tensor = |candidate: &Candidate| &self.index.tensors[candidate.tensor];
        let named = slot.candidates.iter().position(|candidate| tensor(candidate).name == slot.initializer);
        let place = named.or((slot.candidates.len() == 1).then_some(0))?;
        let candidate = &slot.candidates[place];
        let evidence = if named.is_some() { Evidence::NameAndValue } else { Evidence::Value };
        let is_lone = slot.candidates.len() == 1 && claims[&candidate.tensor] == 1;
        let is_own = if tensor(candidate).is_constant {
            // Zeros are found everywhere: one initializer, one use and one tensor must go together.
            is_lone && slot.uses.len() == 1 && slot.may_guess
        } else {
            // A constant of the same initial value may have been merged with it.
            (named.is_some() || is_lone) && slot.uses.len() == 1
        };
        let is_trained = || {
            slot.candidates.len() == 1
                && self.elsewhere.is_trained(self.weights, tensor(candidate).name).unwrap_or(false)
        };
        (is_own || is_trained()).then_some((place, evidence))
    }

    /// Feeds an initializer, or keeps in mind that its uses need different tensors.
    fn chosen(&mut self, initializer: &Initializer<'_>, choices: Vec<Choice>) {
        let blank = Feed {
            initializer: initializer.name.to_owned(),
            shape: initializer.shape.clone(),
            kind: initializer.kind,
            recipe: Recipe::whole(initializer.name),
            evidence: Evidence::Value,
            rounded: None,
            largest_difference: None,
        };
        let same = |choice: &Choice| {
            choice.candidate.tensor == choices[0].candidate.tensor
                && choice.candidate.pieces == choices[0].candidate.pieces
        };
        if choices.iter().all(same) {
            // The weakest evidence counts.
            let weakest = choices.iter().find(|choice| choice.evidence.is_guess()).unwrap_or(&choices[0]);
            self.feeds.insert(initializer.name.to_owned(), feed_of(weakest, &blank));
        } else {
            self.splits.push((blank, choices));
        }
    }

    /// The tensors that an initializer may equal; a few integers are shapes and the like.
    fn eligible(&self, initializer: &Initializer<'_>) -> Vec<Candidate> {
        let mut candidates = self.index.candidates(initializer);
        if !initializer.kind.is_float() && initializer.len() < FEWEST_INTEGERS {
            let own = Name::new(initializer.name);
            candidates.retain(|candidate| {
                let tensor = &self.index.tensors[candidate.tensor];
                tensor.name == initializer.name || tensor.parsed.means(&own)
            });
        }
        candidates
    }

    /// Whether a guess may be made: of a single number only where the name or the module speaks for it.
    fn may_guess(&self, initializer: &Initializer<'_>, candidates: &[Candidate]) -> bool {
        let own = Name::new(initializer.name);
        let uses = self.wiring.uses(initializer.name).iter();
        let modules: Vec<&str> = uses.filter_map(|&place| self.wiring.module(place)).collect();
        initializer.len() > 1
            || candidates.iter().any(|candidate| {
                let tensor = &self.index.tensors[candidate.tensor];
                tensor.name == initializer.name
                    || tensor.parsed.means(&own)
                    || modules.iter().any(|module| tensor.parsed.lies_in(module))
            })
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

fn feed_of(choice: &Choice, blank: &Feed) -> Feed {
    let compared = choice.candidate.compared;
    Feed {
        recipe: Recipe::Tensor(choice.candidate.pieces[0].clone()),
        evidence: choice.evidence,
        rounded: (compared != blank.kind).then_some(compared),
        largest_difference: (compared == blank.kind).then_some(0.0),
        ..blank.clone()
    }
}
