//! The command line: structures only, no logic.

mod measure;
mod results;
mod run;

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use measure::{
    BottleneckArguments, CodebookArguments, GradientArguments, InformationArguments, Known, Measure, Quantity,
    ReconstructionArguments, SplitArguments, TypicalityArguments, UsableArguments, Verify,
};
pub(crate) use results::{
    Completions, CurveDirection, Drift, FigureKind, Inspect, Man, OutputFormat, PartOf, Phases, Plot, Query,
    QueryFormat, Report, Results, Schema, SchemaFormat, Show,
};
pub(crate) use run::{Bind, Check, Engine, Init, Plan, Run, Submit};

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
