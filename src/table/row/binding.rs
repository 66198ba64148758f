use super::rows;

rows! {
    /// One weight of the graph and what feeds it, one tensor or weight that is left over, or the proof of the whole.
    #[table("bindings", Series)]
    #[derive(Default)]
    pub struct BindingRow {
        /// The run: the name of the pipeline file.
        pub run: String,
        /// `feed` (a weight that checkpoints feed), `constant` (one that keeps the graph's value), `leftover` (a tensor that
        /// feeds nothing) or `proof` (the graph with the reference's tensors, held against the file as exported).
        pub role: String,
        /// The weight of the graph.
        #[null = "`role` is `leftover` or `proof`"]
        pub initializer: Option<String>,
        /// The tensor of the checkpoint that is left over, or the tap or output where the proof found the largest difference.
        #[null = "`role` is `feed` or `constant`, or there was no difference"]
        pub tensor: Option<String>,
        /// The shape of the weight, as JSON.
        #[null = "`role` is not `feed`"]
        pub shape: Option<String>,
        /// The type of the weight.
        #[null = "`role` is not `feed`"]
        pub kind: Option<String>,
        /// What the weight is made of, in words.
        #[null = "`role` is not `feed`"]
        pub source: Option<String>,
        /// What the weight is made of, as JSON: a rule of the pipeline file.
        #[null = "`role` is not `feed`"]
        pub recipe: Option<String>,
        /// Why just that feeds the weight, or why nothing does, or the tensor nothing.
        #[null = "`role` is `proof`"]
        pub evidence: Option<String>,
        /// Whether another binding would explain the reference as well.
        #[null = "`role` is not `feed`"]
        pub guess: Option<bool>,
        /// The type in which the values were equal, where the checkpoint's is coarser than the graph's.
        #[null = "`role` is not `feed`, or they were equal as they are"]
        pub rounded: Option<String>,
        /// The largest difference at the reference: of a feed to the graph's own value of the weight; of a proof over all outputs
        /// and taps, relative to the largest value of each.
        #[unit = "of a feed those of the weight, of a proof a ratio"]
        #[null = "nothing was compared"]
        pub largest_difference: Option<f64>,
        /// The samples of the proof.
        #[null = "`role` is not `proof`"]
        pub n_samples: Option<u64>,
        /// Whether the proof holds: the difference is what rounding explains. No row of a proof, no proof.
        #[null = "`role` is not `proof`"]
        pub holds: Option<bool>,
        /// The checkpoint that the weights were compared with, or whose names were taken.
        pub reference: String,
    }
}
