//! Where ONNX Runtime's shared library is found.
//!
//! It is the one thing that cargo cannot bring. The order: what the user names, what lies beside
//! the executable, the `onnxruntime` package of a Python (its own first), the tool's own cache, and at last a
//! download of the pinned version through pip.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{ReplayError, fetch};

/// Finds ONNX Runtime's shared library, fetching the pinned version where there is none.
///
/// `notify` gets one line when something is fetched.
///
/// # Errors
///
/// [`ReplayError::NoLibrary`] with what was tried and what to do.
pub fn find_library(offline: bool, notify: &dyn Fn(&str)) -> Result<PathBuf, ReplayError> {
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").map(PathBuf::from) {
        return if path.is_file() {
            Ok(path)
        } else {
            let reason =
                format!("`ORT_DYLIB_PATH` names `{}`, which is not a file; correct or unset it", path.display());
            Err(ReplayError::NoLibrary { reason })
        };
    }
    let executable = env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
    if let Some(library) = executable.as_deref().and_then(newest_in) {
        return Ok(library);
    }
    if let Some(library) = in_python(executable.as_deref()) {
        return Ok(library);
    }
    let cache = cache_folder()?;
    match newest_in(&cache.join(fetch::folder_name())) {
        Some(library) => Ok(library),
        None if offline => Err(ReplayError::NoLibrary {
            reason: format!(
                "looked at `ORT_DYLIB_PATH`, beside the executable, in the active Python and in `{}`, and `--offline` forbids fetching it; \
                 run once without `--offline`, or `pip install onnxruntime`",
                cache.display()
            ),
        }),
        None => fetch::fetch(&cache, notify),
    }
}

/// The tool's own cache folder.
fn cache_folder() -> Result<PathBuf, ReplayError> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home =
        || named("HOME").map(|home| home.join(if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" }));
    named("XDG_CACHE_HOME").or_else(home).map(|cache| cache.join("infoplane")).ok_or_else(|| ReplayError::NoLibrary {
        reason: "neither `XDG_CACHE_HOME` nor `HOME` is set, so there is no cache folder; set `ORT_DYLIB_PATH`"
            .to_owned(),
    })
}

/// The `onnxruntime` package of the Python that the tool is installed in, of the active one, or of `python3`.
fn in_python(executable: Option<&Path>) -> Option<PathBuf> {
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(|name| env::var_os(name).map(PathBuf::from));
    // What was installed together belongs together, whatever else is active.
    let own = executable.and_then(Path::parent).map(Path::to_owned);
    own.into_iter().chain(active).find_map(|prefix| in_prefix(&prefix)).or_else(from_interpreter)
}

fn in_prefix(prefix: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(prefix.join("lib")).ok()?;
    let mut folders: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort();
    folders.iter().rev().find_map(|folder| newest_in(&folder.join("site-packages/onnxruntime/capi")))
}

/// Asks `python3` where its package lies, without importing (and so running) it.
fn from_interpreter() -> Option<PathBuf> {
    const QUESTION: &str = "import importlib.util as u; s = u.find_spec('onnxruntime'); print(s.submodule_search_locations[0] if s else '')";
    // From the root folder, since Python looks into the current folder first.
    let answer = Command::new("python3").args(["-c", QUESTION]).current_dir("/").output().ok()?;
    let folder = String::from_utf8(answer.stdout).ok()?;
    let folder = folder.trim();
    if folder.is_empty() { None } else { newest_in(&Path::new(folder).join("capi")) }
}

/// The newest usable library in a folder; a version older than 1.22 is passed over.
fn newest_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = version_of(path.file_name()?.to_str()?)?;
            (version >= (1, 22)).then_some((version, path))
        })
        .max()
        .map(|(_, path)| path)
}

/// The version in a library's file name; a bare name counts as new enough, and loading will tell.
fn version_of(name: &str) -> Option<(u32, u32)> {
    let rest = name.strip_prefix("libonnxruntime.")?;
    let version = match rest.strip_prefix("so") {
        Some(version) => version.strip_prefix('.').unwrap_or(version),
        None => rest.strip_suffix("dylib")?.trim_end_matches('.'),
    };
    if version.is_empty() {
        return Some((1, 22));
    }
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next().and_then(Result::ok).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::version_of;

    #[test]
    fn file_names_tell_the_version() {
        for (name, version) in [
            ("libonnxruntime.so.1.28.0", Some((1, 28))),
            ("libonnxruntime.1.28.0.dylib", Some((1, 28))),
            ("libonnxruntime.so", Some((1, 22))),
            ("libonnxruntime.dylib", Some((1, 22))),
            ("libonnxruntime_providers_shared.so", None),
            ("onnxruntime_pybind11_state.so", None),
        ] {
            assert_eq!(version_of(name), version, "{name}");
        }
    }
}
