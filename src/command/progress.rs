//! Progress with an ETA for terminals, or one line of JSON an event for logs.

use std::io::{IsTerminal, stderr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use infoplane::pipeline::Event;
use kdam::{Bar, BarExt, tqdm};
use serde_json::json;

use super::log;
use crate::cli::{Cli, LogFormat};

/// A progress bar; silent when the error stream is no terminal.
pub(crate) struct Progress {
    bar: Option<Mutex<Bar>>,
    format: LogFormat,
    quiet: bool,
    planned: AtomicUsize,
    done: AtomicUsize,
}

impl Progress {
    /// A bar over things that are called `of` together and `unit` one by one.
    pub(crate) fn new(cli: &Cli, of: &str, unit: &str) -> Self {
        let shown = !cli.quiet && stderr().is_terminal() && matches!(cli.log_format, LogFormat::Text);
        let bar = shown.then(|| Mutex::new(tqdm!(desc = of, unit = format!(" {unit}"), dynamic_ncols = true)));
        let (planned, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { bar, format: cli.log_format, quiet: cli.quiet, planned, done }
    }

    /// Shows how many there are.
    pub(crate) fn planned(&self, total: usize) {
        self.planned.store(total, Ordering::Relaxed);
        self.with_bar(|bar| {
            bar.total = total;
            bar.refresh()
        });
    }

    /// Shows that one is done.
    pub(crate) fn one_done(&self) {
        self.with_bar(|bar| bar.update(1).map(drop));
    }

    /// Shows an event of a run.
    pub(crate) fn tell(&self, event: Event) {
        match event {
            Event::Planned(total) => self.planned(total),
            Event::Kept { file } => self.count("kept", &file),
            Event::Done { file } => self.count("done", &file),
            Event::Failed { file, reason } => self.warn("failed", &file, &reason),
            Event::Doubted { file, reason } => self.warn("doubted", &file, &reason),
        }
    }

    /// Leaves the bar as it is and goes to a new line.
    pub(crate) fn finish(&self) {
        if self.bar.is_some() {
            eprintln!();
        }
    }

    fn count(&self, event: &str, file: &str) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.with_bar(|bar| bar.update(1).map(drop));
        // For people the bar is enough.
        if matches!(self.format, LogFormat::Json) && !self.quiet {
            let planned = self.planned.load(Ordering::Relaxed);
            let text = format!("{file}: {event}, {done} of {planned}");
            log::tell(self.format, "info", event, &text, &json!({ "file": file, "done": done, "planned": planned }));
        }
    }

    fn warn(&self, event: &str, file: &str, reason: &str) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.with_bar(|bar| {
            bar.clear()?;
            bar.update(1).map(drop)
        });
        if !self.quiet {
            // The reason names the file already where the file is at fault.
            let name = if reason.contains(file) { String::new() } else { format!("`{file}`: ") };
            let prefix = if matches!(self.format, LogFormat::Text) { "warning: " } else { "" };
            let text = format!("{prefix}{name}{reason}");
            log::tell(self.format, "warning", event, &text, &json!({ "file": file, "reason": reason }));
        }
    }

    /// Drawing may fail; the run does not care.
    fn with_bar(&self, draw: impl FnOnce(&mut Bar) -> std::io::Result<()>) {
        if let Some(bar) = &self.bar
            && let Ok(mut bar) = bar.lock()
        {
            let _ = draw(&mut bar);
        }
    }
}
