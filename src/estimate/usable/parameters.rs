//! The parameters of a probe, checked when they are read.

use serde::{Deserialize, Serialize};

/// Penalties to choose from, from the largest to the smallest; at least one, each positive.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct Penalties(Vec<f64>);

impl Penalties {
    /// The penalties in decreasing order.
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// Whether a chosen penalty is the smallest or the largest of several.
    #[must_use]
    pub fn is_edge(&self, chosen: Option<f64>) -> bool {
        let edges = [self.0.first().copied(), self.0.last().copied()];
        self.0.len() > 1 && chosen.is_some() && edges.contains(&chosen)
    }
}

impl Default for Penalties {
    /// Every power of ten from 10 to 10⁻⁴: the cross-entropy is flat about its minimum, finer steps change little, and
    /// single precision does not determine the fits of separable layers below.
    fn default() -> Self {
        Self(vec![10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4])
    }
}

impl TryFrom<Vec<f64>> for Penalties {
    type Error = String;

    fn try_from(mut penalties: Vec<f64>) -> Result<Self, String> {
        if penalties.is_empty() {
            return Err("`penalties` is empty; give one penalty at least".to_owned());
        }
        if let Some(penalty) = penalties.iter().find(|penalty| !(penalty.is_finite() && **penalty > 0.0)) {
            return Err(format!("penalty {penalty} is not positive; without one the minimum may not exist"));
        }
        penalties.sort_unstable_by(|a, b| b.total_cmp(a));
        penalties.dedup();
        Ok(Self(penalties))
    }
}

impl From<Penalties> for Vec<f64> {
    fn from(penalties: Penalties) -> Self {
        penalties.0
    }
}

/// A positive number: the largest entry of the gradient that is good enough.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Tolerance(f64);

impl Tolerance {
    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Default for Tolerance {
    /// 10⁻⁵: on standardized features the objective is then known to about eight digits.
    fn default() -> Self {
        Self(1e-5)
    }
}

impl TryFrom<f64> for Tolerance {
    type Error = String;

    fn try_from(tolerance: f64) -> Result<Self, String> {
        if tolerance.is_finite() && tolerance > 0.0 {
            Ok(Self(tolerance))
        } else {
            Err(format!("tolerance {tolerance} is not positive"))
        }
    }
}

impl From<Tolerance> for f64 {
    fn from(tolerance: Tolerance) -> Self {
        tolerance.0
    }
}
