//! The neighbors of pairs (x, y), and how many points lie as near in each side: what all estimators of the family of
//! Kraskov, Stögbauer and Grassberger count.

use std::num::NonZeroUsize;

use ndarray::{Array2, ArrayView2, Axis, concatenate};

use crate::estimate::neighbors::{Counter, Neighbors};
use crate::estimate::{EstimateError, Paired};

/// Both sides, sorted for counting once: also while y is shuffled against x.
pub(super) struct Sides<'a, 'x> {
    samples: Paired<'a>,
    x: &'x Counter,
    y: Counter,
}

/// For one k: each pair's distance to its k-th neighbor, and the number of others near it in x and in y.
pub(super) struct Counts {
    /// The distances in the joint space.
    pub(super) radii: Vec<f64>,
    /// The numbers of other samples near in x.
    pub(super) x: Vec<usize>,
    /// The numbers of other samples near in y, of the same pairs.
    pub(super) y: Vec<usize>,
}

/// Within which distance samples of one side count.
#[derive(Clone, Copy)]
pub(super) enum Near {
    /// Nearer than the k-th neighbor is in the joint space.
    Below,
    /// As near as the farthest of the k neighbors is in that side.
    Extents,
}

impl<'a, 'x> Sides<'a, 'x> {
    /// Of samples whose x is sorted already.
    pub(super) fn new(samples: Paired<'a>, x: &'x Counter) -> Self {
        Self { samples, x, y: Counter::new(samples.y()) }
    }

    /// The counts for each k, where row i of x goes with row `order[i]` of y.
    pub(super) fn counts(&self, ks: &[NonZeroUsize], near: Near, order: Option<&[usize]>) -> Vec<Counts> {
        let joint = Neighbors::new(joined(self.samples, order).view());
        let radii = joint.kth_distances_each(ks);
        let (x, mut y) = match near {
            Near::Below => {
                let of_y: Vec<Vec<f64>> = radii.iter().map(|radii| moved(radii, order)).collect();
                (self.x.counts_below_each(&slices(&radii)), self.y.counts_below_each(&slices(&of_y)))
            }
            Near::Extents => {
                let n_first = self.samples.x().ncols();
                let (x, y): (Vec<_>, Vec<_>) = radii
                    .iter()
                    .map(|radii| joint.block_extents(n_first, radii))
                    .map(|(x, y)| (x, moved(&y, order)))
                    .unzip();
                (self.x.counts_within_each(&slices(&x)), self.y.counts_within_each(&slices(&y)))
            }
        };
        if let Some(order) = order {
            y = y.into_iter().map(|counts| order.iter().map(|&row| counts[row]).collect()).collect();
        }
        let counts = radii.into_iter().zip(x).zip(y);
        counts.map(|((radii, x), y)| Counts { radii, x, y }).collect()
    }

    /// How many other samples have the very coordinates of each one.
    pub(super) fn coinciding(&self, order: Option<&[usize]>) -> Coinciding {
        let zeros = vec![0.0; self.samples.len()];
        let y = self.y.counts_within(&zeros);
        Coinciding {
            joint: Counter::new(joined(self.samples, order).view()).counts_within(&zeros),
            x: self.x.counts_within(&zeros),
            y: order.map_or_else(|| y.clone(), |order| order.iter().map(|&row| y[row]).collect()),
        }
    }
}

/// How many other samples have the very coordinates of each one, in both sides together and in each.
pub(super) struct Coinciding {
    pub(super) joint: Vec<usize>,
    pub(super) x: Vec<usize>,
    pub(super) y: Vec<usize>,
}

fn slices(all: &[Vec<f64>]) -> Vec<&[f64]> {
    all.iter().map(Vec::as_slice).collect()
}

/// Numbers of pairs as numbers of the rows of y.
fn moved(of_pairs: &[f64], order: Option<&[usize]>) -> Vec<f64> {
    let Some(order) = order else { return of_pairs.to_vec() };
    let mut of_rows = vec![0.0; of_pairs.len()];
    for (&row, &number) in order.iter().zip(of_pairs) {
        of_rows[row] = number;
    }
    of_rows
}

/// Both sides' columns side by side, where row i of x goes with row `order[i]` of y.
pub(super) fn joined(samples: Paired<'_>, order: Option<&[usize]>) -> Array2<f64> {
    let side_by_side =
        |y: ArrayView2<'_, f64>| concatenate(Axis(1), &[samples.x(), y]).expect("both sides have one row a sample");
    match order {
        None => side_by_side(samples.y()),
        Some(order) => side_by_side(samples.y().select(Axis(0), order).view()),
    }
}

/// Checks that each sample has a k-th neighbor.
pub(super) fn enough(n: usize, k: usize) -> Result<(), EstimateError> {
    if k >= n { Err(EstimateError::TooFewSamples { found: n, needed: k }) } else { Ok(()) }
}
