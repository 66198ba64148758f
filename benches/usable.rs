//! One fit of the linear probe: 10,000 training samples, 10 classes; the penalty given, or chosen among six in five
//! folds.
#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a bench fails by panicking and stores f32")]

#[path = "../tests/estimators/data.rs"]
mod data;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use infoplane::estimate::usable::{Linear, Probe, Target};
use infoplane::estimate::{Labels, Split};
use ndarray::{Array1, Array2};

const TRAIN: usize = 10_000;
const TEST: usize = 100;

fn layer(units: usize) -> (Array2<f32>, Target, Split) {
    let (z, y) = data::layer(TRAIN + TEST, units, 10, 40);
    let split = Split { train: (0..TRAIN).collect(), test: (TRAIN..TRAIN + TEST).collect() };
    (z.mapv(|value| value as f32), Target::Classes(Labels::new(Array1::from(y).view())), split)
}

fn usable(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("usable");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(4));
    for (name, text, widths) in [
        ("fit", "penalties = [1e-3]\ntolerance = 1e-4", &[64, 512, 4096][..]),
        ("fit-tight", "penalties = [1e-3]\ntolerance = 1e-5", &[64, 512, 4096]),
        ("path", "", &[64, 512]),
    ] {
        let linear: Linear = toml::from_str(text).unwrap();
        let probe = Probe::Linear(linear);
        for &units in widths {
            let (z, labels, split) = layer(units);
            group.bench_function(BenchmarkId::new(name, units), |bencher| {
                bencher.iter(|| probe.read(black_box(z.view()), &labels, &split, 0).unwrap());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, usable);
criterion_main!(benches);
