//! Ties: several tensors with one value, and which of them is meant.
//!
//! Zero biases, norms of ones, and whole initial checkpoints say nothing by their values. A tie is
//! broken by what the sure bindings show: the module of a weight beside it, the module that the
//! exporter recorded, or the name, the last two only if they are right about every weight whose value
//! tells. Everything else is a guess, and is called one.

use std::collections::BTreeMap;

use super::Evidence;
use super::index::{Candidate, Index, Known};
use super::names::Name;
use super::wiring::Wiring;
use crate::graph::Use;

/// Some uses of an initializer that one tensor must feed.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub initializer: String,
    pub uses: Vec<Use>,
    /// Whether it is the only slot of its initializer, so that its name speaks for it.
    pub is_whole: bool,
    /// Whether a guess is better than to take it for a constant of the graph.
    pub may_guess: bool,
    pub candidates: Vec<Candidate>,
}

/// A slot and the candidate that was chosen for it.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub slot: Slot,
    pub candidate: Candidate,
    pub evidence: Evidence,
}

/// What is known while ties are broken.
pub(super) struct Ties<'a, 'w> {
    pub index: &'a Index<'w>,
    pub wiring: &'a Wiring,
    /// The tensors that feed each initializer for sure.
    pub sure: BTreeMap<String, Vec<String>>,
    /// The tensors that feed something, by a guess or for sure.
    pub taken: Vec<String>,
    pub choices: Vec<Choice>,
}

/// Whether names and recorded modules are right wherever values tell.
#[derive(Clone, Copy, Debug, Default)]
struct Trust {
    names: bool,
    modules: bool,
}

impl Ties<'_, '_> {
    /// Chooses the only tensor that a slot can mean, whose value no other would have by chance.
    pub(super) fn take(&mut self, slot: Slot, evidence: Evidence) {
        self.choose(slot, 0, evidence);
    }

    /// Chooses a candidate for every slot that has one that fits; returns the slots without a choice.
    pub(super) fn settle(&mut self, slots: Vec<Slot>) -> Vec<Slot> {
        let trust = self.trust();
        let mut pending = slots;
        loop {
            let before = pending.len();
            pending =
                self.round(pending, |ties, slot| ties.by_neighbor(slot).map(|place| (place, Evidence::TieByModule)));
            if pending.len() == before {
                let settled = self.choices.len();
                pending = self.round(pending, |ties, slot| ties.by_trust(slot, trust));
                self.doubt_crowds(settled);
            }
            if pending.len() == before {
                break;
            }
        }
        pending.sort_by_key(|slot| slot.uses.iter().min().copied());
        self.round(pending, |ties, slot| {
            let guess = slot.may_guess.then(|| ties.guess(slot)).flatten();
            guess.map(|place| (place, Evidence::Guessed))
        })
    }

    fn round(&mut self, pending: Vec<Slot>, way: impl Fn(&Self, &Slot) -> Option<(usize, Evidence)>) -> Vec<Slot> {
        let mut left = Vec::new();
        for slot in pending {
            match way(self, &slot) {
                Some((place, evidence)) => self.choose(slot, place, evidence),
                None => left.push(slot),
            }
        }
        left
    }

    /// Two uses in one module of the value of one tensor: one of them may be a constant that is merged with it.
    fn doubt_crowds(&mut self, from: usize) {
        let crowds = |choice: &Choice| {
            let is_same = |other: &&Choice| other.candidate.tensor == choice.candidate.tensor;
            choice.evidence == Evidence::TieByModule && self.choices.iter().filter(is_same).count() > 1
        };
        let crowded: Vec<usize> = (from..self.choices.len()).filter(|&at| crowds(&self.choices[at])).collect();
        for at in crowded {
            self.choices[at].evidence = Evidence::Guessed;
        }
    }

    fn choose(&mut self, slot: Slot, place: usize, evidence: Evidence) {
        let candidate = slot.candidates[place].clone();
        let tensor = self.tensor(&candidate).name.to_owned();
        if !evidence.is_guess() {
            self.sure.entry(slot.initializer.clone()).or_default().push(tensor.clone());
        }
        self.taken.push(tensor);
        self.choices.push(Choice { slot, candidate, evidence });
    }

