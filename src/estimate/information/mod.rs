//! Estimators of mutual information, and what they have in common.
//!
//! | Estimator | Of | Right for |
//! |---|---|---|
//! | [`Ksg`] | two continuous variables | few dimensions, any smooth density |
//! | [`Gaussian`] | two continuous variables | any dimension, variables that are nearly Gaussian |
//! | [`Ross`] | a continuous variable and a label | few dimensions, any smooth density of each class |
//!
//! A new estimator is a file, a variant of [`Estimator`] and a line in its `match`es.

mod gaussian;
mod ksg;
mod ross;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{Estimate, EstimateError, Flag, Labels, Paired, Unit};

pub use gaussian::Gaussian;
pub use ksg::Ksg;
pub use ross::Ross;

/// More dimensions than this bias nearest-neighbor estimates low, by an amount that no sample size in use repairs.
const MAX_DIMENSIONS: usize = 12;

/// The fraction of samples at distance zero of their k-th neighbor that is worth a flag.
const MAX_TIED_FRACTION: f64 = 0.01;

/// Estimates the mutual information I(X; Y) of two continuous variables from paired samples.
pub trait ContinuousInformation: Sync {
    /// Estimates I(X; Y) in nats.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] where the samples are too few for the estimator.
    fn estimate(&self, samples: Paired<'_>) -> Result<Estimate, EstimateError>;
}

/// Estimates the mutual information I(X; Y) of a continuous variable X and a label Y.
pub trait LabelInformation: Sync {
    /// Estimates I(X; Y) in nats. The samples x, one a row, must be finite.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] where the samples are too few for the estimator, or not one for each label.
    fn estimate(&self, x: ArrayView2<'_, f64>, labels: &Labels) -> Result<Estimate, EstimateError>;
}

/// An estimator of mutual information by name, with its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Estimator {
    /// Nearest neighbors, for two continuous variables.
    Ksg(Ksg),
    /// The Gaussian plug-in: the log-determinants of covariances.
    Gaussian(Gaussian),
    /// Nearest neighbors, for a continuous variable and a label.
    Ross(Ross),
}

impl Estimator {
    /// The estimator for two continuous variables, if it is one.
    #[must_use]
    pub fn continuous(&self) -> Option<&dyn ContinuousInformation> {
        match self {
            Self::Ksg(ksg) => Some(ksg),
            Self::Gaussian(gaussian) => Some(gaussian),
            Self::Ross(_) => None,
        }
    }

    /// The estimator for a continuous variable and a label, if it is one.
    #[must_use]
    pub fn labeled(&self) -> Option<&dyn LabelInformation> {
        match self {
            Self::Ksg(_) | Self::Gaussian(_) => None,
            Self::Ross(ross) => Some(ross),
        }
    }
}

/// The mean of one term a sample, with its standard error as if the terms were independent.
fn mean_of_terms(terms: &[f64]) -> Estimate {
    let n = terms.len() as f64;
    // Summed in order, so that the result does not depend on the threads.
    let mean = terms.iter().sum::<f64>() / n;
    let squares: f64 = terms.iter().map(|term| (term - mean) * (term - mean)).sum();
    // Of a single sample nothing is known about the spread.
    let std_error = (terms.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt());
    Estimate::new(mean, Unit::Nats, std_error, terms.len())
}

/// Flags what any estimate from k-th neighbor distances should be doubted for.
fn flag_neighbors(estimate: &mut Estimate, kth_distances: &[f64], n_dimensions: usize) {
    let n_tied = kth_distances.iter().filter(|&&distance| distance == 0.0).count();
    let tied_fraction = n_tied as f64 / kth_distances.len() as f64;
    estimate.detail("tied_fraction", tied_fraction);
    if tied_fraction > MAX_TIED_FRACTION {
        estimate.flag(Flag::Ties);
    }
    if n_dimensions > MAX_DIMENSIONS {
        estimate.flag(Flag::HighDimension);
    }
    if estimate.value < 0.0 {
        estimate.flag(Flag::Negative);
    }
}

/// Whether no column changes from row to row.
#[expect(clippy::float_cmp, reason = "a constant repeats one number exactly")]
fn is_constant(samples: ArrayView2<'_, f64>) -> bool {
    samples.columns().into_iter().all(|column| column.iter().all(|value| *value == column[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Stage {
        estimators: Vec<Estimator>,
    }

    #[test]
    fn reads_estimators_from_a_pipeline() {
        let text = "estimators = [{ ksg = { neighbors = 3 } }, { ross = { neighbors = 5 } }]";
        let stage: Stage = toml::from_str(text).unwrap();
        assert!(stage.estimators[0].continuous().is_some() && stage.estimators[0].labeled().is_none());
        assert!(stage.estimators[1].continuous().is_none() && stage.estimators[1].labeled().is_some());
        assert_eq!(serde_json::to_string(&stage.estimators[0]).unwrap(), r#"{"ksg":{"neighbors":3}}"#);
    }

    #[test]
    fn refuses_estimators_that_cannot_be() {
        for (parameters, reason) in [
            ("ksg = { neighbors = 0 }", "nonzero"),
            ("ksg = { neighbours = 3 }", "unknown field `neighbours`"),
            ("ross = {}", "missing field `neighbors`"),
            ("mine = {}", "unknown variant `mine`"),
        ] {
            let error = toml::from_str::<Stage>(&format!("estimators = [{{ {parameters} }}]")).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn measures_the_spread_of_the_terms() {
        let estimate = mean_of_terms(&[1.0, 2.0, 6.0]);
        // The variance is 14/2 = 7.
        assert_eq!((estimate.value, estimate.std_error), (3.0, Some((7.0_f64 / 3.0).sqrt())));
    }
}
