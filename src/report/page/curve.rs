//! Values over training, with what may be said of the difference between two of them.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::report::Answer;
use crate::table::CurveColumns;

/// One measure of every layer.
#[derive(Clone, Debug)]
pub(in crate::report) struct Measure {
    /// What tells it from the others, the same in every run.
    pub key: String,
    /// What it is called.
    pub title: String,
    /// What it is of.
    pub columns: CurveColumns,
    /// Its unit.
    pub unit: String,
    /// One series a layer; a single one of the network itself.
    pub series: Vec<Series>,
}

/// One measure of one layer, in the order of the steps.
#[derive(Clone, Debug, Default)]
pub(in crate::report) struct Series {
    /// The checkpoints that have a value.
    pub points: Vec<Point>,
}

/// A value at one checkpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::report) struct Point {
    pub step: u64,
    pub value: f64,
    pub std_error: Option<f64>,
    pub interval: Option<(f64, f64)>,
    pub null_high: Option<f64>,
    pub flagged: bool,
}

/// Measures that are headlines: the others follow from them.
const MAIN: [&str; 6] = ["information", "usable", "usable-given", "reconstruction", "gradient-snr", "typical-overlap"];

impl Measure {
    /// Whether it is one that the page speaks of first.
    pub(in crate::report) fn is_main(&self) -> bool {
        MAIN.contains(&self.columns.measure.as_str()) && self.columns.class.is_none()
    }

    /// Whether it is a measure of this name against this variable, or against anything but the input.
    pub(in crate::report) fn is(&self, measure: &str, of_input: bool) -> bool {
        let input = self.columns.variable.as_deref() == Some("input");
        self.columns.measure == measure && self.columns.class.is_none() && input == of_input
    }
}

impl Point {
    /// The interval of the row, or 1.96 standard errors about the value; none where neither is known.
    pub(in crate::report) fn band(&self) -> Option<(f64, f64)> {
        let of_error = |error: f64| (self.value - 1.96 * error, self.value + 1.96 * error);
        self.interval.or(self.std_error.map(of_error))
    }

    /// Whether two values differ by more than their errors allow where the pair was chosen among so many.
    ///
    /// The errors are taken as independent: values of the same samples vary together, so that a difference is called
    /// resolved too rarely rather than too often. None where an error is not known.
    pub(in crate::report) fn differs(&self, other: &Self, choices: usize) -> Option<bool> {
        let error = self.error()?.hypot(other.error()?);
        Some((self.value - other.value).abs() > bar(choices) * error)
    }

    /// One standard error, taken from the interval where the row has no other.
    fn error(&self) -> Option<f64> {
        self.std_error.or(self.interval.map(|(low, high)| (high - low) / (2.0 * 1.96)))
    }
}

/// Standard errors that the largest of so many differences exceeds one time in twenty where there are none (Bonferroni).
fn bar(choices: usize) -> f64 {
    let normal = Normal::standard();
    normal.inverse_cdf(1.0 - 0.025 / choices.max(1) as f64)
}

/// Loss and accuracy of the network itself; the error of an accuracy is the binomial one.
pub(in crate::report) fn network(checkpoints: &Answer) -> Vec<Measure> {
    let of = |measure: &str, place: usize| {
        let points = checkpoints.rows.iter().filter_map(|row| {
            let value = row[place].as_f64()?;
            let binomial = (value * (1.0 - value) / row[3].as_f64()?).sqrt();
            let flagged = row[4].as_array().is_some_and(|flags| !flags.is_empty());
            let std_error = (measure == "accuracy").then_some(binomial);
            Some(Point { step: row[0].as_u64()?, value, std_error, interval: None, null_high: None, flagged })
        });
        let series = Series { points: points.collect() };
        let columns = CurveColumns { measure: measure.to_owned(), ..CurveColumns::default() };
        let unit = if measure == "loss" { "nats" } else { "fraction" }.to_owned();
        Measure { key: measure.to_owned(), title: measure.to_owned(), columns, unit, series: vec![series] }
    };
    [of("loss", 1), of("accuracy", 2)].into_iter().filter(|measure| !measure.series[0].points.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(value: f64, std_error: Option<f64>, interval: Option<(f64, f64)>) -> Point {
        Point { step: 0, value, std_error, interval, null_high: None, flagged: false }
    }

    #[test]
    fn one_difference_needs_two_errors_and_the_largest_of_many_needs_more() {
        assert!((bar(1) - 1.96).abs() < 1e-3);
        // Of a thousand, the 0.999975 quantile of the normal distribution.
        assert!((bar(1000) - 4.0556).abs() < 1e-3, "{}", bar(1000));
        let (low, high) = (point(1.0, Some(0.1), None), point(1.3, Some(0.1), None));
        assert_eq!((low.differs(&high, 1), low.differs(&high, 100)), (Some(true), Some(false)));
    }

    #[test]
    fn an_interval_stands_in_for_an_error_and_nothing_stands_in_for_none() {
        let known = point(2.0, None, Some((1.9, 2.1)));
        assert_eq!(known.differs(&point(2.5, None, Some((2.4, 2.6))), 1), Some(true));
        assert_eq!(known.differs(&point(2.1, None, Some((2.0, 2.2))), 1), Some(false));
        assert_eq!(known.differs(&point(9.0, None, None), 1), None);
        assert_eq!(point(1.0, Some(0.5), None).band(), Some((1.0 - 0.98, 1.98)));
    }
}
