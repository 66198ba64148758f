use super::rows;

rows! {
    /// What one unit of work took: a checkpoint, or some taps of one. Not the same from run to run.
    #[table("units", Process)]
    pub struct UnitRow {
        /// The run: the name of the pipeline file.
        pub run: String,
        /// The training step of the checkpoint.
        #[unit = "steps"]
        pub step: u64,
        /// The checkpoint's path relative to the archive.
        pub file: String,
        /// The place of the first tap that was measured, in graph order.
        pub first_tap: u64,
        /// How many taps were measured.
        pub n_taps: u64,
        /// Whether the checkpoint failed as a whole.
        pub failed: bool,
        /// When the unit was begun, since 1970.
        #[unit = "seconds"]
        pub started: f64,
        /// Time to read the checkpoint and compare it with the one before; other units are measured meanwhile.
        #[unit = "seconds"]
        pub read_time: f64,
        /// Time to replay it.
        #[unit = "seconds"]
        pub replay_time: f64,
        /// Time to measure its taps.
        #[unit = "seconds"]
        pub measure_time: f64,
        /// Time to write what was found.
        #[unit = "seconds"]
        pub write_time: f64,
        /// Bytes of the tensors that were read; none for the next units of a checkpoint that is at hand.
        pub read_bytes: u64,
        /// The most memory that the process ever had until then, whatever it was for.
        #[null = "the system does not tell"]
        pub peak_bytes: Option<u64>,
        /// Units that the process works on at a time.
        pub workers: u64,
        /// Threads that they share.
        pub threads: u64,
        /// The machine.
        #[null = "the system does not tell"]
        pub host: Option<String>,
        /// The process: one attempt of a job.
        pub process: String,
    }
}
