//! Estimates from the neighbors that each side counts, where they differ in the counts and in one term a sample only.

use std::num::NonZeroUsize;

use rayon::prelude::*;

use super::kept::Kept;
use super::pairs::{Counts, Near, Sides, enough};
use super::{Several, checks, mean_of_terms};
use crate::estimate::digamma::digamma_table;
use crate::estimate::neighbors::Counter;
use crate::estimate::{Estimate, EstimateError, Paired};

/// One term a sample, whose mean is the estimate, of ψ at whole numbers, the counts and k.
pub(super) type Terms = fn(&[f64], &Counts, usize) -> Vec<f64>;

/// An estimate for each k.
pub(super) fn estimates(
    (samples, kept): (Paired<'_>, &Kept),
    neighbors: &Several<NonZeroUsize>,
    (near, terms): (Near, Terms),
) -> Result<Vec<Estimate>, EstimateError> {
    let (n, ks) = (samples.len(), neighbors.as_slice());
    enough(n, neighbors.largest())?;
    if checks::is_constant(samples.x()) || checks::is_constant(samples.y()) {
        return Ok(vec![Estimate::constant(n); ks.len()]);
    }
    let psi = digamma_table(n);
    let sides = Sides::new(samples, kept.counter(samples.x())?);
    let estimates = sides.counts(ks, near, None).into_iter().zip(ks).map(|(counts, k)| {
        let mut estimate = mean_of_terms(&terms(&psi, &counts, k.get()));
        checks::flag_neighbors(&mut estimate, &counts.radii, samples.x().ncols() + samples.y().ncols());
        checks::flag_pairs(&mut estimate, samples);
        estimate
    });
    Ok(estimates.collect())
}

/// The values with y in other orders: for each order, one for each k.
pub(super) fn shuffled(
    samples: Paired<'_>,
    neighbors: &Several<NonZeroUsize>,
    (near, terms): (Near, Terms),
    orders: &[Vec<usize>],
) -> Result<Vec<Vec<f64>>, EstimateError> {
    let ks = neighbors.as_slice();
    enough(samples.len(), neighbors.largest())?;
    let x = Counter::new(samples.x());
    let (sides, psi) = (Sides::new(samples, &x), digamma_table(samples.len()));
    let values = |order: &Vec<usize>| {
        let counts = sides.counts(ks, near, Some(order)).into_iter().zip(ks);
        counts.map(|(counts, k)| mean_of_terms(&terms(&psi, &counts, k.get())).value).collect()
    };
    Ok(orders.par_iter().map(values).collect())
}
