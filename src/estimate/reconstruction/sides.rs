use ndarray::{Array2, ArrayView2, Axis, s};

use crate::estimate::columns::{self, Element};
use crate::estimate::{EstimateError, Split, matrix};

/// Directions that a rotated layer keeps: all but those that are rounding, for the fit must not change.
const ROTATED: f64 = 1e-13;

/// A column whose standard deviation is this small against its mean only shows the rounding of single precision.
const CONSTANT: f64 = 1e-6;

/// Training and test rows in double precision, less the training means.
pub(in crate::estimate) struct Sides {
    /// The training rows, in the order of the split.
    pub(in crate::estimate) train: Array2<f64>,
    /// The test rows.
    pub(in crate::estimate) test: Array2<f64>,
    /// The sum of the squares of `train`.
    pub(in crate::estimate) squares: f64,
}

impl Sides {
    /// The two sides of `matrix`; columns that are constant in training only on request.
    pub(in crate::estimate) fn new<T: Element>(matrix: ArrayView2<'_, T>, split: &Split, keep_constant: bool) -> Self {
        let moments = columns::moments(matrix, Some(&split.train));
        let kept: Vec<usize> =
            (0..matrix.ncols()).filter(|&column| keep_constant || moments.squares[column] > 0.0).collect();
        let rows = |rows: &[usize]| columns::only(columns::centered(matrix, Some(rows), moments.means.view()), &kept);
        Self { train: rows(&split.train), test: rows(&split.test), squares: moments.squares.sum() }
    }

    /// The two sides of `matrix` with each column brought to mean 0 and variance 1 on the training rows; columns that
    /// are constant there are left out.
    pub(in crate::estimate) fn standardized<T: Element>(matrix: ArrayView2<'_, T>, split: &Split) -> Self {
        Self::standardized_columns(matrix, split).0
    }

    /// As [`Sides::standardized`], with the columns that are left.
    pub(super) fn standardized_columns<T: Element>(matrix: ArrayView2<'_, T>, split: &Split) -> (Self, Vec<usize>) {
        let n = split.train.len() as f64;
        let moments = columns::moments(matrix, Some(&split.train));
        let deviations = moments.squares.mapv(|square| (square / n).sqrt());
        let kept: Vec<usize> =
            (0..matrix.ncols()).filter(|&column| deviations[column] > CONSTANT * moments.means[column].abs()).collect();
        let deviations = deviations.select(Axis(0), &kept);
        let rows = |rows: &[usize]| {
            let mut centered = columns::only(columns::centered(matrix, Some(rows), moments.means.view()), &kept);
            centered /= &deviations;
            centered
        };
        let sides = Self { train: rows(&split.train), test: rows(&split.test), squares: n * kept.len() as f64 };
        (sides, kept)
    }

    /// Brings columns back to the places they had among so many, with zeros in the others.
    pub(super) fn put_back(&mut self, kept: &[usize], n_columns: usize) {
        for side in [&mut self.train, &mut self.test] {
            let mut whole = Array2::zeros((side.nrows(), n_columns));
            for (column, &place) in side.columns().into_iter().zip(kept) {
                whole.column_mut(place).assign(&column);
            }
            *side = whole;
        }
    }

    /// The same samples in coordinates along the principal axes of the training rows.
    ///
    /// With more columns than training rows these are fewer, and a penalized fit never leaves their span.
    pub(in crate::estimate) fn within_train_span(self) -> Result<Self, EstimateError> {
        let eigen = matrix::double::eigen(matrix::double::row_gram(self.train.view()).view())?;
        let rank = eigen.rank(ROTATED);
        let left = eigen.vectors.slice(s![..rank, ..]);
        let lengths = eigen.values.slice(s![..rank]).mapv(f64::sqrt);
        let axes = matrix::double::product(left, self.train.view()) / lengths.view().insert_axis(Axis(1));
        let test = matrix::double::product_transposed(self.test.view(), axes.view());
        Ok(Self { train: &left.t() * &lengths, test, squares: self.squares })
    }
}
