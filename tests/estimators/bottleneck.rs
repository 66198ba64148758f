//! The information bottleneck of finite problems against closed forms.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::LN_2;
use std::num::NonZeroUsize;

use infoplane::estimate::bottleneck::{Bottleneck, Codebook, Encoder, Joint, Placed, Randomness, gaussian_relevance};
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::{Labels, Split};
use ndarray::{Array2, array};
use proptest::prelude::*;

/// The doubly symmetric binary source with this crossover.
fn symmetric(p: f64) -> Joint {
    Joint::new(array![[0.5 - p / 2.0, p / 2.0], [p / 2.0, 0.5 - p / 2.0]].view()).unwrap()
}

fn binary_entropy(q: f64) -> f64 {
    [q, 1.0 - q].iter().map(|&p| if p > 0.0 { -p * p.ln() } else { 0.0 }).sum()
}

/// The relevance of a rate in nats: `methods.md`, section 5.4 (Mrs Gerber's lemma).
fn symmetric_relevance(p: f64, rate: f64) -> f64 {
    let (mut low, mut high) = (0.0, 0.5);
    for _ in 0..60 {
        let q = f64::midpoint(low, high);
        // The rate falls where the channel gets noisier.
        if LN_2 - binary_entropy(q) > rate { low = q } else { high = q }
    }
    LN_2 - binary_entropy(p * (1.0 - low) + low * (1.0 - p))
}

fn random_joint(seed: u64, n_x: usize, n_y: usize) -> Joint {
    let mut random = SplitMix64::new(seed);
    Joint::new(Array2::from_shape_simple_fn((n_x, n_y), || random.uniform().powi(3)).view()).unwrap()
}

fn random_encoder(seed: u64, joint: &Joint, n_t: usize) -> Encoder {
    let mut random = SplitMix64::new(seed);
    let n_x = joint.p_x().len();
    let mut table = Array2::from_shape_simple_fn((n_x, n_t), || random.uniform().powi(4) + 1e-12);
    for mut row in table.outer_iter_mut() {
        row /= row.sum();
    }
    Encoder::new(joint, table.view(), n_x).unwrap()
}

fn settings(steps: usize, starts: usize) -> Bottleneck {
    let count = |n| NonZeroUsize::new(n).unwrap();
    Bottleneck { steps: count(steps), starts: count(starts), ..Bottleneck::default() }
}

/// `methods.md`, section 5.4, in bits.
#[test]
fn channels_of_the_symmetric_source_have_the_known_rates() {
    let joint = symmetric(0.1);
    for (q, rate, relevance) in [
        (0.0, 1.0, 0.531_004_406_4),
        (0.05, 0.713_603_042_8, 0.415_761_188_4),
        (0.1, 0.531_004_406_4, 0.319_922_954_3),
        (0.2, 0.278_071_905_1, 0.173_253_627_5),
        (0.3, 0.118_709_100_8, 0.075_181_295_0),
    ] {
        let encoder = Encoder::new(&joint, array![[1.0 - q, q], [q, 1.0 - q]].view(), 2).unwrap();
        // A unit of the last digit given: some are cut off, not rounded.
        assert!((encoder.rate(&joint) / LN_2 - rate).abs() < 1e-10, "{q}");
        assert!((encoder.relevance(&joint) / LN_2 - relevance).abs() < 1e-10, "{q}");
        assert!((symmetric_relevance(0.1, encoder.rate(&joint)) - encoder.relevance(&joint)).abs() < 1e-12, "{q}");
    }
}

/// The iteration stops within 10⁻¹⁰ nats of the best of its trade-off.
#[test]
fn finds_the_curve_of_the_symmetric_source() {
    for p in [0.02, 0.1, 0.3] {
        let joint = symmetric(p);
        let frontier = Bottleneck { largest: 16.0, ..settings(40, 2) }.frontier(&joint, 1).unwrap();
        let within = frontier.points.iter().filter(|point| 0.01 < point.rate && point.rate < LN_2 - 0.01).count();
        assert!(within >= 5, "{p}: {within}");
        for point in &frontier.points {
            let expected = symmetric_relevance(p, point.rate);
            assert!((point.relevance - expected).abs() < 1e-9 && point.converged, "{p}: {point:?}, {expected}");
        }
    }
}

