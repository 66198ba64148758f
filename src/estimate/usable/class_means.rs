//! Class means, and how near samples lie to them.

use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;

use super::kernels;
use super::standardize::Features;

/// Rows that one task compares with the means.
const ROWS: usize = 64;

/// Samples added up.
#[derive(Clone)]
pub(super) struct Sum {
    /// Their number.
    pub count: f64,
    /// The sum in each padded column.
    pub sum: Vec<f64>,
}

impl Sum {
    /// No samples of so many padded columns.
    pub(super) fn new(stride: usize) -> Self {
        Self { count: 0.0, sum: vec![0.0; stride] }
    }

    /// Adds the sum `values` of `count` samples.
    pub(super) fn add<T: Copy + Into<f64>>(&mut self, count: f64, values: &[T]) {
        self.count += count;
        for (sum, &value) in self.sum.iter_mut().zip(values) {
            *sum += value.into();
        }
    }

    /// The samples that are not in `part`.
    pub(super) fn without(&self, part: &Self) -> Self {
        let sum = self.sum.iter().zip(&part.sum).map(|(sum, part)| sum - part).collect();
        Self { count: self.count - part.count, sum }
    }
}

/// The means of the classes.
pub(super) struct Means {
    /// The mean of each class in the padded columns.
    means: Vec<f32>,
    /// Half the squared length of each mean.
    halves: Vec<f64>,
}

impl Means {
    /// The means of the samples of each class; zero where there are none.
    pub(super) fn new(sums: &[Sum]) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "products are taken in single precision")]
        let mean =
            |sum: &Sum| -> Vec<f32> { sum.sum.iter().map(|value| (value / sum.count.max(1.0)) as f32).collect() };
        let means: Vec<Vec<f32>> = sums.iter().map(mean).collect();
        let half = |mean: &Vec<f32>| mean.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / 2.0;
        Self { halves: means.iter().map(half).collect(), means: means.concat() }
    }

    /// `s·μ − |μ|²/2` of each of some rows and each class: half the squared distance to it but for what all classes share.
    pub(super) fn scores(&self, features: &Features, rows: Range<usize>) -> Array2<f64> {
        let n_classes = self.halves.len();
        let intercepts = vec![0.0; n_classes];
        let mut scores = vec![0.0; rows.len() * n_classes];
        scores.par_chunks_mut(ROWS * n_classes).enumerate().for_each(|(block, out)| {
            let n = out.len() / n_classes;
            let mut products = vec![0.0; out.len()];
            kernels::logits(features.block(rows.start + block * ROWS, n), &self.means, &intercepts, &mut products);
            for (sample, out) in out.chunks_exact_mut(n_classes).enumerate() {
                for (class, (out, half)) in out.iter_mut().zip(&self.halves).enumerate() {
                    *out = f64::from(products[class * n + sample]) - half;
                }
            }
        });
        Array2::from_shape_vec((rows.len(), n_classes), scores).expect("one score for each sample and class")
    }
}
