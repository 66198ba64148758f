//! Normalizations that an exporter multiplied into the weights before them.
//!
//! Batch normalization in evaluation is y = s·(x − mean) + shift with s = scale / √(variance + ε).
//! Behind a linear map y = W·x + b it can be folded away: W′ = s·W and b′ = s·(b − mean) + shift.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::layout::{Piece, len};
use super::recipe::Obstacle;

/// What a normalization was folded into.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Part {
    /// s·W, along an axis of the initializer.
    Weight {
        /// The weight before folding, laid out as the initializer.
        piece: Piece,
        /// The axis of the channels.
        axis: usize,
    },
    /// s·(b − mean) + shift; without `bias`, b is zero.
    Bias {
        /// The bias before folding.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bias: Option<String>,
    },
    /// s alone.
    Factor,
}

/// A normalization and what it was folded into.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Folded {
    /// What it was folded into.
    pub part: Part,
    /// The scale (gamma); one without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<String>,
    /// The shift (beta); zero without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<String>,
    /// The running mean; zero without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<String>,
    /// The running variance.
    pub variance: String,
    /// The number under the root.
    pub epsilon: f64,
}

impl Folded {
    /// The tensors that the fold needs.
    pub(super) fn tensors(&self) -> Vec<&str> {
        let piece = match &self.part {
            Part::Weight { piece, .. } => Some(&piece.name),
            Part::Bias { bias } => bias.as_ref(),
            Part::Factor => None,
        };
        let parts = [piece, self.scale.as_ref(), self.shift.as_ref(), self.mean.as_ref(), Some(&self.variance)];
        parts.into_iter().flatten().map(String::as_str).collect()
    }

    pub(super) fn names(&mut self) -> Vec<&mut String> {
        let piece = match &mut self.part {
            Part::Weight { piece, .. } => Some(&mut piece.name),
            Part::Bias { bias } => bias.as_mut(),
            Part::Factor => None,
        };
        let parts = [piece, self.scale.as_mut(), self.shift.as_mut(), self.mean.as_mut(), Some(&mut self.variance)];
        parts.into_iter().flatten().collect()
    }

    /// The folded value, in row-major order of the initializer's shape.
    ///
    /// `double` reads a whole tensor, `whole` a piece in its layout.
    pub(super) fn value(
        &self,
        shape: &[usize],
        double: &dyn Fn(&str) -> Result<Vec<f64>, Obstacle>,
        whole: &dyn Fn(&Piece) -> Result<Vec<f64>, Obstacle>,
    ) -> Result<Vec<f64>, Obstacle> {
        let variance = double(&self.variance)?;
        let channels = variance.len();
        let vector = |name: &Option<String>, otherwise: f64| match name {
            None => Ok(vec![otherwise; channels]),
            Some(name) => same_length(name, double(name)?, channels),
        };
        let scale = vector(&self.scale, 1.0)?;
        let factor: Vec<f64> =
            scale.iter().zip(&variance).map(|(scale, variance)| factor_of(*scale, *variance, self.epsilon)).collect();
        match &self.part {
            Part::Factor => Ok(factor),
            Part::Bias { bias } => {
                let (bias, mean, shift) = (vector(bias, 0.0)?, vector(&self.mean, 0.0)?, vector(&self.shift, 0.0)?);
                Ok((0..channels).map(|c| factor[c] * (bias[c] - mean[c]) + shift[c]).collect())
            }
            Part::Weight { piece, axis } => {
                let mut values = same_length(&piece.name, whole(piece)?, len(shape))?;
                if shape.get(*axis) != Some(&channels) {
                    return Err(Obstacle::Tensor {
                        tensor: self.variance.clone(),
                        found: format!("{channels} values"),
                        needed: format!("one for each place on axis {axis} of shape {shape:?}"),
                    });
                }
                let inner = len(&shape[axis + 1..]);
                for (place, value) in values.iter_mut().enumerate() {
                    *value *= factor[place / inner % channels];
                }
                Ok(values)
            }
        }
    }
}

/// What a normalization multiplies a channel with.
pub(super) fn factor_of(scale: f64, variance: f64, epsilon: f64) -> f64 {
    scale / (variance + epsilon).sqrt()
}

fn same_length(tensor: &str, values: Vec<f64>, needed: usize) -> Result<Vec<f64>, Obstacle> {
    if values.len() == needed {
        return Ok(values);
    }
    Err(Obstacle::Tensor {
        tensor: tensor.to_owned(),
        found: format!("{} values", values.len()),
        needed: format!("{needed} values, as many as the normalization that it is folded with"),
    })
}

/// The fold in words: `conv.weight × bn.weight / √(bn.running_var + 0.00001)`.
impl fmt::Display for Folded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.scale.as_deref().unwrap_or("1");
        let factor = format!("{scale} / √({} + {})", self.variance, self.epsilon);
        match &self.part {
            Part::Factor => formatter.write_str(&factor),
            Part::Weight { piece, .. } => write!(formatter, "{piece} × {factor}"),
            Part::Bias { bias } => {
                let bias = bias.as_deref().unwrap_or("0");
                let mean = self.mean.as_deref().unwrap_or("0");
                let shift = self.shift.as_deref().unwrap_or("0");
                write!(formatter, "({bias} − {mean}) × {factor} + {shift}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// y = s·(W·x + b − mean) + shift is the same map as W′·x + b′.
    #[test]
    fn folding_keeps_the_map() {
        let table = |name: &str| -> Result<Vec<f64>, Obstacle> {
            Ok(match name {
                "scale" => vec![2.0, -0.5],
                "shift" => vec![0.25, 1.0],
                "mean" => vec![1.0, -2.0],
                "variance" => vec![4.0, 0.25],
                "bias" => vec![0.5, 3.0],
                _ => vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            })
        };
        let fold = |part| Folded {
            part,
            scale: Some("scale".to_owned()),
            shift: Some("shift".to_owned()),
            mean: Some("mean".to_owned()),
            variance: "variance".to_owned(),
            epsilon: 0.0,
        };
        let value = |part| fold(part).value(&[2, 3], &table, &|piece| table(&piece.name)).unwrap();
        let weight = value(Part::Weight { piece: Piece::whole("weight"), axis: 0 });
        let bias = value(Part::Bias { bias: Some("bias".to_owned()) });
        let x = [0.3, -1.2, 2.0];
        for channel in 0..2 {
            let plain: f64 = (0..3).map(|k| table("weight").unwrap()[channel * 3 + k] * x[k]).sum();
            let [scale, shift, mean, variance, before] =
                ["scale", "shift", "mean", "variance", "bias"].map(|name| table(name).unwrap()[channel]);
            let expected = scale / variance.sqrt() * (plain + before - mean) + shift;
            let folded: f64 = (0..3).map(|k| weight[channel * 3 + k] * x[k]).sum::<f64>() + bias[channel];
            assert!((expected - folded).abs() < 1e-12, "{expected} {folded}");
        }
    }
}
