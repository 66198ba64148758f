use ndarray::{Array1, Array2};

use super::{Drawn, Known};
use crate::estimate::Labels;
use crate::estimate::random::SplitMix64;

/// The distributions of a continuous variable and a label.
pub(super) fn catalogue() -> Vec<Known> {
    vec![
        Known { name: "3 overlapping classes", truth: overlapping_truth(3), draw: |n, seed| overlapping(n, 3, seed) },
        Known { name: "5 overlapping classes", truth: overlapping_truth(5), draw: |n, seed| overlapping(n, 5, seed) },
        Known { name: "4 parts of a line", truth: 4.0_f64.ln(), draw: parts },
        Known { name: "classes of nothing", truth: 0.0, draw: nothing },
    ]
}

/// One of m labels, and a number uniform on [label, label + 2].
fn overlapping(n: usize, m: usize, seed: u64) -> Drawn {
    let mut random = SplitMix64::new(seed);
    labeled(n, || {
        let label = random.below(m);
        (label as f64 + 2.0 * random.uniform(), label)
    })
}

fn overlapping_truth(m: i32) -> f64 {
    let m = f64::from(m);
    m.ln() - (m - 1.0) / m * std::f64::consts::LN_2
}

/// A number uniform on a line, and which of four equal parts it lies in.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "parts are numbered from 0 to 3")]
fn parts(n: usize, seed: u64) -> Drawn {
    let mut random = SplitMix64::new(seed);
    labeled(n, || {
        let u = random.uniform();
        (u, (4.0 * u) as usize)
    })
}

/// A normal number and a label that has nothing to do with it.
fn nothing(n: usize, seed: u64) -> Drawn {
    let mut random = SplitMix64::new(seed);
    labeled(n, || (random.normal_pair().0, random.below(3)))
}

fn labeled(n: usize, mut sample: impl FnMut() -> (f64, usize)) -> Drawn {
    let (x, labels): (Vec<f64>, Vec<usize>) = (0..n).map(|_| sample()).unzip();
    let labels: Array1<i64> = labels.into_iter().map(|label| i64::try_from(label).expect("labels are few")).collect();
    Drawn::Labeled(Array2::from_shape_vec((n, 1), x).expect("one number a sample"), Labels::new(labels.view()))
}
