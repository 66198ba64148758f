//! Gradients of the last layer against finite differences, and minibatches against all that could be drawn.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use infoplane::estimate::gradient::{Draw, Gradients, LastLayer, Signal, Strata, Stratum};
use infoplane::estimate::random::SplitMix64;
use ndarray::{Array2, Axis};

/// Activations, weights with intercepts in the last column, and labels.
fn layer(seed: u64, n: usize) -> (Array2<f64>, Array2<f64>, Vec<usize>) {
    let mut random = SplitMix64::new(seed);
    let inputs = Array2::from_shape_simple_fn((n, 4), || random.normal_pair().0);
    let weights = Array2::from_shape_simple_fn((3, 5), || random.normal_pair().0);
    let labels = (0..n).map(|_| random.below(3)).collect();
    (inputs, weights, labels)
}

fn logits(inputs: &Array2<f64>, weights: &Array2<f64>) -> Array2<f64> {
    inputs.dot(&weights.slice(ndarray::s![.., ..4]).t()) + weights.column(4)
}

fn gradients(seed: u64, n: usize) -> Gradients {
    let (inputs, weights, labels) = layer(seed, n);
    let logits = logits(&inputs, &weights);
    LastLayer { inputs: inputs.view(), logits: logits.view(), labels: &labels, intercepts: true }.gradients().unwrap()
}

/// Each sample's gradient, formed: the mean over that sample alone.
fn formed(gradients: &Gradients) -> Vec<Array2<f64>> {
    (0..gradients.len()).map(|row| gradients.at(&[row]).mean()).collect()
}

fn squared(values: &Array2<f64>) -> f64 {
    values.iter().map(|value| value * value).sum()
}

fn mean<'a>(of: impl Iterator<Item = &'a Array2<f64>>) -> Array2<f64> {
    let all: Vec<_> = of.map(|gradient| gradient.view()).collect();
    ndarray::stack(Axis(0), &all).unwrap().mean_axis(Axis(0)).unwrap()
}

#[test]
fn the_mean_gradient_is_the_slope_of_the_loss() {
    let (inputs, weights, labels) = layer(1, 20);
    let loss = |weights: &Array2<f64>| {
        let rows = logits(&inputs, weights);
        let each = rows.outer_iter().zip(&labels).map(|(row, &label)| row.mapv(f64::exp).sum().ln() - row[label]);
        each.sum::<f64>() / 20.0
    };
    let found = gradients(1, 20).mean();
    for place in [[0, 0], [1, 3], [2, 2], [0, 4], [2, 4]] {
        let mut moved = [weights.clone(), weights.clone()];
        moved[0][place] -= 1e-5;
        moved[1][place] += 1e-5;
        let slope = (loss(&moved[1]) - loss(&moved[0])) / 2e-5;
        // Third derivatives of the loss are of the order of one: 1e-10, and rounding 1e-11.
        assert!((found[place] - slope).abs() < 1e-8, "{place:?}: {} {slope}", found[place]);
    }
}

#[test]
fn sums_that_form_no_gradient_are_those_of_formed_ones() {
    let own = gradients(2, 9);
    let each = formed(&own);
    let average = mean(each.iter());
    let signal = Signal::of(&own).unwrap();
    let noise = each.iter().map(|gradient| squared(&(gradient - &average))).sum::<f64>() / 8.0;
    // Some hundred roundings of numbers near one.
    assert!((signal.noise - noise).abs() < 1e-13 && (signal.mean_squared - squared(&average)).abs() < 1e-14);
    // Unbiased: the mean product of two different samples.
    let pairs = (0..9).flat_map(|i| (0..9).map(move |j| (i, j))).filter(|(i, j)| i != j);
    let products = pairs.map(|(i, j)| (&each[i] * &each[j]).sum()).sum::<f64>() / 72.0;
    assert!((signal.squared - products).abs() < 1e-13, "{} {products}", signal.squared);
    for (norm, gradient) in own.squared_norms().iter().zip(&each) {
        assert!((norm - squared(gradient)).abs() < 1e-13);
    }
}

#[test]
fn the_ratio_grows_with_the_root_of_the_minibatch() {
    let signal = Signal { mean_squared: 1.5, squared: 1.44, std_error: 0.1, noise: 36.0, n_samples: 600 };
    assert_eq!((signal.ratio(1), signal.ratio(4), signal.ratio(16)), (Some(0.2), Some(0.4), Some(0.8)));
    assert_eq!((signal.noise_scale(), signal.ratio(25)), (Some(25.0), Some(1.0)));
    let nothing = Signal { squared: -0.1, ..signal };
    assert_eq!((nothing.ratio(4), nothing.noise_scale()), (None, None));
    let strata = Strata::of(&gradients(3, 12), &[0; 12]).unwrap();
    let ratio = |batch: f64| strata.simple_random(batch).ratio.unwrap();
    assert!((ratio(64.0) - 2.0 * ratio(16.0)).abs() < 1e-15 * ratio(64.0));
}

