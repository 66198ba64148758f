//! Constant, falling, plateau, rising: by explicit thresholds.

use serde::{Deserialize, Serialize};

use super::{Boundary, Curve, CurveError, Phase, PhaseName};

/// The phases of learning, by thresholds that anybody can check by hand.
///
/// # Formula
///
/// With R₀ the first value, t* the checkpoint of the least value R*, a = `onset` and b = `plateau`:
///
/// ```text
/// constant   until the first checkpoint with R < R₀ − a·|R₀|
/// falling    from there to t*
/// plateau    from there to the last checkpoint with R ≤ R* + b·|R*|
/// rising     from the first checkpoint after t* where R > R* + b·|R*|, there and at the next one
/// ```
///
/// `of = "range"` takes parts of the curve's range in place of |R₀| and |R*|. `direction = "rising"` is the mirror image:
/// rising to a plateau, then falling. `smooth = 3` takes the median of each value and its two neighbors first; the ends
/// stay as they are. What lies between a plateau and the next phase, or behind a plateau where no two checkpoints in a
/// row have left it, belongs to none. Where no checkpoint is below R₀ − a·|R₀|, there is no falling phase, and the
/// constant one lasts until the plateau would end.
///
/// With standard errors, each threshold is also tried with every value one error (`errors` of them) up and down: the
/// checkpoints where the phase might begin then are its interval, and it is resolved if that is one checkpoint. Errors of
/// checkpoints that share their samples move together, so that intervals are wider than they need to be; smoothing does
/// not make them narrower.
///
/// # Use
///
/// Loss of reconstruction, for which the phases were described: near constant, then falling, then rising while the
/// classifier still improves. The thresholds are ours, since the paper's phases were found by eye; smoothing alone can
/// move a boundary by an octave, and so belongs to the result.
///
/// # Cost
///
/// O(n) for n checkpoints.
///
/// # Reference
///
/// Schneider and Prabhushankar, "Understanding and Leveraging the Learning Phases of Neural Networks", *AAAI* 2024,
/// describe the phases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ThreePhases {
    /// Which way learning moves the curve first.
    pub direction: Direction,
    /// How far it must have moved to be no longer constant.
    pub onset: f64,
    /// How far from its extremum it may be and still be on the plateau.
    pub plateau: f64,
    /// What `onset` and `plateau` are parts of.
    pub of: Of,
    /// What is done to the values first.
    pub smooth: Smooth,
    /// How many standard errors a value may be off.
    pub errors: f64,
}

/// Which way learning moves a curve first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Down, as a loss.
    Falling,
    /// Up, as information or an accuracy.
    Rising,
}

/// What thresholds are parts of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// The first value, and the extremum.
    Value,
    /// The largest value less the smallest.
    Range,
}

/// What is done to the values first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Smooth {
    /// Nothing.
    None,
    /// The median of each value and its two neighbors.
    Median3,
}

/// The boundaries of the phases, as places among the checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The first checkpoint that is no longer constant.
    pub onset: Option<Boundary>,
    /// The extremum; with errors, all checkpoints that might hold it.
    pub turn: Boundary,
    /// The last checkpoint within reach of the extremum.
    pub plateau_end: usize,
    /// The first checkpoint that has left the plateau for good, or for two checkpoints at least.
    pub back: Option<Boundary>,
}

impl ThreePhases {
    /// The settings for losses: parts of the value, 1 % and 2 %.
    #[must_use]
    pub fn falling(smooth: Smooth) -> Self {
        Self { direction: Direction::Falling, onset: 0.01, plateau: 0.02, of: Of::Value, smooth, errors: 1.0 }
    }

    /// The settings for information and accuracies, which may begin at zero: the same parts of the range.
    #[must_use]
    pub fn rising(smooth: Smooth) -> Self {
        Self { direction: Direction::Rising, of: Of::Range, ..Self::falling(smooth) }
    }

