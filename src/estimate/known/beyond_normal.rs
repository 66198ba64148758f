use ndarray::Array2;

use super::pairs::{
    RHO, additive, additive_truth, correlated, dense, dense_truth, information, mapped, pair, spiral, student,
    student_truth, swiss_roll, two_pairs, two_pairs_truth,
};
use super::{Drawn, Known, maps};

/// The tasks of the benchmark “Beyond Normal” whose information is known in closed form, under its names.
///
/// Distributions are the benchmark's; random numbers are ours. Left out is what has no closed form: the mixture of normal
/// distributions.
///
/// # Reference
///
/// P. Czyż, F. Grabowski, J. E. Vogt, N. Beerenwinkel, A. Marx, Beyond Normal: On the Evaluation of Mutual Information
/// Estimators, Advances in Neural Information Processing Systems 36 (2023), <https://arxiv.org/abs/2306.11078>.
#[must_use]
pub fn beyond_normal() -> Vec<Known> {
    [one_dimensional(), multinormal(), students(), transformed()].concat()
}

fn one_dimensional() -> Vec<Known> {
    let normal = information(RHO);
    vec![
        Known { name: "Bivariate normal 1 × 1", truth: normal, draw: |n, seed| pair(correlated(n, 1, RHO, seed)) },
        Known { name: "Uniform 1 × 1", truth: normal, draw: |n, seed| uniform(correlated(n, 1, RHO, seed)) },
        Known {
            name: "Uniform additive noise 0.1",
            truth: additive_truth(0.1),
            draw: |n, seed| additive(n, 0.1, seed),
        },
        Known {
            name: "Uniform additive noise 0.75",
            truth: additive_truth(0.75),
            draw: |n, seed| additive(n, 0.75, seed),
        },
        Known { name: "Wiggly @ Bivariate normal 1 × 1", truth: normal, draw: wiggly },
        Known {
            name: "Half-cube @ Bivariate normal 1 × 1",
            truth: normal,
            draw: |n, seed| half_cube(correlated(n, 1, RHO, seed)),
        },
        Known { name: "Student-t 1 × 1 (dof=1)", truth: student_truth(1, 1), draw: |n, seed| plain(n, 1, 1, seed) },
        Known {
            name: "Asinh @ Student-t 1 × 1 (dof=1)",
            truth: student_truth(1, 1),
            draw: |n, seed| asinh(n, 1, 1, seed),
        },
        Known { name: "Swiss roll 2 × 1", truth: normal, draw: swiss_roll },
    ]
}

fn multinormal() -> Vec<Known> {
    let pairs = two_pairs_truth();
    vec![
        Known { name: "Multinormal 2 × 2 (dense)", truth: dense_truth(2), draw: |n, seed| pair(dense(n, 2, seed)) },
        Known { name: "Multinormal 3 × 3 (dense)", truth: dense_truth(3), draw: |n, seed| pair(dense(n, 3, seed)) },
        Known { name: "Multinormal 5 × 5 (dense)", truth: dense_truth(5), draw: |n, seed| pair(dense(n, 5, seed)) },
        Known {
            name: "Multinormal 25 × 25 (dense)", truth: dense_truth(25), draw: |n, seed| pair(dense(n, 25, seed))
        },
        Known {
            name: "Multinormal 50 × 50 (dense)", truth: dense_truth(50), draw: |n, seed| pair(dense(n, 50, seed))
        },
        Known { name: "Multinormal 2 × 2 (2-pair)", truth: pairs, draw: |n, seed| pair(two_pairs(n, 2, seed)) },
        Known { name: "Multinormal 3 × 3 (2-pair)", truth: pairs, draw: |n, seed| pair(two_pairs(n, 3, seed)) },
        Known { name: "Multinormal 5 × 5 (2-pair)", truth: pairs, draw: |n, seed| pair(two_pairs(n, 5, seed)) },
        Known { name: "Multinormal 25 × 25 (2-pair)", truth: pairs, draw: |n, seed| pair(two_pairs(n, 25, seed)) },
    ]
}

