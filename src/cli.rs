//! The command line: structures only, no logic.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// What a neural network knew, layer by layer, at every moment of its training.
///
/// infoplane reads a series of safetensors checkpoints, replays the same inputs through each of
/// them with ONNX Runtime, measures every tapped layer, and writes Parquet.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Never fetch ONNX Runtime: fail if there is none.
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Print nothing but results and errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// How plan, progress, warnings and errors are written to the error stream.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people, and a progress bar on a terminal.
    Text,
    /// One JSON object a line: time, level, event, message, and more by event.
    Json,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    all good
  1    finished, but some rows have no value (each says why)
  2    could not run: nothing, or not everything, was measured
  64   the command line or the plan is wrong, or a unit does not fit into `--memory`
  65   a checkpoint is corrupt; all else was measured
  75   stopped by SIGTERM, or a disk, a network or a store did not answer: the same command goes on
  130  stopped by SIGINT; finished checkpoints are kept, the same command goes on
Schedulers: 75 and 130 are worth another try, the others are not.

Example:
  infoplane bind pipelines/digits.toml      which tensor feeds which weight, and the proof
  infoplane check pipelines/digits.toml     what would be done
  infoplane run pipelines/digits.toml       do it, or go on where it stopped
  infoplane plan pipelines/digits.toml      or write down the units of work, for many machines
  infoplane query results/digits \"SELECT step, tap, value FROM measurements WHERE measure = 'usable'\"";

const PLAN_EXAMPLES: &str = "\
A plan is never replaced: the same archive and pipeline file give the same bytes, anything else needs another file.

Examples:
  infoplane plan my.toml -o my.plan                    units of whole checkpoints
  infoplane plan my.toml -o my.plan --memory 8G        checkpoints that take more are cut into groups of taps
  infoplane run --plan my.plan --shard 0/64            and all the others, anywhere, in any order, any number of times";

const SUBMIT_EXAMPLES: &str = "\
Examples:
  infoplane submit slurm --plan my.plan --shards 64 | sbatch
  infoplane submit hyperqueue --plan my.plan --shards 64 > my.sh && hq submit my.sh
  infoplane submit kubernetes --plan /data/my.plan --shards 64 --image my/infoplane --claim data --mount /data | kubectl apply -f -
  infoplane finish --plan my.plan                      once they are through";

const BIND_EXIT_CODES: &str = "\
Exit codes:
  0    proven: every weight was found by its value, the outputs agree, and so do all records
  1    not proven: bound by name only, or outputs or records differ
  2    refused: some weight or tensor has no explanation

Example:
  infoplane bind pipelines/digits.toml            who feeds whom
  infoplane bind --write pipelines/digits.toml    keep what was found as rules, so that no run searches again";

const PHASES_EXAMPLES: &str = "\
Examples:
  infoplane phases results/digits                                    every curve of a run
  infoplane phases results/digits --lags                             which curve turned first
  infoplane phases results/learning-phases --transfer-labels quadrant   where to stop for another task
  infoplane phases log.csv --value test_loss --direction falling     other people's curves
  infoplane phases probes.parquet --value accuracy --std-error se --by layer";

const QUERY_EXAMPLES: &str = "\
Examples:
  infoplane query results/digits \"SELECT step, tap, value FROM measurements WHERE measure = 'usable' ORDER BY value DESC LIMIT 5\"
  infoplane query results/seed-* \"SELECT run, MIN(loss) FROM checkpoints GROUP BY run\"
  infoplane query results/digits \"SELECT * FROM failures\" --format parquet > failures.parquet";

const SHOW_EXAMPLES: &str = "\
Examples:
  infoplane show results/digits                      one run
  infoplane show results/digits --measure usable     one measure
  infoplane show results/seed-*                      mean and spread over runs";

const FINISH_EXIT_CODES: &str = "\
Exit codes:
  0    all checkpoints are there, and `tables` holds one file a table
  1    the same, but some checkpoints failed or some rows have no value
  2    checkpoints are missing (they are listed), or the folder cannot be read or written

