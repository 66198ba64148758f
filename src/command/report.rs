//! `report`: one HTML file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use infoplane::report::page;

use super::print;
use crate::cli::Report;

/// `report`: writes the page and says how large it is.
pub(crate) fn report(arguments: &Report) -> anyhow::Result<ExitCode> {
    let results: Vec<&Path> = arguments.results.iter().map(PathBuf::as_path).collect();
    let page = page(&results)?;
    write(&arguments.output, page.as_bytes())?;
    print(&format!("{}: {:.1} MB\n", arguments.output.display(), page.len() as f64 / 1e6))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a file, or says which one could not be written.
pub(super) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("`{}`: cannot write; choose another file with `-o`", path.display()))
}
