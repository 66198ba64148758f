//! The pinned ONNX Runtime, fetched once through the user's own pip.
//!
//! Pip, because mirrors, proxies and certificates are set up there already.
//! Version 1.28.0 is the newest without telemetry in the official Linux builds.

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::ReplayError;

/// A published build of ONNX Runtime.
struct Pin {
    version: &'static str,
    /// The platform tag that pip is asked for.
    platform: &'static str,
    /// The library inside the wheel.
    member: &'static str,
    /// The SHA-256 of the wheel for `CPython` 3.12; the library in it is the same for all.
    sha256: &'static str,
}

/// The build for this machine. Tried here: Linux on x86-64. Not tried: the others.
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
const PIN: Option<Pin> = Some(Pin {
    version: "1.28.0",
    platform: "manylinux_2_28_x86_64",
    member: "onnxruntime/capi/libonnxruntime.so.1.28.0",
    sha256: "0a83bdb70d143cede762b677789bf2a7acca54b3fb82565601d5c30695aa933c",
});
#[cfg(all(target_os = "linux", target_arch = "aarch64", target_env = "gnu"))]
const PIN: Option<Pin> = Some(Pin {
    version: "1.28.0",
    platform: "manylinux_2_28_aarch64",
    member: "onnxruntime/capi/libonnxruntime.so.1.28.0",
    sha256: "4e81a23df16e7acb9d51b06d30cc098e49315ef9180f97bc2221d167b4b04d9c",
});
#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
const PIN: Option<Pin> = Some(Pin {
    version: "1.28.0",
    platform: "macosx_14_0_arm64",
    member: "onnxruntime/capi/libonnxruntime.1.28.0.dylib",
    sha256: "26ff0fdd06efb6c155bae95387a09db1a2be89c7a03e4d0bffd5a171cc2826da",
});
// The last version that was built for Intel Macs.
#[cfg(all(target_os = "macos", target_arch = "x86_64"))]
const PIN: Option<Pin> = Some(Pin {
    version: "1.23.2",
    platform: "macosx_13_0_x86_64",
    member: "onnxruntime/capi/libonnxruntime.1.23.2.dylib",
    sha256: "218295a8acae83905f6f1aed8cacb8e3eb3bd7513a13fe4ba3b2664a19fc4a6b",
});
#[cfg(not(any(
    all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), target_env = "gnu"),
    all(target_os = "macos", any(target_arch = "x86_64", target_arch = "aarch64"))
)))]
const PIN: Option<Pin> = None;

/// Where in the cache folder the library is unpacked.
pub(super) fn folder_name() -> String {
    format!("onnxruntime-{}", PIN.map_or("unpinned", |pin| pin.version))
}

/// Downloads the wheel, checks its hash, and unpacks the library into the cache.
pub(super) fn fetch(cache: &Path, notify: &dyn Fn(&str)) -> Result<PathBuf, ReplayError> {
    let fail = |reason: String| ReplayError::NoLibrary { reason };
    let pin = PIN.ok_or_else(|| {
        fail(format!(
            "no published build is known for {} on {}; build or install ONNX Runtime 1.22 or later and set `ORT_DYLIB_PATH`",
            std::env::consts::OS,
            std::env::consts::ARCH
        ))
    })?;
    let folder = cache.join(folder_name());
    let in_cache = |error: io::Error| {
        fail(format!(
            "cannot write to the cache `{}`: {error}; set `XDG_CACHE_HOME` or `ORT_DYLIB_PATH`",
            folder.display()
        ))
    };
    fs::create_dir_all(&folder).map_err(in_cache)?;
    let download = tempfile::Builder::new().prefix("download-").tempdir_in(&folder).map_err(in_cache)?;
    notify(&format!("fetching ONNX Runtime {} with pip into {} (once)", pin.version, folder.display()));
    let wheel = pip_download(&pin, download.path())?;
    let found = sha256(&wheel).map_err(in_cache)?;
    if found != pin.sha256 {
        return Err(fail(format!(
            "pip delivered a wheel of ONNX Runtime {} with SHA-256 {found}, needed {}; the mirror may be altered or damaged; \
             fetch it elsewhere and set `ORT_DYLIB_PATH`",
            pin.version, pin.sha256
        )));
    }
    let library = folder.join(Path::new(pin.member).file_name().unwrap_or_default());
    unpack(&wheel, pin.member, &library)
        .map_err(|error| fail(format!("cannot unpack `{}` to `{}`: {error}", pin.member, library.display())))?;
    Ok(library)
}

fn pip_download(pin: &Pin, folder: &Path) -> Result<PathBuf, ReplayError> {
    let fail = |reason: String| Err(ReplayError::NoLibrary { reason });
    let requirement = format!("onnxruntime=={}", pin.version);
    let arguments = [
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--no-input",
        "--python-version",
        "3.12",
        "--implementation",
        "cp",
        "--abi",
        "cp312",
        "--platform",
        pin.platform,
        "--dest",
    ];
    let mut found_pip = false;
    let mut said = String::new();
    for launcher in [&["python3", "-m", "pip"][..], &["python", "-m", "pip"], &["pip3"], &["pip"]] {
        let mut command = Command::new(launcher[0]);
        command.args(&launcher[1..]).args(arguments).arg(folder).arg(&requirement);
        let Ok(output) = command.output() else { continue };
        let errors = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if errors.contains("No module named pip") {
            continue;
        }
        found_pip = true;
        if output.status.success() {
            let wheel = fs::read_dir(folder).ok().and_then(|entries| {
                entries
                    .filter_map(|entry| Some(entry.ok()?.path()))
                    .find(|path| path.extension().is_some_and(|end| end == "whl"))
            });
            if let Some(wheel) = wheel {
                return Ok(wheel);
            }
        }
        errors.lines().last().unwrap_or("it delivered no wheel").clone_into(&mut said);
        break;
    }
    if !found_pip {
        return fail(format!(
            "none is installed, and there is no pip to fetch it with; install Python's pip, or ONNX Runtime 1.22 or later and set `ORT_DYLIB_PATH` (wanted: {requirement})"
        ));
    }
    fail(format!(
        "`pip download {requirement}` failed: {said}; check the network and pip's settings, or set `ORT_DYLIB_PATH`"
    ))
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    let mut text = String::new();
    for byte in hasher.finalize() {
        write!(text, "{byte:02x}").map_err(io::Error::other)?;
    }
    Ok(text)
}

/// Unpacks one member beside its place and renames it, so that a half-written library is never found.
fn unpack(wheel: &Path, member: &str, library: &Path) -> io::Result<()> {
    let mut archive = ZipArchive::new(File::open(wheel)?).map_err(io::Error::other)?;
    let mut entry = archive.by_name(member).map_err(io::Error::other)?;
    let folder = library.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempfile_in(folder)?;
    io::copy(&mut entry, &mut file)?;
    file.flush()?;
    file.as_file().sync_all()?;
    file.persist(library).map_err(|error| error.error)?;
    Ok(())
}