Example:
  infoplane run my.toml --shard 0/8        and all the others, anywhere, in any order
  infoplane finish results/my              the same bytes as after one run
  infoplane finish --plan my.plan          the same of a plan: nothing that it lists may be missing";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Replay and measure every checkpoint of a pipeline file; go on where an earlier run stopped.
    Run(Run),
    /// Write down the units of work of a pipeline file, once, for any number of machines; measure nothing.
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(Plan),
    /// Resolve, bind, prove and plan a pipeline file; measure nothing.
    Check(Check),
    /// Show which tensor feeds which weight of the graph, on what evidence, and whether that is proven.
    #[command(after_help = BIND_EXIT_CODES)]
    Bind(Bind),
    /// Look at checkpoints, a graph and samples, and write a pipeline file that runs.
    #[command(
        after_help = "Example:\n  infoplane init checkpoints model.onnx inputs.npy labels.npy    then: infoplane run checkpoints.toml"
    )]
    Init(Init),
    /// List a checkpoint's tensors, a series' checkpoints, or a graph's tappable tensors.
    Inspect(Inspect),
    /// Which way the weights of an archive move, and how far they wander: from checkpoints alone.
    #[command(
        after_help = "Example:\n  infoplane drift data/digits --moves 4 --format csv > drift.csv    every tensor over every five checkpoints"
    )]
    Drift(Drift),
    /// One estimator on arrays on disk; prints one JSON object.
    Measure(Measure),
    /// Every estimator of information on distributions whose information is known.
    #[command(
        after_help = "Example:\n  infoplane verify --estimator '{ ksg = { neighbors = 3 } }' --draws 100    how often does the interval hold the truth?"
    )]
    Verify(Verify),
    /// When each curve turned: phases, change points and lags of a result folder, or of curves in a file.
    #[command(after_help = PHASES_EXAMPLES)]
    Phases(Phases),
    /// SQL over result folders; `infoplane schema` lists the tables and their columns.
    #[command(after_help = QUERY_EXAMPLES)]
    Query(Query),
    /// One HTML file about a run, or about several side by side: it opens offline in any browser.
    #[command(
        after_help = "Example:\n  infoplane report results/digits -o digits.html\n  infoplane report results/seed-* -o seeds.html"
    )]
    Report(Report),
    /// One figure of a run, for papers: SVG or PNG.
    #[command(
        after_help = "Examples:\n  infoplane plot results/digits -o digits.svg                                         every main measure over steps\n  infoplane plot results/digits --figure heat-map --measure usable -o usable.png     layers and steps\n  infoplane plot results/digits --figure plane -o plane.svg                           I(X;T) against I(T;Y)\n  infoplane plot results/usable-coarse --figure plane --measure usable-fraction:fine --measure usable-fraction:coarse -o task.svg"
    )]
    Plot(Plot),
    /// The standard views of result folders: what each layer knew, the best checkpoints, flags and failures.
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Show),
    /// How far a run is, on however many machines: told by its results alone.
    #[command(
        after_help = "Example:\n  watch -n 60 infoplane status results/my        done, failed and missing checkpoints, the rate, the time that is left"
    )]
    Status(Results),
    /// Print a job script or manifest that runs the shards of a plan; submits nothing.
    #[command(after_help = SUBMIT_EXAMPLES)]
    Submit(Submit),
    /// Check that every planned checkpoint is there, and put each table into one file; safe to run again.
    #[command(after_help = FINISH_EXIT_CODES)]
    Finish(Results),
    /// Every table and column: name, type, unit, meaning, and what a null says.
    Schema(Schema),
    /// The completion script of a shell.
    #[command(
        after_help = "Example:\n  infoplane completions bash > ~/.local/share/bash-completion/completions/infoplane"
    )]
    Completions(Completions),
    /// Write manual pages, one a command.
    Man(Man),
}

/// `run`
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The pipeline file.
    #[arg(required_unless_present = "plan")]
    pub(crate) pipeline: Option<PathBuf>,
    /// What `infoplane plan` wrote, in place of a pipeline file.
    #[arg(long, value_name = "FILE", conflicts_with = "pipeline")]
    pub(crate) plan: Option<PathBuf>,
    /// Checkpoints in flight and threads for measures; never changes a result [default: all cores].
    #[arg(long)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// The memory that the run may take, such as `8G` or `900M`: fewer checkpoints and measures at a time where it takes
    /// that; never changes a result.
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub(crate) memory: Option<u64>,
    /// Only part I of N of the units, from 0; all parts together give what one run gives.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(crate) shard: Option<(usize, usize)>,
    /// The result folder or URL (`s3://bucket/prefix`), in place of the pipeline file's or the plan's.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) output: Option<PathBuf>,
}

/// `plan`
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The pipeline file.
    pub(crate) pipeline: PathBuf,
    /// The plan file [default: the pipeline file's name and the start of the plan's hash, in the working directory].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The result folder or URL (`s3://bucket/prefix`), in place of the pipeline file's.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) results: Option<PathBuf>,
    /// The memory of a task, such as `8G`: checkpoints are cut into as few groups of taps as that takes.
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub(crate) memory: Option<u64>,
    /// At most so many taps a unit, where a whole checkpoint takes too long.
    #[arg(long, value_name = "TAPS")]
    pub(crate) taps_per_unit: Option<NonZeroUsize>,
}

