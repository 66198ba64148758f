//! Properties of the nearest-neighbor search and of the estimators built on it.

use std::num::NonZeroUsize;
use std::ops::Range;

use infoplane::estimate::information::{ContinuousInformation, Ksg, LabelInformation, Ross};
use infoplane::estimate::neighbors::{Counter, Neighbors, euclidean_distances};
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::{Labels, Paired};
use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;

/// Points of several kinds: continuous, on a coarse grid, few distinct ones, and of very different scales.
fn points() -> impl Strategy<Value = Array2<f64>> {
    points_of(0..4)
}

/// Also at both ends of what numbers can be, and all but one in one place.
fn extreme_points() -> impl Strategy<Value = Array2<f64>> {
    points_of(0..7)
}

fn points_of(kinds: Range<u8>) -> impl Strategy<Value = Array2<f64>> {
    (2..300_usize, 1..7_usize, kinds, any::<u64>()).prop_map(|(n, d, kind, seed)| random_points(n, d, kind, seed))
}

fn random_points(n: usize, d: usize, kind: u8, seed: u64) -> Array2<f64> {
    let mut random = SplitMix64::new(seed);
    let mut points = Array2::from_shape_simple_fn((n, d), || random.normal_pair().0);
    match kind {
        1 => points.mapv_inplace(f64::round),
        2 => {
            let few = points.clone();
            for (place, mut row) in points.rows_mut().into_iter().enumerate() {
                row.assign(&few.row(place * 7 % n.min(11)));
            }
        }
        3 => {
            for (c, mut column) in points.columns_mut().into_iter().enumerate() {
                column.mapv_inplace(|value| if c == 1 { 0.25 } else { value.powi(5) * 1e3_f64.powf(c as f64) });
            }
        }
        4 => points *= 1e307,
        5 => points *= 1e-310,
        6 => points.row_mut(0).fill(1e12),
        _ => {}
    }
    points
}

