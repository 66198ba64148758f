//! Arguments of what looks at results, at archives and at the program itself.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

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
