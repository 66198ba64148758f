use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::estimate::EstimateError;
use crate::estimate::columns::{self, Element};
use crate::estimate::matrix::double as matrix;

/// Directions with less than this part of the largest variance are noise of the arithmetic.
const CUTOFF: f64 = 1e-10;

/// What is done to each coordinate before distances between samples are taken.
///
/// All but `Raw` are one-to-one on each coordinate (`Whitened`: on all together), so that the true information is the
/// same; what changes is how well neighbors show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Margins {
    /// Nothing: distances are in the layer's own units.
    #[default]
    Raw,
    /// Centered, and divided by the standard deviation over the samples.
    Standardized,
    /// The rank among the samples, from 0 to 1: uniform, whatever the tails. Equal values share the mean of their ranks.
    Rank,
    /// asinh((x − median) / s), then standardized, where s is half the distance between the quartiles, or the standard
    /// deviation where that is zero: tails become logarithms.
    Asinh,
    /// Uncorrelated, of variance one: X Σ^(−½), the symmetric root. Directions of less than 1e-10 of the largest variance
    /// are left out, and the rest is then given along the principal axes.
    Whitened,
}

/// Samples with rescaled coordinates.
#[derive(Clone, Debug, PartialEq)]
pub struct Rescaled {
    /// The coordinates that were kept, one row a sample.
    pub samples: Array2<f64>,
    /// The number of constant coordinates, or of directions without variance, that were left out.
    pub constant_columns: usize,
}

impl Margins {
    /// The samples with each coordinate rescaled.
    ///
    /// `Standardized` divides by the standard deviation over all samples (their mean square, not the unbiased one).
    /// All but `Raw` leave out constant coordinates.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Numeric`] if the decomposition of a covariance fails.
    pub fn rescale<T: Element>(self, samples: ArrayView2<'_, T>) -> Result<Rescaled, EstimateError> {
        Ok(match self {
            Self::Raw => Rescaled { samples: samples.mapv(Into::into), constant_columns: 0 },
            Self::Standardized => standardized(samples),
            Self::Rank => each_column(varying(samples), ranks),
            Self::Asinh => {
                let bent = each_column(standardized(samples), bent);
                let constant_columns = bent.constant_columns;
                let again = standardized(bent.samples.view());
                Rescaled { constant_columns: constant_columns + again.constant_columns, ..again }
            }
            Self::Whitened => whitened(samples)?,
        })
    }
}

fn standardized<T: Element>(samples: ArrayView2<'_, T>) -> Rescaled {
    let moments = columns::moments(samples, None);
    let kept: Vec<usize> = (0..samples.ncols()).filter(|&column| moments.squares[column] > 0.0).collect();
    let mut rescaled = columns::only(columns::centered(samples, None, moments.means.view()), &kept);
    let n = samples.nrows() as f64;
    let deviations = moments.squares.select(Axis(0), &kept).mapv(|square| (square / n).sqrt());
    rescaled /= &deviations;
    Rescaled { samples: rescaled, constant_columns: samples.ncols() - kept.len() }
}

/// The coordinates that are not constant, as they are.
#[expect(clippy::float_cmp, reason = "a constant repeats one number exactly")]
fn varying<T: Element>(samples: ArrayView2<'_, T>) -> Rescaled {
    let values: Array2<f64> = samples.mapv(Into::into);
    let varies = |column: &usize| values.column(*column).iter().any(|value| *value != values[[0, *column]]);
    let kept: Vec<usize> = (0..values.ncols()).filter(varies).collect();
    let constant_columns = values.ncols() - kept.len();
    Rescaled { samples: columns::only(values, &kept), constant_columns }
}

fn each_column(mut rescaled: Rescaled, change: impl Fn(&[f64]) -> Vec<f64>) -> Rescaled {
    for mut column in rescaled.samples.axis_iter_mut(Axis(1)) {
        let changed = change(&column.to_vec());
        column.iter_mut().zip(changed).for_each(|(value, changed)| *value = changed);
    }
    rescaled
}

/// The place of each value in increasing order, from 0 to 1; equal ones share the mean of their places.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let last = (values.len() - 1).max(1) as f64;
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        let mean = first as f64 + (equal.len() - 1) as f64 / 2.0;
        for &row in equal {
            ranks[row] = mean / last;
        }
        first += equal.len();
    }
    ranks
}

/// asinh of the distance to the median in units of half the distance between the quartiles.
fn bent(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |part: usize| sorted[(sorted.len() - 1) * part / 4];
    let half = (at(3) - at(1)) / 2.0;
    // The values come standardized, so that their deviation is one.
    let unit = if half > 0.0 { half } else { 1.0 };
    values.iter().map(|value| ((value - at(2)) / unit).asinh()).collect()
}

