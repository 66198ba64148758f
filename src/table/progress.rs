//! How far a run is, told from outside: by the names and times of its parts, without a look into them.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::row::Rows;
use super::{CheckpointRow, Folder, TableError, Unit};

/// What was done before that tells little of how fast it goes now.
const RECENT: Duration = Duration::from_hours(1);

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Progress {
    /// How many checkpoints are planned.
    pub planned: usize,
    /// How many of them have parts, those that failed among them.
    pub done: usize,
    /// Those that failed as a whole: a rerun tries again.
    pub failed: Vec<Unit>,
    /// Those without parts.
    pub missing: Vec<Unit>,
    /// Units that are done of checkpoints that are not.
    pub pieces: usize,
    /// Seconds since the last checkpoint was done; none if none was.
    pub idle: Option<f64>,
    /// Checkpoints an hour: of the last hour, or since the first one if that is less; none if nothing was done in it.
    pub per_hour: Option<f64>,
    /// Seconds until the missing ones are done at this rate.
    pub seconds_left: Option<f64>,
}

impl Folder {
    /// Looks how far a run is.
    ///
    /// One listing, and on a disk one look at the time of each checkpoint's part: about a second for 100,000.
    ///
    /// # Errors
    ///
    /// [`TableError::NoPlan`], [`TableError::Read`], [`TableError::Store`].
    pub fn progress(&self, now: SystemTime) -> Result<Progress, TableError> {
        let there = self.times()?;
        let names: BTreeSet<u64> = there.iter().map(|(step, _)| *step).collect();
        let failed: BTreeSet<u64> = self.failed_steps()?.into_iter().collect();
        let units = self.units()?;
        let having = |wanted: bool, steps: &BTreeSet<u64>| -> Vec<Unit> {
            units.iter().filter(|unit| steps.contains(&unit.step) == wanted).cloned().collect()
        };
        let missing = having(false, &names);
        let mut pieces = 0;
        for step in self.steps_in_pieces()?.into_iter().filter(|step| !names.contains(step)) {
            pieces += self.pieces(step)?.len();
        }
        let ages: Vec<Duration> = there.iter().map(|(_, time)| now.duration_since(*time).unwrap_or_default()).collect();
        let per_second = rate(&ages);
        Ok(Progress {
            planned: units.len(),
            done: units.len() - missing.len(),
            failed: having(true, &failed),
            pieces,
            idle: ages.iter().min().map(Duration::as_secs_f64),
            per_hour: per_second.map(|rate| 3600.0 * rate),
            seconds_left: per_second.map(|rate| missing.len() as f64 / rate),
            missing,
        })
    }

    /// The steps that are done, each with the time of its last part.
    fn times(&self) -> Result<Vec<(u64, SystemTime)>, TableError> {
        let table = self.table(CheckpointRow::TABLE);
        if let Some((remote, key)) = self.only_in_store(&table) {
            let times = remote.store.times(&key)?;
            let part = |name: &str| name.strip_prefix("step=")?.strip_suffix("/part.parquet")?.parse().ok();
            return Ok(times.into_iter().filter_map(|(name, time)| Some((part(&name)?, time))).collect());
        }
        let mut times = Vec::new();
        for name in self.folders(&table)? {
            let Some(step) = name.strip_prefix("step=").and_then(|step| step.parse().ok()) else { continue };
            let path = self.part(CheckpointRow::TABLE, step);
            match fs::metadata(&path).and_then(|metadata| metadata.modified()) {
                Ok(time) => times.push((step, time)),
                // The folder is made before the part.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(TableError::Read { path, source }),
            }
        }
        Ok(times)
    }
}

/// Parts a second, over the last hour or since the first part; none where there is no part in it.
fn rate(ages: &[Duration]) -> Option<f64> {
    let recent = ages.iter().filter(|age| **age <= RECENT).count();
    let span = ages.iter().max()?.min(&RECENT).as_secs_f64().max(1.0);
    (recent > 0).then(|| recent as f64 / span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_hour() {
        let ages = |seconds: &[u64]| seconds.iter().map(|&age| Duration::from_secs(age)).collect::<Vec<_>>();
        assert_eq!(rate(&[]), None);
        assert_eq!(rate(&ages(&[7200, 4000])), None);
        assert_eq!(rate(&ages(&[100, 50, 30, 10])), Some(0.04));
        assert_eq!(rate(&ages(&[36_000, 1800, 900])), Some(2.0 / 3600.0));
    }
}
