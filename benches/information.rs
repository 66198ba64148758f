//! Mutual information by nearest neighbors.
//!
//! The bound is what comparing all pairs takes where nothing but arithmetic counts: n² pairs, 2d coordinates for each
//! of the joint space and its margins together, three instructions of eight numbers each, and two instructions a cycle.
//! Skipping leaves makes the search beat it in few dimensions. Figures are in `README.md`.

use std::hint::black_box;
use std::num::NonZeroUsize;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use infoplane::estimate::Paired;
use infoplane::estimate::information::{ContinuousInformation, Ksg};
use infoplane::estimate::random::SplitMix64;
use ndarray::Array2;

/// Normal samples of two variables whose pairs of coordinates share two nats in all.
fn normal(n: usize, d: usize) -> (Array2<f64>, Array2<f64>) {
    let mut random = SplitMix64::new(1);
    let rho = (1.0 - (-4.0 / d as f64).exp()).sqrt();
    let (mut x, mut y) = (Array2::zeros((n, d)), Array2::zeros((n, d)));
    for (x, y) in x.iter_mut().zip(&mut y) {
        let (a, b) = random.normal_pair();
        (*x, *y) = (a, rho * a + (1.0 - rho * rho).sqrt() * b);
    }
    (x, y)
}

fn ksg(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ksg");
    group.sample_size(20);
    let estimator = Ksg { neighbors: NonZeroUsize::new(5).expect("five is not zero") };
    for (n, d) in [(10_000, 1), (10_000, 2), (10_000, 4), (10_000, 8), (50_000, 4)] {
        let (x, y) = normal(n, d);
        let samples = Paired::new(x.view(), y.view()).expect("normal samples are finite");
        group.bench_function(BenchmarkId::from_parameter(format!("{n}x{d}+{d}")), |bencher| {
            bencher.iter(|| estimator.estimate(black_box(samples)).expect("there are more than five samples"));
        });
    }
    group.finish();
}

criterion_group!(benches, ksg);
criterion_main!(benches);
