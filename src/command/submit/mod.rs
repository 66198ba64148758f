//! `submit`: a job script or manifest that runs the shards of a plan. The texts lie beside this file.

use std::env::current_exe;
use std::path::{Path, absolute};
use std::process::ExitCode;

use infoplane::pipeline::{Group, Planned, Shard};
use infoplane::store::is_url;

use super::print;
use crate::cli::{Engine, Submit};

const SLURM: &str = include_str!("slurm.sh");
const KUBERNETES: &str = include_str!("kubernetes.yaml");
const HYPERQUEUE: &str = include_str!("hyperqueue.sh");

/// Operations a second and thread, when the time of a task is guessed. The pipelines of this repository run at 3e9 to 2e11
/// of them on a thread of a server.
const OPERATIONS: f64 = 2.5e9;
/// To start, to read the first checkpoint from afar, and to spare.
const LEAST_MINUTES: u64 = 20;
/// Tasks of a Kubernetes job that run at a time, unless there are fewer.
const PARALLEL: usize = 64;

/// `submit`: prints, and submits nothing.
pub(crate) fn submit(arguments: &Submit) -> anyhow::Result<ExitCode> {
    let planned = Planned::open(&arguments.plan)?;
    let (shards, threads) = (arguments.shards.get(), arguments.threads.get());
    let memory = arguments.memory.unwrap_or_else(|| memory(planned.groups(), threads));
    let minutes = arguments.minutes.map_or_else(|| minutes(&planned, shards, threads), Into::into);
    let path = |path: &Path| -> anyhow::Result<String> {
        let is_url = path.to_str().is_some_and(is_url);
        let path = if is_url { path.to_owned() } else { absolute(path)? };
        Ok(quoted(&path.display().to_string()))
    };
    let plan = path(&arguments.plan)?;
    let program = path(&current_exe()?)?;
    // In a manifest the program is that of the image.
    let own = if arguments.engine == Engine::Kubernetes { "infoplane".to_owned() } else { program };
    let finish = format!("{own} finish --plan {plan}");
    let finish = if arguments.engine == Engine::Slurm { quoted(&finish) } else { finish };
    let name = planned.pipeline().file_stem().unwrap_or_default().to_string_lossy();
    let values = [
        ("name", format!("infoplane-{}", label(&name))),
        ("units", format!("{} units", planned.n_units())),
        ("hash", planned.hash()[..8].to_owned()),
        ("shards", shards.to_string()),
        ("last", (shards - 1).to_string()),
        ("array", shards.to_string()),
        ("parallel", shards.min(PARALLEL).to_string()),
        ("threads", threads.to_string()),
        ("megabytes", memory.div_ceil(1 << 20).to_string()),
        ("minutes", minutes.to_string()),
        ("program", own),
        ("finish", finish),
        ("image", arguments.image.clone().unwrap_or_default()),
        ("claim", arguments.claim.clone().unwrap_or_default()),
        ("mount", arguments.mount.as_deref().unwrap_or(Path::new("")).display().to_string()),
        // Last: a path may hold what looks like a name in braces.
        ("plan", plan),
    ];
    let template = match arguments.engine {
        Engine::Slurm => SLURM,
        Engine::Kubernetes => KUBERNETES,
        Engine::HyperQueue => HYPERQUEUE,
    };
    let text =
        values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What the largest unit takes with so many threads, each with a worker, and a quarter more, in whole 256 MB.
fn memory(groups: &[Group], threads: usize) -> u64 {
    const STEP: u64 = 256 << 20;
    let bytes = |group: &Group| {
        let others = group.bytes_per_worker.saturating_mul(threads as u64 - 1);
        group.bytes.saturating_add(others)
    };
    let most = groups.iter().map(bytes).max().unwrap_or(0);
    most.saturating_add(most / 4).div_ceil(STEP).saturating_mul(STEP)
}

/// A guess of the time of the shard with most to do: half as fast again as it should be.
fn minutes(planned: &Planned, shards: usize, threads: usize) -> u64 {
    let groups = planned.groups();
    // The first shard gets the longest unit, and no shard gets more than one unit more than it.
    let first = Shard::new(0, shards).map_or_else(|_| Vec::new(), |shard| shard.units(groups, planned.n_checkpoints()));
    let longest = groups.iter().map(|group| group.cost).max().unwrap_or(0);
    let cost = first.iter().fold(longest, |sum, &(_, group)| sum.saturating_add(groups[group].cost));
    let minutes = 2.0 * cost as f64 / OPERATIONS / threads as f64 / 60.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time limit is positive and bounded")]
    let whole = minutes.ceil().min(1e9) as u64;
    LEAST_MINUTES + whole
}

/// A name as Kubernetes takes it, and all others too: small letters, digits and dashes.
fn label(name: &str) -> String {
    let letters =
        name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' });
    let label: String = letters.take(50).collect();
    label.trim_matches('-').to_owned()
}

/// A path as a shell takes it.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+=:@%,".contains(letter);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
