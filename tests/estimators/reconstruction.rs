//! Held-out reconstruction by a linear decoder: against scikit-learn, against closed forms, and on noise.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::cast_possible_truncation, reason = "layers are stored in single precision")]

use std::num::NonZeroUsize;

use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::reconstruction::{Decoder, Linear, Mlp, RelativePenalties, Widths};
use infoplane::estimate::{Element, Estimate, EstimateError, Flag, Folds, Split, Unit};
use ndarray::{Array2, ArrayView2, Axis, array, concatenate, s};
use proptest::prelude::*;

const PENALTIES: [f64; 5] = [1e-6, 1e-4, 1e-2, 1.0, 100.0];

fn uniform(random: &mut SplitMix64, rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, columns), || random.uniform())
}

fn normal(random: &mut SplitMix64, rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, columns), || random.normal_pair().0)
}

/// The layer and target of `tests/goldens/ridge.py`.
fn samples(seed: u64, n: usize, d: usize, p: usize, noise: f64) -> (Array2<f64>, Array2<f64>) {
    let mut random = SplitMix64::new(seed);
    let z = uniform(&mut random, n, d);
    let mixing = uniform(&mut random, d, p) - 0.5;
    let rest = uniform(&mut random, n, p) - 0.5;
    let target = z.dot(&mixing) + noise * rest;
    (z, target)
}

fn by_id(n: usize, seed: u64) -> Split {
    Split::by_id(&(0..n as u64).collect::<Vec<_>>(), 0.25, seed).unwrap()
}

fn fixed(penalty: f64) -> Linear {
    Linear { relative_penalties: RelativePenalties::try_from(vec![penalty]).unwrap(), ..Linear::default() }
}

fn estimated<T: Element>(linear: &Linear, z: ArrayView2<'_, T>, target: ArrayView2<'_, T>, split: &Split) -> Estimate {
    linear.decode(z, target, split).unwrap().loss
}

fn detail(estimate: &Estimate, name: &str) -> f64 {
    estimate.details[name].as_f64().unwrap()
}

/// Rounding of two different factorizations whose condition numbers are below 1e7.
fn assert_close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * expected.abs(), "{found} is not {expected}");
}

// Expected values: tests/goldens/ridge.py with scikit-learn 1.9.1.
#[test]
fn agrees_with_scikit_learn_with_fewer_units_than_samples() {
    let losses = [
        0.893_660_107_882_016_9,
        0.893_645_618_500_319_9,
        0.892_223_543_864_293_8,
        0.851_436_804_102_202_9,
        0.871_469_386_542_525_6,
    ];
    agrees_with_scikit_learn((7, 120, 6, 4, 3.0), 7.550_078_415_143_758, &losses, 3, 0.872_582_263_290_352_5);
}

#[test]
fn agrees_with_scikit_learn_with_more_units_than_samples() {
    let losses = [
        0.331_731_348_262_113_87,
        0.331_696_643_067_872_4,
        0.328_511_688_100_033,
        0.322_566_611_519_805_9,
        0.442_770_223_207_001_8,
    ];
    agrees_with_scikit_learn((8, 40, 50, 3, 1.0), 2.439_378_808_062_864, &losses, 2, 0.449_089_686_060_151_9);
}

fn agrees_with_scikit_learn(
    (seed, n, d, p, noise): (u64, usize, usize, usize, f64),
    scale: f64,
    losses: &[f64],
    chosen: usize,
    mean: f64,
) {
    let (z, target) = samples(seed, n, d, p, noise);
    let split = by_id(n, 3);
    for (&penalty, &loss) in PENALTIES.iter().zip(losses) {
        let estimate = estimated(&fixed(penalty), z.view(), target.view(), &split);
        assert_close(estimate.value, loss, 1e-9);
        assert_close(detail(&estimate, "alpha"), penalty * scale, 1e-12);
        assert_close(detail(&estimate, "mean_predictor_loss"), mean, 1e-12);
        assert!(!estimate.flags.contains(&Flag::PenaltyAtEdge));
        assert_eq!(estimate.flags.contains(&Flag::MoreUnitsThanSamples), d > split.train.len());
    }
    let estimate = estimated(&Linear::default(), z.view(), target.view(), &split);
    assert_close(detail(&estimate, "relative_penalty"), PENALTIES[chosen], 0.0);
    assert_close(estimate.value, losses[chosen], 1e-9);
    assert_eq!((estimate.unit, estimate.n_samples), (Unit::SquaredUnits, split.test.len()));
    assert_close(detail(&estimate, "fraction_unexplained"), losses[chosen] / mean, 1e-9);
}

