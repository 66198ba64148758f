use ndarray::Array2;

use super::super::trials::{halves, normals};
use super::*;

fn fit(gaussian: &Gaussian, z: &Array2<f64>, y: &Array1<f64>) -> Regression {
    gaussian.fit(z.view(), y.view(), &halves(y.len())).unwrap()
}

fn with(penalty: f64, folds: usize) -> Gaussian {
    Gaussian { penalties: vec![penalty].try_into().unwrap(), folds: folds.try_into().unwrap() }
}

fn number(found: &Regression, name: &str) -> f64 {
    found.details[name].as_f64().unwrap()
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n / (n - 1.0)).sqrt())
}

#[test]
fn recovers_the_information_of_normal_variables() {
    let n = 20_000;
    for (correlation, units) in [(0.0_f64, 1), (0.5, 1), (0.5, 8), (0.9, 3), (0.99, 3)] {
        let normals = normals(1, n, units + 1);
        let z = normals.slice(ndarray::s![.., 1..]).to_owned();
        let noise = (1.0 - correlation * correlation).sqrt();
        let y = z.sum_axis(Axis(1)) * (correlation / (units as f64).sqrt()) + noise * &normals.column(0);
        let found = fit(&Gaussian::default(), &z, &y);
        let (mean, error) = mean_and_error(&found.pointwise);
        let truth = -(1.0 - correlation * correlation).ln() / 2.0;
        // A coefficient costs 1/2n, the penalty no more than that at its best.
        assert!((mean - truth).abs() < 4.0 * error + 1e-4, "{mean} ± {error} for {truth}");
        assert!((number(&found, "r2") - correlation * correlation).abs() < 0.03, "{found:?}");
        assert!(
            (number(&found, "sigma") / noise - 1.0).abs() < 0.03 && (number(&found, "rmse") / noise - 1.0).abs() < 0.03
        );
    }
}

#[test]
fn agrees_with_its_formula_for_one_unit() {
    let (n, penalty) = (40, 0.3);
    let z = normals(2, n, 1);
    let y = z.column(0).mapv(|z| 3.0 + 5.0 * z) + normals(3, n, 1).column(0);
    let found = fit(&with(0.3, 4), &z, &y);
    let (train, mean) = (0..20, |values: &dyn Fn(usize) -> f64, rows: &[usize]| {
        rows.iter().map(|&row| values(row)).sum::<f64>() / rows.len() as f64
    });
    let all: Vec<usize> = train.collect();
    let center = mean(&|row| z[(row, 0)], &all);
    let deviation = mean(&|row| (z[(row, 0)] - center).powi(2), &all).sqrt();
    let s = |row: usize| (z[(row, 0)] - center) / deviation;
    // The penalty keeps its weight against 20 samples in folds of 15 too.
    let line = |rows: &[usize]| {
        let (x, t) = (mean(&s, rows), mean(&|row| y[row], rows));
        let slope = rows.iter().map(|&row| (s(row) - x) * (y[row] - t)).sum::<f64>()
            / (rows.iter().map(|&row| (s(row) - x).powi(2)).sum::<f64>() + 20.0 * penalty);
        move |value: f64| t + slope * (value - x)
    };
    let variance = (0..4)
        .flat_map(|fold| (5 * fold..5 * fold + 5).map(move |row| (fold, row)))
        .map(|(fold, row)| {
            let others: Vec<usize> = (0..20).filter(|other| other / 5 != fold).collect();
            (y[row] - line(&others)(s(row))).powi(2) / 20.0
        })
        .sum::<f64>();
    assert!((number(&found, "sigma") - variance.sqrt()).abs() < 1e-12);
    let (middle, total) = {
        let middle = mean(&|row| y[row], &all);
        (middle, mean(&|row| (y[row] - middle).powi(2), &all))
    };
    for (place, value) in found.pointwise.iter().enumerate() {
        let row = 20 + place;
        let density = |distance: f64, variance: f64| -0.5 * (variance.ln() + distance * distance / variance);
        let exact = density(y[row] - line(&all)(s(row)), variance) - density(y[row] - middle, total);
        assert!((value - exact).abs() < 1e-11, "{value} {exact}");
    }
}

