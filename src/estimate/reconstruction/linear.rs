use ndarray::{Array1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::ridge::{self, Products};
use super::sides::Sides;
use crate::estimate::matrix::double as matrix;
use crate::estimate::{Element, Estimate, EstimateError, Flag, Folds, Split, Unit};

/// Directions with less than this part of the layer's largest variance do not count toward its rank.
const CUTOFF: f64 = 1e-10;

/// Steps toward the largest eigenvalue.
const POWER_ITERATIONS: usize = 12;

/// The held-out loss of the best linear decoder, in closed form.
///
/// # Formula
///
/// ```text
/// minimize  Σᵢ |xᵢ − b − W zᵢ|² + α |W|²   over the training samples,   α = r · tr(G) / d
/// value  =  mean over test samples and target columns of (x − b − W z)²
/// ```
///
/// where z is the layer with d varying units, x the target, G = Σᵢ (zᵢ − z̄)(zᵢ − z̄)ᵀ the layer's Gram matrix over the
/// training samples, and r the relative penalty. The intercept b is not penalized. The absolute α, which is that of
/// `Ridge(alpha)` in scikit-learn, is recorded, and is the same in every fold.
///
/// # Use
///
/// How much of the input is linearly present in a layer; in the limit of many samples the residual variance
/// `tr(Sₓ − Sₓ_z S_z⁻¹ S_zₓ)` per element. The penalty is relative because a layer's scale changes by orders of
/// magnitude in training. It is chosen by the summed squared error over folds of the training samples, the larger
/// one if two are equal. A nonlinear decoder may recover more.
///
/// # Cost
///
/// O(n d (d + p)) for the products, shared by all folds and penalties; then one eigendecomposition a fold, or for
/// layers of over 640 units or more units than the target has columns one Cholesky factorization a fold and penalty. With more units than training samples the layer is first
/// rotated into the span of the training samples, which changes nothing in the fit. Memory: one d × d matrix a fold.
///
/// # Reference
///
/// Hoerl and Kennard, "Ridge regression", *Technometrics* 12 (1970), equation 2.1.
/// [doi:10.1080/00401706.1970.10488634](https://doi.org/10.1080/00401706.1970.10488634)
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Linear {
    /// The penalties r to choose from, in units of the mean diagonal entry of the Gram matrix.
    pub relative_penalties: RelativePenalties,
    /// The number of parts of the training samples in the cross-validation that chooses.
    pub folds: Folds,
}

/// Positive finite penalties in increasing order, one at least.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct RelativePenalties(Vec<f64>);

impl Default for RelativePenalties {
    /// From next to nothing, for a layer that holds the target whole, to next to the mean, for one that is noise.
    fn default() -> Self {
        Self(vec![1e-6, 1e-4, 1e-2, 1.0, 100.0])
    }
}

impl TryFrom<Vec<f64>> for RelativePenalties {
    type Error = String;

    fn try_from(mut penalties: Vec<f64>) -> Result<Self, String> {
        if penalties.is_empty() {
            return Err("needs one penalty at least".to_owned());
        }
        if let Some(penalty) = penalties.iter().find(|penalty| !penalty.is_finite() || **penalty <= 0.0) {
            return Err(format!("penalty {penalty} is not positive and finite"));
        }
        penalties.sort_by(f64::total_cmp);
        penalties.dedup();
        Ok(Self(penalties))
    }
}

impl From<RelativePenalties> for Vec<f64> {
    fn from(penalties: RelativePenalties) -> Self {
        penalties.0
    }
}

impl Linear {
    /// Estimates the loss of reconstructing `target` from the layer `z` on the test rows of `split`.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if there are fewer training samples than folds, or no test samples;
    /// [`EstimateError::Numeric`] if a factorization fails.
    ///
    /// # Panics
    ///
    /// If `split` names a row that `z` or `target` lacks.
    pub fn estimate<T: Element, U: Element>(
        &self,
        z: ArrayView2<'_, T>,
        target: ArrayView2<'_, U>,
        split: &Split,
    ) -> Result<Estimate, EstimateError> {
        let (n_train, n_test) = (split.train.len(), split.test.len());
        if n_train < self.folds.get().max(2) || n_test == 0 {
            return Err(EstimateError::Degenerate {
                reason: format!(
                    "{n_train} training and {n_test} test samples do not make {} folds and a test; give more samples",
                    self.folds.get()
                ),
            });
        }
        let target = Sides::new(target, split, true);
        let layer = Sides::new(z, split, false);
        let mean_losses = target.test.map_axis(Axis(1), |row| row.dot(&row));
        let n_units = layer.train.ncols();
        let mut fit = if n_units == 0 { Fit::mean(mean_losses.clone()) } else { self.fit(layer, &target, split)? };
        fit.n_units = n_units;
        Ok(self.reported(fit, &mean_losses, &target, z.ncols(), split))
    }

    fn fit(&self, mut layer: Sides, target: &Sides, split: &Split) -> Result<Fit, EstimateError> {
        let (n_train, n_units) = layer.train.dim();
        let scale = layer.squares / n_units as f64;
        let alphas: Vec<f64> = self.relative_penalties.0.iter().map(|penalty| penalty * scale).collect();
        if n_units > n_train {
            layer = layer.within_train_span()?;
        }
        let folds = split.folds(self.folds.get());
        let parts = Products::of_folds(layer.train.view(), target.train.view(), &folds);
        let total = Products::total(&parts);
        let mut chosen = 0;
        if alphas.len() > 1 {
            let losses =
                ridge::cross_validated(layer.train.view(), target.train.view(), &folds, &parts, &total, &alphas)?;
            for (index, loss) in losses.iter().enumerate() {
                if *loss <= losses[chosen] {
                    chosen = index;
                }
            }
        }
        let (weights, rank) = rayon::join(|| total.weights(alphas[chosen]), || rank(total.gram()));
        Ok(Fit {
            losses: ridge::squared_errors(layer.test.view(), target.test.view(), &weights?),
            chosen: Some((chosen, alphas[chosen])),
            rank: rank?,
            n_units,
        })
    }

    fn reported(
        &self,
        fit: Fit,
        mean_losses: &Array1<f64>,
        target: &Sides,
        n_all_units: usize,
        split: &Split,
    ) -> Estimate {
        let (n_train, n_test, p) = (split.train.len(), split.test.len(), target.test.ncols() as f64);
        let value = fit.losses.sum() / n_test as f64 / p;
        let spread = fit.losses.iter().map(|loss| (loss / p - value).powi(2)).sum::<f64>();
        let std_error = (n_test > 1).then(|| (spread / (n_test as f64 - 1.0) / n_test as f64).sqrt());
        let mut estimate = Estimate::new(value, Unit::SquaredUnits, std_error, n_test);
        let mean_loss = mean_losses.sum() / n_test as f64 / p;
        estimate.detail("mean_predictor_loss", mean_loss);
        estimate.detail("fraction_unexplained", value / mean_loss);
        if let Some((index, alpha)) = fit.chosen {
            let penalties = &self.relative_penalties.0;
            estimate.detail("alpha", alpha);
            estimate.detail("relative_penalty", penalties[index]);
            if penalties.len() > 1 && (index == 0 || index == penalties.len() - 1) {
                estimate.flag(Flag::PenaltyAtEdge);
            }
        } else {
            estimate.flag(Flag::Constant);
        }
        estimate.detail("rank", fit.rank);
        estimate.detail("n_train", n_train);
        if fit.n_units < n_all_units {
            estimate.detail("constant_units", n_all_units - fit.n_units);
            estimate.flag(Flag::ConstantUnits);
        }
        if fit.n_units > n_train {
            estimate.flag(Flag::MoreUnitsThanSamples);
        }
        if fit.rank < fit.n_units.min(n_train - 1) {
            estimate.flag(Flag::RankDeficient);
        }
        estimate
    }
}

/// What was fitted and how it does.
struct Fit {
    /// The summed squared error of each test sample.
    losses: Array1<f64>,
    /// The place of the chosen penalty in the list, and its absolute value.
    chosen: Option<(usize, f64)>,
    rank: usize,
    /// The units that vary.
    n_units: usize,
}

impl Fit {
    /// Prediction by the training mean.
    fn mean(losses: Array1<f64>) -> Self {
        Self { losses, chosen: None, rank: 0, n_units: 0 }
    }
}

/// The number of eigenvalues that count, found without an eigendecomposition.
fn rank(gram: ArrayView2<'_, f64>) -> Result<usize, EstimateError> {
    // The largest eigenvalue needs no more than its order of magnitude, which a few power iterations give.
    let mut direction = gram.diag().to_owned();
    let mut largest = 0.0;
    for _ in 0..POWER_ITERATIONS {
        direction /= direction.dot(&direction).sqrt();
        let image = matrix::symmetric_image(gram, &direction);
        largest = direction.dot(&image);
        direction = image;
    }
    matrix::eigenvalues_above(gram, CUTOFF * largest)
}
