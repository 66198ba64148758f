//! What probes read of a label, judged by the held-out samples.

use std::f64::consts::LN_2;

use ndarray::Array2;

use super::classes::KnownClasses;
use super::fitted::{Fitted, Member, accuracy, cross_entropy, most_probable};
use super::gaussian::Regression;
use super::temperature::Temperature;
use crate::estimate::split::Split;
use crate::estimate::{Estimate, EstimateError, Flag, Labels, Null, Unit};

/// Samples of a class below which its share of the probe is guesswork.
const FEW: usize = 10;

/// What a family of probes reads of a label from a layer.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Usable information in nats.
    pub usable: Estimate,
    /// The same after calibration; none where no training sample was left out of a fit.
    pub calibrated: Option<Estimate>,
    /// The entropy of the held-out labels in nats; none of numbers.
    pub label_entropy: Option<f64>,
    /// The part of held-out samples that are right; of numbers, the part of their variance that is explained (R²).
    pub score: Estimate,
    /// What the probe says of each held-out sample, in the order of the split: ln q(y|z) − ln p(y) in nats.
    ///
    /// Pointwise usable information: its mean is the usable information.
    pub pointwise: Vec<f64>,
    /// The class that the probes find the most probable, of each held-out sample, as numbered by the labels; none for
    /// numbers.
    pub predicted: Option<Vec<usize>>,
}

/// One class as the probes read it.
#[derive(Clone, Debug)]
pub struct ClassReading {
    /// The class, as numbered by the labels.
    pub class: usize,
    /// The mean pointwise information of its held-out samples, in nats.
    pub usable: Estimate,
}

impl Reading {
    /// Judges fitted probes; `null` is the band that the family is known to stay below.
    pub(super) fn new(
        mut fitted: Fitted,
        known: &KnownClasses,
        labels: &Labels,
        split: &Split,
        null: Option<Null>,
    ) -> Result<Self, EstimateError> {
        let classes = known.classes().at(&split.test);
        let surprise = surprises(labels, split);
        let entropy = surprise.iter().sum::<f64>() / surprise.len() as f64;
        let pointwise = averaged(fitted.members.iter().map(|member| pointwise(&member.held_out, &classes, &surprise)));
        let mut usable = mean(&pointwise, Unit::Nats);
        if !usable.value.is_finite() {
            return Err(EstimateError::Numeric {
                step: "the probe",
                reason: format!("the held-out cross-entropy is {}", entropy - usable.value),
            });
        }
        usable.details.append(&mut fitted.details);
        let values = fitted.members.iter().map(|member| entropy - cross_entropy(&member.held_out, &classes));
        add_spread(&mut usable, "seed_sd", &values.collect::<Vec<_>>());
        describe(&mut usable, &fitted.members, entropy, labels, split);
        fitted.flags.into_iter().for_each(|flag| usable.flag(flag));
        judge(&mut usable, &pointwise, labels, split, null);

        let n = classes.len();
        let right: Vec<f64> = fitted.members.iter().map(|member| accuracy(&member.held_out, &classes)).collect();
        let value = right.iter().sum::<f64>() / right.len() as f64;
        // One more right and one more wrong, so that all right is not beyond all doubt (Laplace).
        let likely = (value * n as f64 + 1.0) / (n as f64 + 2.0);
        let mut score = of_same_fit(&usable, value, Unit::Fraction, Some((likely * (1.0 - likely) / n as f64).sqrt()));
        add_spread(&mut score, "seed_sd", &right);
        score.detail("majority", majority(labels, &split.test));
        let held_out = averaged(fitted.members.iter().map(|member| member.held_out.iter().copied().collect()));
        let held_out = Array2::from_shape_vec((n, known.len()), held_out).expect("members have one shape");
        Ok(Self {
            calibrated: calibrated(&fitted.members, &classes, &surprise, &usable)?,
            label_entropy: Some(entropy),
            predicted: Some(held_out.outer_iter().map(|row| known.own(most_probable(row))).collect()),
            usable,
            score,
            pointwise,
        })
    }