/// `methods.md`, section 4.4, but for its last ratio: 0.4/√0.04745 is 1.836293, not 1.836296.
#[test]
fn two_strata_give_the_known_table() {
    let stratum = |weight, mean, deviation: f64| Stratum { weight, mean: vec![mean], variance: deviation * deviation };
    let strata = Strata::new(vec![stratum(0.7, 1.0, 0.2), stratum(0.3, -1.0, 1.0)]).unwrap();
    let check = |draw: Draw, variance: f64, error: f64, ratio: f64| {
        assert!((draw.variance - variance).abs() < 1e-15, "{draw:?}");
        assert!((draw.variance + draw.squared_bias - error).abs() < 1e-15, "{draw:?}");
        assert!((draw.ratio.unwrap() - ratio).abs() < 1e-6, "{draw:?}");
    };
    check(strata.simple_random(10.0), 0.1168, 0.1168, 1.170_411_472);
    check(strata.proportional(10.0), 0.0328, 0.0328, 2.208_630_521_5);
    check(strata.neyman(10.0), 0.01936, 0.01936, 2.874_797_872_8);
    check(strata.mixture(&[5, 5]).unwrap(), 0.052, 0.212, 0.868_744);
    check(strata.mixture(&[7, 3]).unwrap(), 0.0328, 0.0328, 2.208_631);
    check(strata.mixture(&[8, 2]).unwrap(), 0.0232, 0.0632, 1.591_115);
    check(strata.mixture(&[9, 1]).unwrap(), 0.0136, 0.1736, 0.960_031);
    check(strata.weighted_mixture(&[8, 2]).unwrap(), 0.04745, 0.04745, 1.836_293);
    let misleading = |counts: [usize; 2]| strata.mixture(&counts).unwrap().ratio_without_bias.unwrap();
    for (counts, ratio) in [([5, 5], 1.75), ([7, 3], 2.21), ([8, 2], 2.63), ([9, 1], 3.43)] {
        assert!((misleading(counts) - ratio).abs() < 0.005, "{counts:?}");
    }
    assert!((10.0 * strata.neyman_parts().unwrap()[0] - 3.1818).abs() < 1e-4);
}

/// Every minibatch that could be drawn, once.
#[test]
fn laws_are_those_of_all_minibatches() {
    let own = gradients(5, 5);
    let members = [0, 1, 0, 1, 1];
    let (each, strata) = (formed(&own), Strata::of(&own, &members).unwrap());
    let truth = mean(each.iter());
    let pairs = (0..5).flat_map(|i| (0..5).map(move |j| [i, j]));
    let errors: f64 = pairs.map(|rows| squared(&(mean(rows.map(|row| &each[row]).into_iter()) - &truth))).sum();
    assert!((strata.simple_random(2.0).variance - errors / 25.0).abs() < 1e-13);
    // One of the two of stratum 0 and two of the three of stratum 1.
    let rows = |stratum: usize| (0..5).filter(move |&row| members[row] == stratum);
    let batches: Vec<[usize; 3]> =
        rows(0).flat_map(|a| rows(1).flat_map(move |b| rows(1).map(move |c| [a, b, c]))).collect();
    assert_eq!(batches.len(), 18);
    let means: Vec<Array2<f64>> = batches.iter().map(|rows| mean(rows.iter().map(|&row| &each[row]))).collect();
    let expected = mean(means.iter());
    let variance = means.iter().map(|mean| squared(&(mean - &expected))).sum::<f64>() / 18.0;
    let draw = strata.mixture(&[1, 2]).unwrap();
    assert!(
        (draw.variance - variance).abs() < 1e-13 && (draw.squared_bias - squared(&(&expected - &truth))).abs() < 1e-13
    );
    let weighted = |rows: &[usize; 3]| &each[rows[0]] * 0.4 + (&each[rows[1]] + &each[rows[2]]) * 0.3;
    let error = batches.iter().map(|rows| squared(&(weighted(rows) - &truth))).sum::<f64>() / 18.0;
    assert!((strata.weighted_mixture(&[1, 2]).unwrap().variance - error).abs() < 1e-13);
}

#[test]
fn what_is_no_last_layer_is_refused() {
    let (inputs, weights, labels) = layer(1, 6);
    let logits = logits(&inputs, &weights);
    let try_with = |labels: &[usize]| {
        LastLayer { inputs: inputs.view(), logits: logits.view(), labels, intercepts: false }.gradients()
    };
    assert!(
        try_with(&[0, 1, 2, 3, 0, 0]).unwrap_err().to_string().contains("label 3 at row 3 and logits of 3 classes")
    );
    assert!(try_with(&labels[..5]).unwrap_err().to_string().contains("6 activations, 6 logits and 5 labels"));
    let own = try_with(&labels).unwrap();
    assert!(Signal::of(&own.at(&[0])).is_err());
    assert!(Strata::of(&own, &[0, 0, 2, 2, 0, 0]).unwrap_err().to_string().contains("stratum 1 of 3 has no sample"));
    let strata = Strata::of(&own, &[0, 0, 1, 1, 0, 0]).unwrap();
    assert!(strata.mixture(&[3]).unwrap_err().to_string().contains("needed 2 numbers"));
    assert!(strata.weighted_mixture(&[3, 0]).is_err());
}
