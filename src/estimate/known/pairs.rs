use ndarray::{Array1, Array2, Axis, concatenate, s};
use statrs::function::gamma::{digamma, ln_gamma};

use super::{Drawn, Known, maps};
use crate::estimate::random::SplitMix64;

/// The correlation of most normal pairs.
pub(super) const RHO: f64 = 0.75;

/// The distributions of two continuous variables.
pub(super) fn catalogue() -> Vec<Known> {
    let normal = information(RHO);
    vec![
        Known { name: "independent", truth: 0.0, draw: |n, seed| pair(correlated(n, 1, 0.0, seed)) },
        Known { name: "normal", truth: normal, draw: |n, seed| pair(correlated(n, 1, RHO, seed)) },
        Known { name: "strong normal", truth: information(0.99), draw: |n, seed| pair(correlated(n, 1, 0.99, seed)) },
        Known {
            name: "uniform margins",
            truth: normal,
            draw: |n, seed| mapped(correlated(n, 1, RHO, seed), maps::uniform),
        },
        Known {
            name: "half-cube",
            truth: normal,
            draw: |n, seed| mapped(correlated(n, 1, RHO, seed), maps::half_cube),
        },
        Known { name: "swiss roll", truth: normal, draw: swiss_roll },
        Known { name: "noise of width 0.1", truth: additive_truth(0.1), draw: |n, seed| additive(n, 0.1, seed) },
        Known { name: "noise of width 0.75", truth: additive_truth(0.75), draw: |n, seed| additive(n, 0.75, seed) },
        Known { name: "dense normal 2+2", truth: dense_truth(2), draw: |n, seed| pair(dense(n, 2, seed)) },
        Known { name: "dense normal 5+5", truth: dense_truth(5), draw: |n, seed| pair(dense(n, 5, seed)) },
        Known { name: "two pairs in 3+3", truth: two_pairs_truth(), draw: |n, seed| pair(two_pairs(n, 3, seed)) },
        Known { name: "spiral 3+3", truth: two_pairs_truth(), draw: |n, seed| spiral(two_pairs(n, 3, seed)) },
        Known { name: "Student 1+1", truth: student_truth(1, 1), draw: |n, seed| student(n, 1, 1, seed, |x| x) },
        Known { name: "Student 2+2", truth: student_truth(2, 2), draw: |n, seed| student(n, 2, 2, seed, |x| x) },
        Known {
            name: "asinh Student 1+1",
            truth: student_truth(1, 1),
            draw: |n, seed| student(n, 1, 1, seed, f64::asinh),
        },
        Known { name: "pictures of spots", truth: 1.0, draw: spots },
        Known { name: "zero or Poisson", truth: 0.85 * 0.301_244_773_3, draw: zero_inflated },
        Known {
            name: "noisy layer",
            truth: 0.5 * 5.0_f64.ln(),
            draw: |n, seed| Drawn::Layer(normals(n, 1, seed), 0.25),
        },
    ]
}

/// The information of a normal pair.
pub(super) fn information(rho: f64) -> f64 {
    -0.5 * (1.0 - rho * rho).ln()
}

pub(super) fn pair((x, y): (Array2<f64>, Array2<f64>)) -> Drawn {
    Drawn::Pair(x, y)
}

pub(super) fn mapped((x, y): (Array2<f64>, Array2<f64>), map: fn(f64) -> f64) -> Drawn {
    Drawn::Pair(x.mapv(map), y.mapv(map))
}

fn normals(n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut random = SplitMix64::new(seed);
    Array2::from_shape_simple_fn((n, d), || random.normal_pair().0)
}

/// d independent pairs of normal numbers of one correlation.
pub(super) fn correlated(n: usize, d: usize, rho: f64, seed: u64) -> (Array2<f64>, Array2<f64>) {
    let all = normals(n, 2 * d, seed);
    let x = all.slice(s![.., ..d]).to_owned();
    let y = &x * rho + &all.slice(s![.., d..]) * (1.0 - rho * rho).sqrt();
    (x, y)
}

/// d + d normal numbers, each of correlation ½ with each.
pub(super) fn dense(n: usize, d: usize, seed: u64) -> (Array2<f64>, Array2<f64>) {
    let all = normals(n, 2 * d + 1, seed);
    let shared = all.slice(s![.., 2 * d..]);
    let mixed = (&all.slice(s![.., ..2 * d]) + &shared) / std::f64::consts::SQRT_2;
    (mixed.slice(s![.., ..d]).to_owned(), mixed.slice(s![.., d..]).to_owned())
}

/// From the determinants (1 + (d − 1)/2) / 2^(d − 1) of d such numbers.
pub(super) fn dense_truth(d: i32) -> f64 {
    let determinant = |d: i32| (1.0 + 0.5 * f64::from(d - 1)) * 0.5_f64.powi(d - 1);
    0.5 * (determinant(d) * determinant(d) / determinant(2 * d)).ln()
}

