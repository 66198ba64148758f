//! What all estimators of information have in common: settings that share work, shuffled samples, constants.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use infoplane::estimate::information::Estimator;
use infoplane::estimate::neighbors::{Counter, Neighbors, euclidean_distances};
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::{Flag, Labels, Paired};
use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;

use crate::data::normal_matrix;

pub(crate) fn estimator(text: &str) -> Estimator {
    #[derive(serde::Deserialize)]
    struct Wrapped {
        estimator: Estimator,
    }
    toml::from_str::<Wrapped>(&format!("estimator = {text}")).unwrap().estimator
}

pub(crate) const ALL: [&str; 14] = [
    "{ ksg = { neighbors = [3, 1, 10] } }",
    "{ ksg-2 = { neighbors = [3, 1, 10] } }",
    "{ mixed = { neighbors = [3, 1, 10] } }",
    "{ kozachenko-leonenko = { neighbors = [3, 1] } }",
    "{ kozachenko-leonenko = { neighbors = [3, 1], form = 'per-sample' } }",
    "{ weighted = { neighbors = [5, 7] } }",
    "{ weighted = { neighbors = [5, 7], form = 'per-sample' } }",
    "{ kde = { bandwidth = [0.3, 0.6] } }",
    "{ kde = { bandwidth = [0.3, 0.6], form = 'per-sample' } }",
    "{ gaussian = {} }",
    "{ kolchinsky = { variance = [0.1, 1.0] } }",
    "{ binning = { bins = { quantile = 4 } } }",
    "{ sliced = { dimensions = 1, slices = 5, neighbors = [3, 4] } }",
    "{ ross = { neighbors = [3, 1] } }",
];

/// Five coordinates a side, so that weights are more than one; three of them shared.
fn samples(seed: u64, n: usize) -> (Array2<f64>, Array2<f64>, Labels) {
    let x = normal_matrix(seed, n, 3);
    let y = &x + &normal_matrix(seed + 1, n, 3);
    let classes: Array1<i64> = x.column(0).mapv(|value| i64::from(value > 0.3));
    (x, y, Labels::new(classes.view()))
}

#[test]
fn several_values_of_a_setting_give_what_each_gives() {
    let (x, y, labels) = samples(3, 300);
    let samples = Paired::new(x.view(), y.view()).unwrap();
    for text in ALL {
        let together = estimator(text);
        let each = together.each();
        if let Some(continuous) = together.continuous() {
            let estimates = continuous.estimates(samples).unwrap();
            let alone: Vec<_> = each.iter().map(|one| one.continuous().unwrap().estimate(samples).unwrap()).collect();
            assert_eq!(estimates, alone, "{text}");
        }
        if let Some(labeled) = together.labeled() {
            let estimates = labeled.estimates(x.view(), &labels).unwrap();
            let alone: Vec<_> =
                each.iter().map(|one| one.labeled().unwrap().estimate(x.view(), &labels).unwrap()).collect();
            assert_eq!(estimates, alone, "{text}");
        }
    }
}

/// Shortcuts for shuffled samples against estimates of samples that were shuffled. Only sums are in another order.
#[test]
fn shuffled_samples_give_what_samples_in_that_order_give() {
    let (x, y, labels) = samples(5, 200);
    let mut orders = vec![(0..200).collect::<Vec<usize>>(); 3];
    let mut random = SplitMix64::new(1);
    orders[1..].iter_mut().for_each(|order| random.shuffle(order));
    for text in ALL {
        let own = estimator(text);
        if let Some(continuous) = own.continuous() {
            let values = continuous.shuffled(Paired::new(x.view(), y.view()).unwrap(), &orders).unwrap();
            for (values, order) in values.iter().zip(&orders) {
                let y = y.select(Axis(0), order);
                let estimates = continuous.estimates(Paired::new(x.view(), y.view()).unwrap()).unwrap();
                for (value, estimate) in values.iter().zip(estimates) {
                    assert!((value - estimate.value).abs() < 1e-11, "{text}: {value} is not {}", estimate.value);
                }
            }
        }
        if let Some(labeled) = own.labeled() {
            let values = labeled.shuffled(x.view(), &labels, &orders).unwrap();
            for (values, order) in values.iter().zip(&orders) {
                let classes: Array1<i64> = order.iter().map(|&row| labels.names()[labels.classes()[row]]).collect();
                let estimates = labeled.estimates(x.view(), &Labels::new(classes.view())).unwrap();
                for (value, estimate) in values.iter().zip(estimates) {
                    assert!((value - estimate.value).abs() < 1e-11, "{text}: {value} is not {}", estimate.value);
                }
            }
        }
    }
}

#[test]
fn constants_have_exactly_no_information() {
    let (x, _, labels) = samples(7, 100);
    let still = Array2::from_elem((100, 2), 0.1);
    for text in ALL {
        let own = estimator(text);
        if let Some(continuous) = own.continuous() {
            for estimate in continuous.estimates(Paired::new(x.view(), still.view()).unwrap()).unwrap() {
                assert_eq!((estimate.value.to_bits(), estimate.std_error), (0, Some(0.0)), "{text}");
                assert!(estimate.flags.contains(&Flag::Constant), "{text}");
            }
        }
        if let Some(labeled) = own.labeled() {
            for estimate in labeled.estimates(still.view(), &labels).unwrap() {
                assert_eq!((estimate.value.to_bits(), estimate.std_error), (0, Some(0.0)), "{text}");
                assert!(estimate.flags.contains(&Flag::Constant), "{text}");
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit_of_any() {
    let (x, y, labels) = samples(9, 700);
    let results: Vec<Vec<u64>> = [1, 3]
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let samples = Paired::new(x.view(), y.view()).unwrap();
                let all = ALL.iter().flat_map(|text| {
                    let own = estimator(text);
                    let pairs = own.continuous().map(|estimator| estimator.estimates(samples).unwrap());
                    let labels = own.labeled().map(|estimator| estimator.estimates(x.view(), &labels).unwrap());
                    pairs
                        .into_iter()
                        .chain(labels)
                        .flatten()
                        .map(|estimate| estimate.value.to_bits())
                        .collect::<Vec<_>>()
                });
                all.collect()
            })
        })
        .into();
    assert_eq!(results[0], results[1]);
}

