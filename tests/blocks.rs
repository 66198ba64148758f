//! Whole runs of a network that reads two samples at once and labels both.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use common::{Archive, Scene, contains_all, repository};

fn scene(filled: &str, measures: &str) -> Scene {
    let mut scene = Scene::new(Archive::Digits, &[]);
    let there = |name: &str| repository("data/digits-pairs").join(name).display().to_string();
    scene.checkpoints = there("step-*.safetensors");
    scene.model = there("model.onnx");
    "[\"h\", \"logits\"]".clone_into(&mut scene.taps);
    scene.replay = format!(
        "blocks = {{ fold = 2, axis = 1, filled = \"{filled}\" }}\nrecorded = {{ losses = {{ file = \"{}\", loss = \"test_loss\" }} }}",
        there("metrics.csv")
    );
    measures.clone_into(&mut scene.measures);
    scene
}

fn ross(label: &str) -> String {
    format!(
        "{{ information = {{ of = \"{label}\", compress = {{ pca = {{ components = 4 }} }}, \
         estimator = {{ ross = {{ neighbors = 3 }} }}, interval = {{ none = {{}} }} }} }}"
    )
}

#[test]
fn one_sample_in_every_slot_gives_what_training_recorded() {
    let scene = scene("replicated", &ross("digit"));
    let plan = scene.check().success();
    contains_all(&plan, &["blocks       2 slots along axis 1, one sample in every slot", "samples      1000"]);
    scene.run(&[]).success();
    let metrics = fs::read_to_string(repository("data/digits-pairs/metrics.csv")).unwrap();
    let recorded: Vec<Vec<f64>> =
        metrics.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
    let rows = scene.query("SELECT step, loss, accuracy, flags FROM checkpoints ORDER BY step");
    assert_eq!(rows.len(), 3);
    for (row, recorded) in rows.iter().zip(&recorded) {
        // Single precision on both sides, and nine digits in the file.
        assert!((row["loss"].as_f64().unwrap() / recorded[4] - 1.0).abs() < 1e-5, "{row}");
        assert!((row["accuracy"].as_f64().unwrap() - recorded[5]).abs() < 1e-9, "{row}");
        assert_eq!(row["flags"].as_array().unwrap().len(), 0, "{row}");
    }
    // Each head by itself: as the mean probability of both is at least as good on average over the logarithm, so is its loss.
    for row in scene.query("SELECT loss, slot_losses, slot_accuracies FROM checkpoints") {
        let of = |name: &str| row[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>();
        let (losses, accuracies) = (of("slot_losses"), of("slot_accuracies"));
        assert!(losses.len() == 2 && losses[0].to_bits() != losses[1].to_bits(), "{row}");
        assert!(row["loss"].as_f64().unwrap() <= 0.5 * (losses[0] + losses[1]), "{row}");
        assert!(accuracies.len() == 2 && accuracies.iter().all(|part| (0.0..=1.0).contains(part)), "{row}");
    }
}

const REBUILD: &str = "compress = { pca = { components = 2 } }, decoder = { linear = {} }";

/// The inputs, the labels and the heads of a slot, and all together.
#[test]
fn every_measure_goes_slot_by_slot_and_together() {
    let rebuild = |of: &str| format!("{{ reconstruction = {{ of = \"{of}\", {REBUILD} }} }}");
    let usable = |label: &str, given: &str| {
        format!("{{ usable = {{ label = \"{label}\", probe = {{ nearest-mean = {{}} }}{given} }} }}")
    };
    let ksg = |of: &str| {
        format!(
            "{{ information = {{ of = \"{of}\", compress = {{ pca = {{ components = 2 }} }}, margins = \"standardized\", \
             estimator = {{ ksg = {{ neighbors = 3 }} }}, interval = {{ none = {{}} }} }} }}"
        )
    };
    let frontier = "frontier = { steps = 6, largest = 16.0, starts = 1, clusters = 8 }";
    let code = |label: &str, posterior: &str| {
        format!(
            "{{ codebook = {{ label = \"{label}\", compress = {{ pca = {{ components = 4 }} }}, sizes = [8], {frontier}{posterior} }} }}"
        )
    };
    let mut measures: Vec<String> =
        ["input", "input-1", "input-2"].iter().flat_map(|of| [rebuild(of), ksg(of)]).collect();
    measures.extend([
        usable("digit-1", ""),
        usable("digit-2", ", given = \"input-2\""),
        usable("digit-1", ", given = \"input-2\""),
    ]);
    measures.extend([
        code("digit-1", ""),
        code("digit-2", ", posterior = { probe = { nearest-mean = {} }, of = \"input-2\" }"),
    ]);
    let mut scene = scene("batched", &measures.join(", "));
    scene.replay = scene.replay.lines().next().unwrap().to_owned();
    "[\"h\"]".clone_into(&mut scene.taps);
    scene.run(&[]).success();
    let rows = scene.query("SELECT measure, variable, given, value, error FROM measurements WHERE step = 1000");
    assert!(rows.iter().all(|row| row["error"].is_null()), "{rows:?}");
    let of = |measure: &str, variable: &str| {
        let is = |row: &&serde_json::Value| row["measure"] == measure && row["variable"] == variable;
        rows.iter().find(is).unwrap_or_else(|| panic!("{measure} {variable}: {rows:?}"))["value"].as_f64().unwrap()
    };
    for slot in ["input-1", "input-2"] {
        // The layer reads both slots and keeps something of each.
        assert!((0.0..1.0).contains(&of("fraction-unexplained", slot)) && of("information", slot) > 0.0, "{rows:?}");
    }
    // Of its own digit the image of a slot leaves the layer little to add, of the other slot's digit all.
    let of_other = rows.iter().find(|row| row["measure"] == "usable-given" && row["variable"] == "digit-1");
    let of_other = of_other.unwrap()["value"].as_f64().unwrap();
    assert!(of_other > 0.2 + of("usable-given", "digit-2"), "{rows:?}");
    assert!(of("codebook-gap", "digit-1") > 0.0 && of("codebook-gap", "digit-2") > 0.0, "{rows:?}");
    let row = &scene.query("SELECT loss, accuracy, slot_losses, slot_accuracies FROM checkpoints WHERE step = 1000")[0];
    for (whole, slots) in [("loss", "slot_losses"), ("accuracy", "slot_accuracies")] {
        // Each slot has as many samples: the mean over slots is that over all heads.
        let mean = row[slots].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).sum::<f64>() / 2.0;
        assert!((mean - row[whole].as_f64().unwrap()).abs() < 1e-9, "{row}");
    }
    for (measure, words) in [
        (rebuild("input-3"), "found no tap `input-3` for `of`, needed `input`, `input-1`, `input-2`"),
        (code("digit", ""), "no head of which is about `digit` alone"),
    ] {
        scene.measures = measure;
        scene.run(&[]).refused(&["measure 1", words]);
    }
}

