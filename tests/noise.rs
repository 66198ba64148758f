//! Stochastic networks: channels of known information, noise that later layers see, the same bits however it is run.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::cast_possible_truncation, reason = "activations are in single precision")]

mod common;
#[path = "bind/onnx.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "each test file needs a part of it")]
mod onnx;

use std::fs;

use common::{Archive, Scene, Stored, Tensors, npy_f32, npy_i64, parts, write_tensors};
use infoplane::estimate::random::SplitMix64;
use onnx::{FLOAT, initializer, model, node};
use serde_json::Value;

const KSG: &str =
    "{ information = { of = \"input\", margins = \"standardized\", estimator = { ksg = { neighbors = 5 } } } }";
const GAUSSIAN: &str = "{ information = { of = \"input\", estimator = { gaussian = {} } } }";

/// A scene with samples of its own and a graph `input` → `h` → `logits` of two products, whose only checkpoint is step 0.
fn linear(inputs: &[f32], width: usize, first: &[f32], second: &[f32]) -> Scene {
    let rows = inputs.len() / width;
    let (hidden, outputs) = (first.len() / width, second.len() / (first.len() / width));
    let mut scene = Scene::new(Archive::Digits, &[]);
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let parts = [
        node("MatMul", &["input", "w"], "h", &[]),
        node("MatMul", &["h", "v"], "logits", &[]),
        initializer("w", FLOAT, &[width, hidden], &bytes(first)),
        initializer("v", FLOAT, &[hidden, outputs], &bytes(second)),
    ];
    fs::write(scene.path("model.onnx"), model(&parts, width, outputs)).unwrap();
    let tensors = Tensors::from([
        ("w".to_owned(), Stored::f32(&[width, hidden], first)),
        ("v".to_owned(), Stored::f32(&[hidden, outputs], second)),
    ]);
    write_tensors(&scene.checkpoint(0), &tensors, None);
    fs::write(scene.path("inputs.npy"), npy_f32(&[rows, width], inputs)).unwrap();
    let ids: Vec<i64> = (0..i64::try_from(rows).unwrap()).collect();
    fs::write(scene.path("ids.npy"), npy_i64(&[rows], &ids)).unwrap();
    let own = |name: &str| format!("\"{}\"", scene.path(name).display());
    let (model, inputs, ids) = (scene.path("model.onnx").display().to_string(), own("inputs.npy"), own("ids.npy"));
    scene.model = model;
    scene.labels = format!("{{ row = {ids} }}");
    "loss = \"none\"".clone_into(&mut scene.replay);
    scene.inputs = inputs;
    scene.ids = ids;
    "[\"h\", \"logits\"]".clone_into(&mut scene.taps);
    scene
}

fn with_noise(scene: &mut Scene, noise: &str) {
    scene.replay = format!("noise = {noise}\nloss = \"none\"");
}

/// Runs a pipeline whose file has changed since: results of another plan would be refused.
fn afresh(scene: &Scene) {
    if scene.results().exists() {
        fs::remove_dir_all(scene.results()).unwrap();
    }
    scene.run(&[]).success();
}

fn value(rows: &[Value], tap: &str) -> f64 {
    rows.iter().find(|row| row["tap"] == tap).unwrap()["value"].as_f64().unwrap()
}

const COLUMNS: &str = "SELECT tap, value, flags, details FROM measurements";

