//! The files of a folder on this machine that checkpoints can be made of.

use std::fs;
use std::io;
use std::path::Path;

use super::ArchiveError;

/// The checkpoint files in a folder and at most `depth` levels below it, by their path in it, with
/// `/` between its parts. Links are followed; folders that `enters` does not take are not looked into.
///
/// # Errors
///
/// [`ArchiveError::Read`] for a folder that cannot be listed, or a name that cannot be told in a row.
pub(super) fn files(folder: &Path, depth: usize, enters: &dyn Fn(&str) -> bool) -> Result<Vec<String>, ArchiveError> {
    let mut found = Vec::new();
    walk(folder, "", depth, enters, &mut found)?;
    Ok(found)
}

fn walk(
    folder: &Path,
    prefix: &str,
    depth: usize,
    enters: &dyn Fn(&str) -> bool,
    found: &mut Vec<String>,
) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::read(folder.display(), source);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = match entry.file_name().into_string() {
            Ok(name) => name,
            Err(name) if is_checkpoint(&name.to_string_lossy()) => {
                let reason = io::Error::other("its name is not UTF-8, which a row could not tell; rename it");
                return Err(ArchiveError::read(entry.path().display(), reason));
            }
            Err(_) => continue,
        };
        if is_passing(&name) {
            continue;
        }
        let (path, relative) = (entry.path(), format!("{prefix}{name}"));
        // A link that leads nowhere stays a file here, and its error is that of the checkpoint.
        if path.is_dir() {
            if depth > 0 && enters(&relative) && !leads_back(&path) {
                walk(&path, &format!("{relative}/"), depth - 1, enters, found)?;
            }
        } else if is_checkpoint(&name) {
            found.push(relative);
        }
    }
    Ok(())
}

/// Whether a folder is a link to one that holds it, which would never end.
fn leads_back(path: &Path) -> bool {
    if !path.is_symlink() {
        return false;
    }
    match (path.canonicalize(), path.parent().map(Path::canonicalize)) {
        (Ok(target), Some(Ok(parent))) => parent.starts_with(target),
        _ => true,
    }
}

/// The size of a file that is nothing else: opening a pipe would wait for ever.
///
/// # Errors
///
/// [`ArchiveError::Read`] when it is not there, or no file.
pub(super) fn size(path: &Path) -> Result<u64, ArchiveError> {
    let failed = |source| ArchiveError::read(path.display(), source);
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_file() {
        Ok(metadata.len())
    } else {
        Err(failed(io::Error::other("found a folder or device, needed a file")))
    }
}

/// Whether a name is that of a checkpoint's file: safetensors, or the index of some.
pub(super) fn is_checkpoint(name: &str) -> bool {
    is_safetensors(name) || is_index(name)
}

/// Whether a name is that of an index that joins shards.
pub(super) fn is_index(name: &str) -> bool {
    name.ends_with(".safetensors.index.json")
}

/// Whether a name is that of a safetensors file.
pub(super) fn is_safetensors(name: &str) -> bool {
    name.ends_with(".safetensors")
}

/// Whether a file or folder is hidden, or only there while something is being written.
pub(super) fn is_passing(name: &str) -> bool {
    name.starts_with('.')
        || name.starts_with("tmp-")
        || [".tmp", ".lock", ".incomplete"].iter().any(|ending| name.ends_with(ending))
        || name.contains("-checkpoint-tmp-")
}
