//! Samples checked once at the border, so that no estimator checks again.

use ndarray::{Array1, ArrayView1, ArrayView2};
use thiserror::Error;

/// Why arrays are not samples.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SampleError {
    /// Two arrays do not describe the same samples.
    #[error("{left} has {left_rows} rows and {right} has {right_rows}; both need one row a sample")]
    Unpaired {
        /// The name of the first array.
        left: &'static str,
        /// Its number of rows.
        left_rows: usize,
        /// The name of the second array.
        right: &'static str,
        /// Its number of rows.
        right_rows: usize,
    },
    /// No rows, or no columns.
    #[error("{name} has {rows} rows and {columns} columns; it needs one of each at least")]
    Empty {
        /// The name of the array.
        name: &'static str,
        /// Its number of rows.
        rows: usize,
        /// Its number of columns.
        columns: usize,
    },
    /// A value that is not finite.
    #[error("{name} holds {value} at row {row}, column {column}; every value must be finite")]
    NotFinite {
        /// The name of the array.
        name: &'static str,
        /// The value found.
        value: String,
        /// Where.
        row: usize,
        /// Where.
        column: usize,
    },
}

/// Paired finite samples of two variables, one row a sample: x is `n × dx`, y is `n × dy`.
#[derive(Clone, Copy, Debug)]
pub struct Paired<'a> {
    x: ArrayView2<'a, f64>,
    y: ArrayView2<'a, f64>,
}

impl<'a> Paired<'a> {
    /// Checks that both arrays have the same number of rows, are not empty, and are finite.
    ///
    /// # Errors
    ///
    /// [`SampleError`] says which array is at fault, and where.
    pub fn new(x: ArrayView2<'a, f64>, y: ArrayView2<'a, f64>) -> Result<Self, SampleError> {
        if x.nrows() != y.nrows() {
            return Err(SampleError::Unpaired { left: "x", left_rows: x.nrows(), right: "y", right_rows: y.nrows() });
        }
        finite("x", x)?;
        finite("y", y)?;
        Ok(Self { x, y })
    }

    /// The first variable, `n × dx`.
    #[must_use]
    pub fn x(&self) -> ArrayView2<'a, f64> {
        self.x
    }

    /// The second variable, `n × dy`.
    #[must_use]
    pub fn y(&self) -> ArrayView2<'a, f64> {
        self.y
    }

    /// The number of samples n.
    #[must_use]
    pub fn len(&self) -> usize {
        self.x.nrows()
    }

    /// Never true: empty arrays are refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Checks that a matrix has rows and columns and only finite values.
///
/// # Errors
///
/// [`SampleError::Empty`] or [`SampleError::NotFinite`] with the first place, in row order.
pub fn finite<T: Copy + Into<f64>>(name: &'static str, matrix: ArrayView2<'_, T>) -> Result<(), SampleError> {
    if matrix.is_empty() {
        return Err(SampleError::Empty { name, rows: matrix.nrows(), columns: matrix.ncols() });
    }
    for ((row, column), &value) in matrix.indexed_iter() {
        let value: f64 = value.into();
        if !value.is_finite() {
            return Err(SampleError::NotFinite { name, value: value.to_string(), row, column });
        }
    }
    Ok(())
}

/// Discrete labels, renumbered `0..n_classes` in increasing order of their value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    classes: Vec<usize>,
    names: Vec<i64>,
}

impl Labels {
    /// Numbers the distinct values of a column.
    #[must_use]
    pub fn new(values: ArrayView1<'_, i64>) -> Self {
        let mut names = values.to_vec();
        names.sort_unstable();
        names.dedup();
        // Every value is among the names, so that its place is the number of smaller ones.
        let classes = values.iter().map(|value| names.partition_point(|name| name < value)).collect();
        Self { classes, names }
    }

    /// The same names for other classes of the samples.
    pub(super) fn with_classes(&self, classes: Vec<usize>) -> Self {
        Self { classes, names: self.names.clone() }
    }

    /// The labels of the samples at `rows`, numbered anew.
    #[must_use]
    pub fn at(&self, rows: &[usize]) -> Self {
        Self::new(rows.iter().map(|&row| self.names[self.classes[row]]).collect::<Array1<i64>>().view())
    }

    /// The class of each sample, in `0..n_classes`.
    #[must_use]
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// The value that stands for each class.
    #[must_use]
    pub fn names(&self) -> &[i64] {
        &self.names
    }

    /// The number of distinct labels.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.names.len()
    }

    /// The number of samples of each class.
    #[must_use]
    pub fn counts(&self) -> Vec<usize> {
        self.count(&mut self.classes.iter().copied())
    }

    /// The number of samples of each class at `rows`.
    #[must_use]
    pub fn counts_at(&self, rows: &[usize]) -> Vec<usize> {
        self.count(&mut rows.iter().map(|&row| self.classes[row]))
    }

    fn count(&self, classes: &mut dyn Iterator<Item = usize>) -> Vec<usize> {
        let mut counts = vec![0; self.n_classes()];
        for class in classes {
            counts[class] += 1;
        }
        counts
    }

    /// The plug-in entropy H(Y) in nats of the samples at `rows`.
    #[must_use]
    pub fn entropy(&self, rows: &[usize]) -> f64 {
        let counts = self.counts_at(rows);
        let n = rows.len() as f64;
        counts.iter().filter(|&&count| count > 0).map(|&count| -(count as f64 / n) * (count as f64 / n).ln()).sum()
    }
}
