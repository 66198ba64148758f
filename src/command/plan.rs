//! `plan`: the units of work, written down once.

use std::fmt::Write;
use std::process::ExitCode;

use infoplane::pipeline::{self, Limits, Planned};
use serde_json::json;

use super::run::runtime;
use super::{log, print};
use crate::cli::{Cli, Plan};

/// `plan`: prints where the plan lies; what it is goes to the log.
pub(crate) fn plan(cli: &Cli, arguments: &Plan) -> anyhow::Result<ExitCode> {
    let limits = Limits { memory: arguments.memory, taps: arguments.taps_per_unit };
    let plan = pipeline::Plan::new(&arguments.pipeline, arguments.results.as_deref(), limits, runtime(cli)?)?;
    let planned = Planned::new(&plan, &arguments.pipeline)?;
    let path = arguments.output.clone().unwrap_or_else(|| planned.default_path());
    let is_new = planned.write(&path)?;
    if !cli.quiet {
        let mut text = format!("{plan}\n");
        for group in &plan.groups {
            let taps = plan.taps[group.taps.clone()].iter().map(|tap| tap.name.as_str()).collect::<Vec<_>>();
            let (cost, bytes) = (group.cost, group.bytes.div_ceil(1 << 20));
            writeln!(text, "unit         {}: cost {cost:.2e}, about {bytes} MB with one thread", taps.join(", "))?;
        }
        let state = if is_new { "written" } else { "there already" };
        write!(
            text,
            "units        {}: {} checkpoints, each in {}; {state}",
            planned.n_units(),
            plan.checkpoints.len(),
            plan.groups.len()
        )?;
        let facts = json!({ "plan": planned.hash(), "units": planned.n_units(), "groups": plan.groups });
        log::tell(cli.log_format, "info", "plan", &text, &facts);
    }
    print(&format!("{}\n", path.display()))?;
    Ok(ExitCode::SUCCESS)
}
