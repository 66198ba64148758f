//! Several runs side by side: mean and spread at the steps that all of them have.

use std::collections::BTreeMap;

/// Values of one step over runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The step.
    pub step: u64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (n − 1 in the denominator): the spread over seeds, not the error of the mean.
    pub deviation: f64,
    /// The runs.
    pub n: usize,
}

/// Mean and spread over curves at the steps where every one of them has a value; nothing for fewer than two curves.
///
/// Steps that one run lacks are left out: a mean over other runs at other steps would move for no other reason.
#[must_use]
pub fn spread(curves: &[Vec<(u64, f64)>]) -> Vec<Spread> {
    let mut steps: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for &(step, value) in curves.iter().flatten() {
        steps.entry(step).or_default().push(value);
    }
    let whole = steps.into_iter().filter(|(_, values)| values.len() == curves.len() && values.len() > 1);
    whole
        .map(|(step, values)| {
            let n = values.len();
            let mean = values.iter().sum::<f64>() / n as f64;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            Spread { step, mean, deviation: (squares / (n - 1) as f64).sqrt(), n }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_steps_that_all_runs_have_are_compared() {
        let curves = [vec![(0, 1.0), (5, 2.0), (9, 7.0)], vec![(0, 3.0), (9, 7.0)], vec![(0, 5.0), (5, 1.0), (9, 7.0)]];
        let found = spread(&curves);
        assert_eq!(found[0], Spread { step: 0, mean: 3.0, deviation: 2.0, n: 3 });
        assert_eq!(found[1], Spread { step: 9, mean: 7.0, deviation: 0.0, n: 3 });
        assert_eq!(found.len(), 2);
        assert!(spread(&curves[..1]).is_empty());
    }
}
