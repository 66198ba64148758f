//! The penalized cross-entropy of a softmax classifier, and its gradient.

use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;

use super::kernels;
use super::residuals::{log_sums, residuals};
use super::standardize::Features;

/// Blocks are summed in at most so many groups, one task each. Fixed, so that the sums do not depend on the threads.
const GROUPS: usize = 32;

/// Bytes that the sums of all groups may take together; fewer groups when the models are large or many.
const GROUP_BYTES: usize = 256 << 20;

/// Entries of the gradient that one task adds up.
const ENTRIES: usize = 4096;

/// Samples whose products are added up in f32.
const SHORT_SUM: usize = 512;

/// ```text
/// F(W, b) = −⟨ln softmax(W·x + b)_y⟩ + λ/2 · |W|²
/// ```
///
/// of several models, each over all samples but one fold of them: a pass looks at every sample once for all models. The
/// parameters are the weights class by class, in the padded columns of the features, then the intercepts. Products are
/// taken and added up in f32 over few samples and in f64 beyond.
pub(super) struct Softmax<'a> {
    features: &'a Features,
    classes: &'a [u32],
    n_classes: usize,
    /// The fold that each model leaves out.
    left_out: Vec<Option<usize>>,
    /// How many samples each model is over.
    n_samples: Vec<usize>,
    groups: Vec<Group>,
}

/// Samples of one fold.
struct Block {
    rows: Range<usize>,
    fold: usize,
}

/// Blocks that one task works through in order, with its sums and its room to work.
struct Group {
    blocks: Vec<Block>,
    /// The gradient and the loss of each model.
    sums: Vec<(Vec<f64>, f64)>,
    partial: Vec<f32>,
    logits: Vec<f32>,
    scratch: Vec<f32>,
}

impl<'a> Softmax<'a> {
    /// The objectives of models that leave out one fold each, or none.
    pub(super) fn new(
        features: &'a Features,
        classes: &'a [u32],
        n_classes: usize,
        folds: &[Range<usize>],
        left_out: Vec<Option<usize>>,
    ) -> Self {
        let stride = features.stride();
        let height = block_height(stride);
        let blocks: Vec<Block> = folds
            .iter()
            .enumerate()
            .flat_map(|(fold, rows)| {
                let end = rows.end;
                rows.clone().step_by(height).map(move |first| Block { rows: first..end.min(first + height), fold })
            })
            .collect();
        let n_models = left_out.len();
        let n_weights = n_classes * stride;
        let n_groups = (GROUP_BYTES / (12 * n_models * n_weights + 1)).clamp(4, GROUPS);
        let per_group = blocks.len().div_ceil(n_groups).max(1);
        let mut blocks = blocks.into_iter().peekable();
        let mut groups = Vec::with_capacity(n_groups);
        while blocks.peek().is_some() {
            groups.push(Group {
                blocks: blocks.by_ref().take(per_group).collect(),
                sums: vec![(vec![0.0; n_weights + n_classes], 0.0); n_models],
                partial: vec![0.0; n_models * n_weights],
                logits: vec![0.0; n_classes * height],
                scratch: vec![0.0; 3 * height],
            });
        }
        let n: usize = folds.iter().map(ExactSizeIterator::len).sum();
        let n_samples = left_out.iter().map(|fold| n - fold.map_or(0, |fold| folds[fold].len())).collect();
        Self { features, classes, n_classes, left_out, n_samples, groups }
    }

    /// The value and the gradient of each model at a penalty λ; nothing of models without parameters.
    pub(super) fn evaluate(&mut self, penalty: f64, parameters: &[Option<&[f64]>]) -> Vec<Option<(f64, Vec<f64>)>> {
        let (features, classes, left_out) = (self.features, self.classes, &self.left_out);
        let rounded: Vec<Option<Vec<f32>>> = parameters.iter().map(|model| model.map(round)).collect();
        self.groups.par_iter_mut().for_each(|group| group.sum(features, classes, left_out, &rounded));
        let n_weights = self.n_classes * features.stride();
        let (groups, n_samples) = (&self.groups, &self.n_samples);
        let finish = |(model, parameters): (usize, Option<&[f64]>)| {
            let parameters = parameters?;
            let n = n_samples[model] as f64;
            let mut gradient = vec![0.0; parameters.len()];
            // Group after group for each entry, so that the sum does not depend on the threads.
            gradient.par_chunks_mut(ENTRIES).enumerate().for_each(|(chunk, gradient)| {
                let range = chunk * ENTRIES..chunk * ENTRIES + gradient.len();
                for group in groups {
                    add(gradient, &group.sums[model].0[range.clone()]);
                }
                for (entry, (gradient, parameter)) in range.clone().zip(gradient.iter_mut().zip(&parameters[range])) {
                    let penalty = if entry < n_weights { penalty } else { 0.0 };
                    *gradient = *gradient / n + penalty * parameter;
                }
            });
            let loss: f64 = groups.iter().map(|group| group.sums[model].1).sum();
            let squares: f64 = parameters[..n_weights].iter().map(|weight| weight * weight).sum();
            Some((loss / n + penalty / 2.0 * squares, gradient))
        };
        parameters.iter().copied().enumerate().map(finish).collect()
    }
}

