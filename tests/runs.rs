//! Whole runs over the archives that ship, as a user starts them.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use common::{
    Archive, EVERY_KIND, Outcome, ROSS, Scene, Stored, compile, contains_all, files, files_but_metrics,
    infoplane as run_program, library, npy_f64, npy_i64, npz, parts, query, read_tensors, repository,
    start_until_first_part, times, walk, write_sharded, write_tensors,
};
use half::{bf16, f16};
use infoplane::archive::Series;
use infoplane::graph::{Bind, Binding, Elsewhere, Model, select_taps};
use infoplane::replay::{FeedInputs, Runtime, Session, replay};
use infoplane::samples::{Samples, Source};
use safetensors::Dtype;
use serde_json::Value;
use tempfile::TempDir;

// Truth.

#[test]
fn loss_and_accuracy_are_those_that_the_framework_measured() {
    for archive in [Archive::Digits, Archive::DigitsFlax] {
        let mut scene = Scene::new(archive, &[]);
        scene.checkpoints = archive.folder().join("step-*.safetensors").display().to_string();
        scene.measures.clear();
        scene.run(&[]).success();
        let rows = scene.query("SELECT step, loss, accuracy, n_samples, flags, error FROM checkpoints");
        let metrics = archive.metrics();
        assert_eq!((rows.len(), metrics.len()), (28, 28));
        for (row, (step, loss, accuracy)) in rows.iter().zip(metrics) {
            assert_eq!((row["step"].as_u64(), row["n_samples"].as_u64()), (Some(step), Some(1000)));
            assert!((row["loss"].as_f64().unwrap() / loss - 1.0).abs() < 1e-5, "{archive:?}, needed {loss}: {row}");
            assert!(
                (row["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-9,
                "{archive:?}, needed {accuracy}: {row}"
            );
            assert!(row["error"].is_null() && row["flags"].as_array().unwrap().is_empty(), "{row}");
        }
        assert!(scene.query("SELECT * FROM measurements").is_empty());
    }
}

#[test]
fn activations_are_those_that_the_framework_recorded() {
    // The runtime wants this variable, and no thread of a test may set it: the test runs itself again.
    if env::var_os("ORT_DISABLE_TELEMETRY").is_none() {
        let mut again = Command::new(env::current_exe().unwrap());
        again.args(["--exact", "activations_are_those_that_the_framework_recorded"]);
        let outcome = Outcome::of(again.env("ORT_DISABLE_TELEMETRY", "1").env("ORT_DYLIB_PATH", library()));
        assert!(outcome.code == Some(0) && outcome.out.contains("1 passed"), "{outcome:?}");
        return;
    }
    let runtime = Runtime::start(true, &|_| ()).unwrap();
    for archive in [Archive::Digits, Archive::DigitsFlax] {
        let folder = archive.folder();
        let mut model = Model::open(&folder.join("model.onnx")).unwrap();
        let series = Series::find(&folder, "step-*.safetensors", None).unwrap();
        let last = series.checkpoints().last().unwrap();
        let weights = last.open().unwrap();
        let binding =
            Binding::by_value(&mut model, &Bind::default(), last.name(), &weights, &Elsewhere::default()).unwrap();
        let fed = binding.feeds.iter().map(|feed| feed.initializer.as_str()).collect();
        let samples = Samples::read(&folder, &Source::File("inputs.npy".to_owned()), None, None, &BTreeMap::new())
            .unwrap()
            .first(16);
        let mut compared = 0;
        for step in [0, 76, 4000] {
            let (expected, _) = read_tensors(&folder.join(format!("ref_activations/step-{step:06}.safetensors")));
            let names: Vec<String> = expected.keys().cloned().collect();
            let taps = select_taps(&model, &names, &BTreeMap::new()).unwrap();
            assert_eq!(taps.len(), names.len());
            let checkpoint = series.checkpoints().iter().find(|checkpoint| checkpoint.step() == step).unwrap();
            let weights = checkpoint.open().unwrap();
            let wanted: Vec<&str> = taps.iter().map(|tap| tap.name.as_str()).collect();
            let graph = model.session(&wanted, &[], &fed);
            let values = binding.values(checkpoint.name(), &weights, &graph.fed).unwrap();
            let mut session = Session::new(runtime, "model.onnx", &graph.bytes, None, values).unwrap();
            let feed = FeedInputs::new(&samples, session.inputs()).unwrap();
            // Batches that do not divide the samples.
            let replayed = replay(&mut session, &feed, &taps, &[], 5, &|| ControlFlow::Continue(())).unwrap();
            for tap in &replayed.taps {
                let expected = expected[&tap.tap].singles();
                assert_eq!(tap.values.len(), expected.len(), "{}", tap.tap);
                let largest = expected.iter().fold(1.0_f32, |largest, value| largest.max(value.abs()));
                for (found, expected) in tap.values.iter().zip(&expected) {
                    assert!(
                        (found - expected).abs() <= 1e-5 * largest,
                        "{archive:?} {step} {}: {found}, needed {expected}",
                        tap.tap
                    );
                }
                compared += 1;
            }
        }
        assert_eq!(compared, if archive == Archive::Digits { 27 } else { 15 });
    }
}

/// A copy of a pipeline that ships, with absolute paths and some of its steps.
fn shipped(folder: &Path, name: &str, steps: &str) -> PathBuf {
    let text = fs::read_to_string(repository("pipelines").join(name)).unwrap();
    let text = text.replace("\"../", &format!("\"{}/", repository("").display()));
    let place = text.find("[archive]").unwrap() + "[archive]".len();
    let path = folder.join(name);
    fs::write(&path, format!("{}\nsteps = {steps}{}", &text[..place], &text[place..])).unwrap();
    path
}

#[test]
fn the_digits_pipeline_tells_what_each_layer_knew() {
    let folder = TempDir::new().unwrap();
    let pipeline = shipped(folder.path(), "digits.toml", "{ every = 4000 }");
    let results = folder.path().join("results");
    let out = run_program(["run".as_ref(), pipeline.as_os_str(), "--output".as_ref(), results.as_os_str()]).success();
    let taps = ["conv1_act", "pool1", "conv2_act", "fc1_act", "logits"];
    contains_all(&out, &taps);
    contains_all(
        &out,
        &["step 0", "step 4000", "loss (nats)", "accuracy", "2 checkpoints measured", results.to_str().unwrap()],
    );
    let rows = query(&results, "SELECT * FROM measurements");
    // Of usable information four: as it is, calibrated, as a part of what there is, and the accuracy. Of reconstruction
    // two: the loss, and what part of the variance it is.
    assert_eq!(rows.len(), 2 * 5 * (3 + 4 + 2));
    for row in &rows {
        assert!(row["value"].is_f64() && row["std_error"].as_f64().is_some_and(|error| error > 0.0), "{row}");
        assert!(row["error"].is_null() && row["n_samples"].as_u64().is_some_and(|n| n == 1000 || n == 300), "{row}");
        let unit = match row["measure"].as_str().unwrap() {
            "reconstruction" => "squared-units",
            "accuracy" | "usable-fraction" | "fraction-unexplained" => "fraction",
            _ => "nats",
        };
        assert!(row["unit"] == unit, "{row}");
    }
    let value = |step: u64, tap: &str, measure: &str, variable: &str| {
        let is = |row: &&Value| {
            row["step"] == step && row["tap"] == tap && row["measure"] == measure && row["variable"] == variable
        };
        rows.iter().find(is).unwrap()["value"].as_f64().unwrap()
    };
    // What training does: the layers near the output learn to tell digits apart; the image is lost on the way to them.
    for tap in ["fc1_act", "logits"] {
        assert!(value(4000, tap, "usable", "digit") > value(0, tap, "usable", "digit") + 0.2, "{tap}");
        assert!(value(4000, tap, "information", "digit") > value(0, tap, "information", "digit") + 0.5, "{tap}");
    }
    for step in [0, 4000] {
        let usable = taps.map(|tap| value(step, tap, "usable", "digit"));
        assert!(usable.iter().all(|value| *value <= 10_f64.ln() + 1e-2), "{usable:?}");
        assert!(value(step, "logits", "reconstruction", "input") > value(step, "conv1_act", "reconstruction", "input"));
    }
}

#[test]
fn a_flax_archive_with_names_of_its_own_is_bound_by_value() {
    let mut scene = Scene::new(Archive::DigitsFlax, &[0, 76, 4000]);
    scene.taps = "[\"h?\", \"logits\"]".to_owned();
    scene.measures = EVERY_KIND.to_owned();
    let plan = scene.check().success();
    contains_all(
        &plan,
        &["const_0 [64, 48] <- params/Dense_0/kernel (value)", "const_5 [10] <- params/Dense_2/bias (value)"],
    );
    contains_all(
        &plan,
        &["6 tensors bound to step-004000.safetensors, proven on 256 samples", "h1 (48), h2 (24), logits (10)"],
    );
    assert!(!scene.results().exists(), "`check` writes nothing");
    scene.run(&[]).success();
    let rows = scene.query("SELECT step, tap, tap_index, value FROM measurements ORDER BY step, tap_index");
    assert_eq!(rows.len(), 3 * 3 * (3 + 4 + 2));
    for row in &rows {
        let index = ["h1", "h2", "logits"].iter().position(|tap| row["tap"] == *tap);
        assert_eq!(row["tap_index"].as_u64(), index.map(|index| index as u64));
        assert!(row["value"].is_f64(), "{row}");
    }
}

#[test]
fn every_pipeline_that_ships_can_be_planned() {
    let before: Vec<PathBuf> = walk(&repository("results"));
    let mut checked = 0;
    for entry in fs::read_dir(repository("pipelines")).unwrap() {
        let path = entry.unwrap().path();
        // The archives of these are made by a script, and too large to ship.
        if ["aggregated.toml", "typicality.toml"].iter().any(|name| path.ends_with(name)) {
            infoplane::pipeline::Pipeline::open(&path).unwrap();
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let out = run_program(["check".as_ref(), path.as_os_str()]).success();
            contains_all(&out, &["proven on", "# plan ", "cross-entropy of"]);
            // What is printed is a pipeline file itself.
            toml::from_str::<infoplane::pipeline::Pipeline>(&out).unwrap();
            checked += 1;
        }
    }
    assert!(checked > 0);
    assert_eq!(walk(&repository("results")), before, "`check` writes nothing");
}

// Bytes.

/// Six checkpoints, two layers, a measure of each kind.
fn rich() -> Scene {
    let mut scene = Scene::new(Archive::Digits, &[0, 5, 22, 140, 644, 4000]);
    scene.taps = String::from("[\"fc1_act\", \"logits\"]");
    scene.measures = String::from(EVERY_KIND);
    scene
}

#[test]
fn threads_shards_and_kills_do_not_change_a_byte() {
    let scene = rich();
    let folder = |name: &str| scene.path(name).display().to_string();
    scene.run(&["--threads", "1", "--output", &folder("one")]).success();
    let expected = parts(&scene.path("one"));
    // Three tables of six parts each, and three of the whole series.
    assert_eq!(expected.len(), 21);
    scene.run(&["--threads", "2", "--output", &folder("two")]).success();
    assert!(parts(&scene.path("two")) == expected, "2 threads gave other bytes");

    // Three shards at the same time.
    let start = |shard: &str| {
        let mut command = scene.run_command(&["--threads", "1", "--output", &folder("shards"), "--shard", shard]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for child in ["0/3", "1/3", "2/3"].map(start) {
        let out = Outcome::from(child.wait_with_output().unwrap()).success();
        assert!(out.contains("2 checkpoints measured, 0 kept"), "{out}");
    }
    assert!(parts(&scene.path("shards")) == expected, "3 shards gave other bytes");

    // A kill in the middle, then shards in an odd order, one of them with another number of threads.
    let options = ["--threads", "1", "--output", &folder("killed")];
    let mut child = start_until_first_part(&mut scene.run_command(&options), &scene.path("killed"));
    child.kill().unwrap();
    child.wait().unwrap();
    let early = parts(&scene.path("killed"));
    assert!(!early.is_empty() && early.len() < expected.len(), "{} parts", early.len());
    assert!(early.iter().all(|(name, bytes)| expected[name] == *bytes));
    for (shard, threads) in [("2/3", "1"), ("0/3", "2"), ("1/3", "1")] {
        scene.run(&["--shard", shard, "--threads", threads, "--output", &folder("killed")]).success();
    }
    assert!(parts(&scene.path("killed")) == expected, "a kill changed bytes");
    let out = scene.run(&["--output", &folder("killed")]).success();
    assert!(out.contains("0 checkpoints measured, 6 kept"), "{out}");
}

#[test]
fn a_rerun_keeps_everything() {
    let scene = Scene::digits();
    scene.run(&[]).success();
    let (bytes, written) = (files(&scene.results()), times(&scene.results()));
    let out = scene.run(&[]).success();
    assert!(out.contains("0 checkpoints measured, 3 kept from before, 0 rows without a value"), "{out}");
    assert_eq!(files(&scene.results()), bytes);
    assert_eq!(times(&scene.results()), written);
}

#[test]
fn only_a_changed_checkpoint_is_measured_again() {
    let scene = Scene::digits();
    scene.run(&[]).success();
    let (bytes, written) = (parts(&scene.results()), times(&scene.results()));
    scene.change(1, |tensors| {
        let doubled: Vec<f32> = tensors["fc2.weight"].singles().iter().map(|value| 2.0 * value).collect();
        tensors.insert("fc2.weight".to_owned(), Stored::f32(&[10, 24], &doubled));
    });
    let out = scene.run(&[]).success();
    // The one after says what has changed since, and so depends on it.
    assert!(out.contains("2 checkpoints measured, 1 kept from before"), "{out}");
    let (new_bytes, new_times) = (parts(&scene.results()), times(&scene.results()));
    for (name, old) in &bytes {
        // What is made of the whole series depends on all of it.
        let of_series = name.starts_with("phases/") || name.starts_with("lags/");
        let changed = name.contains("/step=1/") || name.contains("/step=4000/");
        if of_series {
            continue;
        }
        assert_eq!(new_bytes[name] != *old, changed, "{name}");
        let name = format!("data/{name}");
        assert_eq!(new_times[&name] != written[&name], changed, "{name}");
    }
}

#[test]
fn a_part_that_is_gone_or_damaged_is_made_again() {
    let scene = Scene::digits();
    scene.run(&[]).success();
    let bytes = parts(&scene.results());
    let part = |table: &str, step: u64| scene.results().join(format!("data/{table}/step={step}/part.parquet"));
    fs::remove_file(part("measurements", 0)).unwrap();
    let cut = fs::read(part("checkpoints", 1)).unwrap();
    fs::write(part("checkpoints", 1), &cut[..cut.len() - 30]).unwrap();
    let out = scene.run(&[]).success();
    assert!(out.contains("2 checkpoints measured, 1 kept from before"), "{out}");
    assert_eq!(parts(&scene.results()), bytes);
}

#[test]
fn the_same_folder_may_be_moved() {
    let scene = Scene::digits();
    scene.run(&[]).success();
    fs::rename(scene.results(), scene.path("moved")).unwrap();
    let out = scene.run(&["--output", scene.path("moved").to_str().unwrap()]).success();
    assert!(out.contains("0 checkpoints measured, 3 kept"), "{out}");
}

// Forms of archives and samples.

const VALUES: &str =
    "SELECT step, tap, measure, variable, value, std_error, n_samples, details, error FROM measurements";
const SCORES: &str = "SELECT step, hash, loss, accuracy, n_tensors, error FROM checkpoints";

/// The results of the plain form of an archive.
fn plain() -> &'static [Vec<Value>; 2] {
    static RESULTS: OnceLock<[Vec<Value>; 2]> = OnceLock::new();
    RESULTS.get_or_init(|| {
        let scene = Scene::digits();
        scene.run(&[]).success();
        [VALUES, SCORES].map(|sql| scene.query(sql))
    })
}

#[test]
fn sharded_checkpoints_give_the_same_values() {
    let scene = Scene::digits();
    for step in [0, 1, 4000] {
        let (tensors, _) = read_tensors(&scene.checkpoint(step));
        write_sharded(&scene.path(&format!("archive/checkpoint-{step}")), &tensors);
        fs::remove_file(scene.checkpoint(step)).unwrap();
    }
    scene.run(&[]).success();
    assert_eq!([VALUES, SCORES].map(|sql| scene.query(sql)), *plain());
    let names = scene.query("SELECT file FROM checkpoints");
    assert_eq!(names[1]["file"], "checkpoint-1/model.safetensors.index.json");
    // The same through a glob that matches the shards themselves.
    let mut scene = scene;
    scene.checkpoints = "archive/checkpoint-*/*.safetensors".to_owned();
    scene.run(&["--output", scene.path("glob").to_str().unwrap()]).success();
    assert_eq!(query(&scene.path("glob"), VALUES), plain()[0]);
}

#[test]
fn a_folder_for_each_checkpoint_gives_the_same_values() {
    let mut scene = Scene::digits();
    for step in [0, 1, 4000] {
        let folder = scene.path(&format!("archive/checkpoint-{step}"));
        fs::create_dir(&folder).unwrap();
        fs::rename(scene.checkpoint(step), folder.join("model.safetensors")).unwrap();
    }
    scene.run(&[]).success();
    assert_eq!([VALUES, SCORES].map(|sql| scene.query(sql)), *plain());
    assert_eq!(scene.query("SELECT file FROM checkpoints")[2]["file"], "checkpoint-4000/model.safetensors");
    scene.checkpoints = "archive/*/model.safetensors".to_owned();
    scene.run(&["--output", scene.path("glob").to_str().unwrap()]).success();
    assert_eq!(query(&scene.path("glob"), VALUES), plain()[0]);
}

#[test]
fn steps_come_in_numeric_order_from_names_or_metadata() {
    let scene = Scene::digits();
    // Names without a step: the metadata tell it.
    for (step, name) in [(0, "a"), (1, "z"), (4000, "m")] {
        let (tensors, metadata) = read_tensors(&scene.checkpoint(step));
        assert!(metadata.as_ref().is_some_and(|metadata| metadata["step"] == step.to_string()));
        fs::remove_file(scene.checkpoint(step)).unwrap();
        write_tensors(&scene.path(&format!("archive/{name}.safetensors")), &tensors, metadata);
    }
    scene.run(&[]).success();
    assert_eq!([VALUES, SCORES].map(|sql| scene.query(sql)), *plain());
}

#[test]
fn wide_checkpoints_give_the_same_loss_and_narrow_ones_that_of_their_values() {
    let scene = Scene::digits();
    let expected = scene_losses(&scene, "plain");
    for step in [0, 1, 4000] {
        scene.change(step, |tensors| {
            for tensor in tensors.values_mut() {
                *tensor = tensor.map(Dtype::F64, |value| f64::from(value).to_le_bytes());
            }
        });
    }
    assert_eq!(scene_losses(&scene, "f64"), expected);
    for (name, dtype, narrow) in [
        ("f16", Dtype::F16, (|value| f16::from_f32(value).to_bits()) as fn(f32) -> u16),
        ("bf16", Dtype::BF16, |value| bf16::from_f32(value).to_bits()),
    ] {
        let widen = |bits: u16| {
            if dtype == Dtype::F16 { f16::from_bits(bits).to_f32() } else { bf16::from_bits(bits).to_f32() }
        };
        let losses = [false, true].map(|rounded| {
            let scene = Scene::digits();
            // The last one stays as it is: the graph's values are its.
            for step in [0, 1] {
                scene.change(step, |tensors| {
                    for tensor in tensors.values_mut() {
                        *tensor = if rounded {
                            tensor.map(Dtype::F32, |value| widen(narrow(value)).to_le_bytes())
                        } else {
                            tensor.map(dtype, |value| narrow(value).to_le_bytes())
                        };
                    }
                });
            }
            scene_losses(&scene, name)
        });
        assert_eq!(losses[0], losses[1], "{name}");
        assert_ne!(losses[0][..2], expected[..2], "{name} rounds");
        assert!(
            losses[0].iter().zip(&expected).all(|(found, expected)| (found / expected - 1.0).abs() < 1e-2),
            "{name} {losses:?}"
        );
    }
}

fn scene_losses(scene: &Scene, name: &str) -> Vec<f64> {
    let results = scene.path(name);
    scene.run(&["--output", results.to_str().unwrap()]).success();
    query(&results, "SELECT loss FROM checkpoints").iter().map(|row| row["loss"].as_f64().unwrap()).collect()
}

#[test]
fn inputs_and_labels_come_from_npz_archives_and_by_name_too() {
    let mut scene = Scene::digits();
    let read = |name: &str| fs::read(Archive::Digits.folder().join(name)).unwrap();
    fs::write(scene.path("inputs.npz"), npz(&[("input", read("inputs.npy"))])).unwrap();
    fs::write(scene.path("targets.npz"), npz(&[("digit", read("labels.npy")), ("id", read("ids.npy"))])).unwrap();
    for (place, inputs, labels) in [
        ("members", "\"inputs.npz\"".to_owned(), "{ digit = \"targets.npz#digit\" }".to_owned()),
        ("member", "{ input = \"inputs.npz#input\" }".to_owned(), scene.labels.clone()),
        ("named", format!("{{ input = {} }}", scene.inputs), scene.labels.clone()),
    ] {
        (scene.inputs, scene.labels, scene.ids) = (inputs, labels, "\"targets.npz#id\"".to_owned());
        scene.run(&["--output", scene.path(place).to_str().unwrap()]).success();
        assert_eq!([VALUES, SCORES].map(|sql| query(&scene.path(place), sql)), *plain(), "{place}");
    }
    // Every member of an archive of labels is a column; the loss then has to be told which.
    scene.labels = "\"targets.npz\"".to_owned();
    scene.run(&["--output", scene.path("columns").to_str().unwrap()]).success();
    assert_eq!(query(&scene.path("columns"), VALUES), plain()[0]);
    assert!(query(&scene.path("columns"), SCORES).iter().all(|row| row["loss"].is_null()));
}

#[test]
fn wide_inputs_and_short_labels_are_converted() {
    let mut scene = Scene::digits();
    let npy = fs::read(Archive::Digits.folder().join("inputs.npy")).unwrap();
    let values: Vec<f64> =
        npy[npy.len() - 256_000..].as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes).into()).collect();
    fs::write(scene.path("inputs.npy"), npy_f64(&[1000, 1, 8, 8], &values)).unwrap();
    let npy = fs::read(Archive::Digits.folder().join("labels.npy")).unwrap();
    let labels: Vec<i64> =
        npy[npy.len() - 8000..].as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect();
    let short: Vec<u8> = labels.iter().map(|&label| u8::try_from(label).unwrap()).collect();
    fs::write(scene.path("labels.npy"), common::npy("|u1", &[1000, 1], &short)).unwrap();
    (scene.inputs, scene.labels) = ("\"inputs.npy\"".to_owned(), "{ digit = \"labels.npy\" }".to_owned());
    scene.run(&[]).success();
    assert_eq!([VALUES, SCORES].map(|sql| scene.query(sql)), *plain());
    assert_eq!(npy_i64(&[1000], &labels)[npy.len() - 8000..], npy[npy.len() - 8000..]);
}

#[test]
fn pooling_leaves_the_channels() {
    let mut scene = Scene::digits();
    scene.taps = "[\"conv1_act\"]".to_owned();
    scene.replay = "pool = { \"conv*\" = \"spatial-mean\" }".to_owned();
    scene.run(&[]).success();
    assert!(scene.query("SELECT n_units FROM measurements").iter().all(|row| row["n_units"] == 8));
}

#[test]
fn steps_are_selected() {
    for (steps, expected) in [
        ("{ every = 2 }", &[0, 2, 30, 4000][..]),
        ("{ range = [1, 30] }", &[1, 2, 3, 30]),
        ("{ log-spaced = 2 }", &[0, 4000]),
        ("{ log-spaced = 3 }", &[0, 30, 4000]),
        ("\"all\"", &[0, 1, 2, 3, 30, 4000]),
    ] {
        let mut scene = Scene::new(Archive::Digits, &[0, 1, 2, 3, 30, 4000]);
        scene.steps = steps.to_owned();
        scene.measures.clear();
        scene.run(&[]).success();
        let found: Vec<u64> =
            scene.query("SELECT step FROM checkpoints").iter().map(|row| row["step"].as_u64().unwrap()).collect();
        assert_eq!(found, expected, "{steps}");
    }
}

// Results.

#[test]
fn queries_come_as_csv_json_and_table() {
    let mut scene = Scene::digits();
    scene.measures = format!("{ROSS}, {{ reconstruction = {{ decoder = {{ linear = {{}} }} }} }}");
    scene.run(&[]).success();
    let results = scene.results();
    let ask = |sql: &str, format: &str| {
        run_program(["query".as_ref(), results.as_os_str(), sql.as_ref(), "--format".as_ref(), format.as_ref()])
            .success()
    };
    let sql = "SELECT step, tap, measure, n_components, flags FROM measurements WHERE step < 2 ORDER BY step, measure";
    assert_eq!(
        ask(sql, "csv"),
        "step,tap,measure,n_components,flags\n\
         0,logits,fraction-unexplained,,[]\n0,logits,information,2,[]\n0,logits,reconstruction,,[]\n\
         1,logits,fraction-unexplained,,[]\n1,logits,information,2,[]\n1,logits,reconstruction,,[]\n"
    );
    let rows: Value = serde_json::from_str(&ask(sql, "json")).unwrap();
    assert_eq!(
        rows[2],
        serde_json::json!({ "step": 0, "tap": "logits", "measure": "reconstruction", "n_components": null, "flags": [] })
    );
    let table = ask(sql, "table");
    assert_eq!(table.lines().count(), 7, "{table}");
    assert_eq!(
        table.lines().next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["step", "tap", "measure", "n_components", "flags"]
    );
    assert_eq!(
        run_program(["query".as_ref(), results.as_os_str(), sql.as_ref()]).success(),
        table,
        "the table is the default"
    );
    // Both tables join, and numbers are kept in full.
    let joined = ask(
        "SELECT c.step, c.loss, m.value FROM checkpoints c JOIN measurements m ON c.step = m.step WHERE m.measure = 'information' ORDER BY c.step",
        "json",
    );
    let joined: Vec<Value> = serde_json::from_str(&joined).unwrap();
    let values = scene.query("SELECT value FROM measurements WHERE measure = 'information'");
    assert_eq!(joined.len(), 3);
    assert!(joined.iter().zip(values).all(|(row, value)| row["value"] == value["value"] && row["loss"].is_f64()));
    let counted: Value = serde_json::from_str(&ask("SELECT COUNT(*) AS n FROM measurements", "json")).unwrap();
    assert_eq!(counted[0]["n"], 9);
}

#[test]
fn quiet_prints_the_last_line_only() {
    let scene = Scene::digits();
    let outcome = scene.run(&["--quiet"]);
    assert_eq!(outcome.err, "");
    let data = scene.results().join("data");
    let expected =
        format!("3 checkpoints measured, 0 kept from before, 0 rows without a value; Parquet in {}\n", data.display());
    assert_eq!(outcome.success(), expected);
}

#[test]
fn the_plan_comes_before_the_run_and_no_progress_where_there_is_no_terminal() {
    let scene = Scene::digits();
    let outcome = scene.run(&[]);
    contains_all(
        &outcome.err,
        &["checkpoints  3 of 3, steps 0 to 4000", "8 tensors bound to step-004000.safetensors, proven"],
    );
    contains_all(
        &outcome.err,
        &["taps         logits (10)", "memory       about ", "runtime      ONNX Runtime ", "plan         "],
    );
    assert!(outcome.err.lines().last().unwrap().starts_with("plan "), "{}", outcome.err);
    assert!(!outcome.err.contains('\r') && !outcome.err.contains('\u{1b}') && !outcome.out.contains('\u{1b}'));
    outcome.success();
}

// What a run leaves elsewhere.

/// A library that writes a line for each address that a process tries to reach.
const WATCH: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note(const char *what, const struct sockaddr *address) {
    if (address == NULL || (address->sa_family != AF_INET && address->sa_family != AF_INET6)) return;
    int file = open(getenv("WATCH_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (write(file, what, strlen(what)) < 0) abort();
    close(file);
}

int connect(int socket, const struct sockaddr *address, socklen_t length) {
    int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    note("connect\n", address);
    return next(socket, address, length);
}

ssize_t sendto(int socket, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t length) {
    ssize_t (*next)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "sendto");
    note("sendto\n", address);
    return next(socket, data, size, flags, address, length);
}
"#;

/// A program that tries to reach this machine's own discard port.
const CALLER: &str = r"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address);
    sendto(socket(AF_INET, SOCK_DGRAM, 0), 0, 0, 0, (struct sockaddr *)&address, sizeof address);
    return 0;
}
";

#[test]
#[cfg(target_os = "linux")]
fn a_run_tries_no_connection() {
    let scene = Scene::digits();
    let folder = scene.path("");
    let watch = compile(&folder, "watch.so", &["-shared", "-fPIC"], WATCH);
    let caller = compile(&folder, "caller", &[], CALLER);
    let log = |name: &str| scene.path(&format!("{name}.log"));
    let watched =
        |command: &mut Command, name: &str| Outcome::of(command.env("LD_PRELOAD", &watch).env("WATCH_LOG", log(name)));
    watched(&mut Command::new(caller), "control").success();
    assert_eq!(fs::read_to_string(log("control")).unwrap(), "connect\nsendto\n", "the watch sees what there is to see");
    // The telemetry of some builds of the runtime goes by this variable, which the program sets by itself.
    let mut run = scene.run_command(&[]);
    watched(run.env_remove("ORT_DISABLE_TELEMETRY"), "run").success();
    assert!(!log("run").exists(), "{}", fs::read_to_string(log("run")).unwrap());
}

#[test]
fn a_run_writes_nothing_outside_its_folder() {
    let scene = Scene::digits();
    let around: Vec<PathBuf> =
        ["home", "cache", "config", "share", "temporary", "here"].map(|name| scene.path(name)).to_vec();
    for folder in &around {
        fs::create_dir(folder).unwrap();
    }
    let mut run = scene.run_command(&[]);
    run.env_clear().env("ORT_DYLIB_PATH", library()).env("PATH", "/usr/bin:/bin").current_dir(&around[5]);
    for (name, folder) in ["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR"].iter().zip(&around) {
        run.env(name, folder);
    }
    let before = files(&scene.path(""));
    Outcome::of(&mut run).success();
    let mut after = files(&scene.path(""));
    after.retain(|name, _| !name.starts_with("results/"));
    assert_eq!(after, before);
    for folder in around {
        assert!(walk(&folder).is_empty(), "{:?}", walk(&folder));
    }
    let results: Vec<String> = files_but_metrics(&scene.results()).into_keys().collect();
    // What tells how long units took has the name of the process.
    let metrics = files(&scene.results()).into_keys().filter(|name| name.starts_with("metrics/units/"));
    assert_eq!(metrics.count(), 1);
    let steps = [0, 1, 4000].iter();
    let mut expected: Vec<String> = steps
        .flat_map(|step| {
            ["checkpoints", "failures", "measurements"].map(|table| format!("data/{table}/step={step}/part.parquet"))
        })
        .chain(["bindings", "lags", "phases"].map(|table| format!("data/{table}/part.parquet")))
        .chain(["work/plan.json".to_owned()])
        .collect();
    expected.sort();
    assert_eq!(results, expected);
}
