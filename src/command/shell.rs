//! `completions` and `man`: what shells and manuals need.

use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;

use super::{print, print_bytes};
use crate::cli::{Cli, Completions, Man};

/// `completions`: the script of a shell.
pub(crate) fn completions(arguments: &Completions) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "infoplane", &mut script);
    print_bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// `man`: a page for the tool and each of its commands.
pub(crate) fn man(arguments: &Man) -> anyhow::Result<ExitCode> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .with_context(|| format!("cannot write to `{}`", folder.display()))?;
    print(&format!("manual pages written; `man {}` shows the first\n", folder.join("infoplane.1").display()))?;
    Ok(ExitCode::SUCCESS)
}
