//! What every estimator returns: a value that carries what is needed to trust or to doubt it.

use serde::Serialize;
use serde_json::{Map, Value};

/// The unit of an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Natural units of information.
    Nats,
    /// Squared units of the target, per element.
    SquaredUnits,
    /// A part of one: of the samples, of an entropy, of a variance.
    Fraction,
    /// How many times.
    Ratio,
    /// Units of the gradient.
    GradientUnits,
}

/// A reason to doubt a value, or to read it with care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Flag {
    /// Every unit of the layer (or of the other variable) is constant: the value is exact, and empty.
    Constant,
    /// Some units are constant and were left out.
    ConstantUnits,
    /// More than one sample in a hundred coincides with another one: neighbor distances of zero.
    Ties,
    /// The value lies within one nat of ln n, the most that neighbors can show.
    NearCeiling,
    /// The value exceeds the entropy of the label.
    AboveLabelEntropy,
    /// A class has too few samples to be estimated.
    FewSamplesPerClass,
    /// So many dimensions that the estimator is known to be biased low.
    HighDimension,
    /// One side's coordinates are over ten times larger than the other's: the larger one hides the smaller.
    UnequalScales,
    /// The value is negative: nothing found, within the noise of the method.
    Negative,
    /// The map from input to layer is deterministic and the input continuous: the true value is infinite.
    Deterministic,
    /// The solver stopped before it reached its tolerance.
    NotConverged,
    /// The chosen penalty is the smallest or the largest that was offered.
    PenaltyAtEdge,
    /// More units than training samples.
    MoreUnitsThanSamples,
    /// The layer's covariance has lower rank than it has units.
    RankDeficient,
    /// One held-out sample makes more than half of the variance: the value hangs on it.
    OneSampleDecides,
    /// The probe gets every training sample right: without a penalty its weights would have no end.
    Separable,
    /// The value is not above what labels that have nothing to do with the layer give, one time in twenty.
    WithinNull,
    /// The weights of the neighbors are so long that they blow up the noise.
    LongWeights,
    /// The bandwidth that the samples make the most likely lies at an end of what was tried.
    BandwidthAtEdge,
    /// Most bins hold one sample only: the value counts samples.
    FewSamplesPerBin,
    /// The value changes with the number of samples by more than its error.
    SampleSizeBias,
    /// The temperature that calibrates the probe lies at an end of what was tried.
    TemperatureAtEdge,
    /// The value is a lower bound, and how far below the truth it lies is not known.
    LowerBound,
}

/// What the estimator gives where there is nothing to find.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Null {
    /// The mean there, in the unit of the value; none where only a bound is known.
    pub mean: Option<f64>,
    /// What it exceeds one time in twenty.
    pub high: f64,
    /// The share of permutations, the given labels among them, that do as well.
    pub p_value: Option<f64>,
    /// The number of permutations; none where the band is an asymptotic one.
    pub permutations: Option<usize>,
}

/// Where the value could as well lie with other samples of the same kind; of its bias it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end, in the unit of the value.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The part of such intervals that hold the expected value.
    pub level: f64,
}

/// A value with its uncertainty and its caveats.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate itself, in `unit`.
    pub value: f64,
    /// The unit of `value` and of `std_error`.
    pub unit: Unit,
    /// One standard error of `value`, of its variance only: it says nothing of bias.
    pub std_error: Option<f64>,
    /// An interval around `value`.
    pub interval: Option<Interval>,
    /// What there would be if there were nothing to find.
    pub null: Option<Null>,
    /// The samples that `value` is a mean over: held-out ones where there is a split.
    pub n_samples: usize,
    /// Reasons for doubt, sorted, without repetition.
    pub flags: Vec<Flag>,
    /// What was found on the way (chosen penalty, explained variance, ...), by name.
    pub details: Map<String, Value>,
}

impl Estimate {
    /// An estimate without flags or details.
    #[must_use]
    pub fn new(value: f64, unit: Unit, std_error: Option<f64>, n_samples: usize) -> Self {
        Self { value, unit, std_error, interval: None, null: None, n_samples, flags: Vec::new(), details: Map::new() }
    }

    /// Exactly no information: what a variable that never varies says of another.
    #[must_use]
    pub fn constant(n_samples: usize) -> Self {
        let mut estimate = Self::new(0.0, Unit::Nats, Some(0.0), n_samples);
        estimate.flag(Flag::Constant);
        estimate
    }

    /// Adds a flag, keeping them sorted and single.
    pub fn flag(&mut self, flag: Flag) {
        if let Err(place) = self.flags.binary_search(&flag) {
            self.flags.insert(place, flag);
        }
    }

    /// Adds a named detail.
    pub fn detail(&mut self, name: &str, value: impl Into<Value>) {
        self.details.insert(name.to_owned(), value.into());
    }
}
