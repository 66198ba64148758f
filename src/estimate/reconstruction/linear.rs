use std::num::NonZeroUsize;

use ndarray::{Array2, ArrayView2, s};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::decoded::{Decoded, Held};
use super::race::{WIDE, race};
use super::ridge::{self, Products};
use super::sides::Sides;
use crate::estimate::matrix::double as matrix;
use crate::estimate::{Element, EstimateError, Flag, Folds, Split};

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
/// Of over 256 units, penalties race: one that is worse than the best by four standard errors, sample by sample, is not
/// tried on further folds (`folds_until_decided` in the details); nor is one tried at all that lies beyond such a worse
/// one, seen from the middle of the list (`penalties_tried`). What differs from the cross-validation in full is the choice,
/// in the rare case that such a penalty would have won; with a given penalty the value is the same.
///
/// With a `rank`, the weights are those of reduced-rank regression: W less what lies outside the leading principal axes
/// of what it says of the training samples. The penalty is chosen without that.
///
/// # Cost
///
/// O(n d (d + p)) for the products, shared by all folds and penalties; then up to 256 units one eigendecomposition a
/// fold (one Cholesky factorization a fold and penalty where the target has fewer columns than the layer units), and
/// above one factorization a penalty that is still in the race. With more units than training samples the layer is first
/// rotated into the span of the training samples, which changes nothing in the fit. Memory, in numbers of 8 bytes: n
/// (d + 2p) for the samples; up to 256 units 5 (d² + d p) a fold, and above 3 (d² + d p), d no more than the samples, and
/// the samples of one fold once more.
///
/// # Reference
///
/// Hoerl and Kennard, "Ridge regression", *Technometrics* 12 (1970), equation 2.1.
/// [doi:10.1080/00401706.1970.10488634](https://doi.org/10.1080/00401706.1970.10488634); of a low rank: Izenman,
/// "Reduced-rank regression for the multivariate linear model", *Journal of Multivariate Analysis* 5 (1975).
/// [doi:10.1016/0047-259X(75)90042-1](https://doi.org/10.1016/0047-259X(75)90042-1)
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Linear {
    /// The penalties r to choose from, in units of the mean diagonal entry of the Gram matrix.
    pub relative_penalties: RelativePenalties,
    /// The number of parts of the training samples in the cross-validation that chooses.
    pub folds: Folds,
    /// The most dimensions in which what is rebuilt may vary; any number without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<NonZeroUsize>,
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
    /// Reconstructs the test rows of `target` from the layer `z`.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if there are fewer training samples than folds, or no test samples;
    /// [`EstimateError::Numeric`] if a factorization fails.
    ///
    /// # Panics
    ///
    /// If `split` names a row that `z` or `target` lacks.
    pub fn decode<T: Element, U: Element>(
        &self,
        z: ArrayView2<'_, T>,
        target: ArrayView2<'_, U>,
        split: &Split,
    ) -> Result<Decoded, EstimateError> {
        let (n_train, n_test) = (split.train.len(), split.test.len());
        if n_train < self.folds.get().max(2) || n_test == 0 {
            return Err(EstimateError::Degenerate {
                reason: format!(
                    "{n_train} training and {n_test} test samples do not make {} folds and a test; give more samples",
                    self.folds.get()
                ),
            });
        }
        let held = Held::new(target, split);
        let target = Sides::new(target, split, true);
        let layer = Sides::new(z, split, false);
        let n_units = layer.train.ncols();
        let fit = if n_units == 0 {
            Fit { predicted: Array2::zeros(target.test.dim()), chosen: None, rank: 0 }
        } else {
            self.fit(layer, &target, split)?
        };
        let mut decoded = Decoded::new(&held, fit.predicted, target.test);
        self.report(&mut decoded, (fit.chosen, fit.rank), (n_units, z.ncols()), n_train);
        Ok(decoded)
    }

    fn fit(&self, mut layer: Sides, target: &Sides, split: &Split) -> Result<Fit, EstimateError> {
        let (n_train, n_units) = layer.train.dim();
        let scale = layer.squares / n_units as f64;
        let alphas: Vec<f64> = self.relative_penalties.0.iter().map(|penalty| penalty * scale).collect();
        if n_units > n_train {
            layer = layer.within_train_span()?;
        }
        let folds = split.folds(self.folds.get());
        let (z, y) = (layer.train.view(), target.train.view());
        let (total, chosen, choice) = if z.ncols() > WIDE {
            let raced = race(z, y, &folds, &alphas)?;
            (raced.total, raced.chosen, (raced.folds, raced.tried))
        } else {
            let parts = Products::of_folds(z, y, &folds);
            let total = Products::total(&parts);
            let losses = ridge::cross_validated(z, y, &folds, &parts, &total, &alphas)?;
            let best = |best: usize, place: usize| if losses[place] <= losses[best] { place } else { best };
            (total, (0..alphas.len()).fold(0, best), (folds.len(), alphas.len()))
        };
        let (weights, rank) = rayon::join(|| total.weights(alphas[chosen]), || rank(total.gram()));
        let mut predicted = matrix::product_transposed(layer.test.view(), weights?.view());
        if let Some(most) = self.rank {
            predicted = of_rank(&predicted, &total.weights(alphas[chosen])?, &total, alphas[chosen], most.get())?;
        }
        Ok(Fit { predicted, chosen: Some((chosen, alphas[chosen], choice)), rank: rank? })
    }

    /// The numbers that a fit holds at most beside layer and target.
    pub(super) fn numbers(&self, n_samples: usize, n_units: usize, n_columns: usize) -> usize {
        let d = n_units.min(n_samples);
        let products = d * (d + n_columns);
        let fold = n_samples.div_ceil(self.folds.get()) * (d + 2 * n_columns);
        // Narrow: each fold's own, the total, and those of the folds that are decomposed at a time, here all of them.
        // Wide: the total, what a fold leaves of it, and a factor with its solutions.
        let of_products = if d > WIDE { 3 * products } else { (4 * self.folds.get() + 1) * products };
        let rotation = if n_units > n_samples { 3 * d * d + 2 * d * n_units } else { 0 };
        let low_rank = if self.rank.is_some() { 2 * d * d + d * n_columns + 3 * n_columns * n_columns } else { 0 };
        of_products + fold + rotation + low_rank
    }

    fn report(
        &self,
        decoded: &mut Decoded,
        (chosen, rank): (Option<Chosen>, usize),
        (n_units, n_all_units): (usize, usize),
        n_train: usize,
    ) {
        let mut details = Map::new();
        let mut detail = |name: &str, value: Value| details.insert(name.to_owned(), value);
        let mut flags = Vec::new();
        if let Some((index, alpha, (folds, tried))) = chosen {
            let penalties = &self.relative_penalties.0;
            detail("alpha", alpha.into());
            detail("relative_penalty", penalties[index].into());
            detail("folds_until_decided", folds.into());
            detail("penalties_tried", tried.into());
            if penalties.len() > 1 && (index == 0 || index == penalties.len() - 1) {
                flags.push(Flag::PenaltyAtEdge);
            }
        } else {
            flags.push(Flag::Constant);
        }
        detail("rank", rank.into());
        detail("n_train", n_train.into());
        if n_units < n_all_units {
            detail("constant_units", (n_all_units - n_units).into());
            flags.push(Flag::ConstantUnits);
        }
        if n_units > n_train {
            flags.push(Flag::MoreUnitsThanSamples);
        }
        if rank < n_units.min(n_train - 1) {
            flags.push(Flag::RankDeficient);
        }
        decoded.annotate(details, &flags);
    }
}

/// The place of the chosen penalty in the list, its absolute value, and the folds and penalties that it took.
type Chosen = (usize, f64, (usize, usize));

/// What was fitted.
struct Fit {
    /// What it says of the test samples, less the training means.
    predicted: Array2<f64>,
    chosen: Option<Chosen>,
    rank: usize,
}

/// Predictions without what lies outside the leading axes of the fit to the training samples.
///
/// The penalized fit is a plain one to samples with √α·I below them: its Gram matrix is that of both.
fn of_rank(
    predicted: &Array2<f64>,
    weights: &Array2<f64>,
    total: &Products,
    alpha: f64,
    most: usize,
) -> Result<Array2<f64>, EstimateError> {
    let mut gram = total.gram().to_owned();
    matrix::mirror(&mut gram);
    gram.diag_mut().mapv_inplace(|value| value + alpha);
    let half = matrix::product(weights.view(), gram.view());
    let eigen = matrix::eigen(matrix::product_transposed(half.view(), weights.view()).view())?;
    let axes = eigen.vectors.slice(s![..most.min(eigen.values.len()), ..]);
    let scores = matrix::product_transposed(predicted.view(), axes);
    Ok(matrix::product(scores.view(), axes))
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
