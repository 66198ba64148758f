use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use serde_json::{Map, Value};

use super::parameters::Penalties;
use crate::estimate::reconstruction::ridge::{Products, cross_validated, squared_errors};
use crate::estimate::reconstruction::sides::Sides;
use crate::estimate::{Element, EstimateError, Flag, Folds, Split};

/// Information about a continuous target that a linear probe with normal errors can read.
///
/// # Formula
///
/// ```text
/// I_u(Z → Y) = ⟨ln q(y|z) − ln q₀(y)⟩
/// q(y|z)     = N(y; w·s(z) + b, σ²)
/// q₀(y)      = N(y; ȳ, v)
/// (w, b)     = argmin ½⟨(y − w·s(z) − b)²⟩ + λ/2 · |w|²
/// ```
///
/// The first mean is over held-out samples; the second one, ȳ and v (mean and mean squared deviation of the target) are
/// over the training samples. s standardizes each unit by its mean and standard deviation on the training samples; units
/// that are constant there (deviation under 10⁻⁶ of the mean) are left out. q₀ is the best member of the family that does
/// not look at z.
///
/// λ is the one of `penalties` with the least squared error in `folds`-fold cross-validation within the training samples,
/// the larger one of equals, and σ² is that mean squared error: the one of samples that a probe of the other folds did
/// not see. λ corresponds to scikit-learn's `Ridge(alpha=λ·n)`.
///
/// # Use
///
/// For jointly normal layers and targets it comes to the mutual information, −ln(1 − ρ²)/2 in one dimension; otherwise it
/// is what the best linear prediction is worth. It does not depend on the unit of the target. The held-out R² is
/// `1 − Σ(y − ŷ)²/Σ(y − ȳ)²` about the training mean, so that a probe without weights has exactly 0 only if it predicts
/// that mean. A target that the layer fixes exactly and linearly has no finite value: what is reported then is set by the
/// smallest penalty, which is flagged. Errors that are far from normal, or of a size that varies, cost information that
/// another family would read.
///
/// # Cost
///
/// O(n·d²) for the products, shared by all folds and penalties, and O(d³/3) for each fold and penalty. With more units
/// than training samples the layer is first rotated into their span, which changes nothing in the fit. Two f64 copies of
/// the varying units and one d × d matrix for each fold are held.
///
/// # Reference
///
/// Y. Xu, S. Zhao, J. Song, R. Stewart, S. Ermon, A theory of usable information under computational constraints, ICLR
/// 2020, definition 2, for a family of normal distributions; A. Hoerl, R. Kennard, Ridge regression,
/// *Technometrics* 12 (1970), equation 2.1.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Gaussian {
    /// The penalties to choose from, λ in the formula; all powers of ten from 10 to 10⁻⁴ in the default.
    pub penalties: Penalties,
    /// The parts of the training samples for cross-validation.
    pub folds: Folds,
}

/// What a probe says of held-out values of a continuous target.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Regression {
    /// `ln q(y|z) − ln q₀(y)` of each held-out sample, in the order of the split, in nats.
    pub pointwise: Vec<f64>,
    /// `r2`, `rmse`, `sigma` and `target_deviation` (√v, the last three in the target's unit), and `penalty`.
    pub details: Map<String, Value>,
    /// Reasons for doubt.
    pub flags: Vec<Flag>,
}

