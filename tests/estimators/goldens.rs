//! Golden values of every estimator on two generated samples, from reference implementations in Python (numpy, scipy),
//! written from the published formulas and compared there with the published programs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use infoplane::estimate::information::{Estimator, donsker_varadhan};
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::{Estimate, Paired};
use ndarray::Array2;

/// Given to twelve digits behind the point; the rest is the last digits of sines and logarithms.
const TOLERANCE: f64 = 1e-9;

fn estimates(estimator: &str, (x, y): &(Array2<f64>, Array2<f64>)) -> Vec<Estimate> {
    #[derive(serde::Deserialize)]
    struct Wrapped {
        estimator: Estimator,
    }
    let wrapped: Wrapped = toml::from_str(&format!("estimator = {estimator}")).unwrap();
    let samples = Paired::new(x.view(), y.view()).unwrap();
    wrapped.estimator.continuous().unwrap().estimates(samples).unwrap()
}

fn columns(n: usize, mut pair: impl FnMut() -> (f64, f64)) -> (Array2<f64>, Array2<f64>) {
    let (x, y): (Vec<f64>, Vec<f64>) = (0..n).map(|_| pair()).unzip();
    (Array2::from_shape_vec((n, 1), x).unwrap(), Array2::from_shape_vec((n, 1), y).unwrap())
}

/// A uniform number, and it plus a half of another one: the true information is ¼ + ln 2.
fn uniform() -> (Array2<f64>, Array2<f64>) {
    let mut random = SplitMix64::new(1);
    columns(500, || {
        let (u, v) = (random.uniform(), random.uniform());
        (u, u + 0.5 * v)
    })
}

/// Two normal numbers of correlation ¾.
fn normal() -> (Array2<f64>, Array2<f64>) {
    let mut random = SplitMix64::new(2);
    columns(500, || {
        let (a, b) = random.normal_pair();
        (a, 0.75 * a + 0.4375_f64.sqrt() * b)
    })
}

fn agree(estimator: &str, samples: &(Array2<f64>, Array2<f64>), golden: &[f64]) {
    let found = estimates(estimator, samples);
    assert_eq!(found.len(), golden.len());
    for (estimate, golden) in found.iter().zip(golden) {
        let value = estimate.value;
        assert!((value - golden).abs() < TOLERANCE, "{estimator}: {value} is not {golden}");
    }
}

#[test]
fn neighbors_of_pairs() {
    let first = "{ ksg = { neighbors = [1, 3, 5, 10] } }";
    agree(first, &uniform(), &[1.032_853_159_918, 0.995_540_929_026, 0.921_868_552_942, 0.890_225_133_858]);
    agree(first, &normal(), &[0.449_850_888_500, 0.333_615_654_920, 0.351_447_985_599, 0.367_327_564_692]);
    let second = "{ ksg-2 = { neighbors = [1, 3, 5, 10] } }";
    agree(second, &uniform(), &[0.987_494_244_487, 0.992_287_517_827, 0.929_287_803_405, 0.889_130_796_334]);
    agree(second, &normal(), &[0.473_875_736_265, 0.325_570_061_146, 0.356_677_685_981, 0.371_011_300_498]);
}

#[test]
fn entropies_of_neighbors() {
    let plain = "{ kozachenko-leonenko = { neighbors = [1, 3, 5], form = 'per-sample' } }";
    agree(plain, &uniform(), &[1.004_202_835_612, 0.996_177_302_941, 0.912_183_437_387]);
    agree(plain, &normal(), &[0.543_894_335_323, 0.373_398_142_682, 0.360_067_347_788]);
}

