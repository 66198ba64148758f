//! Progress with an ETA, for terminals only.

use std::io::{IsTerminal, stderr};
use std::sync::Mutex;

use infoplane::pipeline::Event;
use kdam::{Bar, BarExt, tqdm};

/// A progress bar over checkpoints; silent when the error stream is no terminal.
pub(crate) struct Progress {
    bar: Option<Mutex<Bar>>,
    quiet: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let shown = !quiet && stderr().is_terminal();
        let bar = shown.then(|| Mutex::new(tqdm!(desc = "checkpoints", unit = " ckpt", dynamic_ncols = true)));
        Self { bar, quiet }
    }

    /// Shows an event of a run.
    pub(crate) fn tell(&self, event: Event) {
        match event {
            Event::Planned(total) => self.with_bar(|bar| {
                bar.total = total;
                bar.refresh()
            }),
            Event::Kept | Event::Done => self.with_bar(|bar| bar.update(1).map(drop)),
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
