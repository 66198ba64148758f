//! The families of probes, and what is asked of all of them.

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::classes::KnownClasses;
use super::fitted::{Classes, Fitted};
use super::gaussian::Gaussian;
use super::null;
use super::reading::Reading;
use super::{CodeLength, Compat, Fractions, Linear, Mlp, NearestMean, Quadratic, RandomFeatures};
use crate::estimate::permutations::{Permutations, of_permutations};
use crate::estimate::random::SplitMix64;
use crate::estimate::split::Split;
use crate::estimate::{Element, EstimateError, Flag, Labels, Null};

/// The family of probes that reads a layer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Probe {
    /// Softmax-linear probes; of numbers, normal ones with a linear mean.
    Linear(Linear),
    /// Softmax-linear probes of all squares and products of two units.
    Quadratic(Quadratic),
    /// Softmax-linear probes of random Fourier features.
    RandomFeatures(RandomFeatures),
    /// The nearest class mean.
    NearestMean(NearestMean),
    /// Multilayer perceptrons.
    Mlp(Mlp),
    /// The decoders of the paper's authors, with their constants.
    Compat(Compat),
}

/// What a probe is to read: one label a row of the layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// One of several classes.
    Classes(Labels),
    /// A finite number.
    Numbers(Vec<f64>),
}

impl Probe {
    /// Fits the family to the training rows of z, one row a sample, and lets the held-out rows judge.
    ///
    /// `seed` is what families with random parts draw from; the others give the same for any.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if a side of the split is empty, if there are not as many labels as rows, if a
    /// held-out class does not occur in training, or if the family does not read such a target;
    /// [`EstimateError::Numeric`] if a fit is not finite.
    pub fn read<T: Element>(
        &self,
        z: ArrayView2<'_, T>,
        target: &Target,
        split: &Split,
        seed: u64,
    ) -> Result<Reading, EstimateError> {
        match target {
            Target::Classes(labels) => self.read_classes(z, labels, split, seed),
            Target::Numbers(numbers) => self.read_numbers(z, numbers, split),
        }
    }

