//! The choice of a penalty for wide layers, where every factorization counts.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};

use super::ridge::{Products, squared_errors};
use crate::estimate::EstimateError;

/// A penalty drops out when it is worse than the best by so many standard errors of the difference.
const CLEARLY: f64 = 4.0;

/// Layers of more units than this are raced for: below, one eigendecomposition a fold serves all penalties.
pub(super) const WIDE: usize = 256;

/// What a race decided.
pub(super) struct Raced {
    /// The products of all training samples.
    pub total: Products,
    /// The place of the chosen penalty.
    pub chosen: usize,
    /// The folds after which it was decided.
    pub folds: usize,
}

/// Chooses among penalties by cross-validation that leaves out what cannot win any more.
///
/// Folds are predicted one after the other. After each, a penalty drops out whose squared errors, sample by sample,
/// exceed those of the best one by four standard errors of their mean; those that are left go on to the next fold, and
/// when one is left it is chosen. Of those that last to the end the sum over all folds decides, the larger penalty if
/// two are equal, as in the cross-validation in full.
///
/// Maron and Moore, "The racing algorithm", *Artificial Intelligence Review* 11 (1997).
pub(super) fn race(
    z: ArrayView2<'_, f64>,
    y: ArrayView2<'_, f64>,
    folds: &[Range<usize>],
    alphas: &[f64],
) -> Result<Raced, EstimateError> {
    let products = |fold: &Range<usize>| Products::new(z.slice(s![fold.clone(), ..]), y.slice(s![fold.clone(), ..]));
    // Only the first fold's products are kept: most races end there, and each is a matrix of units × units.
    let mut total = products(&folds[0]);
    let mut first = Some(total.clone());
    for fold in &folds[1..] {
        total.extend(z.slice(s![fold.clone(), ..]), y.slice(s![fold.clone(), ..]));
    }
    let mut left: Vec<(usize, Vec<f64>)> = (0..alphas.len()).map(|place| (place, Vec::new())).collect();
    let mut space = Array2::zeros((z.ncols(), z.ncols()));
    let mut decided = 0;
    for fold in folds {
        if left.len() == 1 {
            break;
        }
        decided += 1;
        let part = first.take().unwrap_or_else(|| products(fold));
        let (rest, mean_z, mean_y) = total.without(part);
        let z = &z.slice(s![fold.clone(), ..]) - &mean_z;
        let y = &y.slice(s![fold.clone(), ..]) - &mean_y;
        for (place, losses) in &mut left {
            let weights = rest.weights_within(alphas[*place], &mut space)?;
            losses.extend(squared_errors(z.view(), y.view(), &weights));
        }
        let best = best(&left).1.clone();
        left.retain(|(_, losses)| !clearly_worse(losses, &best));
    }
    Ok(Raced { total, chosen: best(&left).0, folds: decided })
}

/// The penalty with the least sum of losses; the last of equal ones.
fn best(left: &[(usize, Vec<f64>)]) -> &(usize, Vec<f64>) {
    let sum = |entry: &&(usize, Vec<f64>)| entry.1.iter().sum::<f64>();
    left.iter().rev().min_by(|a, b| sum(a).total_cmp(&sum(b))).expect("one is always left")
}

fn clearly_worse(losses: &[f64], best: &[f64]) -> bool {
    let n = losses.len() as f64;
    let excess: Vec<f64> = losses.iter().zip(best).map(|(loss, best)| loss - best).collect();
    let mean = excess.iter().sum::<f64>() / n;
    let squares = excess.iter().map(|excess| (excess - mean).powi(2)).sum::<f64>();
    mean > 0.0 && n > 1.0 && mean > CLEARLY * (squares / (n - 1.0) / n).sqrt()
}