/// Of a joint of 24 × 24 cells the curve lies below that of the normal pair, by what the cells hide, and near it.
#[test]
fn comes_near_the_curve_of_a_normal_pair() {
    let (rho, n) = (0.8_f64, 24_i32);
    let place = |i: i32| 6.0 * (f64::from(i) + 0.5) / f64::from(n) - 3.0;
    let size = usize::try_from(n).unwrap();
    let density = |x: f64, y: f64| (-(x * x - 2.0 * rho * x * y + y * y) / (2.0 * (1.0 - rho * rho))).exp();
    let cells: Vec<f64> = (0..n).flat_map(|i| (0..n).map(move |j| density(place(i), place(j)))).collect();
    let joint = Joint::new(Array2::from_shape_vec((size, size), cells).unwrap().view()).unwrap();
    let frontier = Bottleneck { largest: 8.0, iterations: NonZeroUsize::new(500).unwrap(), ..settings(8, 1) }
        .frontier(&joint, 1)
        .unwrap();
    for point in &frontier.points {
        let expected = gaussian_relevance(&[rho], point.rate).unwrap();
        // The tails beyond three deviations are cut off.
        assert!(point.relevance < expected + 1e-3 && point.relevance > expected - 0.02, "{point:?}, {expected}");
    }
}