impl Group {
    /// Sums over the blocks what each model that is given says of them.
    fn sum(&mut self, features: &Features, classes: &[u32], left_out: &[Option<usize>], models: &[Option<Vec<f32>>]) {
        let n_weights = self.partial.len() / models.len();
        for (model, parameters) in models.iter().enumerate() {
            if parameters.is_some() {
                let (gradient, loss) = &mut self.sums[model];
                gradient.fill(0.0);
                *loss = 0.0;
            }
        }
        self.partial.fill(0.0);
        let mut added = 0;
        for Block { rows, fold } in &self.blocks {
            let block = features.block(rows.start, rows.len());
            for (model, parameters) in models.iter().enumerate() {
                let Some(parameters) = parameters else { continue };
                if left_out[model] == Some(*fold) {
                    continue;
                }
                let (weights, intercepts) = parameters.split_at(n_weights);
                let logits = &mut self.logits[..intercepts.len() * rows.len()];
                let (gradient, loss) = &mut self.sums[model];
                kernels::logits(block, weights, intercepts, logits);
                *loss += residuals(logits, &classes[rows.clone()], &mut self.scratch);
                kernels::products(block, logits, &mut self.partial[model * n_weights..][..n_weights]);
                for (sum, residuals) in gradient[n_weights..].iter_mut().zip(logits.chunks_exact(rows.len())) {
                    *sum += total(residuals);
                }
            }
            added += rows.len();
            if added >= SHORT_SUM {
                flush(&mut self.partial, &mut self.sums, models);
                added = 0;
            }
        }
        flush(&mut self.partial, &mut self.sums, models);
    }
}

/// Adds the short sums of the models that are looked at to their long ones.
fn flush(partial: &mut [f32], sums: &mut [(Vec<f64>, f64)], models: &[Option<Vec<f32>>]) {
    let n_weights = partial.len() / models.len();
    for ((partial, (gradient, _)), model) in partial.chunks_exact_mut(n_weights).zip(sums).zip(models) {
        if model.is_some() {
            add(&mut gradient[..n_weights], partial);
            partial.fill(0.0);
        }
    }
}

/// ln q(class | x) of each sample in `rows`, in f64 after the logits: rows × classes.
pub(super) fn log_probabilities(features: &Features, rows: Range<usize>, parameters: &[f64]) -> Array2<f64> {
    let stride = features.stride();
    let n_classes = parameters.len() / (stride + 1);
    let rounded = round(parameters);
    let (weights, intercepts) = rounded.split_at(n_classes * stride);
    let height = block_height(stride);
    let mut out = vec![0.0; rows.len() * n_classes];
    out.par_chunks_mut(height * n_classes).enumerate().for_each(|(block, out)| {
        let n = out.len() / n_classes;
        let mut logits = vec![0.0; n_classes * n];
        kernels::logits(features.block(rows.start + block * height, n), weights, intercepts, &mut logits);
        for (i, (out, sum)) in out.chunks_exact_mut(n_classes).zip(log_sums(&logits, n)).enumerate() {
            for (class, out) in out.iter_mut().enumerate() {
                *out = f64::from(logits[class * n + i]) - sum;
            }
        }
    });
    Array2::from_shape_vec((rows.len(), n_classes), out).expect("one logit for each sample and class")
}

/// Rows of a block: about half a mebibyte of features, to stay in the cache between the two products.
fn block_height(stride: usize) -> usize {
    ((1 << 17) / stride.max(1)).next_multiple_of(16).clamp(64, 256)
}

#[expect(clippy::cast_possible_truncation, reason = "products are taken in single precision")]
fn round(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

fn add<T: Copy + Into<f64>>(to: &mut [f64], values: &[T]) {
    for (to, &value) in to.iter_mut().zip(values) {
        *to += value.into();
    }
}

/// The sum, in eight lanes, so that no addition waits for the one before.
fn total(values: &[f32]) -> f64 {
    let mut lanes = [0.0; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        add(&mut lanes, chunk);
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&value| f64::from(value)).sum::<f64>()
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
            n in 6_usize..400, d in 1_usize..40, n_classes in 2_usize..13, seed in 0..1000_u64, penalty in 0.0..1.0,
        ) {
            let mut random = crate::estimate::random::SplitMix64::new(seed);
            let z = Array2::from_shape_simple_fn((n, d), || random.uniform());
            let rows: Vec<usize> = (0..n).collect();
            let scaler = Scaler::new(z.view(), &rows);
            let features = scaler.apply(z.view(), &rows);
            let classes: Vec<u32> = (0..n).map(|i| u32::try_from(i % n_classes).unwrap()).collect();
            // None is empty: models that leave different samples out have different values.
            let folds = [0..n / 3, n / 3..n / 2, n / 2..n];
            let mut objective = Softmax::new(&features, &classes, n_classes, &folds, vec![Some(1), None, Some(0)]);
            let mut here = vec![0.0; n_classes * (features.stride() + 1)];
            for class in 0..n_classes {
                // The padding has no weights.
                for j in 0..scaler.n_columns() {
                    here[class * features.stride() + j] = random.uniform() - 0.5;
                }
            }
            let together = objective.evaluate(penalty, &[Some(&here), Some(&here), Some(&here)]);
            let alone = objective.evaluate(penalty, &[Some(&here), None, None]);
            prop_assert_eq!(&together[0], &alone[0]);
            prop_assert!(alone[1].is_none() && together[1] != together[2]);
            let gradient = alone[0].clone().unwrap().1;
            let direction: Vec<f64> = gradient.iter().map(|g| g + 1e-3).collect();
            let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
            let mut value = |step: f64| {
                let there: Vec<f64> = here.iter().zip(&direction).map(|(h, d)| h + step * d).collect();
                objective.evaluate(penalty, &[Some(&there), None, None])[0].clone().unwrap().0
            };
            // Steps far above the rounding of f32, of fourth order so that the curvature does not show.
            let step = 0.02;
            let difference = (8.0 * (value(step) - value(-step)) - value(2.0 * step) + value(-2.0 * step)) / (12.0 * step);
            prop_assert!((difference - slope).abs() < 2e-3 * slope.abs() + 1e-4, "{} for {}", difference, slope);
        }
    }
}
