//! Stretches of training with a name.

use serde::Serialize;

/// What a curve does in a stretch of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseName {
    /// It has not moved yet.
    Constant,
    /// It falls.
    Falling,
    /// It stays near its extremum.
    Plateau,
    /// It rises.
    Rising,
    /// Its slope cannot be told from none.
    Flat,
}

/// Where a phase begins, as a place among the checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// The first checkpoint of the phase.
    pub place: usize,
    /// The earliest and the latest checkpoint where it might begin if values were off by their errors; a latest one of
    /// none if it might not begin at all. None where errors are not known.
    pub interval: Option<(usize, Option<usize>)>,
}

impl Boundary {
    /// Whether no other checkpoint lies within the errors; none where errors are not known.
    #[must_use]
    pub fn resolved(&self) -> Option<bool> {
        self.interval.map(|(earliest, latest)| latest == Some(earliest))
    }
}

/// A stretch of training.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// What the curve does.
    pub name: PhaseName,
    /// The first checkpoint.
    pub from_step: u64,
    /// The last checkpoint.
    pub to_step: u64,
    /// The earliest checkpoint where it might begin, if values were off by their errors; none where these are not known.
    pub from_earliest: Option<u64>,
    /// The latest such checkpoint; none also where it might not begin at all.
    pub from_latest: Option<u64>,
    /// Whether these are one and the same; none where errors are not known, or where there is nothing to resolve because
    /// the phase begins with the curve.
    pub resolved: Option<bool>,
}

impl Phase {
    /// A phase that begins with the curve.
    pub(super) fn first(name: PhaseName, steps: &[u64], to: usize) -> Self {
        let (from_step, to_step) = (steps[0], steps[to]);
        Self { name, from_step, to_step, from_earliest: None, from_latest: None, resolved: None }
    }

    /// A phase that begins at a boundary.
    pub(super) fn new(name: PhaseName, steps: &[u64], begins: &Boundary, to: usize) -> Self {
        Self {
            name,
            from_step: steps[begins.place],
            to_step: steps[to],
            from_earliest: begins.interval.map(|(earliest, _)| steps[earliest]),
            from_latest: begins.interval.and_then(|(_, latest)| latest).map(|latest| steps[latest]),
            resolved: begins.resolved(),
        }
    }
}
