use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::fit::{Fit, Training};
use super::parameters::{Penalties, Tolerance};
use super::softmax::{Judgment, judge};
use super::standardize::Scaler;
use crate::estimate::split::Split;
use crate::estimate::{Estimate, EstimateError, Flag, Folds, Labels, Unit};

/// Information about a label that a softmax-linear probe can read (usable, or 𝒱-, information).
///
/// # Formula
///
/// ```text
/// I_u(Z → Y) = H(Y) + ⟨ln q(y|z)⟩
/// q(·|z)     = softmax(W·s(z) + b)
/// (W, b)     = argmin −⟨ln q(y|z)⟩ + λ/2 · |W|²
/// ```
///
/// H(Y) is the plug-in entropy of the held-out labels and the first mean is over held-out samples; the second mean is
/// over the training samples. s standardizes each unit by its mean and standard deviation on the training samples;
/// units that are constant there (deviation under 10⁻⁶ of the mean) are left out. Both belong to the family: its
/// members are the linear probes of the standardized, varying units. The intercept b is not penalized.
///
/// λ is the one of `penalties` with the least cross-entropy in `folds`-fold cross-validation within the training
/// samples, the larger one of equals; each fold has its share of every class. It is tried from the largest to the smallest, each fit from the previous one,
/// to ten times the tolerance, and until two penalties in a row did worse than the best one. A single penalty is taken
/// as it is.
///
/// With more than two classes λ corresponds to scikit-learn's `C = 1/(λ·n)` for n training samples. Two classes have
/// two weight vectors as well, here opposite ones: a penalty of λ on them is one of λ/2 on their difference, which is
/// scikit-learn's weight vector, so there `C = 2/(λ·n)`.
///
/// # Use
///
/// A lower bound, in expectation, of the information I(Z; Y): what is there but not linearly decodable does not count.
/// The value is not clipped: a probe that learned nothing scores about −(K−1)·d/2n without a penalty, and closer to
/// zero with one. The problem is convex and solved until no entry of the gradient exceeds `tolerance`, so there is no
/// noise of an optimizer; the result is the same on any number of threads. `std_error` is over held-out samples, with
/// the probe taken as given. If the label is constant on all samples of the split, the value is exactly zero. A
/// held-out label that the training samples lack is refused: its cross-entropy is infinite.
///
/// # Cost
///
/// O(n·d·K) for a pass over the samples, 8 to 100 passes a fit, `folds` times the number of penalties fits; with
/// 16 samples a unit and more, up to 1024 units, also O(n·d²) once and O(d³) for each penalty, which saves most of the
/// passes. One f32 copy of
/// the varying units is held.
///
/// # Reference
///
/// Y. Xu, S. Zhao, J. Song, R. Stewart, S. Ermon, A theory of usable information under computational constraints,
/// ICLR 2020, definition 2, <https://arxiv.org/abs/2002.10689>; M. Kleinman, A. Achille, D. Idnani, J. C. Kao, Usable
/// information and evolution of optimal representations during training, ICLR 2021, equation 1,
/// <https://arxiv.org/abs/2010.02459>.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Linear {
    /// The penalties to choose from, λ in the formula; by default the powers of ten from 10⁻⁵ to 10.
    pub penalties: Penalties,
    /// The parts of the training samples for cross-validation; by default 5.
    pub folds: Folds,
    /// The largest entry of the gradient of the objective that counts as zero; by default 10⁻⁵.
    pub tolerance: Tolerance,
}

impl Linear {
    /// Fits the probe to the training rows of z, one row a sample, and judges it by the held-out rows.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if a side of the split is empty, if there are not as many labels as rows, or if a
    /// held-out label does not occur in training. [`EstimateError::Numeric`] if the cross-entropy is not finite.
    pub fn estimate<T: Copy + Into<f64> + Sync>(
        &self,
        z: ArrayView2<'_, T>,
        labels: &Labels,
        split: &Split,
    ) -> Result<Estimate, EstimateError> {
        let known = KnownClasses::new(z.nrows(), labels, split)?;
        if known.n_classes == 1 {
            return Ok(Estimate::constant(split.test.len()));
        }
        let scaler = Scaler::new(z, &split.train);
        let training = Training::new(z, &scaler, split, self.folds.get(), &known.numbers, known.n_classes);
        let fit = if scaler.n_columns() == 0 {
            training.without_features()
        } else {
            training.fit(self.penalties.as_slice(), self.tolerance.get())
        };
        let held_out = scaler.apply(z, &split.test);
        let classes: Vec<u32> = split.test.iter().map(|&row| known.numbers[row]).collect();
        let judgments = judge(&held_out, 0..classes.len(), &classes, &fit.solution.parameters);
        let mut estimate = self.summarize(&judgments, labels, split, &fit)?;
        if scaler.n_columns() == 0 {
            estimate.flag(Flag::Constant);
        } else if scaler.n_columns() < z.ncols() {
            estimate.flag(Flag::ConstantUnits);
        }
        if scaler.n_columns() > split.train.len() {
            estimate.flag(Flag::MoreUnitsThanSamples);
        }
        if training.smallest_class() < 2 * self.folds.get() {
            estimate.flag(Flag::FewSamplesPerClass);
        }
        Ok(estimate)
    }

