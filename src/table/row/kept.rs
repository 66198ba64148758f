use super::rows;
use crate::table::SampleId;

rows! {
    /// What a probe or a decoder says of one held-out sample.
    #[table("samples", CheckpointIfAsked)]
    pub struct SampleRow {
        /// The run: the name of the pipeline file.
        pub run: String,
        /// The checkpoint's path relative to the archive.
        pub file: String,
        /// The tensor that was read out.
        pub tap: String,
        /// Its place among the taps, from 0, in graph order.
        pub tap_index: u32,
        /// `usable`, `usable-given`, `reconstruction` or `typical-overlap`.
        pub measure: String,
        /// The label column, or what is rebuilt.
        pub variable: String,
        /// What is known besides.
        #[null = "the layer is all there is"]
        pub given: Option<String>,
        /// The samples that were looked at.
        #[null = "all samples"]
        pub subset: Option<String>,
        /// The family of probes or decoders.
        pub estimator: String,
        /// The measure with all its parameters, as JSON.
        pub parameters: String,
        /// The sample's id.
        pub sample: SampleId,
        /// Its label; empty for a reconstruction without classes.
        pub label: String,
        /// The class that the probe finds the most probable.
        #[null = "the label is a number, or there is none"]
        pub predicted: Option<String>,
        /// Pointwise usable information ln q(y|z) − ln p(y), or the squared error per element of the target, whose mean is the value
        /// of the measure; of typicality the logarithm of the density, infinite where samples coincide.
        #[unit = "nats, or squared units of the target"]
        pub value: f64,
    }
}

rows! {
    /// How one position of a target is rebuilt: on average over the held-out samples, or of one of them.
    #[table("positions", CheckpointIfAsked)]
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
        /// The samples that were looked at.
        #[null = "all samples"]
        pub subset: Option<String>,
        /// The decoder.
        pub estimator: String,
        /// The measure with all its parameters, as JSON.
        pub parameters: String,
        /// The place in the target's row, from 0: in an image of width w the row is position / w.
        pub position: u32,
        /// The sample's id.
        #[null = "the row is the mean over all held-out samples"]
        pub sample: Option<SampleId>,
        /// The sample's value there.
        #[unit = "units of the target"]
        #[null = "as `sample`"]
        pub target: Option<f64>,
        /// What was rebuilt.
        #[unit = "units of the target"]
        #[null = "as `sample`"]
        pub rebuilt: Option<f64>,
        /// The squared error.
        #[unit = "squared units of the target"]
        pub value: f64,
        /// The squared error of the training mean.
        #[unit = "squared units of the target"]
        pub mean_predictor: f64,
    }
}
