//! The commands: what the library found, printed.

mod bind;
mod inspect;
mod measure;
mod phases;
mod progress;
mod report;
mod run;
mod verify;

pub(crate) use bind::bind;
pub(crate) use inspect::inspect;
pub(crate) use measure::measure;
pub(crate) use phases::phases;
pub(crate) use report::report;
pub(crate) use run::{check, run};
pub(crate) use verify::verify;

use std::io::{self, Write};
use std::process::ExitCode;

use infoplane::report::{Answer, Format};
use infoplane::table::Folder;

use crate::cli::{OutputFormat, Query};

/// `query`: SQL over a result folder.
pub(crate) fn query(arguments: &Query) -> anyhow::Result<ExitCode> {
    let answer = infoplane::report::query(&Folder::open(&arguments.results)?, &arguments.sql)?;
    print_answer(&answer, arguments.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints rows in the format that was asked for.
fn print_answer(answer: &Answer, format: OutputFormat) -> anyhow::Result<()> {
    let format = match format {
        OutputFormat::Csv => Format::Csv,
        OutputFormat::Json => Format::Json,
        OutputFormat::Table => Format::Table,
    };
    let mut text = Vec::new();
    answer.write(format, &mut text)?;
    print(&String::from_utf8(text)?)?;
    Ok(())
}

/// Prints to the standard output; a reader such as `head` that has seen enough is no error.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
