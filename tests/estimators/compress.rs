//! Principal components: exact, dual and iterated forms agree; scores are uncorrelated; signs are fixed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::cast_possible_truncation, reason = "layers are stored in single precision")]

use std::num::NonZeroUsize;

use infoplane::estimate::compress::{Autoencoder, Basis, Compressed, Compression, Layout, Margins, Pca, Projection};
use infoplane::estimate::information::Estimator;
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::{Element, Labels, Paired};
use ndarray::{Array1, Array2, ArrayView2, Axis, array, concatenate};
use proptest::prelude::*;

/// An estimator from its JSON.
pub(crate) fn estimator(text: &str) -> Estimator {
    serde_json::from_str(text).unwrap()
}

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
    let pca = Pca { components: NonZeroUsize::new(components).unwrap(), basis: Basis::Own };
    Compression::Pca(pca).compress(matrix, 0).unwrap()
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
    // From 4,000 samples on some of them suggest the directions.
    for (n, d, power) in [(700, 300, 0.5), (300, 700, 1.0), (400, 400, 3.0), (4100, 270, 0.5), (4100, 270, 3.0)] {
        let matrix = decaying(3, n, d, power);
        // More than an eighth of the components goes the exact way.
        let (iterated, exact) = (pca(matrix.view(), 4), pca(matrix.view(), 60));
        for component in 0..4 {
            let (a, b) = (iterated.explained_variance_ratio[component], exact.explained_variance_ratio[component]);
            // Of second order in the residual of 1e-4, over the smallest gap of these spectra.
            assert!((a - b).abs() < 1e-7 * b, "{n} x {d}, {component}: {a} {b}");
            let distance = (&iterated.axes.row(component) - &exact.axes.row(component)).mapv(f64::abs).sum();
            // Of first order in it.
            assert!(distance < 1e-2, "{n} x {d}, {component}: {distance}");
        }
    }
}

/// The samples that suggest the directions are every fourth here: they vary where the others don't.
#[test]
fn samples_that_suggest_the_wrong_directions_cost_no_digit() {
    let (n, d) = (4100, 270);
    let matrix =
        Array2::from_shape_fn((n, d), |(row, column)| if (row % 4 == 0) == (column < 30) { 1.0 } else { 1e-3 });
    let matrix = matrix * decaying(6, n, d, 0.5);
    let (iterated, exact) = (pca(matrix.view(), 4), pca(matrix.view(), 60));
    for (a, b) in iterated.explained_variance_ratio.iter().zip(&exact.explained_variance_ratio) {
        assert!((a - b).abs() < 1e-7 * b, "{a} {b}");
    }
}

/// The samples that suggest the means are every fourth here: they lie elsewhere, or do not vary at all.
#[test]
fn samples_that_suggest_the_wrong_means_cost_no_digit() {
    let (n, d) = (4100, 270);
    for (factor, offset) in [(1.0, 100.0), (0.0, 0.0), (1e-9, 0.0)] {
        let mut matrix = decaying(7, n, d, 0.5);
        for mut row in matrix.outer_iter_mut().step_by(4) {
            row.mapv_inplace(|value| value * factor + offset);
        }
        let (iterated, exact) = (pca(matrix.view(), 4), pca(matrix.view(), 60));
        for (a, b) in iterated.explained_variance_ratio.iter().zip(&exact.explained_variance_ratio) {
            // As above.
            assert!((a - b).abs() < 1e-7 * b, "{a} {b}");
        }
        for (a, b) in iterated.means.iter().zip(&exact.means) {
            // Sums of 4,100 numbers in two orders.
            assert!((a - b).abs() < 1e-12 * (1.0 + offset), "{a} {b}");
        }
    }
}

#[test]
fn a_mean_of_a_thousand_deviations_costs_no_digit() {
    // From 4,000 samples on the first pass takes the means of a few off, and finds those of all.
    for n in [700, 4100] {
        let single = decaying(8, n, 300, 0.5).mapv(|value| (value + 1000.0) as f32);
        let double = single.mapv(f64::from);
        let exact = pca(double.view(), 60);
        for iterated in [pca(single.view(), 4), pca(double.view(), 4)] {
            for component in 0..4 {
                let (a, b) = (iterated.explained_variance_ratio[component], exact.explained_variance_ratio[component]);
                // As above.
                assert!((a - b).abs() < 1e-7 * b, "{n}, {component}: {a} {b}");
                let scores = iterated.scores.column(component);
                // Of the size of rounding, not of that of the mean.
                assert!(scores.sum().abs() < 1e-9 * scores.dot(&scores).sqrt() * n as f64, "{n}, {component}");
            }
        }
    }
}

