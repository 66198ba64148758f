//! The steps that train a network.

use candle_core::{Result, Tensor, Var};

use super::elements::change;

/// How much of the mean gradient, and of its mean square, is kept from step to step.
const KEPT: [f64; 2] = [0.9, 0.999];

/// What keeps a step finite where the gradient has always been zero.
const LEAST: f32 = 1e-8;

/// `AdamW` in one pass over each parameter, where one operation after the other would take fourteen.
///
/// Loshchilov and Hutter, "Decoupled weight decay regularization", *ICLR* 2019, algorithm 2.
pub(super) struct Adam {
    parameters: Vec<(Var, Moments)>,
    learning_rate: f64,
    weight_decay: f64,
    steps: i32,
}

/// The mean gradient of each number, and its mean square.
struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Adam {
    pub(super) fn new(parameters: Vec<Var>, learning_rate: f64, weight_decay: f64) -> Self {
        let still = |parameter: &Var| vec![0.0; parameter.elem_count()];
        let with = |parameter: Var| {
            let moments = Moments { first: still(&parameter), second: still(&parameter) };
            (parameter, moments)
        };
        Self { parameters: parameters.into_iter().map(with).collect(), learning_rate, weight_decay, steps: 0 }
    }

    /// Makes the steps that follow so many times shorter.
    pub(super) fn shorten(&mut self, times: f64) {
        self.learning_rate /= times;
    }

    /// Takes a step down the gradients, which come in the order of the parameters.
    #[expect(clippy::cast_possible_truncation, reason = "networks compute in single precision")]
    pub(super) fn step(&mut self, gradients: &[Tensor]) -> Result<()> {
        self.steps += 1;
        let [kept, kept_square] = KEPT.map(|kept| kept as f32);
        let [new, new_square] = KEPT.map(|kept| (1.0 - kept) as f32);
        let [scale, scale_square] = KEPT.map(|kept| (1.0 / (1.0 - kept.powi(self.steps))) as f32);
        let shrink = (1.0 - self.learning_rate * self.weight_decay) as f32;
        let rate = self.learning_rate as f32;
        for ((parameter, Moments { first, second }), gradient) in self.parameters.iter_mut().zip(gradients) {
            change(parameter, gradient, |values, gradient| {
                let moments = first.iter_mut().zip(second.iter_mut());
                for ((value, gradient), (first, second)) in values.iter_mut().zip(gradient).zip(moments) {
                    *first = *first * kept + gradient * new;
                    *second = *second * kept_square + gradient * gradient * new_square;
                    let step = *first * scale / ((*second * scale_square).sqrt() + LEAST);
                    *value = *value * shrink - step * rate;
                }
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_nn::{AdamW, Optimizer, ParamsAdamW};

    use super::*;

    #[test]
    fn steps_are_those_of_candle() {
        let start = [0.5_f32, -2.0, 3.0, 0.0];
        let var = || Var::from_slice(&start, 4, &Device::Cpu).unwrap();
        let (ours, theirs) = (var(), var());
        let mut adam = Adam::new(vec![ours.clone()], 0.1, 0.01);
        let parameters = ParamsAdamW { lr: 0.1, weight_decay: 0.01, ..ParamsAdamW::default() };
        let mut candle = AdamW::new(vec![theirs.clone()], parameters).unwrap();
        for step in 1..=5_u8 {
            if step == 4 {
                adam.shorten(4.0);
                candle.set_learning_rate(0.1 / 4.0);
            }
            // The gradient of Σ w²(w − step): another one at each step.
            let gradient = |of: &Var| {
                let of = of.as_tensor();
                let loss = (of.sqr().unwrap() * (of - f64::from(step)).unwrap()).unwrap().sum_all().unwrap();
                loss.backward().unwrap()
            };
            adam.step(&[gradient(&ours).get(&ours).unwrap().clone()]).unwrap();
            candle.step(&gradient(&theirs)).unwrap();
            // The same operations on the same numbers in the same order.
            assert_eq!(ours.to_vec1::<f32>().unwrap(), theirs.to_vec1::<f32>().unwrap(), "step {step}");
        }
        assert_ne!(ours.to_vec1::<f32>().unwrap(), start);
    }
}
