//! Arguments of what measures arrays and estimators.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `verify`
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Only this estimator, as in a pipeline file; may be given several times.
    #[arg(long)]
    pub(crate) estimator: Vec<String>,
    /// Which distributions.
    #[arg(long, value_enum, default_value_t = Known::Own)]
    pub(crate) known: Known,
    /// Only distributions with this in their name.
    #[arg(long)]
    pub(crate) distribution: Option<String>,
    /// Samples of each distribution.
    #[arg(long, default_value = "1000")]
    pub(crate) samples: NonZeroUsize,
    /// Draws of these samples: values are means over them, and it is counted how many intervals hold the truth.
    #[arg(long, default_value = "1")]
    pub(crate) draws: NonZeroUsize,
    /// The seed of the first draw.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// One JSON array in place of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Distributions whose information is known.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Known {
    /// A catalogue of our own: one of each kind.
    Own,
    /// The tasks of the benchmark of Czyż et al. (2023) that have closed forms.
    BeyondNormal,
}

/// `measure`
#[derive(Debug, Args)]
pub(crate) struct Measure {
    /// The quantity.
    #[command(subcommand)]
    pub(crate) quantity: Quantity,
}

/// The quantity that `measure` estimates.
#[derive(Debug, Subcommand)]
pub(crate) enum Quantity {
    /// Mutual information between two variables, or a variable and a label.
    #[command(
        after_help = "Example:\n  infoplane measure information --x x.npy --y y.npy --estimator '{ ksg = { neighbors = 3 } }'"
    )]
    Information(InformationArguments),
    /// What a probe can read of a label, on held-out samples.
    #[command(after_help = "Example:\n  infoplane measure usable --x z.npy --labels y.npy --probe '{ linear = {} }'")]
    Usable(UsableArguments),
    /// How well a target can be rebuilt, on held-out samples.
    #[command(
        after_help = "Example:\n  infoplane measure reconstruction --x z.npy --target inputs.npy --decoder '{ linear = {} }'"
    )]
    Reconstruction(ReconstructionArguments),
    /// The least rate for each relevance of a finite problem, and how far an encoder is from it.
    #[command(
        after_help = "Example:\n  infoplane measure bottleneck --joint counts.npy --settings '{ steps = 32, largest = 64.0 }' --encoder t.npy"
    )]
    Bottleneck(BottleneckArguments),
    /// What a few codewords for a layer, or for blocks of samples, cost, and what they keep of a label.
    #[command(after_help = "Example:\n  infoplane measure codebook --x z.npy --labels y.npy --size 64 --block 2")]
    Codebook(CodebookArguments),
    /// Signal and noise of the last layer's gradients, and of minibatches of them.
    #[command(
        after_help = "Example:\n  infoplane measure gradient --x z.npy --logits logits.npy --labels y.npy --batch 32 --strata typical.npy --mixture 24,8"
    )]
    Gradient(GradientArguments),
    /// How densely samples lie, and which of them are the highly typical ones.
    #[command(
        after_help = "Example:\n  infoplane measure typicality --x inputs.npy --compress '{ pca = { components = 16 } }' --neighbors 5,10,20"
    )]
    Typicality(TypicalityArguments),
}

