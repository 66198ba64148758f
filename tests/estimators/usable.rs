//! Usable information on data where it is known, and against scikit-learn.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::data::{layer, normal_matrix};
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::usable::{Linear, Probe, Reading, Target};
use infoplane::estimate::{Element, Estimate, EstimateError, Flag, Labels, Split};
use ndarray::{Array1, Array2, Axis};

fn probe(text: &str) -> Linear {
    toml::from_str(text).unwrap()
}

fn halves(n: usize) -> Split {
    Split::by_id(&(0..n as u64).collect::<Vec<_>>(), 0.5, 7).unwrap()
}

fn labels(values: Vec<i64>) -> Labels {
    Labels::new(Array1::from(values).view())
}

fn read<T: Element>(probe: &Linear, z: &Array2<T>, labels: &Labels, split: &Split) -> Result<Reading, EstimateError> {
    Probe::Linear(probe.clone()).read(z.view(), &Target::Classes(labels.clone()), split, 0)
}

fn estimate(probe: &Linear, z: &Array2<f64>, y: Vec<i64>) -> Estimate {
    read(probe, z, &labels(y), &halves(z.nrows())).unwrap().usable
}

fn signs(seed: u64, n: usize) -> Vec<f64> {
    let mut random = SplitMix64::new(seed);
    (0..n).map(|_| if random.uniform() < 0.5 { -1.0 } else { 1.0 }).collect()
}

fn sign_labels(signs: &[f64]) -> Vec<i64> {
    signs.iter().map(|&sign| i64::from(sign > 0.0)).collect()
}

/// Within four standard errors of the truth, and those at most `widest`.
fn assert_near(estimate: &Estimate, truth: f64, widest: f64) {
    let error = estimate.std_error.unwrap();
    assert!(error < widest, "{estimate:?}");
    assert!((estimate.value - truth).abs() < 4.0 * error, "{truth}: {estimate:?}");
    assert!(!estimate.flags.contains(&Flag::NotConverged), "{estimate:?}");
}

#[test]
fn recovers_the_information_of_a_binary_channel_with_normal_noise() {
    let n = 16_000;
    for (sigma, truth, accuracy) in
        [(0.5, 0.632_720_2, 0.977_25), (1.0, 0.336_830_8, 0.841_34), (2.0, 0.111_421_5, 0.691_46)]
    {
        let sign = signs(1, n);
        let noise = normal_matrix(2, n, 1);
        let z = Array2::from_shape_fn((n, 1), |(i, _)| sign[i] + sigma * noise[(i, 0)]);
        let found = read(&Linear::default(), &z, &labels(sign_labels(&sign)), &halves(n)).unwrap();
        assert_near(&found.usable, truth, 0.007);
        assert!((found.score.value - accuracy).abs() < 4.0 * found.score.std_error.unwrap(), "{found:?}");
    }
}

#[test]
fn reads_nothing_from_an_exclusive_or() {
    let n = 16_000;
    let (a, b) = (signs(3, n), signs(4, n));
    let noise = normal_matrix(5, n, 2);
    let z = Array2::from_shape_fn((n, 2), |(i, j)| [a[i], b[i]][j] + 0.5 * noise[(i, j)]);
    let direction: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a * b).collect();
    let found = estimate(&Linear::default(), &z, sign_labels(&direction));
    assert!(found.value.abs() < 0.005, "{found:?}");
    // What the exclusive or is made of can be read.
    assert_near(&estimate(&Linear::default(), &z, sign_labels(&a)), 0.632_720_2, 0.006);
}

#[test]
fn recovers_the_information_of_orthogonal_signals() {
    // A probe with d·(K−1) weights loses about half of their number over the training samples, .0045 at ten classes.
    for (classes, truth, lost) in [(3, 0.755_36, 0.0), (10, 1.340_09, 0.0045)] {
        let n = 20_000;
        let mut z = normal_matrix(6, n, classes);
        for (i, mut row) in z.rows_mut().into_iter().enumerate() {
            row[i % classes] += 2.0;
        }
        let y = (0..n).map(|i| i64::try_from(i % classes).unwrap()).collect();
        assert_near(&estimate(&Linear::default(), &z, y), truth - lost, 0.012);
    }
}

