//! A rough inverse of the Hessian of the softmax objective, from the features' Gram matrix.

use super::standardize::Features;
use crate::estimate::matrix::single::{Factor, gram};

/// Wider features are not worth a factorization.
const MAX_COLUMNS: usize = 1024;

/// Samples for each column from which on the bound is worth its cost.
///
/// With fewer the classes are all but separable, probabilities come near 0 and 1, and the bound is far above the
/// Hessian: at 700 samples × 512 columns it took three times the steps of no bound at all.
const MIN_SAMPLES_PER_COLUMN: usize = 16;

/// What is added to the diagonal at least, against the rounding of f32 in the factorization.
const MIN_SHIFT: f64 = 1e-5;

/// The bound of Böhning on the Hessian: no softmax model over these features is more curved, whatever its weights.
///
/// ```text
/// ∇²F ≤ ½(1 − 11ᵀ/K) ⊗ XᵀX/n + λI
/// ```
///
/// One Gram matrix, of all training rows, serves every penalty and every fold.
pub(super) struct Curvature {
    gram: Vec<f32>,
    n_samples: usize,
    n_columns: usize,
    stride: usize,
}

impl Curvature {
    /// The bound for the first `n_samples` rows of the features.
    pub(super) fn new(features: &Features, n_samples: usize, n_columns: usize) -> Self {
        let stride = features.stride();
        let gram = if n_columns <= MAX_COLUMNS && n_samples >= MIN_SAMPLES_PER_COLUMN * n_columns {
            gram(features.block(0, n_samples).features, stride, n_columns)
        } else {
            Vec::new()
        };
        Self { gram, n_samples, n_columns, stride }
    }

    /// A function that multiplies a gradient by the inverse of the bound at a penalty.
    pub(super) fn inverse(&self, penalty: f64) -> impl Fn(&mut [f64]) {
        let scale = 0.5 / self.n_samples as f64;
        let shift = penalty + MIN_SHIFT;
        let factor = if self.gram.is_empty() {
            None
        } else {
            Factor::new(&self.gram, self.n_columns, single(scale), single(shift))
        };
        let (columns, stride) = (self.n_columns, self.stride);
        move |gradient| {
            let n_classes = gradient.len() / (stride + 1);
            let (weights, intercepts) = gradient.split_at_mut(n_classes * stride);
            if let Some(factor) = &factor {
                let mut right = Vec::with_capacity(n_classes * columns);
                for weights in weights.chunks_exact(stride) {
                    right.extend(weights[..columns].iter().map(|&weight| single(weight)));
                }
                factor.solve(&mut right);
                for (weights, solved) in weights.chunks_exact_mut(stride).zip(right.chunks_exact(columns)) {
                    for (weight, &solved) in weights.iter_mut().zip(solved) {
                        *weight = f64::from(solved);
                    }
                }
            } else {
                for weight in weights {
                    *weight /= 0.5 + penalty;
                }
            }
            for intercept in intercepts {
                *intercept /= 0.5;
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a preconditioner needs few digits")]
fn single(value: f64) -> f32 {
    value as f32
}
