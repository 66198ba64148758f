//! Samples whose information about a class is known, and what a family makes of them: for tests only.

use ndarray::Array2;

use super::fitted::{Classes, Fitted};
use crate::estimate::Split;
use crate::estimate::random::SplitMix64;

/// A layer and the class of each of its rows.
pub(super) struct Trial {
    pub z: Array2<f64>,
    pub numbers: Vec<u32>,
    pub n_classes: usize,
    pub split: Split,
}

/// Standard normal numbers.
pub(super) fn normals(seed: u64, rows: usize, columns: usize) -> Array2<f64> {
    let mut random = SplitMix64::new(seed);
    Array2::from_shape_simple_fn((rows, columns), || random.normal_pair().0)
}

/// The first half of the rows to fit on, the second half to judge by.
pub(super) fn halves(n: usize) -> Split {
    Split { train: (0..n / 2).collect(), test: (n / 2..n).collect() }
}

impl Trial {
    fn new(n: usize, n_classes: usize, numbers: Vec<u32>, z: Array2<f64>) -> Self {
        Self { z, numbers, n_classes, split: halves(n) }
    }

    /// Signs with normal noise: in nats 0.6327201937 at a noise of 0.5, 0.3368308203 at 1, 0.1114214822 at 2.
    pub(super) fn signs(n: usize, noise: f64, seed: u64) -> Self {
        let numbers = classes(n, 2, seed);
        let mut z = noise * normals(seed + 1, n, 1);
        for (mut row, &class) in z.outer_iter_mut().zip(&numbers) {
            row += 2.0 * f64::from(class) - 1.0;
        }
        Self::new(n, 2, numbers, z)
    }

    /// The product of two signs, each with normal noise: in nats 0.5789045680 at a noise of 0.5, 0.1735895046 at 1.
    pub(super) fn product(n: usize, noise: f64, seed: u64) -> Self {
        let pairs = classes(n, 4, seed);
        let mut z = noise * normals(seed + 1, n, 2);
        for (mut row, &pair) in z.outer_iter_mut().zip(&pairs) {
            row[0] += 2.0 * f64::from(pair % 2) - 1.0;
            row[1] += 2.0 * f64::from(pair / 2) - 1.0;
        }
        Self::new(n, 2, pairs.iter().map(|pair| u32::from(pair % 2 == pair / 2)).collect(), z)
    }

    /// One of K orthogonal directions with a standard normal vector: in nats 0.75536 for a = 2 and K = 3, 1.34009 for 10.
    pub(super) fn orthogonal(n: usize, n_classes: usize, a: f64, seed: u64) -> Self {
        let numbers = classes(n, n_classes, seed);
        let mut z = normals(seed + 1, n, n_classes);
        for (mut row, &class) in z.outer_iter_mut().zip(&numbers) {
            row[class as usize] += a;
        }
        Self::new(n, n_classes, numbers, z)
    }

    pub(super) fn classes(&self) -> Classes<'_> {
        Classes { numbers: &self.numbers, n_classes: self.n_classes }
    }

    /// The information that the first probe finds, and its standard error.
    pub(super) fn usable(&self, fitted: &Fitted) -> (f64, f64) {
        let said = &fitted.members[0].held_out;
        let n = self.split.test.len() as f64;
        let count = |class| self.split.test.iter().filter(|&&row| self.numbers[row] == class).count() as f64;
        let surprises: Vec<f64> = (0..).take(self.n_classes).map(|class| (n / count(class)).ln()).collect();
        let values: Vec<f64> = said
            .outer_iter()
            .zip(&self.split.test)
            .map(|(said, &row)| {
                let class = self.numbers[row] as usize;
                surprises[class] + said[class]
            })
            .collect();
        let mean = values.iter().sum::<f64>() / n;
        (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n / (n - 1.0)).sqrt())
    }

    /// Checks that the information found is the given one, less what learning is said to cost, within four errors.
    pub(super) fn assert_near(&self, fitted: &Fitted, truth: f64, cost: f64) {
        let (found, error) = self.usable(fitted);
        assert!((found - (truth - cost)).abs() < 4.0 * error, "{found} ± {error} for {truth} less {cost}");
    }
}

fn classes(n: usize, n_classes: usize, seed: u64) -> Vec<u32> {
    let mut random = SplitMix64::new(seed);
    let n_classes = u64::try_from(n_classes).unwrap();
    (0..n).map(|_| u32::try_from(random.next_u64() % n_classes).unwrap()).collect()
}
