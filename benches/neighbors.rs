//! How long the distances to the tenth neighbor take among samples of many dimensions.
//!
//! `rivals/neighbors.py` writes the same samples for `SAMPLES`, a file of 32-bit floats behind one another, and has
//! scikit-learn's times; without it the samples are drawn, a few directions with most of the variance as in images, and noise.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::typicality::Typicality;
use ndarray::Array2;

const UNITS: usize = 784;

/// Samples whose standard deviation falls as one over the root of the direction.
fn drawn(n: usize) -> Array2<f64> {
    let mut random = SplitMix64::new(1);
    Array2::from_shape_fn((n, UNITS), |(_, unit)| random.normal_pair().0 / (1.0 + unit as f64).sqrt())
}

fn noise(n: usize) -> Array2<f64> {
    let mut random = SplitMix64::new(1);
    Array2::from_shape_simple_fn((n, UNITS), || random.normal_pair().0)
}

fn read(path: &str) -> Array2<f64> {
    let bytes = std::fs::read(path).expect("`SAMPLES` is a file");
    let values = bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("there are four bytes")));
    let values: Vec<f64> = values.map(f64::from).collect();
    Array2::from_shape_vec((values.len() / UNITS, UNITS), values).expect("every sample has as many values")
}

fn typicality(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("typicality");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(10));
    let all = match std::env::var("SAMPLES") {
        Ok(path) => vec![("file", read(&path))],
        Err(_) => vec![("drawn", drawn(10_000)), ("noise", noise(10_000))],
    };
    let typicality = Typicality { neighbors: vec![NonZeroUsize::new(10).expect("ten is not zero")] };
    for (name, samples) in &all {
        group.bench_function(BenchmarkId::new(*name, samples.nrows()), |bencher| {
            bencher.iter(|| typicality.densities(black_box(samples.view())).expect("there are more than ten samples"));
        });
    }
    group.finish();
}

criterion_group!(benches, typicality);
criterion_main!(benches);
