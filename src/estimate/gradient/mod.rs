//! Signal and noise of gradients: of the last layer from activations and outputs, without backpropagation.
//!
//! | file | what it holds |
//! |---|---|
//! | `last_layer` | the gradients of a softmax-linear layer, their mean and their scatter |
//! | `signal` | unbiased signal, noise, and the ratio of a minibatch |
//! | `published` | the ratio as the first study of it computed it |
//! | `drift` | drift and diffusion of weights, where gradients are not known |
//! | `sampling` | variance and bias of minibatches that are drawn from strata |

mod drift;
mod last_layer;
mod published;
mod sampling;
mod signal;

pub use drift::Drift;
pub use last_layer::{Gradients, LastLayer};
pub use published::Published;
pub use sampling::{Draw, Strata, Stratum};
pub use signal::Signal;
