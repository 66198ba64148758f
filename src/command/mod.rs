//! The commands: what the library found, printed.

mod bind;
mod bottleneck;
mod codebook;
mod drift;
pub(crate) mod exit;
mod finish;
mod gradient;
mod init;
mod inspect;
pub(crate) mod log;
mod measure;
mod phases;
mod plan;
mod progress;
mod report;
mod results;
mod run;
mod shell;
mod status;
mod submit;
mod typicality;
mod verify;

pub(crate) use bind::bind;
pub(crate) use drift::drift;
pub(crate) use finish::finish;
pub(crate) use init::init;
pub(crate) use inspect::inspect;
pub(crate) use measure::measure;
pub(crate) use phases::phases;
pub(crate) use plan::plan;
pub(crate) use report::{plot, report};
pub(crate) use results::{query, schema, show};
pub(crate) use run::{check, run};
pub(crate) use shell::{completions, man};
pub(crate) use status::status;
pub(crate) use submit::submit;
pub(crate) use verify::verify;

use std::io::{self, Write};

use infoplane::report::{Answer, Format};

use crate::cli::OutputFormat;

/// Prints rows in the format that was asked for.
fn print_answer(answer: &Answer, format: OutputFormat) -> anyhow::Result<()> {
    let format = match format {
        OutputFormat::Csv => Format::Csv,
        OutputFormat::Json => Format::Json,
        OutputFormat::Table => Format::Table,
    };
    let mut text = Vec::new();
    answer.write(format, &mut text)?;
    print_bytes(&text)?;
    Ok(())
}

/// Prints to the standard output.
fn print(text: &str) -> io::Result<()> {
    print_bytes(text.as_bytes())
}

/// Writes to the standard output; a reader such as `head` that has seen enough is no error.
fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
