//! Information as a sum of entropies: I(X; Y) = h(X) + h(Y) − h(X, Y), or h(X) − Σ p(y) h(X|y) of a label.

use ndarray::{ArrayView2, Axis, concatenate};
use rayon::prelude::*;

use super::classes::Classes;
use super::entropy::{Form, InDimensions, Space};
use super::kept::Kept;
use super::{checks, mean_of_terms};
use crate::estimate::{Estimate, EstimateError, Flag, Labels, Paired};

/// One estimate for each set of weights.
pub(super) fn continuous(
    (samples, kept): (Paired<'_>, &Kept),
    form: Form,
    weights: InDimensions<'_>,
) -> Result<Vec<Estimate>, EstimateError> {
    let (x, y) = (Space::new(samples.x(), form)?, Space::new(samples.y(), form)?);
    if checks::is_constant(samples.x()) || checks::is_constant(samples.y()) {
        return Ok(vec![Estimate::constant(samples.len()); weights(1)?.len()]);
    }
    let joint = joint(&x, &y, None, form)?;
    let hx = kept.terms(|| x.entropy_terms(weights))?;
    let (hy, hxy) = (y.entropy_terms(weights)?, joint.entropy_terms(weights)?);
    let n_dimensions = joint.points.ncols();
    let estimates = (0..hx.len()).map(|setting| {
        let mut estimate = sum([hx, &hy, &hxy].map(|terms| &terms[setting]), form);
        checks::flag_pairs(&mut estimate, samples);
        checks::flag_negative(&mut estimate);
        checks::flag_dimensions(&mut estimate, n_dimensions);
        x.flag(&mut estimate);
        y.flag(&mut estimate);
        if form == Form::Whitened {
            // Every direction has variance one, whatever the scales were.
            estimate.flags.retain(|flag| *flag != Flag::UnequalScales);
        }
        estimate
    });
    Ok(estimates.collect())
}

/// The estimate from the terms of h(X), h(Y) and h(X, Y).
pub(super) fn sum([hx, hy, hxy]: [&Vec<f64>; 3], form: Form) -> Estimate {
    let terms: Vec<f64> = hx.iter().zip(hy).zip(hxy).map(|((hx, hy), hxy)| (hx + hy) - hxy).collect();
    let mut estimate = mean_of_terms(&terms);
    if form == Form::Whitened {
        estimate.std_error = [hx, hy, hxy].into_iter().map(|terms| mean_of_terms(terms).std_error).sum();
    }
    estimate
}

/// The values where row i of x goes with row `order[i]` of y, for each order.
pub(super) fn shuffled(
    samples: Paired<'_>,
    form: Form,
    weights: InDimensions<'_>,
    orders: &[Vec<usize>],
) -> Result<Vec<Vec<f64>>, EstimateError> {
    let mean = |terms: &Vec<f64>| mean_of_terms(terms).value;
    let entropies = |space: &Space| -> Result<Vec<f64>, EstimateError> {
        Ok(space.entropy_terms(weights)?.iter().map(mean).collect())
    };
    let (x, y) = (Space::new(samples.x(), form)?, Space::new(samples.y(), form)?);
    let (hx, hy) = (entropies(&x)?, entropies(&y)?);
    let values = |order: &Vec<usize>| {
        let hxy = entropies(&joint(&x, &y, Some(order), form)?)?;
        Ok(hx.iter().zip(&hy).zip(hxy).map(|((hx, hy), hxy)| (hx + hy) - hxy).collect())
    };
    orders.par_iter().map(values).collect()
}

/// Both variables together, where row i of x goes with row `order[i]` of y.
pub(super) fn joint(x: &Space, y: &Space, order: Option<&[usize]>, form: Form) -> Result<Space, EstimateError> {
    let side_by_side = |y: ArrayView2<'_, f64>| concatenate(Axis(1), &[x.points.view(), y]);
    let points = match order {
        None => side_by_side(y.points.view()),
        Some(order) => side_by_side(y.points.select(Axis(0), order).view()),
    };
    let points = points.expect("both sides have one row a sample");
    let mut joint = Space::new(points.view(), form)?;
    // Both sides are in the coordinates of the form already.
    joint.correction += x.correction + y.correction;
    if joint.points.ncols() < points.ncols() {
        return Err(EstimateError::Degenerate {
            reason: "one side determines a direction of the other: the information is infinite; add noise or compress"
                .to_owned(),
        });
    }
    Ok(joint)
}

/// One estimate for each set of weights; everything is done anew in each class, and classes of `least` samples or fewer
/// are left out.
pub(super) fn labeled(
    x: ArrayView2<'_, f64>,
    labels: &Labels,
    (form, least): (Form, usize),
    weights: InDimensions<'_>,
) -> Result<Vec<Estimate>, EstimateError> {
    let least = if form == Form::Whitened { least.max(x.ncols()) } else { least };
    let classes = Classes::new(x, labels, least)?;
    let n = classes.rows.len();
    if classes.members.len() == 1 || checks::is_constant(x) {
        return Ok(vec![classes.flagged(Estimate::constant(n), least + 1); weights(1)?.len()]);
    }
    let all = Space::new(x.select(Axis(0), &classes.rows).view(), form)?;
    let whole = all.entropy_terms(weights)?;
    let within = |rows: &Vec<usize>| {
        // In the coordinates of all, so that a direction that nothing varies in is left out of both.
        let space = Space::new(x.select(Axis(0), rows).view(), form)?;
        if space.points.ncols() < all.points.ncols() {
            return Err(EstimateError::Degenerate {
                reason: "a class lies in fewer dimensions than all samples together: the information is infinite; \
                         compress, or use `ross`"
                    .to_owned(),
            });
        }
        space.entropy_terms(weights)
    };
    let within = classes.members.par_iter().map(within).collect::<Result<Vec<_>, _>>()?;
    let places = classes.places();
    let estimates = whole.iter().enumerate().map(|(setting, whole)| {
        let mut terms = whole.clone();
        let mut errors = mean_of_terms(whole).std_error;
        for (members, within) in places.iter().zip(&within) {
            let own = &within[setting];
            let share = own.len() as f64 / n as f64;
            errors = errors.zip(mean_of_terms(own).std_error).map(|(sum, own)| sum + share * own);
            for (&place, term) in members.iter().zip(own) {
                terms[place] -= term;
            }
        }
        let mut estimate = classes.flagged(mean_of_terms(&terms), least + 1);
        if form == Form::Whitened {
            estimate.std_error = errors;
        }
        all.flag(&mut estimate);
        classes.flag_entropy(&mut estimate);
        checks::flag_negative(&mut estimate);
        checks::flag_dimensions(&mut estimate, all.points.ncols());
        estimate
    });
    Ok(estimates.collect())
}
