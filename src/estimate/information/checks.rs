//! What estimates of information are doubted for.

use ndarray::ArrayView2;

use crate::estimate::matrix::double;
use crate::estimate::{Estimate, Flag, Paired, columns};

/// More dimensions than this bias nearest-neighbor estimates low, by an amount that no sample size in use repairs.
const MAX_DIMENSIONS: usize = 12;

/// The fraction of samples at distance zero of their k-th neighbor that is worth a flag.
const MAX_TIED_FRACTION: f64 = 0.01;

/// Coordinates up to which the effective rank is computed.
const MAX_RANKED: usize = 64;

/// The ratio of the two sides' largest standard deviations beyond which one side hides the other.
const MAX_SCALE_RATIO: f64 = 10.0;

/// Whether no column changes from row to row.
#[expect(clippy::float_cmp, reason = "a constant repeats one number exactly")]
pub(super) fn is_constant(samples: ArrayView2<'_, f64>) -> bool {
    samples.columns().into_iter().all(|column| column.iter().all(|value| *value == column[0]))
}

/// Flags what any estimate from k-th neighbor distances should be doubted for.
pub(super) fn flag_neighbors(estimate: &mut Estimate, kth_distances: &[f64], n_dimensions: usize) {
    let n_tied = kth_distances.iter().filter(|&&distance| distance == 0.0).count();
    let tied_fraction = n_tied as f64 / kth_distances.len() as f64;
    estimate.detail("tied_fraction", tied_fraction);
    if tied_fraction > MAX_TIED_FRACTION {
        estimate.flag(Flag::Ties);
    }
    flag_dimensions(estimate, n_dimensions);
    flag_negative(estimate);
}

/// Flags more dimensions than neighbors can tell.
pub(super) fn flag_dimensions(estimate: &mut Estimate, n_dimensions: usize) {
    if n_dimensions > MAX_DIMENSIONS {
        estimate.flag(Flag::HighDimension);
    }
}

/// Flags a value below zero, which no information is.
pub(super) fn flag_negative(estimate: &mut Estimate) {
    if estimate.value < 0.0 {
        estimate.flag(Flag::Negative);
    }
}

/// Flags a value that as many samples can hardly show more than.
pub(super) fn flag_ceiling(estimate: &mut Estimate) {
    if estimate.value > (estimate.n_samples as f64).ln() - 1.0 {
        estimate.flag(Flag::NearCeiling);
    }
}

/// Flags what pairs of continuous variables show before any estimate: unlike scales, constant units, dependent units.
pub(super) fn flag_pairs(estimate: &mut Estimate, samples: Paired<'_>) {
    flag_ceiling(estimate);
    let mut scales = Vec::new();
    for (name, side) in [("effective_rank_x", samples.x()), ("effective_rank_y", samples.y())] {
        let spread = Spread::of(side);
        if let Some(rank) = spread.effective_rank {
            estimate.detail(name, rank);
        }
        if spread.constant > 0 {
            estimate.flag(Flag::ConstantUnits);
        }
        scales.push(spread.largest);
    }
    if scales[0].max(scales[1]) > MAX_SCALE_RATIO * scales[0].min(scales[1]) {
        estimate.flag(Flag::UnequalScales);
    }
}

/// How the coordinates of one side vary.
pub(super) struct Spread {
    /// The number of constant coordinates.
    pub(super) constant: usize,
    /// The largest standard deviation of a coordinate.
    pub(super) largest: f64,
    /// (Σλ)² / Σλ² of the eigenvalues λ of the covariance: the number of directions, if all varied alike; none of very
    /// many coordinates, where it would cost more than the estimate.
    pub(super) effective_rank: Option<f64>,
}

impl Spread {
    /// Computed without the eigenvalues: their sum is the trace, the sum of their squares that of all entries.
    pub(super) fn of(samples: ArrayView2<'_, f64>) -> Self {
        let moments = columns::moments(samples, None);
        let n = samples.nrows() as f64;
        let effective_rank = (samples.ncols() <= MAX_RANKED).then(|| {
            let gram = double::gram(columns::centered(samples, None, moments.means.view()).view());
            let total = gram.diag().sum();
            let squares = 2.0 * gram.mapv(|entry| entry * entry).sum() - gram.diag().mapv(|entry| entry * entry).sum();
            if squares > 0.0 { total * total / squares } else { 0.0 }
        });
        Self {
            constant: moments.squares.iter().filter(|&&square| square == 0.0).count(),
            largest: (moments.squares.fold(0.0_f64, |largest, &square| largest.max(square)) / n).sqrt(),
            effective_rank,
        }
    }
}
