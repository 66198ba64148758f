use std::num::NonZeroUsize;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::{ContinuousInformation, Kept, checks, donsker_varadhan, mean_of_terms};
use crate::estimate::neural::{Architecture, CrossEntropy, Network, Rows, Schedule, train};
use crate::estimate::random::SplitMix64;
use crate::estimate::{Estimate, EstimateError, Flag, Paired, columns};

/// Fewer samples than this are too few to train, stop and judge a network by.
const MIN_SAMPLES: usize = 100;

/// How many times each training sample is paired with another one's partner.
const SHUFFLES: usize = 4;

/// The hidden layers of the critic.
const HIDDEN: [usize; 2] = [128, 128];

/// A lower bound from a trained network, `InfoNCE`, on samples that the network has not seen.
///
/// # Formula
///
/// ```text
/// I(X; Y) ≥ ⟨T(xᵢ, yᵢ) − ln 1/B Σⱼ exp T(xᵢ, yⱼ)⟩
/// ```
///
/// over held-out samples in batches of B, with j over the batch, i included. T is the logit of a network (two hidden layers
/// of 128 rectified units, candle) that learned to tell pairs from samples paired at random: its optimum is
/// ln p(x, y) / p(x) p(y). Six in ten samples train it, and `AdamW` stops where another 15 % no longer gain; the rest judge.
/// Coordinates are standardized by the training samples.
///
/// # Use
///
/// In many dimensions, where neighbors fail and some thousands of samples are there. It is a lower bound of the
/// information for any network, up to the standard error, and never more than ln B: near it the flag `near-ceiling` says to
/// raise `batch`; `donsker_varadhan` in `details` is another bound by the same network, which has no such ceiling and more
/// scatter. Every value has the flag `lower-bound`: known ones were missed by up to .7 nats. It says as much of the training as of the variables. Subsamples would train a network each, so that it
/// has a standard error and no interval.
///
/// # Cost
///
/// One training, and B evaluations of the network for each held-out sample.
///
/// # Reference
///
/// A. van den Oord, Y. Li, O. Vinyals, Representation learning with contrastive predictive coding (2018), equation 4,
/// <https://arxiv.org/abs/1807.03748>; B. Poole et al., On variational bounds of mutual information, International Conference on Machine Learning 2019,
/// <https://arxiv.org/abs/1905.06922>.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct InfoNce {
    /// Held-out samples that are told apart at a time, B in the formula; fewer where fewer are held out.
    pub batch: NonZeroUsize,
    /// The seed of the split, of the pairs at random, and of the training.
    pub seed: u64,
}

impl Default for InfoNce {
    fn default() -> Self {
        Self { batch: NonZeroUsize::new(512).expect("512 is not zero"), seed: 0 }
    }
}

impl ContinuousInformation for InfoNce {
    fn estimates_of_series(&self, samples: Paired<'_>, _: &Kept) -> Result<Vec<Estimate>, EstimateError> {
        let n = samples.len();
        if n < MIN_SAMPLES {
            return Err(EstimateError::TooFewSamples { found: n, needed: MIN_SAMPLES - 1 });
        }
        if checks::is_constant(samples.x()) || checks::is_constant(samples.y()) {
            return Ok(vec![Estimate::constant(n)]);
        }
        let mut random = SplitMix64::new(self.seed);
        let mut order: Vec<usize> = (0..n).collect();
        random.shuffle(&mut order);
        let (training, rest) = order.split_at(n * 6 / 10);
        let (validation, held_out) = rest.split_at(n * 15 / 100);
        let sides = [standardized(samples.x(), training), standardized(samples.y(), training)];

        let learned = Examples::draw(&sides, training, SHUFFLES, &mut random);
        let judged = Examples::draw(&sides, validation, SHUFFLES, &mut random);
        let width = sides[0].ncols() + sides[1].ncols();
        let architecture = Architecture {
            inputs: width,
            hidden: HIDDEN.to_vec(),
            outputs: 1,
            slope: 0.0,
            dropout: 0.0,
            start: Some(vec![0.0]),
        };
        let schedule = Schedule {
            learning_rate: 1e-3,
            weight_decay: 1e-3,
            batch: 256,
            patience: 10,
            reductions: 2,
            max_steps: 20_000,
        };
        let trained = train(
            &architecture,
            (Rows::new(&learned.values, width, width), CrossEntropy(&learned.classes)),
            (Rows::new(&judged.values, width, width), CrossEntropy(&judged.classes)),
            &schedule,
            random.next_u64(),
        )?;
        let batch = self.batch.get().min(held_out.len());
        let batches = held_out.chunks_exact(batch).map(|rows| scores(&trained.network, &sides, rows));
        let batches = batches.collect::<Result<Vec<_>, _>>()?;
        let terms: Vec<f64> = batches.iter().flat_map(terms).collect();
        let mut estimate = mean_of_terms(&terms);
        estimate.flag(Flag::LowerBound);
        let others = batches.iter().map(|scores| donsker_varadhan(scores.view()));
        estimate.detail("donsker_varadhan", others.sum::<f64>() / batches.len() as f64);
        estimate.detail("ceiling", (batch as f64).ln());
        estimate.detail("steps", trained.steps);
        if estimate.value > (batch as f64).ln() - 1.0 {
            estimate.flag(Flag::NearCeiling);
        }
        if !trained.converged {
            estimate.flag(Flag::NotConverged);
        }
        checks::flag_negative(&mut estimate);
        Ok(vec![estimate])
    }
}

