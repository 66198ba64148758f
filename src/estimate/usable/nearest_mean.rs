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
/// are left out), μ_y is the mean of s(z) over the training samples of class y, and p(y) is their part of all.
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
        if scaler.n_columns() == 0 {
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
        Ok(Fitted { members: vec![member], details: details(scale), flags })
    }
}

fn details(scale: Scale) -> Map<String, Value> {
    let variance = (scale.factor > 0.0).then(|| scale.factor.recip());
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
        let (rows, folds) = dealt(split, n_folds.get(), classes);
        let features = scaler.apply(z, &rows);
        let classes_of_rows: Vec<u32> = rows.iter().map(|&row| classes.numbers[row]).collect();
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

/// The training rows fold after fold, and where the folds lie: each has its share of every class.
fn dealt(split: &Split, n_folds: usize, classes: &Classes<'_>) -> (Vec<usize>, Vec<Range<usize>>) {
    let mut order = split.train.clone();
    order.sort_by_key(|&row| classes.numbers[row]);
    let mut rows = Vec::with_capacity(order.len());
    let folds = (0..n_folds)
        .map(|fold| {
            let first = rows.len();
            rows.extend(order.iter().skip(fold).step_by(n_folds));
            first..rows.len()
        })
        .filter(|fold| !fold.is_empty())
        .collect();
    (rows, folds)
}

#[cfg(test)]
mod tests {
    use super::super::trials::{Trial, halves, normals};
    use super::*;

    fn fit(trial: &Trial) -> Fitted {
        NearestMean::default().fit(trial.z.view(), &trial.classes(), &trial.split).unwrap()
    }

    #[test]
    fn recovers_the_information_where_classes_are_spheres_about_their_means() {
        for (noise, truth) in [(0.5, 0.632_720_2), (1.0, 0.336_830_8), (2.0, 0.111_421_5)] {
            let trial = Trial::signs(16_000, noise, 1);
            let fitted = fit(&trial);
            trial.assert_near(&fitted, truth, 0.0);
            // The variance within classes over that of the unit, which is standardized.
            let variance = fitted.details["variance"].as_f64().unwrap();
            let exact = noise * noise / (1.0 + noise * noise);
            assert!((variance / exact - 1.0).abs() < 0.08, "{variance} for {exact}");
        }
        for (n_classes, truth) in [(3, 0.755_36), (10, 1.340_09)] {
            let trial = Trial::orthogonal(20_000, n_classes, 2.0, 2);
            // Each mean costs half a coordinate's information, or (K−1)·d/2n in all.
            let cost = (n_classes * (n_classes - 1)) as f64 / 20_000.0;
            trial.assert_near(&fit(&trial), truth, cost);
        }
    }

    #[test]
    fn unseen_samples_are_told_as_well_as_held_out_ones() {
        let trial = Trial::orthogonal(20_000, 5, 1.5, 3);
        let fitted = fit(&trial);
        let unseen = fitted.members[0].unseen.as_ref().unwrap();
        assert_eq!((unseen.classes.len(), &unseen.ends[..]), (10_000, &[2000, 4000, 6000, 8000, 10_000][..]));
        let loss = |log_probabilities: &Array2<f64>, class: &dyn Fn(usize) -> u32| {
            let rows = log_probabilities.outer_iter().enumerate();
            -rows.map(|(row, said)| said[class(row) as usize]).sum::<f64>() / 10_000.0
        };
        let out_of_fold = loss(&unseen.log_probabilities, &|row| unseen.classes[row]);
        let held_out = loss(&fitted.members[0].held_out, &|row| trial.numbers[trial.split.test[row]]);
        assert!((out_of_fold - held_out).abs() < 0.03, "{out_of_fold} {held_out}");
        let reported = fitted.details["out_of_fold_cross_entropy"].as_f64().unwrap();
        assert!((out_of_fold - reported).abs() < 1e-12, "{out_of_fold} {reported}");
        for row in fitted.members[0].held_out.outer_iter() {
            assert!((row.mapv(f64::exp).sum() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn reads_nothing_from_noise() {
        let mut trial = Trial::signs(1100, 1.0, 4);
        trial.z = normals(5, 1100, 50);
        trial.split = Split { train: (0..100).collect(), test: (100..1100).collect() };
        let (found, _) = trial.usable(&fit(&trial));
        assert!((-0.05..0.02).contains(&found), "{found}");
    }

    #[test]
    fn is_as_sure_as_the_samples_allow_where_all_are_told_right() {
        let mut trial = Trial::signs(400, 1e-3, 6);
        let fitted = fit(&trial);
        assert!(fitted.flags.contains(&Flag::Separable));
        let (found, _) = trial.usable(&fitted);
        // H(Y) of the held-out half less about 1/2n.
        assert!((found - 2_f64.ln()).abs() < 0.005, "{found}");
        // One wrong label in the held-out half costs no more than a few nats.
        trial.numbers[399] = 1 - trial.numbers[399];
        assert!((fit(&trial).members[0].held_out[(199, trial.numbers[399] as usize)]) > -8.0);
    }

    #[test]
    fn knows_frequencies_where_units_are_constant_and_lone_samples_of_a_class() {
        let mut trial = Trial::signs(200, 1.0, 7);
        trial.numbers[3] = 2;
        trial.n_classes = 3;
        let fitted = fit(&trial);
        assert_eq!(fitted.flags, []);
        assert!(fitted.members[0].held_out.iter().all(|ln| ln.is_finite()));
        trial.z.fill(0.3);
        let fitted = fit(&trial);
        assert_eq!(fitted.flags, [Flag::Constant]);
        let first = fitted.members[0].held_out.row(0);
        assert!((first[2] - 0.01_f64.ln()).abs() < 1e-12, "{first}");
        assert_eq!(fitted.members[0].held_out.dim(), (100, 3));
    }

    #[test]
    fn gives_the_same_bits_on_any_number_of_threads() {
        let trial = Trial::orthogonal(3000, 12, 2.0, 8);
        let find = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let fitted = pool.install(|| fit(&trial));
            (fitted.members[0].held_out.clone(), fitted.details)
        };
        assert_eq!(find(1), find(3));
        assert_eq!(halves(3000), trial.split);
    }

    #[test]
    fn is_read_from_a_pipeline() {
        assert_eq!(toml::from_str::<NearestMean>("").unwrap(), NearestMean::default());
        assert_eq!(toml::from_str::<NearestMean>("folds = 3").unwrap().folds.get(), 3);
        assert!(toml::from_str::<NearestMean>("fold = 3").is_err());
    }
}
