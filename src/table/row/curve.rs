use super::rows;

rows! {
    /// Which curve: the columns of `measurements` that tell curves apart.
    #[derive(Default)]
    pub struct CurveColumns {
        /// The run: the name of the pipeline file.
        pub run: String,
        /// The tensor that was read out.
        #[null = "the curve is of the network itself"]
        pub tap: Option<String>,
        /// Its place among the taps, from 0, in graph order.
        #[null = "as `tap`"]
        pub tap_index: Option<u64>,
        /// The measure; `loss` and `accuracy` are the network's own.
        pub measure: String,
        /// What the layer is measured against.
        #[null = "as `tap`"]
        pub variable: Option<String>,
        /// What is known besides.
        #[null = "the layer is all there is"]
        pub given: Option<String>,
        /// The class that the value is about.
        #[null = "it is about all classes"]
        pub class: Option<String>,
        /// The samples that were looked at.
        #[null = "all samples"]
        pub subset: Option<String>,
        /// The estimator, probe or decoder.
        #[null = "as `tap`"]
        pub estimator: Option<String>,
        /// The measure with all its parameters, as JSON.
        #[null = "as `tap`"]
        pub parameters: Option<String>,
    }
}

rows! {
    /// A stretch of training in which a curve does one thing.
    #[table("phases", Series)]
    pub struct PhaseRow {
        /// The curve.
        pub curve: CurveColumns,
        /// `constant`, `falling`, `plateau`, `rising` or `flat`.
        pub phase: String,
        /// Its first checkpoint.
        #[unit = "steps"]
        pub from_step: u64,
        /// Its last checkpoint.
        #[unit = "steps"]
        pub to_step: u64,
        /// The earliest checkpoint where it might begin, if values were off by their errors.
        #[unit = "steps"]
        #[null = "errors are not known, or it begins with the curve"]
        pub from_earliest: Option<u64>,
        /// The latest one.
        #[unit = "steps"]
        #[null = "as `from_earliest`, or it might not begin at all"]
        pub from_latest: Option<u64>,
        /// Whether these are one and the same.
        #[null = "errors are not known, or it begins with the curve"]
        pub resolved: Option<bool>,
        /// `three-phases`, or `change-points`.
        pub method: String,
        /// The method with all its settings, as JSON, with what was left out of the curve.
        pub settings: String,
        /// Checkpoints that have a value.
        pub n_checkpoints: u64,
    }
}

rows! {
    /// Which of two curves turned first.
    #[table("lags", Series)]
    pub struct LagRow {
        /// The curve.
        pub curve: CurveColumns,
        /// The tap of the curve that it is compared with.
        #[null = "that is one of the network itself"]
        pub other_tap: Option<String>,
        /// Its measure.
        pub other_measure: String,
        /// Its variable.
        #[null = "as `other_tap`"]
        pub other_variable: Option<String>,
        /// Its measure with all its parameters, as JSON.
        #[null = "as `other_tap`"]
        pub other_parameters: Option<String>,
        /// `onset`, `turn` or `back`.
        pub event: String,
        /// When it happens to the curve.
        #[unit = "steps"]
        pub step: u64,
        /// When it happens to the other one.
        #[unit = "steps"]
        pub other_step: u64,
        /// Doublings of 1 + step from the other to the curve; negative if the curve came first.
        #[unit = "octaves"]
        pub octaves: f64,
        /// The least that it might be.
        #[unit = "octaves"]
        #[null = "there is none, or errors are not known"]
        pub octaves_low: Option<f64>,
        /// The most that it might be.
        #[unit = "octaves"]
        #[null = "as `octaves_low`"]
        pub octaves_high: Option<f64>,
        /// The curve comes `before` the other, `together` with it, `after` it, or that is `not-resolved`.
        #[null = "errors are not known"]
        pub came: Option<String>,
        /// The method with all its settings, as JSON, with what was left out of the curve.
        pub settings: String,
    }
}
