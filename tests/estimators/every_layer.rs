//! Gradients of every layer against finite differences of a network in plain loops, and against those of the last layer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use infoplane::estimate::gradient::{
    Ending, EveryLayer, Gradients, LastLayer, Operation, Published, Signal, Source, Step, Weights, Windows,
};
use infoplane::estimate::random::SplitMix64;
use ndarray::{Array1, Array2, Array4, ArrayD, Axis, s};

const SAMPLES: usize = 6;

/// A convolution, a second one behind pools, and three dense layers; one of them beside another path.
#[derive(Clone)]
struct Network {
    weights: Vec<Array2<f64>>,
    intercepts: Vec<Option<Array1<f64>>>,
}

fn network() -> (Network, Array4<f64>, Vec<usize>) {
    let mut random = SplitMix64::new(7);
    let mut normal = |rows, columns| Array2::from_shape_simple_fn((rows, columns), || 0.4 * random.normal_pair().0);
    let weights: Vec<Array2<f64>> =
        [(18, 3), (3, 4), (12, 4), (4, 4), (4, 3)].into_iter().map(|(rows, columns)| normal(rows, columns)).collect();
    let intercepts = weights.iter().enumerate();
    let intercepts = intercepts.map(|(at, weights)| (at != 2).then(|| Array1::linspace(-0.2, 0.3, weights.ncols())));
    let network = Network { intercepts: intercepts.collect(), weights };
    let samples = Array4::from_shape_simple_fn((SAMPLES, 2, 5, 5), || random.normal_pair().0);
    (network, samples, (0..SAMPLES).map(|place| place % 3).collect())
}

fn windows(kernel: usize, stride: usize, pads: (usize, usize)) -> Windows {
    Windows { kernel: vec![kernel; 2], strides: vec![stride; 2], pads: vec![pads; 2], dilations: vec![1; 2] }
}

impl Network {
    fn steps(&self) -> Vec<Step> {
        let weights =
            |at: usize| Weights { weights: self.weights[at].clone(), intercepts: self.intercepts[at].clone() };
        let constant =
            |value: f64| Source::Constant(ArrayD::from_shape_fn(vec![1, 3, 1, 1], |at| value + at[1] as f64));
        let on = |operation, places: &[usize]| Step {
            operation,
            sources: places.iter().map(|&place| Source::Step(place)).collect(),
        };
        let with = |operation, place, constant| Step { operation, sources: vec![Source::Step(place), constant] };
        vec![
            Step { operation: Operation::Convolution(weights(0), windows(3, 1, (1, 1))), sources: vec![Source::Input] },
            on(Operation::Rectify(0.1), &[0]),
            on(Operation::AveragePool(windows(2, 1, (1, 0)), false), &[1]),
            on(Operation::GlobalAveragePool, &[2]),
            on(Operation::Reshape(vec![3]), &[3]),
            on(Operation::Linear(weights(1)), &[4]),
            on(Operation::MaxPool(windows(3, 2, (0, 0))), &[2]),
            with(Operation::Divide, 6, constant(1.5)),
            with(Operation::Subtract, 7, constant(-0.1)),
            on(Operation::Tanh, &[8]),
            on(Operation::Transpose(vec![0, 2, 3, 1]), &[9]),
            on(Operation::Reshape(vec![-1]), &[10]),
            on(Operation::Linear(weights(2)), &[11]),
            on(Operation::Sigmoid, &[12]),
            on(Operation::Linear(weights(3)), &[13]),
            on(Operation::Add, &[14, 13]),
            on(Operation::Multiply, &[15, 5]),
            on(Operation::Linear(weights(4)), &[16]),
        ]
    }

    fn dense(&self, at: usize, x: &Array2<f64>) -> Array2<f64> {
        let made = x.dot(&self.weights[at]);
        match &self.intercepts[at] {
            Some(intercepts) => made + intercepts,
            None => made,
        }
    }