/// In two dimensions all weight is on the nearest neighbor. The errors of the first form are given to six
/// digits, those of the second to twelve.
#[test]
fn weighted_entropies_in_both_published_forms() {
    let (per_sample, whitened) =
        ("{ weighted = { neighbors = 5, form = 'per-sample' } }", "{ weighted = { neighbors = 5 } }");
    for (samples, values, errors) in [
        (uniform(), [1.004_202_835_612, 1.042_270_327_397], [0.097_448_7, 0.175_317_320_762]),
        (normal(), [0.543_894_335_323, 0.492_210_984_577], [0.101_058_1, 0.202_802_264_537]),
    ] {
        agree(per_sample, &samples, &values[..1]);
        agree(whitened, &samples, &values[1..]);
        // The published errors divide by n, ours by n − 1.
        let published = (499.0_f64 / 500.0).sqrt();
        let error = |estimator| estimates(estimator, &samples)[0].std_error.unwrap() * published;
        assert!((error(per_sample) - errors[0]).abs() < 1e-6, "{}", error(per_sample));
        assert!((error(whitened) - errors[1]).abs() < TOLERANCE, "{}", error(whitened));
    }
}

#[test]
fn kernel_densities() {
    let plain = "{ kde = { bandwidth = [0.1, 0.2, 0.3], form = 'per-sample' } }";
    agree(plain, &uniform(), &[0.700_642_582_616, 0.454_188_396_113, 0.262_809_494_057]);
    agree(plain, &normal(), &[0.048_296_102_512, 0.311_482_180_347, 0.335_063_857_769]);
    // The published program searches the bandwidth to one part in a hundred; values are given to ten digits for it.
    for (samples, bandwidth, golden) in
        [(uniform(), 0.145_008_024, 0.916_088_319_5), (normal(), 0.420_762_384_2, 0.355_533_032_2)]
    {
        let given = estimates(&format!("{{ kde = {{ bandwidth = {bandwidth} }} }}"), &samples);
        assert!((given[0].value - golden).abs() < 1e-8, "{} is not {golden}", given[0].value);
        let found = estimates("{ kde = {} }", &samples)[0].details["bandwidth"].as_f64().unwrap();
        assert!((found / bandwidth - 1.0).abs() < 0.05, "{found} is far from {bandwidth}");
    }
}

#[test]
fn pairwise_bounds() {
    // Entropies of the samples x with noise; the information is that less the entropy of the noise.
    let noise = 0.5 * ((std::f64::consts::TAU * 0.01).ln() + 1.0);
    assert!((noise + 0.883_646_559_789).abs() < TOLERANCE);
    for ((x, _), entropies) in
        [(uniform(), [0.586_844_416_017, -0.018_444_355_922]), (normal(), [1.836_051_789_440, 1.159_751_526_385])]
    {
        agree("{ kolchinsky = { variance = 0.01 } }", &(x.clone(), x), &entropies.map(|entropy| entropy - noise));
    }
}

#[test]
fn gaussian() {
    agree("{ gaussian = {} }", &uniform(), &[0.825_744_248_778_327_1]);
    agree("{ gaussian = {} }", &normal(), &[0.366_805_959_050_928]);
}

/// With the true critic, ln p(x, y) / p(x) p(y): the two terms over the pairs and over all 250,000 combinations.
#[test]
fn the_bound_of_donsker_and_varadhan_with_the_true_critic() {
    let (x, y) = normal();
    let rho = 0.75_f64;
    let rest = 1.0 - rho * rho;
    let critic = |x: f64, y: f64| -0.5 * rest.ln() - (rho * rho * (x * x + y * y) - 2.0 * rho * x * y) / (2.0 * rest);
    let scores = Array2::from_shape_fn((500, 500), |(i, j)| critic(x[[i, 0]], y[[j, 0]]));
    // Both terms were given to ten digits.
    let bound = donsker_varadhan(scores.view());
    assert!((bound - (0.366_899_112_2 - 0.002_049_994_5)).abs() < 1.5e-10, "{bound}");
    // In expectation the first term is I(X; Y) and the second zero; the first scatters by rho over the root of 500, the second
    // by about as much.
    assert!((bound - -0.5 * rest.ln()).abs() < 3.0 * rho / 500_f64.sqrt(), "{bound}");
    // A constant says nothing, however large it is.
    assert!(donsker_varadhan(Array2::from_elem((4, 4), 1e4).view()).abs() < 1e-9);
}
