//! Whole runs on a bucket give the values of runs on the folder.

use crate::common::{Outcome, Scene};
use crate::server::Server;

const VALUES: &str =
    "SELECT step, tap, measure, variable, value, std_error, n_samples, details, error FROM measurements";
const SCORES: &str = "SELECT step, file, hash, loss, accuracy, n_tensors, error FROM checkpoints";

#[test]
fn a_run_on_a_bucket_gives_the_same_values_and_goes_on_without_reading_again() {
    let mut scene = Scene::digits();
    scene.run(&[]).success();
    let local = [VALUES, SCORES].map(|sql| scene.query(sql));

    let server = Server::start();
    server.upload(&scene.path("archive"), "runs", "digits/");
    scene.checkpoints = "s3://runs/digits/step-*.safetensors".to_owned();
    let results = scene.path("remote");
    let run = |scene: &Scene| {
        let mut command = scene.run_command(&["--output", results.to_str().unwrap()]);
        Outcome::of(command.envs(server.environment()))
    };
    run(&scene).success();
    let remote = [VALUES, SCORES].map(|sql| crate::common::query(&results, sql));
    assert_eq!(remote, local);

    let before = server.reads().len();
    let again = run(&scene).success();
    assert!(again.contains("0 checkpoints measured, 3 kept from before"), "{again}");
    // To bind the graph, the reference is read whole (two requests) and the headers of two others;
    // then the header of each of the three tells that its results are there.
    assert!(server.reads().len() - before <= 7, "{:?}", &server.reads()[before..]);
}

#[test]
fn a_bucket_that_is_not_there_is_refused() {
    let mut scene = Scene::digits();
    let server = Server::start();
    scene.checkpoints = "s3://runs/digits/step-*.safetensors".to_owned();
    let mut command = scene.run_command(&[]);
    let outcome = Outcome::of(command.envs(server.environment()));
    outcome.refused(&["`s3://runs/digits`", "found no such object or bucket", "check the URL"]);
}
