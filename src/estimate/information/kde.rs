use serde::{Deserialize, Serialize};

use rayon::prelude::*;

use super::entropy::{Form, Space};
use super::several::Positive;
use super::{ContinuousInformation, Kept, Several, checks, kernel, mean_of_terms, three_entropies};
use crate::estimate::{Estimate, EstimateError, Flag, Paired};

/// The bandwidths that are tried first are this many, from a hundredth to ten times the one for normal samples.
const TRIED: usize = 9;

/// Steps of the golden section after that, which leave one part in 300 of the bandwidth open.
const STEPS: usize = 13;

/// Kernel densities, each sample's from all others.
///
/// # Formula
///
/// ```text
/// I(X; Y) = ⟨ln p(xᵢ, yᵢ) − ln p(xᵢ) − ln p(yᵢ)⟩
/// p(xᵢ) = 1/(n − 1) Σ exp(−|xᵢ − xⱼ|² / 2b²) / (2πb²)^(d/2),   j ≠ i
/// ```
///
/// with one bandwidth b for x, y and (x, y): that of the largest likelihood Π p(xᵢ, yᵢ), or as given. [`Form`] says in
/// which coordinates. Not clamped at zero.
///
/// # Use
///
/// For smooth densities in up to some four dimensions together, as a check on nearest neighbors. Kernels blur: strong
/// dependence comes out low. The standard error takes the bandwidth as given. Where samples repeat, the likelihood has no
/// maximum; the flag `bandwidth-at-edge` says so.
///
/// # Cost
///
/// O(n² d), with one exponential a pair, space and bandwidth; the likelihood takes 22 times that. Several bandwidths share
/// the distances.
///
/// # Reference
///
/// P. Hall, S. C. Morton, On the estimation of entropy, Annals of the Institute of Statistical Mathematics 45, 69–88
/// (1993), <https://doi.org/10.1007/BF00773669>. As used by I. Butakov et al., ICLR 2024, <https://arxiv.org/abs/2305.08013>.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Kde {
    /// The bandwidth b, in units of the coordinates; without it the most likely one. Or several, each for an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<Several<Positive>>,
    /// In which coordinates, and with which standard error.
    #[serde(default)]
    pub form: Form,
}

impl ContinuousInformation for Kde {
    fn estimates_of_series(&self, samples: Paired<'_>, kept: &Kept) -> Result<Vec<Estimate>, EstimateError> {
        let n = samples.len();
        if n < 3 {
            return Err(EstimateError::TooFewSamples { found: n, needed: 2 });
        }
        if checks::is_constant(samples.x()) || checks::is_constant(samples.y()) {
            return Ok(vec![
                Estimate::constant(n);
                self.bandwidth.as_ref().map_or(1, |several| several.as_slice().len())
            ]);
        }
        let (x, y) = (Space::new(samples.x(), self.form)?, Space::new(samples.y(), self.form)?);
        let joint = three_entropies::joint(&x, &y, None, self.form)?;
        let (bandwidths, at_edge) = self.bandwidths(&joint)?;
        // The most likely bandwidth is another one with each y.
        let kept = if self.bandwidth.is_some() { kept } else { &Kept::default() };
        let hx = kept.terms(|| Ok(entropy_terms(&x, &bandwidths)))?;
        let [hy, hxy] = [&y, &joint].map(|space| entropy_terms(space, &bandwidths));
        let estimates = bandwidths.iter().enumerate().map(|(place, bandwidth)| {
            let mut estimate = three_entropies::sum([hx, &hy, &hxy].map(|terms| &terms[place]), self.form);
            estimate.detail("bandwidth", *bandwidth);
            if at_edge {
                estimate.flag(Flag::BandwidthAtEdge);
            }
            checks::flag_pairs(&mut estimate, samples);
            checks::flag_negative(&mut estimate);
            x.flag(&mut estimate);
            y.flag(&mut estimate);
            estimate
        });
        Ok(estimates.collect())
    }

    fn kept_bytes(&self, _: usize) -> usize {
        self.bandwidth.as_ref().map_or(0, |several| several.as_slice().len() * size_of::<f64>())
    }