/// `check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The pipeline file.
    pub(crate) pipeline: PathBuf,
}

/// `bind`
#[derive(Debug, Args)]
pub(crate) struct Bind {
    /// The pipeline file.
    pub(crate) pipeline: PathBuf,
    /// One JSON object in place of the table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the rules that were found into the pipeline file's `[graph.bind]`.
    #[arg(long)]
    pub(crate) write: bool,
}

/// `init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The checkpoints: a folder, a glob or a URL.
    pub(crate) checkpoints: String,
    /// The ONNX model.
    pub(crate) model: PathBuf,
    /// The inputs, `.npy` or `.npz` [default: `inputs.npy` beside the checkpoints or the model].
    pub(crate) inputs: Option<PathBuf>,
    /// Labels, `.npy` [default: `labels.npy` beside them, if there]; `labels_color.npy` makes the column `color`.
    pub(crate) labels: Vec<PathBuf>,
    /// The pipeline file [default: the name of the checkpoints' folder].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `inspect`
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A `.safetensors` file or index, a folder or glob of checkpoints, or an `.onnx` graph.
    pub(crate) path: PathBuf,
}

/// `drift`
#[derive(Debug, Args)]
pub(crate) struct Drift {
    /// A folder or glob of checkpoints.
    pub(crate) path: PathBuf,
    /// The moves from one checkpoint to the next that make one value, 2 or more.
    #[arg(long, default_value = "4")]
    pub(crate) moves: NonZeroUsize,
    /// How rows are written.
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    pub(crate) format: OutputFormat,
}

/// `phases`
#[derive(Debug, Args)]
pub(crate) struct Phases {
    /// A result folder, whose tables `phases` and `lags` are written anew; or a `.csv` or `.parquet` file of curves.
    pub(crate) path: PathBuf,
    /// Of a file: the column of the step.
    #[arg(long, default_value = "step")]
    pub(crate) step: String,
    /// Of a file: a column of values; may be given several times.
    #[arg(long)]
    pub(crate) value: Vec<String>,
    /// Of a file: the column of the standard errors of each `--value`.
    #[arg(long)]
    pub(crate) std_error: Vec<String>,
    /// Of a file: columns whose values tell curves apart.
    #[arg(long, value_delimiter = ',')]
    pub(crate) by: Vec<String>,
    /// Which way learning moves curves [default: losses fall, all else rises].
    #[arg(long, value_enum)]
    pub(crate) direction: Option<CurveDirection>,
    /// What thresholds are parts of [default: the value of what falls and is positive, else the range].
    #[arg(long, value_enum)]
    pub(crate) of: Option<PartOf>,
    /// How far a curve must have moved to be no longer constant.
    #[arg(long, default_value_t = 0.01)]
    pub(crate) onset: f64,
    /// How far from its extremum it may be and still be on the plateau.
    #[arg(long, default_value_t = 0.02)]
    pub(crate) plateau: f64,
    /// How many standard errors values may be off.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) errors: f64,
    /// Which of two curves turned first, in place of the phases.
    #[arg(long)]
    pub(crate) lags: bool,
    /// Of a result folder: where each layer's reconstruction says to stop training for another task, in place of the phases.
    #[arg(long, conflicts_with = "lags")]
    pub(crate) transfer: bool,
    /// The same, and what linear probes read of these labels there, at best and at the end.
    #[arg(long, value_name = "LABELS", value_delimiter = ',', conflicts_with = "lags")]
    pub(crate) transfer_labels: Vec<String>,
    /// How rows are written; `csv` and `json` have all columns.
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    pub(crate) format: OutputFormat,
}

/// Which way learning moves a curve first.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CurveDirection {
    /// Down, as a loss.
    Falling,
    /// Up, as an accuracy.
    Rising,
}

/// What thresholds are parts of.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PartOf {
    /// The first value, and the extremum.
    Value,
    /// The largest value less the smallest.
    Range,
}

/// `query`
#[derive(Debug, Args)]
pub(crate) struct Query {
    /// The result folders; of several, the column `run` tells rows apart.
    #[arg(required = true)]
    pub(crate) results: Vec<PathBuf>,
    /// The query, in polars' SQL.
    #[arg(required = true)]
    pub(crate) sql: String,
    /// How rows are written; `parquet` keeps the types of the columns, and needs a file to go to.
    #[arg(long, value_enum, default_value_t = QueryFormat::Table)]
    pub(crate) format: QueryFormat,
}

/// How the rows of a query are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum QueryFormat {
    /// Comma-separated values with a header.
    Csv,
    /// One array of objects.
    Json,
    /// One Parquet file.
    Parquet,
    /// Aligned columns.
    Table,
}

