//! The commands: what the library found, printed.

mod inspect;
mod measure;
mod progress;
mod run;

pub(crate) use inspect::inspect;
pub(crate) use measure::measure;
pub(crate) use run::{check, run};

use std::io;
use std::process::ExitCode;

use infoplane::report::{self, Format};
use infoplane::table::Folder;

use crate::cli::{OutputFormat, Query};

/// `query`: SQL over a result folder.
pub(crate) fn query(arguments: &Query) -> anyhow::Result<ExitCode> {
    let answer = report::query(&Folder::open(&arguments.results)?, &arguments.sql)?;
    let format = match arguments.format {
        OutputFormat::Csv => Format::Csv,
        OutputFormat::Json => Format::Json,
        OutputFormat::Table => Format::Table,
    };
    match answer.write(format, &mut io::stdout().lock()) {
        // A reader such as `head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        written => written.map(|()| ExitCode::SUCCESS).map_err(Into::into),
    }
}
