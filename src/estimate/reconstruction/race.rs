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
    /// The penalties that were tried.
    pub tried: usize,
}

/// Chooses among penalties by cross-validation that leaves out what cannot win any more.
///
/// Folds are predicted one after the other. After each, a penalty drops out whose squared errors, sample by sample,
/// exceed those of the best one by four standard errors of their mean; those that are left go on to the next fold, and
/// when one is left it is chosen. Of those that last to the end the sum over all folds decides, the larger penalty if
/// two are equal, as in the cross-validation in full. On the first fold penalties are tried from the middle of the list
/// outwards, and none beyond one that is as clearly worse than the one before it.
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
    let mut space = Array2::zeros((z.ncols(), z.ncols()));
    let mut left: Vec<(usize, Vec<f64>)> = Vec::new();
    let (mut decided, mut tried) = (0, 0);
    for fold in folds {
        if left.len() == 1 || alphas.len() == 1 {
            break;
        }
        let part = first.take().unwrap_or_else(|| products(fold));
        let (rest, mean_z, mean_y) = total.without(part);
        let z = &z.slice(s![fold.clone(), ..]) - &mean_z;
        let y = &y.slice(s![fold.clone(), ..]) - &mean_y;
        let mut losses = |place: usize| -> Result<_, EstimateError> {
            Ok(squared_errors(z.view(), y.view(), &rest.weights_within(alphas[place], &mut space)?).to_vec())
        };
        if decided == 0 {
            left = outwards(alphas.len(), losses)?;
            tried = left.len();
        } else {
            for (place, all) in &mut left {
                all.extend(losses(*place)?);
            }
        }
        decided += 1;
        let best = best(&left).1.clone();
        left.retain(|(_, losses)| !clearly_worse(losses, &best));
    }
    let chosen = if alphas.len() == 1 { 0 } else { best(&left).0 };
    Ok(Raced { total, chosen, folds: decided, tried })
}

/// The losses of penalties from the middle one outwards, up to the first on each side that is clearly worse than the
/// one before it, in the order of the list.
fn outwards(
    count: usize,
    mut losses: impl FnMut(usize) -> Result<Vec<f64>, EstimateError>,
) -> Result<Vec<(usize, Vec<f64>)>, EstimateError> {
    let middle = count / 2;
    let mut tried = vec![(middle, losses(middle)?)];
    let below: Vec<usize> = (0..middle).rev().collect();
    for side in [below, (middle + 1..count).collect()] {
        let mut before = tried[0].1.clone();
        for place in side {
            let here = losses(place)?;
            let worse = clearly_worse(&here, &before);
            tried.push((place, here.clone()));
            if worse {
                break;
            }
            before = here;
        }
    }
    tried.sort_by_key(|&(place, _)| place);
    Ok(tried)
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