/// Two correlated pairs, and on each side other coordinates, up to d, that have nothing to do with them.
pub(super) fn two_pairs(n: usize, d: usize, seed: u64) -> (Array2<f64>, Array2<f64>) {
    let (x, y) = correlated(n, 2, 0.8, seed);
    let others = normals(n, 2 * (d - 2), seed.wrapping_add(1 << 32));
    let beside = |side: &Array2<f64>, from: usize| {
        concatenate(Axis(1), &[side.view(), others.slice(s![.., from..from + d - 2])]).expect("both have n rows")
    };
    (beside(&x, 0), beside(&y, d - 2))
}

pub(super) fn two_pairs_truth() -> f64 {
    2.0 * information(0.8)
}

pub(super) fn spiral((x, y): (Array2<f64>, Array2<f64>)) -> Drawn {
    Drawn::Pair(maps::spiral(&x, [0, 1]), maps::spiral(&y, [1, 2]))
}

pub(super) fn swiss_roll(n: usize, seed: u64) -> Drawn {
    let (x, y) = correlated(n, 1, RHO, seed);
    Drawn::Pair(maps::swiss_roll(&x.mapv(maps::uniform)), y.mapv(maps::uniform))
}

/// A uniform number, and it plus uniform noise between ± `width`.
pub(super) fn additive(n: usize, width: f64, seed: u64) -> Drawn {
    let mut random = SplitMix64::new(seed);
    let x = Array2::from_shape_simple_fn((n, 1), || random.uniform());
    let y = x.mapv(|x| x + width * (2.0 * random.uniform() - 1.0));
    Drawn::Pair(x, y)
}

pub(super) fn additive_truth(width: f64) -> f64 {
    if width > 0.5 { 0.25 / width } else { width - (2.0 * width).ln() }
}

/// Uncorrelated Student numbers of one scale, which is what they share.
pub(super) fn student(n: usize, d: usize, degrees: usize, seed: u64, map: fn(f64) -> f64) -> Drawn {
    let all = normals(n, 2 * d + degrees, seed);
    let squares = all.slice(s![.., 2 * d..]).mapv(|x| x * x).sum_axis(Axis(1));
    let scale: Array1<f64> = squares.mapv(|sum| (sum / degrees as f64).sqrt());
    let side = |from: usize| maps::divided(&all.slice(s![.., from..from + d]).to_owned(), &scale).mapv(map);
    Drawn::Pair(side(0), side(d))
}

/// h(d) + h(d) − h(2d) of the entropies h of d such numbers.
pub(super) fn student_truth(d: u32, degrees: u32) -> f64 {
    let nu = f64::from(degrees);
    let entropy = |d: f64| {
        let half = 0.5 * (nu + d);
        ln_gamma(0.5 * nu) - ln_gamma(half)
            + 0.5 * d * (nu * std::f64::consts::PI).ln()
            + half * (digamma(half) - digamma(0.5 * nu))
    };
    2.0 * entropy(f64::from(d)) - entropy(f64::from(2 * d))
}

/// Two pictures of a spot each, of which both coordinates of the places are correlated: ½ nat each.
fn spots(n: usize, seed: u64) -> Drawn {
    let rho = (1.0 - (-1.0_f64).exp()).sqrt();
    let (x, y) = correlated(n, 2, rho, seed);
    Drawn::Pair(maps::spots(&x.mapv(maps::uniform)), maps::spots(&y.mapv(maps::uniform)))
}

/// An exponential number, and a Poisson one of that mean, which is replaced by zero with probability 0.15.
fn zero_inflated(n: usize, seed: u64) -> Drawn {
    let mut random = SplitMix64::new(seed);
    let x = Array2::from_shape_simple_fn((n, 1), || -(1.0 - random.uniform()).ln());
    let y = x.mapv(|mean| if random.uniform() < 0.15 { 0.0 } else { poisson(mean, &mut random) });
    Drawn::Pair(x, y)
}

/// The number of arrivals, one after the other, before time is up.
fn poisson(mean: f64, random: &mut SplitMix64) -> f64 {
    let (mut time, mut count) = (-(1.0 - random.uniform()).ln(), 0.0);
    while time < mean {
        time -= (1.0 - random.uniform()).ln();
        count += 1.0;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truths_agree_with_known_values() {
        for (found, known) in [
            (information(0.75), 0.413_339_286_6),
            (dense_truth(2), 0.293_893_3),
            (dense_truth(5), 0.592_811_8),
            (two_pairs_truth(), 1.021_651_247_5),
            (additive_truth(0.1), 1.709_437_9),
            (student_truth(1, 1), 0.224_171_427_5),
            (student_truth(2, 2), 0.193_147_180_6),
        ] {
            // Known to seven digits at least.
            assert!((found - known).abs() < 1e-7, "{found} is not {known}");
        }
    }
}
