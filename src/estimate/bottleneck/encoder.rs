use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use super::{Joint, not_negative, term};
use crate::estimate::{EstimateError, finite};

/// Rows of p(t|x) may miss one by as much: what printing and reading single precision costs.
const SUM_TOLERANCE: f64 = 1e-6;

/// A map from X to a variable T, with what T says of both sides.
///
/// # Formula
///
/// ```text
/// rate       I(X; T) = Σ p(x) p(t|x) ln p(t|x)/p(t)
/// relevance  I(T; Y) = Σ p(t) p(y|t) ln p(y|t)/p(y),   p(y|t) = Σ p(x) p(t|x) p(y|x) / p(t)
/// distortion E d_IB  = Σ p(x) p(t|x) KL(p(y|x) ‖ p(y|t)) = I(X; Y) − I(T; Y)
/// ```
///
/// The last equation holds whenever T depends on Y through X alone. The distortion is summed as it is defined, so that
/// the equation checks the computation.
///
/// # Use
///
/// Where p(t|x) is known: clusters of inputs, codebooks, stochastic layers over a finite set of inputs.
///
/// # Cost
///
/// O(|X| |T| |Y|).
///
/// # Reference
///
/// N. Tishby, F. Pereira, W. Bialek, The information bottleneck method, Allerton 1999,
/// <https://arxiv.org/abs/physics/0004057>; as a distortion of quantizers: H. Guo, M. Soflaei, Y. Mao, R. Zhang,
/// Aggregated learning, AAAI 2020, <https://arxiv.org/abs/2001.03955>. Neither paper's code was available.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    /// p(t|x), one row a value of X.
    pub(super) assignment: Array2<f64>,
    /// p(t).
    pub(super) p_t: Array1<f64>,
    /// p(y|t), one row a value of T; p(y) where T never takes the value.
    pub(super) decoder: Array2<f64>,
}

impl Encoder {
    /// An encoder of the values of X of `joint` from p(t|x), one row a row of the table that `joint` was made of.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] where rows are missing, or are no distributions.
    pub fn new(joint: &Joint, assignment: ArrayView2<'_, f64>, n_rows: usize) -> Result<Self, EstimateError> {
        let fail = |reason: String| EstimateError::Degenerate { reason };
        finite("the encoder", assignment).map_err(|error| fail(error.to_string()))?;
        if assignment.nrows() != n_rows {
            let found = assignment.nrows();
            return Err(fail(format!(
                "the encoder has {found} rows and the joint table {n_rows}; needed p(t|x) with one row a value of X"
            )));
        }
        for (row, values) in assignment.outer_iter().enumerate() {
            let sum = values.sum();
            if values.iter().any(|&value| value < 0.0) || (sum - 1.0).abs() > SUM_TOLERANCE {
                return Err(fail(format!(
                    "row {row} of the encoder sums to {sum}, with {} negative entries; needed probabilities p(t|x)",
                    values.iter().filter(|&&value| value < 0.0).count()
                )));
            }
        }
        let mut assignment = assignment.select(Axis(0), joint.rows());
        for mut row in assignment.outer_iter_mut() {
            row /= row.sum();
        }
        Ok(Self::from_assignment(joint, assignment))
    }

    /// The encoder of p(t|x), which has one row a value of X and needs no check.
    pub(super) fn from_assignment(joint: &Joint, assignment: Array2<f64>) -> Self {
        let weighted = &assignment * &joint.p_x().view().insert_axis(Axis(1));
        let p_t = weighted.sum_axis(Axis(0));
        let mut decoder = weighted.t().dot(&joint.posteriors());
        for (mut row, &p) in decoder.outer_iter_mut().zip(&p_t) {
            if p > 0.0 {
                row /= p;
            } else {
                row.assign(joint.p_y());
            }
        }
        Self { assignment, p_t, decoder }
    }

    /// I(X; T) in nats.
    #[must_use]
    pub fn rate(&self, joint: &Joint) -> f64 {
        let rows = self.assignment.outer_iter().zip(joint.p_x());
        let terms = rows.map(|(row, &p)| p * row.iter().zip(&self.p_t).map(|(&q, &p_t)| term(q, p_t)).sum::<f64>());
        not_negative(terms.sum())
    }

    /// I(T; Y) in nats.
    #[must_use]
    pub fn relevance(&self, joint: &Joint) -> f64 {
        let rows = self.decoder.outer_iter().zip(&self.p_t);
        let terms = rows.map(|(row, &p)| p * row.iter().zip(joint.p_y()).map(|(&q, &p_y)| term(q, p_y)).sum::<f64>());
        not_negative(terms.sum())
    }

    /// E `d_IB` in nats: what T leaves out of what X says of Y.
    #[must_use]
    pub fn distortion(&self, joint: &Joint) -> f64 {
        let divergences = joint.divergences(self.decoder.view());
        let weighted = self.assignment.outer_iter().zip(divergences.outer_iter()).zip(joint.p_x());
        // What is never encoded so may be infinitely far.
        let mean = |row: ArrayView1<'_, f64>, far: ArrayView1<'_, f64>| -> f64 {
            row.iter().zip(far).filter(|&(&q, _)| q > 0.0).map(|(&q, &far)| q * far).sum()
        };
        not_negative(weighted.map(|((row, far), &p)| p * mean(row, far)).sum())
    }

    /// H(T) in nats: the rate if the encoder is deterministic, more if it is not.
    #[must_use]
    pub fn entropy(&self) -> f64 {
        not_negative(-self.p_t.iter().map(|&p| term(p, 1.0)).sum::<f64>())
    }

    /// p(t|x), one row a value of X that occurs.
    #[must_use]
    pub fn assignment(&self) -> ArrayView2<'_, f64> {
        self.assignment.view()
    }
}