/// scikit-learn 1.9.1: `Ridge(alpha=λ·30)` on units standardized in numpy, the five folds side by side, and numpy for the rest.
#[test]
fn agrees_with_scikit_learn() {
    let z = Array2::from_shape_fn((60, 6), |(i, j)| (1.3 * (i * (j + 1)) as f64 + j as f64).sin());
    let y = Array1::from_shape_fn(60, |i| (0.7 * i as f64).cos() + 0.5 * z[(i, 1)] - 0.2 * z[(i, 4)] + 2.0);
    let found = fit(&Gaussian::default(), &z, &y);
    assert!((mean_and_error(&found.pointwise).0 - 0.066_819_051_430_602_99).abs() < 1e-12, "{found:?}");
    for (name, value) in [("penalty", 1.0), ("r2", 0.145_153_479_891_756_86), ("sigma", 0.836_495_537_086_028_6)] {
        assert!((number(&found, name) - value).abs() < 1e-12, "{name}: {found:?}");
    }
    assert!(found.flags.is_empty());
}

#[test]
fn more_units_than_samples_are_no_other_problem() {
    let n = 100;
    let one = normals(4, n, 1);
    let y = one.column(0).to_owned() + 0.5 * &normals(5, n, 1).column(0);
    let many = Array2::from_shape_fn((n, 300), |(row, unit)| one[(row, 0)] * (1.0 + unit as f64));
    let single = fit(&with(0.001, 5), &one, &y);
    // Three hundred copies share the weight, so that together they are penalized less by their number.
    let copies = fit(&with(0.3, 5), &many, &y);
    for (a, b) in single.pointwise.iter().zip(&copies.pointwise) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
    assert_eq!((&single.flags[..], &copies.flags[..]), (&[][..], &[Flag::MoreUnitsThanSamples][..]));
}

#[test]
fn reads_nothing_from_noise_and_says_so_at_the_edge() {
    for (n, d) in [(200, 50), (200, 400)] {
        let found = fit(&Gaussian::default(), &normals(6, n, d), &normals(7, n, 1).column(0).to_owned());
        let (mean, _) = mean_and_error(&found.pointwise);
        assert!((-0.05..0.03).contains(&mean), "{mean}");
        assert!(found.flags.contains(&Flag::PenaltyAtEdge));
    }
}

#[test]
fn does_not_depend_on_units_of_measure() {
    let z = normals(8, 300, 4);
    let y = z.column(1).to_owned() + normals(9, 300, 1).column(0);
    let plain = fit(&Gaussian::default(), &z, &y);
    let other = fit(&Gaussian::default(), &(&z * 1e-4 + 7.0), &(&y * 1e5 - 3.0));
    for (a, b) in plain.pointwise.iter().zip(&other.pointwise) {
        assert!((a - b).abs() < 1e-8, "{a} {b}");
    }
    assert!((number(&other, "rmse") / number(&plain, "rmse") - 1e5).abs() < 1e-2);
}

#[test]
fn leaves_out_what_is_constant_and_refuses_what_cannot_be_judged() {
    let mut z = normals(10, 60, 2);
    z.column_mut(1).fill(0.1);
    let mut y = z.column(0).to_owned();
    assert!(fit(&Gaussian::default(), &z, &y).flags.contains(&Flag::ConstantUnits));
    z.fill(0.1);
    let found = fit(&Gaussian::default(), &z, &y);
    assert!(found.flags == [Flag::Constant] && found.pointwise.iter().all(|&value| value == 0.0), "{found:?}");
    y.fill(2.0);
    let found = fit(&Gaussian::default(), &z, &y);
    assert!(found.flags == [Flag::Constant] && found.pointwise == [0.0; 30]);
    y[59] = 3.0;
    let refused = |y: &Array1<f64>, split: &Split| Gaussian::default().fit(z.view(), y.view(), split).unwrap_err();
    assert!(matches!(refused(&y, &halves(60)), EstimateError::Degenerate { .. }));
    assert!(matches!(refused(&y, &Split { train: vec![0, 1], test: vec![2] }), EstimateError::Degenerate { .. }));
}

#[test]
fn gives_the_same_bits_on_any_number_of_threads() {
    let z = normals(11, 900, 300);
    let y = z.slice(ndarray::s![.., ..9]).sum_axis(Axis(1)) + normals(12, 900, 1).column(0);
    let find = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(&Gaussian::default(), &z, &y))
    };
    assert_eq!(find(1), find(3));
}