/// Y is a function of X: the curve is a straight line to H(Y), which the deterministic encoder Y itself attains.
#[test]
fn a_function_of_the_input_has_a_straight_frontier() {
    let joint = Joint::new(array![[0.1, 0.0], [0.3, 0.0], [0.0, 0.4], [0.0, 0.2]].view()).unwrap();
    for randomness in [0.0, 1.0] {
        let settings = Bottleneck { randomness: Randomness::try_from(randomness).unwrap(), ..settings(16, 4) };
        let frontier = settings.frontier(&joint, 3).unwrap();
        let h = joint.entropy_y();
        let (found, _) = frontier.relevance_at(h / 2.0);
        assert!((found - h / 2.0).abs() < 1e-9, "{randomness}: {found}, {h}");
        assert!((frontier.relevance_at(10.0).0 - h).abs() < 1e-12);
    }
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let error = Bottleneck { largest: 1.0, ..settings(4, 1) }.frontier(&symmetric(0.1), 1).unwrap_err();
    assert!(error.to_string().contains("largest trade-off of 1"), "{error}");
    assert!(Randomness::try_from(1.5).unwrap_err().contains("1.5"));
    let joint = symmetric(0.1);
    let wrong = |table: Array2<f64>| Encoder::new(&joint, table.view(), 2).unwrap_err().to_string();
    assert!(wrong(array![[1.0, 0.0]]).contains("1 rows"));
    assert!(wrong(array![[0.7, 0.7], [0.5, 0.5]]).contains("row 0 of the encoder sums to 1.4"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    /// The identity of the distortion, to a hundred roundings of numbers near one.
    #[test]
    fn distortion_is_the_relevance_that_is_left_out(seed: u64, n_x in 1_usize..9, n_y in 1_usize..7, n_t in 1_usize..9) {
        let joint = random_joint(seed, n_x, n_y);
        let encoder = random_encoder(seed ^ 1, &joint, n_t);
        let left = joint.information() - encoder.relevance(&joint);
        prop_assert!((encoder.distortion(&joint) - left).abs() < 1e-12, "{} {left}", encoder.distortion(&joint));
        prop_assert!(encoder.relevance(&joint) <= encoder.rate(&joint) + 1e-12);
    }

    /// Increasing, concave, below every bound, above every encoder; the deterministic one is nowhere above it.
    #[test]
    fn frontiers_are_concave_and_bounded(seed: u64, n_x in 2_usize..6, n_y in 2_usize..5) {
        let joint = random_joint(seed, n_x, n_y);
        let settings = Bottleneck { iterations: NonZeroUsize::new(2000).unwrap(), ..settings(24, 3) };
        let frontier = settings.frontier(&joint, seed).unwrap();
        prop_assert_eq!(&frontier, &settings.frontier(&joint, seed).unwrap());
        for pair in frontier.corners.windows(2) {
            prop_assert!(pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1);
        }
        for three in frontier.corners.windows(3) {
            let slope = |a: (f64, f64), b: (f64, f64)| (b.1 - a.1) / (b.0 - a.0);
            prop_assert!(slope(three[0], three[1]) >= slope(three[1], three[2]) - 1e-9);
        }
        for point in &frontier.points {
            prop_assert!(point.relevance <= joint.information().min(point.rate) + 1e-9, "{:?}", point);
        }
        for (rate, relevance) in (0..8).map(|n| random_encoder(seed ^ n, &joint, n_x)).map(|e| (e.rate(&joint), e.relevance(&joint))) {
            let gap = frontier.gap(rate, relevance);
            // Between two of 24 points the curve lies above the chord.
            prop_assert!(gap.at_most.unwrap() >= -1e-9 && gap.at_least > -0.02, "{:?}", gap);
        }
        let hard = Bottleneck { randomness: Randomness::try_from(0.0).unwrap(), ..settings };
        for point in hard.frontier(&joint, seed).unwrap().points {
            // A function of X has the rate H(T).
            prop_assert!((point.rate - point.entropy).abs() < 1e-12);
            prop_assert!(frontier.gap(point.rate, point.relevance).at_most.unwrap() >= -1e-9, "{:?}", point);
        }
    }
}

/// A codebook of samples that are −1 or 1, half of 1,600 each, beside the symmetric source with this crossover.
fn placed(p: f64, size: usize, block: usize) -> Placed {
    let count = |n| NonZeroUsize::new(n).unwrap();
    let codebook = Codebook { size: count(size), block: count(block), starts: count(4) };
    let mut random = SplitMix64::new(3);
    let mut signs: Vec<f64> = (0..1600).map(|row| if row % 2 == 0 { -1.0 } else { 1.0 }).collect();
    // In no order: blocks are of samples that follow one another.
    for half in [0..800, 800..1600] {
        random.shuffle(&mut signs[half]);
    }
    let layer = Array2::from_shape_vec((1600, 1), signs).unwrap();
    let split = Split { train: (0..800).collect(), test: (800..1600).collect() };
    let labels = Labels::new(ndarray::Array1::zeros(1600).view());
    let of = |sign: f64| if sign < 0.0 { [1.0 - p, p] } else { [p, 1.0 - p] };
    let table = Array2::from_shape_fn((800, 2), |(row, class)| of(layer[[800 + row, 0]])[class]);
    let coded = codebook.code(layer.view(), &labels, &split, 1).unwrap();
    codebook.place(&coded, layer.view(), &split, &Joint::new(table.view()).unwrap(), 1).unwrap()
}

/// Where every block has a codeword of its own, all is kept at any length; where two codewords tell one of two samples, half
/// of both, which lies below the frontier: its chord from nothing to all.
#[test]
fn blocks_lie_beside_the_frontier_of_one_sample() {
    let information = LN_2 - binary_entropy(0.1);
    for (size, block, part) in [(2, 1, 1.0), (4, 2, 1.0), (16, 4, 1.0), (2, 2, 0.5)] {
        let placed = placed(0.1, size, block);
        // The blocks that are drawn are not all as many, by one in thirty of sixteen and more of them: its square, in the
        // rate; what is kept follows.
        assert!((placed.rate - part * LN_2).abs() < 2e-3, "{size}, {block}: {placed:?}");
        assert!((placed.relevance - part * information).abs() < 2e-3, "{size}, {block}: {placed:?}");
        assert!((placed.relevance + placed.distortion - information).abs() < 1e-12, "{size}, {block}: {placed:?}");
    }
    let chord = placed(0.1, 2, 2);
    let gap = settings(64, 2).frontier(&symmetric(0.1), 1).unwrap().gap(chord.rate, chord.relevance);
    let expected = symmetric_relevance(0.1, LN_2 / 2.0) - information / 2.0;
    // The points of the frontier are so far apart that between them a little is missing.
    assert!((gap.at_least - expected).abs() < 5e-3 && gap.at_most.unwrap() >= gap.at_least, "{gap:?}, {expected}");
}

/// Without a label in the layer, what few blocks seem to tell of it is taken off but for the scatter of the draws.
#[test]
fn blocks_of_noise_say_nothing() {
    let codebook = |size, block| {
        let count = |n| NonZeroUsize::new(n).unwrap();
        Codebook { size: count(size), block: count(block), starts: count(1) }
    };
    let mut random = SplitMix64::new(9);
    let values: Vec<f64> = (0..60).map(|_| random.normal_pair().0).collect();
    // Each value ten times, once with each class.
    let layer = Array2::from_shape_fn((600, 1), |(row, _)| values[row / 10]);
    let labels = Labels::new(ndarray::Array1::zeros(600).view());
    let split = Split { train: (0..300).collect(), test: (300..600).collect() };
    let table = Array2::from_shape_fn((300, 10), |(row, class)| f64::from(u8::from(row % 10 == class)));
    let joint = Joint::new(table.view()).unwrap();
    let book = codebook(16, 4);
    let coded = book.code(layer.view(), &labels, &split, 1).unwrap();
    let placed = book.place(&coded, layer.view(), &split, &joint, 1).unwrap();
    // By chance 4,200 blocks with 16 codewords and 10 classes seem to tell 15 · 9 / 8,400 = .016 nats, with a scatter of
    // √(2 · 135) / 8,400 = .002 a slot, of which there are four; halves of them have twice that in turn.
    assert_eq!(placed.n_blocks, 4_200);
    assert!(placed.relevance.abs() < 0.004, "{placed:?}");
    let other = Joint::new(table.slice(ndarray::s![..299, ..])).unwrap();
    let error = book.place(&coded, layer.view(), &split, &other, 1).unwrap_err().to_string();
    assert!(error.contains("found posteriors of 299 samples, needed those of the 300"), "{error}");
}
