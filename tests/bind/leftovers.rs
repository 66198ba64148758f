//! Tensors too many, too few, of another shape, that never change, or that stand for one another.

use std::fs;

use crate::common::{Stored, contains_all};
use crate::zoo::{Zoo, flags, strings};

const EXPORT: &str = "torch.onnx.export(";

/// Five checkpoints of an archive that has three: steps 10 and 100 are a little off 0 and 40.
///
/// The binding looks at the first, the middle and the last one beside the reference.
fn longer(archive: &str, shift: &str) -> Zoo {
    let mut zoo = Zoo::new(archive, "dynamo.onnx");
    for (from, to) in [(0, 10), (40, 100)] {
        let mut tensors = zoo.tensors(from);
        let stored = tensors.get_mut(shift).unwrap();
        *stored = stored.map(stored.dtype, |value| (value + 0.25).to_le_bytes());
        zoo.put(to, &tensors);
    }
    zoo.recorded = None;
    zoo
}

/// Puts a tensor into each checkpoint, of the value that a step has.
fn add(zoo: &Zoo, name: &str, value: impl Fn(u64) -> f32) {
    for step in [0, 10, 40, 100, 200] {
        zoo.change(step, |tensors| drop(tensors.insert(name.to_owned(), Stored::f32(&[2], &[value(step), 1.5]))));
    }
}

#[test]
fn a_tensor_too_many_that_changes_over_the_series_is_refused() {
    let zoo = longer("mlp", "head.bias");
    add(&zoo, "fc4.bias", |step| step as f32);
    zoo.refused(&[
        "step-000200.safetensors`",
        "tensor `fc4.bias`, shape [2]",
        "it changes over the series",
        EXPORT,
        "`[graph.bind] unused`",
    ]);
}

#[test]
fn a_tensor_too_many_may_be_listed_as_unused() {
    let mut zoo = longer("mlp", "head.bias");
    add(&zoo, "fc4.bias", |step| step as f32);
    zoo.bind = "unused = [\"fc4.*\"]".to_owned();
    let said = zoo.proven();
    assert_eq!(strings(&said["leftovers"], "tensor"), ["fc4.bias"]);
    assert_eq!(strings(&said["leftovers"], "reason"), ["the pipeline file says so"]);
}

#[test]
fn a_tensor_that_never_changes_is_listed_and_each_checkpoint_is_held_to_it() {
    let zoo = longer("mlp", "head.bias");
    add(&zoo, "scale", |_| 0.5);
    let said = zoo.proven();
    assert_eq!(strings(&said["leftovers"], "tensor"), ["scale"]);
    contains_all(&said["leftovers"][0]["reason"].to_string(), &["never changes", "constant of the graph"]);
    let text = zoo.again("bind", &[]).success();
    contains_all(&text, &["feed nothing: tensors, never changes, and so is a constant of the graph\n  scale\n"]);
    assert_eq!(flags(&zoo.rows(0)), [0, 10, 40, 100, 200].map(|step| (step, vec![])));

    // The binding looked at steps 0, 40 and 200: at step 10 the constant is another.
    let zoo = longer("mlp", "head.bias");
    add(&zoo, "scale", |step| if step == 10 { 0.75 } else { 0.5 });
    zoo.proven();
    let rows = zoo.rows(1);
    for row in &rows {
        assert_eq!(row["error"].is_null(), row["step"] != 10, "{row}");
        assert_eq!(row["loss"].is_f64(), row["step"] != 10, "{row}");
    }
    contains_all(
        rows[1]["error"].as_str().unwrap(),
        &[
            "step-000010.safetensors`",
            "tensor `scale`",
            "another value than in the reference",
            "holds it as a constant",
        ],
    );
}

#[test]
fn tied_tensors_that_differ_in_one_checkpoint_fail_there() {
    // The exporter kept one of both; the other feeds nothing as long as they are equal.
    let zoo = longer("shared", "head.bias");
    let said = zoo.proven();
    assert_eq!(strings(&said["leftovers"], "reason"), ["always equal to `decoder.weight`"]);
    for (step, tensor) in [(10, "emb.weight"), (100, "decoder.weight")] {
        let zoo = longer("shared", "head.bias");
        zoo.change(step, |tensors| {
            let stored = tensors.get_mut(tensor).unwrap();
            stored.bytes[..4].copy_from_slice(&9.0_f32.to_le_bytes());
        });
        for row in zoo.rows(1) {
            assert_eq!(row["error"].is_null(), row["step"] != step, "{row}");
            if row["step"] == step {
                contains_all(
                    row["error"].as_str().unwrap(),
                    &[
                        "tensor `emb.weight`",
                        "another value",
                        "needed the value of `decoder.weight`",
                        "one weight for both",
                    ],
                );
            }
        }
    }
}

