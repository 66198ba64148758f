//! A whole measurement: estimates with their intervals and what they would be if there were nothing to find.

use ndarray::{ArrayView2, Axis};

use super::{Estimator, Intervals, Kept};
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
    uncertainty: (&Intervals, Option<Permutations>),
    seed: u64,
) -> Result<Vec<Estimate>, EstimateError> {
    measured(estimator, (x, &[]), against, uncertainty, seed)
}

/// The same, with what is kept of x: of all samples, then of each part; or with nothing kept.
pub(super) fn measured<'a>(
    estimator: &Estimator,
    (x, kept): (ArrayView2<'a, f64>, &'a [Kept]),
    against: Against<'a>,
    (intervals, permutations): (&Intervals, Option<Permutations>),
    seed: u64,
) -> Result<Vec<Estimate>, EstimateError> {
    let is_empty = matches!(against, Against::Variable(y) if y.ncols() == 0);
    if x.ncols() == 0 || is_empty {
        return Ok(vec![Estimate::constant(x.nrows()); estimator.each().len()]);
    }
    let sides = Sides::new((x, kept), against)?;
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
    /// With what is kept of x, of these samples and of parts of them, if anything is.
    Pair(Paired<'a>, &'a [Kept]),
    Labeled(ArrayView2<'a, f64>, &'a Labels),
}

impl<'a> Sides<'a> {
    fn new((x, kept): (ArrayView2<'a, f64>, &'a [Kept]), against: Against<'a>) -> Result<Self, EstimateError> {
        match against {
            Against::Labels(labels) => Ok(Self::Labeled(x, labels)),
            Against::Variable(y) => Paired::new(x, y)
                .map(|samples| Self::Pair(samples, kept))
                .map_err(|error| EstimateError::Degenerate { reason: error.to_string() }),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Pair(samples, _) => samples.len(),
            Self::Labeled(x, _) => x.nrows(),
        }
    }

    /// The estimates from the samples at some rows, which are those of a part.
    pub(super) fn estimates_of_part(
        &self,
        estimator: &Estimator,
        (part, rows): (usize, &[usize]),
    ) -> Result<Vec<Estimate>, EstimateError> {
        match self {
            Self::Pair(samples, kept) => {
                let [x, y] = [samples.x(), samples.y()].map(|side| side.select(Axis(0), rows));
                // What is kept of all samples goes first.
                let kept = kept.get(part + 1).map_or(&[][..], std::slice::from_ref);
                Sides::new((x.view(), kept), Against::Variable(y.view()))?.estimates(estimator)
            }
            Self::Labeled(x, labels) => {
                Sides::Labeled(x.select(Axis(0), rows).view(), &labels.at(rows)).estimates(estimator)
            }
        }
    }

    pub(super) fn estimates(&self, estimator: &Estimator) -> Result<Vec<Estimate>, EstimateError> {
        let unfit = |variables, others| EstimateError::Degenerate {
            reason: format!("`{}` is not for {variables}; use {others}", estimator.name()),
        };
        match self {
            Self::Pair(samples, kept) => estimator
                .continuous()
                .ok_or_else(|| unfit("two continuous variables", "`ksg`, `gaussian` or another one that is"))?
                .estimates_of_series(*samples, kept.first().unwrap_or(&Kept::default())),
            Self::Labeled(x, labels) => estimator
                .labeled()
                .ok_or_else(|| unfit("labels", "`ross` or another one that is"))?
                .estimates(*x, labels),
        }
    }

    /// The values of each permutation.
    fn shuffled(&self, estimator: &Estimator, orders: &[Vec<usize>]) -> Result<Vec<Vec<f64>>, EstimateError> {
        match (self, estimator.continuous(), estimator.labeled()) {
            (Self::Pair(samples, _), Some(continuous), _) if continuous.has_null() => {
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