#[test]
fn recovers_the_information_left_by_label_noise() {
    let (n, classes, p) = (10_000, 10, 0.2_f64);
    let z = Array2::from_shape_fn((n, classes), |(i, j)| f64::from(u8::from(i % classes == j)));
    let mut random = SplitMix64::new(8);
    let y = (0..n)
        .map(|i| {
            let shift = if random.uniform() < p { 1 + i / classes % (classes - 1) } else { 0 };
            i64::try_from((i + shift) % classes).unwrap()
        })
        .collect();
    let truth = 10_f64.ln() + p * (p / 9.0).ln() + (1.0 - p) * (1.0 - p).ln();
    assert_near(&estimate(&Linear::default(), &z, y), truth, 0.02);
}

#[test]
fn a_penalty_keeps_noise_from_being_learned() {
    for seed in 0..4 {
        let n = 1100;
        let z = normal_matrix(20 + seed, n, 50);
        let y = sign_labels(&signs(30 + seed, n));
        let split = Split { train: (0..100).collect(), test: (100..n).collect() };
        let found = read(&Linear::default(), &z, &labels(y.clone()), &split).unwrap().usable;
        assert!((-0.05..0.02).contains(&found.value), "{found:?}");
        let free = read(&probe("penalties = [1e-4]"), &z, &labels(y), &split).unwrap().usable;
        assert!(free.value < -0.5 && free.flags.contains(&Flag::Negative), "{free:?}");
    }
}

#[test]
fn a_minimal_representation_holds_the_direction_and_not_the_color() {
    let n = 8_000;
    let (color, side) = (signs(9, n), signs(10, n));
    let direction: Vec<f64> = color.iter().zip(&side).map(|(color, side)| color * side).collect();
    let noise = normal_matrix(11, n, 2);
    let z = Array2::from_shape_fn((n, 2), |(i, j)| {
        f64::from(u8::from((direction[i] > 0.0) == (j == 0))) + 0.01 * noise[(i, j)]
    });
    let found = estimate(&Linear::default(), &z, sign_labels(&direction));
    assert!((found.value - 2_f64.ln()).abs() < 0.002, "{found:?}");
    let found = estimate(&Linear::default(), &z, sign_labels(&color));
    assert!(found.value.abs() < 0.005, "{found:?}");
}

/// Minima of scikit-learn 1.9.1: `LogisticRegression(C=1/(λn), tol=1e-10, solver="newton-cg")` on `layer(n, d, K, 11)`
/// standardized in f64 (`C=2/(λn)` for two classes, and weights ±w/2), evaluated in numpy with the same formula.
#[test]
fn reaches_the_optimum_of_scikit_learn() {
    for (n, d, classes, penalty, optimum) in [
        (300, 40, 3, 0.01, 0.424_224_434_227_728_4),
        (300, 40, 2, 0.01, 0.238_080_684_507_274),
        (200, 12, 10, 1e-4, 1.268_620_507_581_071),
        (100, 150, 3, 1e-3, 0.023_845_141_997_876_04),
    ] {
        let (z, y) = layer(n, d, classes, 11);
        let linear = probe(&format!("penalties = [{penalty}]\ntolerance = 1e-6"));
        let split = Split { train: (0..n).collect(), test: (0..n).collect() };
        let found = read(&linear, &z, &labels(y), &split).unwrap().usable;
        let objective = found.details["objective"].as_f64().unwrap();
        assert!((objective / optimum - 1.0).abs() < 1e-6, "{objective} for {optimum}");
        assert!(!found.flags.contains(&Flag::NotConverged), "{found:?}");
        assert_eq!(found.flags.contains(&Flag::MoreUnitsThanSamples), d > n);
    }
}

#[test]
fn does_not_depend_on_the_order_of_the_rows() {
    let (z, y) = layer(600, 20, 3, 12);
    let ids: Vec<u64> = (0..600).map(|i| 1000 + i * i).collect();
    let find = |order: &[usize]| {
        let ids: Vec<u64> = order.iter().map(|&row| ids[row]).collect();
        let y = order.iter().map(|&row| y[row]).collect();
        let split = Split::by_id(&ids, 0.3, 5).unwrap();
        read(&Linear::default(), &z.select(Axis(0), order), &labels(y), &split).unwrap().usable
    };
    let straight = find(&(0..600).collect::<Vec<_>>());
    let shuffled = find(&(0..600).map(|row| row * 7 % 600).collect::<Vec<_>>());
    assert!((straight.value - shuffled.value).abs() < 1e-9, "{straight:?} {shuffled:?}");
}