/// X Σ^(−½): along the symmetric root where the rank is full, along the principal axes otherwise.
fn whitened<T: Element>(samples: ArrayView2<'_, T>) -> Result<Rescaled, EstimateError> {
    let (n, d) = samples.dim();
    let moments = columns::moments(samples, None);
    let centered = columns::centered(samples, None, moments.means.view());
    let eigen = matrix::eigen(matrix::gram(centered.view()).view())?;
    let rank = eigen.rank(CUTOFF);
    let axes = eigen.vectors.slice(ndarray::s![..rank, ..]);
    let mut scaled = axes.to_owned();
    for (mut axis, &value) in scaled.outer_iter_mut().zip(&eigen.values) {
        axis *= (n as f64 / value).sqrt();
    }
    let scores = matrix::product_transposed(centered.view(), scaled.view());
    let samples = if rank == d { matrix::product(scores.view(), axes) } else { scores };
    Ok(Rescaled { samples, constant_columns: d - rank })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn standardized_columns_have_mean_zero_and_deviation_one() {
        let samples = array![[1.0_f32, 1e6, 7.0], [2.0, 1e6 + 1.0, 7.0], [6.0, 1e6 - 4.0, 7.0]];
        let Rescaled { samples, constant_columns } = Margins::Standardized.rescale(samples.view()).unwrap();
        assert_eq!(constant_columns, 1);
        assert_eq!(samples.ncols(), 2);
        for column in samples.axis_iter(Axis(1)) {
            // Rounding of three additions.
            assert!(column.sum().abs() < 1e-12, "{column}");
            assert!((column.dot(&column) / 3.0 - 1.0).abs() < 1e-12, "{column}");
        }
        // By hand: values 1, 2, 6 have mean 3 and mean square distance 14/3.
        assert!((samples[[2, 0]] - 3.0 / (14.0_f64 / 3.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn raw_is_the_default_and_keeps_everything() {
        let samples = array![[1.0_f64, 5.0], [2.0, 5.0]];
        let rescaled = Margins::default().rescale(samples.view()).unwrap();
        assert_eq!((rescaled.samples, rescaled.constant_columns), (samples, 0));
    }

    #[test]
    fn all_constant_leaves_no_columns() {
        let rescaled = Margins::Standardized.rescale(array![[0.1_f64], [0.1], [0.1]].view()).unwrap();
        assert_eq!((rescaled.samples.dim(), rescaled.constant_columns), ((3, 0), 1));
    }

    #[test]
    fn ranks_are_uniform_and_shared_by_ties() {
        let samples = array![[5.0_f64, 1.0], [-1e9, 1.0], [5.0, 1.0], [6.0, 1.0], [1e300, 1.0]];
        let rescaled = Margins::Rank.rescale(samples.view()).unwrap();
        assert_eq!(rescaled.constant_columns, 1);
        // Places 0, 1 and 2 shared, 3, 4, of 4.
        assert_eq!(rescaled.samples.column(0).to_vec(), [0.375, 0.0, 0.375, 0.75, 1.0]);
    }

    #[test]
    fn asinh_makes_logarithms_of_tails() {
        let samples = array![[-1.0_f64], [0.0], [1.0], [1e6], [-1e6], [0.5], [-0.5], [1.0], [-1.0]];
        let bent = Margins::Asinh.rescale(samples.view()).unwrap().samples;
        // Quartiles ±1: asinh(10⁶) / asinh(1) = 14.509 / 0.881, whatever the units.
        let ratio = bent[[3, 0]] / bent[[2, 0]];
        assert!((ratio - 1e6_f64.asinh() / 1.0_f64.asinh()).abs() < 1e-6, "{ratio}");
        let scaled = Margins::Asinh.rescale((&samples * 7.0 + 3.0).view()).unwrap().samples;
        assert!(scaled.iter().zip(&bent).all(|(a, b)| (a - b).abs() < 1e-9));
    }

    #[test]
    fn whitened_samples_are_uncorrelated_and_keep_only_what_varies() {
        let x = array![[1.0_f64, 2.0, 3.0], [2.0, 1.0, 3.0], [4.0, 1.0, 3.0], [0.0, -3.0, 3.0], [1.0, 1.0, 3.0]];
        let full = Margins::Whitened.rescale(x.slice(ndarray::s![.., ..2])).unwrap();
        let deficient = Margins::Whitened.rescale(x.view()).unwrap();
        assert_eq!((full.constant_columns, deficient.constant_columns), (0, 1));
        for rescaled in [full.samples, deficient.samples] {
            let covariance = rescaled.t().dot(&rescaled) / 5.0;
            assert!((covariance - Array2::<f64>::eye(2)).iter().all(|value| value.abs() < 1e-12));
        }
    }
}
