//! What is made of fitted probes: pointwise values, conditioning, calibration, nulls, controls and codes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::data::normal_matrix;
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::usable::{Fractions, Probe, Reading, Target, control, selectivity};
use infoplane::estimate::{EstimateError, Flag, Labels, Split};
use ndarray::{Array1, Array2, Axis, concatenate};

const LINEAR: &str = "linear = {}";

fn halves(n: usize) -> Split {
    Split::by_id(&(0..n as u64).collect::<Vec<_>>(), 0.5, 7).unwrap()
}

fn labels(values: Vec<i64>) -> Labels {
    Labels::new(Array1::from(values).view())
}

fn family(text: &str) -> Probe {
    toml::from_str(text).unwrap()
}

fn read(text: &str, z: &Array2<f64>, labels: &Labels) -> Reading {
    family(text).read(z.view(), &Target::Classes(labels.clone()), &halves(z.nrows()), 3).unwrap()
}

/// A random sign a sample, and so many looks at it through normal noise.
fn looks(seed: u64, n: usize, looks: usize, noise: f64) -> (Array2<f64>, Labels) {
    let mut random = SplitMix64::new(seed);
    let signs: Vec<i64> = (0..n).map(|_| i64::from(random.uniform() < 0.5)).collect();
    let mut z = noise * normal_matrix(seed + 1, n, looks);
    for (mut row, &sign) in z.rows_mut().into_iter().zip(&signs) {
        row += if sign > 0 { 1.0 } else { -1.0 };
    }
    (z, labels(signs))
}

#[test]
fn the_mean_of_the_pointwise_values_is_the_value_for_every_family() {
    let (z, y) = looks(1, 2_000, 3, 1.5);
    for text in [
        LINEAR,
        "quadratic = {}",
        "random-features = { features = 64 }",
        "nearest-mean = {}",
        "mlp = { max-steps = 64 }",
    ] {
        let reading = read(text, &z, &y);
        let mean = reading.pointwise.iter().sum::<f64>() / reading.pointwise.len() as f64;
        assert!((mean - reading.usable.value).abs() < 1e-12, "{text}: {mean}, {reading:?}");
        let cross_entropy = reading.usable.details["cross_entropy"].as_f64().unwrap();
        assert!((reading.label_entropy.unwrap() - cross_entropy - reading.usable.value).abs() < 1e-12);
        let (split, predicted) = (halves(2_000), reading.predicted.as_ref().unwrap());
        let right =
            predicted.iter().zip(&split.test).filter(|(predicted, row)| **predicted == y.classes()[**row]).count();
        // The mean of several decoders' accuracies is not the accuracy of their mean.
        let slack = if text.starts_with("mlp") { 0.02 } else { 1e-12 };
        assert!((right as f64 / 1_000.0 - reading.score.value).abs() <= slack, "{text}");
    }
}

/// What a probe says of held-out samples, as probabilities: those whose cross-entropy the value is made of. Of several decoders
/// the mean probability, which is worth no less than they are on average.
#[test]
fn posteriors_are_worth_the_value() {
    let (z, y) = looks(1, 2_000, 3, 1.5);
    let split = halves(2_000);
    for (text, slack) in [(LINEAR, 1e-12), ("nearest-mean = {}", 1e-12), ("mlp = { max-steps = 64 }", 0.05)] {
        let posteriors = family(text).posteriors(z.view(), &y, &split, 3).unwrap();
        assert!(posteriors.outer_iter().all(|row| (row.sum() - 1.0).abs() < 1e-9), "{text}");
        let said = split.test.iter().enumerate().map(|(place, &row)| posteriors[[place, y.classes()[row]]].ln());
        let reading = read(text, &z, &y);
        let more = reading.label_entropy.unwrap() + said.sum::<f64>() / 1_000.0 - reading.usable.value;
        assert!((-1e-12..=slack).contains(&more), "{text}: {more}");
    }
}

#[test]
fn the_classes_together_are_the_value() {
    let (z, y) = looks(2, 1_000, 2, 1.0);
    let reading = read(LINEAR, &z, &y);
    let classes = reading.by_class(&y, &halves(1_000));
    let sum: f64 = classes.iter().map(|class| class.usable.value * class.usable.n_samples as f64).sum();
    assert!((sum / 500.0 - reading.usable.value).abs() < 1e-12);
    let recalls = classes.iter().map(|class| class.usable.details["recall"].as_f64().unwrap());
    let right: f64 = recalls.zip(&classes).map(|(recall, class)| recall * class.usable.n_samples as f64).sum();
    assert!((right / 500.0 - reading.score.value).abs() < 1e-12);
}

