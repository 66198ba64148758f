//! Intervals from subsamples without replacement.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::measurement::Sides;
use super::{Estimator, mean_of_terms};
use crate::estimate::random::SplitMix64;
use crate::estimate::{Estimate, EstimateError, Flag, Interval};

/// Parts of fewer samples than this say little of a larger sample.
const MIN_PART: usize = 50;

/// How intervals are found.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intervals {
    /// Not at all.
    None {},
    /// From the scatter among parts of the samples.
    Subsampling(Subsampling),
}

impl Intervals {
    /// The sizes of the parts in which n samples are looked at, part by part.
    pub(super) fn part_sizes(&self, n: usize) -> Vec<usize> {
        match self {
            Self::None {} => Vec::new(),
            Self::Subsampling(own) => own.dealings(n).flat_map(|m| std::iter::repeat_n(n / m, m)).collect(),
        }
    }
}

impl Default for Intervals {
    fn default() -> Self {
        Self::Subsampling(Subsampling::default())
    }
}

/// The interval of Holmes and Nemenman.
///
/// # Formula
///
/// The samples are dealt at random into m parts of n/m each, for m from 2 to `parts`, `rounds` times; s²ₘ is the variance of
/// the estimates among m parts. Where the variance of an estimate falls as one over its number of samples,
///
/// ```text
/// σ² = Σ (m − 1) s²ₘ / m  /  Σ (m − 1)
/// ```
///
/// is that of the estimate from all samples, and the interval is value ± tσ with the quantile t of Student's distribution
/// with Σ (m − 1) degrees of freedom in one round. Where the variance falls faster, as it does where there is nothing to
/// find, the interval is too wide.
///
/// # Use
///
/// For every estimator. (A bootstrap with replacement is wrong for neighbors: repeated samples have distance zero.) The
/// interval holds the expected value of the estimator, not the truth where that is biased; but `details` have the means by
/// the number of samples (`subsample_means`), and the flag `sample-size-bias` says that half of the samples give another
/// value, by more than half of the interval.
///
/// # Cost
///
/// `parts` − 1 estimates at most for each round, and as little as Σ 1/m of one where the cost is quadratic: of estimators by
/// neighbors the 54 parts of one round of ten cost 5 to 7 estimates of 10,000 samples, two rounds 9 to 14.
///
/// # Reference
///
/// C. M. Holmes, I. Nemenman, Estimation of mutual information for real-valued data with error bars and controlled bias,
/// Physical Review E 100, 022404 (2019), <https://doi.org/10.1103/PhysRevE.100.022404>.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Subsampling {
    /// The largest number of parts; fewer where parts would have under 50 samples.
    pub parts: Parts,
    /// How many times the samples are dealt anew.
    pub rounds: std::num::NonZeroUsize,
    /// The part of such intervals that hold the expected value.
    pub level: Level,
}

impl Default for Subsampling {
    fn default() -> Self {
        Self { parts: Parts(10), rounds: std::num::NonZeroUsize::MIN, level: Level(0.95) }
    }
}

/// Two parts or more.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "usize", into = "usize")]
pub struct Parts(usize);

impl TryFrom<usize> for Parts {
    type Error = String;

    fn try_from(parts: usize) -> Result<Self, String> {
        if parts < 2 {
            Err(format!("found {parts} parts, needed 2 or more: one does not scatter"))
        } else {
            Ok(Self(parts))
        }
    }
}

impl From<Parts> for usize {
    fn from(parts: Parts) -> Self {
        parts.0
    }
}

/// A part of one: above a half, below one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Level(f64);

impl TryFrom<f64> for Level {
    type Error = String;

    fn try_from(level: f64) -> Result<Self, String> {
        if level > 0.5 && level < 1.0 {
            Ok(Self(level))
        } else {
            Err(format!("found the level {level}, needed one above 0.5 and below 1, such as 0.95"))
        }
    }
}

impl From<Level> for f64 {
    fn from(level: Level) -> Self {
        level.0
    }
}

