//! A disk that fails: what it cannot read or write is said, nothing is torn, and the next run goes on.
//!
//! A library between the program and the system answers calls on some files with an error, or shifts the clock. (A disk
//! without room is in `faults.rs`, a store that fails in `s3`.)
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use common::{Archive, Outcome, Scene, command, compile, contains_all, files, infoplane, parts, walk};
use tempfile::TempDir;

const BETWEEN: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int fails(const char *call, const char *path) {
    const char *wanted = getenv("FAULT_CALL"), *part = getenv("FAULT_PATH");
    if (!wanted || strcmp(wanted, call) || !strstr(path, part)) return 0;
    errno = atoi(getenv("FAULT_ERRNO"));
    return 1;
}

static int fails_of(const char *call, int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

ssize_t pread64(int file, void *bytes, size_t length, off64_t place) {
    ssize_t (*real)(int, void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pread64");
    if (place > 20000 && fails_of("read", file)) return -1;
    return real(file, bytes, length, place);
}

int fsync(int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    return fails_of("sync", file) ? -1 : real(file);
}

int open64(const char *path, int flags, ...) {
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return (flags & O_ACCMODE) != O_RDONLY && fails("write", path) ? -1 : real(path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    int (*real)(const char *, mode_t) = dlsym(RTLD_NEXT, "mkdir");
    return fails("write", path) ? -1 : real(path, mode);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static long calls;
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(clock, time);
    /* Ten years ahead, ten years back, and so on. The monotonic clock is what its name says. */
    if (clock == CLOCK_REALTIME && getenv("FAULT_CLOCK")) time->tv_sec += calls++ % 2 ? 315360000 : -315360000;
    return answer;
}
"#;

/// The library between the program and the system.
fn between() -> PathBuf {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = TempDir::with_prefix("infoplane-disk-").unwrap();
        compile(folder.path(), "between.so", &["-shared", "-fPIC"], BETWEEN);
        folder
    });
    folder.path().join("between.so")
}

/// Runs a command whose calls on some files fail.
fn failing(command: &mut Command, call: &str, path: &str, number: i32) -> Outcome {
    command.env("LD_PRELOAD", between()).env("FAULT_CALL", call).env("FAULT_PATH", path);
    Outcome::of(command.env("FAULT_ERRNO", number.to_string()))
}

const EIO: i32 = 5;
const EROFS: i32 = 30;

fn scene() -> Scene {
    let mut scene = Scene::new(Archive::Digits, &[0, 1, 4000]);
    scene.taps = r#"["fc1_act", "logits"]"#.into();
    scene
}

/// The parts of a run without a fault.
fn undisturbed() -> &'static BTreeMap<String, Vec<u8>> {
    static PARTS: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    PARTS.get_or_init(|| {
        let scene = scene();
        scene.run(&["--quiet"]).success();
        parts(&scene.results())
    })
}

/// No working file is left but the plan and what is known of failed checkpoints.
#[track_caller]
fn nothing_is_left(scene: &Scene) {
    let left: Vec<_> = walk(&scene.results().join("work"))
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("part-")))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_checkpoint_that_cannot_be_read_to_its_end_fails_alone_until_it_can() {
    let scene = scene();
    let outcome = failing(&mut scene.run_command(&[]), "read", "step-000001.safetensors", EIO);
    assert!(outcome.code.is_some_and(|code| code != 0), "{outcome:?}");
    contains_all(&outcome.err, &["warning: `", "step-000001.safetensors`: cannot read: Input/output error"]);
    scene.only_failed(1, &["step-000001.safetensors`: cannot read: Input/output error"]);
    let out = scene.run(&[]).success();
    // The one behind it is measured anew, too: now it can be said what of it is as before.
    assert!(out.contains("2 checkpoints measured, 1 kept from before"), "{out}");
    assert!(parts(&scene.results()) == *undisturbed(), "other bytes than in one run");
}

#[test]
fn a_reference_that_cannot_be_read_to_its_end_is_refused() {
    let outcome = failing(&mut scene().run_command(&[]), "read", "step-004000.safetensors", EIO);
    // Trying again may help.
    outcome.stopped(75, &["step-004000.safetensors`", "Input/output error"]);
}

#[test]
fn a_disk_that_may_not_be_written_is_refused_and_can_be_read() {
    let scene = scene();
    let run = |scene: &Scene| failing(&mut scene.run_command(&["--quiet"]), "write", "/results", EROFS);
    run(&scene).refused(&["results/", "cannot write: Read-only file system", "`--output`"]);
    assert!(!scene.results().exists());
    scene.run(&["--quiet", "--shard", "0/2"]).success();
    let before = files(&scene.results());
    run(&scene).refused(&["results/", "cannot write: Read-only file system", "`--output`"]);
    assert!(files(&scene.results()) == before);
    scene.run(&["--quiet"]).success();
    assert!(parts(&scene.results()) == *undisturbed(), "other bytes than in one run");
    let results = scene.results().display().to_string();
    let finish = failing(&mut command(["finish", &results]), "write", "/results", EROFS);
    finish.refused(&["results/", "cannot write: Read-only file system"]);
    for reader in ["show", "query"] {
        let mut command = command([reader, &results]);
        command.args((reader == "query").then_some("SELECT step FROM checkpoints"));
        failing(&mut command, "write", "/results", EROFS).success();
    }
    infoplane(["finish", &results]).success();
}

#[test]
fn a_part_that_does_not_reach_the_disk_is_none() {
    let scene = scene();
    let outcome = failing(&mut scene.run_command(&["--quiet"]), "sync", "/work/part-", EIO);
    outcome.refused(&["results/", "cannot write: Input/output error"]);
    assert_eq!(parts(&scene.results()).len(), 0);
    nothing_is_left(&scene);
    scene.run(&["--quiet"]).success();
    assert!(parts(&scene.results()) == *undisturbed(), "other bytes than in one run");
}

#[test]
fn a_clock_that_jumps_changes_no_byte() {
    let scene = scene();
    let mut run = scene.run_command(&["--log-format", "json"]);
    let outcome = Outcome::of(run.env("LD_PRELOAD", between()).env("FAULT_CLOCK", "1"));
    let lines = outcome.err.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let mut times = lines.map(|line| line["time"].as_f64().unwrap());
    // Ten years ahead or back.
    assert!(times.all(|time| (time - now).abs() > 3e8), "it did not jump: {outcome:?}");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(parts(&scene.results()) == *undisturbed(), "other bytes than in one run");
}