#[test]
fn wide_layers_take_the_same_path_to_the_same_values() {
    // 700 units are past the switch from eigenvalues to factors; 690 of them are dead, which removes them again,
    // or nearly dead, which leaves them.
    let mut random = SplitMix64::new(11);
    let (z, target) = (normal(&mut random, 1000, 10), normal(&mut random, 1000, 2));
    let target = target + z.slice(s![.., ..2]);
    let split = by_id(1000, 0);
    let nearly_dead = normal(&mut random, 1000, 690) * 1e-9;
    let wide = concatenate(Axis(1), &[z.view(), nearly_dead.view()]).unwrap();
    // The mean diagonal entry falls by 70 with the added units.
    let relative = |factor: f64| Linear {
        relative_penalties: RelativePenalties::try_from(vec![1e-5 * factor, 1e-3 * factor, 0.1 * factor]).unwrap(),
        ..Linear::default()
    };
    let narrow = estimated(&relative(1.0), z.view(), target.view(), &split);
    let wide = estimated(&relative(70.0), wide.view(), target.view(), &split);
    // The added units are 1e-9 of the others.
    assert_close(detail(&wide, "alpha"), detail(&narrow, "alpha"), 1e-8);
    assert_close(wide.value, narrow.value, 1e-6);
    assert_eq!((wide.details["rank"].as_u64(), narrow.details["rank"].as_u64()), (Some(10), Some(10)));
    assert!(wide.flags.contains(&Flag::RankDeficient) && !narrow.flags.contains(&Flag::RankDeficient));
}

#[test]
fn recovers_the_residual_of_a_design_with_an_exact_covariance() {
    // Eight corners of a cube: uncorrelated, with variances 4, 1 and 1/4. The layer is the sum of the first two.
    let corners = |axis: usize, length: f64| move |row: usize| if row >> axis & 1 == 1 { length } else { -length };
    let (a, b, c) = (corners(0, 2.0), corners(1, 1.0), corners(2, 0.5));
    let target = Array2::from_shape_fn((80, 3), |(row, column)| [a(row), b(row), c(row)][column]);
    let z = target.slice(s![.., ..2]).sum_axis(Axis(1)).insert_axis(Axis(1));
    let split = Split { train: (0..40).collect(), test: (40..80).collect() };
    let estimate = estimated(&fixed(1e-12), z.view(), target.view(), &split);
    // tr(Sₓ − Sₓ_z S_z⁻¹ S_zₓ) / 3 = (5.25 − (16 + 1) / 5) / 3; the penalty changes it by its square.
    assert_close(estimate.value, 1.85 / 3.0, 1e-12);
    assert_close(detail(&estimate, "mean_predictor_loss"), 5.25 / 3.0, 1e-12);
}

#[test]
fn recovers_the_population_residual_from_many_normal_samples() {
    let mut random = SplitMix64::new(5);
    let target = normal(&mut random, 20_000, 3) * &array![2.0, 1.0, 0.5];
    let z = target.slice(s![.., ..2]).sum_axis(Axis(1)).insert_axis(Axis(1));
    let estimate = estimated(&Linear::default(), z.view(), target.view(), &by_id(20_000, 0));
    // Three standard errors; a false alarm once in 370 seeds, and the seed is fixed.
    assert!((estimate.value - 1.85 / 3.0).abs() < 3.0 * estimate.std_error.unwrap(), "{estimate:?}");
}

