use ndarray::Array2;

use super::Gradients;
use crate::estimate::EstimateError;

/// Signal and noise of one layer over the minibatches of an epoch, as the first study of them computed it.
///
/// # Formula
///
/// ```text
/// m = |⟨g_b⟩|          s = √⟨|g_b − ⟨g_b⟩|²⟩          SNR of layer l = (Σ_{j≤l} m_j)² / Σ_{j≤l} s_j
/// ```
///
/// over the mean gradients `g_b` of the minibatches, intercepts left out.
///
/// # Use
///
/// To compare with published plots only. The sums run over all layers up to l, the numerator is squared and the denominator is
/// not, so that the ratio has the unit of a gradient and depends on the batch; m is biased upwards. [`Signal`](super::Signal) is
/// free of units and of bias.
///
/// # Cost
///
/// O(n d K).
///
/// # Reference
///
/// R. Shwartz-Ziv, N. Tishby, Opening the black box of deep neural networks via information, 2017,
/// <https://arxiv.org/abs/1703.00810>, figure 4; the form is that of the authors' plotting code, not of the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// m in the formula.
    pub signal: f64,
    /// s in the formula.
    pub noise: f64,
}

impl Published {
    /// From the gradients of samples that are gone through in an order, `batch` at a time; what is left over is not used.
    ///
    /// # Errors
    ///
    /// [`EstimateError::TooFewSamples`] for fewer than two whole minibatches.
    pub fn of(gradients: &Gradients, order: &[usize], batch: usize) -> Result<Self, EstimateError> {
        let means: Vec<Array2<f64>> = order.chunks_exact(batch).map(|rows| gradients.at(rows).mean()).collect();
        if means.len() < 2 {
            return Err(EstimateError::TooFewSamples { found: order.len(), needed: 2 * batch - 1 });
        }
        let count = means.len() as f64;
        let mean = means.iter().fold(Array2::zeros(means[0].dim()), |sum: Array2<f64>, own| sum + own) / count;
        let square = |values: &Array2<f64>| values.iter().map(|value| value * value).sum::<f64>();
        let noise = means.iter().map(|own| square(&(own - &mean))).sum::<f64>() / count;
        Ok(Self { signal: square(&mean).sqrt(), noise: noise.sqrt() })
    }

    /// The ratio of each layer, from those of all layers in order; none where nothing varies.
    #[must_use]
    pub fn cumulative(layers: &[Self]) -> Vec<Option<f64>> {
        let (mut signal, mut noise) = (0.0, 0.0);
        let mut ratio = |layer: &Self| {
            signal += layer.signal;
            noise += layer.noise;
            (noise > 0.0).then(|| signal * signal / noise)
        };
        layers.iter().map(&mut ratio).collect()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::estimate::gradient::LastLayer;

    #[test]
    fn two_minibatches_by_hand() {
        // Logits of zero: p − y = ±(½, −½), so that the gradient of a sample is ±(z/2, −z/2).
        let (inputs, logits) = (array![[2.0], [4.0], [2.0], [0.0], [7.0]], Array2::zeros((5, 2)));
        let layer =
            LastLayer { inputs: inputs.view(), logits: logits.view(), labels: &[1, 1, 0, 0, 0], intercepts: false };
        let found = Published::of(&layer.gradients().unwrap(), &[0, 1, 2, 3, 4], 2).unwrap();
        // Minibatches of (1.5, −1.5) and (−0.5, 0.5): mean (0.5, −0.5), distance (1, −1) of both.
        assert!((found.signal - 0.5_f64.sqrt()).abs() < 1e-15 && (found.noise - 2.0_f64.sqrt()).abs() < 1e-15);
        let other = Published { signal: 1.0, noise: 1.0 };
        let ratios = Published::cumulative(&[other, found]);
        assert_eq!(ratios[0], Some(1.0));
        let expected = (1.0 + 0.5_f64.sqrt()).powi(2) / (1.0 + 2.0_f64.sqrt());
        assert!((ratios[1].unwrap() - expected).abs() < 1e-15);
        let error = Published::of(&layer.gradients().unwrap(), &[0, 1, 2], 2).unwrap_err();
        assert!(matches!(error, EstimateError::TooFewSamples { .. }));
    }
}
