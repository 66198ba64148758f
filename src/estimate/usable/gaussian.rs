use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use serde_json::{Map, Value};

use super::parameters::Penalties;
use crate::estimate::reconstruction::ridge::{Products, cross_validated, squared_errors};
use crate::estimate::reconstruction::sides::Sides;
use crate::estimate::{Element, EstimateError, Flag, Folds, Split};

/// Information about a continuous target that a linear probe with normal errors can read.
///
/// # Formula
///
/// ```text
/// I_u(Z → Y) = ⟨ln q(y|z) − ln q₀(y)⟩
/// q(y|z)     = N(y; w·s(z) + b, σ²)
/// q₀(y)      = N(y; ȳ, v)
/// (w, b)     = argmin ½⟨(y − w·s(z) − b)²⟩ + λ/2 · |w|²
/// ```
///
/// The first mean is over held-out samples; the second one, ȳ and v (mean and mean squared deviation of the target) are
/// over the training samples. s standardizes each unit by its mean and standard deviation on the training samples; units
/// that are constant there (deviation under 10⁻⁶ of the mean) are left out. q₀ is the best member of the family that does
/// not look at z.
///
/// λ is the one of `penalties` with the least squared error in `folds`-fold cross-validation within the training samples,
/// the larger one of equals, and σ² is that mean squared error: the one of samples that a probe of the other folds did
/// not see. λ corresponds to scikit-learn's `Ridge(alpha=λ·n)`.
///
/// # Use
///
/// For jointly normal layers and targets it comes to the mutual information, −ln(1 − ρ²)/2 in one dimension; otherwise it
/// is what the best linear prediction is worth. It does not depend on the unit of the target. The held-out R² is
/// `1 − Σ(y − ŷ)²/Σ(y − ȳ)²` about the training mean, so that a probe without weights has exactly 0 only if it predicts
/// that mean. A target that the layer fixes exactly and linearly has no finite value: what is reported then is set by the
/// smallest penalty, which is flagged. Errors that are far from normal, or of a size that varies, cost information that
/// another family would read.
///
/// # Cost
///
/// O(n·d²) for the products, shared by all folds and penalties, and O(d³/3) for each fold and penalty. With more units
/// than training samples the layer is first rotated into their span, which changes nothing in the fit. Two f64 copies of
/// the varying units and one d × d matrix for each fold are held.
///
/// # Reference
///
/// Y. Xu, S. Zhao, J. Song, R. Stewart, S. Ermon, A theory of usable information under computational constraints, ICLR
/// 2020, definition 2, for a family of normal distributions; A. Hoerl, R. Kennard, Ridge regression,
/// *Technometrics* 12 (1970), equation 2.1.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Gaussian {
    /// The penalties to choose from, λ in the formula; all powers of ten from 10 to 10⁻⁴ in the default.
    pub penalties: Penalties,
    /// The parts of the training samples for cross-validation.
    pub folds: Folds,
}

/// What a probe says of held-out values of a continuous target.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Regression {
    /// `ln q(y|z) − ln q₀(y)` of each held-out sample, in the order of the split, in nats.
    pub pointwise: Vec<f64>,
    /// `r2`, `rmse`, `sigma` and `target_deviation` (√v, the last three in the target's unit), and `penalty`.
    pub details: Map<String, Value>,
    /// Reasons for doubt.
    pub flags: Vec<Flag>,
}

