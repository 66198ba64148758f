use super::rows;

rows! {
    /// How far two densities of the inputs agree on which samples are typical; where the pipeline file asks for densities. How far
    /// layers do is in `measurements`: `typical-overlap`.
    #[table("agreement", SeriesIfAsked)]
    pub struct AgreementRow {
        /// The run: the name of the pipeline file.
        pub run: String,
        /// The neighbor whose distance tells one density.
        pub neighbors: u64,
        /// The neighbor whose distance tells the other.
        pub other_neighbors: u64,
        /// The part of the samples that is called typical.
        #[unit = "fraction"]
        pub fraction: f64,
        /// The part of the typical samples of one that is typical by the other; `fraction` is what chance gives.
        #[unit = "fraction"]
        pub overlap: f64,
        /// Spearman's correlation of the ranks of all samples.
        #[unit = "ratio"]
        #[null = "all samples have one density"]
        pub rank_correlation: Option<f64>,
        /// The samples that were compared.
        pub n_samples: u64,
    }
}
