//! Estimators of mutual information against golden values and against closed forms.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;

use infoplane::estimate::information::{ContinuousInformation, Ksg, LabelInformation, Ross};
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::{Estimate, Flag, Labels, Paired};
use ndarray::{Array1, Array2};

fn ksg(k: usize, x: &Array2<f64>, y: &Array2<f64>) -> Estimate {
    let estimator = Ksg { neighbors: NonZeroUsize::new(k).unwrap().into() };
    estimator.estimate(Paired::new(x.view(), y.view()).unwrap()).unwrap()
}

fn ross(k: usize, x: &Array2<f64>, labels: &[i64]) -> Estimate {
    let labels = Labels::new(Array1::from(labels.to_vec()).view());
    Ross { neighbors: NonZeroUsize::new(k).unwrap().into() }.estimate(x.view(), &labels).unwrap()
}

/// A label of m equally likely values.
#[expect(clippy::cast_possible_truncation, reason = "labels are small")]
fn label(random: &mut SplitMix64, m: i32) -> i64 {
    (random.uniform() * f64::from(m)) as i64
}

/// Two columns of pairs drawn one after another.
fn pairs(n: usize, mut pair: impl FnMut() -> (f64, f64)) -> (Array2<f64>, Array2<f64>) {
    let (x, y): (Vec<f64>, Vec<f64>) = (0..n).map(|_| pair()).unzip();
    (Array2::from_shape_vec((n, 1), x).unwrap(), Array2::from_shape_vec((n, 1), y).unwrap())
}

fn normal(seed: u64, n: usize, rho: f64) -> (Array2<f64>, Array2<f64>) {
    let mut random = SplitMix64::new(seed);
    pairs(n, || {
        let (a, b) = random.normal_pair();
        (a, rho * a + (1.0 - rho * rho).sqrt() * b)
    })
}

/// The normal distribution function, by a continued fraction of its tail and a series about its middle.
fn normal_cdf(x: f64) -> f64 {
    let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    if x.abs() > 4.0 {
        let tail = density / (1..60).rev().fold(x.abs(), |below, m| x.abs() + f64::from(m) / below);
        return if x < 0.0 { tail } else { 1.0 - tail };
    }
    let series = (1..80).scan(x, |term, m| {
        let now = *term;
        *term *= x * x / f64::from(2 * m + 1);
        Some(now)
    });
    0.5 + density * series.sum::<f64>()
}

/// Golden values of two generated samples, from a reference implementation in Python (scipy's cKDTree and digamma).
/// They are given to twelve digits, which is the tolerance but for the last digits of sines and logarithms.
#[test]
fn ksg_agrees_with_golden_values() {
    let mut random = SplitMix64::new(1);
    let (x, y) = pairs(500, || {
        let (u, v) = (random.uniform(), random.uniform());
        (u, u + 0.5 * v)
    });
    for (k, golden) in [(1, 1.032_853_159_918), (3, 0.995_540_929_026), (5, 0.921_868_552_942), (10, 0.890_225_133_858)]
    {
        let value = ksg(k, &x, &y).value;
        assert!((value - golden).abs() < 1e-9, "k = {k}: {value} is not {golden}");
    }
    let (x, y) = normal(2, 500, 0.75);
    for (k, golden) in [(1, 0.449_850_888_500), (3, 0.333_615_654_920), (5, 0.351_447_985_599), (10, 0.367_327_564_692)]
    {
        let value = ksg(k, &x, &y).value;
        assert!((value - golden).abs() < 1e-9, "k = {k}: {value} is not {golden}");
    }
}

/// From 5,000 samples the estimate scatters by .01 to .015: the tolerance is over three times that.
#[test]
fn ksg_recovers_the_information_of_a_bivariate_normal() {
    for (seed, rho) in [(11, 0.0), (12, 0.5), (13, 0.9)] {
        let (x, y) = normal(seed, 5000, rho);
        let truth = -0.5 * (1.0_f64 - rho * rho).ln();
        let estimate = ksg(3, &x, &y);
        assert!((estimate.value - truth).abs() < 0.05, "ρ = {rho}: {} is not {truth}", estimate.value);
        assert!(estimate.std_error.unwrap() > 0.003 && estimate.std_error.unwrap() < 0.03);
        assert_eq!(estimate.details["tied_fraction"], 0.0);
    }
}