    /// Judges a fitted probe of numbers.
    pub(super) fn of_numbers(mut regression: Regression, split: &Split, null: Null) -> Self {
        let mut usable = mean(&regression.pointwise, Unit::Nats);
        let r_squared = regression.details.remove("r2").and_then(|value| value.as_f64());
        usable.details.append(&mut regression.details);
        usable.detail("bits", usable.value / LN_2);
        usable.detail("n_train", split.train.len());
        regression.flags.into_iter().for_each(|flag| usable.flag(flag));
        flag_value(&mut usable, &regression.pointwise);
        set_null(&mut usable, null);
        // The band is that of normal targets; of others a value may be large where no prediction is any good.
        if r_squared.is_none_or(|r_squared| r_squared <= 0.0) {
            usable.flag(Flag::WithinNull);
        }
        let mut score = of_same_fit(&usable, r_squared.unwrap_or(f64::NAN), Unit::Fraction, None);
        if score.value < 0.0 {
            score.flag(Flag::Negative);
        }
        let pointwise = regression.pointwise;
        Self { usable, calibrated: None, label_entropy: None, score, pointwise, predicted: None }
    }

    /// What is read of a label that is the same on all samples: nothing, exactly.
    pub(super) fn constant(labels: &Labels, split: &Split) -> Self {
        let n = split.test.len();
        let usable = Estimate::constant(n);
        Self {
            calibrated: Some(usable.clone()),
            label_entropy: Some(0.0),
            score: of_same_fit(&usable, 1.0, Unit::Fraction, Some(0.0)),
            usable,
            pointwise: vec![0.0; n],
            predicted: Some(split.test.iter().map(|&row| labels.classes()[row]).collect()),
        }
    }

    /// What this reading, of a baseline and a layer, knows beyond that of the baseline alone, in nats.
    ///
    /// The difference sample by sample, so that its error is that of the pairs.
    ///
    /// # Reference
    ///
    /// J. Hewitt, K. Ethayarajh, P. Liang, C. Manning, Conditional probing: measuring usable information beyond a
    /// baseline, EMNLP 2021, section 2.
    #[must_use]
    pub fn beyond(&self, baseline: &Self) -> Estimate {
        let pairs = self.pointwise.iter().zip(&baseline.pointwise);
        let difference: Vec<f64> = pairs.map(|(with, without)| with - without).collect();
        let mut estimate = mean(&difference, Unit::Nats);
        estimate.detail("with", self.usable.value);
        estimate.detail("without", baseline.usable.value);
        for reading in [self, baseline] {
            let spread = reading.usable.details.get("seed_error").and_then(serde_json::Value::as_f64);
            estimate.std_error = estimate.std_error.map(|error| error.hypot(spread.unwrap_or(0.0)));
        }
        for reading in [self, baseline] {
            for flag in &reading.usable.flags {
                if !is_about_value(*flag) {
                    estimate.flag(*flag);
                }
            }
        }
        flag_value(&mut estimate, &difference);
        estimate
    }

    /// Usable information as a part of what there is to know; none if that is nothing, or not known.
    #[must_use]
    pub fn fraction(&self) -> Option<Estimate> {
        let entropy = self.label_entropy.filter(|&entropy| entropy > 0.0)?;
        let part = |nats: f64| nats / entropy;
        let mut fraction =
            of_same_fit(&self.usable, part(self.usable.value), Unit::Fraction, self.usable.std_error.map(part));
        fraction.flags.clone_from(&self.usable.flags);
        fraction.null = self.usable.null.map(|null| Null { mean: null.mean.map(part), high: part(null.high), ..null });
        Some(fraction)
    }

    /// Holds the value against what there is to find in nothing.
    pub(super) fn set_null(&mut self, null: Null) {
        set_null(&mut self.usable, null);
    }