#[test]
fn repeated_samples_are_refused_where_they_have_no_entropy() {
    let x = array![[0.0], [0.0], [1.0], [2.0], [5.0], [3.0], [4.0], [9.0]];
    let y = array![[1.0], [1.0], [0.0], [3.0], [2.0], [7.0], [5.0], [8.0]];
    for text in ["{ weighted = { neighbors = 2 } }", "{ kozachenko-leonenko = { neighbors = 1 } }"] {
        let own = estimator(text);
        let error = own.continuous().unwrap().estimates(Paired::new(x.view(), y.view()).unwrap()).unwrap_err();
        assert!(error.to_string().contains("2 of 8 samples coincide"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    /// Lengths are given to nine digits, since the covariance that is undone is computed from the mapped samples.
    #[test]
    fn the_whitened_form_is_blind_to_linear_maps(seed in 0..1000_u64, scale in 0.01..100.0_f64, shear in -2.0..2.0_f64) {
        let (x, y, _) = samples(seed, 150);
        let map = array![[scale, 0.0, 0.0], [shear, 1.0, 0.0], [0.0, shear, 1.0]];
        let (mapped_x, mapped_y) = (x.dot(&map) + 3.0, y.dot(&map.t()) - 1.0);
        for text in ["{ kozachenko-leonenko = { neighbors = [1, 3] } }", "{ weighted = { neighbors = 5 } }", "{ kde = { bandwidth = 0.5 } }"] {
            let own = estimator(text);
            let own = own.continuous().unwrap();
            let estimates = own.estimates(Paired::new(x.view(), y.view()).unwrap()).unwrap();
            let mapped = own.estimates(Paired::new(mapped_x.view(), mapped_y.view()).unwrap()).unwrap();
            for (estimate, mapped) in estimates.iter().zip(mapped) {
                prop_assert!((estimate.value - mapped.value).abs() < 1e-9, "{}: {} is not {}", text, mapped.value, estimate.value);
            }
        }
    }

    #[test]
    fn distances_extents_and_shared_counts_equal_those_of_two_nested_loops(
        n in 12..260_usize, d in 2..6_usize, grid: bool, seed in any::<u64>()
    ) {
        let mut random = SplitMix64::new(seed);
        let points = Array2::from_shape_simple_fn((n, d), || {
            let value = 2.0 * random.normal_pair().0;
            if grid { value.round() } else { value }
        });
        let neighbors = Neighbors::new(points.view());
        let ks = [1, 4, 9].map(|k| std::num::NonZeroUsize::new(k).unwrap());
        let euclidean = euclidean_distances(points.view(), &ks).unwrap();
        let radii = neighbors.kth_distances_each(&ks);
        let slices: Vec<&[f64]> = radii.iter().map(Vec::as_slice).collect();
        let counter = Counter::new(points.view());
        let counts = counter.counts_below_each(&slices);
        let within = counter.counts_within_each(&slices);
        // Neither of these is everywhere the larger one.
        let crossed = [0, 1].map(|odd| (0..n).map(|point| radii[2 * ((point + odd) % 2)][point]).collect::<Vec<f64>>());
        let counts_crossed = counter.counts_below_each(&[&crossed[0], &crossed[1]]);
        let (first, second) = neighbors.block_extents(1, &radii[1]);
        let block = |a: usize, b: usize, columns: std::ops::Range<usize>| {
            columns.map(|c| (points[[a, c]] - points[[b, c]]).abs()).fold(0.0, f64::max)
        };
        for point in 0..n {
            let others: Vec<usize> = (0..n).filter(|&other| other != point).collect();
            let mut squares: Vec<f64> = others.iter().map(|&other| {
                (0..d).fold(0.0, |sum: f64, c| { let x = points[[point, c]] - points[[other, c]]; x.mul_add(x, sum) })
            }).collect();
            squares.sort_unstable_by(f64::total_cmp);
            for (place, k) in ks.iter().enumerate() {
                prop_assert_eq!(euclidean[place][point].to_bits(), squares[k.get() - 1].sqrt().to_bits());
                let radius = radii[place][point];
                let count = |near: &dyn Fn(f64) -> bool| others.iter().filter(|&&other| near(block(point, other, 0..d))).count();
                prop_assert_eq!(counts[place][point], count(&|distance| distance < radius));
                prop_assert_eq!(within[place][point], count(&|distance| distance <= radius));
            }
            for (odd, counted) in counts_crossed.iter().enumerate() {
                prop_assert_eq!(counted[point], counts[2 * ((point + odd) % 2)][point]);
            }
            let near = others.iter().filter(|&&other| block(point, other, 0..d) <= radii[1][point]);
            let extents = near.fold((0.0_f64, 0.0_f64), |(x, y), &other| {
                (x.max(block(point, other, 0..1)), y.max(block(point, other, 1..d)))
            });
            prop_assert_eq!((first[point], second[point]), extents);
        }
    }
}