#[test]
fn a_uniform_number_through_noise_has_the_known_information() {
    let mut random = SplitMix64::new(11);
    let uniform: Vec<f32> = (0..5000).map(|_| random.uniform() as f32).collect();
    let mut scene = linear(&uniform, 1, &[1.0], &[-2.0]);
    scene.measures = KSG.to_owned();
    // I(U; U + σZ), by quadrature. Four standard errors of KSG at n = 5000, and its bias at this k.
    for (deviation, truth) in [("0.05", 1.667_113), ("0.1", 1.064_286), ("0.5", 0.143_711)] {
        for noise in [
            "read-out = { deviation = { absolute = S } }",
            "propagated = { deviation = { absolute = S }, at = [\"h\"] }",
        ] {
            with_noise(&mut scene, &format!("{{ {} }}", noise.replace('S', deviation)));
            afresh(&scene);
            let rows = scene.query(COLUMNS);
            let found = value(&rows, "h");
            assert!((found - truth).abs() < 0.05, "{noise} {deviation}: {found}, needed {truth}");
            if noise.starts_with("propagated") {
                // What is behind the noise is a one-to-one function of it.
                let later = value(&rows, "logits");
                assert!((later - truth).abs() < 0.05, "{noise} {deviation}: {later}, needed {truth}");
            }
            for row in &rows {
                assert!(!row["flags"].to_string().contains("deterministic"), "{row}");
                assert!(row["details"].as_str().unwrap().contains("\"deviations\""), "{row}");
            }
        }
    }
    with_noise(&mut scene, "\"none\"");
    afresh(&scene);
    for row in scene.query(COLUMNS) {
        assert!(row["flags"].to_string().contains("deterministic"), "{row}");
        assert!(!row["details"].as_str().unwrap().contains("noise"), "{row}");
    }
}

#[test]
fn noise_on_the_input_of_a_linear_layer_is_a_gaussian_channel() {
    // x ~ N(0, s² I₃), T = W (x + σz) for any invertible W: I = (3/2) ln(1 + s²/σ²).
    let mut random = SplitMix64::new(12);
    let inputs: Vec<f32> = (0..3 * 8000).map(|_| 2.0 * random.normal_pair().0 as f32).collect();
    let mix = [1.0, 0.5, -0.3, 0.2, -2.0, 0.4, 0.1, 0.3, 0.7];
    let mut scene = linear(&inputs, 3, &mix, &[1.0, 0.0, 2.0, 1.0, 1.0, 1.0]);
    scene.measures = GAUSSIAN.to_owned();
    let truth = |ratio: f64| 1.5 * (1.0 + 1.0 / (ratio * ratio)).ln();
    // The bias 9/2n and three standard errors of about √(3/n).
    let near = |found: f64, truth: f64| (found - truth).abs() < 0.06;
    for (deviation, ratio) in [("absolute = 1.0", 0.5), ("relative = 0.5", 0.5), ("relative = 0.1", 0.1)] {
        with_noise(&mut scene, &format!("{{ propagated = {{ deviation = {{ {deviation} }}, at = [\"input\"] }} }}"));
        afresh(&scene);
        let rows = scene.query(COLUMNS);
        assert!(near(value(&rows, "h"), truth(ratio)), "{deviation}: {rows:?}");
    }
    // Noise of the input and of the layer add up; before its own noise a tap shows the input's alone.
    let both = |side: &str| {
        format!("{{ propagated = {{ deviation = {{ relative = 0.5 }}, at = [\"h\", \"input\"], taps = \"{side}\" }} }}")
    };
    with_noise(&mut scene, &both("clean"));
    afresh(&scene);
    let clean = scene.query(COLUMNS);
    assert!(near(value(&clean, "h"), truth(0.5)), "{clean:?}");
    with_noise(&mut scene, &both("noisy"));
    afresh(&scene);
    let noisy = scene.query(COLUMNS);
    assert!(value(&noisy, "h") < value(&clean, "h") - 0.5, "{noisy:?}");
    // The scale of the input is 2; both tensors are told with what their deviation came to.
    let details: Value = serde_json::from_str(noisy[0]["details"].as_str().unwrap()).unwrap();
    let input = details["noise"]["deviations"]["input"].as_f64().unwrap();
    assert!((input - 1.0).abs() < 0.02 && details["noise"]["deviations"]["h"].is_f64(), "{details}");
    assert_eq!(details["noise"]["taps"], "noisy");
}

