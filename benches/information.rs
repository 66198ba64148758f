//! Mutual information by nearest neighbors.
//!
//! The bound is what comparing all pairs takes where nothing but arithmetic counts: n² pairs, 2d coordinates for each
//! of the joint space and its margins together, three instructions of eight numbers each, and two instructions a cycle.
//! Skipping leaves makes the search beat it in few dimensions. Figures are in `README.md`.

use std::hint::black_box;
use std::num::NonZeroUsize;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use infoplane::estimate::information::{
    Against, ContinuousInformation, Estimator, Intervals, Kolchinsky, Ksg, Several, measure,
};
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::{Paired, Permutations};
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
    let estimator = Ksg { neighbors: neighbors(&[5]) };
    for (n, d) in [(10_000, 1), (10_000, 2), (10_000, 4), (10_000, 8), (50_000, 2), (50_000, 4), (50_000, 8)] {
        let (x, y) = normal(n, d);
        let samples = Paired::new(x.view(), y.view()).expect("normal samples are finite");
        group.bench_function(BenchmarkId::from_parameter(format!("{n}x{d}+{d}")), |bencher| {
            bencher.iter(|| estimator.estimate(black_box(samples)).expect("there are more than five samples"));
        });
    }
    group.finish();
}

fn neighbors(ks: &[usize]) -> Several<NonZeroUsize> {
    let ks = ks.iter().map(|&k| NonZeroUsize::new(k).expect("no k is zero")).collect();
    Several::new(ks).expect("all are different")
}

/// What several k, an interval and permutations cost, beside one estimate with the largest k: the multiples are in
/// `README.md`.
fn multiples(criterion: &mut Criterion) {
    for d in [2, 4] {
        let mut group = criterion.benchmark_group(format!("multiples of ksg, 10000x{d}+{d}"));
        group.sample_size(10);
        let (x, y) = normal(10_000, d);
        for (name, ks, intervals, permutations) in [
            ("k = 10", &[10][..], Intervals::None {}, None),
            ("k = 1, 3, 5, 10", &[1, 3, 5, 10], Intervals::None {}, None),
            ("k = 10, 54 parts", &[10], Intervals::default(), None),
            ("k = 10, 99 permutations", &[10], Intervals::None {}, Permutations::try_from(99).ok()),
        ] {
            let estimator = Estimator::Ksg(Ksg { neighbors: neighbors(ks) });
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let against = Against::Variable(y.view());
                    measure(&estimator, black_box(x.view()), against, (&intervals, permutations), 1)
                        .expect("there are more than ten samples")
                });
            });
        }
        group.finish();
    }
}

/// Pairwise bounds of a wide layer; the rival is `kolchinsky` of `rivals/information.py`.
fn kolchinsky(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kolchinsky");
    group.sample_size(10);
    let (_, layer) = normal(10_000, 512);
    let samples = Paired::new(layer.view(), layer.view()).expect("normal samples are finite");
    let estimator: Kolchinsky = serde_json::from_str(r#"{ "variance": 10.0 }"#).expect("the variance is positive");
    group.bench_function("10000x512", |bencher| {
        bencher.iter(|| estimator.estimates(black_box(samples)).expect("any samples have bounds"));
    });
    group.finish();
}

criterion_group!(benches, ksg, multiples, kolchinsky);
criterion_main!(benches);