#[test]
fn noise_without_a_gap_still_converges() {
    let matrix = normal(&mut SplitMix64::new(4), 600, 300);
    let (iterated, exact) = (pca(matrix.view(), 4), pca(matrix.view(), 60));
    for (a, b) in iterated.explained_variance_ratio.iter().zip(&exact.explained_variance_ratio) {
        assert!((a - b).abs() < 1e-7 * b, "{a} {b}");
    }
}

#[test]
fn the_threads_do_not_change_a_bit() {
    for (n, d, components) in [(900, 150, 4), (1200, 400, 3), (100, 300, 5), (4100, 270, 2)] {
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

fn ksg(x: &Array2<f64>, y: &Array2<f64>, margins: Margins) -> f64 {
    let scaled = |values: &Array2<f64>| margins.rescale(values.view()).unwrap().samples;
    let (x, y) = (scaled(x), scaled(y));
    let ksg = estimator(r#"{ "ksg": { "neighbors": 3 } }"#);
    ksg.continuous().unwrap().estimate(Paired::new(x.view(), y.view()).unwrap()).unwrap().value
}

fn autoencoder(components: usize, hidden: &[usize], steps: usize) -> Compression {
    let count = |value: usize| NonZeroUsize::new(value).unwrap();
    let layout = Layout::Dense { hidden: hidden.iter().map(|&width| count(width)).collect() };
    Compression::Autoencoder(Autoencoder {
        components: count(components),
        layout,
        steps: count(steps),
        batch: count(128),
    })
}

/// What varies most need not be what informs: X₁ has nine times the variance, and Y hears X₂ alone.
#[test]
fn one_component_is_blind_and_two_see() {
    let mut random = SplitMix64::new(21);
    let normal = normal(&mut random, 5000, 3);
    let x =
        Array2::from_shape_fn((5000, 2), |(row, column)| if column == 0 { 3.0 } else { 1.0 } * normal[[row, column]]);
    let y = Array2::from_shape_fn((5000, 1), |(row, _)| normal[[row, 1]] + 0.1_f64.sqrt() * normal[[row, 2]]);
    // ½ ln 11; the bands are those of methods measured on other draws.
    let truth = 0.5 * 11.0_f64.ln();
    let found = |compression: &Compression| {
        let scores = compression.compress(x.view(), 3).unwrap().scores;
        ksg(&scores, &y, Margins::Standardized)
    };
    let components = |components: usize| {
        Compression::Pca(Pca { components: NonZeroUsize::new(components).unwrap(), basis: Basis::Own })
    };
    let (one, two, coded) = (found(&components(1)), found(&components(2)), found(&autoencoder(2, &[16], 2000)));
    assert!(one.abs() < 0.03, "{one}");
    assert!((two - truth).abs() < 0.06, "{two}");
    assert!((coded - truth).abs() < 0.06, "{coded}");
}

/// On an arc of a circle the label is the half: the first component folds both halves onto each other, the second one
/// is needed; a single number of an autoencoder follows the arc.
#[test]
fn one_number_of_an_autoencoder_sees_what_the_first_component_folds() {
    let mut random = SplitMix64::new(22);
    let angles: Vec<f64> = (0..3000).map(|_| 0.85 * std::f64::consts::PI * (2.0 * random.uniform() - 1.0)).collect();
    let x = Array2::from_shape_fn(
        (3000, 2),
        |(row, column)| {
            if column == 0 { 2.0 * angles[row].cos() } else { angles[row].sin() }
        },
    );
    let halves: Array1<i64> = angles.iter().map(|&angle| i64::from(angle > 0.0)).collect();
    let labels = Labels::new(halves.view());
    let ross = estimator(r#"{ "ross": { "neighbors": 3 } }"#);
    let seen = |compression: Compression| {
        let scores = compression.compress(x.view(), 5).unwrap().scores;
        let scaled = Margins::Standardized.rescale(scores.view()).unwrap().samples;
        ross.labeled().unwrap().estimate(scaled.view(), &labels).unwrap().value
    };
    // Three standard errors of Ross at zero; ln 2 less what happens near the two borders of the halves.
    let folded = seen(Compression::Pca(Pca { components: NonZeroUsize::MIN, basis: Basis::Own }));
    assert!(folded.abs() < 0.03, "{folded}");
    let followed = seen(autoencoder(1, &[32, 32], 6000));
    assert!((followed - std::f64::consts::LN_2).abs() < 0.03, "{followed}");
}

#[test]
fn an_autoencoder_gives_the_same_bits_for_a_seed_and_says_how_well_it_rebuilds() {
    let x = decaying(31, 400, 20, 2.0);
    let compression = autoencoder(3, &[16], 200);
    let (one, again, other) = (
        compression.compress(x.view(), 1).unwrap(),
        compression.compress(x.view(), 1).unwrap(),
        compression.compress(x.view(), 2).unwrap(),
    );
    assert_eq!(one, again);
    assert_ne!(one.scores, other.scores);
    assert_eq!((one.scores.dim(), &one.details["held_out"]), ((400, 3), &40.into()));
    let unexplained = one.details["unexplained_variance"].as_f64().unwrap();
    // Three components leave less than a tenth; this short training need not reach that.
    assert!(unexplained > 0.0 && unexplained < 0.5, "{unexplained}");
    let constant = compression.compress(Array2::from_elem((60, 4), 2.0).view(), 1).unwrap();
    assert_eq!(constant.scores.dim(), (60, 0));
    assert!(compression.compress(x.slice(ndarray::s![..49, ..]), 1).is_err());
}

#[test]
fn a_convolutional_autoencoder_follows_a_spot_of_light() {
    let mut random = SplitMix64::new(33);
    let places: Vec<(f64, f64)> = (0..1500).map(|_| (7.0 * random.uniform(), 6.0 * random.uniform())).collect();
    // Two channels, of which the second one is half as light; 8 × 7 pixels.
    let images = Array2::from_shape_fn((1500, 2 * 8 * 7), |(row, pixel)| {
        let (channel, rest) = (pixel / 56, pixel % 56);
        let (u, v) = ((rest / 7) as f64 - places[row].0, (rest % 7) as f64 - places[row].1);
        (-(u * u + v * v) / 4.0).exp() / (channel + 1) as f64
    });
    let count = |value: usize| NonZeroUsize::new(value).unwrap();
    let layout = Layout::Convolutional {
        image: [2, 8, 7].map(count),
        channels: vec![count(4), count(8)],
        hidden: vec![count(32)],
    };
    let compression =
        Compression::Autoencoder(Autoencoder { components: count(2), layout, steps: count(800), batch: count(64) });
    let compressed = compression.compress(images.view(), 1).unwrap();
    // Two components leave .36 of the variance, and the place is all that there is.
    let unexplained = compressed.details["unexplained_variance"].as_f64().unwrap();
    assert!(unexplained < 0.05, "{unexplained}");
    let wrong = compression.compress(images.slice(ndarray::s![.., ..100]), 1).unwrap_err().to_string();
    assert!(wrong.contains("found 100 units") && wrong.contains("2 x 8 x 7"), "{wrong}");
}

#[test]
fn one_basis_serves_other_checkpoints() {
    let (first, last) = (decaying(41, 300, 30, 1.0), decaying(42, 300, 30, 1.0));
    let pca = Pca { components: NonZeroUsize::new(3).unwrap(), basis: Basis::Last };
    let axes = pca.fit(last.view()).unwrap();
    // To itself it is what each has for its own.
    let own = pca.compress(last.view()).unwrap();
    let same = axes.apply(last.view()).unwrap();
    assert_eq!((&same.scores, &same.axes), (&own.scores, &own.axes));
    for (found, expected) in same.explained_variance_ratio.iter().zip(&own.explained_variance_ratio) {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
    // Of another it explains no more than that one's own components do.
    let other = axes.apply(first.view()).unwrap();
    let best: f64 = pca.compress(first.view()).unwrap().explained_variance_ratio.iter().sum();
    let explained = other.details["explained_variance"].as_f64().unwrap();
    assert!(explained > 0.0 && explained < best, "{explained} of {best}");
    assert!(axes.apply(first.slice(ndarray::s![.., ..29])).is_err());
}

#[test]
fn random_directions_depend_on_the_seed_and_on_nothing_else() {
    let (x, other) = (decaying(51, 200, 40, 1.0), decaying(52, 200, 40, 1.0));
    let projection = Compression::Projection(Projection { components: NonZeroUsize::new(5).unwrap() });
    let of = |x: &Array2<f64>, seed| projection.compress(x.view(), seed).unwrap();
    assert_eq!(of(&x, 1).axes, of(&other, 1).axes);
    assert_ne!(of(&x, 1).axes, of(&x, 2).axes);
    let found = of(&x, 1);
    let expected = (&x - &found.means).dot(&found.axes.t());
    assert!((&found.scores - &expected).iter().all(|difference| difference.abs() < 1e-10));
}

/// A bivariate Cauchy distribution has 0.2242 nats and no correlation; its tails hide them from neighbors.
#[test]
fn heavy_tails_want_other_margins() {
    let mut random = SplitMix64::new(61);
    let normal = normal(&mut random, 5000, 3);
    let column =
        |column: usize| Array2::from_shape_fn((5000, 1), |(row, _)| normal[[row, column]] / normal[[row, 2]].abs());
    let truth = 0.224_171_427_5;
    let (x, y) = (column(0), column(1));
    for margins in [Margins::Asinh, Margins::Rank] {
        let found = ksg(&x, &y, margins);
        assert!((found - truth).abs() < 0.04, "{margins:?}: {found}");
    }
    assert!(ksg(&x, &y, Margins::Standardized) < truth - 0.03);
}
