//! Straight stretches, as many as the errors can tell apart.

use serde::Serialize;

use super::{Boundary, Curve, Phase, PhaseName};

/// Checkpoints that a stretch has at least: two always lie on a line.
const FEWEST: usize = 3;

/// The noise of a curve is no smaller than this part of its largest value, which is the rounding of single precision.
const ROUNDING: f64 = 1e-7;

/// A slope within so many of its standard errors is none.
const FLAT: f64 = 2.0;

/// Where the slope of a curve changes, without thresholds.
///
/// # Formula
///
/// The curve over x = ln(1 + step) is cut into stretches of three checkpoints or more, each with its own line, so that
///
/// ```text
/// Σ (value − line)² / error²  +  3 (stretches − 1) ln n        is least
/// ```
///
/// (the Bayesian information criterion: a further stretch has two parameters of its line and one of its place). Of the
/// number of stretches up to `most` and of their places every one is tried. A change might as well lie at any checkpoint
/// that adds no more than 1 (`errors²`) to the sum, the other changes kept; it is resolved if there is no other. A slope
/// of less than two of its standard errors is called flat.
///
/// Where standard errors are not known, one error for all checkpoints is taken from the median distance of a value to
/// the chord of its neighbors.
///
/// # Use
///
/// For curves of which nobody knows what they should look like. Errors of checkpoints that share their samples move
/// together, so that fewer changes are found than there are. A curve that bends slowly is cut into pieces all the same.
///
/// # Cost
///
/// O(`most` n²) for n checkpoints, and `most` n numbers: 20 ms for 1,000. Thin longer curves.
///
/// # Reference
///
/// Auger and Lawrence, "Algorithms for the optimal identification of segment neighborhoods", *Bulletin of Mathematical
/// Biology* 51 (1989). [doi:10.1007/BF02458835](https://doi.org/10.1007/BF02458835)
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangePoints {
    /// The most stretches.
    pub most: usize,
    /// How many standard errors a change may be off.
    pub errors: f64,
}

impl Default for ChangePoints {
    fn default() -> Self {
        Self { most: 6, errors: 1.0 }
    }
}

impl ChangePoints {
    /// The straight stretches of a curve, in order.
    #[must_use]
    pub fn phases(&self, curve: &Curve) -> Vec<Phase> {
        let lines = Lines::new(curve);
        let n = curve.steps().len();
        let starts = self.starts(&lines);
        let end = |index: usize| starts.get(index + 1).map_or(n, |boundary| boundary.place);
        let phase = |(index, boundary): (usize, &Boundary)| {
            let name = lines.name(boundary.place, end(index));
            if index == 0 {
                Phase::first(name, curve.steps(), end(0) - 1)
            } else {
                Phase::new(name, curve.steps(), boundary, end(index) - 1)
            }
        };
        starts.iter().enumerate().map(phase).collect()
    }

    /// The first checkpoint of each stretch.
    fn starts(&self, lines: &Lines) -> Vec<Boundary> {
        let n = lines.x.len();
        // best[k][end]: the least sum of k + 1 stretches that end before `end`, and where the last of them starts.
        let mut best = vec![vec![(f64::INFINITY, 0); n + 1]; self.most.clamp(1, n / FEWEST)];
        for end in FEWEST..=n {
            let misfits = lines.misfits_before(end);
            best[0][end].0 = misfits[0];
            for stretches in 1..best.len() {
                let before = &best[stretches - 1];
                let starts = stretches * FEWEST..(end + 1).saturating_sub(FEWEST);
                let sums = starts.map(|start| (before[start].0 + misfits[start], start));
                best[stretches][end] = sums.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((f64::INFINITY, 0));
            }
        }
        let price = |count: usize| best[count][n].0 + 3.0 * count as f64 * (n as f64).ln();
        let count = (0..best.len()).min_by(|&a, &b| price(a).total_cmp(&price(b))).unwrap_or(0);
        let mut places = vec![n];
        for stretches in (0..=count).rev() {
            let end = *places.last().expect("there is one to begin with");
            places.push(best[stretches][end].1);
        }
        places.reverse();
        let mut starts = vec![Boundary { place: 0, interval: None }];
        starts.extend(places.windows(3).map(|around| self.boundary(lines, around)));
        starts
    }

    /// A change, and where else it might lie between the changes on its sides.
    fn boundary(&self, lines: &Lines, around: &[usize]) -> Boundary {
        let (before, place, after) = (around[0], around[1], around[2]);
        let (left, right) = (lines.misfits_from(before, after), lines.misfits_before(after));
        let misfit = |place: usize| left[place - before] + right[place];
        let most = misfit(place) + self.errors.powi(2);
        let possible = |other: &usize| *other == place || misfit(*other) <= most;
        let places = before + FEWEST..=after - FEWEST;
        let earliest = places.clone().find(possible).unwrap_or(place);
        let latest = places.rev().find(possible).unwrap_or(place);
        Boundary { place, interval: Some((earliest, Some(latest))) }
    }
}

