//! Signal and noise of gradients: of the last layer from activations and outputs, without backpropagation; of every layer by it.
//!
//! | file | what it holds |
//! |---|---|
//! | `gradients` | gradients of samples as factors: their mean, lengths and products |
//! | `last_layer` | those of a softmax-linear layer |
//! | `steps` | a network as steps that gradients can be taken through |
//! | `every_layer` | those of every layer of such a network |
//! | `signal` | unbiased signal, noise, and the ratio of a minibatch |
//! | `published` | the ratio as the first study of it computed it |
//! | `drift` | drift and diffusion of weights, where gradients are not known |
//! | `sampling` | variance and bias of minibatches that are drawn from strata |

mod drift;
mod every_layer;
mod gradients;
mod last_layer;
mod published;
mod sampling;
mod signal;
mod steps;

pub use drift::Drift;
pub use every_layer::{Ending, EveryLayer, LayerSignal};
pub use gradients::Gradients;
pub use last_layer::LastLayer;
pub use published::Published;
pub use sampling::{Draw, Strata, Stratum};
pub use signal::Signal;
pub use steps::{Operation, Source, Step, Weights, Windows};