#[test]
fn noise_recovers_nothing() {
    let mut random = SplitMix64::new(6);
    let (z, target) = (normal(&mut random, 2000, 20), normal(&mut random, 2000, 5));
    let estimate = estimated(&Linear::default(), z.view(), target.view(), &by_id(2000, 0));
    let excess = estimate.value - detail(&estimate, "mean_predictor_loss");
    assert!(excess.abs() < 2.0 * estimate.std_error.unwrap(), "{estimate:?}");
    assert!(estimate.flags.contains(&Flag::PenaltyAtEdge));
}

#[test]
fn a_constant_layer_gives_the_loss_of_the_mean() {
    let (_, target) = samples(7, 40, 2, 3, 1.0);
    let estimate = estimated(&Linear::default(), Array2::from_elem((40, 7), 0.1).view(), target.view(), &by_id(40, 0));
    assert_close(estimate.value, detail(&estimate, "mean_predictor_loss"), 0.0);
    assert_eq!(estimate.flags, [Flag::Constant, Flag::ConstantUnits]);
    assert_close(detail(&estimate, "fraction_unexplained"), 1.0, 0.0);
}

#[test]
fn duplicated_and_dead_units_are_flagged_and_do_no_harm() {
    let (z, target) = samples(9, 100, 4, 3, 0.5);
    let dead = Array2::from_elem((100, 3), 2.0);
    let twice = concatenate(Axis(1), &[z.view(), dead.view(), z.view()]).unwrap();
    let split = by_id(100, 0);
    let estimate = estimated(&fixed(1e-3), twice.view(), target.view(), &split);
    assert_eq!(estimate.flags, [Flag::ConstantUnits, Flag::RankDeficient]);
    assert_eq!((estimate.details["rank"].as_u64(), estimate.details["constant_units"].as_u64()), (Some(4), Some(3)));
    // Two equal units share a weight, at half the price: the penalty counts half.
    let alone = estimated(&fixed(5e-4), z.view(), target.view(), &split);
    assert_close(estimate.value, alone.value, 1e-9);
}

#[test]
fn too_few_samples_are_an_error() {
    let (z, target) = samples(9, 6, 2, 2, 0.5);
    let split = Split { train: vec![0, 1, 2, 3], test: vec![4, 5] };
    assert!(matches!(Linear::default().decode(z.view(), target.view(), &split), Err(EstimateError::Degenerate { .. })));
}

#[test]
fn the_threads_do_not_change_a_bit() {
    let mut random = SplitMix64::new(12);
    let layers = [(600, 150), (1100, 700), (90, 150)];
    for (n, d) in layers {
        let z = normal(&mut random, n, d).mapv(|value| value as f32);
        let target = normal(&mut random, n, 150).mapv(|value| value as f32) + z.slice(s![.., ..150]);
        let split = by_id(n, 0);
        let linear = Linear {
            relative_penalties: RelativePenalties::try_from(vec![1e-3, 1.0]).unwrap(),
            folds: Folds::try_from(2).unwrap(),
            rank: None,
        };
        let [one, two, three] = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| estimated(&linear, z.view(), target.view(), &split))
        });
        assert!(one == two && one == three, "{n} x {d}: {one:?} {two:?} {three:?}");
    }
}

/// A layer of more than 256 units, of which the first few hold the target.
fn wide_samples(seed: u64, noise: f64) -> (Array2<f64>, Array2<f64>) {
    let mut random = SplitMix64::new(seed);
    let z = normal(&mut random, 900, 300);
    let target = &z.slice(s![.., ..4]) + &(noise * normal(&mut random, 900, 4));
    (z, target)
}

