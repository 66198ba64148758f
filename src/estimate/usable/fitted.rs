//! What fitted probes say of samples: the one thing that every family returns.

use ndarray::Array2;
use serde_json::{Map, Value};

use crate::estimate::Flag;

/// The probes that a family fitted to the training samples of a split.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    /// One for each seed; a convex family has one.
    pub members: Vec<Member>,
    /// What was found on the way (penalty, gradient, steps, ...), by name.
    pub details: Map<String, Value>,
    /// Reasons for doubt that only the family knows.
    pub flags: Vec<Flag>,
}

/// One fitted probe.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// ln q(class | z) of each held-out sample, in the order of the split: n_test × K.
    pub held_out: Array2<f64>,
    /// The same of training samples, from probes that were not fitted to them; none where there are no such probes.
    pub unseen: Option<Unseen>,
}

/// Training samples seen by probes that were not fitted to them.
#[derive(Clone, Debug)]
pub(super) struct Unseen {
    /// ln q(class | z), one row a sample: n × K.
    pub log_probabilities: Array2<f64>,
    /// The class of each of these samples.
    pub classes: Vec<u32>,
    /// Where in these rows each fold ends, the last one at n; a single validation part is one fold.
    pub ends: Vec<usize>,
}
