//! moto's S3 server.

use std::env;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const VERSION: &str = "5.2.5";

/// Ends with the test, however the test ends: its standard input is closed then.
const SERVE: &str = "
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', sys.argv[1]])
";

/// Copies a folder into a bucket that need not be there.
const UPLOAD: &str = "
import boto3, os, sys
from concurrent.futures import ThreadPoolExecutor
folder, bucket, prefix = sys.argv[1:]
s3 = boto3.client('s3')
s3.create_bucket(Bucket=bucket)
def put(path):
    s3.upload_file(path, bucket, prefix + os.path.relpath(path, folder))
with ThreadPoolExecutor(4) as pool:
    list(pool.map(put, [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]))
";

/// Copies a bucket into a folder.
const DOWNLOAD: &str = "
import boto3, os, sys
bucket, folder = sys.argv[1:]
s3 = boto3.client('s3')
for page in s3.get_paginator('list_objects_v2').paginate(Bucket=bucket):
    for found in page.get('Contents', []):
        path = os.path.join(folder, found['Key'])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        s3.download_file(bucket, found['Key'], path)
";

/// Tells a test that it runs in a process of its own, and where its server shall be.
const PORT: &str = "INFOPLANE_TEST_S3_PORT";

/// A running server. It is there while this value is.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    process: Child,
    folder: TempDir,
}

impl Server {
    /// Starts a server without buckets.
    pub(crate) fn start() -> Self {
        Self::start_at(free_port())
    }

    fn start_at(port: u16) -> Self {
        let folder = TempDir::with_prefix("infoplane-s3-").unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(python());
        command.args(["-c", SERVE, &port.to_string()]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        let server = Self { port, process: command.spawn().unwrap(), folder };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_mins(1), "no server after a minute: {}", server.log());
            sleep(Duration::from_millis(50));
        }
        server
    }

    /// The environment that leads programs to this server.
    pub(crate) fn environment(&self) -> [(&'static str, String); 6] {
        environment(self.port)
    }

    /// Copies a folder into a bucket.
    #[track_caller]
    pub(crate) fn upload(&self, folder: &Path, bucket: &str, prefix: &str) {
        let mut command = Command::new(python());
        command.args(["-c", UPLOAD]).arg(folder).args([bucket, prefix]).envs(self.environment());
        assert!(command.status().unwrap().success());
    }

    /// Copies a bucket into a folder.
    #[track_caller]
    pub(crate) fn download(&self, bucket: &str, folder: &Path) {
        let mut command = Command::new(python());
        command.args(["-c", DOWNLOAD, bucket]).arg(folder).envs(self.environment());
        assert!(command.status().unwrap().success());
    }

    /// The port on this machine.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The objects that were read so far, once for each request.
    pub(crate) fn reads(&self) -> Vec<String> {
        // The log is coloured. A question about a bucket is a listing.
        let path = |line: &str| Some(line.split_once("GET ")?.1.split(' ').next()?.to_owned());
        self.log().lines().filter_map(path).filter(|path| !path.contains('?')).collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a test once more, in a process whose environment leads to a server: no thread of a test
/// may change the environment of the others.
#[track_caller]
pub(crate) fn with_server(test: &str, body: impl Fn(&Server)) {
    if let Ok(port) = env::var(PORT) {
        return body(&Server::start_at(port.parse().unwrap()));
    }
    let port = free_port();
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(["--exact", test, "--nocapture"]).env(PORT, port.to_string()).envs(environment(port));
    let output = again.output().unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The environment that leads programs to a port on this machine.
pub(crate) fn environment(port: u16) -> [(&'static str, String); 6] {
    [
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
    ]
}

/// A Python that has moto, made once and kept beside the build.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("moto-{VERSION}"));
        if !kept.is_dir() {
            // Under another name until it is whole: another process may be making one, too.
            let draft = kept.with_extension(process::id().to_string());
            let made = Command::new("python3").args(["-m", "venv"]).arg(&draft).status().unwrap();
            assert!(made.success(), "python3 -m venv failed");
            let mut pip = Command::new(draft.join("bin/python"));
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            assert!(pip.arg(format!("moto[server,s3]=={VERSION}")).status().unwrap().success(), "pip failed");
            if fs::rename(&draft, &kept).is_err() {
                fs::remove_dir_all(&draft).unwrap();
            }
        }
        kept.join("bin/python")
    })
}