#[test]
fn a_race_chooses_what_the_whole_cross_validation_chooses() {
    for (seed, noise) in [(1, 0.01), (2, 1.0), (3, 5.0), (4, 50.0)] {
        let (z, target) = wide_samples(seed, noise);
        let split = by_id(900, seed);
        let raced = estimated(&Linear::default(), z.view(), target.view(), &split);
        // In full: each penalty and fold by itself, as test samples of a fit to the others.
        let folds = split.folds(5);
        let alpha_of = |penalty: f64| detail(&estimated(&fixed(penalty), z.view(), target.view(), &split), "alpha");
        let sums = PENALTIES.map(|penalty| {
            let of_fold = |fold: &std::ops::Range<usize>| {
                let test = split.train[fold.clone()].to_vec();
                let train: Vec<usize> = split.train.iter().copied().filter(|row| !test.contains(row)).collect();
                let n_test = test.len() as f64;
                let inner = Split { train, test };
                // The relative penalty that gives the same absolute one among fewer samples.
                let unit = detail(&estimated(&fixed(1.0), z.view(), target.view(), &inner), "alpha");
                n_test * estimated(&fixed(alpha_of(penalty) / unit), z.view(), target.view(), &inner).value
            };
            folds.iter().map(of_fold).sum::<f64>()
        });
        let best = (0..5).min_by(|&a, &b| sums[a].total_cmp(&sums[b])).unwrap();
        assert_close(detail(&raced, "relative_penalty"), PENALTIES[best], 0.0);
        assert!(detail(&raced, "folds_until_decided") <= 5.0);
        let tried = detail(&raced, "penalties_tried");
        assert!((3.0..=5.0).contains(&tried), "{tried}");
    }
}

#[test]
fn the_parts_of_a_loss_add_up() {
    let (z, target) = samples(3, 200, 5, 4, 1.0);
    let split = by_id(200, 0);
    let decoded = Linear::default().decode(z.view(), target.view(), &split).unwrap();
    let ((losses, mean_losses), (positions, mean_positions)) = (decoded.of_samples(), decoded.of_positions());
    for (parts, mean_parts) in [(&losses, &mean_losses), (&positions, &mean_positions)] {
        assert_close(parts.sum() / parts.len() as f64, decoded.loss.value, 1e-12);
        assert_close(mean_parts.sum() / parts.len() as f64, detail(&decoded.loss, "mean_predictor_loss"), 1e-12);
    }
    let classes: Vec<usize> = (0..split.test.len()).map(|place| place % 3).collect();
    let of_classes = decoded.of_classes(&classes, 4);
    // The fourth class has no sample, and so no value.
    assert_eq!(of_classes.iter().map(|(class, _)| *class).collect::<Vec<_>>(), [0, 1, 2]);
    let sum: f64 = of_classes.iter().map(|(_, estimate)| estimate.value * estimate.n_samples as f64).sum();
    assert_close(sum / split.test.len() as f64, decoded.loss.value, 1e-12);
    // Taken about the mean and put back: rounding.
    assert!((&decoded.target - &target.select(Axis(0), &split.test)).iter().all(|difference| difference.abs() < 1e-14));
    let unexplained = decoded.unexplained().unwrap();
    assert_close(unexplained.value, detail(&decoded.loss, "fraction_unexplained"), 1e-12);
    assert!(unexplained.std_error.unwrap() > 0.0);
}

#[test]
fn a_bound_on_information_holds_and_is_reached_by_normal_channels() {
    // T = X + N in each of three independent coordinates: I = Σ ½ ln(1 + λ/ν), and a linear decoder loses nothing.
    let mut random = SplitMix64::new(8);
    let target = normal(&mut random, 20_000, 3) * &array![2.0, 1.0, 0.5];
    let z = &target + &normal(&mut random, 20_000, 3);
    let decoded = Linear::default().decode(z.view(), target.view(), &by_id(20_000, 0)).unwrap();
    let bound = decoded.information_bound().unwrap();
    let truth = 0.5 * (5.0_f64.ln() + 2.0_f64.ln() + 1.25_f64.ln());
    // Three standard errors; the fit to 15,000 samples costs less than one.
    assert!((bound.value - truth).abs() < 3.0 * bound.std_error.unwrap(), "{bound:?}, truth {truth}");
    assert_eq!(bound.unit, Unit::Nats);
    // Noise says nothing: what there is of it is overfitting, which only makes the bound smaller.
    let decoded = Linear::default().decode(normal(&mut random, 20_000, 3).view(), target.view(), &by_id(20_000, 0));
    assert!(decoded.unwrap().information_bound().unwrap().value < 1e-3);
}

