use super::rows;

rows! {
    /// One checkpoint.
    #[table("checkpoints", Checkpoint)]
    pub struct CheckpointRow {
        /// The run: the name of the pipeline file.
        pub run: String,
        /// The checkpoint's path relative to the archive.
        pub file: String,
        /// A hash (BLAKE3) of the tensors that were used.
        #[null = "it cannot be read"]
        pub hash: Option<String>,
        /// The network's mean cross-entropy.
        #[unit = "nats"]
        #[null = "there is nothing to compute it from, or `error` says why"]
        pub loss: Option<f64>,
        /// The fraction of samples that the network gets right.
        #[unit = "fraction"]
        #[null = "as `loss`"]
        pub accuracy: Option<f64>,
        /// The loss of each head by itself, slot by slot, of a network that reads blocks of samples.
        #[unit = "nats"]
        #[null = "the network has one head, or as `loss`"]
        pub slot_losses: Option<Vec<f64>>,
        /// The accuracy of each head by itself.
        #[unit = "fraction"]
        #[null = "as `slot_losses`"]
        pub slot_accuracies: Option<Vec<f64>>,
        /// The loss that the training framework recorded.
        #[unit = "nats"]
        #[null = "none was given"]
        pub recorded_loss: Option<f64>,
        /// The largest difference to the outputs that the framework recorded, relative to the largest of them.
        #[unit = "ratio"]
        #[null = "none were given"]
        pub recorded_difference: Option<f64>,
        /// Samples that were replayed.
        pub n_samples: u64,
        /// Tensors of the checkpoint.
        #[null = "the checkpoint failed as a whole"]
        pub n_tensors: Option<u64>,
        /// Tensors that feed the graph and are the same as in the checkpoint before.
        #[null = "there is none before, or it cannot be read"]
        pub unchanged: Option<Vec<String>>,
        /// Reasons for doubt: the README lists them.
        pub flags: Vec<String>,
        /// What went wrong with the checkpoint as a whole, or with its loss.
        #[null = "nothing went wrong"]
        pub error: Option<String>,
    }
}
