//! Usable information: what a family of probes can read of a label from a layer.
//!
//! | file | what it holds |
//! |---|---|
//! | `probe` | the families, and what is asked of all of them |
//! | `linear`, `quadratic`, `random_features`, `nearest_mean`, `mlp`, `compat` | one family of probes for classes each |
//! | `gaussian` | linear probes of numbers |
//! | `decoder` | what neural families share |
//! | `fitted` | what fitted probes say: the one thing that every family returns |
//! | `reading` | what that is worth: information, calibration, accuracy, sample by sample |
//! | `temperature` | calibration |
//! | `null` | what it would be worth if there were nothing to read |
//! | `control` | random labels of types of samples, to tell reading from memorizing |
//! | `code_length` | the labels as a message: how many samples a probe needs |

mod choice;
mod class_means;
mod classes;
mod code_length;
mod compat;
mod control;
mod curvature;
mod decoder;
mod expand;
mod fit;
mod fitted;
mod gaussian;
mod kernels;
mod lbfgs;
mod line;
mod linear;
mod mlp;
mod nearest_mean;
mod null;
mod parameters;
mod probe;
mod quadratic;
mod random_features;
mod reading;
mod residuals;
mod scale;
mod softmax;
mod standardize;
mod temperature;
#[cfg(test)]
mod trials;

pub use code_length::{Block, CodeLength, Fractions};
pub use compat::{Compat, Published};
pub use control::{control, selectivity};
pub use decoder::{Activation, Fraction, Rate};
pub use linear::Linear;
pub use mlp::Mlp;
pub use nearest_mean::NearestMean;
pub use parameters::{Penalties, Tolerance};
pub use probe::{Probe, Target};
pub use quadratic::Quadratic;
pub use random_features::{Bandwidth, RandomFeatures};
pub use reading::{ClassReading, Reading};