    /// Each class that is held out, by itself; one without held-out samples has none.
    #[must_use]
    pub fn by_class(&self, labels: &Labels, split: &Split) -> Vec<ClassReading> {
        let Some(predicted) = &self.predicted else { return Vec::new() };
        let classes: Vec<usize> = split.test.iter().map(|&row| labels.classes()[row]).collect();
        let there = (0..labels.n_classes()).filter(|class| classes.contains(class));
        there
            .map(|class| {
                let places: Vec<usize> = (0..classes.len()).filter(|&place| classes[place] == class).collect();
                let own: Vec<f64> = places.iter().map(|&place| self.pointwise[place]).collect();
                let mut usable = mean(&own, Unit::Nats);
                let right = places.iter().filter(|&&place| predicted[place] == class).count();
                usable.detail("recall", right as f64 / places.len() as f64);
                usable.flags = of_same_fit(&self.usable, 0.0, Unit::Nats, None).flags;
                flag_value(&mut usable, &own);
                if self.usable.flags.contains(&Flag::WithinNull) {
                    usable.flag(Flag::WithinNull);
                }
                if places.len() < FEW {
                    usable.flag(Flag::FewSamplesPerClass);
                }
                ClassReading { class, usable }
            })
            .collect()
    }
}

/// The mean of values with its standard error.
pub(super) fn mean(values: &[f64], unit: Unit) -> Estimate {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt());
    Estimate::new(mean, unit, error, values.len())
}

/// Another value of the same probes and samples, with the doubts about these.
fn of_same_fit(usable: &Estimate, value: f64, unit: Unit, std_error: Option<f64>) -> Estimate {
    let mut estimate = Estimate::new(value, unit, std_error, usable.n_samples);
    estimate.flags = usable.flags.iter().copied().filter(|&flag| !is_about_value(flag)).collect();
    estimate
}

/// −ln p(y) of each held-out label, p the frequencies in training.
fn surprises(labels: &Labels, split: &Split) -> Vec<f64> {
    let counts = labels.counts_at(&split.train);
    let n = split.train.len() as f64;
    split.test.iter().map(|&row| (n / counts[labels.classes()[row]] as f64).ln()).collect()
}

/// The share of the most frequent label.
fn majority(labels: &Labels, rows: &[usize]) -> f64 {
    labels.counts_at(rows).into_iter().max().unwrap_or(0) as f64 / rows.len() as f64
}

fn pointwise(log_probabilities: &Array2<f64>, classes: &[u32], surprise: &[f64]) -> Vec<f64> {
    let said = log_probabilities.outer_iter().zip(classes).zip(surprise);
    said.map(|((row, &class), surprise)| row[class as usize] + surprise).collect()
}

/// The mean of vectors of one length.
fn averaged(vectors: impl ExactSizeIterator<Item = Vec<f64>>) -> Vec<f64> {
    let n = vectors.len() as f64;
    let sum = vectors.reduce(|mut sum, vector| {
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
        sum
    });
    let mut sum = sum.unwrap_or_default();
    for value in &mut sum {
        *value /= n;
    }
    sum
}

/// Adds the standard deviation of values that repeat a measurement; the mean's error has its share of it.
fn add_spread(usable: &mut Estimate, name: &str, values: &[f64]) {
    if values.len() < 2 {
        return;
    }
    let spread = mean(values, Unit::Nats).std_error.unwrap_or(0.0);
    usable.detail(name, spread * (values.len() as f64).sqrt());
    usable.detail("seed_error", spread);
    usable.std_error = usable.std_error.map(|error| error.hypot(spread));
}

fn describe(usable: &mut Estimate, members: &[Member], entropy: f64, labels: &Labels, split: &Split) {
    usable.detail("bits", usable.value / LN_2);
    usable.detail("cross_entropy", entropy - usable.value);
    usable.detail("label_entropy", entropy);
    usable.detail("plug_in_entropy", labels.entropy(&split.test));
    usable.detail("n_train", split.train.len());
    usable.detail("n_classes", labels.counts_at(&split.test).into_iter().filter(|&count| count > 0).count());
    usable.detail("majority", majority(labels, &split.test));
    let folds: Vec<f64> = members.iter().filter_map(|member| member.unseen.as_ref()).flat_map(fold_values).collect();
    if members.len() == 1 && folds.len() > 1 {
        usable.detail("fold_sd", mean(&folds, Unit::Nats).std_error.unwrap_or(0.0) * (folds.len() as f64).sqrt());
    }
}

