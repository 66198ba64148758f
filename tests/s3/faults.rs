//! A store that fails now and then, and one that dies for good.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use crate::common::{Outcome, Scene, command};
use crate::proxy::{Fate, Proxy};
use crate::results::{URL, in_the_bucket, on_a_disk, same, scene};
use crate::server::{Server, environment};

/// A server with an empty bucket for results.
fn server() -> Server {
    let server = Server::start();
    server.upload(TempDir::new().unwrap().path(), "results", "");
    server
}

fn through(proxy: &Proxy, command: &mut Command, seconds: &str) -> Outcome {
    Outcome::of(command.envs(environment(proxy.port)).env("INFOPLANE_RETRY_SECONDS", seconds))
}

fn run(scene: &Scene) -> Command {
    scene.run_command(&["--quiet", "--output", URL])
}

#[test]
fn faults_and_cut_lines_are_tried_again_and_change_no_byte() {
    let scene = scene();
    let needed = on_a_disk(&scene);
    let server = server();
    // Whatever is written or deleted is done, and its answer lost; every third other request fails.
    let lost = AtomicBool::new(false);
    let proxy = Proxy::start(server.port(), move |number, method, _| match method {
        "PUT" | "POST" if !lost.fetch_xor(true, Ordering::Relaxed) => Fate::Cut,
        _ if number % 3 == 0 => Fate::Refuse,
        _ => Fate::Pass,
    });
    through(&proxy, &mut run(&scene), "60").success();
    through(&proxy, &mut command(["finish", URL]), "60").success();
    same(&in_the_bucket(&server), &needed);
}

#[test]
fn a_store_that_dies_leaves_whole_parts_and_the_next_run_goes_on() {
    let scene = scene();
    let needed = on_a_disk(&scene);
    let server = server();
    let dead = Arc::new(AtomicBool::new(false));
    let dies = Arc::clone(&dead);
    let proxy = Proxy::start(server.port(), move |_, method, path| {
        if method == "PUT" && path.contains("failures") {
            dies.store(true, Ordering::Relaxed);
        }
        if dies.load(Ordering::Relaxed) { Fate::Silence } else { Fate::Pass }
    });
    let outcome = through(&proxy, &mut run(&scene), "1");
    outcome.stopped(75, &["`s3://results/some/where/data/", "the store is out of reach", "AWS_ENDPOINT_URL"]);
    let left = in_the_bucket(&server);
    assert!(left.keys().any(|name| name.starts_with("data/measurements/")), "{:?}", left.keys());
    for (name, bytes) in left.iter().filter(|(name, _)| name.starts_with("data/")) {
        assert!(bytes == &needed[name], "{name} is torn");
    }
    // A store that does not answer is none that has nothing.
    let outcome = through(&proxy, &mut command(["finish", URL]), "1");
    outcome.stopped(75, &["the store is out of reach"]);
    dead.store(false, Ordering::Relaxed);
    let alive = Proxy::start(server.port(), |_, _, _| Fate::Pass);
    through(&alive, &mut run(&scene), "1").success();
    through(&alive, &mut command(["finish", URL]), "1").success();
    same(&in_the_bucket(&server), &needed);
}

#[test]
fn requests_do_not_grow_with_anything_but_parts() {
    let scene = scene();
    let server = server();
    let proxy = Proxy::start(server.port(), |_, _, _| Fate::Pass);
    through(&proxy, &mut run(&scene), "10").success();
    let requests = proxy.requests();
    let of_step = |method: &str| {
        requests.iter().filter(|request| request.starts_with(method) && request.contains("step%3D41/")).count()
    };
    // Three parts: each is looked for and written; all three are copied for the phases.
    assert_eq!([of_step("PUT"), of_step("GET")], [3, 6], "{requests:#?}");
    // No table was put together: those of the series alone are forgotten, and each step is said to have not failed.
    let others = requests.iter().filter(|request| !request.starts_with("PUT") && !request.starts_with("GET")).count();
    assert_eq!(others, 6, "{requests:#?}");
}
