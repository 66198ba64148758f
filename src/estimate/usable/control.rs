//! Control tasks: what a probe learns by heart.

use super::reading::Reading;
use crate::estimate::random::SplitMix64;
use crate::estimate::{Estimate, Flag, Labels, Unit};

/// Labels that depend on nothing but the type of a sample: a control task.
///
/// Each type gets one label, drawn with the frequencies that the labels have over all samples; all samples of a type
/// then have it. A probe can only be right by knowing the types by heart. Where all types drew the same label, they
/// draw again: there would be nothing to know. There are two types and two labels at least.
///
/// # Reference
///
/// J. Hewitt, P. Liang, Designing and interpreting probes with control tasks, EMNLP 2019, section 2,
/// <https://arxiv.org/abs/1909.03368>. There, types are words.
#[must_use]
pub fn control(labels: &Labels, types: &Labels, seed: u64) -> Labels {
    let mut random = SplitMix64::new(seed);
    let mut draw = || -> Vec<usize> {
        (0..types.n_classes()).map(|_| labels.classes()[random.below(labels.classes().len())]).collect()
    };
    let mut drawn = draw();
    if types.n_classes() > 1 && labels.n_classes() > 1 {
        while drawn.iter().all(|label| *label == drawn[0]) {
            drawn = draw();
        }
    }
    labels.with_classes(types.classes().iter().map(|&kind| drawn[kind]).collect())
}

/// How much more often a probe is right about the labels than about control tasks: accuracy less their mean accuracy.
///
/// Near the accuracy over chance where the probe reads what the layer shows; near zero where the same probe learns any
/// labels of the types as well. The error is that of both accuracies, of the second one over the draws.
///
/// # Reference
///
/// Hewitt and Liang, as for [`control`], section 2.2.
#[must_use]
pub fn selectivity(reading: &Reading, controls: &[Reading]) -> Estimate {
    let accuracies: Vec<f64> = controls.iter().map(|control| control.score.value).collect();
    let usable: Vec<f64> = controls.iter().map(|control| control.usable.value).collect();
    let mean = super::reading::mean(&accuracies, Unit::Fraction);
    let error = reading.score.std_error.map(|error| error.hypot(mean.std_error.unwrap_or(0.0)));
    let mut estimate = Estimate::new(reading.score.value - mean.value, Unit::Fraction, error, reading.score.n_samples);
    estimate.detail("accuracy", reading.score.value);
    estimate.detail("control_accuracy", mean.value);
    estimate.detail("control_usable", super::reading::mean(&usable, Unit::Nats).value);
    estimate.detail("draws", accuracies);
    let doubts = controls.iter().chain([reading]).flat_map(|reading| &reading.score.flags);
    for flag in doubts.filter(|flag| **flag != Flag::Separable) {
        estimate.flag(*flag);
    }
    estimate
}