#[test]
fn different_samples_are_measured_slot_by_slot_and_together() {
    let mut scene = scene("batched", &[ross("digit-1"), ross("digit-2"), ross("digit")].join(", "));
    // What was recorded is of replicated samples.
    scene.replay = scene.replay.lines().next().unwrap().to_owned();
    let plan = scene.check().success();
    contains_all(&plan, &["different samples", "samples      500", "digit: 100 classes", "digit-2: 10 classes"]);
    scene.run(&[]).success();
    let rows = scene.query("SELECT variable, value, n_samples FROM measurements WHERE step = 1000 AND tap = 'h'");
    let of = |name: &str| rows.iter().find(|row| row["variable"] == name).unwrap()["value"].as_f64().unwrap();
    // One pair of digits occurs once, and says nothing of itself.
    assert!(rows.iter().all(|row| row["n_samples"] == if row["variable"] == "digit" { 499 } else { 500 }), "{rows:?}");
    // Each head knows its digit, neither of them all of it (ln 10 = 2.3), and both together more than either.
    for slot in ["digit-1", "digit-2"] {
        assert!((0.4..2.3).contains(&of(slot)) && of("digit") > of(slot), "{rows:?}");
    }
    let accuracy = &scene.query("SELECT accuracy, n_samples FROM checkpoints WHERE step = 1000")[0];
    // As numpy has it of the same pairs, but for a tie that single precision may break otherwise.
    assert!((accuracy["accuracy"].as_f64().unwrap() - 0.789).abs() < 2e-3, "{accuracy}");
    let ids = scene.query("SELECT step FROM measurements WHERE measure = 'information'");
    assert_eq!(ids.len(), 3 * 2 * 3);
}

#[test]
fn a_sample_in_a_context_is_judged_by_the_first_head() {
    let mut scene = scene("contextual", &ross("digit"));
    scene.replay = scene.replay.lines().next().unwrap().to_owned();
    scene.run(&[]).success();
    let row = &scene.query("SELECT accuracy, n_samples FROM checkpoints WHERE step = 1000")[0];
    // As numpy has it of the same pairs.
    assert!((row["accuracy"].as_f64().unwrap() - 0.813).abs() < 2e-3 && row["n_samples"] == 1000, "{row}");
}

#[test]
fn blocks_that_do_not_fit_the_graph_are_refused() {
    let refused = |from: &str, to: &str, words: &[&str]| {
        let mut scene = scene("replicated", "");
        scene.replay = scene.replay.lines().next().unwrap().replace(from, to);
        scene.run(&[]).refused(words);
    };
    refused("fold = 2", "fold = 4", &["input"]);
    refused("axis = 1", "axis = 4", &["found inputs of shape [1000, 1, 8, 8], needed an axis 4"]);
    refused("axis = 1", "axis = 0", &["line"]);
    let every = scene("replicated", "{ gradient = { batch = 32, layers = \"all\" } }");
    every.run(&[]).refused(&["gradient", "blocks"]);
}