#[test]
fn a_low_rank_keeps_the_leading_axes() {
    // Two independent units, each seen whole by one column of the target: at rank 1 only the larger one is left.
    let mut random = SplitMix64::new(21);
    let z = normal(&mut random, 4000, 2);
    let target = &z * &array![2.0, 1.0];
    let split = by_id(4000, 0);
    let of_rank = |rank: usize| {
        let linear = Linear { rank: NonZeroUsize::new(rank), ..fixed(1e-9) };
        linear.decode(z.view(), target.view(), &split).unwrap()
    };
    let (losses, mean_losses) = of_rank(1).of_positions();
    // Sampling turns the axes by about 1/√3000.
    assert!(losses[0] < 0.01 && (losses[1] / mean_losses[1] - 1.0).abs() < 0.1, "{losses} {mean_losses}");
    assert!(of_rank(2).loss.value < 1e-12);
    let full = fixed(1e-9).decode(z.view(), target.view(), &split).unwrap();
    assert_close(of_rank(7).loss.value + 1.0, full.loss.value + 1.0, 1e-12);
}

#[test]
fn a_network_rebuilds_what_a_line_cannot() {
    let mut random = SplitMix64::new(31);
    let z = normal(&mut random, 1500, 2);
    let target = z.mapv(f64::abs);
    let split = by_id(1500, 0);
    let linear = Linear::default().decode(z.view(), target.view(), &split).unwrap();
    let mlp = Mlp::default().decode(z.view(), target.view(), &split, 5).unwrap();
    assert!(linear.unexplained().unwrap().value > 0.9, "{:?}", linear.loss);
    assert!(mlp.unexplained().unwrap().value < 0.05, "{:?}", mlp.loss);
    assert_eq!(mlp, Mlp::default().decode(z.view(), target.view(), &split, 5).unwrap());
    assert_ne!(mlp, Mlp::default().decode(z.view(), target.view(), &split, 6).unwrap());
    let decoder: Decoder = toml::from_str("mlp = { layers = [32], learning-rate = 0.01 }").unwrap();
    let layers = Widths::try_from(vec![NonZeroUsize::new(32).unwrap()]).unwrap();
    assert_eq!(decoder, Decoder::Mlp(Mlp { layers, learning_rate: 0.01.try_into().unwrap(), ..Mlp::default() }));
}

#[test]
fn a_network_says_the_mean_of_noise_and_of_constants() {
    let mut random = SplitMix64::new(32);
    let (z, target) = (normal(&mut random, 1500, 20), normal(&mut random, 1500, 5));
    let split = by_id(1500, 0);
    let noise = Mlp::default().decode(z.view(), target.view(), &split, 5).unwrap();
    let excess = noise.loss.value - detail(&noise.loss, "mean_predictor_loss");
    assert!(excess.abs() < 2.0 * noise.loss.std_error.unwrap(), "{:?}", noise.loss);
    let constant = Mlp::default().decode(Array2::from_elem((1500, 2), 1.0).view(), target.view(), &split, 5).unwrap();
    assert_close(constant.loss.value, detail(&constant.loss, "mean_predictor_loss"), 0.0);
    assert_eq!(constant.loss.flags, [Flag::Constant, Flag::ConstantUnits]);
}

#[test]
fn a_loss_that_one_sample_decides_is_flagged() {
    let mut random = SplitMix64::new(33);
    let (mut z, target) = (normal(&mut random, 400, 2), normal(&mut random, 400, 2));
    let split = by_id(400, 0);
    let plain = estimated(&fixed(1e-6), z.view(), target.view(), &split);
    // A unit that hardly varies in training and is large in one held-out sample.
    z.column_mut(1).mapv_inplace(|value| value * 1e-3);
    z[[split.test[0], 1]] = 1e3;
    let far = estimated(&fixed(1e-9), z.view(), target.view(), &split);
    assert!(!plain.flags.contains(&Flag::OneSampleDecides) && far.flags.contains(&Flag::OneSampleDecides), "{far:?}");
}

