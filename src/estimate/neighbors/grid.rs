#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use super::leaves::Row;
use super::places::{LIMIT, PlaceRow};

/// The steps from one end to the other of what lies in a grid.
const STEPS: f64 = 32_700.0;

/// Steps to spare at both ends: who is not placed within is farther away than any radius.
const MARGIN: f64 = 10.0;

/// Far above what rounding adds to a number of steps, far below a step.
const ROUNDING: f64 = 1e-6;

/// From here on floats are whole numbers.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// A grid as fine as 15 bits count what lies in it.
///
/// Places are coordinates in steps, rounded. So differences of places are differences of coordinates to within a step, and decide
/// which points lie within a radius, but for those in a shell two steps thick.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    low: Vec<f64>,
    steps_per_unit: f64,
    /// The place of the lower corner.
    first: f64,
}

/// What differences of places say of a radius.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shell {
    /// Places that differ by less are nearer.
    pub inner: u16,
    /// Places that differ by as much are not; in between the coordinates decide.
    pub outer: u16,
}

impl Grid {
    /// The grid of what is nearer than `reach` to points between two corners.
    ///
    /// Where a step is no normal number, all points get one place, and coordinates decide everything.
    pub(super) fn new((low, high): (&[f64], &[f64]), reach: f64) -> Self {
        let extent = low.iter().zip(high).fold(0.0_f64, |extent, (low, high)| extent.max(high - low));
        let steps_per_unit = STEPS / (extent + 2.0 * reach);
        if steps_per_unit.is_normal() {
            Self { low: low.to_vec(), steps_per_unit, first: reach * steps_per_unit + MARGIN }
        } else {
            Self { low: low.to_vec(), steps_per_unit: 0.0, first: 0.0 }
        }
    }

    /// The place of a coordinate; one beyond all that can be reached is somewhere there.
    #[expect(clippy::cast_possible_truncation, reason = "the last bits are the place")]
    #[inline(always)]
    pub(super) fn place(&self, dimension: usize, coordinate: f64) -> u16 {
        let steps = (coordinate - self.low[dimension]) * self.steps_per_unit + self.first;
        // What is not a number, of infinities in a grid without steps, is not above zero.
        let steps = if steps > 0.0 { steps } else { 0.0 };
        let steps = if steps < f64::from(LIMIT) { steps } else { f64::from(LIMIT) };
        (steps + WHOLE).to_bits() as u16
    }

    /// The places of the points of a leaf, given a row of coordinates for each dimension.
    #[inline(always)]
    pub(super) fn places(&self, rows: &[Row], to: &mut [PlaceRow]) {
        for (c, (row, to)) in rows.iter().zip(to).enumerate() {
            for (coordinate, to) in row.0.iter().zip(&mut to.0) {
                *to = self.place(c, *coordinate);
            }
        }
    }

    /// The places of the lower and the upper corner of a box, dimension by dimension.
    #[inline(always)]
    pub(super) fn corners(&self, (low, high): (&[f64], &[f64])) -> Vec<(u16, u16)> {
        let places = low.iter().zip(high).enumerate();
        places.map(|(c, (&low, &high))| (self.place(c, low), self.place(c, high))).collect()
    }

    /// The shell of a radius: up to the reach, or any where all points lie between the corners. Nothing is within none.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float that is too large saturates")]
    pub(super) fn shell(&self, radius: f64) -> Shell {
        if radius <= 0.0 {
            return Shell { inner: 0, outer: 0 };
        }
        if self.steps_per_unit == 0.0 {
            return Shell { inner: 0, outer: LIMIT };
        }
        let steps = radius * self.steps_per_unit;
        Shell { inner: (steps - ROUNDING).floor() as u16, outer: (steps + 1.0 + ROUNDING).ceil() as u16 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the shell decides, the rounded difference decides alike.
        #[test]
        fn a_shell_decides_what_is_sure(
            low in prop_oneof![-3.0..3.0, -1e12..1e12, Just(0.0)],
            extent in prop_oneof![0.0..2.0, 0.0..1e-9, 0.0..1e300, Just(0.0), Just(f64::MAX)],
            own in 0.0..=1.0,
            radii in (0.0..=1.0, 0.0..=1.0),
            reach in prop_oneof![0.0..2.0, 0.0..1e-9, Just(1e-310), Just(f64::INFINITY), Just(0.0)],
            other in prop_oneof![-3.0..3.0, -1e12..1e12, -1.0..2.0, Just(f64::INFINITY), Just(f64::MAX)],
        ) {
            let (lows, highs): ([f64; 1], [f64; 1]) = ([low], [low + extent]);
            let grid = Grid::new((&lows, &highs), reach);
            let center: f64 = f64::clamp(low + own * extent, lows[0], highs[0]);
            for radius in [reach * radii.0, reach, 0.0] {
                // At places that matter, too: about the radius.
                for other in [other, center + radius, center - radius, (center + radius).next_up(), center + radius * radii.1, low + extent + reach] {
                    let apart = grid.place(0, other).abs_diff(grid.place(0, center));
                    let shell = grid.shell(radius);
                    let is_nearer = (other - center).abs() < radius;
                    prop_assert!(apart >= shell.inner || is_nearer, "{apart} {shell:?} {grid:?}");
                    prop_assert!(apart < shell.outer || !is_nearer, "{apart} {shell:?} {grid:?}");
                }
            }
        }

        /// The same for any radius where nothing lies outside.
        #[test]
        fn a_shell_within_the_corners_may_be_of_any_radius(
            low in prop_oneof![-3.0..3.0, -1e12..1e12, Just(0.0)],
            extent in prop_oneof![0.0..2.0, 0.0..1e-9, 0.0..1e300, Just(0.0), Just(f64::MAX)],
            places in (0.0..=1.0, 0.0..=1.0),
            radius in prop_oneof![0.0..2.0, 0.0..1e-9, 0.0..1e300, Just(f64::INFINITY)],
        ) {
            let (lows, highs): ([f64; 1], [f64; 1]) = ([low], [low + extent]);
            let grid = Grid::new((&lows, &highs), 0.0);
            let at = |part: f64| f64::clamp(low + part * extent, lows[0], highs[0]);
            let (center, other) = (at(places.0), at(places.1));
            for radius in [radius, (other - center).abs(), (other - center).abs().next_up()] {
                let (apart, shell) = (grid.place(0, other).abs_diff(grid.place(0, center)), grid.shell(radius));
                let is_nearer = (other - center).abs() < radius;
                prop_assert!(apart >= shell.inner || is_nearer, "{apart} {shell:?} {grid:?}");
                prop_assert!(apart < shell.outer || !is_nearer, "{apart} {shell:?} {grid:?}");
            }
        }
    }
}
