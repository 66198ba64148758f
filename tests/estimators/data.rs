//! Seeded data whose usable information is known.

use infoplane::estimate::random::SplitMix64;
use ndarray::Array2;

/// Standard normal numbers, two from each pair.
pub(crate) fn normals(seed: u64, count: usize) -> Vec<f64> {
    let mut random = SplitMix64::new(seed);
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let (a, b) = random.normal_pair();
        values.extend([a, b]);
    }
    values.truncate(count);
    values
}

/// A matrix of standard normal numbers, row after row.
pub(crate) fn normal_matrix(seed: u64, rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_vec((rows, columns), normals(seed, rows * columns)).expect("there are rows × columns numbers")
}

/// Like a hidden layer: class means, 8 shared directions, noise, then a rectifier; sample i is of class `i mod classes`.
pub(crate) fn layer(n: usize, d: usize, classes: usize, seed: u64) -> (Array2<f64>, Vec<i64>) {
    let means = normal_matrix(seed, classes, d);
    let shared = normal_matrix(seed + 1, 8, d);
    let latent = normal_matrix(seed + 2, n, 8);
    let noise = normal_matrix(seed + 3, n, d);
    let mixed = latent.dot(&shared);
    let weight = 2.0 / (d as f64).sqrt();
    let z = Array2::from_shape_fn((n, d), |(i, j)| {
        (weight * means[(i % classes, j)] + 0.5 * mixed[(i, j)] + noise[(i, j)] + 0.5).max(0.0)
    });
    let labels = (0..n).map(|i| i64::try_from(i % classes).expect("classes are few")).collect();
    (z, labels)
}
