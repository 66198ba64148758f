use std::num::NonZeroUsize;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::entropy::{Form, Weights};
use super::pairs::enough;
use super::{ContinuousInformation, Kept, LabelInformation, Several, three_entropies};
use crate::estimate::{Estimate, EstimateError, Labels, Paired};

/// Information by the entropy estimator of Kozachenko and Leonenko.
///
/// # Formula
///
/// ```text
/// I(X; Y) = h(X) + h(Y) − h(X, Y)          I(X; Y) = h(X) − Σ p(y) h(X|y) of a label
/// h(X) = ln(n − 1) − ψ(k) + ln V_d + d ⟨ln rᵢ⟩
/// ```
///
/// where ψ is the digamma function, n the number of samples, `V_d` the volume of the unit ball in d dimensions, and rᵢ the
/// Euclidean distance of sample i to its k-th neighbor. (Others have ψ(n) for ln(n − 1): 1/2n more an entropy.) The same
/// k serves all entropies, and [`Form`] says in which coordinates. Not clamped at zero.
///
/// # Use
///
/// For densities in few dimensions that are not concentrated on a surface. The biases of the entropies do not cancel, as
/// they do in [`Ksg`](super::Ksg): strong dependence in more than two dimensions comes out low by nats with k = 5.
/// Repeated values are refused. The whitened form does not change where either variable is mapped linearly.
///
/// # Cost
///
/// Three searches of neighbors; several k share them.
///
/// # Reference
///
/// L. F. Kozachenko, N. N. Leonenko, Sample estimate of the entropy of a random vector, Problems of Information
/// Transmission 23, 95–101 (1987). The whitened form and its error: I. Butakov et al., Information bottleneck analysis of
/// deep neural networks via lossy compression, ICLR 2024, <https://arxiv.org/abs/2305.08013>.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KozachenkoLeonenko {
    /// The neighbor whose distance tells the density, k in the formula; or several, each for an estimate.
    pub neighbors: Several<NonZeroUsize>,
    /// In which coordinates, and with which standard error.
    #[serde(default)]
    pub form: Form,
}

impl KozachenkoLeonenko {
    #[expect(clippy::unnecessary_wraps, reason = "weights of other estimators can be impossible")]
    fn weights(&self, _: usize) -> Result<Vec<Weights>, EstimateError> {
        Ok(self.neighbors.as_slice().iter().map(|&k| vec![(k, 1.0)]).collect())
    }
}

impl ContinuousInformation for KozachenkoLeonenko {
    fn estimates_of_series(&self, samples: Paired<'_>, kept: &Kept) -> Result<Vec<Estimate>, EstimateError> {
        enough(samples.len(), self.neighbors.largest())?;
        three_entropies::continuous((samples, kept), self.form, &|d| self.weights(d))
    }

    fn kept_bytes(&self, _: usize) -> usize {
        self.neighbors.as_slice().len() * size_of::<f64>()
    }

    fn shuffled(&self, samples: Paired<'_>, orders: &[Vec<usize>]) -> Result<Vec<Vec<f64>>, EstimateError> {
        three_entropies::shuffled(samples, self.form, &|d| self.weights(d), orders)
    }
}

impl LabelInformation for KozachenkoLeonenko {
    fn estimates(&self, x: ArrayView2<'_, f64>, labels: &Labels) -> Result<Vec<Estimate>, EstimateError> {
        three_entropies::labeled(x, labels, (self.form, self.neighbors.largest()), &|d| self.weights(d))
    }
}