    /// What the last layer multiplies, and the logits, in plain loops.
    fn run(&self, samples: &Array4<f64>) -> (Array2<f64>, Array2<f64>) {
        let convolved = Array4::from_shape_fn((SAMPLES, 3, 5, 5), |(n, k, i, j)| {
            let mut sum = self.intercepts[0].as_ref().unwrap()[k];
            for (c, p, q) in (0..2).flat_map(|c| (0..9).map(move |place| (c, place / 3, place % 3))) {
                if (1..6).contains(&(i + p)) && (1..6).contains(&(j + q)) {
                    sum += samples[[n, c, i + p - 1, j + q - 1]] * self.weights[0][[9 * c + 3 * p + q, k]];
                }
            }
            if sum > 0.0 { sum } else { 0.1 * sum }
        });
        let pooled = Array4::from_shape_fn((SAMPLES, 3, 5, 5), |(n, k, i, j)| {
            convolved.slice(s![n, k, i.saturating_sub(1)..=i, j.saturating_sub(1)..=j]).mean().unwrap()
        });
        let means = pooled.mean_axis(Axis(3)).unwrap().mean_axis(Axis(2)).unwrap();
        let gate = self.dense(1, &means);
        let flat = Array2::from_shape_fn((SAMPLES, 12), |(n, at)| {
            let (i, j, k) = (at / 6, at / 3 % 2, at % 3);
            let largest = pooled.slice(s![n, k, 2 * i..2 * i + 3, 2 * j..2 * j + 3]);
            let largest = largest.fold(f64::NEG_INFINITY, |largest, &value| largest.max(value));
            (largest / (1.5 + k as f64) - (k as f64 - 0.1)).tanh()
        });
        let hidden = self.dense(2, &flat).mapv(|value| 1.0 / (1.0 + (-value).exp()));
        let last = (self.dense(3, &hidden) + &hidden) * gate;
        let logits = self.dense(4, &last);
        (last, logits)
    }

    fn loss(&self, samples: &Array4<f64>, labels: &[usize]) -> f64 {
        let (_, logits) = self.run(samples);
        let each = logits.outer_iter().zip(labels).map(|(row, &label)| row.mapv(f64::exp).sum().ln() - row[label]);
        each.sum::<f64>() / SAMPLES as f64
    }
}

