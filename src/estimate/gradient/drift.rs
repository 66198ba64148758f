use crate::estimate::EstimateError;

/// How weights move over a stretch of training: the part that goes one way, and the part that wanders.
///
/// # Formula
///
/// ```text
/// v   = W / T,   W = w_m − w_0,   T = t_m − t_0
/// σ²  = (Σ |Δwᵢ|²/Δtᵢ − |W|²/T) / (m − 1)
/// |v|² − σ²/T  is unbiased of the squared drift
/// ```
///
/// for m moves Δwᵢ = wᵢ − wᵢ₋₁ in Δtᵢ steps: the most likely drift v and diffusion σ² (summed over weights) of Brownian motion with
/// drift, whatever the spacing of the checkpoints. The ratio |v|/σ is that of one step.
///
/// # Use
///
/// Where gradients are not known. For plain gradient descent at one rate, v = −η μ and σ² = η² tr Σ/b: the ratio is the
/// signal-to-noise ratio of the minibatch, with the same value for momentum if checkpoints lie further apart than it remembers.
/// The drift should change little within the stretch: a curved path counts as noise.
///
/// # Cost
///
/// O(D) a move of D weights.
///
/// # Reference
///
/// Maximum likelihood of Brownian motion with drift; phases of drift and diffusion after R. Shwartz-Ziv, N. Tishby,
/// Opening the black box of deep neural networks via information, 2017, <https://arxiv.org/abs/1703.00810>. As a measure of
/// archives it is ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// |v|², biased upwards by σ²/T.
    pub mean_squared: f64,
    /// The unbiased square of the drift in one step; may be negative.
    pub squared: f64,
    /// σ², the variance that one step adds.
    pub noise: f64,
    /// The moves.
    pub moves: usize,
}

impl Drift {
    /// From the squared length and the steps of each move, and the squared distance between the ends.
    ///
    /// # Errors
    ///
    /// [`EstimateError::TooFewSamples`] for fewer than two moves, [`EstimateError::Degenerate`] for one without a step.
    pub fn of(moves: &[(f64, f64)], squared_distance: f64) -> Result<Self, EstimateError> {
        if moves.len() < 2 {
            return Err(EstimateError::TooFewSamples { found: moves.len(), needed: 1 });
        }
        if let Some((_, steps)) = moves.iter().find(|(_, steps)| !(*steps > 0.0 && steps.is_finite())) {
            return Err(EstimateError::Degenerate { reason: format!("found a move of {steps} steps, needed some") });
        }
        let time: f64 = moves.iter().map(|(_, steps)| steps).sum();
        let paced: f64 = moves.iter().map(|(squared, steps)| squared / steps).sum();
        let noise = (paced - squared_distance / time).max(0.0) / (moves.len() - 1) as f64;
        let mean_squared = squared_distance / (time * time);
        Ok(Self { mean_squared, squared: mean_squared - noise / time, noise, moves: moves.len() })
    }

    /// The ratio of drift and diffusion in one step; none where no drift is seen, or no diffusion.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.squared > 0.0 && self.noise > 0.0).then(|| (self.squared / self.noise).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::random::SplitMix64;

    #[test]
    fn three_moves_by_hand() {
        // Along a line: 0 → 1 in one step, → 3 in two, → 2 in one.
        let found = Drift::of(&[(1.0, 1.0), (4.0, 2.0), (1.0, 1.0)], 4.0).unwrap();
        // Σ|Δ|²/Δt = 4, |W|²/T = 1: σ² = 3/2, |v|² = 1/4, less σ²/T.
        assert_eq!(found, Drift { mean_squared: 0.25, squared: 0.25 - 0.375, noise: 1.5, moves: 3 });
        assert_eq!(found.ratio(), None);
        let straight = Drift::of(&[(1.0, 1.0), (4.0, 2.0)], 9.0).unwrap();
        assert_eq!(straight, Drift { noise: 0.0, ..straight });
        assert!(Drift::of(&[(1.0, 1.0)], 1.0).is_err() && Drift::of(&[(1.0, 0.0), (1.0, 1.0)], 1.0).is_err());
    }

    /// 20 weights that drift by 0.1 each a step (|v|² = 0.2) and wander by 1 (σ² = 20), at uneven steps.
    #[test]
    fn brownian_motion_with_drift_is_found_without_bias() {
        let mut random = SplitMix64::new(3);
        let (mut squared, mut noise) = (0.0, 0.0);
        let draws = 400;
        for _ in 0..draws {
            let mut at = [0.0; 20];
            let mut moves = Vec::new();
            for steps in [1.0_f64, 2.0, 4.0, 8.0, 16.0, 32.0] {
                let moved = at.map(|_| 0.1 * steps + steps.sqrt() * random.normal_pair().0);
                moves.push((moved.iter().map(|value| value * value).sum(), steps));
                at = std::array::from_fn(|j| at[j] + moved[j]);
            }
            let found = Drift::of(&moves, at.iter().map(|value| value * value).sum()).unwrap();
            squared += found.squared / f64::from(draws);
            noise += found.noise / f64::from(draws);
        }
        // One draw's |v|² scatters by about √(4·0.2/63 + 2·20/63²) = 0.15, σ² by √(2·20/5) = 2.8; four errors of 400.
        assert!((squared - 0.2).abs() < 0.03, "{squared}");
        assert!((noise - 20.0).abs() < 0.6, "{noise}");
    }
}
