//! Neural decoders on data where the information is known.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::data::{layer, normal_matrix};
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::usable::{Probe, Reading, Target};
use infoplane::estimate::{EstimateError, Flag, Labels, Split};
use ndarray::{Array1, Array2};

fn halves(n: usize) -> Split {
    Split::by_id(&(0..n as u64).collect::<Vec<_>>(), 0.5, 7).unwrap()
}

fn read(probe: &str, z: &Array2<f64>, y: &[i64], split: &Split) -> Result<Reading, EstimateError> {
    let probe: Probe = toml::from_str(probe).unwrap();
    let labels = Labels::new(Array1::from(y.to_vec()).view());
    probe.read(z.view(), &Target::Classes(labels), split, 5)
}

fn signs(seed: u64, n: usize) -> Vec<f64> {
    let mut random = SplitMix64::new(seed);
    (0..n).map(|_| if random.uniform() < 0.5 { -1.0 } else { 1.0 }).collect()
}

fn sign_labels(signs: &[f64]) -> Vec<i64> {
    signs.iter().map(|&sign| i64::from(sign > 0.0)).collect()
}

/// Two signs with normal noise of deviation 0.5, and whether they agree: 0.5789 nats.
fn exclusive_or(n: usize) -> (Array2<f64>, Vec<i64>) {
    let (a, b) = (signs(3, n), signs(4, n));
    let noise = normal_matrix(5, n, 2);
    let z = Array2::from_shape_fn((n, 2), |(i, j)| [a[i], b[i]][j] + 0.5 * noise[(i, j)]);
    (z, sign_labels(&a.iter().zip(&b).map(|(a, b)| a * b).collect::<Vec<_>>()))
}

/// One sign with normal noise of deviation 0.5: 0.6327 nats.
fn binary_channel(n: usize) -> (Array2<f64>, Vec<i64>) {
    let sign = signs(1, n);
    let noise = normal_matrix(2, n, 1);
    (Array2::from_shape_fn((n, 1), |(i, _)| sign[i] + 0.5 * noise[(i, 0)]), sign_labels(&sign))
}

/// Two units along the axis of the class, with normal noise of deviation 1.
fn orthogonal_signals(n: usize, classes: usize) -> (Array2<f64>, Vec<i64>) {
    let mut z = normal_matrix(6, n, classes);
    for (i, mut row) in z.rows_mut().into_iter().enumerate() {
        row[i % classes] += 2.0;
    }
    (z, (0..n).map(|i| i64::try_from(i % classes).unwrap()).collect())
}

/// Members differ less than a hundredth of a nat on these tasks; the error of the mean is over held-out samples.
fn assert_within(reading: &Reading, truth: f64, below: f64) {
    let error = reading.usable.std_error.unwrap();
    let difference = reading.usable.value - truth;
    assert!((-below - 4.0 * error..4.0 * error).contains(&difference), "{truth}: {:?}", reading.usable);
    assert!(!reading.usable.flags.contains(&Flag::NotConverged), "{:?}", reading.usable);
}

/// What training cannot reach: about P'/2n for the P' parameters that are in use, found to be .02 for two units.
#[test]
fn reads_an_exclusive_or_and_a_binary_channel() {
    let n = 8000;
    let (z, y) = exclusive_or(n);
    let found = read("mlp = {}", &z, &y, &halves(n)).unwrap();
    assert_within(&found, 0.578_904_6, 0.02);
    assert!(found.usable.std_error.unwrap() < 0.01);
    let (z, y) = binary_channel(n);
    assert_within(&read("mlp = {}", &z, &y, &halves(n)).unwrap(), 0.632_720_2, 0.01);
}

/// Ten classes of 400 training samples each: networks that see 3,200 samples of ten units lose .05 (a linear probe,
/// which has the right form, loses .01).
#[test]
fn reads_most_of_orthogonal_signals() {
    let (z, y) = orthogonal_signals(8000, 10);
    assert_within(&read("mlp = {}", &z, &y, &halves(8000)).unwrap(), 1.340_09, 0.05);
}

/// Twenty validation samples stop the training on eighty, by luck sometimes late. A linear probe without a penalty
/// scores under −0.5 here.
#[test]
fn noise_is_hardly_learned() {
    for seed in 0..4 {
        let z = normal_matrix(20 + seed, 1100, 50);
        let y = sign_labels(&signs(30 + seed, 1100));
        let split = Split { train: (0..100).collect(), test: (100..1100).collect() };
        let found = read("mlp = {}", &z, &y, &split).unwrap().usable;
        assert!((-0.25..0.02).contains(&found.value), "{found:?}");
    }
}

