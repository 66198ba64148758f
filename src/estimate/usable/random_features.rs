use std::f64::consts::TAU;
use std::num::NonZeroUsize;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::expand;
use super::fitted::{Classes, Fitted};
use super::kernels::{self, Block};
use super::linear::Linear;
use super::standardize::{Features, Scaler};
use crate::estimate::random::SplitMix64;
use crate::estimate::{EstimateError, Split};

/// Training samples whose distances to each other set the bandwidth.
const SAMPLES: usize = 128;

/// Weights that stay in the cache while a block of samples is multiplied by them.
const CACHED: usize = 1 << 16;

/// Information about a label that a softmax-linear probe can read from random waves over the units.
///
/// # Formula
///
/// ```text
/// q(·|z) = softmax(W·φ(s(z)) + b),   φ(s)ⱼ = cos(ωⱼ·s + βⱼ),   ωⱼ ~ N(0, I/ℓ²),   βⱼ uniform on [0, 2π)
/// ```
///
/// s standardizes each unit by its mean and standard deviation on the training samples, and leaves out the constant ones.
/// The bandwidth ℓ is `bandwidth` times the median of the distances between the first 128 training samples, those that
/// coincide left out. Each feature is standardized by the linear probe, whose penalty, cross-validation and solution apply
/// to them; the factor √(2/D) of the source drops out there.
///
/// The waves are drawn from the seed, a direction for every unit of the layer, varying or not: with the same seed it is
/// the same map for all checkpoints, up to the standardization and the bandwidth.
///
/// # Use
///
/// A nonlinear probe whose optimum is unique: with many features it comes close to logistic regression with the kernel
/// `exp(−|s − s′|²/2ℓ²)`. It reads curved borders between classes in layers of any width, such as an exclusive or; like
/// the kernel it sees less the more units there are that say nothing. The result varies with the seed, by less the more
/// features there are; and many features overfit few samples, against which the penalty is chosen.
///
/// # Cost
///
/// O(n·d·D) for D features, and that of the linear probe of D units; beside its copy one f32 array of all features is
/// held, and D × d directions.
///
/// # Reference
///
/// A. Rahimi, B. Recht, Random features for large-scale kernel machines, NIPS 2007, algorithm 1; the bandwidth is that of
/// the median heuristic.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RandomFeatures {
    /// The number of features D; by default 1024.
    pub features: NonZeroUsize,
    /// ℓ in median distances; by default 1.
    pub bandwidth: Bandwidth,
    /// How the probe of the features is fitted.
    pub linear: Linear,
}

/// A positive number of median distances.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Bandwidth(f64);

impl Default for RandomFeatures {
    fn default() -> Self {
        let features = NonZeroUsize::new(1024).expect("1024 is not zero");
        Self { features, bandwidth: Bandwidth(1.0), linear: Linear::default() }
    }
}

impl TryFrom<f64> for Bandwidth {
    type Error = String;

    fn try_from(bandwidth: f64) -> Result<Self, String> {
        if bandwidth.is_finite() && bandwidth > 0.0 {
            Ok(Self(bandwidth))
        } else {
            Err(format!("bandwidth {bandwidth} is not positive"))
        }
    }
}

impl From<Bandwidth> for f64 {
    fn from(bandwidth: Bandwidth) -> Self {
        bandwidth.0
    }
}

impl RandomFeatures {
    /// Fits the probe to the training rows of z, one row a sample, and lets it judge the held-out rows.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Degenerate`] if the first training samples coincide.
    pub(super) fn fit<T: Copy + Into<f64> + Sync>(
        &self,
        z: ArrayView2<'_, T>,
        classes: &Classes<'_>,
        split: &Split,
        seed: u64,
    ) -> Result<Fitted, EstimateError> {
        let scaler = Scaler::new(z, &split.train);
        if scaler.n_columns() == 0 {
            return Ok(expand::fit(&self.linear, (z, &scaler), classes, split, 0, |_, _| {}));
        }
        let first = &split.train[..split.train.len().min(SAMPLES)];
        let bandwidth = self.bandwidth.0 * median_distance(&scaler.apply(z, first), first.len())?;
        let waves = Waves::draw(self.features.get(), z.ncols(), &scaler, bandwidth, seed);
        let n_features = self.features.get();
        let features = |block: Block<'_>, out: &mut [f32]| waves.write(block, out);
        let mut fitted = expand::fit(&self.linear, (z, &scaler), classes, split, n_features, features);
        fitted.details.insert("bandwidth".to_owned(), bandwidth.into());
        Ok(fitted)
    }
}

/// The median of the distances between the first `n` samples, those of zero left out.
fn median_distance(samples: &Features, n: usize) -> Result<f64, EstimateError> {
    let row = |sample: usize| samples.block(sample, 1).features;
    let mut squares = Vec::with_capacity(n * n / 2);
    for left in 0..n {
        for right in 0..left {
            let pairs = row(left).iter().zip(row(right));
            squares.push(pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>());
        }
    }
    squares.retain(|&square| square > 0.0);
    squares.sort_unstable_by(f64::total_cmp);
    squares.get(squares.len() / 2).map(|square| square.sqrt()).ok_or_else(|| EstimateError::Degenerate {
        reason: format!(
            "the first {n} training samples coincide, which leaves no distance to set a bandwidth by; probe the layer \
             with `linear` or `quadratic`"
        ),
    })
}

/// Random waves over standardized units.
struct Waves {
    /// The directions over the bandwidth, one after the other, in the padded columns of the varying units.
    directions: Vec<f32>,
    phases: Vec<f32>,
    stride: usize,
}

impl Waves {
    #[expect(clippy::cast_possible_truncation, reason = "features are in single precision")]
    fn draw(n_features: usize, n_units: usize, scaler: &Scaler, bandwidth: f64, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let stride = scaler.stride();
        let mut directions = vec![0.0; n_features * stride];
        let mut phases = Vec::with_capacity(n_features);
        let mut normals = Vec::with_capacity(n_units + 1);
        for direction in directions.chunks_exact_mut(stride) {
            phases.push((TAU * random.uniform()) as f32);
            normals.clear();
            while normals.len() < n_units {
                normals.extend(<[f64; 2]>::from(random.normal_pair()));
            }
            for (entry, unit) in direction.iter_mut().zip(scaler.kept()) {
                *entry = (normals[unit] / bandwidth) as f32;
            }
        }
        Self { directions, phases, stride }
    }

    /// Writes the features of a block of samples, row after row.
    fn write(&self, block: Block<'_>, out: &mut [f32]) {
        let n_features = self.phases.len();
        let at_once = (CACHED / self.stride).max(1);
        let mut products = vec![0.0; at_once.min(n_features) * block.rows];
        let parts = self.directions.chunks(at_once * self.stride).zip(self.phases.chunks(at_once));
        for (part, (directions, phases)) in parts.enumerate() {
            let products = &mut products[..phases.len() * block.rows];
            kernels::logits(block, directions, phases, products);
            for (feature, products) in products.chunks_exact(block.rows).enumerate() {
                for (sample, product) in products.iter().enumerate() {
                    out[sample * n_features + part * at_once + feature] = product.cos();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