#[test]
fn more_looks_add_what_they_should_to_one_look() {
    // Four looks through noise of deviation 2 are one through noise of deviation 1: .3368308 nats; one alone has .1114215.
    let (z, y) = looks(3, 24_000, 4, 2.0);
    let (one, more) = (z.select(Axis(1), &[0]), z.select(Axis(1), &[1, 2, 3]));
    let both = concatenate(Axis(1), &[one.view(), more.view()]).unwrap();
    let added = read(LINEAR, &both, &y).beyond(&read(LINEAR, &one, &y));
    assert!((added.value - 0.225_409_3).abs() < 4.0 * added.std_error.unwrap(), "{added:?}");
    assert!(added.std_error.unwrap() < 0.01);
    assert!(
        (added.details["with"].as_f64().unwrap() - added.details["without"].as_f64().unwrap() - added.value).abs()
            < 1e-12
    );
}

#[test]
fn a_layer_adds_nothing_to_itself() {
    let (z, y) = looks(4, 4_000, 5, 1.5);
    let twice = concatenate(Axis(1), &[z.view(), z.view()]).unwrap();
    for text in [LINEAR, "nearest-mean = {}"] {
        let added = read(text, &twice, &y).beyond(&read(text, &z, &y));
        // Twice the units are penalized half as much: within a thousandth of a nat, and within the error.
        assert!(added.value.abs() < 1e-3, "{text}: {added:?}");
    }
}

#[test]
fn calibration_takes_back_what_a_probe_claims_too_much() {
    let n = 400;
    let mut z = normal_matrix(5, n, 60);
    let y: Vec<i64> = (0..n).map(|i| i64::from(z[(i, 0)] + z[(i, 1)] > 0.0)).collect();
    // Noise on what the label was made of, so that it cannot be read for sure.
    z += &normal_matrix(6, n, 60);
    let reading = read("linear = { penalties = [2e-3, 1e-3] }", &z, &labels(y));
    let calibrated = reading.calibrated.as_ref().unwrap();
    assert!(calibrated.details["temperature"].as_f64().unwrap() > 1.5, "{calibrated:?}");
    assert!(calibrated.value > reading.usable.value + 0.1, "{reading:?}");
    let effect = calibrated.details["effect"].as_f64().unwrap();
    assert!((calibrated.value - reading.usable.value - effect).abs() < 1e-12);
    // Chosen well, the probe needs no calibration.
    let (z, y) = looks(7, 8_000, 2, 1.0);
    let reading = read(LINEAR, &z, &y);
    let temperature = reading.calibrated.unwrap().details["temperature"].as_f64().unwrap();
    assert!((temperature - 1.0).abs() < 0.1, "{temperature}");
}

#[test]
fn one_penalty_leaves_nothing_to_calibrate_with() {
    let (z, y) = looks(8, 300, 2, 1.0);
    assert!(read("linear = { penalties = [0.1] }", &z, &y).calibrated.is_none());
}

#[test]
fn noise_stays_within_the_asymptotic_band_nineteen_times_of_twenty() {
    let mut outside = 0;
    let (trials, n) = (200, 240);
    for seed in 0..trials {
        let d = [1, 4, 20][usize::try_from(seed % 3).unwrap()];
        let z = normal_matrix(1_000 + seed, n, d);
        let mut random = SplitMix64::new(seed);
        let y = labels((0..n).map(|_| i64::try_from(random.below(3)).unwrap()).collect());
        let usable = read(LINEAR, &z, &y).usable;
        let null = usable.null.unwrap();
        assert_eq!(usable.flags.contains(&Flag::WithinNull), usable.value <= null.high);
        assert!(null.mean.is_none() && null.p_value.is_none());
        outside += u32::from(usable.value > null.high);
    }
    // The band is an upper bound: at most ten are expected, and 19 are exceeded one time in three hundred.
    assert!(outside <= 19, "{outside} of {trials}");
}

