//! Binding by value against the checkpoint that the graph was exported from.
//!
//! 1. What the pipeline file's rules say.
//! 2. Equal values, in any layout; ties broken by `ties`.
//! 3. Parts of tensors, end to end.
//! 4. Folds.
//! 5. What the exporter merged is split again, and what it dropped restored.
//! 6. What is left over on either side has a reason, or the binding is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::folds::{self, Fit};
use super::index::{Candidate, Index, Known};
use super::leftovers::{self, Leftover};
use super::names::{Name, Role};
use super::norm::{Folded, Part};
use super::recipe::Recipe;
use super::rules;
use super::ties::{Choice, Slot, Ties};
use super::wiring::Wiring;
use super::{Bind, Binding, Evidence, Feed, advice, pieces, restore};
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
        return Err(unbound(search.unexplained(initializer, model.producer())));
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
    finish(model, feeds, constants, allowed, (reference, weights, elsewhere), &index)
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

struct Search<'a, 'w> {
    index: &'a Index<'w>,
    wiring: &'a Wiring,
    elsewhere: &'a [Weights],
    feeds: BTreeMap<String, Feed>,
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
    fn free(&self) -> Vec<(usize, &Known<'w>)> {
        let whole = |recipe: &Recipe| match recipe {
            Recipe::Tensor(piece) if piece.slice.is_none() => vec![piece.name.clone()],
            Recipe::Scaled(_) | Recipe::Folded(_) => owned(recipe),
            Recipe::Tensor(_) | Recipe::Joined(_) => Vec::new(),
        };
        let mut taken: BTreeSet<String> = self.feeds.values().flat_map(|feed| whole(&feed.recipe)).collect();
        let split = self.splits.iter().flat_map(|(_, choices)| choices);
        taken.extend(split.map(|choice| choice.candidate.piece.name.clone()));
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

    /// Normalizations first, then the biases that they were folded into, and bare numbers last: a bare
    /// number also explains a normalization that has not learned anything yet.
    fn by_folds<'m>(&mut self, open: Vec<Initializer<'m>>) -> Vec<Initializer<'m>> {
        let left = self.fold(open, |search, initializer| {
            let free = search.free_tensors();
            let values = initializer.values()?;
            let fits = folds::of_weight(&values, &initializer.shape, &free);
            Some(if fits.is_empty() { folds::of_factor(&values, &free) } else { fits })
        });
        let left = self.fold(left, |search, initializer| {
            let all: Vec<&Known<'_>> = search.index.tensors.iter().collect();
            let norms = search.norms_beside(initializer);
            Some(folds::of_bias(&initializer.values()?, &norms, &search.free_tensors(), &all))
        });
        self.fold(left, |search, initializer| {
            Some(folds::of_number(&initializer.values()?, &initializer.shape, &search.free_tensors()))
        })
    }

    fn free_tensors(&self) -> Vec<&Known<'w>> {
        self.free().into_iter().map(|(_, tensor)| tensor).collect()
    }

    fn fold<'m>(
        &mut self,
        open: Vec<Initializer<'m>>,
        fits: impl Fn(&Self, &Initializer<'m>) -> Option<Vec<Fit>>,
    ) -> Vec<Initializer<'m>> {
        let mut left = Vec::new();
        for initializer in open {
            let is_vector = initializer.kind.is_float() && initializer.len() > 1;
            let fits = if is_vector { fits(self, &initializer).unwrap_or_default() } else { Vec::new() };
            match self.best(&initializer, fits) {
                Some(fit) => self.feed(&initializer, fit.recipe, Evidence::Fold, fit.largest_difference),
                None => left.push(initializer),
            }
        }
        left
    }

    /// The folds of the neighbors, or all there are.
    fn norms_beside(&self, initializer: &Initializer<'_>) -> Vec<Folded> {
        let of = |name: &str| match self.feeds.get(name).map(|feed| &feed.recipe) {
            Some(Recipe::Folded(folded)) if !matches!(folded.part, Part::Bias { .. }) => Some(folded.clone()),
            _ => None,
        };
        let uses = self.wiring.uses(initializer.name).iter();
        let beside: Vec<Folded> = uses.flat_map(|&place| self.wiring.neighbors(place)).filter_map(of).collect();
        if beside.is_empty() { self.feeds.keys().filter_map(|name| of(name)).collect() } else { beside }
    }

    /// The fold whose tensors belong together best; none where two do so equally well.
    fn best(&self, initializer: &Initializer<'_>, fits: Vec<Fit>) -> Option<Fit> {
        let modules: Vec<&str> =
            self.wiring.uses(initializer.name).iter().filter_map(|&place| self.wiring.module(place)).collect();
        let score = |fit: &Fit| {
            let names: Vec<Name> = fit.recipe.tensors().into_iter().map(Name::new).collect();
            let together = names
                .iter()
                .filter(|name| names.iter().all(|other| other.role == Some(Role::Weight) || name.beside(other)))
                .count();
            let pairs = names.iter().flat_map(|a| names.iter().map(|b| usize::from(a.beside(b)))).sum::<usize>();
            let placed = names.iter().filter(|name| modules.iter().any(|module| name.lies_in(module))).count();
            let named = names.iter().filter(|name| name.means(&Name::new(initializer.name))).count();
            (pairs, placed + named, together)
        };
        let most = fits.iter().map(score).max()?;
        let mut best = fits.into_iter().filter(|fit| score(fit) == most);
        let first = best.next();
        // Equal fits of different tensors: nobody can tell which are meant.
        first.filter(|_| best.next().is_none())
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

    fn feed(&mut self, initializer: &Initializer<'_>, recipe: Recipe, evidence: Evidence, difference: f64) {
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

    /// What to say of an initializer that nothing explains.
    fn unexplained(&self, initializer: &Initializer<'_>, producer: &str) -> String {
        let export = advice::export(producer);
        let Some(own) = initializer.values() else {
            return format!(
                "initializer `{}`, shape {:?}: found no value in the graph to look for; needed one, or a rule in `[graph.bind]`; \
                 bind by name with `reference = \"none\"`",
                initializer.name, initializer.shape
            );
        };
        let named = self.index.place(initializer.name).map(|place| &self.index.tensors[place]);
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
}

fn owned(recipe: &Recipe) -> Vec<String> {
    recipe.tensors().into_iter().map(str::to_owned).collect()
}

fn feed_of(choice: &Choice, index: &Index<'_>, blank: &Feed) -> Feed {
    let tensor = &index.tensors[choice.candidate.tensor];
    let compared = choice.candidate.compared;
    Feed {
        recipe: Recipe::Tensor(choice.candidate.piece.clone()),
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

/// Puts the feeds in graph order, and gives every tensor that feeds nothing a reason, or refuses.
pub(super) fn finish(
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
