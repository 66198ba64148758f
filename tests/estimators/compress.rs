//! Principal components: exact, dual and iterated forms agree; scores are uncorrelated; signs are fixed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::cast_possible_truncation, reason = "layers are stored in single precision")]

use std::num::NonZeroUsize;

use infoplane::estimate::compress::{Compressed, Pca};
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::{Element, compress::Compression};
use ndarray::{Array2, ArrayView2, Axis, array, concatenate};
use proptest::prelude::*;

fn normal(random: &mut SplitMix64, rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, columns), || random.normal_pair().0)
}

/// Samples whose columns fall off in scale like a power, mixed by a random matrix, away from zero.
fn decaying(seed: u64, n: usize, d: usize, power: f64) -> Array2<f64> {
    let mut random = SplitMix64::new(seed);
    let factors = normal(&mut random, n, 12);
    let mixing = Array2::from_shape_fn((12, d), |(row, _)| random.normal_pair().0 * ((row + 1) as f64).powf(-power));
    factors.dot(&mixing) + normal(&mut random, n, d) * 0.1 + 3.0
}

fn pca<T: Element>(matrix: ArrayView2<'_, T>, components: usize) -> Compressed {
    let pca = Pca { components: NonZeroUsize::new(components).unwrap() };
    Compression::Pca(pca).compress(matrix).unwrap()
}

#[test]
fn finds_the_axes_of_an_ellipse() {
    // Four points: variances 2 (along (3, 4)/5, length 2) and 1/2 (across, length 1), times n = 4.
    let (long, short) = ([1.2, 1.6], [-0.8, 0.6]);
    let matrix = array![
        [long[0] + 7.0, long[1]],
        [-long[0] + 7.0, -long[1]],
        [short[0] + 7.0, short[1]],
        [-short[0] + 7.0, -short[1]]
    ];
    let found = pca(matrix.view(), 2);
    // Rounding of a few operations.
    for (value, expected) in found.explained_variance_ratio.iter().zip([0.8, 0.2]) {
        assert!((value - expected).abs() < 1e-14, "{value}");
    }
    for (axis, expected) in found.axes.outer_iter().zip([[0.6, 0.8], [0.8, -0.6]]) {
        assert!(axis.iter().zip(expected).all(|(value, expected)| (value - expected).abs() < 1e-14), "{axis}");
    }
    assert!((found.scores[[0, 0]] - 2.0).abs() < 1e-14);
    assert_eq!(found.rank, 2);
}

#[test]
fn a_constant_matrix_has_no_components() {
    let found = pca(Array2::from_elem((5, 3), 0.1_f32).view(), 2);
    assert_eq!((found.scores.dim(), found.rank), ((5, 0), 0));
    assert!(found.explained_variance_ratio.is_empty());
}

#[test]
fn dead_and_duplicated_units_lower_the_rank() {
    let matrix = normal(&mut SplitMix64::new(1), 50, 2);
    let dead = Array2::from_elem((50, 3), 1e3);
    let matrix = concatenate(Axis(1), &[matrix.view(), dead.view(), matrix.view()]).unwrap();
    let found = pca(matrix.view(), 4);
    assert_eq!((found.rank, found.scores.ncols()), (2, 2));
    assert!((found.explained_variance_ratio.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn the_dual_form_agrees_with_the_primal_one() {
    // More units than samples goes through the samples' Gram matrix; padding with dead samples' worth of
    // units does not change the spectrum, so the transposed problem is the check.
    let wide = decaying(2, 40, 90, 1.0);
    let dual = pca(wide.view(), 5);
    let rows = wide.nrows();
    // 60 copies of the mean change neither the mean nor the directions, and make the matrix tall.
    let mean = wide.mean_axis(Axis(0)).unwrap().insert_axis(Axis(0));
    let tall = concatenate(Axis(0), &[wide.view(), mean.broadcast((60, 90)).unwrap()]).unwrap();
    let primal = pca(tall.view(), 5);
    for component in 0..5 {
        let (a, b) = (dual.explained_variance_ratio[component], primal.explained_variance_ratio[component]);
        assert!((a - b).abs() < 1e-12, "{a} {b}");
        for row in 0..rows {
            let (a, b) = (dual.scores[[row, component]], primal.scores[[row, component]]);
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }
}

#[test]
fn the_iterated_form_agrees_with_the_exact_one() {
    for (n, d, power) in [(700, 300, 0.5), (300, 700, 1.0), (400, 400, 3.0)] {
        let matrix = decaying(3, n, d, power);
        // More than an eighth of the components goes the exact way.
        let (iterated, exact) = (pca(matrix.view(), 4), pca(matrix.view(), 60));
        for component in 0..4 {
            let (a, b) = (iterated.explained_variance_ratio[component], exact.explained_variance_ratio[component]);
            assert!((a - b).abs() < 1e-9 * b, "{n} x {d}, {component}: {a} {b}");
            let distance = (&iterated.axes.row(component) - &exact.axes.row(component)).mapv(f64::abs).sum();
            // Of first order in the residual, over the smallest gap of these spectra.
            assert!(distance < 1e-4, "{n} x {d}, {component}: {distance}");
        }
    }
}

#[test]
fn noise_without_a_gap_still_converges() {
    let matrix = normal(&mut SplitMix64::new(4), 600, 300);
    let (iterated, exact) = (pca(matrix.view(), 4), pca(matrix.view(), 60));
    for (a, b) in iterated.explained_variance_ratio.iter().zip(&exact.explained_variance_ratio) {
        assert!((a - b).abs() < 1e-9 * b, "{a} {b}");
    }
}

#[test]
fn the_threads_do_not_change_a_bit() {
    for (n, d, components) in [(900, 150, 4), (1200, 400, 3), (100, 300, 5)] {
        let matrix = decaying(5, n, d, 1.0).mapv(|value| value as f32);
        let [one, two, three] = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| pca(matrix.view(), components))
        });
        assert!(one == two && one == three, "{n} x {d}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn scores_are_centered_uncorrelated_and_signed(seed: u64, n in 3_usize..60, d in 1_usize..60) {
        let matrix = decaying(seed, n, d, 1.0);
        let found = pca(matrix.view(), 4);
        prop_assert_eq!(found.rank, d.min(n - 1).min(4));
        let squares = found.scores.t().dot(&found.scores);
        let largest = squares[[0, 0]];
        for (row, axis) in found.axes.outer_iter().enumerate() {
            prop_assert!(found.scores.column(row).sum().abs() < 1e-9 * largest.sqrt() * n as f64);
            let largest_loading = axis.iter().copied().fold(0.0, |a: f64, b: f64| if b.abs() > a.abs() { b } else { a });
            prop_assert!(largest_loading > 0.0);
            for column in 0..row {
                prop_assert!(squares[[row, column]].abs() < 1e-9 * largest);
            }
        }
        let centered = &matrix - &matrix.mean_axis(Axis(0)).unwrap();
        let total = centered.mapv(|value| value * value).sum();
        for (component, ratio) in found.explained_variance_ratio.iter().enumerate() {
            prop_assert!((squares[[component, component]] - ratio * total).abs() < 1e-9 * total);
        }
    }
}
