//! Progress with an ETA, for terminals only.

use std::io::{IsTerminal, stderr};
use std::sync::Mutex;

use infoplane::pipeline::Event;
use kdam::{Bar, BarExt, tqdm};

/// A progress bar; silent when the error stream is no terminal.
pub(crate) struct Progress {
    bar: Option<Mutex<Bar>>,
    quiet: bool,
}

impl Progress {
    /// A bar over things that are called `of` together and `unit` one by one.
    pub(crate) fn new(quiet: bool, of: &str, unit: &str) -> Self {
        let shown = !quiet && stderr().is_terminal();
        let bar = shown.then(|| Mutex::new(tqdm!(desc = of, unit = format!(" {unit}"), dynamic_ncols = true)));
        Self { bar, quiet }
    }

    /// Shows how many there are.
    pub(crate) fn planned(&self, total: usize) {
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
            Event::Kept | Event::Done => self.one_done(),
            Event::Failed { file, reason } | Event::Doubted { file, reason } => {
                self.with_bar(|bar| {
                    bar.clear()?;
                    bar.update(1).map(drop)
                });
                if !self.quiet {
                    // The reason names the file already where the file is at fault.
                    let name = if reason.contains(&file) { String::new() } else { format!("`{file}`: ") };
                    eprintln!("warning: {name}{reason}");
                }
            }
        }
    }

    /// Leaves the bar as it is and goes to a new line.
    pub(crate) fn finish(&self) {
        if self.bar.is_some() {
            eprintln!();
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