#[test]
fn permutations_tell_what_can_be_read_from_what_cannot() {
    let n = 300;
    let (z, y) = looks(9, n, 3, 1.0);
    let target = Target::Classes(y);
    let split = halves(n);
    let held = |z: &Array2<f64>| {
        let probe = family(LINEAR);
        let mut reading = probe.read(z.view(), &target, &split, 0).unwrap();
        let permutations = 39.try_into().unwrap();
        probe.hold_against_permutations(&mut reading, z.view(), (&target, &split), permutations, (5, 0)).unwrap();
        reading
    };
    let read = held(&z);
    let null = read.usable.null.unwrap();
    assert!((null.p_value.unwrap() - 1.0 / 40.0).abs() < 1e-12 && null.mean.unwrap() < 0.01, "{null:?}");
    assert!(!read.usable.flags.contains(&Flag::WithinNull) && null.permutations == Some(39));
    assert!((read.fraction().unwrap().null.unwrap().high - null.high / read.label_entropy.unwrap()).abs() < 1e-15);
    let noise = held(&normal_matrix(10, n, 3)).usable;
    assert!(noise.null.unwrap().p_value.unwrap() > 0.05 && noise.flags.contains(&Flag::WithinNull), "{noise:?}");
    assert!(
        toml::from_str::<toml::Table>("n = 18").unwrap()["n"]
            .clone()
            .try_into::<infoplane::estimate::Permutations>()
            .is_err()
    );
}

#[test]
fn a_probe_that_knows_types_by_heart_is_not_selective() {
    let n = 4_000;
    let mut random = SplitMix64::new(11);
    let kinds: Vec<usize> = (0..n).map(|_| random.below(40)).collect();
    let types = labels(kinds.iter().map(|&kind| i64::try_from(kind).unwrap()).collect());
    let task = labels(kinds.iter().map(|&kind| i64::from(kind % 2 == 0)).collect());
    let (probe, split) = (family(LINEAR), halves(n));
    let against_controls = |z: &Array2<f64>| {
        let reading = probe.read(z.view(), &Target::Classes(task.clone()), &split, 0).unwrap();
        let controls: Vec<Reading> = (0..4)
            .map(|draw| probe.read(z.view(), &Target::Classes(control(&task, &types, draw)), &split, 0).unwrap())
            .collect();
        (selectivity(&reading, &controls), reading.score.value)
    };
    // A unit for each type: any labels of the types are as easy as the task.
    let by_type = Array2::from_shape_fn((n, 40), |(i, j)| f64::from(u8::from(kinds[i] == j)));
    let (found, accuracy) = against_controls(&by_type);
    assert!(accuracy > 0.999 && found.value.abs() < 0.01, "{found:?}");
    // One unit for the task: nothing else can be told.
    let by_task = Array2::from_shape_fn((n, 1), |(i, _)| if kinds[i].is_multiple_of(2) { 1.0 } else { -1.0 });
    let (found, accuracy) = against_controls(&by_task);
    assert!(accuracy > 0.999 && found.value > 0.25, "{found:?}");
    for draw in 0..4 {
        let drawn = control(&task, &types, draw);
        let of_type =
            |kind| kinds.iter().zip(drawn.classes()).filter(move |(k, _)| **k == kind).map(|(_, class)| class);
        assert!((0..40).all(|kind| of_type(kind).all(|class| Some(class) == of_type(kind).next())));
    }
}

#[test]
fn labels_that_can_be_read_take_a_shorter_message() {
    let n = 3_000;
    let (z, y) = looks(12, n, 1, 0.5);
    let order: Vec<usize> = (0..n).collect();
    let send = |z: &Array2<f64>| family(LINEAR).code_length(z.view(), &y, &order, &Fractions::default(), 0).unwrap();
    let code = send(&z);
    // What is left of each label is H(Y|Z) = ln 2 − .6327202 nats; learning a slope and an intercept costs (ln n)/2 each.
    let least = n as f64 * (2_f64.ln() - 0.632_720_2);
    assert!(code.nats > least - 40.0 && code.nats < least + 60.0, "{} for {least}", code.nats);
    assert!(code.compression > 8.0 && code.blocks.first().unwrap().n_train == 0);
    assert_eq!(code.blocks.iter().map(|block| block.n_samples).sum::<usize>(), n);
    let noise = send(&normal_matrix(13, n, 1));
    assert!(noise.compression < 1.0 && noise.compression > 0.97, "{}", noise.compression);
}

