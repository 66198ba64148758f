//! What units take: told to people who paid for it, and never part of a result.

use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::PipelineError;
use crate::table::{Folder, UnitRow};

/// How often what is known is written: a process that is killed loses no more than that.
const OFTEN: Duration = Duration::from_secs(10);

/// Takes down what the units of this process take.
#[derive(Debug)]
pub(super) struct Meter {
    /// What all rows have in common.
    process: String,
    host: Option<String>,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    rows: Vec<UnitRow>,
    written: Instant,
}

/// Seconds by stage.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seconds {
    pub replay: f64,
    pub measure: f64,
}

impl Meter {
    pub(super) fn new() -> Self {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
        let name = host.as_deref().unwrap_or("machine").replace('/', "-");
        let process = format!("{name}-{}-{}", std::process::id(), since_1970().as_millis());
        Self { process, host, taken: Mutex::new(Taken { rows: Vec::new(), written: Instant::now() }) }
    }

    /// Takes down one unit; the machine, the process and its memory are filled in here.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Table`] when it is time to write and that fails.
    pub(super) fn add(&self, folder: &Folder, row: UnitRow) -> Result<(), PipelineError> {
        let mut taken = self.taken.lock().expect("no worker panics while it counts");
        let (host, process) = (self.host.clone(), self.process.clone());
        taken.rows.push(UnitRow { peak_bytes: peak_bytes(), host, process, ..row });
        if taken.written.elapsed() < OFTEN {
            return Ok(());
        }
        taken.written = Instant::now();
        Ok(folder.write_metrics(&self.process, &taken.rows)?)
    }

    /// Writes what is known at the end.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Table`].
    pub(super) fn finish(&self, folder: &Folder) -> Result<(), PipelineError> {
        let taken = self.taken.lock().expect("no worker panics while it counts");
        if taken.rows.is_empty() { Ok(()) } else { Ok(folder.write_metrics(&self.process, &taken.rows)?) }
    }
}

/// The time of day; a clock before 1970 is one that was never set.
pub(super) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The most memory that this process ever had, where Linux tells it.
fn peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| 1024 * kilobytes)
}