/// Usable information on the samples of each fold, by the probe that was not fitted to them.
fn fold_values(unseen: &super::fitted::Unseen) -> Vec<f64> {
    let mut first = 0;
    let mut values = Vec::with_capacity(unseen.ends.len());
    for &end in &unseen.ends {
        let own = Labels::new(
            unseen.classes[first..end].iter().map(|&class| i64::from(class)).collect::<Vec<_>>().as_slice().into(),
        );
        let entropy = own.entropy(&(0..end - first).collect::<Vec<_>>());
        let said = unseen.log_probabilities.slice(ndarray::s![first..end, ..]).to_owned();
        values.push(entropy - cross_entropy(&said, &unseen.classes[first..end]));
        first = end;
    }
    values
}

/// Says what is doubtful about a value.
fn judge(usable: &mut Estimate, pointwise: &[f64], labels: &Labels, split: &Split, null: Option<Null>) {
    flag_value(usable, pointwise);
    let there = labels.counts_at(&split.train).into_iter().filter(|&count| count > 0);
    if there.min().unwrap_or(0) < FEW {
        usable.flag(Flag::FewSamplesPerClass);
    }
    if let Some(null) = null {
        set_null(usable, null);
    }
}

/// Whether a flag is about the value alone, and so says nothing of another one of the same probes.
fn is_about_value(flag: Flag) -> bool {
    matches!(flag, Flag::Negative | Flag::WithinNull | Flag::OneSampleDecides)
}

/// What a value alone shows, and the values that it is the mean of.
fn flag_value(estimate: &mut Estimate, values: &[f64]) {
    if estimate.value < 0.0 {
        estimate.flag(Flag::Negative);
    }
    // A unit that hardly ever fires is standardized by next to nothing; the one held-out sample that makes it fire then
    // lies far outside of what the probe was fitted on.
    let squares = values.iter().map(|value| (value - estimate.value).powi(2));
    if values.len() >= 5 && squares.clone().fold(0.0, f64::max) > 0.5 * squares.sum::<f64>() {
        estimate.flag(Flag::OneSampleDecides);
    }
}

/// Sets the band that a value is held against.
fn set_null(usable: &mut Estimate, null: Null) {
    usable.null = Some(null);
    usable.flags.retain(|flag| *flag != Flag::WithinNull);
    if usable.value <= null.high {
        usable.flag(Flag::WithinNull);
    }
}

/// The value with each probe's temperature fitted to the training samples that it was not fitted to.
fn calibrated(
    members: &[Member],
    classes: &[u32],
    surprise: &[f64],
    usable: &Estimate,
) -> Result<Option<Estimate>, EstimateError> {
    let mut temperatures = Vec::with_capacity(members.len());
    let mut at_edge = false;
    let mut held_out = Vec::with_capacity(members.len());
    for member in members {
        let Some(unseen) = &member.unseen else { return Ok(None) };
        let found = Temperature::new(unseen.log_probabilities.view(), &unseen.classes)?;
        at_edge |= found.end.is_some();
        temperatures.push(found.value);
        held_out.push(pointwise(&found.apply(member.held_out.view()), classes, surprise));
    }
    let values: Vec<f64> = held_out.iter().map(|pointwise| mean(pointwise, Unit::Nats).value).collect();
    let pointwise = averaged(held_out.into_iter());
    let mut estimate = mean(&pointwise, Unit::Nats);
    estimate.flags = of_same_fit(usable, 0.0, Unit::Nats, None).flags;
    add_spread(&mut estimate, "seed_sd", &values);
    flag_value(&mut estimate, &pointwise);
    estimate.detail("temperature", temperatures.iter().sum::<f64>() / temperatures.len() as f64);
    estimate.detail("effect", estimate.value - usable.value);
    estimate.detail("bits", estimate.value / LN_2);
    if at_edge {
        estimate.flag(Flag::TemperatureAtEdge);
    }
    Ok(Some(estimate))
}
