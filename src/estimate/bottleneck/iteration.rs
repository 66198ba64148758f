use ndarray::Array2;

use super::{Encoder, Joint};
use crate::estimate::matrix::double;

/// An iteration that gains less of the objective per unit of the trade-off ends the search, in nats.
///
/// The gain falls geometrically; at this one less than 10⁻¹⁰ nats are left even where it falls by a part in ten thousand.
const LEAST_GAIN: f64 = 1e-14;

/// What an iteration ended with.
pub(super) struct Solution {
    pub(super) encoder: Encoder,
    /// Whether it ended because nothing was left to gain.
    pub(super) converged: bool,
}

/// Solves the self-consistent equations at one trade-off β, starting from an encoder.
///
/// ```text
/// p(t|x) ∝ exp[(ln p(t) − β KL(p(y|x) ‖ p(y|t))) / α]
/// ```
///
/// with p(t) and p(y|t) those of the encoder before. Each step lowers `H(T) − α H(T|X) − β I(T; Y)` (up to a constant), or
/// leaves it. α = 1 is the information bottleneck; at α = 0 each x goes to one t, the first of equals.
pub(super) fn solve(joint: &Joint, start: Encoder, beta: f64, alpha: f64, most: usize) -> Solution {
    let mut encoder = start;
    let mut last = f64::INFINITY;
    let negative_entropies: Vec<f64> =
        joint.posteriors().outer_iter().map(|row| row.iter().map(|&p| super::term(p, 1.0)).sum()).collect();
    for _ in 0..most {
        // A value of Y that no x of t has: not infinitely far, so that t can take up such an x.
        let logs = encoder.decoder.mapv(|q| q.max(f64::MIN_POSITIVE).ln());
        let cross = double::small_product_transposed(joint.posteriors(), logs.view());
        let log_p_t = encoder.p_t.mapv(f64::ln);
        let mut exponents =
            Array2::from_shape_fn(cross.dim(), |(x, t)| log_p_t[t] - beta * (negative_entropies[x] - cross[[x, t]]));
        let mut objective = 0.0;
        for (mut row, &p) in exponents.outer_iter_mut().zip(joint.p_x()) {
            let row = row.as_slice_mut().expect("arrays made here are in row order");
            objective -= p * choose(row, alpha);
        }
        encoder = Encoder::from_assignment(joint, exponents);
        if last - objective < LEAST_GAIN * (1.0 + beta) {
            return Solution { encoder, converged: true };
        }
        last = objective;
    }
    Solution { encoder, converged: false }
}

/// Turns exponents into probabilities; returns α ln Σ exp(exponent/α).
fn choose(row: &mut [f64], alpha: f64) -> f64 {
    let (place, largest) = row
        .iter()
        .enumerate()
        .fold((0, f64::NEG_INFINITY), |best, (t, &value)| if value > best.1 { (t, value) } else { best });
    if alpha <= 0.0 {
        row.fill(0.0);
        row[place] = 1.0;
        return largest;
    }
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = ((*value - largest) / alpha).exp();
        sum += *value;
    }
    for value in row {
        *value /= sum;
    }
    largest + alpha * sum.ln()
}
