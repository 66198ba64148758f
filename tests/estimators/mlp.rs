//! Neural decoders on data where the information is known.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::data::{layer, normal_matrix};
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::usable::{Probe, Reading, Target};
use infoplane::estimate::{EstimateError, Flag, Labels, Split};
use ndarray::{Array1, Array2};

fn halves(n: usize) -> Split {
    Split::by_id(&(0..n as u64).collect::<Vec<_>>(), 0.5, 7).unwrap()
}

fn read(probe: &str, z: &Array2<f64>, y: &[i64], split: &Split) -> Result<Reading, EstimateError> {
    let probe: Probe = toml::from_str(probe).unwrap();
    let labels = Labels::new(Array1::from(y.to_vec()).view());
    probe.read(z.view(), &Target::Classes(labels), split, 5)
}

fn signs(seed: u64, n: usize) -> Vec<f64> {
    let mut random = SplitMix64::new(seed);
    (0..n).map(|_| if random.uniform() < 0.5 { -1.0 } else { 1.0 }).collect()
}

fn sign_labels(signs: &[f64]) -> Vec<i64> {
    signs.iter().map(|&sign| i64::from(sign > 0.0)).collect()
}

/// Two signs with normal noise of deviation 0.5, and whether they agree: 0.5789 nats.
fn exclusive_or(n: usize) -> (Array2<f64>, Vec<i64>) {
    let (a, b) = (signs(3, n), signs(4, n));
    let noise = normal_matrix(5, n, 2);
    let z = Array2::from_shape_fn((n, 2), |(i, j)| [a[i], b[i]][j] + 0.5 * noise[(i, j)]);
    (z, sign_labels(&a.iter().zip(&b).map(|(a, b)| a * b).collect::<Vec<_>>()))
}

/// One sign with normal noise of deviation 0.5: 0.6327 nats.
fn binary_channel(n: usize) -> (Array2<f64>, Vec<i64>) {
    let sign = signs(1, n);
    let noise = normal_matrix(2, n, 1);
    (Array2::from_shape_fn((n, 1), |(i, _)| sign[i] + 0.5 * noise[(i, 0)]), sign_labels(&sign))
}

/// Two units along the axis of the class, with normal noise of deviation 1.
fn orthogonal_signals(n: usize, classes: usize) -> (Array2<f64>, Vec<i64>) {
    let mut z = normal_matrix(6, n, classes);
    for (i, mut row) in z.rows_mut().into_iter().enumerate() {
        row[i % classes] += 2.0;
    }
    (z, (0..n).map(|i| i64::try_from(i % classes).unwrap()).collect())
}