/// Points with their weights.
struct Lines {
    x: Vec<f64>,
    y: Vec<f64>,
    weights: Vec<f64>,
}

impl Lines {
    fn new(curve: &Curve) -> Self {
        let x: Vec<f64> = curve.steps().iter().map(|&step| (step as f64).ln_1p()).collect();
        let y = curve.values().to_vec();
        let least = ROUNDING * y.iter().fold(f64::MIN_POSITIVE, |most, value| value.abs().max(most));
        let errors = curve.errors().map_or_else(|| vec![noise(&x, &y); y.len()], <[f64]>::to_vec);
        let weights = errors.into_iter().map(|error| error.max(least).powi(-2)).collect();
        Self { x, y, weights }
    }

    /// The slope of the line of some points, and its standard error.
    fn slope(&self, from: usize, to: usize) -> (f64, f64) {
        let sum = |of: &dyn Fn(usize) -> f64| (from..to).map(|place| self.weights[place] * of(place)).sum::<f64>();
        let weight = sum(&|_| 1.0);
        let (x, y) = (sum(&|place| self.x[place]) / weight, sum(&|place| self.y[place]) / weight);
        let xx = sum(&|place| (self.x[place] - x).powi(2));
        let slope = sum(&|place| (self.x[place] - x) * (self.y[place] - y)) / xx;
        (slope, xx.sqrt().recip())
    }

    /// How far each stretch that ends before `end` is from its line, by its first point.
    fn misfits_before(&self, end: usize) -> Vec<f64> {
        let mut misfit = Misfit::default();
        let mut values: Vec<f64> = (0..end).rev().map(|place| misfit.with(self, place)).collect();
        values.reverse();
        values
    }

    /// How far each stretch from a point on is from its line, by how many points it has.
    fn misfits_from(&self, from: usize, end: usize) -> Vec<f64> {
        let mut misfit = Misfit::default();
        std::iter::once(f64::INFINITY).chain((from..end).map(|place| misfit.with(self, place))).collect()
    }

    fn name(&self, from: usize, to: usize) -> PhaseName {
        let (slope, error) = self.slope(from, to);
        if slope.abs() <= FLAT * error {
            PhaseName::Flat
        } else if slope > 0.0 {
            PhaseName::Rising
        } else {
            PhaseName::Falling
        }
    }
}

/// The weighted squared distance of some points to their line, point by point.
///
/// Of each further point by what the line of the others says of it, so that no digits cancel however small the errors are.
#[derive(Default)]
struct Misfit {
    points: usize,
    weight: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    sum: f64,
}

impl Misfit {
    /// That with a further point; infinite for too few.
    fn with(&mut self, lines: &Lines, place: usize) -> f64 {
        let own = lines.weights[place];
        let (right, up) = (lines.x[place] - self.x, lines.y[place] - self.y);
        if self.points > 1 {
            let off = up - self.xy / self.xx * right;
            self.sum += off * off / (1.0 / own + 1.0 / self.weight + right * right / self.xx);
        }
        self.points += 1;
        self.weight += own;
        self.x += own / self.weight * right;
        self.y += own / self.weight * up;
        self.xx += own * right * (lines.x[place] - self.x);
        self.xy += own * right * (lines.y[place] - self.y);
        if self.points < FEWEST { f64::INFINITY } else { self.sum }
    }
}

/// The error of a value, from the median distance to the chord of its neighbors.
fn noise(x: &[f64], y: &[f64]) -> f64 {
    // A normal variable is this far from its mean, half of the time.
    const MEDIAN: f64 = 0.674_489_75;
    let distance = |place: usize| {
        let right = (x[place] - x[place - 1]) / (x[place + 1] - x[place - 1]);
        let left = 1.0 - right;
        let chord = left * y[place - 1] + right * y[place + 1];
        (y[place] - chord).abs() / (1.0 + left * left + right * right).sqrt()
    };
    let mut distances: Vec<f64> = (1..x.len() - 1).map(distance).collect();
    distances.sort_by(f64::total_cmp);
    let middle = distances.len() / 2;
    let median =
        if distances.len() % 2 == 1 { distances[middle] } else { 0.5 * (distances[middle - 1] + distances[middle]) };
    median / MEDIAN
}

#[cfg(test)]
mod tests {
    use super::*;
    use PhaseName::{Falling, Flat, Rising};

