use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::estimate::columns::{self, Element};

/// What is done to each coordinate before distances between samples are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Margins {
    /// Nothing: distances are in the layer's own units.
    #[default]
    Raw,
    /// Centered, and divided by the standard deviation over the samples.
    Standardized,
}

/// Samples with rescaled coordinates.
#[derive(Clone, Debug, PartialEq)]
pub struct Rescaled {
    /// The coordinates that were kept, one row a sample.
    pub samples: Array2<f64>,
    /// The number of constant coordinates that were left out.
    pub constant_columns: usize,
}

impl Margins {
    /// The samples with each coordinate rescaled.
    ///
    /// `Standardized` divides by the standard deviation over all samples (their mean square, not the unbiased one)
    /// and leaves out constant coordinates; `Raw` leaves out nothing.
    #[must_use]
    pub fn rescale<T: Element>(self, samples: ArrayView2<'_, T>) -> Rescaled {
        match self {
            Self::Raw => Rescaled { samples: samples.mapv(Into::into), constant_columns: 0 },
            Self::Standardized => standardized(samples),
        }
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

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn standardized_columns_have_mean_zero_and_deviation_one() {
        let samples = array![[1.0_f32, 1e6, 7.0], [2.0, 1e6 + 1.0, 7.0], [6.0, 1e6 - 4.0, 7.0]];
        let Rescaled { samples, constant_columns } = Margins::Standardized.rescale(samples.view());
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
        let rescaled = Margins::default().rescale(samples.view());
        assert_eq!((rescaled.samples, rescaled.constant_columns), (samples, 0));
    }

    #[test]
    fn all_constant_leaves_no_columns() {
        let rescaled = Margins::Standardized.rescale(array![[0.1_f64], [0.1], [0.1]].view());
        assert_eq!((rescaled.samples.dim(), rescaled.constant_columns), ((3, 0), 1));
    }
}