impl Subsampling {
    /// Gives estimates their intervals, or says in `details` why they have none.
    pub(super) fn add(&self, estimates: &mut [Estimate], estimator: &Estimator, sides: &Sides<'_>, seed: u64) {
        let n = sides.len();
        let found = if self.dealings(n).next().is_none() {
            Err(format!("{n} samples, needed {} for two parts", 2 * MIN_PART))
        } else {
            self.by_parts(estimator, sides, seed).map_err(|error| format!("of a part: {error}"))
        };
        match found {
            Err(reason) => estimates.iter_mut().for_each(|estimate| estimate.detail("no_interval", reason.clone())),
            Ok(by_parts) => {
                for (setting, estimate) in estimates.iter_mut().enumerate() {
                    self.add_one(estimate, setting, n, &by_parts);
                }
            }
        }
    }

    /// Into how many parts n samples are dealt, time by time; not at all where they are too few for two.
    fn dealings(&self, n: usize) -> impl Iterator<Item = usize> {
        let most = self.parts.0.min(n / MIN_PART);
        (0..self.rounds.get()).flat_map(move |_| 2..=most)
    }

    /// For each dealing of the samples the values of its parts, and in each for every setting.
    fn by_parts(
        &self,
        estimator: &Estimator,
        sides: &Sides<'_>,
        seed: u64,
    ) -> Result<Vec<Vec<Vec<f64>>>, EstimateError> {
        let n = sides.len();
        let mut random = SplitMix64::new(seed);
        let mut parts = Vec::new();
        let mut by_parts = Vec::new();
        for (dealing, m) in self.dealings(n).enumerate() {
            by_parts.push(Vec::new());
            let mut rows: Vec<usize> = (0..n).collect();
            random.shuffle(&mut rows);
            parts.extend(rows.chunks_exact(n / m).take(m).map(|part| (dealing, part.to_vec())));
        }
        let values = parts.into_par_iter().enumerate().map(|(part, (dealing, mut rows))| {
            rows.sort_unstable();
            let estimates = sides.estimates_of_part(estimator, (part, &rows))?;
            Ok((dealing, estimates.iter().map(|estimate| estimate.value).collect::<Vec<f64>>()))
        });
        for (dealing, values) in values.collect::<Result<Vec<_>, EstimateError>>()? {
            by_parts[dealing].push(values);
        }
        Ok(by_parts)
    }

    fn add_one(&self, estimate: &mut Estimate, setting: usize, n: usize, by_parts: &[Vec<Vec<f64>>]) {
        let (mut variance, mut degrees) = (0.0, 0);
        let n_sizes = by_parts.len() / self.rounds.get();
        let mut means = vec![0.0; n_sizes];
        for (dealing, parts) in by_parts.iter().enumerate() {
            let values: Vec<f64> = parts.iter().map(|values| values[setting]).collect();
            let m = values.len();
            let of_parts = mean_of_terms(&values);
            // The squared standard error of the mean of m parts is s²ₘ / m.
            variance += (m - 1) as f64 * of_parts.std_error.map_or(0.0, |error| error * error);
            degrees += m - 1;
            means[dealing % n_sizes] += of_parts.value / self.rounds.get() as f64;
        }
        let sigma = (variance / degrees as f64).sqrt();
        let degrees = (degrees / self.rounds.get()) as f64;
        let student = StudentsT::new(0.0, 1.0, degrees).expect("there is a degree of freedom at least");
        let half = sigma * student.inverse_cdf(0.5 + 0.5 * self.level.0);
        estimate.interval =
            Some(Interval { low: estimate.value - half, high: estimate.value + half, level: self.level.0 });
        estimate.detail("subsample_std_error", sigma);
        estimate.detail("subsample_sizes", (2..2 + n_sizes).map(|m| n / m).collect::<Vec<_>>());
        if (means[0] - estimate.value).abs() > half {
            estimate.flag(Flag::SampleSizeBias);
        }
        estimate.detail("subsample_means", means);
    }
}