#[test]
fn tensors_that_are_tied_at_the_exported_step_only_each_feed_their_own_node() {
    let mut zoo = Zoo::new("shared", "dynamo.onnx");
    zoo.recorded = None;
    zoo.change(40, |tensors| {
        let stored = tensors.get_mut("emb.weight").unwrap();
        *stored = stored.map(stored.dtype, |value| (value + 0.5).to_le_bytes());
    });
    let said = zoo.proven();
    let words = strings(&said["feeds"], "words");
    for tensor in ["emb.weight", "decoder.weight"] {
        assert_eq!(words.iter().filter(|word| *word == tensor).count(), 1, "{said}");
    }
    assert!(said["leftovers"].as_array().unwrap().is_empty(), "{said}");
}

#[test]
fn a_tensor_too_few_is_refused() {
    let zoo = Zoo::new("mlp", "dynamo.onnx");
    for step in [0, 40, 200] {
        zoo.change(step, |tensors| drop(tensors.remove("fc3.bias")));
    }
    zoo.refused(&["step-000200.safetensors`", "initializer `fc3.bias`, shape [24]", "found no tensor", EXPORT]);
}

/// What is done to a checkpoint: its name, how, and the words of the error.
type Change = (&'static str, fn(&Zoo), &'static [&'static str]);

#[test]
fn tensors_missing_added_or_reshaped_in_one_checkpoint_fail_there() {
    let changes: [Change; 3] = [
        (
            "missing",
            |zoo| zoo.change(40, |tensors| drop(tensors.remove("ln3.bias"))),
            &["tensor `ln3.bias`", "found none", "[24]"],
        ),
        (
            "added",
            |zoo| zoo.change(40, |tensors| drop(tensors.insert("fc4.bias".to_owned(), Stored::f32(&[1], &[1.0])))),
            &["tensor `fc4.bias`", "no tensor of this name, as in the reference"],
        ),
        (
            "reshaped",
            |zoo| zoo.change(40, |tensors| tensors.get_mut("fc1.weight").unwrap().shape = vec![64, 24]),
            &["tensor `fc1.weight`", "found shape [64, 24]", "needed shape [24, 64]"],
        ),
    ];
    for (name, change, words) in changes {
        let mut zoo = Zoo::new("mlp", "dynamo.onnx");
        zoo.recorded = None;
        change(&zoo);
        let rows = zoo.rows(1);
        contains_all(rows[1]["error"].as_str().unwrap(), words);
        contains_all(
            rows[1]["error"].as_str().unwrap(),
            &["step-000040.safetensors`", "another network, or saved incompletely"],
        );
        assert!(rows[0]["loss"].is_f64() && rows[1]["loss"].is_null() && rows[2]["loss"].is_f64(), "{name}: {rows:?}");
    }
}

#[test]
fn a_checkpoint_of_nothing_but_counters_is_refused() {
    let zoo = Zoo::new("conv-bn", "dynamo.onnx");
    for step in [0, 40, 200] {
        zoo.change(step, |tensors| tensors.retain(|name, _| name.ends_with("num_batches_tracked")));
    }
    zoo.refused(&["step-000200.safetensors`", "initializer `", EXPORT]);
    fs::remove_file(zoo.checkpoint(200)).unwrap();
    zoo.refused(&["`[graph] reference`", "found no checkpoint of step 200"]);
}

#[test]
fn a_mask_of_infinities_that_never_changes_is_no_fault() {
    // Attention keeps such buffers: zero where a place may be looked at, minus infinity where not.
    let mut zoo = Zoo::new("mlp", "dynamo.onnx");
    for step in [0, 40, 200] {
        zoo.change(step, |tensors| {
            let mask = Stored::f32(&[2, 2], &[0.0, f32::NEG_INFINITY, 0.0, 0.0]);
            tensors.insert("attention.mask".to_owned(), mask);
        });
    }
    zoo.bind = "unused = [\"*.mask\"]".to_owned();
    zoo.proven();
    zoo.bind = String::new();
    assert_eq!(strings(&zoo.proven()["leftovers"], "tensor"), ["attention.mask"]);
    assert!(zoo.rows(0).iter().all(|row| row["loss"].is_f64()));
}

#[test]
fn weights_that_the_pipeline_file_calls_constants_are_told_by_the_records() {
    let mut zoo = Zoo::new("mlp", "dynamo.onnx");
    zoo.bind = "constants = [\"fc2.weight\"]".to_owned();
    zoo.refused(&["tensor `fc2.weight`", "found no initializer of the graph that takes it"]);
    zoo.bind = "constants = [\"fc2.weight\"]\nunused = [\"fc2.weight\"]".to_owned();
    let said = zoo.doubted(&["2 of 3 records differ", ": steps 0, 40"]);
    assert_eq!(strings(&said["constants"], "initializer"), ["fc2.weight"]);
}

#[test]
fn a_tied_tensor_that_one_checkpoint_lacks_fails_there() {
    let mut zoo = Zoo::new("shared", "dynamo.onnx");
    zoo.recorded = None;
    zoo.proven();
    zoo.change(40, |tensors| drop(tensors.remove("emb.weight")));
    let rows = zoo.rows(1);
    contains_all(rows[1]["error"].as_str().unwrap_or_default(), &["step-000040.safetensors`", "`emb.weight`"]);
}
