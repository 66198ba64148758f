//! Results in a bucket are those on a disk, byte for byte, whoever wrote them and however often.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::common::{Archive, Outcome, Scene, command, files_but_metrics, infoplane};
use crate::server::Server;

/// Where results go in these tests.
pub(crate) const URL: &str = "s3://results/some/where";

/// Three checkpoints of a small network, and measures of a millisecond.
pub(crate) fn scene() -> Scene {
    let mut scene = Scene::new(Archive::DigitsFlax, &[0, 41, 4000]);
    scene.taps = r#"["h2", "logits"]"#.into();
    scene
}

/// A server with an empty bucket for results.
fn server() -> Server {
    let server = Server::start();
    server.upload(TempDir::new().unwrap().path(), "results", "");
    server
}

/// What lies in a folder after `run` and `finish` on this machine, by name.
pub(crate) fn on_a_disk(scene: &Scene) -> BTreeMap<String, Vec<u8>> {
    scene.run(&["--quiet"]).success();
    infoplane(["finish".as_ref(), scene.results().as_os_str()]).success();
    files_but_metrics(&scene.results())
}

/// What lies in the bucket, by name.
pub(crate) fn in_the_bucket(server: &Server) -> BTreeMap<String, Vec<u8>> {
    let folder = TempDir::with_prefix("infoplane-s3-results-").unwrap();
    server.download("results", folder.path());
    files_but_metrics(&folder.path().join("some/where"))
}

/// Names and sizes first: were all bytes printed, nobody would find the difference.
#[track_caller]
pub(crate) fn same(found: &BTreeMap<String, Vec<u8>>, needed: &BTreeMap<String, Vec<u8>>) {
    let sizes = |files: &BTreeMap<String, Vec<u8>>| -> Vec<(String, usize)> {
        files.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect()
    };
    assert_eq!(sizes(found), sizes(needed));
    assert!(found == needed, "same sizes, other bytes");
}

/// A command whose store is the server.
fn with<'c>(server: &Server, command: &'c mut Command) -> &'c mut Command {
    command.envs(server.environment())
}

fn start(server: &Server, scene: &Scene, options: &[&str]) -> Child {
    let mut command = scene.run_command(&[&["--quiet", "--output", URL], options].concat());
    with(server, &mut command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn finish(server: &Server) -> Outcome {
    Outcome::of(with(server, &mut command(["finish", URL])))
}

#[test]
fn two_writers_of_each_part_leave_what_one_process_writes_on_a_disk() {
    let scene = scene();
    let needed = on_a_disk(&scene);
    let server = server();
    let [first, second] = ["0/1"; 2].map(|shard| start(&server, &scene, &["--shard", shard]));
    for run in [first, second] {
        Outcome::from(run.wait_with_output().unwrap()).success();
    }
    finish(&server).success();
    same(&in_the_bucket(&server), &needed);
    // Nothing to do, nothing to change.
    let again = Outcome::from(start(&server, &scene, &[]).wait_with_output().unwrap()).success();
    assert!(again.contains("0 checkpoints measured, 3 kept from before"), "{again}");
    finish(&server).success();
    same(&in_the_bucket(&server), &needed);
}

#[test]
fn commands_read_a_bucket_as_they_read_a_folder() {
    let scene = scene();
    let server = server();
    scene.run(&["--quiet"]).success();
    Outcome::from(start(&server, &scene, &[]).wait_with_output().unwrap()).success();
    let folder = scene.results();
    let picture = |name: &str| scene.path(name).display().to_string();
    let read = |results: &str, tag: &str| {
        let mut all = Vec::new();
        for (name, more) in [
            ("query", vec!["SELECT * FROM measurements".to_owned(), "--format".to_owned(), "json".to_owned()]),
            ("query", vec!["SELECT * FROM phases".to_owned(), "--format".to_owned(), "json".to_owned()]),
            ("phases", vec!["--format".to_owned(), "json".to_owned()]),
            ("show", vec![]),
            ("report", vec!["-o".to_owned(), picture(&format!("{tag}.html"))]),
            ("plot", vec!["-o".to_owned(), picture(&format!("{tag}.svg"))]),
        ] {
            let outcome = Outcome::of(with(&server, command([name, results]).args(&more)));
            all.push(outcome.success().replace(tag, ""));
        }
        for file in ["html", "svg"] {
            all.push(fs::read_to_string(scene.path(&format!("{tag}.{file}"))).unwrap().replace(results, ""));
        }
        all
    };
    let needed = read(folder.to_str().unwrap(), "made-of-files");
    assert_eq!(read(URL, "made-of-parts"), needed, "from its parts");
    finish(&server).success();
    let before = server.reads().len();
    assert_eq!(read(URL, "made-of-tables"), needed, "from one file a table");
    let reads = &server.reads()[before..];
    assert!(!reads.iter().any(|path| path.contains("step")), "no part is read where there are tables: {reads:?}");
}

#[test]
fn parts_of_another_checkpoint_are_replaced_and_tables_of_old_parts_forgotten() {
    let scene = scene();
    let server = server();
    let run = |scene: &Scene| Outcome::from(start(&server, scene, &[]).wait_with_output().unwrap()).success();
    run(&scene);
    finish(&server).success();
    let before = in_the_bucket(&server);
    scene.change(41, |tensors| tensors.values_mut().next().unwrap().bytes[0] ^= 1);
    let again = run(&scene);
    // The one behind it is measured anew, too: it says what of it is as before.
    assert!(again.contains("2 checkpoints measured, 1 kept from before"), "{again}");
    let meanwhile = in_the_bucket(&server);
    assert!(!meanwhile.contains_key("tables/measurements.parquet"), "one that tells old values would be believed");
    finish(&server).success();
    let needed = on_a_disk(&scene);
    same(&in_the_bucket(&server), &needed);
    let part = "data/measurements/step=41/part.parquet";
    assert_ne!(before[part], needed[part]);
}

#[test]
fn what_is_missing_in_a_bucket_is_said() {
    let scene = scene();
    let server = server();
    let read = |url: &str| Outcome::of(with(&server, &mut command(["show", url])));
    read(URL).refused(&["`s3://results/some/where`", "found no results"]);
    read("s3://no-such-bucket/x").refused(&["`s3://no-such-bucket/x/`", "found no such object or bucket"]);
    read("https://127.0.0.1/results").refused(&["found a web server", "`s3://`"]);
    Outcome::from(start(&server, &scene, &["--shard", "0/2"]).wait_with_output().unwrap()).success();
    let outcome = finish(&server);
    outcome.refused(&["`s3://results/some/where`: found 2 of 3 checkpoints, needed all"]);
    assert!(outcome.out.contains("missing: step 41 (step-000041.safetensors)"), "{outcome:?}");
    // The same bucket, another plan.
    let mut other = crate::results::scene();
    other.seed = 2;
    let outcome = Outcome::from(start(&server, &other, &[]).wait_with_output().unwrap());
    outcome.refused(&["`s3://results/some/where`", "found the results of another run"]);
    let names: Vec<String> = in_the_bucket(&server).into_keys().collect();
    assert!(names.iter().all(|name| Path::new(name).extension().is_some()), "nothing unfinished: {names:?}");
}