#[test]
fn numbers_are_read_by_the_gaussian_family() {
    let n = 20_000;
    let z = normal_matrix(14, n, 3);
    let y: Vec<f64> =
        z.column(0).iter().zip(normal_matrix(15, n, 1).column(0)).map(|(z, e)| 0.6 * z + 0.8 * e).collect();
    let reading = family(LINEAR).read(z.view(), &Target::Numbers(y.clone()), &halves(n), 0).unwrap();
    let truth = -(1.0 - 0.36_f64).ln() / 2.0;
    assert!((reading.usable.value - truth).abs() < 4.0 * reading.usable.std_error.unwrap(), "{reading:?}");
    assert!(
        (reading.score.value - 0.36).abs() < 0.03 && reading.predicted.is_none() && reading.label_entropy.is_none()
    );
    let refused = family("mlp = {}").read(z.view(), &Target::Numbers(y), &halves(n), 0);
    assert!(matches!(&refused, Err(EstimateError::Degenerate { reason }) if reason.contains("linear")), "{refused:?}");
}

#[test]
fn a_separable_layer_is_flagged() {
    let n = 400;
    let mut z = normal_matrix(16, n, 2);
    for (i, mut row) in z.rows_mut().into_iter().enumerate() {
        row[0] += if i % 2 == 0 { 9.0 } else { -9.0 };
    }
    let y = labels((0..n).map(|i| i64::from(i % 2 == 0)).collect());
    assert!(read(LINEAR, &z, &y).usable.flags.contains(&Flag::Separable));
    let (z, y) = looks(17, n, 2, 1.0);
    assert!(!read(LINEAR, &z, &y).usable.flags.contains(&Flag::Separable));
}

#[test]
fn a_weak_difference_is_found_behind_strong_noise() {
    // The label is in the small difference of two units, which large penalties hide; the loss rises before it falls.
    let n = 1000;
    let noise = normal_matrix(18, n, 102);
    let y: Vec<i64> = (0..n).map(|i| i64::from(i % 3 == 0)).collect();
    let z = Array2::from_shape_fn((n, 102), |(i, j)| {
        let difference = 0.05 * if y[i] > 0 { 1.0 } else { -1.0 } + 0.02 * noise[(i, 1)];
        match j {
            0 => noise[(i, 0)] + difference,
            1 => noise[(i, 0)] - difference,
            _ => noise[(i, j)],
        }
    });
    let reading = read(LINEAR, &z, &labels(y));
    assert!(reading.usable.value > 0.4 && !reading.usable.flags.contains(&Flag::WithinNull), "{:?}", reading.usable);
}

#[test]
fn what_says_nothing_has_no_information_about_any_class() {
    let n = 1200;
    let y = labels((0..n).map(|i| i64::from(i % 10 == 0)).collect());
    let blind = Array2::ones((n, 3));
    for text in [LINEAR, "mlp = {}"] {
        let reading = read(text, &blind, &y);
        // The frequencies are rounded to single precision.
        assert!(reading.usable.value.abs() < 1e-2 && reading.usable.flags.contains(&Flag::Constant), "{text}");
        assert!(text != LINEAR || reading.usable.value.abs() < 1e-12);
    }
    for seed in 0..4 {
        let noise = normal_matrix(20 + seed, n, 20);
        for text in [LINEAR, "mlp = { seeds = 1 }"] {
            let reading = read(text, &noise, &y);
            // H(Y) is 0.33 nats: a decoder that forgot how rare one class is would lose most of it.
            assert!((-0.05..0.02).contains(&reading.usable.value), "{text}: {:?}", reading.usable);
            for class in reading.by_class(&y, &halves(n)) {
                let usable = &class.usable;
                let band = 5.0 * usable.std_error.unwrap() + 0.2;
                assert!(usable.value.abs() < band, "{text}: {class:?}");
            }
        }
    }
}

#[test]
fn numbers_with_heavy_tails_are_not_told_by_noise() {
    let mut unmarked = 0;
    for seed in 0..60 {
        let n = 60;
        let y: Vec<f64> = normal_matrix(100 + seed, n, 1).iter().map(|value| (2.5 * value).exp()).collect();
        let z = normal_matrix(300 + seed, n, 3);
        let reading = family(LINEAR).read(z.view(), &Target::Numbers(y), &halves(n), 0).unwrap();
        let marked = [Flag::WithinNull, Flag::OneSampleDecides];
        unmarked += u32::from(!reading.usable.flags.iter().any(|flag| marked.contains(flag)));
    }
    // One in twenty would be three.
    assert!(unmarked <= 6, "{unmarked} of 60");
}