/// Asks something of all gradients of a network.
fn of<T>(
    (network, samples, labels): &(Network, Array4<f64>, Vec<usize>),
    ending: Ending,
    outputs: &Array2<f64>,
    ask: impl Fn(&EveryLayer<'_>) -> T,
) -> T {
    let steps = network.steps();
    let inputs = |rows: &[usize]| samples.select(Axis(0), rows).into_dyn();
    ask(&EveryLayer { steps: &steps, ending, inputs: &inputs, labels, outputs: outputs.view() })
}

const ALL: [usize; SAMPLES] = [4, 0, 3, 5, 1, 2];

fn gradients(all: &(Network, Array4<f64>, Vec<usize>)) -> Vec<Gradients> {
    let (_, logits) = all.0.run(&all.1);
    of(all, Ending::Logits, &logits, |every| every.gradients(&ALL).unwrap())
}

#[test]
fn mean_gradients_are_slopes_of_the_loss() {
    let all = network();
    let (network, samples, labels) = &all;
    // Layers come in the order of the steps, which is that of the weights.
    for (at, layer) in gradients(&all).iter().enumerate() {
        let mean = layer.mean();
        let largest = mean.fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let n_inputs = network.weights[at].nrows();
        assert_eq!(mean.dim(), (network.weights[at].ncols(), n_inputs + usize::from(network.intercepts[at].is_some())));
        for ((output, input), &found) in mean.indexed_iter() {
            let slope = |step: f64| {
                let mut moved = network.clone();
                match &mut moved.intercepts[at] {
                    Some(intercepts) if input == n_inputs => intercepts[output] += step,
                    _ => moved.weights[at][[input, output]] += step,
                }
                moved.loss(samples, labels)
            };
            let slope = (slope(1e-5) - slope(-1e-5)) / 2e-5;
            // Third derivatives are of the order of one: 1e-10; a rounding of the loss is 1e-11 of it.
            assert!((found - slope).abs() < 1e-6 * largest, "layer {at}, {output} {input}: {found} {slope}");
        }
    }
}

#[test]
fn sums_are_those_of_formed_gradients_and_the_last_layer_is_as_ever() {
    let all = network();
    let layers = gradients(&all);
    for layer in &layers {
        let (norms, mean) = (layer.squared_norms(), layer.mean());
        let products = layer.products(mean.view());
        for row in 0..SAMPLES {
            let formed = layer.at(&[row]).mean();
            let squared: f64 = formed.iter().map(|value| value * value).sum();
            assert!((norms[row] - squared).abs() < 1e-13 && (products[row] - (&formed * &mean).sum()).abs() < 1e-13);
        }
    }
    let (network, samples, labels) = &all;
    let (last, logits) = network.run(samples);
    let exact = LastLayer { inputs: last.view(), logits: logits.view(), labels, intercepts: true }.gradients().unwrap();
    let apart = (exact.at(&ALL).mean() - layers[4].mean()).mapv(f64::abs).sum();
    assert!(apart < 1e-13, "{apart}");
}

#[test]
fn signals_over_minibatches_are_those_of_all_gradients_at_once() {
    let all = network();
    let (_, logits) = all.0.run(&all.1);
    let found = of(&all, Ending::Logits, &logits, |every| every.signals(&ALL, 4).unwrap());
    for (found, layer) in found.iter().zip(gradients(&all)) {
        let expected = Signal::of(&layer).unwrap();
        for (found, expected) in [
            (found.signal.squared, expected.squared),
            (found.signal.noise, expected.noise),
            (found.signal.std_error, expected.std_error),
        ] {
            assert!((found - expected).abs() < 1e-12 * expected.abs(), "{found} {expected}");
        }
        assert_eq!((found.n_weights, found.published), (layer.mean().len(), None), "one whole minibatch only");
    }
    let published = of(&all, Ending::Logits, &logits, |every| every.signals(&ALL, 2).unwrap())[4].published.unwrap();
    let (network, samples, labels) = &all;
    let (last, _) = network.run(samples);
    let weights = LastLayer { inputs: last.view(), logits: logits.view(), labels, intercepts: false };
    let expected = Published::of(&weights.gradients().unwrap(), &ALL, 2).unwrap();
    assert!((published.signal - expected.signal).abs() < 1e-13 && (published.noise - expected.noise).abs() < 1e-13);
}

#[test]
fn outputs_that_the_network_did_not_give_are_refused() {
    let all = network();
    let (_, logits) = all.0.run(&all.1);
    let sums = logits.mapv(f64::exp).sum_axis(Axis(1)).insert_axis(Axis(1));
    let probabilities = logits.mapv(f64::exp) / &sums;
    for (ending, outputs) in [
        (Ending::Softmax, &probabilities),
        (Ending::LogSoftmax, &probabilities.mapv(f64::ln)),
        (Ending::Logits, &logits),
    ] {
        assert!(of(&all, ending, outputs, |every| every.gradients(&ALL)).is_ok(), "{ending:?}");
    }
    let error = of(&all, Ending::Logits, &(&logits + 0.01), |every| every.gradients(&ALL)).unwrap_err().to_string();
    assert!(error.contains("up to 1.00e-2 away") && error.contains("the translation is wrong"), "{error}");
    let mut few = all.clone();
    few.2[5] = 3;
    let error = of(&few, Ending::Logits, &logits, |every| every.gradients(&ALL)).unwrap_err().to_string();
    assert!(error.contains("found label 3 and logits of 3 classes"), "{error}");
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let all = network();
    let (_, logits) = all.0.run(&all.1);
    let inputs = |rows: &[usize]| all.1.select(Axis(0), rows).into_dyn();
    for operation in [Operation::Reshape(vec![7, -1]), Operation::MaxPool(windows(6, 1, (0, 0)))] {
        let steps = [Step { operation, sources: vec![Source::Input] }];
        let every = EveryLayer {
            steps: &steps,
            ending: Ending::Logits,
            inputs: &inputs,
            labels: &all.2,
            outputs: logits.view(),
        };
        assert!(every.gradients(&ALL).is_err());
    }
}