/// Monotone maps of each side keep the information; the tolerance is that of the normal distribution.
#[test]
fn ksg_recovers_the_information_of_uniform_margins() {
    let (x, y) = normal(14, 5000, 0.75);
    let value = ksg(3, &x.mapv(normal_cdf), &y.mapv(normal_cdf)).value;
    let truth = -0.5 * (1.0_f64 - 0.5625).ln();
    assert!((value - truth).abs() < 0.05, "{value} is not {truth}");
}

/// Four coordinates of correlation 1/2 each with each. The tolerance allows for some bias besides the scatter.
#[test]
fn ksg_recovers_the_information_of_a_dense_normal() {
    let mut random = SplitMix64::new(15);
    let all = Array2::from_shape_simple_fn((5000, 4), || random.normal_pair().0);
    let shared: Vec<f64> = (0..5000).map(|_| random.normal_pair().0).collect();
    let mixed = Array2::from_shape_fn((5000, 4), |(row, c)| (all[[row, c]] + shared[row]) / 2.0_f64.sqrt());
    let (x, y) = mixed.view().split_at(ndarray::Axis(1), 2);
    let value = ksg(3, &x.to_owned(), &y.to_owned()).value;
    // The determinants of correlation matrices of d such coordinates are (1 + (d − 1)/2) / 2^(d − 1).
    let truth = 0.5 * (0.75_f64 * 0.75 / (2.5 / 8.0)).ln();
    assert!((truth - 0.293_893).abs() < 1e-6);
    assert!((value - truth).abs() < 0.06, "{value} is not {truth}");
}

/// A label of m values and a number uniform on [label, label + 2], of which the truth is ln m − (m − 1) ln 2 / m.
/// The tolerance of .03 is twice the scatter of .015 from 5,000 samples.
#[test]
fn ross_recovers_the_information_of_overlapping_uniforms() {
    for (m, seed) in [(3, 16), (5, 17)] {
        let mut random = SplitMix64::new(seed);
        let mut labels = Vec::new();
        let x = Array2::from_shape_simple_fn((5000, 1), || {
            labels.push(label(&mut random, m));
            labels[labels.len() - 1] as f64 + 2.0 * random.uniform()
        });
        let truth = f64::from(m).ln() - f64::from(m - 1) * 2.0_f64.ln() / f64::from(m);
        for k in [1, 3, 10] {
            let value = ross(k, &x, &labels).value;
            assert!((value - truth).abs() < 0.03, "m = {m}, k = {k}: {value} is not {truth}");
        }
    }
}

/// Golden values from Python (numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1) on the data generated below. In one
/// dimension they are `sklearn.feature_selection._mutual_info._compute_mi_cd(x[:, 0], labels, k)`, which is
/// `mutual_info_classif` before it scales, adds noise and clamps; in two the same formula from scikit-learn's
/// `NearestNeighbors` and `KDTree` with `metric="chebyshev"`. One class has one sample only. The tolerance covers
/// the sums' rounding and the last digits of sines and logarithms.
#[test]
fn ross_agrees_with_scikit_learn() {
    let mut random = SplitMix64::new(3);
    let mut labels = Vec::new();
    let mut x = Array2::zeros((300, 2));
    for mut row in x.rows_mut() {
        labels.push(label(&mut random, 4));
        let center = labels[labels.len() - 1] as f64;
        let (a, b) = random.normal_pair();
        (row[0], row[1]) = (a + center, b * (1.0 + 0.5 * center));
    }
    labels[7] = 9;
    let first = x.slice(ndarray::s![.., ..1]).to_owned();
    for (k, one, two) in [
        (1, 0.346_163_800_666_918_76, 0.425_000_391_659_132_06),
        (3, 0.393_087_456_496_653_33, 0.464_468_829_856_286_9),
        (5, 0.378_297_599_957_760_7, 0.475_140_275_926_143_4),
    ] {
        let estimate = ross(k, &first, &labels);
        assert!((estimate.value - one).abs() < 1e-12, "k = {k}: {} is not {one}", estimate.value);
        assert_eq!((estimate.n_samples, &estimate.flags[..]), (299, &[Flag::FewSamplesPerClass][..]));
        let value = ross(k, &x, &labels).value;
        assert!((value - two).abs() < 1e-12, "k = {k}: {value} is not {two}");
    }
    // With more neighbors than a class has, all that it has: numpy with distances between all pairs.
    let value = ross(100, &first, &labels).value;
    assert!((value - 0.131_353_353_129_531_9).abs() < 1e-12, "{value}");
}
