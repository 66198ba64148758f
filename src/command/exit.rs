//! Exit codes of failures; those of schedulers' conventions are the ones of `sysexits`.

use std::process::ExitCode;

use infoplane::archive::Fault;
use infoplane::pipeline::PipelineError;
use infoplane::report::ReportError;
use infoplane::table::TableError;
use signal_hook::consts::SIGTERM;

/// Finished, and some rows have no value.
pub(crate) const FAILED_ROWS: u8 = 1;
/// Could not run.
const FAILED: u8 = 2;
/// The command line or the plan is wrong: trying again is useless.
pub(crate) const USAGE: u8 = 64;
/// A checkpoint is corrupt: trying again is useless.
pub(crate) const CORRUPT: u8 = 65;
/// Stopped or cut off: trying again goes on.
pub(crate) const TRY_AGAIN: u8 = 75;

/// The exit code of an error.
pub(crate) fn code(error: &anyhow::Error) -> ExitCode {
    let is_out_of_reach = error.downcast_ref().is_some_and(TableError::is_unreachable)
        || matches!(error.downcast_ref(), Some(ReportError::Table(error)) if error.is_unreachable());
    if is_out_of_reach {
        return ExitCode::from(TRY_AGAIN);
    }
    let code = error.downcast_ref().map_or(FAILED, |error: &PipelineError| match error {
        PipelineError::Stopped { signal: SIGTERM, .. } => TRY_AGAIN,
        PipelineError::Stopped { signal, .. } => 128 + u8::try_from(*signal).unwrap_or(0),
        PipelineError::PlanFile { .. }
        | PipelineError::PlanChanged { .. }
        | PipelineError::TooLarge { .. }
        | PipelineError::Memory { .. }
        | PipelineError::CutWithoutPlan
        | PipelineError::Shard { .. } => USAGE,
        other => match other.fault() {
            Fault::Corrupt => CORRUPT,
            Fault::Unreachable => TRY_AGAIN,
            Fault::Other => FAILED,
        },
    });
    ExitCode::from(code)
}
