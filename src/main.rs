//! The command line: parse, call, print, exit code.
#![expect(clippy::print_stderr, reason = "this is the user interface")]

mod cli;
mod command;

use std::process::ExitCode;

use clap::Parser;
use serde_json::json;

use cli::{Cli, Command, LogFormat};

fn main() -> ExitCode {
    #[expect(
        unsafe_code,
        reason = "some builds of ONNX Runtime write a device id and queue events unless this stands in the environment"
    )]
    // SAFETY: this is the first statement of the process, so that no other thread reads the environment.
    unsafe {
        std::env::set_var("ORT_DISABLE_TELEMETRY", "1");
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // What `--help` and `--version` print comes this way, too.
            let code = if error.use_stderr() { command::exit::USAGE } else { 0 };
            return if error.print().is_ok() { ExitCode::from(code) } else { ExitCode::from(2) };
        }
    };
    let result = match &cli.command {
        Command::Run(arguments) => command::run(&cli, arguments),
        Command::Plan(arguments) => command::plan(&cli, arguments),
        Command::Check(arguments) => command::check(&cli, arguments),
        Command::Bind(arguments) => command::bind(&cli, arguments),
        Command::Init(arguments) => command::init(&cli, arguments),
        Command::Drift(arguments) => command::drift(arguments),
        Command::Inspect(arguments) => command::inspect(&cli, arguments),
        Command::Measure(arguments) => command::measure(arguments),
        Command::Verify(arguments) => command::verify(&cli, arguments),
        Command::Phases(arguments) => command::phases(arguments),
        Command::Query(arguments) => command::query(arguments),
        Command::Report(arguments) => command::report(arguments),
        Command::Plot(arguments) => command::plot(arguments),
        Command::Show(arguments) => command::show(arguments),
        Command::Status(arguments) => command::status(arguments),
        Command::Submit(arguments) => command::submit(arguments),
        Command::Finish(arguments) => command::finish(arguments),
        Command::Schema(arguments) => command::schema(arguments),
        Command::Completions(arguments) => command::completions(arguments),
        Command::Man(arguments) => command::man(arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let text = chain(&error);
            let prefix = if matches!(cli.log_format, LogFormat::Text) { "error: " } else { "" };
            command::log::tell(cli.log_format, "error", "error", &format!("{prefix}{text}"), &json!({}));
            command::exit::code(&error)
        }
    }
}

/// The error and its causes in one line; a cause that the message before it tells already is left out.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(|cause| cause.to_string().replace('\n', "; ")) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