/// Heads share no weights, so that signal and noise of all of them are the sums of those of each.
#[test]
fn gradients_of_heads_add_up_to_those_of_all() {
    let subset = "{ gradient = { batch = 32, subset = { label = { column = \"digit\", is = 3 } } } }";
    let all = "{ gradient = { batch = 32, compat = true } }";
    for (filled, measure, samples) in [
        ("replicated", all, 1000..=1000),
        ("contextual", all, 1000..=1000),
        ("batched", all, 500..=500),
        ("replicated", subset, 50..=150),
    ] {
        let mut scene = scene(filled, measure);
        scene.replay = scene.replay.lines().next().unwrap().to_owned();
        scene.run(&[]).success();
        let rows = scene.query(
            "SELECT tap, variable, value, n_samples, details FROM measurements WHERE measure = 'gradient-snr' ORDER BY step, variable",
        );
        assert_eq!(rows.len(), 9, "{filled}");
        for rows in rows.chunks(3) {
            let names: Vec<_> = rows.iter().map(|row| row["variable"].as_str().unwrap()).collect();
            assert_eq!(names, ["loss", "loss-1", "loss-2"]);
            assert!(
                rows.iter().all(|row| row["tap"] == "h" && samples.contains(&row["n_samples"].as_u64().unwrap())),
                "{rows:?}"
            );
            let details: Vec<serde_json::Value> =
                rows.iter().map(|row| serde_json::from_str(row["details"].as_str().unwrap()).unwrap()).collect();
            for name in ["squared_signal", "noise"] {
                let [together, first, second] = [0, 1, 2].map(|place| details[place][name].as_f64().unwrap());
                // Sums of some thousand terms in double precision, of which the signal is a difference.
                let scale = details[0]["noise"].as_f64().unwrap();
                assert!(
                    (together - first - second).abs() < 1e-9 * scale && first.to_bits() != second.to_bits(),
                    "{filled}: {name}"
                );
            }
        }
    }
}

/// A field of a protocol buffer that holds bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut length = Vec::new();
    let mut left = content.len();
    while left >= 0x80 {
        length.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    length.push(u8::try_from(left).unwrap());
    [vec![number << 3 | 2], length, content.to_vec()].concat()
}

/// A field that holds a small integer.
fn number(field: u8, value: u8) -> [u8; 2] {
    [field << 3, value]
}

/// What makes of the graph of pairs one with an output a slot: messages one after the other are merged.
fn apart() -> Vec<u8> {
    let mut graph = Vec::new();
    for (slot, name) in [(0, "head-1"), (1, "head-2")] {
        let index = format!("slot-{slot}");
        let values = [slot, 0, 0, 0, 0, 0, 0, 0];
        // A scalar of 64 bits, of type 7, taken along axis 1 (an attribute of type 2).
        graph.extend(field(5, &[&number(2, 7)[..], &field(8, index.as_bytes()), &field(9, &values)].concat()));
        let axis = field(5, &[&field(1, b"axis")[..], &number(3, 1), &[0xa0, 1, 2]].concat());
        let node =
            [field(1, b"logits"), field(1, index.as_bytes()), field(2, name.as_bytes()), field(3, name.as_bytes())];
        graph.extend(field(1, &[node.concat(), field(4, b"Gather"), axis].concat()));
        let shape = [field(1, &field(2, b"samples")), field(1, &number(1, 10))].concat();
        let tensor = [&number(1, 1)[..], &field(2, &shape)].concat();
        graph.extend(field(12, &[field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()));
    }
    field(7, &graph)
}

#[test]
fn heads_may_be_outputs_of_their_own() {
    let losses =
        |scene: &Scene| scene.query("SELECT step, loss, accuracy, slot_losses, flags FROM checkpoints ORDER BY step");
    let joined = scene("replicated", "");
    joined.run(&[]).success();
    let mut own = scene("replicated", "");
    own.model = own.path("model.onnx").display().to_string();
    fs::write(&own.model, [fs::read(repository("data/digits-pairs/model.onnx")).unwrap(), apart()].concat()).unwrap();
    let replay = own.replay.clone();
    own.replay = format!("loss = {{ of = {{ output = [\"head-1\", \"head-2\"] }} }}\n{replay}");
    let plan = own.check().success();
    contains_all(&plan, &["cross-entropy of `head-1`, `head-2` against `digit`"]);
    own.run(&[]).success();
    // The same numbers by another way out, and as the framework recorded them.
    assert_eq!(losses(&own), losses(&joined));
    for (of, words) in [
        ("[\"head-1\"]", "found a list of 1 outputs, needed one a slot of `[replay] blocks`, which are 2"),
        ("[\"head-1\", \"head-3\"]", "found no output `head-3`"),
        ("[\"head-1\", \"logits\"]", "output `logits` has shape"),
    ] {
        own.replay = format!("loss = {{ of = {{ output = {of} }} }}\n{replay}");
        own.run(&[]).refused(&[words]);
    }
}
