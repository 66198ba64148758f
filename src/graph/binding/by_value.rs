//! Equal values, in any layout: what is certain, and what is a tie.

use std::collections::{BTreeMap, BTreeSet};

use super::index::Candidate;
use super::names::Name;
use super::recipe::Recipe;
use super::search::{Search, feed_of, owned};
use super::ties::{Choice, Slot, Ties};
use super::{Evidence, Feed, leftovers, orientation};
use crate::graph::Initializer;

/// Integers of at least this many values are looked for by value alone; fewer are shapes and the like.
const FEWEST_INTEGERS: usize = 16;

impl Search<'_, '_> {
    /// Equal values in any layout; returns the initializers that equal nothing, or nothing that fits.
    pub(super) fn by_value<'m>(&mut self, open: Vec<Initializer<'m>>) -> Vec<Initializer<'m>> {
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
        let blank = Feed::new(initializer, Recipe::whole(initializer.name), Evidence::Value, None);
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
}