impl Gaussian {
    /// Fits the probe to the training rows of z, one row a sample, and judges it by the held-out rows; `target` has the
    /// value of each row, of no meaning for rows outside of the split.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if there are fewer training samples than folds, no held-out ones, or a target that
    /// varies only among the held-out ones; [`EstimateError::Numeric`] if a factorization fails or a value is not finite.
    pub(super) fn fit<T: Element>(
        &self,
        z: ArrayView2<'_, T>,
        target: ArrayView1<'_, f64>,
        split: &Split,
    ) -> Result<Regression, EstimateError> {
        let n_train = split.train.len();
        if n_train < self.folds.get() || split.test.is_empty() {
            return Err(EstimateError::Degenerate {
                reason: format!(
                    "{n_train} training and {} held-out samples do not make {} folds and a test; give more samples",
                    split.test.len(),
                    self.folds.get()
                ),
            });
        }
        let target = Sides::new(target.insert_axis(Axis(1)), split, true);
        let mut flags = Vec::new();
        let distances = target.test.column(0).mapv(|distance| distance * distance);
        let total = target.squares / n_train as f64;
        if total == 0.0 {
            if distances.iter().any(|&distance| distance > 0.0) {
                return Err(EstimateError::Degenerate {
                    reason: "the target varies among the held-out samples but is constant in training; split otherwise"
                        .to_owned(),
                });
            }
            let pointwise = vec![0.0; split.test.len()];
            return Ok(Regression { pointwise, details: Map::new(), flags: vec![Flag::Constant] });
        }
        let layer = Sides::standardized(z, split);
        let n_units = layer.train.ncols();
        if n_units == 0 {
            flags.push(Flag::Constant);
        } else if n_units < z.ncols() {
            flags.push(Flag::ConstantUnits);
        }
        if n_units > n_train {
            flags.push(Flag::MoreUnitsThanSamples);
        }
        let fit = if n_units == 0 { Fit::mean(distances.clone(), total) } else { self.ridge(layer, &target, split)? };
        if self.penalties.is_edge(fit.penalty) {
            flags.push(Flag::PenaltyAtEdge);
        }
        let pointwise: Vec<f64> = fit
            .errors
            .iter()
            .zip(&distances)
            .map(|(error, distance)| 0.5 * ((total / fit.variance).ln() - error / fit.variance + distance / total))
            .collect();
        if let Some(value) = pointwise.iter().find(|value| !value.is_finite()) {
            return Err(EstimateError::Numeric {
                step: "the linear probe with normal errors",
                reason: format!("a sample has {value} nats, at a variance of {} of {total}", fit.variance),
            });
        }
        Ok(Regression { pointwise, details: details(&fit, &distances, total), flags })
    }

    fn ridge(&self, mut layer: Sides, target: &Sides, split: &Split) -> Result<Fit, EstimateError> {
        let n_train = split.train.len();
        if layer.train.ncols() > n_train {
            layer = layer.within_train_span()?;
        }
        let penalties = self.penalties.as_slice();
        let alphas: Vec<f64> = penalties.iter().map(|penalty| penalty * n_train as f64).collect();
        let folds = split.folds(self.folds.get());
        let parts = Products::of_folds(layer.train.view(), target.train.view(), &folds);
        let total = Products::total(&parts);
        let losses = cross_validated(layer.train.view(), target.train.view(), &folds, &parts, &total, &alphas)?;
        let mut chosen = 0;
        for (index, loss) in losses.iter().enumerate() {
            if *loss < losses[chosen] {
                chosen = index;
            }
        }
        let weights = total.weights(alphas[chosen])?;
        Ok(Fit {
            errors: squared_errors(layer.test.view(), target.test.view(), &weights),
            variance: losses[chosen] / n_train as f64,
            penalty: Some(penalties[chosen]),
        })
    }
}

/// A probe and how it does.
struct Fit {
    /// The squared error of each held-out sample.
    errors: Array1<f64>,
    /// σ².
    variance: f64,
    /// The penalty that was chosen; none without units.
    penalty: Option<f64>,
}

impl Fit {
    /// q₀.
    fn mean(errors: Array1<f64>, variance: f64) -> Self {
        Self { errors, variance, penalty: None }
    }
}

fn details(fit: &Fit, distances: &Array1<f64>, total: f64) -> Map<String, Value> {
    let n = distances.len() as f64;
    // NaN, and so no value, where all held-out samples lie at the training mean.
    let r2 = 1.0 - fit.errors.sum() / distances.sum();
    let mut details = Map::new();
    details.insert("r2".to_owned(), r2.into());
    details.insert("rmse".to_owned(), (fit.errors.sum() / n).sqrt().into());
    details.insert("sigma".to_owned(), fit.variance.sqrt().into());
    details.insert("target_deviation".to_owned(), total.sqrt().into());
    details.insert("penalty".to_owned(), fit.penalty.into());
    details
}

#[cfg(test)]
mod tests {
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
                (number(&found, "sigma") / noise - 1.0).abs() < 0.03
                    && (number(&found, "rmse") / noise - 1.0).abs() < 0.03
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
}
