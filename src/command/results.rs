//! `query`, `show` and `schema`: what lies in result folders.

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

use anyhow::bail;
use infoplane::report::{self, Runs, Selection};
use infoplane::table::{schema_json, schema_markdown};

use super::{print, print_answer, print_bytes};
use crate::cli::{OutputFormat, Query, QueryFormat, Schema, SchemaFormat, Show};

/// `query`: SQL over result folders.
pub(crate) fn query(arguments: &Query) -> anyhow::Result<ExitCode> {
    let runs = Runs::open(&arguments.results)?;
    let format = match arguments.format {
        QueryFormat::Csv => OutputFormat::Csv,
        QueryFormat::Json => OutputFormat::Json,
        QueryFormat::Table => OutputFormat::Table,
        QueryFormat::Parquet if stdout().is_terminal() => {
            bail!("`--format parquet`: found a terminal, needed a file; write `> answer.parquet` behind the command");
        }
        QueryFormat::Parquet => {
            let mut bytes = Vec::new();
            report::query_parquet(&runs, &arguments.sql, &mut bytes)?;
            print_bytes(&bytes)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    print_answer(&report::query_runs(&runs, &arguments.sql)?, format)?;
    Ok(ExitCode::SUCCESS)
}

/// `show`: the standard views.
pub(crate) fn show(arguments: &Show) -> anyhow::Result<ExitCode> {
    let selection = Selection { measure: arguments.measure.clone(), variable: arguments.variable.clone() };
    print(&report::show(&Runs::open(&arguments.results)?, &selection)?)?;
    Ok(ExitCode::SUCCESS)
}

/// `schema`: every table and column.
pub(crate) fn schema(arguments: &Schema) -> anyhow::Result<ExitCode> {
    print(&match arguments.format {
        SchemaFormat::Json => serde_json::to_string_pretty(&schema_json())? + "\n",
        SchemaFormat::Markdown => schema_markdown(),
    })?;
    Ok(ExitCode::SUCCESS)
}
