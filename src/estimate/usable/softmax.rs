//! The penalized cross-entropy of a softmax classifier, and its gradient.

use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;

use super::fitted::normalize;
use super::kernels;
use super::residuals::residuals;
use super::standardize::Features;

/// Blocks are summed in at most so many groups, one task each. Fixed, so that the sums do not depend on the threads.
const GROUPS: usize = 32;

/// Bytes that the sums of all groups may take together; fewer groups when the model is large.
const GROUP_BYTES: usize = 256 << 20;

/// Entries of the gradient that one task adds up.
const ENTRIES: usize = 4096;

/// ```text
/// F(W, b) = −⟨ln softmax(W·x + b)_y⟩ + λ/2 · |W|²
/// ```
///
/// over the given samples. The parameters are the weights class by class, in the padded columns of the features, then
/// the intercepts. Products are taken in f32 within a block and added up in f64 over the blocks.
pub(super) struct Softmax<'a> {
    features: &'a Features,
    classes: &'a [u32],
    n_samples: usize,
    penalty: f64,
    groups: Vec<Group>,
    weights: Vec<f32>,
    intercepts: Vec<f32>,
}

/// Blocks that one task works through in order, with its sums and its room to work.
struct Group {
    blocks: Vec<Range<usize>>,
    gradient: Vec<f64>,
    loss: f64,
    partial: Vec<f32>,
    logits: Vec<f32>,
    scratch: Vec<f32>,
}

impl<'a> Softmax<'a> {
    /// The objective over the samples in `segments` (ranges of rows).
    pub(super) fn new(
        features: &'a Features,
        classes: &'a [u32],
        n_classes: usize,
        segments: &[Range<usize>],
        penalty: f64,
    ) -> Self {
        let stride = features.stride();
        let height = block_height(stride);
        let blocks: Vec<Range<usize>> = segments
            .iter()
            .flat_map(|segment| {
                let end = segment.end;
                segment.clone().step_by(height).map(move |first| first..end.min(first + height))
            })
            .collect();
        let n_weights = n_classes * stride;
        let n_groups = (GROUP_BYTES / (8 * n_weights + 1)).clamp(4, GROUPS);
        let groups = blocks
            .chunks(blocks.len().div_ceil(n_groups).max(1))
            .map(|blocks| Group {
                blocks: blocks.to_vec(),
                gradient: vec![0.0; n_weights + n_classes],
                loss: 0.0,
                partial: vec![0.0; n_weights],
                logits: vec![0.0; n_classes * height],
                scratch: vec![0.0; 3 * height],
            })
            .collect();
        Self {
            features,
            classes,
            n_samples: segments.iter().map(ExactSizeIterator::len).sum(),
            penalty,
            groups,
            weights: vec![0.0; n_weights],
            intercepts: vec![0.0; n_classes],
        }
    }

    /// Writes the gradient at `parameters`, and returns the value.
    pub(super) fn value_and_gradient(&mut self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        let n_weights = self.weights.len();
        round_into(&parameters[..n_weights], &mut self.weights);
        round_into(&parameters[n_weights..], &mut self.intercepts);
        let Self { features, classes, weights, intercepts, groups, .. } = self;
        groups.par_iter_mut().for_each(|group| group.sum(features, classes, weights, intercepts));

        let (n, penalty, groups) = (self.n_samples as f64, self.penalty, &self.groups);
        // Group after group for each entry, so that the sum does not depend on the threads.
        gradient.par_chunks_mut(ENTRIES).enumerate().for_each(|(chunk, gradient)| {
            let range = chunk * ENTRIES..chunk * ENTRIES + gradient.len();
            gradient.fill(0.0);
            for group in groups {
                add(gradient, &group.gradient[range.clone()]);
            }
            for (entry, (gradient, parameter)) in range.clone().zip(gradient.iter_mut().zip(&parameters[range])) {
                let penalty = if entry < n_weights { penalty } else { 0.0 };
                *gradient = *gradient / n + penalty * parameter;
            }
        });
        let loss: f64 = groups.iter().map(|group| group.loss).sum();
        let squares: f64 = parameters[..n_weights].iter().map(|weight| weight * weight).sum();
        loss / n + penalty / 2.0 * squares
    }
}

