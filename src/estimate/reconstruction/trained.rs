//! What decoders share that are trained by gradients.

use std::num::NonZeroUsize;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::decoded::{Decoded, Held};
use super::sides::Sides;
use crate::estimate::neural::Rows;
use crate::estimate::{Element, EstimateError, Flag, Split};

/// One of so many training samples is kept to stop by.
pub(super) const PARTS: usize = 5;

/// The most units of a layer, or channels.
const MOST: usize = 1 << 16;

/// The numbers of units of some layers, or of channels: 65,536 each at most.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Vec<NonZeroUsize>", into = "Vec<NonZeroUsize>")]
pub struct Widths(Vec<NonZeroUsize>);

impl Widths {
    /// The numbers.
    #[must_use]
    pub fn get(&self) -> Vec<usize> {
        self.0.iter().map(|width| width.get()).collect()
    }
}

impl TryFrom<Vec<NonZeroUsize>> for Widths {
    type Error = String;

    fn try_from(widths: Vec<NonZeroUsize>) -> Result<Self, String> {
        match widths.iter().find(|width| width.get() > MOST) {
            Some(width) => Err(format!("found {width}, needed {MOST} at most")),
            None => Ok(Self(widths)),
        }
    }
}

impl From<Widths> for Vec<NonZeroUsize> {
    fn from(widths: Widths) -> Self {
        widths.0
    }
}

/// Rows of a layer, and those of the target.
pub(super) type Pairs<'a> = (Rows<'a>, Rows<'a>);

/// What a network is given.
pub(super) struct Task<'a> {
    /// The units of the layer, and the columns of the target.
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// What is learned from, and what tells when to stop.
    pub(super) training: Pairs<'a>,
    pub(super) validation: Pairs<'a>,
    /// The rows of the layer to rebuild from.
    pub(super) test: Rows<'a>,
}

/// What a network gives.
pub(super) struct Answer {
    /// The target of the test rows.
    pub(super) rebuilt: Vec<f32>,
    pub(super) steps: usize,
    pub(super) best_step: usize,
    pub(super) converged: bool,
    pub(super) n_parameters: usize,
}

/// Which units of a layer a network sees.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Units {
    Varying,
    /// Those that are constant in training are zero, so that the others keep their places.
    All,
}

/// Rebuilds the test rows of `target` by a network that `fit` trains, from a layer in units of standard deviations, which
/// are cut at `bound`.
///
/// # Errors
///
/// [`EstimateError::Degenerate`] for fewer than five training samples or no test samples, and those of `fit`.
pub(super) fn decode<T: Element, U: Element>(
    (z, units, bound): (ArrayView2<'_, T>, Units, f64),
    target: ArrayView2<'_, U>,
    split: &Split,
    seed: u64,
    fit: impl FnOnce(Task<'_>) -> Result<Answer, EstimateError>,
) -> Result<Decoded, EstimateError> {
    let (n_train, n_test) = (split.train.len(), split.test.len());
    if n_train < PARTS || n_test == 0 {
        return Err(EstimateError::Degenerate {
            reason: format!("{n_train} training and {n_test} test samples, needed {PARTS} and 1 at least"),
        });
    }
    let held = Held::new(target, split);
    let target = Sides::new(target, split, true);
    let (mut layer, kept) = Sides::standardized_columns(z, split);
    let columns = target.train.ncols();
    let scale = (target.squares / (n_train * columns) as f64).sqrt();
    for side in [&mut layer.train, &mut layer.test] {
        side.mapv_inplace(|value| value.clamp(-bound, bound));
    }
    let mut flags = Vec::new();
    let mut details = Map::new();
    details.insert("n_train".to_owned(), n_train.into());
    if kept.len() < z.ncols() {
        details.insert("constant_units".to_owned(), (z.ncols() - kept.len()).into());
        flags.push(Flag::ConstantUnits);
    }
    if kept.len() > n_train {
        flags.push(Flag::MoreUnitsThanSamples);
    }
    let predicted = if kept.is_empty() || scale == 0.0 {
        flags.push(Flag::Constant);
        Array2::zeros(target.test.dim())
    } else {
        if units == Units::All {
            layer.put_back(&kept, z.ncols());
        }
        let width = layer.train.ncols();
        let learn = n_train - n_train / PARTS;
        let inputs = [part(&layer.train, 0..learn, 1.0), part(&layer.train, learn..n_train, 1.0)];
        let outputs = [part(&target.train, 0..learn, scale), part(&target.train, learn..n_train, scale)];
        let test = part(&layer.test, 0..n_test, 1.0);
        let pairs = |side: usize| (Rows::new(&inputs[side], width, width), Rows::new(&outputs[side], columns, columns));
        let answer = fit(Task {
            inputs: width,
            outputs: columns,
            training: pairs(0),
            validation: pairs(1),
            test: Rows::new(&test, width, width),
        })?;
        details.insert("steps".to_owned(), answer.steps.into());
        details.insert("best_step".to_owned(), answer.best_step.into());
        details.insert("n_parameters".to_owned(), answer.n_parameters.into());
        details.insert("n_validation".to_owned(), (n_train - learn).into());
        details.insert("seed".to_owned(), seed.into());
        if !answer.converged {
            flags.push(Flag::NotConverged);
        }
        let rebuilt = answer.rebuilt.into_iter().map(|value| f64::from(value) * scale).collect();
        Array2::from_shape_vec((n_test, columns), rebuilt).expect("there is one output a column")
    };
    let mut decoded = Decoded::new(&held, predicted, target.test);
    decoded.annotate(details, &flags);
    Ok(decoded)
}

/// The bytes of layer and target in single precision, and of what a network holds besides, given in numbers.
pub(super) fn bytes(n_samples: usize, n_units: usize, n_columns: usize, numbers: usize) -> usize {
    (n_samples * (n_units + n_columns)).saturating_add(numbers).saturating_mul(size_of::<f32>())
}

/// The copies of each weight: itself, its gradient, two moments, a place for the best and one in the making.
pub(super) const COPIES: usize = 6;

/// Some rows in single precision, in units of `scale`.
fn part(side: &Array2<f64>, rows: Range<usize>, scale: f64) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "networks compute in single precision")]
    let single = |value: &f64| (value / scale) as f32;
    side.slice(s![rows, ..]).iter().map(single).collect()
}
