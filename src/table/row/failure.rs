use super::rows;

rows! {
    /// One thing that could not be had of a checkpoint, and why; a checkpoint without failures has a part without rows.
    #[table("failures", Checkpoint)]
    pub struct FailureRow {
        /// The run: the name of the pipeline file.
        pub run: String,
        /// The checkpoint's path relative to the archive.
        pub file: String,
        /// `checkpoint` (nothing of it was measured), `loss` (the network's own) or `measure` (one, at one tap).
        pub what: String,
        /// The tensor that was read out.
        #[null = "`what` is not `measure`"]
        pub tap: Option<String>,
        /// Its place among the taps, from 0, in graph order.
        #[null = "as `tap`"]
        pub tap_index: Option<u32>,
        /// The measure.
        #[null = "as `tap`"]
        pub measure: Option<String>,
        /// What the layer is measured against.
        #[null = "as `tap`"]
        pub variable: Option<String>,
        /// What is known besides.
        #[null = "as `tap`, or the layer is all there is"]
        pub given: Option<String>,
        /// The samples that were to be looked at.
        #[null = "as `tap`, or all samples"]
        pub subset: Option<String>,
        /// The estimator, probe or decoder.
        #[null = "as `tap`"]
        pub estimator: Option<String>,
        /// The measure with all its parameters, as JSON.
        #[null = "as `tap`"]
        pub parameters: Option<String>,
        /// Why.
        pub error: String,
    }
}