    fn summarize(
        &self,
        judgments: &[Judgment],
        labels: &Labels,
        split: &Split,
        fit: &Fit,
    ) -> Result<Estimate, EstimateError> {
        let n = judgments.len() as f64;
        let label_entropy = labels.entropy(&split.test);
        let cross_entropy = judgments.iter().map(|judgment| judgment.cross_entropy).sum::<f64>() / n;
        if !cross_entropy.is_finite() {
            return Err(EstimateError::Numeric {
                step: "the softmax probe",
                reason: format!("the held-out cross-entropy is {cross_entropy}"),
            });
        }
        let value = label_entropy - cross_entropy;
        let std_error = std_error(judgments, labels, split, value);
        let mut estimate = Estimate::new(value, Unit::Nats, std_error, judgments.len());
        let correct = judgments.iter().filter(|judgment| judgment.correct).count();
        estimate.detail("accuracy", correct as f64 / n);
        estimate.detail("cross_entropy", cross_entropy);
        estimate.detail("label_entropy", label_entropy);
        estimate.detail("penalty", fit.penalty);
        estimate.detail("gradient_norm", fit.solution.gradient_norm);
        estimate.detail("iterations", fit.solution.iterations);
        estimate.detail("n_train", split.train.len());
        estimate.detail("objective", fit.solution.objective);
        if value < 0.0 {
            estimate.flag(Flag::Negative);
        }
        if hangs_on_one(judgments, cross_entropy) {
            estimate.flag(Flag::OneSampleDecides);
        }
        if !fit.solution.converged {
            estimate.flag(Flag::NotConverged);
        }
        let offered = self.penalties.as_slice();
        let edges = [offered.first().copied(), offered.last().copied()];
        if offered.len() > 1 && fit.penalty.is_some() && edges.contains(&fit.penalty) {
            estimate.flag(Flag::PenaltyAtEdge);
        }
        Ok(estimate)
    }
}

/// Whether one held-out sample makes more than half of the variance of the cross-entropy.
///
/// A unit that hardly ever fires is standardized by next to nothing; the one held-out sample that makes it fire then
/// lies far outside of what the probe was fitted on.
fn hangs_on_one(judgments: &[Judgment], mean: f64) -> bool {
    let squares = judgments.iter().map(|judgment| (judgment.cross_entropy - mean).powi(2));
    judgments.len() >= 20 && squares.clone().fold(0.0, f64::max) > 0.5 * squares.sum::<f64>()
}

/// The standard error of the mean of ln q(y|z) − ln p(y) over the held-out samples, p their label frequencies.
fn std_error(judgments: &[Judgment], labels: &Labels, split: &Split, value: f64) -> Option<f64> {
    let n = judgments.len() as f64;
    let mut counts = vec![0_u32; labels.n_classes()];
    for &row in &split.test {
        counts[labels.classes()[row]] += 1;
    }
    let squares: f64 = judgments
        .iter()
        .zip(&split.test)
        .map(|(judgment, &row)| {
            let surprise = (n / f64::from(counts[labels.classes()[row]])).ln();
            (surprise - judgment.cross_entropy - value).powi(2)
        })
        .sum();
    (judgments.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt())
}

/// The classes that occur in training, numbered anew without gaps.
struct KnownClasses {
    /// The new number of the class of each row; of no meaning for rows outside the split.
    numbers: Vec<u32>,
    n_classes: usize,
}

impl KnownClasses {
    fn new(n_rows: usize, labels: &Labels, split: &Split) -> Result<Self, EstimateError> {
        let refusal = |reason: String| Err(EstimateError::Degenerate { reason });
        if labels.classes().len() != n_rows {
            return refusal(format!("{} labels for {n_rows} rows; each row needs one", labels.classes().len()));
        }
        if split.train.is_empty() || split.test.is_empty() {
            return refusal(format!(
                "{} training and {} held-out samples; a probe needs both",
                split.train.len(),
                split.test.len()
            ));
        }
        let mut known = vec![None; labels.n_classes()];
        for &row in &split.train {
            known[labels.classes()[row]] = Some(0);
        }
        let mut n_classes = 0;
        for number in known.iter_mut().flatten() {
            *number = n_classes;
            n_classes += 1;
        }
        if let Some(&row) = split.test.iter().find(|&&row| known[labels.classes()[row]].is_none()) {
            return refusal(format!(
                "label {} is held out but never occurs in training; its cross-entropy is infinite: leave the label \
                 out or split otherwise",
                labels.names()[labels.classes()[row]]
            ));
        }
        let numbers = labels.classes().iter().map(|&class| known[class].unwrap_or(0)).collect();
        Ok(Self { numbers, n_classes: n_classes as usize })
    }
}