#[test]
fn later_layers_see_noise_and_earlier_ones_do_not() {
    let mut scene = Scene::new(Archive::DigitsFlax, &[0, 4000]);
    scene.taps = "[\"h1\", \"h2\", \"logits\"]".to_owned();
    scene.measures = KSG.replace("margins", "compress = { pca = { components = 2 } }, margins");
    let query = "SELECT step, tap, value, flags, details FROM measurements ORDER BY step, tap";
    let run = |scene: &mut Scene, noise: &str| {
        scene.replay = format!("noise = {noise}");
        afresh(scene);
        scene.query(query)
    };
    let clean = run(&mut scene, "\"none\"");
    let noisy = run(&mut scene, "{ propagated = { deviation = { absolute = 0.5 }, at = [\"h2\"] } }");
    for (clean, noisy) in clean.iter().zip(&noisy) {
        let is_first = noisy["tap"] == "h1";
        assert_eq!(clean["value"] == noisy["value"], is_first, "{noisy}");
        assert_eq!(noisy["flags"].to_string().contains("deterministic"), is_first, "{noisy}");
        assert!(noisy["details"].as_str().unwrap().contains("\"mode\":\"propagated\""), "{noisy}");
    }
    // Loss and accuracy are the network's own.
    for (step, loss, accuracy) in Archive::DigitsFlax.metrics().into_iter().filter(|row| [0, 4000].contains(&row.0)) {
        let rows = scene.query(&format!("SELECT loss, accuracy FROM checkpoints WHERE step = {step}"));
        assert!((rows[0]["loss"].as_f64().unwrap() / loss - 1.0).abs() < 1e-5, "{rows:?}");
        assert!((rows[0]["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-9, "{rows:?}");
    }
}

#[test]
fn noise_is_the_same_at_any_number_of_threads_and_size_of_batch() {
    for noise in
        ["{ read-out = { deviation = { relative = 0.1 } } }", "{ propagated = { deviation = { relative = 0.1 } } }"]
    {
        let mut scene = Scene::digits();
        scene.taps = "[\"conv1_act\", \"fc1_act\", \"logits\"]".to_owned();
        scene.measures = KSG.replace("margins", "compress = { pca = { components = 2 } }, margins");
        let run = |scene: &mut Scene, batch: usize, threads: &str| {
            scene.replay = format!("noise = {noise}\nbatch = {batch}");
            let output = scene.path(&format!("results-{}-{batch}-{threads}", scene.seed));
            scene.run(&["--threads", threads, "--output", output.to_str().unwrap()]).success();
            output
        };
        let one = run(&mut scene, 256, "1");
        let two = run(&mut scene, 256, "2");
        assert!(parts(&one) == parts(&two), "{noise}");
        let small = run(&mut scene, 7, "1");
        let values = |results| common::query(results, "SELECT value FROM measurements ORDER BY step, tap");
        for (a, b) in values(&one).iter().zip(values(&small)) {
            // A batch may change the last bit of an activation, and that the neighbors of a few samples.
            assert!((a["value"].as_f64().unwrap() - b["value"].as_f64().unwrap()).abs() < 2e-3, "{noise}: {a} {b}");
        }
        scene.seed = 2;
        let other = run(&mut scene, 256, "2");
        assert_ne!(values(&one), values(&other), "another seed, other noise: {noise}");
    }
}

#[test]
fn refuses_noise_that_cannot_be() {
    let mut scene = Scene::digits();
    scene.taps = "[\"conv1_act\"]".to_owned();
    for (noise, words) in [
        (
            "{ propagated = { deviation = { absolute = 0.1 }, at = [\"fc1\"] } }",
            &["`[replay] noise`", "fc1", "no tap depends on"][..],
        ),
        ("{ propagated = { deviation = { absolute = 0.1 }, at = [\"nothing\"] } }", &["`[replay] noise`", "nothing"]),
        ("{ propagated = { deviation = { absolute = 0.1 }, at = [] } }", &["`[replay] noise`", "empty `at`"]),
        ("{ read-out = { deviation = { absolute = -1.0 } } }", &["found -1, needed a number above 0"]),
        ("{ read-out = { deviation = { percent = 1.0 } } }", &["unknown variant `percent`"]),
    ] {
        scene.replay = format!("noise = {noise}");
        scene.run(&[]).refused(words);
    }
}
