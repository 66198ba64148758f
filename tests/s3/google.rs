//! The same in Google's store, as its documentation has it: `google.py` speaks that part of its interface.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::common::{Outcome, Scene, command, files_but_metrics};
use crate::results::{on_a_disk, same, scene};
use crate::server::free_port;

const URL: &str = "gs://results/some/where";

/// A running server, and what leads programs to it. It is there while this value is.
struct Google {
    process: Child,
    account: String,
    folder: TempDir,
}

impl Google {
    fn start() -> Self {
        let port = free_port();
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/s3/google.py");
        let folder = TempDir::with_prefix("infoplane-google-").unwrap();
        let mut command = Command::new("python3");
        command.args([program, &port.to_string()]).arg(folder.path()).stdin(Stdio::piped());
        let process = command.spawn().unwrap();
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_mins(1), "no server after a minute");
            sleep(Duration::from_millis(50));
        }
        let account = format!(
            r#"{{"gcs_base_url": "http://127.0.0.1:{port}", "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}}"#
        );
        Self { process, account, folder }
    }

    fn with<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("GOOGLE_SERVICE_ACCOUNT_KEY", &self.account)
    }

    fn run(&self, scene: &Scene) -> Child {
        let mut command = scene.run_command(&["--quiet", "--output", URL]);
        self.with(&mut command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn told(&self, arguments: &[&str]) -> String {
        Outcome::of(self.with(&mut command(arguments))).success()
    }
}

impl Drop for Google {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn two_writers_of_each_part_leave_in_googles_store_what_one_leaves_on_a_disk() {
    let mut scene = scene();
    let needed = on_a_disk(&scene);
    let google = Google::start();
    let found = || files_but_metrics(&google.folder.path().join("results/some/where"));
    for run in [google.run(&scene), google.run(&scene)] {
        Outcome::from(run.wait_with_output().unwrap()).success();
    }
    let status = google.told(&["status", URL]);
    assert!(status.contains("3 of 3"), "{status}");
    google.told(&["finish", URL]);
    same(&found(), &needed);
    // A part of another checkpoint is replaced, if it is still the one that was looked at.
    scene.change(41, |tensors| tensors.values_mut().next().unwrap().bytes[0] ^= 1);
    let again = Outcome::from(google.run(&scene).wait_with_output().unwrap()).success();
    assert!(again.contains("2 checkpoints measured, 1 kept from before"), "{again}");
    assert!(!found().contains_key("tables/measurements.parquet"), "one that tells old values would be believed");
    google.told(&["finish", URL]);
    same(&found(), &on_a_disk(&scene));
    assert!(google.told(&["show", URL]).contains("h2"));
    // Another plan finds results that are not its own.
    scene.seed = 2;
    let other = Outcome::from(google.run(&scene).wait_with_output().unwrap());
    other.refused(&["`gs://results/some/where`", "found the results of another run"]);
}
