use super::super::SampleId;
use super::rows;

rows! {
    /// How densely other samples lie around one, in the compressed inputs; where the pipeline file asks for it.
    #[table("typicality", SeriesIfAsked)]
    pub struct TypicalityRow {
        /// The run: the name of the pipeline file.
        pub run: String,
        /// The sample's id.
        pub sample: SampleId,
        /// The neighbor whose distance tells the density.
        pub neighbors: u64,
        /// Its distance.
        #[unit = "units of the compressed inputs"]
        pub distance: f64,
        /// The logarithm of the density.
        #[unit = "nats"]
        #[null = "so many others coincide with the sample that it is infinite"]
        pub log_density: Option<f64>,
        /// Its place among all samples by this density, from 0: the most typical.
        pub rank: u64,
    }
}
