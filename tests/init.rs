//! A first pipeline file, shells, and logs for machines.

mod common;

use std::fs;

use common::{Archive, Outcome, Scene, command, contains_all, infoplane, query};
use serde_json::Value;
use tempfile::TempDir;

#[test]
fn the_file_that_init_writes_runs() {
    let scene = Scene::new(Archive::DigitsFlax, &[0, 41, 4000]);
    let there = |name: &str| Archive::DigitsFlax.folder().join(name);
    fs::copy(there("labels.npy"), scene.path("labels_digit.npy")).unwrap();
    let output = scene.path("own/first.toml");
    let mut words = command(["init".as_ref(), scene.path("archive").as_os_str(), there("model.onnx").as_os_str()]);
    words.arg(there("inputs.npy")).arg(scene.path("labels_digit.npy")).arg("--output").arg(&output);
    let told = Outcome::of(&mut words).success();
    contains_all(&told, &["3 of 3, steps 0 to 4000", "proven", "label        digit: 10 classes", "first.toml written"]);
    let text = fs::read_to_string(&output).unwrap();
    contains_all(
        &text,
        &["checkpoints = \"../archive\"", "reference = { step = 4000 }", "\"h1\", \"h2\", \"logits\"", "digit = "],
    );
    assert_eq!(fs::read_dir(scene.path("own")).unwrap().count(), 1, "nothing else is left");
    // Twice is once too often: somebody may have changed the file.
    Outcome::of(&mut words).refused(&["first.toml`", "needed a new name", "--output"]);
    infoplane(["run".as_ref(), output.as_os_str(), "--quiet".as_ref()]).success();
    let rows = query(&scene.path("own/results/archive"), "SELECT DISTINCT measure, variable FROM measurements");
    for (measure, variable) in
        [("information", "input"), ("information", "digit"), ("usable", "digit"), ("reconstruction", "input")]
    {
        assert!(rows.iter().any(|row| row["measure"] == measure && row["variable"] == variable), "{measure}: {rows:?}");
    }
    assert!(query(&scene.path("own/results/archive"), "SELECT * FROM failures").is_empty());
}

#[test]
fn init_finds_samples_beside_the_checkpoints_and_refuses_what_it_cannot_bind() {
    let scene = Scene::new(Archive::DigitsFlax, &[0, 4000]);
    let model = Archive::DigitsFlax.folder().join("model.onnx");
    let at = scene.path("x.toml");
    let init = |model: &std::path::Path, more: &[&std::path::Path]| {
        let words = ["init".as_ref(), scene.path("archive").into_os_string().as_os_str(), model.as_os_str()]
            .map(ToOwned::to_owned);
        let more = more.iter().map(|path| path.as_os_str().to_owned());
        infoplane(words.into_iter().chain(more).chain(["--output".into(), at.clone().into_os_string()]))
    };
    let alone = scene.path("model.onnx");
    fs::copy(&model, &alone).unwrap();
    init(&alone, &[]).refused(&["found no inputs", "numpy.save", "`input`: float32 [?, 64]"]);
    // Another network's graph.
    let other = Archive::Digits.folder();
    init(&other.join("model.onnx"), &[]).refused(&["no checkpoint of the archive has the weights"]);
    // Samples of another network.
    init(&alone, &[&other.join("labels.npy")]).refused(&["input"]);
    assert!(!at.exists());
    fs::copy(Archive::DigitsFlax.folder().join("inputs.npy"), scene.path("archive/inputs.npy")).unwrap();
    init(&alone, &[]).success();
    assert!(fs::read_to_string(&at).unwrap().contains("inputs = \"archive/inputs.npy\""));
}

#[test]
fn shells_and_manuals_know_every_command() {
    let folder = TempDir::new().unwrap();
    infoplane(["man".as_ref(), folder.path().as_os_str()]).success();
    let script = infoplane(["completions", "bash"]).success();
    for name in ["run", "finish", "show", "init", "schema", "query"] {
        let page = fs::read_to_string(folder.path().join(format!("infoplane-{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
        assert!(
            script.contains(&format!("infoplane__subcmd__{name}")) || script.contains(&format!("infoplane__{name}")),
            "{name}"
        );
    }
    assert!(fs::read_to_string(folder.path().join("infoplane.1")).unwrap().contains("Exit codes"));
}

#[test]
fn logs_are_json_where_they_are_asked_to_be() {
    let scene = Scene::new(Archive::DigitsFlax, &[0, 41, 4000]);
    fs::write(scene.checkpoint(41), b"no checkpoint").unwrap();
    let outcome = scene.run(&["--log-format", "json"]);
    assert_eq!(outcome.code, Some(65));
    let lines: Vec<Value> = outcome.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    assert_eq!((of("plan").len(), of("done").len(), of("failed").len()), (1, 2, 1), "{lines:?}");
    assert_eq!(
        (of("failed")[0]["level"].as_str(), of("failed")[0]["file"].as_str()),
        (Some("warning"), Some("step-000041.safetensors"))
    );
    assert!(lines.iter().all(|line| line["time"].is_f64() && line["message"].is_string()));
    let refused = infoplane(["run", "nowhere.toml", "--log-format", "json"]);
    assert_eq!(refused.code, Some(2));
    let error: Value = serde_json::from_str(refused.err.trim()).unwrap();
    assert_eq!(error["level"], "error");
    contains_all(error["message"].as_str().unwrap(), &["nowhere.toml"]);
}