#[test]
fn the_published_decoder_reads_an_exclusive_or_and_its_linear_form_does_not() {
    let (z, y) = exclusive_or(2000);
    let split = Split::by_id(&(0..2000).collect::<Vec<_>>(), 0.75, 42).unwrap();
    let found = read("compat = {}", &z, &y, &split).unwrap().usable;
    // Dropout of one half and no end but the 3,000th step: a tenth of a nat below the truth at most.
    assert!((found.value - 0.578_9).abs() < 0.1, "{found:?}");
    let published = found.details["published_bits"][0].as_f64().unwrap();
    let cross_entropy = found.details["cross_entropy"].as_f64().unwrap();
    assert!((published - (1.0 - 1.44 * cross_entropy)).abs() < 1e-12, "{found:?}");
    // D·64 + 64, twice 64·64 + 64, 64 + 1.
    assert_eq!(found.details["n_parameters"], 2 * 64 + 64 + 2 * (64 * 64 + 64) + 65);
    let linear = read("compat = { decoder = \"linear\" }", &z, &y, &split).unwrap().usable;
    assert!(linear.value.abs() < 0.03, "{linear:?}");
}

#[test]
fn results_do_not_depend_on_threads() {
    let (z, y) = layer(600, 90, 5, 40);
    let split = halves(600);
    for probe in ["mlp = { max-steps = 96, layers = [128, 64] }", "mlp = { max-steps = 64, layers = [] }"] {
        let go = || read(probe, &z, &y, &split).unwrap().pointwise;
        let expected = go();
        for threads in [1, 2, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| {
                let (a, (b, c)) = rayon::join(go, || rayon::join(go, go));
                [a, b, c]
            });
            assert!(found.iter().all(|found| *found == expected), "{probe} on {threads} threads");
        }
    }
}

#[test]
fn another_seed_is_another_decoder_and_steps_can_run_out() {
    let (z, y) = layer(400, 20, 3, 40);
    let found = read("mlp = { max-steps = 32, seeds = 2 }", &z, &y, &halves(400)).unwrap().usable;
    assert!(found.flags.contains(&Flag::NotConverged), "{found:?}");
    assert_eq!(found.details["steps"], serde_json::json!([32, 32]));
    let each = &found.details["validation_cross_entropy"];
    assert_ne!(each[0], each[1]);
}

#[test]
fn divergence_is_refused_and_too_few_samples_say_their_frequencies() {
    let (z, y) = layer(400, 20, 3, 40);
    let error = read("mlp = { learning-rate = 1e30 }", &z, &y, &halves(400)).unwrap_err();
    assert!(matches!(error, EstimateError::Numeric { .. }) && error.to_string().contains("learning rate"), "{error}");
    let error = read("compat = {}", &(&z * 1e12), &y, &halves(400)).unwrap_err();
    assert!(matches!(error, EstimateError::Numeric { .. }), "{error}");
    let split = Split { train: (0..12).collect(), test: (12..400).collect() };
    let found = read("mlp = {}", &z, &y, &split).unwrap();
    assert!(found.usable.flags.contains(&Flag::FewSamplesPerClass) && found.calibrated.is_none());
    assert!(found.usable.value.abs() < 1e-3 && found.predicted.unwrap().iter().all(|&class| class == 0));
    for text in
        ["mlp = { dropout = 1.0 }", "mlp = { learning-rate = 0.0 }", "mlp = { seeds = 0 }", "mlp = { depth = 3 }"]
    {
        assert!(toml::from_str::<Probe>(text).is_err(), "{text}");
    }
}

#[test]
fn a_layer_that_never_varies_says_nothing() {
    let (_, y) = layer(400, 2, 3, 40);
    let found = read("mlp = {}", &Array2::ones((400, 5)), &y, &halves(400)).unwrap().usable;
    assert!(found.flags.contains(&Flag::Constant) && found.value.abs() < 0.01, "{found:?}");
    // Constant units beside others change nothing.
    let (z, y) = layer(400, 6, 3, 40);
    let with = Array2::from_shape_fn((400, 7), |(i, j)| if j < 6 { z[(i, j)] } else { 3.0 });
    let [alone, beside] = [&z, &with].map(|z| read("mlp = { seeds = 1 }", z, &y, &halves(400)).unwrap());
    assert_eq!(alone.pointwise, beside.pointwise);
    assert!(beside.usable.flags.contains(&Flag::ConstantUnits));
}