    /// Compares names and recorded modules with every choice that a value settled.
    fn trust(&self) -> Trust {
        let (mut right, mut wrong) = ([0, 0], [0, 0]);
        let tensors = &self.index.tensors;
        for choice in self.choices.iter().filter(|choice| !self.tensor(&choice.candidate).is_constant) {
            let tensor = self.tensor(&choice.candidate);
            let name = Name::new(&choice.slot.initializer);
            let is_named = |other: &Known<'_>| other.name == choice.slot.initializer || other.parsed.means(&name);
            right[0] += usize::from(is_named(tensor));
            wrong[0] += usize::from(!is_named(tensor) && tensors.iter().any(is_named));
            for module in choice.slot.uses.iter().filter_map(|&place| self.wiring.module(place)) {
                right[1] += usize::from(tensor.parsed.lies_in(module));
                let other = tensors.iter().any(|other| other.parsed.is_in(module));
                wrong[1] += usize::from(!tensor.parsed.lies_in(module) && other);
            }
        }
        Trust { names: right[0] > 0 && wrong[0] == 0, modules: right[1] > 0 && wrong[1] == 0 }
    }

    /// The tensor in the module of the weight beside it, whether it feeds something else or not: a
    /// module that is used twice has its bias twice.
    fn by_neighbor(&self, slot: &Slot) -> Option<usize> {
        let beside = slot.uses.iter().flat_map(|&place| self.wiring.neighbors(place));
        let beside = beside.filter(|name| *name != slot.initializer).filter_map(|name| self.sure.get(name)).flatten();
        let beside: Vec<Name> = beside.map(|tensor| Name::new(tensor)).collect();
        self.only(slot, |tensor| beside.iter().any(|other| tensor.parsed.beside(other)))
    }

    fn by_trust(&self, slot: &Slot, trust: Trust) -> Option<(usize, Evidence)> {
        let name = Name::new(&slot.initializer);
        if trust.names && slot.is_whole {
            if let Some(place) = self.only(slot, |tensor| tensor.name == slot.initializer) {
                return Some((place, Evidence::NameAndValue));
            }
            if let Some(place) = self.only(slot, |tensor| tensor.parsed.means(&name)) {
                return Some((place, Evidence::TieByName));
            }
        }
        if !trust.modules {
            return None;
        }
        let modules: Vec<&str> = slot.uses.iter().filter_map(|&place| self.wiring.module(place)).collect();
        // A copy such as `ema.fc` lies in a module `fc`, too: the very path comes first.
        let exact = self.only(slot, |tensor| modules.iter().any(|module| tensor.parsed.is_in(module)));
        let within = || self.only(slot, |tensor| modules.iter().any(|module| tensor.parsed.lies_in(module)));
        exact.or_else(within).map(|place| (place, Evidence::TieByModule))
    }

    /// The candidate of the likest name, those that feed nothing yet first, then in the order of names.
    fn guess(&self, slot: &Slot) -> Option<usize> {
        let name = Name::new(&slot.initializer);
        let modules: Vec<&str> = slot.uses.iter().filter_map(|&place| self.wiring.module(place)).collect();
        self.fitting(slot).min_by_key(|&place| {
            let tensor = self.tensor(&slot.candidates[place]);
            let is_taken = self.taken.iter().any(|taken| taken == tensor.name);
            let placed = modules.iter().any(|module| tensor.parsed.lies_in(module));
            let named = tensor.name == slot.initializer;
            (!named, !placed, is_taken, usize::MAX - tensor.parsed.likeness(&name), natural(tensor.name))
        })
    }

    /// The only candidate that fits the operator's use of it and a condition.
    fn only(&self, slot: &Slot, wanted: impl Fn(&Known<'_>) -> bool) -> Option<usize> {
        let mut places = self.fitting(slot).filter(|&place| wanted(self.tensor(&slot.candidates[place])));
        places.next().filter(|_| places.next().is_none())
    }

    /// The candidates that fit the operator's use of them.
    fn fitting<'s>(&'s self, slot: &'s Slot) -> impl Iterator<Item = usize> + 's {
        let roles: Vec<_> = slot.uses.iter().filter_map(|&place| self.wiring.role(place)).collect();
        (0..slot.candidates.len()).filter(move |&place| {
            let role = self.tensor(&slot.candidates[place]).parsed.role;
            roles.is_empty() || role.is_none_or(|role| roles.contains(&role))
        })
    }

    fn tensor(&self, candidate: &Candidate) -> &Known<'_> {
        &self.index.tensors[candidate.tensor]
    }
}

/// A key that sorts `layers.2` before `layers.10`.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut key = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest[text..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |end| text + end);
        key.push((rest[..text].to_owned(), rest[text..digits].parse().unwrap_or(0)));
        rest = &rest[digits..];
    }
    key
}
