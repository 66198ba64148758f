//! Dense networks: their initial weights, what they say of rows, and their gradients by way of candle.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::elements::{change, read};
use super::loss::Loss;
use super::product::product;
use super::training::Learner;
use super::{Rows, broken};
use crate::estimate::EstimateError;
use crate::estimate::random::SplitMix64;

/// Rows that go through a network at once when nothing is learned from them.
const ROWS: usize = 1024;

/// The shape of a dense network.
#[derive(Clone, Debug)]
pub(in crate::estimate) struct Architecture {
    /// The number of inputs.
    pub inputs: usize,
    /// The number of units of each hidden layer.
    pub hidden: Vec<usize>,
    /// The number of outputs; no activation follows them.
    pub outputs: usize,
    /// The slope of the hidden units below zero: 1 for linear units, 0 for rectifiers.
    pub slope: f32,
    /// The probability that a hidden unit is silent in a step of training.
    pub dropout: f32,
    /// What the network says of every row before it learns; none for random weights in the last layer too.
    pub start: Option<Vec<f32>>,
}

impl Architecture {
    /// The number of weights and intercepts.
    pub(in crate::estimate) fn n_parameters(&self) -> usize {
        self.pairs().map(|(inputs, outputs)| (inputs + 1) * outputs).sum()
    }

    /// The numbers of inputs and outputs of each layer.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let inputs = std::iter::once(self.inputs).chain(self.hidden.iter().copied());
        inputs.zip(self.hidden.iter().copied().chain([self.outputs]))
    }
}

/// A dense network.
pub(in crate::estimate) struct Network {
    layers: Vec<Layer>,
    slope: f32,
    dropout: f32,
}

/// A dense layer.
pub(super) struct Layer {
    /// Inputs × outputs.
    pub(super) weights: Var,
    pub(super) intercepts: Var,
}

impl Network {
    /// Draws weights and intercepts uniformly between ±1/√(number of inputs of their layer), as PyTorch does; the last
    /// layer's weights are zero where the architecture says what to start from.
    pub(super) fn new(architecture: &Architecture, random: &mut SplitMix64) -> Result<Self> {
        let mut layers = Vec::new();
        for (inputs, outputs) in architecture.pairs() {
            layers.push(Layer::new(inputs, outputs, random)?);
        }
        if let (Some(start), Some(last)) = (&architecture.start, layers.last()) {
            last.weights.set(&last.weights.zeros_like()?)?;
            last.intercepts.set(&Tensor::from_slice(start, start.len(), &Device::Cpu)?)?;
        }
        Ok(Self { layers, slope: architecture.slope, dropout: architecture.dropout })
    }

    /// What each hidden unit's sum is multiplied by: the slope on its side of zero, and the dropout.
    fn gate(&self, sums: &Tensor, random: Option<&mut SplitMix64>) -> Result<Tensor> {
        let mut gate = slopes(sums, self.slope)?;
        if let (Some(random), true) = (random, self.dropout > 0.0) {
            let scale = 1.0 / (1.0 - self.dropout);
            for pair in gate.chunks_mut(2) {
                let bits = random.next_u64();
                for (factor, bits) in pair.iter_mut().zip([bits >> 40, bits & 0xff_ffff]) {
                    let uniform = bits as f32 / (1_u32 << 24) as f32;
                    *factor *= if uniform < self.dropout { 0.0 } else { scale };
                }
            }
        }
        Tensor::from_vec(gate, sums.shape(), &Device::Cpu)
    }

    /// The outputs of rows that nothing is learned from, one row after the other.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Numeric`] if candle refuses an operation.
    pub(in crate::estimate) fn outputs(&self, rows: &Rows<'_>) -> core::result::Result<Vec<f32>, EstimateError> {
        let mut outputs = Vec::new();
        let all: Vec<usize> = (0..rows.len()).collect();
        for places in all.chunks(ROWS) {
            let block = rows.gather(places).and_then(|inputs| self.forward(&inputs)?.flatten_all()?.to_vec1());
            outputs.extend::<Vec<f32>>(block.map_err(broken)?);
        }
        Ok(outputs)
    }
}