/// Pairs of one sample, and pairs at random, side by side in single precision.
struct Examples {
    values: Vec<f32>,
    /// One for pairs of one sample, zero for pairs at random.
    classes: Vec<u32>,
}

impl Examples {
    fn draw(sides: &[Array2<f32>; 2], rows: &[usize], shuffles: usize, random: &mut SplitMix64) -> Self {
        let mut examples = Self { values: Vec::new(), classes: Vec::new() };
        for _ in 0..shuffles {
            let mut others = rows.to_vec();
            random.shuffle(&mut others);
            for (&row, &other) in rows.iter().zip(&others) {
                examples.push(sides, row, row, 1);
                examples.push(sides, row, other, 0);
            }
        }
        examples
    }

    fn push(&mut self, [x, y]: &[Array2<f32>; 2], of_x: usize, of_y: usize, class: u32) {
        self.values.extend(x.row(of_x));
        self.values.extend(y.row(of_y));
        self.classes.push(class);
    }
}

/// The logits of all pairs of a batch: those of a sample with every partner in one row.
fn scores(network: &Network, sides: &[Array2<f32>; 2], rows: &[usize]) -> Result<Array2<f64>, EstimateError> {
    let width = sides[0].ncols() + sides[1].ncols();
    let mut scores = Array2::zeros((rows.len(), rows.len()));
    for (mut of_row, &row) in scores.outer_iter_mut().zip(rows) {
        let mut pairs = Examples { values: Vec::with_capacity(rows.len() * width), classes: Vec::new() };
        for &other in rows {
            pairs.push(sides, row, other, 0);
        }
        let logits = network.outputs(&Rows::new(&pairs.values, width, width))?;
        for (score, logit) in of_row.iter_mut().zip(logits) {
            *score = f64::from(logit);
        }
    }
    Ok(scores)
}

/// One term for each sample of a batch, whose mean is the bound.
fn terms(scores: &Array2<f64>) -> Vec<f64> {
    let term = |(row, of_row): (usize, ArrayView1<'_, f64>)| {
        let largest = of_row.fold(f64::NEG_INFINITY, |largest, &score| largest.max(score));
        let sum: f64 = of_row.iter().map(|score| (score - largest).exp()).sum();
        of_row[row] - largest - (sum / of_row.len() as f64).ln()
    };
    scores.outer_iter().enumerate().map(term).collect()
}

/// A side in units of the training samples' standard deviations; coordinates that are constant there are left out.
fn standardized(side: ArrayView2<'_, f64>, training: &[usize]) -> Array2<f32> {
    let moments = columns::moments(side, Some(training));
    let kept: Vec<usize> = (0..side.ncols()).filter(|&column| moments.squares[column] > 0.0).collect();
    let mut centered = columns::only(columns::centered(side, None, moments.means.view()), &kept);
    centered /= &moments.squares.select(Axis(0), &kept).mapv(|square| (square / training.len() as f64).sqrt());
    #[expect(clippy::cast_possible_truncation, reason = "networks learn in single precision")]
    centered.mapv(|value| value as f32)
}
