use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::class_means::{Means, Sum};
use super::fitted::{Classes, Fitted, Member, Unseen};
use super::scale::{End, Scale, Scores, log_softmax};
use super::standardize::{Features, Scaler};
use crate::estimate::{EstimateError, Flag, Folds, Split};

/// The largest 1/σ² that is tried.
const MOST: f64 = 1e9;

/// Information about a label that the distances to the class means show.
///
/// # Formula
///
/// ```text
/// q(y|z) ∝ p(y) · exp(−|s(z) − μ_y|² / 2σ²)
/// ```
///
/// s standardizes each unit by its mean and standard deviation on the training samples (units that are constant there
/// are left out), `μ_y` is the mean of s(z) over the training samples of class y, and p(y) is their part of all.
///
/// σ² is the one number that is fitted: the one with the least cross-entropy of the training samples, each told by means
/// taken without its fold. p and s are those of all folds. In such means a class with a single sample stands at zero,
/// the mean of all samples. If the distances tell nothing, σ² is infinite and q is p. If every sample is told right, so
/// that the cross-entropy decreases down to σ² = 0, σ² is the one with the cross-entropy 1/2n, which is as sure as n
/// samples without an error allow; the family's flag says so.
///
/// # Use
///
/// The classifier of the nearest class mean, made probabilistic: one variance for all standardized units and classes, so
/// that only the distances to the means count. It is the softmax-linear probe whose weights are the class means over
/// σ² and that differs from a fitted one by what within-class correlations between units are worth. It has nothing to
/// overfit but the means, and needs no penalty. How close it comes to the linear probe shows how far a layer has
/// collapsed to its class means.
///
/// # Cost
///
/// O(n·d·K), once, and O(n·K) for each of some thirty steps to σ². One f32 copy of the varying units and n × K numbers
/// are held.
///
/// # Reference
///
/// T. Mensink, J. Verbeek, F. Perronnin, G. Csurka, Distance-based image classification: generalizing to new classes at
/// near-zero cost, *IEEE Transactions on Pattern Analysis and Machine Intelligence* 35 (2013), section 3, with the
/// metric σ⁻²I of standardized units and the frequencies p beside it; doi:10.1109/TPAMI.2013.83.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NearestMean {
    /// The parts of the training samples from which σ² is found; by default 5.
    pub folds: Folds,
}

impl NearestMean {
    /// Finds the means and the variance from the training rows of z, one row a sample.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Numeric`] if a distance is not finite.
    pub(super) fn fit<T: Copy + Into<f64> + Sync>(
        &self,
        z: ArrayView2<'_, T>,
        classes: &Classes<'_>,
        split: &Split,
    ) -> Result<Fitted, EstimateError> {
        let scaler = Scaler::new(z, &split.train);
        let training = Training::new(z, &scaler, split, self.folds, classes);
        let held_out = scaler.apply(z, &split.test);
        let held_out = Means::new(&training.sums).scores(&held_out, 0..split.test.len());
        let out_of_fold = training.out_of_fold();
        let offsets: Vec<f64> = training.frequencies();
        let mut flags = Vec::new();
        let varies = scaler.n_columns() > 0;
        if !varies {
            flags.push(Flag::Constant);
        } else if scaler.n_columns() < z.ncols() {
            flags.push(Flag::ConstantUnits);
        }
        let scale = Scores::new(out_of_fold.view(), &offsets, &training.classes)?.minimize(0.0, MOST);
        if matches!(scale.end, Some(End::Separable | End::Most)) {
            flags.push(Flag::Separable);
        }
        let member = Member {
            held_out: log_softmax(held_out, &offsets, scale.factor),
            unseen: Some(Unseen {
                log_probabilities: log_softmax(out_of_fold, &offsets, scale.factor),
                ends: training.folds.iter().map(|fold| fold.end).collect(),
                classes: training.classes,
            }),
        };
        Ok(Fitted { members: vec![member], details: details(varies, scale), flags })
    }
}

fn details(varies: bool, scale: Scale) -> Map<String, Value> {
    let variance = (varies && scale.factor > 0.0).then(|| scale.factor.recip());
    [("variance", Value::from(variance)), ("out_of_fold_cross_entropy", Value::from(scale.cross_entropy))]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

/// Standardized training samples, fold after fold.
struct Training {
    features: Features,
    classes: Vec<u32>,
    folds: Vec<Range<usize>>,
    /// The sum of each class in each fold.
    of_folds: Vec<Vec<Sum>>,
    /// The sum of each class.
    sums: Vec<Sum>,
}

impl Training {
    fn new<T: Copy + Into<f64> + Sync>(
        z: ArrayView2<'_, T>,
        scaler: &Scaler,
        split: &Split,
        n_folds: Folds,
        classes: &Classes<'_>,
    ) -> Self {
        let (rows, folds) = classes.dealt(&split.train, n_folds.get());
        let features = scaler.apply(z, &rows);
        let classes_of_rows = classes.at(&rows);
        let stride = features.stride();
        let none = vec![Sum::new(stride); classes.n_classes];
        let of_folds: Vec<Vec<Sum>> = folds
            .par_iter()
            .map(|fold| {
                let mut sums = none.clone();
                for place in fold.clone() {
                    sums[classes_of_rows[place] as usize].add(1.0, features.block(place, 1).features);
                }
                sums
            })
            .collect();
        let mut sums = none;
        for fold in &of_folds {
            for (sum, part) in sums.iter_mut().zip(fold) {
                sum.add(part.count, &part.sum);
            }
        }
        Self { features, classes: classes_of_rows, folds, of_folds, sums }
    }

    /// ln p of each class.
    fn frequencies(&self) -> Vec<f64> {
        let n = self.classes.len() as f64;
        self.sums.iter().map(|sum| (sum.count / n).ln()).collect()
    }

    /// The scores of each sample by the means of the other folds.
    fn out_of_fold(&self) -> Array2<f64> {
        let parts: Vec<Array2<f64>> = self
            .folds
            .iter()
            .zip(&self.of_folds)
            .map(|(fold, own)| {
                let others: Vec<Sum> = self.sums.iter().zip(own).map(|(sum, own)| sum.without(own)).collect();
                Means::new(&others).scores(&self.features, fold.clone())
            })
            .collect();
        let parts: Vec<ArrayView2<'_, f64>> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(0), &parts).expect("every fold has the same classes")
    }
}

#[cfg(test)]
mod tests;
