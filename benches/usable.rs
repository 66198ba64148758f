//! Probes of 10,000 training samples of 10 classes: one fit of the linear family, a choice among ten penalties in five
//! folds, and one fit of each other family.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a bench fails by panicking, stores f32 and talks to its caller"
)]

#[path = "../tests/estimators/data.rs"]
mod data;

use std::cell::LazyCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use infoplane::estimate::usable::{Probe, Target};
use infoplane::estimate::{Labels, Split};
use ndarray::{Array1, Array2};

const TRAIN: usize = 10_000;
const TEST: usize = 100;

fn layer(units: usize) -> (Array2<f32>, Target, Split) {
    let (z, y) = data::layer(TRAIN + TEST, units, 10, 40);
    let split = Split { train: (0..TRAIN).collect(), test: (TRAIN..TRAIN + TEST).collect() };
    (z.mapv(|value| value as f32), Target::Classes(Labels::new(Array1::from(y).view())), split)
}

/// The probes, each with the widths that it is for.
const PROBES: [(&str, &str, &[usize]); 6] = [
    ("fit", "linear = { penalties = [1e-3] }", &[64, 512, 4096]),
    ("path", "linear = { penalties = [10, 3, 1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003] }", &[64, 512, 4096]),
    ("nearest-mean", "nearest-mean = {}", &[64, 512, 4096]),
    ("quadratic", "quadratic = { linear = { penalties = [1e-3] } }", &[32]),
    ("random-features", "random-features = { linear = { penalties = [1e-3] } }", &[64]),
    ("mlp", "mlp = { seeds = 1 }", &[64]),
];

fn usable(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("usable");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(4));
    for (name, text, widths) in PROBES {
        let probe: Probe = toml::from_str(text).unwrap();
        for &units in widths {
            let made = LazyCell::new(|| layer(units));
            let read = || probe.read(black_box(made.0.view()), &made.1, &made.2, 0).unwrap();
            group.bench_function(BenchmarkId::new(name, units), |bencher| {
                // What `compare.py` prints beside its rival's.
                println!("{}", serde_json::Value::Object(read().usable.details));
                bencher.iter(read);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, usable);
criterion_main!(benches);
