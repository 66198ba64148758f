//! The Gaussian plug-in: golden values, closed forms, degenerate sides.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use infoplane::estimate::information::{ContinuousInformation, Gaussian};
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::{Estimate, EstimateError, Flag, Paired, Unit};
use ndarray::{Array2, Axis, array, concatenate, s};
use proptest::prelude::*;

fn estimate(x: &Array2<f64>, y: &Array2<f64>) -> Result<Estimate, EstimateError> {
    Gaussian {}.estimate(Paired::new(x.view(), y.view()).unwrap())
}

fn columns(n: usize, mut pair: impl FnMut() -> (f64, f64)) -> (Array2<f64>, Array2<f64>) {
    let rows: Vec<(f64, f64)> = (0..n).map(|_| pair()).collect();
    (Array2::from_shape_fn((n, 1), |(row, _)| rows[row].0), Array2::from_shape_fn((n, 1), |(row, _)| rows[row].1))
}

fn normal(random: &mut SplitMix64, rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, columns), || random.normal_pair().0)
}

// Golden values: NumPy 2, covariance with ddof 1, on the same generator.
#[test]
fn agrees_with_the_golden_value_of_uniform_samples() {
    let mut random = SplitMix64::new(1);
    let (x, y) = columns(500, || {
        let (u, v) = (random.uniform(), random.uniform());
        (u, u + 0.5 * v)
    });
    let estimate = estimate(&x, &y).unwrap();
    assert!((estimate.value - 0.825_744_248_778_327_1).abs() < 1e-9, "{estimate:?}");
    assert_eq!((estimate.unit, estimate.n_samples, estimate.flags.len()), (Unit::Nats, 500, 0));
}

#[test]
fn agrees_with_the_golden_value_of_normal_samples() {
    let mut random = SplitMix64::new(2);
    let (x, y) = columns(500, || {
        let (a, b) = random.normal_pair();
        (a, 0.75 * a + 0.4375_f64.sqrt() * b)
    });
    let estimate = estimate(&x, &y).unwrap();
    assert!((estimate.value - 0.366_805_959_050_928).abs() < 1e-9, "{estimate:?}");
    // The asymptotic standard error of −½ ln(1 − ρ²) is ρ/√n = 0.0323 at the sample's ρ.
    assert!((estimate.std_error.unwrap() - 0.0323).abs() < 0.004, "{estimate:?}");
    assert_eq!(estimate.details["independence_bias"].as_f64(), Some(0.001));
}

#[test]
fn recovers_the_closed_form_of_two_correlated_pairs() {
    let mut random = SplitMix64::new(3);
    let n = 20_000;
    let (x, noise) = (normal(&mut random, n, 2), normal(&mut random, n, 3));
    let y = concatenate(
        Axis(1),
        &[
            (&x * &array![0.6, 0.3] + &noise.slice(s![.., ..2]) * &array![0.8, 0.91_f64.sqrt()]).view(),
            noise.slice(s![.., 2..]),
        ],
    )
    .unwrap();
    let estimate = estimate(&x, &y).unwrap();
    let exact = -0.5 * ((1.0 - 0.36_f64).ln() + (1.0 - 0.09_f64).ln());
    // Three standard errors; the bias of 1.5e-4 is far below.
    assert!((estimate.value - exact).abs() < 3.0 * estimate.std_error.unwrap(), "{estimate:?}, exact {exact}");
}

#[test]
fn a_constant_side_has_no_information() {
    let x = array![[0.1, 3.0], [0.1, 3.0], [0.1, 3.0]];
    let estimate = estimate(&x, &array![[1.0], [2.0], [4.0]]).unwrap();
    assert_eq!((estimate.value.to_bits(), estimate.std_error), (0, Some(0.0)));
    assert!(estimate.flags.contains(&Flag::Constant));
}

#[test]
fn duplicated_and_dead_units_change_nothing_and_are_flagged() {
    let mut random = SplitMix64::new(4);
    let x = normal(&mut random, 300, 2);
    let y = &x + &normal(&mut random, 300, 2);
    let more = concatenate(Axis(1), &[x.view(), x.view(), Array2::ones((300, 1)).view()]).unwrap();
    let (base, more) = (estimate(&x, &y).unwrap(), estimate(&more, &y).unwrap());
    assert!((base.value - more.value).abs() < 1e-9, "{base:?} {more:?}");
    assert_eq!(more.flags, [Flag::ConstantUnits, Flag::RankDeficient]);
    assert_eq!(more.details["rank_x"].as_u64(), Some(2));
}

#[test]
fn sides_that_determine_each_other_are_an_error() {
    let x = normal(&mut SplitMix64::new(4), 100, 2);
    let y = (&x.slice(s![.., ..1]) + &x.slice(s![.., 1..])) * 3.0 + 1.0;
    assert!(matches!(estimate(&x, &y), Err(EstimateError::Degenerate { .. })));
    // As many dimensions as samples: determined by chance.
    let x = normal(&mut SplitMix64::new(4), 10, 5);
    assert!(matches!(estimate(&x, &x), Err(EstimateError::Degenerate { .. })));
}

#[test]
fn the_threads_do_not_change_a_bit() {
    let x = normal(&mut SplitMix64::new(5), 900, 150);
    let y = &x + &normal(&mut SplitMix64::new(6), 900, 150);
    let [one, two, three] = [1, 2, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| estimate(&x, &y).unwrap())
    });
    assert!(one == two && one == three);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn is_symmetric_and_blind_to_units(seed: u64, scale in 1e-6_f64..1e6, offset in -5.0_f64..5.0) {
        let mut random = SplitMix64::new(seed);
        let x = normal(&mut random, 80, 3);
        let y = &x.slice(s![.., ..2]) + &normal(&mut random, 80, 2);
        let base = estimate(&x, &y).unwrap();
        prop_assert!(base.value >= 0.0);
        let swapped = estimate(&y, &x).unwrap();
        let moved = estimate(&(&x * &array![scale, 1.0, -2.0] + offset * scale), &y).unwrap();
        for other in [swapped, moved] {
            // An offset of 5e6 standard deviations at worst leaves nine digits of a coordinate.
            prop_assert!((other.value - base.value).abs() < 1e-6, "{} {}", other.value, base.value);
        }
    }
}
