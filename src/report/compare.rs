//! Curves of several runs side by side: aligned steps, mean and spread.

use std::collections::BTreeMap;

use super::{NamedCurve, ReportError, Runs, curves};
use crate::table::CurveColumns;

/// One curve in several runs, at the steps where every one of them has a value.
///
/// A mean over other runs at every step would jump where a run comes or goes, and look like learning.
#[derive(Clone, Debug, PartialEq)]
pub struct Aligned {
    /// What the curve is of; `run` is empty.
    pub columns: CurveColumns,
    /// The runs that have the curve, in the order in which they were given.
    pub runs: Vec<String>,
    /// The steps that all of them have.
    pub steps: Vec<u64>,
    /// The values: one row a step, one column a run.
    pub values: Vec<Vec<f64>>,
    /// How many steps only some of them have.
    pub n_left_out: usize,
}

/// Mean and spread over runs at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean over runs.
    pub mean: f64,
    /// The standard deviation over runs, with n − 1; none for a single run.
    pub deviation: Option<f64>,
}

/// The curves of all runs, each under the name of its run.
///
/// # Errors
///
/// [`ReportError`] when a folder cannot be read.
pub fn curves_of_runs(runs: &Runs) -> Result<Vec<NamedCurve>, ReportError> {
    let mut all = Vec::new();
    for (name, folder) in runs.runs() {
        all.extend(curves(folder)?.into_iter().map(|mut curve| {
            curve.columns.run.clone_from(name);
            curve
        }));
    }
    Ok(all)
}

/// Puts curves of one thing in several runs beside each other, in the order in which they come.
///
/// What a curve is of is everything in its columns but the run: tap, measure, variable, and all parameters.
#[must_use]
pub fn align(curves: &[NamedCurve]) -> Vec<Aligned> {
    let mut groups: Vec<(CurveColumns, Vec<&NamedCurve>)> = Vec::new();
    for curve in curves {
        let columns = CurveColumns { run: String::new(), ..curve.columns.clone() };
        match groups.iter_mut().find(|(other, _)| *other == columns) {
            Some((_, group)) => group.push(curve),
            None => groups.push((columns, vec![curve])),
        }
    }
    groups.into_iter().map(|(columns, group)| aligned(columns, &group)).collect()
}

fn aligned(columns: CurveColumns, group: &[&NamedCurve]) -> Aligned {
    let mut by_step: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for curve in group {
        for &(step, value, _) in &curve.points {
            by_step.entry(step).or_default().push(value);
        }
    }
    let n_all = by_step.len();
    by_step.retain(|_, values| values.len() == group.len());
    let n_left_out = n_all - by_step.len();
    let (steps, values) = by_step.into_iter().unzip();
    Aligned { columns, runs: group.iter().map(|curve| curve.columns.run.clone()).collect(), steps, values, n_left_out }
}

impl Aligned {
    /// Mean and spread over runs at each step.
    #[must_use]
    pub fn spreads(&self) -> Vec<Spread> {
        self.values.iter().map(|values| spread(values)).collect()
    }
}

fn spread(values: &[f64]) -> Spread {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    Spread { mean, deviation: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(run: &str, tap: &str, points: &[(u64, f64)]) -> NamedCurve {
        let columns = CurveColumns { run: run.to_owned(), tap: Some(tap.to_owned()), ..CurveColumns::default() };
        NamedCurve {
            columns,
            points: points.iter().map(|&(step, value)| (step, value, None)).collect(),
            doubtful: Vec::new(),
            thinned_from: None,
        }
    }

    #[test]
    fn only_steps_that_all_runs_have_are_compared() {
        let curves = [
            curve("a", "h1", &[(0, 1.0), (10, 2.0), (20, 5.0)]),
            curve("b", "h1", &[(20, 7.0), (0, 3.0), (15, 9.0)]),
            curve("a", "h2", &[(0, 1.0)]),
        ];
        let aligned = align(&curves);
        assert_eq!(aligned.len(), 2);
        assert_eq!(
            (&aligned[0].runs[..], &aligned[0].steps[..]),
            (&["a".to_owned(), "b".to_owned()][..], &[0, 20][..])
        );
        assert_eq!((aligned[0].values.clone(), aligned[0].n_left_out), (vec![vec![1.0, 3.0], vec![5.0, 7.0]], 2));
        // Of 1 and 3 the mean is 2, and the deviation with n − 1 is the root of 2.
        let spreads = aligned[0].spreads();
        assert_eq!(spreads[0], Spread { mean: 2.0, deviation: Some(2_f64.sqrt()) });
        assert_eq!(aligned[1].spreads(), [Spread { mean: 1.0, deviation: None }]);
    }
}
