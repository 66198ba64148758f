//! Arguments of what runs a pipeline, and of what is done before.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

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
