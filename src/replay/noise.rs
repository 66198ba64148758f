//! Noise that makes a network stochastic: how much, where, and its values.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::estimate::random::SplitMix64;
use crate::graph::TapSide;

/// Which noise makes the network stochastic.
///
/// Between a continuous input and a layer that is a function of it there is no end of information. Gaussian noise
/// makes an end (Goldfeld et al., *Estimating information flow in deep neural networks*, ICML 2019).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Noise {
    /// The network as it is.
    #[default]
    None,
    /// On what is read out of each tap, after pooling; the network itself computes without it.
    ReadOut(ReadOut),
    /// On tensors of the graph, so that all later layers see it.
    Propagated(Propagated),
}

/// Noise on what is read out.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReadOut {
    /// How large it is.
    pub deviation: Deviation,
}

/// Noise inside the network.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Propagated {
    /// How large it is.
    pub deviation: Deviation,
    /// The tensors it is put on: names or globs, inputs of the graph among them. Without it, the taps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Vec<String>>,
    /// Whether a tap shows its own noise, or only that of earlier tensors.
    #[serde(default)]
    pub taps: TapSide,
}

/// The standard deviation σ of the noise; z is standard normal, for each element of each sample anew.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deviation {
    /// t + σz, in the units of the tensor.
    Absolute(Positive),
    /// t + σsz, where s is the tensor's own scale at this checkpoint without noise: the root of the mean, over its
    /// units, of their variance over the samples.
    Relative(Positive),
    /// t + σtz, the noise of the published code of Butakov et al. (2024): none where the unit is zero.
    Multiplicative(Positive),
}

/// A number above zero.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64")]
pub struct Positive(f64);

impl Positive {
    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Positive {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        if value > 0.0 && value.is_finite() {
            Ok(Self(value))
        } else {
            Err(format!("found {value}, needed a number above 0"))
        }
    }
}

impl Deviation {
    /// What standard normal numbers are multiplied by, given the scale of a tensor.
    #[must_use]
    pub fn factor(self, scale: impl FnOnce() -> f64) -> f64 {
        match self {
            Self::Absolute(deviation) | Self::Multiplicative(deviation) => deviation.get(),
            Self::Relative(deviation) => deviation.get() * scale(),
        }
    }
}

/// The scale of a tensor: the root of the mean, over its units, of their variance over the samples.
#[must_use]
pub fn scale(values: ArrayView2<'_, f32>) -> f64 {
    let (n, units) = values.dim();
    if n == 0 || units == 0 {
        return 0.0;
    }
    // Distances to the first sample, so that a large mean costs no digits.
    let first: Vec<f64> = values.row(0).iter().map(|&value| value.into()).collect();
    let (mut sums, mut squares) = (vec![0.0; units], vec![0.0; units]);
    for row in values.axis_iter(Axis(0)) {
        for (((&value, first), sum), square) in row.iter().zip(&first).zip(&mut sums).zip(&mut squares) {
            let distance = f64::from(value) - first;
            *sum += distance;
            *square += distance * distance;
        }
    }
    let n = n as f64;
    let total: f64 = sums.iter().zip(&squares).map(|(sum, square)| (square / n - sum * sum / n / n).max(0.0)).sum();
    (total / units as f64).sqrt()
}

/// Standard normal numbers that depend on a key, a sample's id and the place of an element alone: the same for every
/// checkpoint, at any batch size and number of threads.
pub(super) fn normals(key: u64, id: u64, mut each: impl FnMut(usize, f64), count: usize) {
    let (mut outer, mut inner) = (SplitMix64::new(key), SplitMix64::new(id));
    let mut random = SplitMix64::new(outer.next_u64() ^ inner.next_u64());
    for place in (0..count).step_by(2) {
        let (first, second) = random.normal_pair();
        each(place, first);
        if place + 1 < count {
            each(place + 1, second);
        }
    }
}

/// Puts noise on what was read out, a row a sample; `factor` is that of [`Deviation::factor`].
pub fn disturb(values: &mut ndarray::Array2<f32>, ids: &[u64], key: u64, deviation: Deviation, factor: f64) {
    let multiplicative = matches!(deviation, Deviation::Multiplicative(_));
    let count = values.ncols();
    let values = values.as_slice_mut().expect("arrays are made row-major");
    values.par_chunks_mut(count.max(1)).zip(ids).for_each(|(row, &id)| {
        let each = |place: usize, normal: f64| {
            let value = f64::from(row[place]);
            row[place] = single(value + factor * normal * if multiplicative { value } else { 1.0 });
        };
        normals(key, id, each, count);
    });
}

