//! The layers that a unit replays: those that it measures, and those that measures hold them against.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::inputs::INPUT;
use super::readings::{Layer, given};
use super::{LayerTypicality, Measure, Plan, Reconstruction};
use crate::estimate::finite;
use crate::replay::Activations;

/// What a unit replayed, found by the place of a tap in the plan.
#[derive(Debug)]
pub(super) struct Layers<'p> {
    places: Vec<usize>,
    values: &'p [Activations],
    /// Whether each of them holds numbers only.
    valid: Vec<Result<(), String>>,
}

impl<'p> Layers<'p> {
    /// Takes what was replayed of the taps at some places of the plan, in their order.
    pub(super) fn new(places: Vec<usize>, values: &'p [Activations]) -> Self {
        let check = |tap: &Activations| finite("activations", tap.values.view()).map_err(|error| error.to_string());
        Self { places, values, valid: values.par_iter().map(check).collect() }
    }

    fn at(&self, tap: usize) -> usize {
        self.places.binary_search(&tap).expect("the unit replayed what its measures need")
    }

    /// A tap as it was replayed.
    pub(super) fn get(&self, tap: usize) -> &'p Activations {
        &self.values[self.at(tap)]
    }

    /// Its values, one row a sample.
    pub(super) fn values(&self, tap: usize) -> ArrayView2<'p, f32> {
        self.get(tap).values.view()
    }

    /// What is wrong with them.
    pub(super) fn valid(&self, tap: usize) -> Result<(), String> {
        self.valid[self.at(tap)].clone()
    }
}

impl Plan {
    /// The places of the taps that measuring some of them takes, in graph order.
    pub(super) fn replayed_taps(&self, measured: Range<usize>) -> Vec<usize> {
        let mut places: Vec<usize> = measured.chain(self.compared_taps()).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// The taps that other taps are held against.
    fn compared_taps(&self) -> impl Iterator<Item = usize> {
        let measures = self.populations().flat_map(|population| &population.pipeline.estimate.measures);
        measures.filter_map(|measure| match measure {
            Measure::Usable(usable) => match given(self, usable.given.as_deref()?) {
                Layer::Tap(tap) => Some(tap),
                Layer::Input(_) => None,
            },
            Measure::Reconstruction(Reconstruction { of, .. }) | Measure::Typicality(LayerTypicality { of, .. })
                if of != INPUT =>
            {
                self.taps.iter().position(|tap| tap.name == *of)
            }
            _ => None,
        })
    }
}