    /// q(y|z) of the held-out rows by probes that were fitted to the training rows: one row each, in the order of the split,
    /// and one column a class of the labels, zero for those that never occur in training.
    ///
    /// Of a family with several seeds, the mean probability.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn posteriors<T: Element>(
        &self,
        z: ArrayView2<'_, T>,
        labels: &Labels,
        split: &Split,
        seed: u64,
    ) -> Result<Array2<f64>, EstimateError> {
        let known = KnownClasses::new(z.nrows(), labels, split)?;
        let mut posteriors = Array2::zeros((split.test.len(), labels.n_classes()));
        if known.len() == 1 {
            posteriors.column_mut(known.own(0)).fill(1.0);
            return Ok(posteriors);
        }
        let members = self.fit(z, &known.classes(), split, seed)?.members;
        for member in &members {
            for (mut posterior, said) in posteriors.outer_iter_mut().zip(member.held_out.outer_iter()) {
                for (class, &log_probability) in (0..).zip(said) {
                    posterior[known.own(class)] += log_probability.exp() / members.len() as f64;
                }
            }
        }
        Ok(posteriors)
    }

    fn read_classes<T: Element>(
        &self,
        z: ArrayView2<'_, T>,
        labels: &Labels,
        split: &Split,
        seed: u64,
    ) -> Result<Reading, EstimateError> {
        let known = KnownClasses::new(z.nrows(), labels, split)?;
        if known.len() == 1 {
            return Ok(Reading::constant(labels, split));
        }
        let fitted = self.fit(z, &known.classes(), split, seed)?;
        let null = self.asymptotic_null(&fitted, split);
        Reading::new(fitted, &known, labels, split, null)
    }

    fn read_numbers<T: Element>(
        &self,
        z: ArrayView2<'_, T>,
        numbers: &[f64],
        split: &Split,
    ) -> Result<Reading, EstimateError> {
        let Self::Linear(linear) = self else {
            return Err(EstimateError::Degenerate {
                reason: "the label is a number, and this family reads classes; use `linear`, or cut the label into \
                         classes with `edges`"
                    .to_owned(),
            });
        };
        if numbers.len() != z.nrows() {
            let reason = format!("{} labels for {} rows; each row needs one", numbers.len(), z.nrows());
            return Err(EstimateError::Degenerate { reason });
        }
        let gaussian = Gaussian { penalties: linear.penalties.clone(), folds: linear.folds };
        let regression = gaussian.fit(z, numbers.into(), split)?;
        // A weight a unit, the mean and the variance.
        let null = null::asymptotic(z.ncols() + 2, split.train.len(), split.test.len());
        Ok(Reading::of_numbers(regression, split, null))
    }

    /// The length of a prequential code of the classes of the rows in `order`, each block with a fit to those before.
    ///
    /// Of a family with several seeds, the mean length of their codes.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] for numbers, without rows, or with a single class; those of the fits.
    pub fn code_length<T: Element>(
        &self,
        z: ArrayView2<'_, T>,
        labels: &Labels,
        order: &[usize],
        fractions: &Fractions,
        seed: u64,
    ) -> Result<CodeLength, EstimateError> {
        let all = Split { train: order.to_vec(), test: order.to_vec() };
        let known = KnownClasses::new(z.nrows(), labels, &all)?;
        CodeLength::new(order, &known.classes(), fractions, |split, classes| {
            let fitted = self.fit(z, classes, split, seed)?;
            let converged = !fitted.flags.contains(&Flag::NotConverged);
            let members = fitted.members.len() as f64;
            let sum = fitted.members.into_iter().map(|member| member.held_out).reduce(|sum, next| sum + next);
            Ok((sum.expect("a family has a member") / members, converged))
        })
    }

    pub(super) fn fit<T: Element>(
        &self,
        z: ArrayView2<'_, T>,
        classes: &Classes<'_>,
        split: &Split,
        seed: u64,
    ) -> Result<Fitted, EstimateError> {
        match self {
            Self::Linear(linear) => Ok(linear.fit(z, classes, split)),
            Self::Quadratic(quadratic) => quadratic.fit(z, classes, split),
            Self::RandomFeatures(features) => features.fit(z, classes, split, seed),
            Self::NearestMean(means) => means.fit(z, classes, split),
            Self::Mlp(mlp) => mlp.fit(z, classes, split, seed),
            Self::Compat(compat) => compat.fit(z, classes, split, seed),
        }
    }

    /// The band that the family stays below where there is nothing to read; known of linear families.
    fn asymptotic_null(&self, fitted: &Fitted, split: &Split) -> Option<Null> {
        let n_parameters =
            fitted.details.get("n_parameters")?.as_u64().and_then(|count| usize::try_from(count).ok())?;
        match self {
            Self::Linear(_) | Self::Quadratic(_) | Self::RandomFeatures(_) => {
                Some(null::asymptotic(n_parameters, split.train.len(), split.test.len()))
            }
            Self::NearestMean(_) | Self::Mlp(_) | Self::Compat(_) => None,
        }
    }

    /// Holds a reading against those of permuted labels, in place of the asymptotic band.
    ///
    /// Each permutation goes through all that the labels went through, the choice of a penalty among it. The first seed
    /// is that of the permutations, the second one that of the reading.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn hold_against_permutations<T: Element>(
        &self,
        reading: &mut Reading,
        z: ArrayView2<'_, T>,
        (target, split): (&Target, &Split),
        permutations: Permutations,
        (permuting, seed): (u64, u64),
    ) -> Result<(), EstimateError> {
        let mut seeds = SplitMix64::new(permuting);
        let values = (0..permutations.get()).map(|_| {
            let moves = null::permuted(split, seeds.next_u64());
            let permuted = target.moved(&moves);
            Ok(self.read(z, &permuted, split, seed)?.usable.value)
        });
        let values = values.collect::<Result<Vec<f64>, _>>()?;
        let null = of_permutations(reading.usable.value, values);
        reading.set_null(null);
        Ok(())
    }
}

impl Target {
    /// The target with some rows' labels taken from other rows: pairs of (to, from).
    fn moved(&self, moves: &[(usize, usize)]) -> Self {
        fn of<T: Copy>(values: &[T], moves: &[(usize, usize)]) -> Vec<T> {
            let mut moved = values.to_vec();
            for &(to, from) in moves {
                moved[to] = values[from];
            }
            moved
        }
        match self {
            Self::Classes(labels) => Self::Classes(labels.with_classes(of(labels.classes(), moves))),
            Self::Numbers(numbers) => Self::Numbers(of(numbers, moves)),
        }
    }
}
