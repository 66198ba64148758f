//! Signal and noise of gradients: of the last layer from activations and outputs, without backpropagation.
//!
//! | file | what it holds |
//! |---|---|
//! | `last_layer` | the gradients of a softmax-linear layer, their mean and their scatter |
//! | `signal` | unbiased signal, noise, and the ratio of a minibatch |
//! | `sampling` | variance and bias of minibatches that are drawn from strata |

mod last_layer;
mod sampling;
mod signal;

pub use last_layer::{Gradients, LastLayer};
pub use sampling::{Draw, Strata, Stratum};
pub use signal::Signal;
