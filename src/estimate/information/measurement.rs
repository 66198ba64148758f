//! A whole measurement: estimates with their intervals and what they would be if there were nothing to find.

use ndarray::{Array2, ArrayView2, Axis};

use super::{Estimator, Intervals};
use crate::estimate::permutations::{Permutations, of_permutations};
use crate::estimate::random::SplitMix64;
use crate::estimate::{Estimate, EstimateError, Flag, Labels, Paired};

/// What a continuous variable is measured against.
#[derive(Clone, Copy, Debug)]
pub enum Against<'a> {
    /// Another continuous variable, one row a sample.
    Variable(ArrayView2<'a, f64>),
    /// A label for each sample.
    Labels(&'a Labels),
}

/// Measures I(X; Y) with its uncertainty: one estimate for each of [`Estimator::each`], in their order.
///
/// A variable without columns, of which nothing varied, has exactly no information. Subsamples and permutations are drawn
/// from `seed`: the same for the same seed and number of samples, so that layers and checkpoints are judged alike.
///
/// # Errors
///
/// Those of the estimator; [`EstimateError::Degenerate`] also where it is not one for such variables, or where permutations
/// are asked for and mean nothing.
pub fn measure<'a>(
    estimator: &Estimator,
    x: ArrayView2<'a, f64>,
    against: Against<'a>,
    (intervals, permutations): (&Intervals, Option<Permutations>),
    seed: u64,
) -> Result<Vec<Estimate>, EstimateError> {
    let is_empty = matches!(against, Against::Variable(y) if y.ncols() == 0);
    if x.ncols() == 0 || is_empty {
        return Ok(vec![Estimate::constant(x.nrows()); estimator.each().len()]);
    }
    let sides = Sides::new(x, against)?;
    let mut estimates = sides.estimates(estimator)?;
    if estimates.iter().all(|estimate| estimate.flags.contains(&Flag::Constant)) {
        return Ok(estimates);
    }
    let mut seeds = SplitMix64::new(seed);
    let (of_parts, of_permutations) = (seeds.next_u64(), seeds.next_u64());
    if let Estimator::InfoNce(_) = estimator {
        let reason = "subsamples would train a network each; the standard error is that of held-out samples";
        for estimate in &mut estimates {
            estimate.detail("no_interval", reason);
        }
    } else if let Intervals::Subsampling(subsampling) = intervals {
        subsampling.add(&mut estimates, estimator, &sides, of_parts);
    }
    if let Some(permutations) = permutations {
        hold_against_permutations(&mut estimates, estimator, &sides, permutations, of_permutations)?;
    }
    Ok(estimates)
}

/// Two variables of the same samples.
pub(super) enum Sides<'a> {
    Pair(Paired<'a>),
    Labeled(ArrayView2<'a, f64>, &'a Labels),
}

impl<'a> Sides<'a> {
    fn new(x: ArrayView2<'a, f64>, against: Against<'a>) -> Result<Self, EstimateError> {
        match against {
            Against::Labels(labels) => Ok(Self::Labeled(x, labels)),
            Against::Variable(y) => Paired::new(x, y)
                .map(Self::Pair)
                .map_err(|error| EstimateError::Degenerate { reason: error.to_string() }),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Pair(samples) => samples.len(),
            Self::Labeled(x, _) => x.nrows(),
        }
    }

    /// The samples at some rows.
    pub(super) fn at(&self, rows: &[usize]) -> Part {
        match self {
            Self::Pair(samples) => {
                Part { x: samples.x().select(Axis(0), rows), y: PartOf::Variable(samples.y().select(Axis(0), rows)) }
            }
            Self::Labeled(x, labels) => Part { x: x.select(Axis(0), rows), y: PartOf::Labels(labels.at(rows)) },
        }
    }

    pub(super) fn estimates(&self, estimator: &Estimator) -> Result<Vec<Estimate>, EstimateError> {
        let unfit = |variables, others| EstimateError::Degenerate {
            reason: format!("`{}` is not for {variables}; use {others}", estimator.name()),
        };
        match self {
            Self::Pair(samples) => estimator
                .continuous()
                .ok_or_else(|| unfit("two continuous variables", "`ksg`, `gaussian` or another one that is"))?
                .estimates(*samples),
            Self::Labeled(x, labels) => estimator
                .labeled()
                .ok_or_else(|| unfit("labels", "`ross` or another one that is"))?
                .estimates(*x, labels),
        }
    }

    /// The values of each permutation.
    fn shuffled(&self, estimator: &Estimator, orders: &[Vec<usize>]) -> Result<Vec<Vec<f64>>, EstimateError> {
        match (self, estimator.continuous(), estimator.labeled()) {
            (Self::Pair(samples), Some(continuous), _) if continuous.has_null() => {
                continuous.shuffled(*samples, orders)
            }
            (Self::Labeled(x, labels), _, Some(labeled)) => labeled.shuffled(*x, labels, orders),
            _ => Err(EstimateError::Degenerate {
                reason: format!(
                    "permutations say nothing of `{}` between two variables: it looks at one of them; remove them",
                    estimator.name()
                ),
            }),
        }
    }
}

/// Some of the samples of two variables.
pub(super) struct Part {
    x: Array2<f64>,
    y: PartOf,
}

enum PartOf {
    Variable(Array2<f64>),
    Labels(Labels),
}

impl Part {
    pub(super) fn estimates(&self, estimator: &Estimator) -> Result<Vec<Estimate>, EstimateError> {
        let against = match &self.y {
            PartOf::Variable(y) => Against::Variable(y.view()),
            PartOf::Labels(labels) => Against::Labels(labels),
        };
        Sides::new(self.x.view(), against)?.estimates(estimator)
    }
}

fn hold_against_permutations(
    estimates: &mut [Estimate],
    estimator: &Estimator,
    sides: &Sides<'_>,
    permutations: Permutations,
    seed: u64,
) -> Result<(), EstimateError> {
    let mut random = SplitMix64::new(seed);
    let orders: Vec<Vec<usize>> = (0..permutations.get())
        .map(|_| {
            let mut order: Vec<usize> = (0..sides.len()).collect();
            random.shuffle(&mut order);
            order
        })
        .collect();
    let values = sides.shuffled(estimator, &orders)?;
    for (setting, estimate) in estimates.iter_mut().enumerate() {
        let null = of_permutations(estimate.value, values.iter().map(|values| values[setting]).collect());
        estimate.null = Some(null);
        if estimate.value <= null.high {
            estimate.flag(Flag::WithinNull);
        }
    }
    Ok(())
}