impl Learner for Network {
    fn parameters(&self) -> Vec<Var> {
        self.layers.iter().flat_map(|layer| [layer.weights.clone(), layer.intercepts.clone()]).collect()
    }

    fn forward(&self, inputs: &Tensor) -> Result<Tensor> {
        let mut values = self.layers[0].sums(inputs)?;
        for layer in &self.layers[1..] {
            let gate = self.gate(&values, None)?;
            values = layer.sums(&(values * gate)?)?;
        }
        Ok(values)
    }

    /// Some units are silent. The gradients are taken here, since candle's would take three times as long: it takes that
    /// of the inputs too, and copies and adds what is only there once.
    fn gradients(
        &self,
        inputs: Tensor,
        places: &[usize],
        loss: &impl Loss,
        random: &mut SplitMix64,
    ) -> Result<(f64, Vec<Tensor>)> {
        let (last, hidden) = self.layers.split_last().expect("there is one layer at least");
        let mut seen = vec![inputs];
        let mut gates = Vec::new();
        for layer in hidden {
            let sums = layer.sums(seen.last().expect("the inputs were put there"))?;
            let gate = self.gate(&sums, Some(random))?;
            seen.push((sums * &gate)?);
            gates.push(gate);
        }
        let outputs = last.sums(seen.last().expect("the inputs were put there"))?;
        let (loss, mut of_sums) = loss.with_gradient(&outputs, places)?;
        let every = Tensor::ones((1, places.len()), DType::F32, &Device::Cpu)?;
        let mut gradients = Vec::new();
        for (place, layer) in self.layers.iter().enumerate().rev() {
            gradients.push(product(&every, &of_sums)?.flatten_all()?);
            gradients.push(product(&seen[place].t()?, &of_sums)?);
            if place > 0 {
                of_sums = (product(&of_sums, &layer.weights.as_detached_tensor().t()?)? * &gates[place - 1])?;
            }
        }
        gradients.reverse();
        Ok((loss, gradients))
    }
}

/// What each sum is multiplied by: 1 above zero, the slope below.
fn slopes(sums: &Tensor, slope: f32) -> Result<Vec<f32>> {
    read(sums, |sums| sums.iter().map(|&sum| if sum > 0.0 { 1.0 } else { slope }).collect())
}

/// Sums after their rectifier, which is a constant factor to the gradient.
pub(super) fn rectified(sums: &Tensor, slope: f32) -> Result<Tensor> {
    sums * Tensor::from_vec(slopes(sums, slope)?, sums.shape(), &Device::Cpu)?
}

impl Layer {
    /// Draws weights and intercepts uniformly between ±1/√(number of inputs).
    pub(super) fn new(inputs: usize, outputs: usize, random: &mut SplitMix64) -> Result<Self> {
        let bound = 1.0 / (inputs as f64).sqrt();
        #[expect(clippy::cast_possible_truncation, reason = "weights are in single precision")]
        let mut draw = |count: usize| -> Vec<f32> {
            (0..count).map(|_| (bound * (2.0 * random.uniform() - 1.0)) as f32).collect()
        };
        let weights = Var::from_vec(draw(inputs * outputs), (inputs, outputs), &Device::Cpu)?;
        let intercepts = Var::from_vec(draw(outputs), outputs, &Device::Cpu)?;
        Ok(Self { weights, intercepts })
    }

    /// The sums, from which no gradient can be taken by candle.
    fn sums(&self, inputs: &Tensor) -> Result<Tensor> {
        let sums = product(inputs, &self.weights.as_detached_tensor())?;
        change(&sums, &self.intercepts, |sums, intercepts| {
            for row in sums.chunks_exact_mut(intercepts.len()) {
                for (sum, intercept) in row.iter_mut().zip(intercepts) {
                    *sum += intercept;
                }
            }
        })?;
        Ok(sums)
    }

    /// The same as an operation of candle.
    pub(super) fn apply(&self, inputs: &Tensor) -> Result<Tensor> {
        product(inputs, &self.weights)?.broadcast_add(&self.intercepts)
    }
}
