use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fit::Training;
use super::fitted::{Classes, Fitted, Member};
use super::parameters::{Penalties, Tolerance};
use super::softmax::log_probabilities;
use super::standardize::Scaler;
use crate::estimate::split::Split;
use crate::estimate::{Flag, Folds};

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
/// H(Y) is the cross-entropy of the held-out labels under the frequencies of the training labels: what a probe says that
/// sees nothing, so that a layer that never varies has exactly zero, and noise no bias (the plug-in entropy of m held-out
/// labels of K classes is low by (K−1)/2m). The first mean is over held-out samples; the second one is over the training
/// samples. s standardizes each unit by its mean and standard deviation on the training samples;
/// units that are constant there (deviation under 10⁻⁶ of the mean) are left out. Both belong to the family: its
/// members are the linear probes of the standardized, varying units. The intercept b is not penalized.
///
/// λ is the one of `penalties` with the least cross-entropy in `folds`-fold cross-validation within the training
/// samples, the larger one of equals; each fold has its share of every class. All are tried, from the
/// largest to the smallest, each fit from the previous one, on the first folds that hold a thousand samples; those that
/// are then worse than the best by over four standard errors of the paired difference are spared the other folds. A
/// single penalty is taken as it is.
///
/// With more than two classes λ corresponds to scikit-learn's `C = 1/(λ·n)` for n training samples. Two classes have
/// two weight vectors as well, here opposite ones: a penalty of λ on them is one of λ/2 on their difference, which is
/// scikit-learn's weight vector, so there `C = 2/(λ·n)`.
///
/// # Use
///
/// A lower bound, in expectation, of the information I(Z; Y): what is there but not linearly decodable does not count.
/// The value is not clipped: a probe of d units that learned nothing scores about −(K−1)·d/2n without a penalty, and closer to
/// zero with one. The problem is convex and solved until no entry of the gradient exceeds `tolerance` and another step
/// is expected to lower the objective by less than a thousandth of the tolerance (by default 10⁻⁸ of it), so there is no
/// noise of an optimizer; the result is the same on any number of threads. `std_error` is over held-out samples, with
/// the probe taken as given. If the label is constant on all samples of the split, the value is exactly zero. A
/// held-out label that the training samples lack is refused: its cross-entropy is infinite.
///
/// # Cost
///
/// O(n·d·K) for a pass over the samples, 10 to 100 passes a fit, more where the classes are separable and λ is small;
/// choosing among ten penalties in five folds takes as long as two to four fits. A preconditioner from the 64
/// strongest directions of the curvature, seen by at most 2048 samples, saves two thirds of the passes of wide layers.
/// One f32 copy of the varying units is held, and sums of at most 256 MiB.
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
    /// The penalties to choose from, λ in the formula; by default the powers of ten from 10⁻⁴ to 10.
    pub penalties: Penalties,
    /// The parts of the training samples for cross-validation; by default 5.
    pub folds: Folds,
    /// The largest entry of the gradient of the objective that counts as zero; by default 10⁻⁵. A thousandth of it is
    /// the part of the objective that may be left to gain.
    pub tolerance: Tolerance,
}

impl Linear {
    /// Fits the probe to the training rows of z, one row a sample, and lets it judge the held-out rows.
    pub(super) fn fit<T: Copy + Into<f64> + Sync>(
        &self,
        z: ArrayView2<'_, T>,
        classes: &Classes<'_>,
        split: &Split,
    ) -> Fitted {
        let scaler = Scaler::new(z, &split.train);
        let training = Training::new(z, &scaler, split, self.folds.get(), classes);
        let fit = if scaler.n_columns() == 0 {
            training.without_features()
        } else {
            training.fit(self.penalties.as_slice(), self.tolerance.get())
        };
        let held_out = if scaler.n_columns() == 0 {
            // The very frequencies, not their logarithms in single precision: nothing is read, exactly.
            Array2::from_shape_fn((split.test.len(), classes.n_classes), |(_, class)| fit.solution.parameters[class])
        } else {
            log_probabilities(&scaler.apply(z, &split.test), 0..split.test.len(), &fit.solution.parameters)
        };
        let accuracy = training.accuracy(&fit.solution.parameters);
        let n_parameters = (classes.n_classes - 1) * (scaler.n_columns() + 1);
        let details = json!({
            "penalty": fit.penalty,
            "penalties_tried_on_all_folds": fit.n_finalists,
            "gradient_norm": fit.solution.gradient_norm,
            "expected_decrease": fit.solution.decrease,
            "iterations": fit.solution.iterations,
            "objective": fit.solution.objective,
            "n_parameters": n_parameters,
            "train_accuracy": accuracy,
        });
        let Value::Object(details) = details else { unreachable!("an object was written") };
        let mut flags = Vec::new();
        let mut flag = |holds: bool, flag: Flag| flags.extend(holds.then_some(flag));
        flag(scaler.n_columns() == 0, Flag::Constant);
        flag(0 < scaler.n_columns() && scaler.n_columns() < z.ncols(), Flag::ConstantUnits);
        flag(scaler.n_columns() > split.train.len(), Flag::MoreUnitsThanSamples);
        // A plane between each two classes that leaves no training sample on the wrong side.
        flag(scaler.n_columns() > 0 && accuracy >= 1.0, Flag::Separable);
        flag(!fit.solution.converged, Flag::NotConverged);
        flag(self.penalties.is_edge(fit.penalty), Flag::PenaltyAtEdge);
        Fitted { members: vec![Member { held_out, unseen: fit.unseen }], details, flags }
    }
}