impl Gaussian {
    /// Fits the probe to the training rows of z, one row a sample, and judges it by the held-out rows; `target` has the
    /// value of each row, of no meaning for rows outside of the split.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if there are fewer training samples than folds, no held-out ones, or a target that
    /// varies only among the held-out ones; [`EstimateError::Numeric`] if a factorization fails or a value is not finite.
    pub(super) fn fit<T: Element>(
        &self,
        z: ArrayView2<'_, T>,
        target: ArrayView1<'_, f64>,
        split: &Split,
    ) -> Result<Regression, EstimateError> {
        let n_train = split.train.len();
        if n_train < self.folds.get() || split.test.is_empty() {
            return Err(EstimateError::Degenerate {
                reason: format!(
                    "{n_train} training and {} held-out samples do not make {} folds and a test; give more samples",
                    split.test.len(),
                    self.folds.get()
                ),
            });
        }
        let target = Sides::new(target.insert_axis(Axis(1)), split, true);
        let mut flags = Vec::new();
        let distances = target.test.column(0).mapv(|distance| distance * distance);
        let total = target.squares / n_train as f64;
        if total == 0.0 {
            if distances.iter().any(|&distance| distance > 0.0) {
                return Err(EstimateError::Degenerate {
                    reason: "the target varies among the held-out samples but is constant in training; split otherwise"
                        .to_owned(),
                });
            }
            let pointwise = vec![0.0; split.test.len()];
            return Ok(Regression { pointwise, details: Map::new(), flags: vec![Flag::Constant] });
        }
        let layer = Sides::standardized(z, split);
        let n_units = layer.train.ncols();
        if n_units == 0 {
            flags.push(Flag::Constant);
        } else if n_units < z.ncols() {
            flags.push(Flag::ConstantUnits);
        }
        if n_units > n_train {
            flags.push(Flag::MoreUnitsThanSamples);
        }
        let fit = if n_units == 0 { Fit::mean(distances.clone(), total) } else { self.ridge(layer, &target, split)? };
        if self.penalties.is_edge(fit.penalty) {
            flags.push(Flag::PenaltyAtEdge);
        }
        let pointwise: Vec<f64> = fit
            .errors
            .iter()
            .zip(&distances)
            .map(|(error, distance)| 0.5 * ((total / fit.variance).ln() - error / fit.variance + distance / total))
            .collect();
        if let Some(value) = pointwise.iter().find(|value| !value.is_finite()) {
            return Err(EstimateError::Numeric {
                step: "the linear probe with normal errors",
                reason: format!("a sample has {value} nats, at a variance of {} of {total}", fit.variance),
            });
        }
        Ok(Regression { pointwise, details: details(&fit, &distances, total), flags })
    }

    fn ridge(&self, mut layer: Sides, target: &Sides, split: &Split) -> Result<Fit, EstimateError> {
        let n_train = split.train.len();
        if layer.train.ncols() > n_train {
            layer = layer.within_train_span()?;
        }
        let penalties = self.penalties.as_slice();
        let alphas: Vec<f64> = penalties.iter().map(|penalty| penalty * n_train as f64).collect();
        let folds = split.folds(self.folds.get());
        let parts = Products::of_folds(layer.train.view(), target.train.view(), &folds);
        let total = Products::total(&parts);
        let losses = cross_validated(layer.train.view(), target.train.view(), &folds, &parts, &total, &alphas)?;
        let mut chosen = 0;
        for (index, loss) in losses.iter().enumerate() {
            if *loss < losses[chosen] {
                chosen = index;
            }
        }
        let weights = total.weights(alphas[chosen])?;
        Ok(Fit {
            errors: squared_errors(layer.test.view(), target.test.view(), &weights),
            variance: losses[chosen] / n_train as f64,
            penalty: Some(penalties[chosen]),
        })
    }
}

/// A probe and how it does.
struct Fit {
    /// The squared error of each held-out sample.
    errors: Array1<f64>,
    /// σ².
    variance: f64,
    /// The penalty that was chosen; none without units.
    penalty: Option<f64>,
}

impl Fit {
    /// q₀.
    fn mean(errors: Array1<f64>, variance: f64) -> Self {
        Self { errors, variance, penalty: None }
    }
}

fn details(fit: &Fit, distances: &Array1<f64>, total: f64) -> Map<String, Value> {
    let n = distances.len() as f64;
    // NaN, and so no value, where all held-out samples lie at the training mean.
    let r2 = 1.0 - fit.errors.sum() / distances.sum();
    let mut details = Map::new();
    details.insert("r2".to_owned(), r2.into());
    details.insert("rmse".to_owned(), (fit.errors.sum() / n).sqrt().into());
    details.insert("sigma".to_owned(), fit.variance.sqrt().into());
    details.insert("target_deviation".to_owned(), total.sqrt().into());
    details.insert("penalty".to_owned(), fit.penalty.into());
    details
}

#[cfg(test)]
mod tests;
