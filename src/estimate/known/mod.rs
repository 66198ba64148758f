//! Distributions whose mutual information is known in closed form: what every estimator is held against.
//!
//! | File | Holds |
//! |---|---|
//! | `pairs` | two continuous variables |
//! | `maps` | maps that keep information: monotone ones, curves, pictures |
//! | `labels` | a continuous variable and a label |
//! | `beyond_normal` | the tasks of the benchmark of that name |

mod beyond_normal;
mod labels;
mod maps;
mod pairs;

use ndarray::Array2;

use super::Labels;

pub use beyond_normal::beyond_normal;

/// A distribution of two variables.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// What people call it.
    pub name: &'static str,
    /// The mutual information of its two variables, in nats.
    pub truth: f64,
    /// Draws n samples from a seed.
    draw: fn(usize, u64) -> Drawn,
}

/// Samples of two variables.
#[derive(Clone, Debug)]
pub enum Drawn {
    /// Two continuous variables, one row a sample.
    Pair(Array2<f64>, Array2<f64>),
    /// A continuous variable and a label.
    Labeled(Array2<f64>, Labels),
    /// A layer before its noise, which is Gaussian of the given variance in each unit: the information is that between the
    /// input, which the layer is a function of, and the layer with noise.
    Layer(Array2<f64>, f64),
}

impl Known {
    /// Draws n samples, the same from the same seed.
    #[must_use]
    pub fn draw(&self, n: usize, seed: u64) -> Drawn {
        (self.draw)(n, seed)
    }
}

/// All of them.
#[must_use]
pub fn catalogue() -> Vec<Known> {
    [pairs::catalogue(), labels::catalogue()].concat()
}
