//! Files that are being written, below `work`, and what killed processes left there.
//!
//! A file that is being written is locked. The system takes the lock of a process that dies, so that whoever gets
//! the lock knows that nobody will ever rename the file.

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use super::{Folder, TableError};

const PREFIX: &str = "part-";

impl Folder {
    /// Deletes what processes that were killed left among the working files, and returns how many there were.
    ///
    /// A file that another process is writing stays. Where a file system knows no locks (they say so
    /// with errors of many kinds), all are deleted, and a process that is writing one fails and can be run again.
    ///
    /// # Errors
    ///
    /// [`TableError::Read`], [`TableError::Write`].
    pub fn sweep(&self) -> Result<usize, TableError> {
        let work = self.work();
        let read = |source: io::Error| TableError::Read { path: work.clone(), source };
        let mut swept = 0;
        for entry in fs::read_dir(&work).map_err(read)? {
            let entry = entry.map_err(read)?;
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                match delete_unless_locked(&entry.path()) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    deleted => swept += usize::from(deleted.map_err(TableError::write(entry.path()))?),
                }
            }
        }
        Ok(swept)
    }
}

/// A new file with a lock.
pub(super) fn working_file(work: &Path) -> io::Result<NamedTempFile> {
    loop {
        // Results are for others to read, as far as the user's mask allows: temporary files are not by default.
        let file = Builder::new().prefix(PREFIX).permissions(Permissions::from_mode(0o666)).tempfile_in(work)?;
        // Another process may be sweeping it, or have swept it, before it was locked.
        let is_ours = !matches!(file.as_file().try_lock(), Err(TryLockError::WouldBlock));
        if is_ours && file.path().exists() {
            return Ok(file);
        }
    }
}

fn delete_unless_locked(path: &Path) -> io::Result<bool> {
    let file = File::options().write(true).open(path)?;
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Ok(false);
    }
    // Still locked: whoever has just made it must not get the lock before it is gone.
    fs::remove_file(path)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_nobody_writes_are_swept() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder {
            root: root.path().to_owned(),
            files: root.path().to_owned(),
            remote: None,
            tables: Vec::new(),
            plan: None,
        };
        fs::create_dir(folder.work()).unwrap();
        let left = folder.work().join("part-left");
        fs::write(&left, "half a part").unwrap();
        let written = working_file(&folder.work()).unwrap();
        assert_eq!(folder.sweep().unwrap(), 1);
        assert!(!left.exists());
        assert!(written.path().exists());
        // The lock ends with the process that held it, here with the file.
        let (file, path) = written.keep().unwrap();
        drop(file);
        assert_eq!(folder.sweep().unwrap(), 1);
        assert!(!path.exists());
    }
}