#[test]
fn does_not_depend_on_the_scale_of_the_units() {
    let (z, y) = layer(600, 20, 3, 13);
    let mut scaled = z.clone();
    for (j, mut column) in scaled.columns_mut().into_iter().enumerate() {
        let scale = 10_f64.powi(i32::try_from(j).unwrap() - 10);
        column.mapv_inplace(|value| scale * (value - 3.0));
    }
    let (plain, scaled) = (estimate(&Linear::default(), &z, y.clone()), estimate(&Linear::default(), &scaled, y));
    // Standardized values differ by one rounding of f32.
    assert!((plain.value - scaled.value).abs() < 1e-5, "{plain:?} {scaled:?}");
}

#[test]
fn gives_the_same_bits_on_any_number_of_threads() {
    let (z, y) = layer(3000, 70, 4, 14);
    #[expect(clippy::cast_possible_truncation, reason = "layers come in single precision")]
    let z = z.mapv(|value| value as f32);
    let labels = labels(y);
    let find = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| read(&probe("penalties = [0.1, 0.01]"), &z, &labels, &halves(3000)).unwrap().usable)
    };
    let one = find(1);
    assert_eq!(one, find(2));
    assert_eq!(one, find(3));
}

#[test]
fn says_what_it_left_out_and_what_it_refuses() {
    let (mut z, y) = layer(200, 5, 2, 15);
    z.column_mut(1).fill(0.1);
    let found = estimate(&Linear::default(), &z, y.clone());
    assert!(found.flags.contains(&Flag::ConstantUnits), "{found:?}");

    let split = halves(200);
    z.fill(0.3);
    let found = estimate(&Linear::default(), &z, y.clone());
    assert!(found.flags.contains(&Flag::Constant) && found.value.abs() < 1e-12, "{found:?}");

    let found = estimate(&Linear::default(), &z, vec![3; 200]);
    assert_eq!((found.value, &found.flags[..]), (0.0, &[Flag::Constant][..]));

    let mut rare = y;
    rare[split.test[0]] = 42;
    let refusal = read(&Linear::default(), &z, &labels(rare), &split);
    assert!(matches!(refusal, Err(EstimateError::Degenerate { reason }) if reason.starts_with("label 42")));
}

#[test]
fn flags_a_penalty_at_the_edge_and_a_rare_class() {
    let (z, mut y) = layer(200, 5, 2, 16);
    let found = estimate(&probe("penalties = [1e-3, 1e-5]"), &z, y.clone());
    assert!(found.flags.contains(&Flag::PenaltyAtEdge), "{found:?}");
    let found = estimate(&probe("penalties = [0.01]"), &z, y.clone());
    assert!(!found.flags.contains(&Flag::PenaltyAtEdge), "{found:?}");
    y[halves(200).train[0]] = 2;
    let found = estimate(&probe("penalties = [0.01]"), &z, y);
    assert!(found.flags.contains(&Flag::FewSamplesPerClass), "{found:?}");
}

#[derive(serde::Deserialize)]
struct Configured {
    probe: Probe,
}

#[test]
fn is_read_from_a_pipeline() {
    let read = |text: &str| toml::from_str::<Configured>(&format!("probe = {text}")).map(|read| read.probe);
    assert_eq!(read("{ linear = {} }").unwrap(), Probe::Linear(Linear::default()));
    let found = read("{ linear = { penalties = [0.01], folds = 3, tolerance = 1e-5 } }").unwrap();
    let Probe::Linear(linear) = found else { panic!("{found:?}") };
    assert_eq!((linear.penalties.as_slice(), linear.folds.get()), (&[0.01][..], 3));
    for wrong in
        ["{ linear = { penalty = 1 } }", "{ linear = { penalties = [] } }", "{ linear = { penalties = [0.0] } }"]
    {
        assert!(read(wrong).is_err());
    }
    assert!(read("{ linear = { folds = 1 } }").unwrap_err().to_string().contains("needs 2 folds"));
}
