//! Which fold explains an initializer: those that reproduce its value, judged by what belongs together.

use super::Evidence;
use super::folds::{self, Fit};
use super::index::Known;
use super::names::{Name, Role};
use super::norm::{Folded, Part};
use super::recipe::Recipe;
use super::search::Search;
use crate::graph::Initializer;

impl<'w> Search<'_, 'w> {
    /// Normalizations first, then the biases that they were folded into, and bare numbers last: a bare
    /// number also explains a normalization that has not learned anything yet.
    pub(super) fn by_folds<'m>(&mut self, open: Vec<Initializer<'m>>) -> Vec<Initializer<'m>> {
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
            // Each tensor is worth what stands beside it, not that it is there.
            let others =
                |at: usize| names.iter().enumerate().filter(move |(place, _)| *place != at).map(|(_, name)| name);
            let pairs = (0..names.len()).filter(|&at| others(at).any(|other| names[at].beside(other))).count();
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
}
