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

/// What a probe or a decoder says of one held-out sample.
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
    /// `usable`, `usable-given` or `reconstruction`.
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
    /// Pointwise usable information ln q(y|z) − ln p(y), in nats, or the squared error per element of the target; its mean
    /// is the value of the measure.
    pub value: f64,
}

/// How one position of a target is rebuilt: on average over the held-out samples, or of one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct PositionRow {
    /// The run: the name of the pipeline file.
    pub run: String,
    /// The checkpoint's path relative to the archive.
    pub file: String,
    /// The tensor that was read out.
    pub tap: String,
    /// Its place among the taps, from 0, in graph order.
    pub tap_index: u32,
    /// What is rebuilt: `input` or a tap.
    pub variable: String,
    /// The decoder.
    pub estimator: String,
    /// The measure with all its parameters, as JSON.
    pub parameters: String,
    /// The place in the target's row, from 0: in an image of width w the row is position / w.
    pub position: u32,
    /// The sample's id; null for the mean over all held-out samples.
    pub sample: Option<u64>,
    /// The sample's value there.
    pub target: Option<f64>,
    /// What was rebuilt.
    pub rebuilt: Option<f64>,
    /// The squared error.
    pub value: f64,
    /// The squared error of the training mean.
    pub mean_predictor: f64,
}

/// A stretch of training in which a curve does one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseRow {
    /// The curve.
    pub curve: CurveColumns,
    /// `constant`, `falling`, `plateau`, `rising` or `flat`.
    pub phase: String,
    /// Its first checkpoint.
    pub from_step: u64,
    /// Its last checkpoint.
    pub to_step: u64,
    /// The earliest checkpoint where it might begin, if values were off by their errors.
    pub from_earliest: Option<u64>,
    /// The latest one; null also where it might not begin at all.
    pub from_latest: Option<u64>,
    /// Whether these are one and the same; null where errors are not known, and for what begins with the curve.
    pub resolved: Option<bool>,
    /// `three-phases`, or `change-points`.
    pub method: String,
    /// The method with all its settings, as JSON.
    pub settings: String,
    /// Checkpoints that have a value.
    pub n_checkpoints: u64,
}

/// Which curve: the columns of `measurements` that tell curves apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurveColumns {
    /// The run: the name of the pipeline file.
    pub run: String,
    /// The tensor that was read out; null for the network itself.
    pub tap: Option<String>,
    /// Its place among the taps, from 0, in graph order.
    pub tap_index: Option<u64>,
    /// The measure; `loss` and `accuracy` are the network's own.
    pub measure: String,
    /// What the layer is measured against.
    pub variable: Option<String>,
    /// What is known besides.
    pub given: Option<String>,
    /// The class that the value is about; null for all.
    pub class: Option<String>,
    /// The estimator, probe or decoder.
    pub estimator: Option<String>,
    /// The measure with all its parameters, as JSON.
    pub parameters: Option<String>,
}

/// Which of two curves turned first.
#[derive(Clone, Debug, PartialEq)]
pub struct LagRow {
    /// The curve.
    pub curve: CurveColumns,
    /// The curve that it is compared with: its tap; null for the network itself.
    pub other_tap: Option<String>,
    /// Its measure.
    pub other_measure: String,
    /// Its variable.
    pub other_variable: Option<String>,
    /// Its measure with all its parameters.
    pub other_parameters: Option<String>,
    /// `onset`, `turn` or `back`.
    pub event: String,
    /// When it happens to the curve.
    pub step: u64,
    /// When it happens to the other one.
    pub other_step: u64,
    /// Doublings of 1 + step from the other to the curve; negative if the curve came first.
    pub octaves: f64,
    /// The least that it might be; null where there is none, or errors are not known.
    pub octaves_low: Option<f64>,
    /// The most that it might be.
    pub octaves_high: Option<f64>,
    /// `before`, `together`, `after` or `not-resolved`; null where errors are not known.
    pub order: Option<String>,
    /// The method with all its settings, as JSON.
    pub settings: String,
}