impl Group {
    fn sum(&mut self, features: &Features, classes: &[u32], weights: &[f32], intercepts: &[f32]) {
        let n_classes = intercepts.len();
        self.gradient.fill(0.0);
        self.loss = 0.0;
        for rows in &self.blocks {
            let block = features.block(rows.start, rows.len());
            let logits = &mut self.logits[..n_classes * rows.len()];
            kernels::logits(block, weights, intercepts, logits);
            self.loss += residuals(logits, &classes[rows.clone()], &mut self.scratch);
            kernels::products(block, logits, &mut self.partial);
            let (weights, intercepts) = self.gradient.split_at_mut(weights.len());
            add(weights, &self.partial);
            for (sum, residuals) in intercepts.iter_mut().zip(logits.chunks_exact(rows.len())) {
                *sum += residuals.iter().map(|&residual| f64::from(residual)).sum::<f64>();
            }
        }
    }
}

/// ln q(class | x) of each sample in `rows`, in f64 after the logits: rows × classes.
pub(super) fn log_probabilities(features: &Features, rows: Range<usize>, parameters: &[f64]) -> Array2<f64> {
    let stride = features.stride();
    let n_classes = parameters.len() / (stride + 1);
    let mut rounded = vec![0.0; parameters.len()];
    round_into(parameters, &mut rounded);
    let (weights, intercepts) = rounded.split_at(n_classes * stride);
    let height = block_height(stride);
    let mut out = vec![0.0; rows.len() * n_classes];
    out.par_chunks_mut(height * n_classes).enumerate().for_each(|(block, out)| {
        let n = out.len() / n_classes;
        let mut logits = vec![0.0; n_classes * n];
        kernels::logits(features.block(rows.start + block * height, n), weights, intercepts, &mut logits);
        for (i, out) in out.chunks_exact_mut(n_classes).enumerate() {
            for (class, out) in out.iter_mut().enumerate() {
                *out = f64::from(logits[class * n + i]);
            }
            normalize(out.into());
        }
    });
    Array2::from_shape_vec((rows.len(), n_classes), out).expect("one logit for each sample and class")
}

/// Rows of a block: about half a mebibyte of features, to stay in the cache between the two products.
fn block_height(stride: usize) -> usize {
    ((1 << 17) / stride.max(1)).next_multiple_of(16).clamp(64, 256)
}

#[expect(clippy::cast_possible_truncation, reason = "products are taken in single precision")]
fn round_into(from: &[f64], to: &mut [f32]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from as f32;
    }
}

fn add<T: Copy + Into<f64>>(to: &mut [f64], values: &[T]) {
    for (to, &value) in to.iter_mut().zip(values) {
        *to += value.into();
    }
}

#[cfg(test)]
mod tests {
    use super::super::standardize::Scaler;
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_gradient_is_that_of_the_value(
            n in 2_usize..400, d in 1_usize..40, n_classes in 2_usize..13, seed in 0..1000_u64, penalty in 0.0..1.0,
        ) {
            let mut random = crate::estimate::random::SplitMix64::new(seed);
            let z = Array2::from_shape_simple_fn((n, d), || random.uniform());
            let rows: Vec<usize> = (0..n).collect();
            let scaler = Scaler::new(z.view(), &rows);
            let features = scaler.apply(z.view(), &rows);
            let classes: Vec<u32> = (0..n).map(|i| u32::try_from(i % n_classes).unwrap()).collect();
            let segments = [0..n / 3, n / 2..n];
            let mut objective = Softmax::new(&features, &classes, n_classes, &segments, penalty);
            let mut here = vec![0.0; n_classes * (features.stride() + 1)];
            for class in 0..n_classes {
                // The padding has no weights.
                for j in 0..scaler.n_columns() {
                    here[class * features.stride() + j] = random.uniform() - 0.5;
                }
            }
            let mut gradient = vec![0.0; here.len()];
            objective.value_and_gradient(&here, &mut gradient);
            let direction: Vec<f64> = gradient.iter().map(|g| g + 1e-3).collect();
            let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
            let mut value = |step: f64| {
                let there: Vec<f64> = here.iter().zip(&direction).map(|(h, d)| h + step * d).collect();
                objective.value_and_gradient(&there, &mut vec![0.0; here.len()])
            };
            // Steps far above the rounding of f32, of fourth order so that the curvature does not show.
            let step = 0.02;
            let difference = (8.0 * (value(step) - value(-step)) - value(2.0 * step) + value(-2.0 * step)) / (12.0 * step);
            prop_assert!((difference - slope).abs() < 2e-3 * slope.abs() + 1e-4, "{} for {}", difference, slope);
        }
    }
}