#[test]
fn a_network_is_not_decided_by_a_sample_far_outside() {
    let mut random = SplitMix64::new(34);
    let (mut z, target) = (normal(&mut random, 400, 3), normal(&mut random, 400, 2));
    let target = target * 0.1 + z.slice(s![.., ..2]);
    let split = by_id(400, 0);
    let decode = |decoder: &str, z: &Array2<f64>| {
        let decoder: Decoder = toml::from_str(decoder).unwrap();
        decoder.decode(z.view(), target.view(), &split, 0).unwrap().loss
    };
    let plain = decode("mlp = {}", &z);
    // A unit that is silent but for one sample in training and, a thousand times as large, one that is held out.
    z.column_mut(2).fill(0.0);
    z[[split.train[0], 2]] = 1.0;
    z[[split.test[0], 2]] = 1e3;
    let cut = decode("mlp = {}", &z);
    let far = decode("mlp = { bound = 1e6 }", &z);
    assert!(far.flags.contains(&Flag::OneSampleDecides) && far.value > 10.0 * plain.value, "{far:?}");
    // One of eighty samples may be off by some of the ten deviations that are left.
    assert!(cut.value < 2.0 * plain.value, "{cut:?} {plain:?}");
    // Nothing is cut of a layer that is normal: the bits are the same.
    z.column_mut(2).assign(&normal(&mut random, 400, 1).column(0));
    assert_eq!(decode("mlp = {}", &z).value.to_bits(), decode("mlp = { bound = 1e6 }", &z).value.to_bits());
}

