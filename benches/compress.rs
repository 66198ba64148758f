//! How long four and sixteen principal components of 10,000 samples take; `rivals/linear.py --units 4096` has the same
//! layer in scikit-learn.
#![expect(clippy::cast_possible_truncation, reason = "layers are stored in single precision")]

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use infoplane::estimate::compress::{Basis, Pca};
use infoplane::estimate::random::SplitMix64;
use ndarray::Array2;

const SAMPLES: usize = 10_000;
const FACTORS: usize = 32;

/// Samples with a spectrum that falls like that of a trained layer: shared factors of decreasing size, and noise.
fn layer(units: usize) -> Array2<f32> {
    let mut random = SplitMix64::new(1);
    let mut normal = |rows, columns| Array2::from_shape_simple_fn((rows, columns), || random.normal_pair().0 as f32);
    let mut mixing = normal(FACTORS, units);
    for (size, mut row) in (1_u8..).zip(mixing.outer_iter_mut()) {
        row /= f32::from(size);
    }
    normal(SAMPLES, FACTORS).dot(&mixing) + normal(SAMPLES, units) * 0.3
}

fn compress(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compress");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(4));
    for units in [784, 4096] {
        let layer = layer(units);
        for components in [4, 16] {
            let components = NonZeroUsize::new(components).expect("neither is zero");
            let pca = Pca { components, basis: Basis::Own };
            group.bench_function(BenchmarkId::new("pca", format!("{units}-{components}")), |bencher| {
                bencher.iter(|| pca.compress(black_box(layer.view())));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, compress);
criterion_main!(benches);
