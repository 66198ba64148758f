//! Ties: several tensors with one value, and which of them is meant.
//!
//! Zero biases, norms of ones, and whole initial checkpoints say nothing by their values. A tie is
//! broken by the exact name, by the module (of a neighbor that is bound, or as the exporter recorded
//! it), by likeness of names, and at last by order; how is part of the evidence.

use std::collections::BTreeMap;

use super::Evidence;
use super::index::{Candidate, Index};
use super::names::Name;
use super::wiring::Wiring;
use crate::graph::Use;

/// Some uses of an initializer that one tensor must feed.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub initializer: String,
    pub uses: Vec<Use>,
    /// Whether other slots use the same initializer, so that its name may be another tensor's.
    pub is_shared: bool,
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
    /// The tensors that feed each initializer so far.
    pub bound: BTreeMap<String, Vec<String>>,
    pub choices: Vec<Choice>,
}

/// Chooses one of a slot's candidates, by place, if it can.
type Way<T> = fn(&T, &Slot) -> Option<(usize, Evidence)>;

impl Ties<'_, '_> {
    /// Chooses a candidate for every slot that has one; returns the slots without a choice.
    pub(super) fn settle(&mut self, slots: Vec<Slot>) -> Vec<Slot> {
        let mut pending = slots;
        let ways: [Way<Self>; 3] = [Self::by_value, Self::by_module, Self::by_likeness];
        'again: loop {
            for way in ways {
                let before = pending.len();
                pending = self.round(pending, way);
                // The surest way is tried again after each success of a less sure one.
                if pending.len() < before {
                    continue 'again;
                }
            }
            if !self.by_elimination(&mut pending) {
                break;
            }
        }
        self.by_order(pending)
    }

    fn round(&mut self, pending: Vec<Slot>, way: Way<Self>) -> Vec<Slot> {
        let mut left = Vec::new();
        for slot in pending {
            match way(self, &slot) {
                Some((place, evidence)) => self.choose(slot, place, evidence),
                None => left.push(slot),
            }
        }
        left
    }

    fn choose(&mut self, slot: Slot, place: usize, evidence: Evidence) {
        let candidate = slot.candidates[place].clone();
        let tensor = self.index.tensors[candidate.tensor].name.to_owned();
        self.bound.entry(slot.initializer.clone()).or_default().push(tensor);
        self.choices.push(Choice { slot, candidate, evidence });
    }

    /// The only tensor with this value, or the one of the same name.
    fn by_value(&self, slot: &Slot) -> Option<(usize, Evidence)> {
        let named = slot.candidates.iter().position(|candidate| self.tensor(candidate).name == slot.initializer);
        match (named, &slot.candidates[..]) {
            (Some(place), _) if !slot.is_shared => Some((place, Evidence::NameAndValue)),
            // Zeros are found everywhere: a lone tensor of zeros need not be the one meant.
            (_, [only]) if !self.tensor(only).is_constant => Some((0, Evidence::Value)),
            _ => None,
        }
    }

    /// The tensor in the module of a neighbor, or of the node.
    fn by_module(&self, slot: &Slot) -> Option<(usize, Evidence)> {
        let beside: Vec<Name> = slot
            .uses
            .iter()
            .flat_map(|&place| self.wiring.neighbors(place))
            .filter(|name| *name != slot.initializer)
            .filter_map(|name| self.bound.get(name))
            .flatten()
            .map(|tensor| Name::new(tensor))
            .collect();
        let modules: Vec<&str> = slot.uses.iter().filter_map(|&place| self.wiring.module(place)).collect();
        let fitting = |wanted: &dyn Fn(&Name) -> bool| {
            let mut places = self.free(slot).filter(|&place| wanted(&self.tensor(&slot.candidates[place]).parsed));
            places.next().filter(|_| places.next().is_none())
        };
        let neighbor = (!beside.is_empty()).then(|| fitting(&|name| beside.iter().any(|other| name.beside(other))));
        // A copy such as `ema.fc` lies in a module `fc`, too: the very path comes first.
        let exact = || fitting(&|name| modules.iter().any(|module| name.is_in(module)));
        let within = || fitting(&|name| modules.iter().any(|module| name.lies_in(module)));
        neighbor.flatten().or_else(exact).or_else(within).map(|place| (place, Evidence::TieByModule))
    }

    /// The tensor whose name is most like the initializer's.
    fn by_likeness(&self, slot: &Slot) -> Option<(usize, Evidence)> {
        let name = Name::new(&slot.initializer);
        let mut best: Option<(usize, usize)> = None;
        let mut is_tied = false;
        for place in self.free(slot) {
            let likeness = self.tensor(&slot.candidates[place]).parsed.likeness(&name);
            match best {
                Some((most, _)) if likeness < most => {}
                Some((most, _)) if likeness == most => is_tied = true,
                _ => (best, is_tied) = (Some((likeness, place)), false),
            }
        }
        best.filter(|&(likeness, _)| likeness > 0 && !is_tied).map(|(_, place)| (place, Evidence::TieByName))
    }

    /// As many slots as free tensors, one of each: the last ones belong together.
    fn by_elimination(&mut self, pending: &mut Vec<Slot>) -> bool {
        for at in 0..pending.len() {
            let free: Vec<usize> = self.free(&pending[at]).collect();
            let [place] = free[..] else { continue };
            let tensor = pending[at].candidates[place].tensor;
            let rivals = pending
                .iter()
                .filter(|slot| slot.candidates.iter().any(|candidate| candidate.tensor == tensor))
                .count();
            // A lone tensor of zeros that was never tied is no proof by itself.
            if rivals == 1 && pending[at].candidates.len() > 1 {
                let slot = pending.remove(at);
                self.choose(slot, place, Evidence::TieByModule);
                return true;
            }
        }
        false
    }

    /// What is left: the first free tensor in the order of names for the first use in the graph.
    fn by_order(&mut self, mut pending: Vec<Slot>) -> Vec<Slot> {
        pending.sort_by_key(|slot| slot.uses.iter().map(|place| (place.node, place.input)).min());
        let mut left = Vec::new();
        for slot in pending {
            let mut free: Vec<usize> = self.free(&slot).collect();
            free.sort_by_key(|&place| natural(self.tensor(&slot.candidates[place]).name));
            match free.first() {
                Some(&place) => self.choose(slot, place, Evidence::TieByOrder),
                None => left.push(slot),
            }
        }
        left
    }

    /// The candidates that fit the operator's use of them and feed no other initializer yet.
    fn free<'s>(&'s self, slot: &'s Slot) -> impl Iterator<Item = usize> + 's {
        let roles: Vec<_> = slot.uses.iter().filter_map(|&place| self.wiring.role(place)).collect();
        (0..slot.candidates.len()).filter(move |&place| {
            let tensor = self.tensor(&slot.candidates[place]);
            let fits = roles.is_empty() || tensor.parsed.role.is_none_or(|role| roles.contains(&role));
            fits && !self.bound.values().flatten().any(|taken| taken == tensor.name)
        })
    }

    fn tensor(&self, candidate: &Candidate) -> &super::index::Known<'_> {
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
