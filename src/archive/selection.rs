//! Which steps of a series a run looks at.

use serde::{Deserialize, Serialize};

use super::{ArchiveError, Checkpoint};

/// A selection of checkpoints by their training step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Steps {
    /// Every checkpoint.
    #[default]
    All,
    /// The checkpoints whose step is a multiple of this number.
    Every(std::num::NonZeroU64),
    /// The checkpoints from the first to the second step, both included.
    Range([u64; 2]),
    /// This many checkpoints, evenly spread over ln(1 + step), the first and the last among them.
    LogSpaced(std::num::NonZeroUsize),
}

impl Steps {
    /// Takes the selected checkpoints out of an ordered series.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::NothingSelected`] when none is left.
    pub fn select(&self, checkpoints: Vec<Checkpoint>) -> Result<Vec<Checkpoint>, ArchiveError> {
        let available = checkpoints.len();
        let first = checkpoints.first().map_or(0, Checkpoint::step);
        let last = checkpoints.last().map_or(0, Checkpoint::step);
        let (selected, words): (Vec<_>, String) = match self {
            Self::All => (checkpoints, "all".to_owned()),
            Self::Every(n) => (
                checkpoints.into_iter().filter(|checkpoint| checkpoint.step() % *n == 0).collect(),
                format!("every = {n}"),
            ),
            Self::Range([from, to]) => (
                checkpoints.into_iter().filter(|checkpoint| (*from..=*to).contains(&checkpoint.step())).collect(),
                format!("range = [{from}, {to}]"),
            ),
            Self::LogSpaced(n) => (log_spaced(checkpoints, n.get()), format!("log-spaced = {n}")),
        };
        if selected.is_empty() {
            return Err(ArchiveError::NothingSelected { selection: words, available, first, last });
        }
        Ok(selected)
    }
}

/// For each of n evenly spread targets the nearest checkpoint that leaves enough for the rest, so
/// that always exactly n are taken.
fn log_spaced(checkpoints: Vec<Checkpoint>, n: usize) -> Vec<Checkpoint> {
    let total = checkpoints.len();
    if total <= n {
        return checkpoints;
    }
    let place = |checkpoint: &Checkpoint| (checkpoint.step() as f64).ln_1p();
    let (low, high) = (place(&checkpoints[0]), place(&checkpoints[total - 1]));
    let mut wanted = vec![false; total];
    let mut next = 0;
    for target in 0..n {
        let goal = if n == 1 { high } else { low + (high - low) * target as f64 / (n - 1) as f64 };
        let distance = |index: usize| (place(&checkpoints[index]) - goal).abs();
        let end = total - (n - target) + 1;
        let chosen = (next..end)
            .min_by(|&a, &b| distance(a).total_cmp(&distance(b)))
            .expect("n is less than the number of checkpoints, so each target has a candidate");
        wanted[chosen] = true;
        next = chosen + 1;
    }
    checkpoints.into_iter().zip(wanted).filter_map(|(checkpoint, wanted)| wanted.then_some(checkpoint)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(selection: &Steps, from: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let series = from.into_iter().map(Checkpoint::for_test).collect();
        selection.select(series).unwrap().iter().map(Checkpoint::step).collect()
    }

    #[test]
    fn log_spacing_takes_exactly_as_many_as_asked_with_both_ends() {
        for n in 1..=101 {
            let selection = Steps::LogSpaced(n.try_into().unwrap());
            let chosen = steps(&selection, (0..=100).map(|i| i * 10));
            assert_eq!(chosen.len(), n);
            assert_eq!(*chosen.last().unwrap(), 1000);
            assert!(n == 1 || chosen[0] == 0);
        }
    }

    #[test]
    fn ranges_include_both_ends_and_multiples_count_from_zero() {
        assert_eq!(steps(&Steps::Range([2, 4]), 0..10), [2, 3, 4]);
        assert_eq!(steps(&Steps::Every(4.try_into().unwrap()), 0..10), [0, 4, 8]);
    }

    #[test]
    fn selecting_nothing_is_an_error_that_names_the_steps_there_are() {
        let series = (5..9).map(Checkpoint::for_test).collect();
        let error = Steps::Range([0, 4]).select(series).unwrap_err();
        assert!(error.to_string().contains("run from 5 to 8"), "{error}");
    }
}
