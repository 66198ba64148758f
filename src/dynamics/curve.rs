//! Values over steps.

use thiserror::Error;

/// Checkpoints that a curve needs: with fewer nothing can be seen to turn.
const FEWEST: usize = 3;

/// A measure over training, in the order of the steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    steps: Vec<u64>,
    values: Vec<f64>,
    errors: Option<Vec<f64>>,
}

/// Why points make no curve.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum CurveError {
    /// Too few points.
    #[error("found {found} checkpoints with a value, needed {FEWEST} to see a curve turn; give more checkpoints")]
    TooFew {
        /// Points that are there.
        found: usize,
    },
    /// Two values at one step.
    #[error("found two values at step {step}, needed one curve at a time; name the columns that tell curves apart")]
    Twice {
        /// The step.
        step: u64,
    },
    /// A value that is no number.
    #[error("found the value {value} at step {step}, needed finite numbers; leave such checkpoints out")]
    NotFinite {
        /// The step.
        step: u64,
        /// The value, or its standard error.
        value: f64,
    },
    /// Thresholds that are parts of the value mean nothing where it changes its sign.
    #[error(
        "found the value {value} at step {step}, needed positive ones: thresholds are parts of the value; \
         take parts of the range"
    )]
    NotPositive {
        /// The step.
        step: u64,
        /// The value.
        value: f64,
    },
}

impl Curve {
    /// The curve through points in any order: step, value, and the value's standard error where it is known.
    ///
    /// Errors count as known if each point has one.
    ///
    /// # Errors
    ///
    /// [`CurveError`] for fewer than three points, two at one step, values that are not finite, and negative errors.
    pub fn new(points: impl IntoIterator<Item = (u64, f64, Option<f64>)>) -> Result<Self, CurveError> {
        let mut points: Vec<(u64, f64, Option<f64>)> = points.into_iter().collect();
        points.sort_by_key(|point| point.0);
        if let Some(pair) = points.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(CurveError::Twice { step: pair[0].0 });
        }
        for &(step, value, error) in &points {
            if !value.is_finite() {
                return Err(CurveError::NotFinite { step, value });
            }
            if let Some(error) = error.filter(|error| !error.is_finite() || *error < 0.0) {
                return Err(CurveError::NotFinite { step, value: error });
            }
        }
        if points.len() < FEWEST {
            return Err(CurveError::TooFew { found: points.len() });
        }
        Ok(Self {
            steps: points.iter().map(|point| point.0).collect(),
            values: points.iter().map(|point| point.1).collect(),
            errors: points.iter().map(|point| point.2).collect(),
        })
    }

    /// The steps, in increasing order.
    #[must_use]
    pub fn steps(&self) -> &[u64] {
        &self.steps
    }

    /// The value at each step.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// One standard error of each value, if all are known.
    #[must_use]
    pub fn errors(&self) -> Option<&[f64]> {
        self.errors.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_curve() {
        let points = |values: &[f64]| (0..).zip(values).map(|(step, &value)| (step, value, None)).collect::<Vec<_>>();
        assert_eq!(Curve::new(points(&[1.0, 2.0])), Err(CurveError::TooFew { found: 2 }));
        assert!(matches!(Curve::new(points(&[1.0, f64::NAN, 2.0])), Err(CurveError::NotFinite { step: 1, .. })));
        assert_eq!(Curve::new([(3, 1.0, None), (1, 1.0, None), (3, 2.0, None)]), Err(CurveError::Twice { step: 3 }));
        assert!(Curve::new([(0, 1.0, Some(-1.0)), (1, 1.0, None), (3, 2.0, None)]).is_err());
    }

    #[test]
    fn errors_count_if_each_point_has_one() {
        let curve = |last: Option<f64>| Curve::new([(2, 1.0, Some(0.1)), (0, 3.0, Some(0.2)), (1, 2.0, last)]).unwrap();
        assert_eq!(curve(Some(0.3)).errors(), Some([0.2, 0.3, 0.1].as_slice()));
        assert_eq!(curve(None).errors(), None);
    }
}
