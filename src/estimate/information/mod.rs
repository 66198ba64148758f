//! Estimators of mutual information, and what they have in common.
//!
//! | Estimator | Of | Right for |
//! |---|---|---|
//! | [`Ksg`] | two continuous variables | few dimensions, any smooth density |
//! | [`Ksg2`] | two continuous variables | the same, as a check |
//! | [`Mixed`] | two variables, discrete in part | values that repeat |
//! | [`KozachenkoLeonenko`] | two continuous variables, or one and a label | few dimensions, linear maps of either side |
//! | [`Weighted`] | two continuous variables, or one and a label | the same in five to eight dimensions |
//! | [`Kde`] | two continuous variables | few dimensions, as a check |
//! | [`Gaussian`] | two continuous variables | any dimension, variables that are nearly Gaussian |
//! | [`Kolchinsky`] | a layer with noise and its input, or a label | any dimension |
//! | [`Binning`] | two variables, or one and a label | comparison with published plots |
//! | [`Sliced`] | two continuous variables, or one and a label | any dimension; another quantity |
//! | [`InfoNce`] | two continuous variables | many dimensions, as a lower bound |
//! | [`Ross`] | a continuous variable and a label | few dimensions, any smooth density of each class |
//!
//! | File | Holds |
//! |---|---|
//! | `estimator` | the estimators by name |
//! | `several` | settings with several values |
//! | `pairs`, `entropy`, `three_entropies`, `kernel`, `classes`, `whitened` | what estimators share |
//! | `measurement`, `subsampling` | estimates with their uncertainty |
//! | `series`, `kept` | one variable against many, with what is found in it alone |
//! | `donsker_varadhan` | the bound of a critic that is given |
//! | `checks` | what estimates are doubted for |
//!
//! A new estimator is a file, a variant of [`Estimator`] and a line in its `match`es.

mod binning;
mod checks;
mod classes;
mod counted;
mod donsker_varadhan;
mod entropy;
mod estimator;
mod gaussian;
mod info_nce;
mod kde;
mod kept;
mod kernel;
mod kolchinsky;
mod kozachenko_leonenko;
mod ksg;
mod ksg2;
mod measurement;
mod mixed;
mod pairs;
mod ross;
mod series;
mod several;
mod sliced;
mod subsampling;
mod three_entropies;
mod weighted;
mod whitened;

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use super::{Estimate, EstimateError, Labels, Paired, Unit};

pub use binning::{Binning, Bins};
pub use donsker_varadhan::donsker_varadhan;
pub use entropy::Form;
pub use estimator::Estimator;
pub use gaussian::Gaussian;
pub use info_nce::InfoNce;
pub use kde::Kde;
pub use kept::Kept;
pub use kolchinsky::{Bound, Kolchinsky};
pub use kozachenko_leonenko::KozachenkoLeonenko;
pub use ksg::Ksg;
pub use ksg2::Ksg2;
pub use measurement::{Against, measure};
pub use mixed::Mixed;
pub use ross::Ross;
pub use series::Series;
pub use several::{Positive, Several};
pub use sliced::Sliced;
pub use subsampling::{Intervals, Level, Parts, Subsampling};
pub use weighted::Weighted;

/// Estimates the mutual information I(X; Y) of two continuous variables from paired samples.
pub trait ContinuousInformation: Sync {
    /// Estimates I(X; Y) in nats, once for each value of a setting that has several, in their order, where many y come for
    /// one x: what is found in x alone is left in the [`Kept`] that comes with x, and taken from there, which changes no bit.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] where the samples are too few or too degenerate for the estimator.
    fn estimates_of_series(&self, samples: Paired<'_>, kept: &Kept) -> Result<Vec<Estimate>, EstimateError>;

    /// The same of one y.
    ///
    /// # Errors
    ///
    /// Those of [`estimates_of_series`](Self::estimates_of_series).
    fn estimates(&self, samples: Paired<'_>) -> Result<Vec<Estimate>, EstimateError> {
        self.estimates_of_series(samples, &Kept::default())
    }

    /// The bytes a sample that it keeps of an x with so many columns.
    fn kept_bytes(&self, _: usize) -> usize {
        0
    }

    /// Estimates I(X; Y) in nats with the first value of every setting.
    ///
    /// # Errors
    ///
    /// Those of [`estimates`](Self::estimates).
    fn estimate(&self, samples: Paired<'_>) -> Result<Estimate, EstimateError> {
        self.estimates(samples).map(|mut estimates| estimates.swap_remove(0))
    }

    /// The values where row i of x goes with row `order[i]` of y, for each order, and in it for each setting.
    ///
    /// What depends on one side only is computed once.
    ///
    /// # Errors
    ///
    /// Those of [`estimates`](Self::estimates).
    fn shuffled(&self, samples: Paired<'_>, orders: &[Vec<usize>]) -> Result<Vec<Vec<f64>>, EstimateError> {
        let values = |order: &Vec<usize>| {
            let y = samples.y().select(Axis(0), order);
            let shuffled = Paired::new(samples.x(), y.view()).expect("finite samples in another order");
            Ok(self.estimates(shuffled)?.iter().map(|estimate| estimate.value).collect())
        };
        orders.par_iter().map(values).collect()
    }

    /// Whether shuffled pairs tell what there would be if there were nothing to find.
    fn has_null(&self) -> bool {
        true
    }
}

/// Estimates the mutual information I(X; Y) of a continuous variable X and a label Y.
pub trait LabelInformation: Sync {
    /// Estimates I(X; Y) in nats, once for each value of a setting that has several, in their order. The samples x, one a
    /// row, must be finite.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] where the samples are too few for the estimator, or not one for each label.
    fn estimates(&self, x: ArrayView2<'_, f64>, labels: &Labels) -> Result<Vec<Estimate>, EstimateError>;

    /// Estimates I(X; Y) in nats with the first value of every setting.
    ///
    /// # Errors
    ///
    /// Those of [`estimates`](Self::estimates).
    fn estimate(&self, x: ArrayView2<'_, f64>, labels: &Labels) -> Result<Estimate, EstimateError> {
        self.estimates(x, labels).map(|mut estimates| estimates.swap_remove(0))
    }

    /// The values where sample i has the label of sample `order[i]`, for each order, and in it for each setting.
    ///
    /// # Errors
    ///
    /// Those of [`estimates`](Self::estimates).
    fn shuffled(
        &self,
        x: ArrayView2<'_, f64>,
        labels: &Labels,
        orders: &[Vec<usize>],
    ) -> Result<Vec<Vec<f64>>, EstimateError> {
        let values = |order: &Vec<usize>| {
            let labels = labels.with_classes(order.iter().map(|&row| labels.classes()[row]).collect());
            Ok(self.estimates(x, &labels)?.iter().map(|estimate| estimate.value).collect())
        };
        orders.par_iter().map(values).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_the_spread_of_the_terms() {
        let estimate = mean_of_terms(&[1.0, 2.0, 6.0]);
        // The variance is 14/2 = 7.
        assert_eq!((estimate.value, estimate.std_error), (3.0, Some((7.0_f64 / 3.0).sqrt())));
    }
}
