use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::expand;
use super::fitted::{Classes, Fitted};
use super::kernels::Block;
use super::linear::Linear;
use super::standardize::Scaler;
use crate::estimate::{EstimateError, Split};

/// More features are refused: at 10,000 samples they take 160 MB twice, and a fit of them some seconds.
const MOST_FEATURES: usize = 4096;

/// Information about a label that a softmax-linear probe can read from the units and their products.
///
/// # Formula
///
/// ```text
/// q(·|z) = softmax(W·φ(s(z)) + b),   φ(s) = (sᵢ for all i, sᵢ·sⱼ for i ≤ j)
/// ```
///
/// s standardizes each of the d units by its mean and standard deviation on the training samples, and leaves out the
/// constant ones. Each of the d(d + 3)/2 features is standardized once more by the linear probe, whose penalty,
/// cross-validation and solution apply to them.
///
/// # Use
///
/// The least step beyond a linear probe: it also reads what a pair of units says together, as the direction in an
/// exclusive or of two of them, and borders between classes that are quadrics, as between normal classes whose covariances
/// differ. The optimum is unique and found exactly, unlike that of a network. Layers of more than 89 units make more than
/// 4096 features and are refused: compress them first, or take random features.
///
/// # Cost
///
/// That of the linear probe of d(d + 3)/2 units; beside its copy one f32 array of all features is held.
///
/// # Reference
///
/// Quadratic logistic discrimination, J. A. Anderson, *Biometrika* 62 (1975), the features; the penalized fit is that of
/// the linear probe.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Quadratic {
    /// How the probe of the features is fitted.
    pub linear: Linear,
}

impl Quadratic {
    /// Fits the probe to the training rows of z, one row a sample, and lets it judge the held-out rows.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if there are too many units.
    pub(super) fn fit<T: Copy + Into<f64> + Sync>(
        &self,
        z: ArrayView2<'_, T>,
        classes: &Classes<'_>,
        split: &Split,
    ) -> Result<Fitted, EstimateError> {
        // By the width of the layer, not by what varies: all checkpoints are refused, or none.
        if n_features(z.ncols()) > MOST_FEATURES {
            return Err(EstimateError::Degenerate {
                reason: format!(
                    "{} units have {} squares, products and values, more than {MOST_FEATURES}; compress the layer to 89 \
                     units at most, or probe it with `random-features`",
                    z.ncols(),
                    n_features(z.ncols())
                ),
            });
        }
        let scaler = Scaler::new(z, &split.train);
        let d = scaler.n_columns();
        let features = |block: Block<'_>, out: &mut [f32]| {
            let rows = block.features.chunks_exact(block.stride).zip(out.chunks_exact_mut(n_features(d)));
            for (units, out) in rows {
                let (values, mut products) = out.split_at_mut(d);
                values.copy_from_slice(&units[..d]);
                for (first, &unit) in values.iter().enumerate() {
                    let (row, rest) = products.split_at_mut(d - first);
                    for (product, other) in row.iter_mut().zip(&values[first..]) {
                        *product = unit * other;
                    }
                    products = rest;
                }
            }
        };
        Ok(expand::fit(&self.linear, (z, &scaler), classes, split, n_features(d), features))
    }
}

/// The units, their squares, and their products.
fn n_features(n_units: usize) -> usize {
    n_units * (n_units + 3) / 2
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::super::trials::{Trial, normals};
    use super::*;
    use crate::estimate::Flag;

    fn fit(trial: &Trial) -> Fitted {
        Quadratic::default().fit(trial.z.view(), &trial.classes(), &trial.split).unwrap()
    }

    #[test]
    fn reads_a_product_of_signs_that_a_linear_probe_does_not_see() {
        // What softmax(c·z₁z₂) reads at the best c, by integration over the plane (Gauss and Hermite,
        // scipy 1.17.1): a little less than all there is, .5789 and .1736.
        for (noise, readable) in [(0.5, 0.570_959_57), (1.0, 0.168_052_18)] {
            let trial = Trial::product(20_000, noise, 1);
            trial.assert_near(&fit(&trial), readable, 0.0);
            let linear = Linear::default().fit(trial.z.view(), &trial.classes(), &trial.split);
            trial.assert_near(&linear, 0.0, 0.0);
        }
    }

    #[test]
    fn says_which_units_were_constant_and_how_many_features_there_are() {
        let mut trial = Trial::orthogonal(400, 3, 2.0, 2);
        trial.z.column_mut(0).mapv_inplace(f64::signum);
        let fitted = fit(&trial);
        // The square of the first unit is constant after all, but no unit is.
        assert_eq!(fitted.details["n_features"], 9);
        assert!(!fitted.flags.contains(&Flag::ConstantUnits), "{:?}", fitted.flags);
        trial.z.column_mut(1).fill(3.0);
        let fitted = fit(&trial);
        assert!(fitted.details["n_features"] == 5 && fitted.flags.contains(&Flag::ConstantUnits));
        trial.z.fill(3.0);
        let fitted = fit(&trial);
        assert!(fitted.details["n_features"] == 0 && fitted.flags.contains(&Flag::Constant));
    }

    #[test]
    fn computes_every_product_once() {
        let trial = Trial { z: normals(3, 300, 5), ..Trial::signs(300, 1.0, 3) };
        let scaler = Scaler::new(trial.z.view(), &trial.split.train);
        let units = scaler.apply(trial.z.view(), &trial.split.train);
        let row = &units.block(7, 1).features[..5];
        let by_hand: Vec<f32> =
            row.iter().copied().chain((0..5).flat_map(|i| (i..5).map(move |j| row[i] * row[j]))).collect();
        // A linear probe of the features computed by hand is the same probe.
        let features = Array2::from_shape_fn((300, 20), |(sample, feature)| {
            let units = scaler.apply(trial.z.view(), &[sample]);
            let units = &units.block(0, 1).features[..5];
            let (mut i, mut place) = (0, feature);
            if feature < 5 {
                return units[feature];
            }
            place -= 5;
            while place >= 5 - i {
                place -= 5 - i;
                i += 1;
            }
            units[i] * units[i + place]
        });
        assert_eq!(features.row(7).to_vec(), by_hand);
        let by_hand = Linear::default().fit(features.view(), &trial.classes(), &trial.split);
        assert_eq!(fit(&trial).members[0].held_out, by_hand.members[0].held_out);
    }

    #[test]
    fn refuses_wide_layers_with_a_remedy() {
        let trial = Trial { z: normals(4, 40, 90), ..Trial::signs(40, 1.0, 4) };
        let refusal = Quadratic::default().fit(trial.z.view(), &trial.classes(), &trial.split).unwrap_err();
        assert!(refusal.to_string().contains("90 units have 4185"), "{refusal}");
        assert_eq!(n_features(89), 4094);
    }

    #[test]
    fn is_read_from_a_pipeline() {
        assert_eq!(toml::from_str::<Quadratic>("").unwrap(), Quadratic::default());
        assert_eq!(toml::from_str::<Quadratic>("linear = { folds = 3 }").unwrap().linear.folds.get(), 3);
        assert!(toml::from_str::<Quadratic>("folds = 3").is_err());
    }
}