/// `measure information`
#[derive(Debug, Args)]
pub(crate) struct InformationArguments {
    /// The first variable: `.npy` of one or two dimensions, one row a sample.
    #[arg(long)]
    pub(crate) x: PathBuf,
    /// The second variable.
    #[arg(long, conflicts_with = "labels", required_unless_present = "labels")]
    pub(crate) y: Option<PathBuf>,
    /// Integer labels in place of the second variable.
    #[arg(long)]
    pub(crate) labels: Option<PathBuf>,
    /// The estimator, as in a pipeline file: `{ ksg = { neighbors = 3 } }`, `{ gaussian = {} }`, `{ ross = { neighbors = 3 } }`; with several values of a setting, `{ ksg = { neighbors = [1, 3, 10] } }`, a list of objects.
    #[arg(long)]
    pub(crate) estimator: String,
    /// How variables (not labels) are compressed first: `{ pca = { components = 4 } }`, `{ projection = { components = 4 } }`,
    /// `{ autoencoder = { components = 4 } }`.
    #[arg(long, default_value = "{ none = {} }")]
    pub(crate) compress: String,
    /// How the second variable is compressed, where that is not as `--compress` says.
    #[arg(long, requires = "y")]
    pub(crate) compress_y: Option<String>,
    /// What is done to each coordinate then: `raw`, `standardized`, `rank`, `asinh` or `whitened`.
    #[arg(long, default_value = "raw")]
    pub(crate) margins: String,
    /// How the interval is found: `{ subsampling = { parts = 10, rounds = 1, level = 0.95 } }` or `{ none = {} }`.
    #[arg(long, default_value = "{ subsampling = {} }")]
    pub(crate) interval: String,
    /// Hold the value against this many permutations of the samples, 19 or more.
    #[arg(long)]
    pub(crate) permutations: Option<usize>,
    /// The seed of subsamples, permutations and whatever is random in a compression.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// `measure usable`
#[derive(Debug, Args)]
pub(crate) struct UsableArguments {
    /// The layer: `.npy` of one or two dimensions, one row a sample.
    #[arg(long)]
    pub(crate) x: PathBuf,
    /// Labels: integers are classes, floating-point values are numbers on a scale.
    #[arg(long)]
    pub(crate) labels: PathBuf,
    /// Take integer labels as numbers on a scale too.
    #[arg(long)]
    pub(crate) numbers: bool,
    /// Another layer of the same samples, or the inputs: also print what `--x` adds to it.
    #[arg(long, conflicts_with = "test_x")]
    pub(crate) given: Option<PathBuf>,
    /// Hold the value against this many permutations of the labels, 19 or more.
    #[arg(long)]
    pub(crate) permutations: Option<usize>,
    /// The layer of the test samples; without it a part of `--x` is held out.
    #[arg(long, requires = "test_labels")]
    pub(crate) test_x: Option<PathBuf>,
    /// The labels of the test samples.
    #[arg(long, requires = "test_x")]
    pub(crate) test_labels: Option<PathBuf>,
    /// The family of probes, as in a pipeline file: `{ linear = {} }`, `{ mlp = {} }`, `{ nearest-mean = {} }`, ...
    #[arg(long)]
    pub(crate) probe: String,
    /// How samples are held out.
    #[command(flatten)]
    pub(crate) split: SplitArguments,
}

/// `measure reconstruction`
#[derive(Debug, Args)]
pub(crate) struct ReconstructionArguments {
    /// The layer: `.npy` of one or two dimensions, one row a sample.
    #[arg(long)]
    pub(crate) x: PathBuf,
    /// What is rebuilt from it.
    #[arg(long)]
    pub(crate) target: PathBuf,
    /// The family of decoders, as in a pipeline file: `{ linear = {} }`.
    #[arg(long)]
    pub(crate) decoder: String,
    /// How samples are held out.
    #[command(flatten)]
    pub(crate) split: SplitArguments,
}

/// `measure bottleneck`
#[derive(Debug, Args)]
pub(crate) struct BottleneckArguments {
    /// The joint distribution: `.npy` of two dimensions, probabilities or counts, one row a value of X.
    #[arg(long, required_unless_present = "x", conflicts_with = "x")]
    pub(crate) joint: Option<PathBuf>,
    /// In its place: what a probe reads, `.npy` of one or two dimensions, one row a sample. X is then the held-out samples, and p(y|x) what the probe says that was fitted to the others.
    #[arg(long, requires_all = ["labels", "probe"])]
    pub(crate) x: Option<PathBuf>,
    /// The class of each sample: integers.
    #[arg(long, requires = "x")]
    pub(crate) labels: Option<PathBuf>,
    /// The family of probes, as in a pipeline file: `{ linear = {} }`.
    #[arg(long, requires = "x")]
    pub(crate) probe: Option<String>,
    /// An encoder to place against the frontier: `.npy` with p(t|x), one row a value of X.
    #[arg(long)]
    pub(crate) encoder: Option<PathBuf>,
    /// How the frontier is searched: `{ steps = 64, largest = 256.0, starts = 4, clusters = 8, randomness = 1.0, iterations = 20000 }`, any of them; with `randomness = 0.0` the deterministic bottleneck.
    #[arg(long, default_value = "{}")]
    pub(crate) settings: String,
    /// How samples are held out from the probe; the seed is that of random encoders, too.
    #[command(flatten)]
    pub(crate) split: SplitArguments,
}

/// `measure codebook`
#[derive(Debug, Args)]
pub(crate) struct CodebookArguments {
    /// The layer: `.npy` of one or two dimensions, one row a sample.
    #[arg(long)]
    pub(crate) x: PathBuf,
    /// The class of each sample: integers.
    #[arg(long)]
    pub(crate) labels: PathBuf,
    /// The codewords.
    #[arg(long)]
    pub(crate) size: NonZeroUsize,
    /// The samples that share a codeword.
    #[arg(long, default_value = "1")]
    pub(crate) block: NonZeroUsize,
    /// The beginnings of the search for codewords.
    #[arg(long, default_value = "4")]
    pub(crate) starts: NonZeroUsize,
    /// p(y|x), to hold the codewords against its information bottleneck: `.npy` of two dimensions, one row a sample, of which those of the held-out samples count.
    #[arg(long)]
    pub(crate) posteriors: Option<PathBuf>,
    /// How the frontier is searched, as `--settings` of `measure bottleneck`.
    #[arg(long, default_value = "{}", requires = "posteriors")]
    pub(crate) frontier: String,
    /// How samples are held out.
    #[command(flatten)]
    pub(crate) split: SplitArguments,
}

/// `measure gradient`
#[derive(Debug, Args)]
pub(crate) struct GradientArguments {
    /// What the last layer multiplies: `.npy` of one or two dimensions, one row a sample.
    #[arg(long)]
    pub(crate) x: PathBuf,
    /// What comes out of it, before the softmax: one row a sample, one column a class.
    #[arg(long)]
    pub(crate) logits: PathBuf,
    /// The class of each sample: integers, columns of the logits from 0.
    #[arg(long)]
    pub(crate) labels: PathBuf,
    /// Leave the intercepts out of the weights.
    #[arg(long)]
    pub(crate) no_intercepts: bool,
    /// The samples in a minibatch.
    #[arg(long, default_value = "1")]
    pub(crate) batch: NonZeroUsize,
    /// Parts of the samples to draw minibatches from: an integer a sample.
    #[arg(long)]
    pub(crate) strata: Option<PathBuf>,
    /// A minibatch with so many samples of each stratum, in the order of their numbers, such as `24,8`.
    #[arg(long, value_delimiter = ',', requires = "strata")]
    pub(crate) mixture: Vec<usize>,
}

/// `measure typicality`
#[derive(Debug, Args)]
pub(crate) struct TypicalityArguments {
    /// The inputs or a layer: `.npy`, one row a sample, all other axes flattened.
    #[arg(long)]
    pub(crate) x: PathBuf,
    /// Another layer of the same samples, whose typical samples are held against these.
    #[arg(long)]
    pub(crate) other: Option<PathBuf>,
    /// How both are compressed first: `{ pca = { components = 16 } }`.
    #[arg(long, default_value = "{ none = {} }")]
    pub(crate) compress: String,
    /// The neighbors whose distances tell the density: one density each; the typical set is that of the first.
    #[arg(long, value_delimiter = ',', default_value = "10")]
    pub(crate) neighbors: Vec<NonZeroUsize>,
    /// The part of the samples that is the highly typical set.
    #[arg(long, default_value_t = 0.5)]
    pub(crate) fraction: f64,
    /// The highly typical set by its least ln p in nats, in place of a fraction.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) log_density: Option<f64>,
    /// Print the ln p and the distance of every sample, too.
    #[arg(long)]
    pub(crate) per_sample: bool,
    /// The seed of whatever is random in a compression.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// How samples are held out.
#[derive(Debug, Args)]
pub(crate) struct SplitArguments {
    /// The fraction of samples to test on, chosen by row number.
    #[arg(long, default_value_t = 0.3)]
    pub(crate) held_out: f64,
    /// The seed of the choice.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}
