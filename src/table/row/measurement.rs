use super::rows;

rows! {
    /// One measure at one tap of one checkpoint.
    #[table("measurements", Checkpoint)]
    pub struct MeasurementRow {
        /// The run: the name of the pipeline file.
        pub run: String,
        /// The checkpoint's path relative to the archive.
        pub file: String,
        /// The tensor that was read out; the weights where the row is about the gradient of every layer.
        pub tap: String,
        /// Its place among the taps, from 0, in graph order; layers that are known by their weights come behind.
        pub tap_index: u32,
        /// `information`, `usable`, `accuracy`, `reconstruction`, ...: the README lists them.
        pub measure: String,
        /// What the layer is measured against: `input`, a label column or a tap.
        pub variable: String,
        /// What is known besides: `input` or a tap.
        #[null = "the layer is all there is"]
        pub given: Option<String>,
        /// The class that the value is about.
        #[null = "it is about all classes"]
        pub class: Option<String>,
        /// The samples that were looked at, such as `typical 0.5`, `digit = 3`.
        #[null = "all samples"]
        pub subset: Option<String>,
        /// The estimator, probe or decoder.
        pub estimator: String,
        /// How the layer was compressed.
        pub compression: String,
        /// The measure with all its parameters, as JSON.
        pub parameters: String,
        /// The unit of the value and of all that is compared with it: `nats`, `fraction`, `ratio`, `gradient-units` or `squared-units`.
        pub unit: String,
        /// The value.
        #[unit = "see `unit`"]
        #[null = "there is none: `error` says why"]
        pub value: Option<f64>,
        /// One standard error of the value (variance only, not bias).
        #[unit = "see `unit`"]
        #[null = "the estimator gives none"]
        pub std_error: Option<f64>,
        /// The lower end of the interval around the value.
        #[unit = "see `unit`"]
        #[null = "none was asked for, or there is none"]
        pub interval_low: Option<f64>,
        /// Its upper end.
        #[unit = "see `unit`"]
        #[null = "as `interval_low`"]
        pub interval_high: Option<f64>,
        /// The mean of the value where there is nothing to find.
        #[unit = "see `unit`"]
        #[null = "it is not known"]
        pub null_mean: Option<f64>,
        /// What the value exceeds there one time in twenty.
        #[unit = "see `unit`"]
        #[null = "it is not known"]
        pub null_high: Option<f64>,
        /// The share of permutations that do as well.
        #[unit = "fraction"]
        #[null = "there were no permutations"]
        pub p_value: Option<f64>,
        /// Samples that the value is a mean over.
        #[null = "there is no value"]
        pub n_samples: Option<u64>,
        /// Samples that a probe was fitted to.
        #[null = "nothing was fitted"]
        pub n_train: Option<u64>,
        /// Units of the layer, after pooling.
        #[null = "they are not known"]
        pub n_units: Option<u64>,
        /// Dimensions that were left after compression.
        #[null = "nothing was compressed"]
        pub n_components: Option<u64>,
        /// The seed of the run.
        pub seed: u64,
        /// Reasons for doubt: the README lists them.
        pub flags: Vec<String>,
        /// What was found on the way, as JSON.
        pub details: String,
        /// Why there is no value.
        #[null = "there is one"]
        pub error: Option<String>,
    }
}