    /// A little that has no pattern, between −1 and 1.
    fn wiggle(place: usize) -> f64 {
        [0.3, -0.7, 0.5, 0.1, -0.4, 0.8, -0.6, 0.2, -0.1, 0.6, -0.9, 0.4, 0.0, -0.3, 0.7, -0.2, -0.5][place % 17]
    }

    fn curve(error: Option<f64>, noise: f64, value: impl Fn(f64) -> f64) -> Curve {
        Curve::new((0..24_usize).map(|place| ((1 << place) - 1, value(place as f64) + noise * wiggle(place), error)))
            .unwrap()
    }

    fn found(curve: &Curve) -> Vec<(PhaseName, u64, u64)> {
        let phases = ChangePoints::default().phases(curve);
        phases.iter().map(|phase| (phase.name, phase.from_step, phase.to_step)).collect()
    }

    fn bent(place: f64) -> f64 {
        1.0 - 0.05 * (place - 7.0).clamp(0.0, 8.0) + 0.08 * (place - 15.0).max(0.0)
    }

    #[test]
    fn misfits_are_those_of_least_squares() {
        for error in [1e-9, 0.01] {
            let lines = Lines::new(&curve(Some(error), 0.002, bent));
            for end in 0..=24 {
                for (from, before) in lines.misfits_before(end).into_iter().enumerate() {
                    let after = lines.misfits_from(from, end)[end - from];
                    if end < from + FEWEST {
                        assert!(before.is_infinite() && after.is_infinite());
                        continue;
                    }
                    let exact = least_squares(&lines, from, end);
                    // Sums of a few dozen terms.
                    for found in [before, after] {
                        assert!((found - exact).abs() < 1e-9 * exact, "{from}..{end}: {found} for {exact}");
                    }
                }
            }
        }
    }

    fn least_squares(lines: &Lines, from: usize, to: usize) -> f64 {
        let sum = |of: &dyn Fn(usize) -> f64| (from..to).map(|place| lines.weights[place] * of(place)).sum::<f64>();
        let weight = sum(&|_| 1.0);
        let (x, y) = (sum(&|place| lines.x[place]) / weight, sum(&|place| lines.y[place]) / weight);
        let (slope, _) = lines.slope(from, to);
        sum(&|place| (lines.y[place] - y - slope * (lines.x[place] - x)).powi(2))
    }

    #[test]
    fn finds_where_straight_stretches_meet() {
        for error in [Some(0.002), None] {
            let curve = curve(error, 0.002, bent);
            let phases = ChangePoints::default().phases(&curve);
            assert_eq!(phases.iter().map(|phase| phase.name).collect::<Vec<_>>(), [Flat, Falling, Rising], "{error:?}");
            // Where lines meet, the checkpoint at the bend is on both.
            for (phase, bend) in phases[1..].iter().zip([7, 15]) {
                let place = (phase.from_step + 1).ilog2();
                assert!(place == bend || place == bend + 1, "{phase:?}");
                assert!(
                    phase.from_earliest.unwrap() <= phase.from_step && phase.from_step <= phase.from_latest.unwrap()
                );
            }
        }
    }

    #[test]
    fn a_jump_is_resolved_and_a_gentle_bend_is_not() {
        let jump =
            ChangePoints::default().phases(&curve(Some(0.01), 0.005, |place| if place < 10.0 { 1.0 } else { 2.0 }));
        assert_eq!(
            jump.iter().map(|phase| (phase.name, phase.from_step)).collect::<Vec<_>>(),
            [(Flat, 0), (Flat, 1023)]
        );
        assert_eq!(jump[1].resolved, Some(true));
        let gentle = ChangePoints::default().phases(&curve(Some(0.1), 0.01, |place| (place - 10.0).max(0.0) * 0.1));
        assert_eq!((gentle.len(), gentle[1].resolved), (2, Some(false)), "{gentle:?}");
    }

    #[test]
    fn noise_and_constants_have_no_change() {
        assert_eq!(found(&curve(Some(0.02), 0.02, |_| 1.0)), [(Flat, 0, (1 << 23) - 1)]);
        assert_eq!(found(&curve(None, 0.02, |_| 1.0)), [(Flat, 0, (1 << 23) - 1)]);
        assert_eq!(found(&curve(None, 0.0, |_| 0.3)), [(Flat, 0, (1 << 23) - 1)]);
        assert_eq!(found(&curve(Some(0.01), 0.0, |place| -place)), [(Falling, 0, (1 << 23) - 1)]);
    }

    #[test]
    fn three_points_are_one_stretch() {
        let curve = Curve::new([(0, 1.0, None), (1, 5.0, None), (2, 1.0, None)]).unwrap();
        assert_eq!(ChangePoints::default().phases(&curve).len(), 1);
    }
}