/// `show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The result folders; of several, means and spreads at the steps that all have.
    #[arg(required = true)]
    pub(crate) results: Vec<PathBuf>,
    /// Only this measure, such as `usable`; `loss` and `accuracy` are the network's own.
    #[arg(long)]
    pub(crate) measure: Option<String>,
    /// Only against this variable: `input`, a label or a tap.
    #[arg(long)]
    pub(crate) variable: Option<String>,
}

/// `finish` and `status`
#[derive(Debug, Args)]
pub(crate) struct Results {
    /// The result folder.
    #[arg(required_unless_present = "plan")]
    #[arg(value_name = "RESULTS")]
    pub(crate) folder: Option<PathBuf>,
    /// The plan that was run, in place of its result folder, or to hold another folder against.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// What is there, missing and failed, as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `submit`
#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// What is to run the shards.
    pub(crate) engine: Engine,
    /// What `infoplane plan` wrote.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: PathBuf,
    /// The number of shards: tasks of the array, or indexes of the job.
    #[arg(long)]
    pub(crate) shards: NonZeroUsize,
    /// Threads of each task.
    #[arg(long, default_value = "4")]
    pub(crate) threads: NonZeroUsize,
    /// The memory of each task [default: what the plan's units take with so many threads, and a quarter more].
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub(crate) memory: Option<u64>,
    /// The time limit of each task in minutes [default: guessed from the costs of the plan, on the safe side].
    #[arg(long, value_name = "MINUTES")]
    pub(crate) minutes: Option<NonZeroU64>,
    /// Kubernetes: the image that has `infoplane`.
    #[arg(long, required_if_eq("engine", "kubernetes"))]
    pub(crate) image: Option<String>,
    /// Kubernetes: the claim of the volume that has the plan and what it names.
    #[arg(long, value_name = "NAME", required_if_eq("engine", "kubernetes"))]
    pub(crate) claim: Option<String>,
    /// Kubernetes: where that volume is mounted: at the path that it has where the plan was written.
    #[arg(long, value_name = "FOLDER", required_if_eq("engine", "kubernetes"))]
    pub(crate) mount: Option<PathBuf>,
}

/// What runs the shards of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// A job array.
    Slurm,
    /// An Indexed Job.
    Kubernetes,
    /// A task array.
    #[value(name = "hyperqueue")]
    HyperQueue,
}

/// `schema`
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// How the schema is written.
    #[arg(long, value_enum, default_value_t = SchemaFormat::Json)]
    pub(crate) format: SchemaFormat,
}

/// How the schema is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SchemaFormat {
    /// One object with the version and an array of tables.
    Json,
    /// A section for each table.
    Markdown,
}

/// `completions`
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

/// `man`
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder for the pages, such as `~/.local/share/man/man1`.
    pub(crate) folder: PathBuf,
}

/// `plot`
#[derive(Debug, Args)]
pub(crate) struct Plot {
    /// The result folder.
    pub(crate) results: PathBuf,
    /// What is drawn.
    #[arg(long, value_enum, default_value_t = FigureKind::Curves)]
    pub(crate) figure: FigureKind,
    /// A measure, and behind a colon its variable, such as `usable:digit`; may be given several times; of a plane two:
    /// across and up [default: the main measures, and the network's loss and accuracy].
    #[arg(long)]
    pub(crate) measure: Vec<String>,
    /// Of a plane: the last step that is drawn.
    #[arg(long, value_name = "STEP")]
    pub(crate) until: Option<u64>,
    /// The file to write, `.svg` or `.png`.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// What is drawn.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FigureKind {
    /// Each measure over steps, with bands.
    Curves,
    /// Each measure over layers and steps.
    HeatMap,
    /// One measure against another: the information plane.
    Plane,
}

/// `report`
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The result folders of one run, or of several.
    #[arg(required = true)]
    pub(crate) results: Vec<PathBuf>,
    /// The file to write.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Comma-separated values with a header.
    Csv,
    /// One array of objects.
    Json,
    /// Aligned columns.
    Table,
}

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

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    parts
        .filter(|&(index, count): &(usize, usize)| index < count)
        .ok_or_else(|| "needed I/N with I from 0 to N − 1, such as 0/8".to_owned())
}

/// Bytes, such as `8G`; powers of 1024, as schedulers have them.
fn memory(text: &str) -> Result<u64, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().trim_end_matches('B').trim_end_matches('i').to_ascii_uppercase();
    let power = ["K", "M", "G", "T"].iter().position(|known| *known == unit);
    let bytes = power.and_then(|power| number.parse::<u64>().ok()?.checked_mul(1 << (10 * (power + 1))));
    bytes.filter(|&bytes| bytes > 0).ok_or_else(|| "needed a whole number with a unit, such as 8G or 900M".to_owned())
}