#[expect(clippy::cast_possible_truncation, reason = "activations are kept in single precision")]
pub(super) fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn drawn(key: u64, ids: &[u64], units: usize) -> Array2<f32> {
        let mut values = Array2::zeros((ids.len(), units));
        disturb(&mut values, ids, key, Deviation::Absolute(Positive(1.0)), 1.0);
        values
    }

    #[test]
    fn a_sample_has_its_noise_wherever_it_stands() {
        let all = drawn(3, &[10, 11, 12], 5);
        let alone = drawn(3, &[12], 5);
        assert_eq!(all.row(2), alone.row(0));
        // An element keeps its noise when there are more of them.
        assert_eq!(drawn(3, &[12], 4).row(0).to_vec(), alone.row(0).to_vec()[..4]);
        assert_ne!(drawn(4, &[12], 5), alone);
    }

    #[test]
    fn noise_is_standard_normal_and_independent() {
        let ids: Vec<u64> = (0..20_000).collect();
        let drawn = drawn(1, &ids, 3).mapv(f64::from);
        let n = ids.len() as f64;
        for column in drawn.columns() {
            // Four standard errors of the mean, the variance and the fourth moment.
            assert!(column.sum().abs() / n < 4.0 / n.sqrt());
            assert!((column.dot(&column) / n - 1.0).abs() < 4.0 * (2.0 / n).sqrt());
            assert!((column.mapv(|value| value.powi(4)).sum() / n - 3.0).abs() < 4.0 * (96.0 / n).sqrt());
        }
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            assert!(drawn.column(a).dot(&drawn.column(b)).abs() / n < 4.0 / n.sqrt());
        }
        let (even, odd): (Vec<f64>, Vec<f64>) =
            drawn.column(0).to_vec().chunks(2).map(|pair| (pair[0], pair[1])).unzip();
        let neighbors: f64 = even.iter().zip(&odd).map(|(a, b)| a * b).sum();
        assert!(neighbors.abs() / (n / 2.0) < 4.0 / (n / 2.0).sqrt());
    }

    #[test]
    fn scale_is_the_deviation_over_samples_not_over_units() {
        // Variances 1 and 9 around means that differ by a million: the root of their mean is √5.
        let values = array![[1.0_f32, 1e6 - 3.0], [-1.0, 1e6 + 3.0]];
        assert!((scale(values.view()) - 5.0_f64.sqrt()).abs() < 1e-12);
        assert!(scale(Array2::from_elem((4, 2), 7.0).view()).abs() < 1e-12);
    }

    #[test]
    fn multiplicative_noise_spares_zeros() {
        let mut values = array![[0.0_f32, 2.0]];
        disturb(&mut values, &[1], 1, Deviation::Multiplicative(Positive(0.1)), 0.1);
        assert!(values[[0, 0]] == 0.0 && (values[[0, 1]] - 2.0).abs() > 1e-6);
    }

    #[test]
    fn reads_the_spelling_of_pipeline_files() {
        #[derive(Deserialize)]
        struct Table {
            noise: Noise,
        }
        let read = |text: &str| toml::from_str::<Table>(&format!("noise = {text}")).map(|table| table.noise);
        assert_eq!(read("\"none\"").unwrap(), Noise::None);
        let deviation = Deviation::Relative(Positive(0.1));
        assert_eq!(
            read("{ read-out = { deviation = { relative = 0.1 } } }").unwrap(),
            Noise::ReadOut(ReadOut { deviation })
        );
        let at = Some(vec!["x".to_owned()]);
        let propagated = Propagated { deviation, at, taps: TapSide::Clean };
        let text = "{ propagated = { deviation = { relative = 0.1 }, at = [\"x\"], taps = \"clean\" } }";
        assert_eq!(read(text).unwrap(), Noise::Propagated(propagated));
        for wrong in ["{ read-out = {} }", "{ read-out = { deviation = { absolute = 0.0 } } }", "{ read-out = 1 }"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
