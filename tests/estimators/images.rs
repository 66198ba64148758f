//! Images rendered from parameters whose information is known (Butakov et al. 2024): rendering is one-to-one, so that
//! two images have just the information that their parameters have.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;

use infoplane::estimate::Paired;
use infoplane::estimate::compress::{Autoencoder, Basis, Compression, Layout, Margins, Pca};
use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::compress::estimator;
use crate::data::normal_matrix;

const SAMPLES: usize = 5000;

fn count(value: usize) -> NonZeroUsize {
    NonZeroUsize::new(value).unwrap()
}

/// Two variables of d numbers, uniform on [0, 1], with the given information in nats: d Gaussian pairs that share it
/// evenly, each side turned at random, each number through the normal distribution function.
fn parameters(information: f64, d: usize, seed: u64) -> (Array2<f64>, Array2<f64>) {
    let correlation = (1.0 - (-2.0 * information / d as f64).exp()).sqrt();
    let x = normal_matrix(seed, SAMPLES, d);
    let y = &x * correlation + normal_matrix(seed + 1, SAMPLES, d) * (1.0 - correlation * correlation).sqrt();
    let turned = |values: Array2<f64>, seed| values.dot(&rotation(d, seed)).mapv(normal_distribution);
    (turned(x, seed + 2), turned(y, seed + 3))
}

/// A random rotation: a Gaussian matrix with its rows made orthonormal.
fn rotation(d: usize, seed: u64) -> Array2<f64> {
    let mut rows = normal_matrix(seed, d, d);
    for row in 0..d {
        for earlier in 0..row {
            let overlap = rows.row(row).dot(&rows.row(earlier));
            let earlier = rows.row(earlier).to_owned();
            rows.row_mut(row).scaled_add(-overlap, &earlier);
        }
        let length = rows.row(row).dot(&rows.row(row)).sqrt();
        rows.row_mut(row).mapv_inplace(|value| value / length);
    }
    rows
}