fn students() -> Vec<Known> {
    vec![
        Known { name: "Student-t 2 × 2 (dof=1)", truth: student_truth(2, 1), draw: |n, seed| plain(n, 2, 1, seed) },
        Known { name: "Student-t 2 × 2 (dof=2)", truth: student_truth(2, 2), draw: |n, seed| plain(n, 2, 2, seed) },
        Known { name: "Student-t 3 × 3 (dof=2)", truth: student_truth(3, 2), draw: |n, seed| plain(n, 3, 2, seed) },
        Known { name: "Student-t 3 × 3 (dof=3)", truth: student_truth(3, 3), draw: |n, seed| plain(n, 3, 3, seed) },
        Known { name: "Student-t 5 × 5 (dof=2)", truth: student_truth(5, 2), draw: |n, seed| plain(n, 5, 2, seed) },
        Known { name: "Student-t 5 × 5 (dof=3)", truth: student_truth(5, 3), draw: |n, seed| plain(n, 5, 3, seed) },
        Known {
            name: "Asinh @ Student-t 2 × 2 (dof=1)",
            truth: student_truth(2, 1),
            draw: |n, seed| asinh(n, 2, 1, seed),
        },
        Known {
            name: "Asinh @ Student-t 3 × 3 (dof=2)",
            truth: student_truth(3, 2),
            draw: |n, seed| asinh(n, 3, 2, seed),
        },
        Known {
            name: "Asinh @ Student-t 5 × 5 (dof=2)",
            truth: student_truth(5, 2),
            draw: |n, seed| asinh(n, 5, 2, seed),
        },
    ]
}

/// Maps of two pairs in so many dimensions, that keep information.
macro_rules! of_two_pairs {
    ($($d:literal),+) => {
        vec![$(
            Known {
                name: concat!("Normal CDF @ Multinormal ", $d, " × ", $d, " (2-pair)"),
                truth: two_pairs_truth(),
                draw: |n, seed| uniform(two_pairs(n, $d, seed)),
            },
            Known {
                name: concat!("Half-cube @ Multinormal ", $d, " × ", $d, " (2-pair)"),
                truth: two_pairs_truth(),
                draw: |n, seed| half_cube(two_pairs(n, $d, seed)),
            },
            Known {
                name: concat!("Spiral @ Multinormal ", $d, " × ", $d, " (2-pair)"),
                truth: two_pairs_truth(),
                draw: |n, seed| spiral(two_pairs(n, $d, seed)),
            },
            Known {
                name: concat!("Spiral @ Normal CDF @ Multinormal ", $d, " × ", $d, " (2-pair)"),
                truth: two_pairs_truth(),
                draw: |n, seed| {
                    let (x, y) = two_pairs(n, $d, seed);
                    spiral((x.mapv(maps::uniform), y.mapv(maps::uniform)))
                },
            },
        )+]
    };
}

fn transformed() -> Vec<Known> {
    of_two_pairs!(3, 5, 25)
}

fn uniform(sides: (Array2<f64>, Array2<f64>)) -> Drawn {
    mapped(sides, maps::uniform)
}

fn half_cube(sides: (Array2<f64>, Array2<f64>)) -> Drawn {
    mapped(sides, maps::half_cube)
}

fn wiggly(n: usize, seed: u64) -> Drawn {
    let (x, y) = correlated(n, 1, RHO, seed);
    Drawn::Pair(x.mapv(maps::wiggly_x), y.mapv(maps::wiggly_y))
}

fn plain(n: usize, d: usize, degrees: usize, seed: u64) -> Drawn {
    student(n, d, degrees, seed, |x| x)
}

fn asinh(n: usize, d: usize, degrees: usize, seed: u64) -> Drawn {
    student(n, d, degrees, seed, f64::asinh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truths_are_those_of_the_benchmark() {
        let tasks = beyond_normal();
        for (name, truth) in [
            ("Bivariate normal 1 × 1", 0.413_339_286_6),
            ("Uniform additive noise 0.75", 1.0 / 3.0),
            ("Multinormal 3 × 3 (dense)", 0.413_339_3),
            ("Multinormal 25 × 25 (dense)", 1.292_183_7),
            ("Multinormal 50 × 50 (dense)", 1.624_265_4),
            ("Student-t 5 × 5 (dof=2)", 0.448_150_676_9),
            ("Asinh @ Student-t 3 × 3 (dof=2)", 0.290_921_922_7),
            ("Spiral @ Normal CDF @ Multinormal 25 × 25 (2-pair)", 1.021_651_247_5),
        ] {
            let task = tasks.iter().find(|task| task.name == name).unwrap();
            // Known to seven digits at least.
            assert!((task.truth - truth).abs() < 1e-7, "{name}: {}", task.truth);
        }
        assert_eq!(tasks.len(), 39);
    }
}
