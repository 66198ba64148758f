use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::{not_negative, term};
use crate::estimate::{EstimateError, finite};

/// A finite joint distribution p(x, y), one row a value of X, one column a value of Y.
#[derive(Clone, Debug, PartialEq)]
pub struct Joint {
    /// p(x), all positive.
    p_x: Array1<f64>,
    /// p(y).
    p_y: Array1<f64>,
    /// p(y|x), one row a value of X.
    posteriors: Array2<f64>,
    /// The rows of the table that these values of X had.
    rows: Vec<usize>,
}

impl Joint {
    /// The distribution that is proportional to a table: of probabilities, or of counts.
    ///
    /// Values of X that never occur are left out: nothing depends on them.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] for a table that is empty or without a positive entry, or with one that is
    /// negative or not finite.
    pub fn new(table: ArrayView2<'_, f64>) -> Result<Self, EstimateError> {
        let fail = |reason: String| EstimateError::Degenerate { reason };
        finite("the joint table", table).map_err(|error| fail(error.to_string()))?;
        if let Some(((row, column), value)) = table.indexed_iter().find(|&(_, &value)| value < 0.0) {
            return Err(fail(format!(
                "the joint table holds {value} at row {row}, column {column}; needed probabilities or counts"
            )));
        }
        let total = table.sum();
        if !(total > 0.0 && total.is_finite()) {
            return Err(fail(format!("the joint table sums to {total}; needed a positive, finite sum")));
        }
        let weights = table.sum_axis(Axis(1));
        let rows: Vec<usize> = (0..table.nrows()).filter(|&row| weights[row] > 0.0).collect();
        let mut posteriors = table.select(Axis(0), &rows);
        for (mut posterior, &row) in posteriors.outer_iter_mut().zip(&rows) {
            posterior /= weights[row];
        }
        let p_x = weights.select(Axis(0), &rows) / total;
        Ok(Self { p_x, p_y: table.sum_axis(Axis(0)) / total, posteriors, rows })
    }

    /// p(x) of the values that occur.
    #[must_use]
    pub fn p_x(&self) -> &Array1<f64> {
        &self.p_x
    }

    /// p(y).
    #[must_use]
    pub fn p_y(&self) -> &Array1<f64> {
        &self.p_y
    }

    /// p(y|x), one row a value of X that occurs.
    #[must_use]
    pub fn posteriors(&self) -> ArrayView2<'_, f64> {
        self.posteriors.view()
    }

    /// The rows of the table that hold the values of X that occur.
    #[must_use]
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// H(X) in nats.
    #[must_use]
    pub fn entropy_x(&self) -> f64 {
        not_negative(-self.p_x.iter().map(|&p| term(p, 1.0)).sum::<f64>())
    }

    /// H(Y) in nats.
    #[must_use]
    pub fn entropy_y(&self) -> f64 {
        not_negative(-self.p_y.iter().map(|&p| term(p, 1.0)).sum::<f64>())
    }

    /// I(X; Y) in nats.
    #[must_use]
    pub fn information(&self) -> f64 {
        not_negative(self.divergences(self.p_y.view().insert_axis(Axis(0))).column(0).dot(&self.p_x))
    }

    /// KL(p(y|x) ‖ q(y|t)) in nats of each x and each row of `q`; infinite where q excludes what p allows.
    pub(super) fn divergences(&self, q: ArrayView2<'_, f64>) -> Array2<f64> {
        Array2::from_shape_fn((self.p_x.len(), q.nrows()), |(x, t)| {
            self.posteriors.row(x).iter().zip(q.row(t)).map(|(&p, &q)| term(p, q)).sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn counts_are_probabilities_and_what_never_occurs_is_left_out() {
        let joint = Joint::new(array![[3.0, 1.0], [0.0, 0.0], [1.0, 3.0]].view()).unwrap();
        assert_eq!(
            joint,
            Joint { rows: vec![0, 2], ..Joint::new(array![[0.375, 0.125], [0.125, 0.375]].view()).unwrap() }
        );
        let quarter = 0.25_f64;
        let expected = 2.0_f64.ln() + quarter * quarter.ln() + 0.75 * 0.75_f64.ln();
        // A few roundings of numbers below one.
        assert!((joint.information() - expected).abs() < 1e-15, "{}", joint.information());
        assert!((joint.entropy_x() - 2.0_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn tables_that_are_no_distributions_are_refused() {
        for (table, words) in [
            (array![[0.5, -0.1]], "holds -0.1 at row 0, column 1"),
            (array![[0.0, 0.0]], "sums to 0"),
            (array![[f64::NAN, 0.0]], "NaN at row 0, column 0"),
        ] {
            let error = Joint::new(table.view()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