/// Φ to 1.5e-7 (Abramowitz and Stegun, 7.1.26): monotone to that, which is far below the distance of neighbors.
fn normal_distribution(x: f64) -> f64 {
    let z = x.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let tail = series.iter().fold(0.0, |sum, coefficient| (sum + coefficient) * t) * (-z * z).exp() / 2.0;
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// A spot of light at a place.
fn blob(side: usize, p: ArrayView1<'_, f64>) -> Vec<f64> {
    let at = |place: usize| place as f64 / (side - 1) as f64;
    let pixels = (0..side * side).map(|pixel| {
        let (u, v) = (at(pixel / side) - p[0], at(pixel % side) - p[1]);
        (-10.0 * (u * u + v * v)).exp()
    });
    pixels.collect()
}

/// The two edges of a rectangle in one direction, at least two of 32 pixels apart.
fn edges(u: f64, v: f64) -> (f64, f64) {
    let least = 2.0 / 32.0;
    let left = (1.0 - least) * (1.0 - (1.0 - u).sqrt());
    (left, left + least + v * (1.0 - left - least))
}

/// A rectangle; a pixel is as light as it is covered.
fn rectangle(side: usize, p: ArrayView1<'_, f64>) -> Vec<f64> {
    let covered = |(from, to): (f64, f64), place: usize| {
        let (low, high) = (place as f64 / side as f64, (place + 1) as f64 / side as f64);
        (to.min(high) - from.max(low)).max(0.0) * side as f64
    };
    let (rows, columns) = (edges(p[0], p[1]), edges(p[2], p[3]));
    (0..side * side).map(|pixel| covered(rows, pixel / side) * covered(columns, pixel % side)).collect()
}

fn rendered(
    parameters: &Array2<f64>,
    side: usize,
    render: impl Fn(usize, ArrayView1<'_, f64>) -> Vec<f64>,
) -> Array2<f64> {
    let pixels = parameters.outer_iter().flat_map(|row| render(side, row)).collect();
    Array2::from_shape_vec((parameters.nrows(), side * side), pixels).unwrap()
}

/// The four numbers that a rectangle of the parameters is drawn by.
fn corners(parameters: &Array2<f64>) -> Array2<f64> {
    let mut corners = parameters.clone();
    for mut row in corners.outer_iter_mut() {
        let ((left, right), (top, bottom)) = (edges(row[0], row[1]), edges(row[2], row[3]));
        row.assign(&ArrayView1::from(&[left, right, top, bottom]));
    }
    corners
}

fn ksg(k: usize, x: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>) -> f64 {
    let scaled = |values| Margins::Standardized.rescale(values).unwrap().samples;
    let (x, y) = (scaled(x), scaled(y));
    let ksg = estimator(&format!(r#"{{ "ksg": {{ "neighbors": {k} }} }}"#));
    ksg.continuous().unwrap().estimate(Paired::new(x.view(), y.view()).unwrap()).unwrap().value
}

/// The authors' estimator in up to four dimensions: three entropies from nearest neighbors, each of whitened samples.
fn three_entropies(x: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>) -> f64 {
    let joint = ndarray::concatenate(ndarray::Axis(1), &[x, y]).unwrap();
    entropy(x) + entropy(y) - entropy(joint.view())
}

/// `⟨ln(n − 1) − ψ(1) + ln V_d + d ln rᵢ⟩` of whitened samples, with the volume that whitening took.
fn entropy(samples: ArrayView2<'_, f64>) -> f64 {
    let white = Margins::Whitened.rescale(samples).unwrap().samples;
    let (n, d) = white.dim();
    let centered = &samples - &samples.mean_axis(ndarray::Axis(0)).unwrap();
    let covariance = centered.t().dot(&centered) / n as f64;
    let rows: Vec<&[f64]> = white.outer_iter().map(|row| row.to_slice().unwrap()).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| rows[a][0].total_cmp(&rows[b][0]));
    let nearest = |place: usize| {
        let row = rows[order[place]];
        let mut least = f64::INFINITY;
        let mut look = |other: usize| {
            let other = rows[order[other]];
            let apart = other[0] - row[0];
            if apart * apart > least {
                return false;
            }
            least = least.min(row.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum());
            true
        };
        let _ = (place + 1..n).all(&mut look);
        let _ = (0..place).rev().all(&mut look);
        least.sqrt().ln()
    };
    let logarithms: f64 = (0..n).map(nearest).sum::<f64>() / n as f64;
    // ln V of the unit ball in 1, 2 and 4 dimensions.
    let volume = match d {
        2 => std::f64::consts::PI.ln(),
        4 => (std::f64::consts::PI.powi(2) / 2.0).ln(),
        _ => panic!("no volume for {d} dimensions"),
    };
    let euler = 0.577_215_664_901_532_9;
    ((n - 1) as f64).ln() + euler + volume + d as f64 * logarithms + determinant(&covariance).ln() / 2.0
}

/// By elimination: covariances need no pivots.
fn determinant(matrix: &Array2<f64>) -> f64 {
    let mut rows = matrix.clone();
    let mut product = 1.0;
    for pivot in 0..rows.nrows() {
        let value = rows[[pivot, pivot]];
        product *= value;
        for below in pivot + 1..rows.nrows() {
            let factor = rows[[below, pivot]] / value;
            let row = rows.row(pivot).to_owned();
            rows.row_mut(below).scaled_add(-factor, &row);
        }
    }
    product
}

fn pca(images: &Array2<f64>, components: usize) -> Array2<f64> {
    let pca = Pca { components: count(components), basis: Basis::Own };
    Compression::Pca(pca).compress(images.view(), 0).unwrap().scores
}

#[test]
fn spots_of_light_have_the_information_of_their_places() {
    for (seed, truth) in (100..).step_by(10).zip([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]) {
        let (x, y) = parameters(truth, 2, seed);
        // The bands that were measured with another implementation and other draws.
        let nearest = ksg(1, x.view(), y.view());
        assert!((nearest - truth).abs() < 0.25, "{truth}: {nearest}");
        let entropies = three_entropies(x.view(), y.view());
        assert!((entropies - truth).abs() < 0.35, "{truth}: {entropies}");
        let (x, y) = (rendered(&x, 32, blob), rendered(&y, 32, blob));
        let compressed = three_entropies(pca(&x, 2).view(), pca(&y, 2).view());
        let lost = truth - compressed;
        if truth > 0.0 {
            assert!((0.6..1.3).contains(&lost), "two components of {truth} nats: {compressed}");
        }
    }
}

#[test]
fn rectangles_have_the_information_of_their_corners() {
    // What another implementation found, of other draws: nearest neighbors fall short in eight dimensions.
    let known = [0.0, 0.81, 1.66, 2.33, 3.04, 3.70];
    for (seed, (truth, expected)) in (190..).step_by(10).zip((0..).map(f64::from).zip(known)) {
        let (x, y) = parameters(truth, 4, seed);
        let found = ksg(1, corners(&x).view(), corners(&y).view());
        assert!((found - expected).abs() < 0.15, "{truth}: {found}");
        if truth == 0.0 {
            continue;
        }
        // Four components cut through the curved surface that rectangles form: some is lost, and nothing won.
        let (x, y) = (rendered(&x, 32, rectangle), rendered(&y, 32, rectangle));
        let compressed = ksg(1, pca(&x, 4).view(), pca(&y, 4).view());
        assert!(compressed < found && compressed > 0.2 * found, "{truth}: {compressed} of {found}");
    }
}

#[test]
fn an_autoencoder_keeps_what_components_of_images_lose() {
    // The same places, so the same images and one autoencoder, whatever y knows of them.
    let images = rendered(&parameters(0.0, 2, 300).0, 16, blob);
    let layout = Layout::Dense { hidden: vec![count(64), count(32)] };
    let coder = Autoencoder { components: count(2), layout, steps: count(1500), batch: count(128) };
    let code = Compression::Autoencoder(coder).compress(images.view(), 7).unwrap();
    let unexplained = code.details["unexplained_variance"].as_f64().unwrap();
    // Two components leave .415 of the variance.
    assert!(unexplained < 0.02, "{unexplained}");
    for truth in [0.0, 1.0, 2.0, 3.0, 4.0, 5.0] {
        let (x, y) = parameters(truth, 2, 300);
        let found = ksg(1, code.scores.view(), y.view());
        let by_components = ksg(1, pca(&images, 2).view(), y.view());
        let direct = ksg(1, x.view(), y.view());
        // A seventh of a nat for what a bent frame costs neighbors; .07 was seen.
        assert!(
            (found - direct).abs() < 0.15,
            "{found}, of the parameters {direct}, of two components {by_components}"
        );
        assert!(truth == 0.0 || found > by_components, "{found}, of two components {by_components}");
    }
}