fn distances(points: &Array2<f64>, place: usize) -> Vec<f64> {
    let others = (0..points.nrows()).filter(|&other| other != place);
    others
        .map(|other| {
            let pairs = points.row(place).into_iter().zip(points.row(other));
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn neighbors_equal_those_of_two_nested_loops(points in extreme_points(), k in 1..12_usize, scale in 0.0..3.0_f64) {
        let neighbors = Neighbors::new(points.view());
        let kth = neighbors.kth_distances(NonZeroUsize::new(k).unwrap());
        // Radii that end between points, radii that end on them, and radii that reach far, at times over everything.
        let factor = if scale < 1.0 { scale } else if scale < 2.0 { 1.0 } else { 1e3_f64.powf(scale - 2.0) };
        let radii: Vec<f64> = kth.iter().map(|&distance| distance * factor).collect();
        let counter = Counter::new(points.view());
        let below = counter.counts_below(&radii);
        let within = counter.counts_within(&radii);
        let sets = [&kth[..], &radii[..], &vec![0.0; kth.len()][..]];
        prop_assert_eq!(counter.counts_below_each(&sets), sets.map(|radii| counter.counts_below(radii)));
        for place in 0..points.nrows() {
            let mut others = distances(&points, place);
            prop_assert_eq!(below[place], others.iter().filter(|&&other| other < radii[place]).count());
            prop_assert_eq!(within[place], others.iter().filter(|&&other| other <= radii[place]).count());
            others.sort_unstable_by(f64::total_cmp);
            prop_assert_eq!(kth[place].to_bits(), others.get(k - 1).map_or(f64::INFINITY.to_bits(), |other| other.to_bits()));
        }
    }

    #[test]
    fn euclidean_neighbors_equal_those_of_two_nested_loops(points in extreme_points(), k in 1..12_usize) {
        let found = euclidean_distances(points.view(), &[NonZeroUsize::new(k).unwrap()]).unwrap().swap_remove(0);
        for (place, found) in found.into_iter().enumerate() {
            let others = (0..points.nrows()).filter(|&other| other != place).map(|other| {
                let pairs = points.row(other).into_iter().zip(points.row(place));
                // Fused, as the machine's registers do it.
                pairs.fold(0.0_f64, |sum, (a, b)| (a - b).mul_add(a - b, sum))
            });
            let mut others: Vec<f64> = others.collect();
            others.sort_unstable_by(f64::total_cmp);
            let expected = others.get(k - 1).map_or(f64::INFINITY, |sum| sum.sqrt());
            prop_assert_eq!(found.to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn information_ignores_the_order_of_samples_and_of_variables(points in points(), seed in any::<u64>()) {
        let n = points.nrows();
        prop_assume!(n > 5 && points.ncols() > 1);
        let mut order: Vec<usize> = (0..n).collect();
        let mut random = SplitMix64::new(seed);
        order.sort_by_cached_key(|_| random.next_u64());
        let shuffled = points.select(Axis(0), &order);
        let classes: Array1<i64> = (0..3).cycle().take(n).collect();

        let ksg = |points: &Array2<f64>, swapped: bool| {
            let (x, y) = points.view().split_at(Axis(1), 1);
            let samples = if swapped { Paired::new(y, x) } else { Paired::new(x, y) };
            Ksg { neighbors: NonZeroUsize::new(3).unwrap().into() }.estimate(samples.unwrap()).unwrap()
        };
        let estimate = ksg(&points, false);
        // The terms are the same and summed in another order, which rounds the sum of 300 terms below 10 differently.
        prop_assert!((ksg(&shuffled, false).value - estimate.value).abs() < 1e-12);
        prop_assert_eq!(ksg(&points, true).value.to_bits(), estimate.value.to_bits());
        prop_assert_eq!(ksg(&points, true).flags, estimate.flags);

        let ross = |points: &Array2<f64>, classes: Array1<i64>| {
            let estimator = Ross { neighbors: NonZeroUsize::new(3).unwrap().into() };
            estimator.estimate(points.view(), &Labels::new(classes.view())).unwrap().value
        };
        let (value, other) = (ross(&points, classes.clone()), ross(&shuffled, classes.select(Axis(0), &order)));
        prop_assert!((value - other).abs() < 1e-12);
    }
}

/// Large enough to sort in parallel, and in enough dimensions to run out of registers.
#[test]
fn neighbors_of_many_points_equal_those_of_two_nested_loops() {
    for (n, d, kind) in [(5000, 1, 0), (3000, 2, 1), (2500, 17, 0), (200, 64, 0), (2000, 3, 6)] {
        let points = random_points(n, d, kind, 21);
        let neighbors = Neighbors::new(points.view());
        let kth = neighbors.kth_distances(NonZeroUsize::new(70).unwrap());
        let counter = Counter::new(points.view());
        let below = counter.counts_below(&kth);
        let within = counter.counts_within(&kth);
        for place in (0..n).step_by(41) {
            let mut others = distances(&points, place);
            others.sort_unstable_by(f64::total_cmp);
            assert_eq!(kth[place].to_bits(), others[69].to_bits());
            assert_eq!(below[place], others.partition_point(|&other| other < kth[place]));
            assert_eq!(within[place], others.partition_point(|&other| other <= kth[place]));
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (x, y) = (random_points(3000, 2, 0, 31), random_points(3000, 3, 1, 32));
    let samples = Paired::new(x.view(), y.view()).unwrap();
    let labels = Labels::new((0..3000).map(|row| row % 10).collect::<Array1<i64>>().view());
    let neighbors = NonZeroUsize::new(5).unwrap();
    let results: Vec<_> = (1..=3)
        .map(|n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            // Nested in other parallel work, as in a run.
            pool.install(|| {
                let (ksg, ross) = rayon::join(
                    || Ksg { neighbors: neighbors.into() }.estimate(samples).unwrap(),
                    || Ross { neighbors: neighbors.into() }.estimate(x.view(), &labels).unwrap(),
                );
                [ksg.value, ksg.std_error.unwrap(), ross.value, ross.std_error.unwrap()].map(f64::to_bits)
            })
        })
        .collect();
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}