#[test]
fn settings_that_no_training_can_have_are_refused_where_they_are_read() {
    for (text, words) in [
        ("mlp = { learning-rate = nan }", "NaN is not positive"),
        ("mlp = { learning-rate = 0.0 }", "0 is not positive"),
        ("mlp = { weight-decay = -1.0 }", "-1 is not a fraction"),
        ("mlp = { layers = [128, 70000] }", "found 70000, needed 65536 at most"),
        ("mlp = { layers = [0] }", "nonzero"),
        ("mlp = { batch = 0 }", "nonzero"),
        ("convolution = { image = [1, 0, 8] }", "nonzero"),
        ("convolution = { image = [1, 8] }", "length 3"),
        ("convolution = { image = [1, 8, 8], channels = [] }", "needed one at least"),
        ("convolution = { image = [1, 8, 8], learning-rate = inf }", "inf is not positive"),
        ("convolution = {}", "missing field `image`"),
    ] {
        let error = toml::from_str::<Decoder>(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

/// A spot of light on 7 × 7 pixels, at a place that the two units of the layer tell.
fn spots(n: usize) -> (Array2<f64>, Array2<f64>) {
    let mut random = SplitMix64::new(41);
    let z = uniform(&mut random, n, 2);
    let target = Array2::from_shape_fn((n, 49), |(row, pixel)| {
        let (down, right) = ((pixel / 7) as f64 / 6.0 - z[[row, 0]], (pixel % 7) as f64 / 6.0 - z[[row, 1]]);
        (-10.0 * (down * down + right * right)).exp()
    });
    (z, target)
}

fn convolution(settings: &str) -> Decoder {
    toml::from_str(&format!("convolution = {{ image = [1, 7, 7], channels = [8, 4], batch = 32, {settings} }}"))
        .unwrap()
}

#[test]
fn a_convolutional_network_paints_what_a_line_cannot() {
    let (z, target) = spots(500);
    let split = by_id(500, 0);
    let decode = |z: &Array2<f64>, settings: &str, seed: u64| {
        convolution(settings).decode(z.view(), target.view(), &split, seed).unwrap()
    };
    let linear = Linear::default().decode(z.view(), target.view(), &split).unwrap().unexplained().unwrap().value;
    let painted = decode(&z, "max-steps = 600, learning-rate = 0.01", 5);
    let unexplained = painted.unexplained().unwrap().value;
    // A line leaves half of it; the network, a twentieth at these steps.
    assert!(linear > 0.3 && unexplained < 0.15 && unexplained < linear / 3.0, "{linear}, {unexplained}");
    assert_eq!(painted.loss.details["reads"], "a row");
    // From layers that are images: of the target's own size, which then shows through, and of one that is not met on the
    // way; a dead unit keeps the places of the others.
    let own = decode(&target, "spatial = [[1, 7, 7]], max-steps = 300, learning-rate = 0.01", 5);
    assert!(own.unexplained().unwrap().value < 0.05 && own.loss.details["reads"] == "an image", "{:?}", own.loss);
    let mut cut = target.slice(s![.., ..25]).to_owned();
    cut.column_mut(3).fill(1.0);
    let cut = decode(&cut, "spatial = [[1, 7, 7], [1, 5, 5]], max-steps = 200, learning-rate = 0.01", 5);
    assert!(cut.unexplained().unwrap().value < 0.8 && cut.loss.flags.contains(&Flag::ConstantUnits), "{:?}", cut.loss);
}

#[test]
fn a_convolutional_network_is_the_same_for_any_number_of_threads() {
    let (z, target) = spots(200);
    let split = by_id(200, 0);
    let decode = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| convolution("max-steps = 40").decode(z.view(), target.view(), &split, seed).unwrap())
    };
    let one = decode(1, 5);
    assert_eq!(one, decode(2, 5));
    assert_ne!(one, decode(2, 6));
}

#[test]
fn a_convolutional_network_paints_only_images_of_its_size() {
    let (z, target) = spots(50);
    let error = convolution("").decode(z.view(), target.slice(s![.., ..48]), &by_id(50, 0), 5).unwrap_err();
    let EstimateError::Degenerate { reason } = error else { panic!("{error}") };
    assert!(reason.contains("48 columns, needed 1 x 7 x 7") && reason.contains("`mlp`"), "{reason}");
}

#[test]
fn reads_the_spelling_of_pipeline_files() {
    let decoder: Decoder = toml::from_str("[linear]").unwrap();
    assert_eq!(decoder, Decoder::Linear(Linear::default()));
    let decoder: Decoder = toml::from_str("linear = { relative-penalties = [1.0, 0.001], folds = 3 }").unwrap();
    let Decoder::Linear(linear) = decoder else { panic!("{decoder:?}") };
    assert_eq!(Vec::from(linear.relative_penalties), [0.001, 1.0]);
    assert_eq!(usize::from(linear.folds), 3);
    for text in
        ["folds = 1", "relative-penalties = []", "relative-penalties = [0.0]", "relative-penalties = [nan]", "x = 1"]
    {
        assert!(toml::from_str::<Decoder>(&format!("linear = {{ {text} }}")).is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn scale_and_offset_of_the_layer_do_not_matter(seed: u64, scale in 1e-3_f64..1e3, offset in -10.0_f64..10.0) {
        let (z, target) = samples(seed, 60, 5, 3, 1.0);
        let split = by_id(60, seed);
        let base = estimated(&Linear::default(), z.view(), target.view(), &split);
        let moved = estimated(&Linear::default(), (&z * scale + offset).view(), target.view(), &split);
        // An offset of 1e4 standard deviations costs four digits.
        assert_close(moved.value, base.value, 1e-7);
    }

    #[test]
    fn row_order_does_not_matter(seed: u64, rotation in 1_usize..60) {
        let (z, target) = samples(seed, 60, 5, 3, 1.0);
        let order: Vec<usize> = (0..60).map(|row| (row * 7 + rotation) % 60).collect();
        let ids: Vec<u64> = order.iter().map(|&row| row as u64).collect();
        let split = Split::by_id(&ids, 0.25, seed).unwrap();
        let (a, b) = (z.select(Axis(0), &order), target.select(Axis(0), &order));
        let moved = estimated(&Linear::default(), a.view(), b.view(), &split);
        prop_assert_eq!(moved, estimated(&Linear::default(), z.view(), target.view(), &by_id(60, seed)));
    }
}
