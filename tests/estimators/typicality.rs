//! Typicality against golden entropies, two loops, and what must not change it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;

use infoplane::estimate::EstimateError;
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::typicality::{Agreement, Density, Typicality};
use ndarray::{Array2, Axis, array};
use proptest::prelude::*;

fn densities(samples: &Array2<f64>, ks: &[usize]) -> Result<Vec<Density>, EstimateError> {
    let neighbors = ks.iter().map(|&k| NonZeroUsize::new(k).unwrap()).collect();
    Typicality { neighbors }.densities(samples.view())
}

fn normal(seed: u64, n: usize, d: usize) -> Array2<f64> {
    let mut random = SplitMix64::new(seed);
    Array2::from_shape_simple_fn((n, d), || random.normal_pair().0)
}

/// `methods.md`, section 8.2: minus the mean is the entropy of Kozachenko and Leonenko, of one and of both coordinates.
#[test]
fn the_mean_is_the_golden_entropy() {
    let mut random = SplitMix64::new(1);
    let pairs = Array2::from_shape_fn(
        (500, 2),
        |(_, column)| if column == 0 { random.uniform() } else { 0.5 * random.uniform() },
    );
    let both = Array2::from_shape_fn((500, 2), |(row, column)| {
        pairs[[row, 0]] + if column == 0 { 0.0 } else { pairs[[row, 1]] }
    });
    let x = both.select(Axis(1), &[0]);
    let entropy = |density: &Density| -density.log_densities.iter().sum::<f64>() / 500.0;
    let expected = [
        (&x, [-0.005_161_944_056, 0.044_128_630_014, 0.018_611_861_678]),
        (&both, [-0.726_210_289_695, -0.688_539_934_816, -0.621_419_981_198]),
    ];
    for (samples, expected) in expected {
        for (density, expected) in densities(samples, &[1, 3, 5]).unwrap().iter().zip(expected) {
            // Half a unit of the last digit given, and rounding.
            assert!(
                (entropy(density) - expected).abs() < 1e-11,
                "{}: {} {expected}",
                density.neighbors,
                entropy(density)
            );
        }
    }
}

#[test]
fn the_middle_of_a_normal_cloud_is_typical() {
    let samples = normal(3, 2000, 2);
    let density = &densities(&samples, &[20]).unwrap()[0];
    let typical = density.most_typical(0.5).unwrap();
    assert_eq!(typical.len(), 1000);
    // Half of the mass lies within the radius √(2 ln 2); 20 neighbors tell the density to a quarter.
    let inside = typical.iter().filter(|&&row| samples.row(row).dot(&samples.row(row)) < 2.0 * 2.0_f64.ln()).count();
    assert!(inside > 880, "{inside}");
    let level = density
        .log_densities
        .iter()
        .enumerate()
        .filter(|(row, _)| typical.contains(row))
        .map(|(_, &value)| value)
        .fold(f64::INFINITY, f64::min);
    assert_eq!(density.denser_than(level), typical);
    let several = densities(&samples, &[10, 20]).unwrap();
    let agreement = Agreement::of(&several[0], &several[1], 0.5).unwrap();
    assert!(agreement.overlap > 0.85 && agreement.rank_correlation.unwrap() > 0.9, "{agreement:?}");
    let other = &densities(&normal(4, 2000, 2), &[20]).unwrap()[0];
    let chance = Agreement::of(&several[1], other, 0.5).unwrap();
    // The deviation of either by chance is about a fiftieth.
    assert!((chance.overlap - 0.5).abs() < 0.1 && chance.rank_correlation.unwrap().abs() < 0.1, "{chance:?}");
}

#[test]
fn samples_that_coincide_are_the_most_typical_and_counted() {
    let samples = array![[0.0], [5.0], [5.0], [5.0], [9.0], [2.0]];
    let density = &densities(&samples, &[2]).unwrap()[0];
    assert_eq!(density.most_typical(0.5).unwrap(), [1, 2, 3]);
    assert!(density.log_densities[1].is_infinite() && (density.tied_fraction() - 0.5).abs() < 1e-15);
    assert!(density.most_typical(0.01).unwrap_err().to_string().contains("takes 0 of 6"));
    assert!(density.most_typical(f64::NAN).is_err());
    assert_eq!(densities(&samples, &[6]).unwrap_err(), EstimateError::TooFewSamples { found: 6, needed: 6 });
    assert!(densities(&samples, &[]).unwrap_err().to_string().contains("no number of neighbors"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    /// Two loops find the same; the order of the rows changes nothing, and scale shifts every ln p alike.
    #[test]
    fn equals_two_loops_in_any_order_and_scale(seed: u64, n in 8_usize..150, d in 1_usize..40, k in 1_usize..7) {
        let samples = normal(seed, n, d);
        let density = densities(&samples, &[k]).unwrap().swap_remove(0);
        for (row, &found) in density.distances.iter().enumerate() {
            let mut all: Vec<f64> = samples.outer_iter().map(|other| (&other - &samples.row(row)).mapv(|v| v * v).sum().sqrt()).collect();
            all.sort_by(f64::total_cmp);
            // The order of the sums differs.
            prop_assert!((found - all[k]).abs() <= 1e-13 * all[k], "{found} {}", all[k]);
        }
        let reversed = samples.slice(ndarray::s![..;-1, ..]).to_owned();
        let mut back = densities(&reversed, &[k]).unwrap().swap_remove(0);
        back.distances.reverse();
        prop_assert_eq!(&back.distances, &density.distances);
        let scaled = densities(&(&samples * 4.0), &[k]).unwrap().swap_remove(0);
        for (a, b) in density.log_densities.iter().zip(&scaled.log_densities) {
            prop_assert!((a - b - d as f64 * 4.0_f64.ln()).abs() < 1e-9);
        }
    }
}