    fn shuffled(&self, samples: Paired<'_>, orders: &[Vec<usize>]) -> Result<Vec<Vec<f64>>, EstimateError> {
        let (x, y) = (Space::new(samples.x(), self.form)?, Space::new(samples.y(), self.form)?);
        let mean = |terms: &Vec<f64>| mean_of_terms(terms).value;
        let means = |space: &Space, bandwidths: &[f64]| -> Vec<f64> {
            entropy_terms(space, bandwidths).iter().map(mean).collect()
        };
        let values = |order: &Vec<usize>| {
            let joint = three_entropies::joint(&x, &y, Some(order), self.form)?;
            let (bandwidths, _) = self.bandwidths(&joint)?;
            let [hx, hy, hxy] = [&x, &y, &joint].map(|space| means(space, &bandwidths));
            Ok(hx.iter().zip(&hy).zip(hxy).map(|((hx, hy), hxy)| (hx + hy) - hxy).collect())
        };
        orders.par_iter().map(values).collect()
    }
}

impl Kde {
    /// The bandwidths, and whether the most likely one lies at an end of what was tried.
    fn bandwidths(&self, joint: &Space) -> Result<(Vec<f64>, bool), EstimateError> {
        match &self.bandwidth {
            Some(several) => Ok((several.as_slice().iter().map(|bandwidth| bandwidth.get()).collect(), false)),
            None => most_likely(joint).map(|(bandwidth, at_edge)| (vec![bandwidth], at_edge)),
        }
    }
}

/// −ln p of each sample, for each bandwidth.
fn entropy_terms(space: &Space, bandwidths: &[f64]) -> Vec<Vec<f64>> {
    let (n, d) = space.points.dim();
    let sums = kernel::log_sums_of_others(space.points.view(), bandwidths);
    let terms = sums.into_iter().zip(bandwidths).map(|(sums, bandwidth)| {
        let constant =
            (n as f64 - 1.0).ln() + d as f64 * (0.5 * std::f64::consts::TAU.ln() + bandwidth.ln()) + space.correction;
        sums.into_iter().map(|sum| constant - sum).collect()
    });
    terms.collect()
}

/// The bandwidth of the largest likelihood, each sample's density being that of all others.
fn most_likely(space: &Space) -> Result<(f64, bool), EstimateError> {
    let (n, d) = space.points.dim();
    let loss = |bandwidths: &[f64]| -> Vec<f64> {
        entropy_terms(space, bandwidths).iter().map(|terms| mean_of_terms(terms).value).collect()
    };
    let deviation = space.points.var_axis(ndarray::Axis(0), 0.0).mean().unwrap_or(0.0).sqrt();
    let normal = deviation * (4.0 / (d as f64 + 2.0) / n as f64).powf(1.0 / (d as f64 + 4.0));
    let (low, step) = ((0.01 * normal).ln(), 1000.0_f64.ln() / (TRIED - 1) as f64);
    let tried: Vec<f64> = (0..TRIED).map(|place| low + step * place as f64).collect();
    let losses = loss(&tried.iter().map(|log| log.exp()).collect::<Vec<_>>());
    let best = (0..TRIED).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).expect("some bandwidth was tried");
    if !losses[best].is_finite() {
        return Err(EstimateError::Numeric { step: "the bandwidth", reason: "no likelihood is finite".to_owned() });
    }
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut left, mut right) = (tried[best] - step, tried[best] + step);
    let (mut inner, mut outer) = (right - golden * (right - left), left + golden * (right - left));
    let one = |log: f64| loss(&[log.exp()])[0];
    let (mut at_inner, mut at_outer) = (one(inner), one(outer));
    for _ in 2..STEPS {
        if at_inner < at_outer {
            (right, outer, at_outer) = (outer, inner, at_inner);
            inner = right - golden * (right - left);
            at_inner = one(inner);
        } else {
            (left, inner, at_inner) = (inner, outer, at_outer);
            outer = left + golden * (right - left);
            at_outer = one(outer);
        }
    }
    Ok((if at_inner < at_outer { inner } else { outer }.exp(), best == 0 || best == TRIED - 1))
}
