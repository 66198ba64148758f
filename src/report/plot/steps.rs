//! The axis of steps: logarithmic in 1 + step, so that step 0 has its place.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Steps from 0 to the last one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    last: f64,
}

impl Steps {
    pub(super) fn to(last: u64) -> Self {
        Self { last: last.max(1) as f64 }
    }
}

impl Ranged for Steps {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let part = value.ln_1p() / self.last.ln_1p();
        #[expect(clippy::cast_possible_truncation, reason = "a place on a screen")]
        let place = (part * f64::from(limit.1 - limit.0)).round() as i32;
        limit.0 + place
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        let powers = (0..).map(|power| 10_f64.powi(power)).take_while(|power| *power <= self.last);
        [0.0].into_iter().chain(powers).collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..self.last
    }
}

impl ValueFormatter<f64> for Steps {
    fn format_ext(&self, value: &f64) -> String {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_0_has_a_place_and_equal_factors_equal_distances_far_from_it() {
        let steps = Steps::to(9999);
        let place = |step: f64| steps.map(&step, (100, 500));
        assert_eq!([0.0, 9.0, 99.0, 999.0, 9999.0].map(place), [100, 200, 300, 400, 500]);
        assert_eq!(steps.key_points(10_usize), [0.0, 1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(Steps::to(0).map(&0.0, (0, 9)), 0);
    }
}
