//! Numbers as people read them.

use serde_json::{Number, Value};

use super::curve::Point;

/// Three significant digits.
pub(in crate::report) fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{value:.2e}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 5")]
    let digits = if size == 0.0 { 2 } else { (2.0 - size.log10().floor()).clamp(0.0, 5.0) as usize };
    format!("{value:.digits$}")
}

/// A value with its standard error, where there is one, to the digits of the error.
pub(in crate::report) fn with_error(point: &Point) -> String {
    let Some(error) = point.std_error.filter(|error| *error > 0.0) else { return number(point.value) };
    if error < 1e-4 || point.value.abs() >= 1e5 {
        return format!("{} ± {error:.0e}", number(point.value));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 6")]
    let digits = (1.0 - error.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{:.digits$} ± {error:.digits$}", point.value)
}

/// A part of one as a percentage.
pub(in crate::report) fn percent(value: f64) -> String {
    format!("{:.1} %", 100.0 * value)
}

/// A number for the figures: five significant digits, which no screen shows more of.
pub(in crate::report) fn short(value: f64) -> Value {
    let rounded = format!("{value:.4e}").parse().ok().and_then(Number::from_f64);
    rounded.map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_errors_two() {
        assert_eq!([0.0, 2.2984, 0.01234, 123.4, 1e-7].map(number), ["0.00", "2.30", "0.0123", "123", "1.00e-7"]);
        let point =
            |value, std_error| Point { step: 0, value, std_error, interval: None, null_high: None, flagged: false };
        assert_eq!(with_error(&point(2.1934, Some(0.0412))), "2.193 ± 0.041");
        assert_eq!(with_error(&point(0.5, None)), "0.500");
        assert_eq!(with_error(&point(1.0, Some(0.0))), "1.00");
        assert_eq!((percent(0.9401), short(1.0 / 3.0)), ("94.0 %".to_owned(), Value::from(0.33333)));
        assert_eq!(short(f64::NAN), Value::Null);
    }
}