    /// The phases of a curve, in order.
    ///
    /// # Errors
    ///
    /// [`CurveError::NotPositive`] where thresholds are parts of values that are not positive.
    pub fn phases(&self, curve: &Curve) -> Result<Vec<Phase>, CurveError> {
        let Found { onset, turn, plateau_end, back } = self.find(curve)?;
        let steps = curve.steps();
        let (toward, away) = match self.direction {
            Direction::Falling => (PhaseName::Falling, PhaseName::Rising),
            Direction::Rising => (PhaseName::Rising, PhaseName::Falling),
        };
        let before_back = back.map_or(steps.len() - 1, |back| back.place - 1);
        let mut phases = Vec::new();
        if let Some(onset) = onset {
            phases.push(Phase::first(PhaseName::Constant, steps, onset.place - 1));
            phases.push(Phase::new(toward, steps, &onset, turn.place));
            let end = plateau_end.min(before_back);
            if end > turn.place {
                // It begins behind the extremum, wherever that is; if at its end, there is no plateau.
                let interval = turn.interval.map(|(first, last)| {
                    ((first + 1).min(end), last.and_then(|last| (last < end).then_some(last + 1)))
                });
                phases.push(Phase::new(PhaseName::Plateau, steps, &Boundary { place: turn.place + 1, interval }, end));
            }
        } else {
            phases.push(Phase::first(PhaseName::Constant, steps, plateau_end.min(before_back)));
        }
        if let Some(back) = back {
            phases.push(Phase::new(away, steps, &back, steps.len() - 1));
        }
        Ok(phases)
    }

    /// The boundaries of the phases.
    ///
    /// # Errors
    ///
    /// [`CurveError::NotPositive`] where thresholds are parts of values that are not positive.
    pub fn find(&self, curve: &Curve) -> Result<Found, CurveError> {
        if self.of == Of::Value
            && let Some(place) = curve.values().iter().position(|&value| value <= 0.0)
        {
            return Err(CurveError::NotPositive { step: curve.steps()[place], value: curve.values()[place] });
        }
        let mut values = match self.smooth {
            Smooth::None => curve.values().to_vec(),
            Smooth::Median3 => median_of_three(curve.values()),
        };
        if self.direction == Direction::Rising {
            for value in &mut values {
                *value = -*value;
            }
        }
        let n = values.len();
        let turn = (1..n).fold(0, |least, place| if values[place] < values[least] { place } else { least });
        let highest = values.iter().copied().fold(f64::MIN, f64::max);
        let part = |of: f64| if self.of == Of::Value { of.abs() } else { highest - values[turn] };
        let below = values[0] - self.onset * part(values[0]);
        let above = values[turn] + self.plateau * part(values[turn]);
        let off = |place: usize| curve.errors().map_or(0.0, |errors| self.errors * errors[place]);
        // `by` moves every value by so many errors.
        let onset = |by: f64| (1..n).find(|&place| values[place] + by * off(place) < below);
        let back = |by: f64, from: usize| {
            let left = |place: usize| values[place] + by * off(place) > above;
            (from + 1..n.saturating_sub(1)).find(|&place| left(place) && left(place + 1))
        };
        let known = curve.errors().is_some();
        let near = |place: &usize| values[*place] <= values[turn] + off(turn);
        let first = (0..n).find(near).unwrap_or(turn);
        let last = (0..n).rev().find(near).unwrap_or(turn);
        Ok(Found {
            onset: onset(0.0)
                .map(|place| Boundary { place, interval: known.then(|| (onset(-1.0).unwrap_or(place), onset(1.0))) }),
            turn: Boundary { place: turn, interval: known.then_some((first, Some(last))) },
            plateau_end: (turn..n).rev().find(|&place| values[place] <= above).unwrap_or(turn),
            back: back(0.0, turn).map(|place| Boundary {
                place,
                interval: known.then(|| (back(1.0, turn).unwrap_or(place), back(-1.0, turn))),
            }),
        })
    }
}

/// The median of each value and its two neighbors; the ends as they are.
fn median_of_three(values: &[f64]) -> Vec<f64> {
    let mut smooth = values.to_vec();
    for place in 1..values.len().saturating_sub(1) {
        let [a, b, c] = [values[place - 1], values[place], values[place + 1]];
        smooth[place] = a.min(b).max(a.max(b).min(c));
    }
    smooth
}

#[cfg(test)]
mod tests;
