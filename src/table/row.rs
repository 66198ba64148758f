//! What one row says. The order of the fields is the order of the columns.

/// One measure at one tap of one checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurementRow {
    /// The run: the name of the pipeline file.
    pub run: String,
    /// The checkpoint's path relative to the archive.
    pub file: String,
    /// The tensor that was read out.
    pub tap: String,
    /// Its place among the taps, from 0, in graph order.
    pub tap_index: u32,
    /// `information`, `usable`, `accuracy`, `reconstruction`, ...: the README lists them.
    pub measure: String,
    /// What the layer is measured against: `input` or a label column.
    pub variable: String,
    /// What is known besides: `input` or a tap; null where the layer is all there is.
    pub given: Option<String>,
    /// The class that the value is about; null for all.
    pub class: Option<String>,
    /// The estimator, probe or decoder.
    pub estimator: String,
    /// How the layer was compressed.
    pub compression: String,
    /// The measure with all its parameters, as JSON.
    pub parameters: String,
    /// `nats`, `fraction`, `ratio` or `squared-units`.
    pub unit: String,
    /// The value; null when there is none, and then `error` says why.
    pub value: Option<f64>,
    /// One standard error of the value (variance only, not bias).
    pub std_error: Option<f64>,
    /// The lower end of the interval around the value.
    pub interval_low: Option<f64>,
    /// Its upper end.
    pub interval_high: Option<f64>,
    /// The mean of the value where there is nothing to find.
    pub null_mean: Option<f64>,
    /// What the value exceeds there one time in twenty.
    pub null_high: Option<f64>,
    /// The share of permutations that do as well.
    pub p_value: Option<f64>,
    /// Samples that the value is a mean over.
    pub n_samples: Option<u64>,
    /// Samples that a probe was fitted to.
    pub n_train: Option<u64>,
    /// Units of the layer, after pooling.
    pub n_units: Option<u64>,
    /// Dimensions that were left after compression.
    pub n_components: Option<u64>,
    /// The seed of the run.
    pub seed: u64,
    /// Reasons for doubt.
    pub flags: Vec<String>,
    /// What was found on the way, as JSON.
    pub details: String,
    /// Why there is no value.
    pub error: Option<String>,
}

/// One checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointRow {
    /// The run: the name of the pipeline file.
    pub run: String,
    /// The checkpoint's path relative to the archive.
    pub file: String,
    /// A hash of its tensors; null when it cannot be read.
    pub hash: Option<String>,
    /// The network's mean cross-entropy in nats.
    pub loss: Option<f64>,
    /// The fraction of samples that the network gets right.
    pub accuracy: Option<f64>,
    /// The loss that the training framework recorded.
    pub recorded_loss: Option<f64>,
    /// The largest difference to the outputs that the framework recorded, relative to the largest of them.
    pub recorded_difference: Option<f64>,
    /// Samples that were replayed.
    pub n_samples: u64,
    /// Tensors of the checkpoint.
    pub n_tensors: Option<u64>,
    /// Tensors that feed the graph and are the same as in the checkpoint before; null when nobody knows.
    pub unchanged: Option<Vec<String>>,
    /// Reasons for doubt.
    pub flags: Vec<String>,
    /// What went wrong with the checkpoint as a whole, or with its loss.
    pub error: Option<String>,
}

/// What a probe says of one held-out sample.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleRow {
    /// The run: the name of the pipeline file.
    pub run: String,
    /// The checkpoint's path relative to the archive.
    pub file: String,
    /// The tensor that was read out.
    pub tap: String,
    /// Its place among the taps, from 0, in graph order.
    pub tap_index: u32,
    /// `usable` or `usable-given`.
    pub measure: String,
    /// The label column.
    pub variable: String,
    /// What is known besides; null where the layer is all there is.
    pub given: Option<String>,
    /// The family of probes.
    pub estimator: String,
    /// The measure with all its parameters, as JSON.
    pub parameters: String,
    /// The sample's id.
    pub sample: u64,
    /// Its label.
    pub label: String,
    /// The class that the probe finds the most probable; null for numbers.
    pub predicted: Option<String>,
    /// Pointwise usable information ln q(y|z) − ln p(y), in nats; its mean is the value of the measure.
    pub value: f64,
}
