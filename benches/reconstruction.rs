//! How long one linear reconstruction takes: 10,000 samples, 784 targets, five folds, five penalties.
#![expect(clippy::cast_possible_truncation, reason = "layers are stored in single precision")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use infoplane::estimate::Split;
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::reconstruction::Linear;
use ndarray::Array2;

const SAMPLES: usize = 10_000;

fn normal(seed: u64, columns: usize) -> Array2<f32> {
    let mut random = SplitMix64::new(seed);
    Array2::from_shape_simple_fn((SAMPLES, columns), || random.normal_pair().0 as f32)
}

fn reconstruction(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reconstruction");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(4));
    let target = normal(1, 784);
    let ids: Vec<u64> = (0..SAMPLES as u64).collect();
    let split = Split::by_id(&ids, 0.2, 0).expect("both sides have samples");
    for units in [64, 512, 4096] {
        let layer = normal(2, units);
        group.bench_function(BenchmarkId::new("linear", units), |bencher| {
            bencher.iter(|| Linear::default().decode(black_box(layer.view()), target.view(), &split));
        });
    }
    group.finish();
}

criterion_group!(benches, reconstruction);
criterion_main!(benches);
