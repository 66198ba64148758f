//! The checkpoint that a graph was exported from: named, found by trying, outside of the archive, or none.

use std::fs;

use crate::common::contains_all;
use crate::exports::{check_run, scene};
use crate::zoo::{Zoo, as_recorded, flags};

#[test]
fn the_checkpoint_that_a_graph_was_exported_from_is_found_by_trying() {
    for (archive, export, reference) in [
        ("mlp", "dynamo.onnx", "step-000200.safetensors"),
        // Some of the weights are folded.
        ("conv-bn", "dynamo.onnx", "step-000200.safetensors"),
        // The first checkpoint, whose biases are all zero and were dropped or merged.
        ("conv-bn", "dynamo-initial.onnx", "step-000000.safetensors"),
        ("mlp", "dynamo-initial.onnx", "step-000000.safetensors"),
        ("transformer", "torchscript-initial.onnx", "step-000000.safetensors"),
        ("hf-transformer", "dynamo.onnx", "checkpoint-200/model.safetensors.index.json"),
        ("flax-conv", "jax2onnx.onnx", "step-000200.safetensors"),
    ] {
        let (mut zoo, _) = scene(archive, export);
        zoo.reference = None;
        assert_eq!(zoo.proven()["reference"], reference, "{archive}/{export}");
        check_run(export, &zoo, &[]);
    }
}

#[test]
fn a_checkpoint_in_the_middle_is_found_too_and_none_where_there_is_none() {
    let (mut zoo, _) = scene("mlp", "dynamo.onnx");
    zoo.reference = None;
    let [middle, last] = [40, 200].map(|step| zoo.tensors(step));
    let changes: Vec<(&[u8], &[u8])> =
        last.iter().map(|(name, stored)| (&stored.bytes[..], &middle[name].bytes[..])).collect();
    zoo.patch(&changes);
    assert_eq!(zoo.proven()["reference"], "step-000040.safetensors");
    fs::remove_file(zoo.checkpoint(40)).unwrap();
    zoo.refused(&[
        "no checkpoint of the archive has the weights that the graph holds",
        "the nearest is `step-000200.safetensors`",
        "`fc1.weight`",
        "torch.onnx.export(",
    ]);
}

#[test]
fn the_exported_checkpoint_may_lie_outside_of_the_archive() {
    let mut zoo = Zoo::new("conv-bn", "dynamo.onnx");
    fs::rename(zoo.checkpoint(200), zoo.path("exported.safetensors")).unwrap();
    zoo.reference = Some("{ file = \"exported.safetensors\" }".to_owned());
    let said = zoo.proven();
    assert_eq!(said["reference"], "exported.safetensors");
    assert_eq!(said["records"].as_array().unwrap().len(), 2);
    assert!(zoo.rows(0).iter().all(|row| row["flags"].as_array().unwrap().is_empty()));
    // The rules of it are found again, and the reference stays what it is.
    zoo.again("bind", &["--write", "--quiet"]).success();
    contains_all(&fs::read_to_string(zoo.pipeline()).unwrap(), &["reference = { file = \"exported.safetensors\" }"]);
    zoo.again("check", &[]).success();
}

/// An archive whose graph has the values of step 0: many biases are zero and many scales one there.
fn from_the_first_step(archive: &str, export: &str) -> Zoo {
    let (mut zoo, _) = scene(archive, export);
    let said = zoo.proven();
    let [first, last] = [0, 200].map(|step| zoo.tensors(step));
    let tensors: Vec<&str> =
        said["feeds"].as_array().unwrap().iter().map(|feed| feed["words"].as_str().unwrap()).collect();
    let changes: Vec<(&[u8], &[u8])> =
        tensors.iter().map(|name| (&last[*name].bytes[..], &first[*name].bytes[..])).collect();
    zoo.patch(&changes);
    zoo.reference = Some("\"first\"".to_owned());
    zoo
}

#[test]
fn equal_weights_of_an_untrained_network_find_their_own_tensors() {
    for (archive, export) in [
        ("mlp", "dynamo.onnx"),
        ("transformer", "dynamo-unoptimized.onnx"),
        ("mha", "torchscript-unfolded.onnx"),
        ("lstm", "torchscript-unfolded.onnx"),
        ("conv-bn", "dynamo-unoptimized.onnx"),
        // Nameless, but every tensor of zeros stands beside a weight of its own.
        ("flax-nnx", "jax2onnx.onnx"),
    ] {
        from_the_first_step(archive, export).proven();
    }
    external().proven();
}

#[test]
fn equal_weights_that_nothing_tells_apart_are_in_doubt() {
    // Initializers called `const_N` in nodes without modules, half of them zeros and ones: of the
    // normalizations nothing tells which is which.
    let mut zoo = from_the_first_step("keras-jax", "keras.onnx");
    zoo.recorded = None;
    let said = zoo.doubted(&["feeds are guesses"]);
    assert_eq!(said["proof"]["holds"], true, "{said}");
    for (step, flags) in flags(&zoo.rows(0)) {
        assert_eq!(flags, ["ambiguous-binding"], "step {step}");
    }
    // What the framework computed at the later checkpoints tells that the guess is wrong.
    from_the_first_step("keras-jax", "keras.onnx").doubted(&["2 of 3 records differ", "steps 40, 200"]);
}

/// The MLP whose values of step 0 lie in another file; its exporter keeps short ones in the graph.
fn external() -> Zoo {
    let (mut zoo, _) = scene("mlp", "external.onnx");
    let [first, last] = [0, 200].map(|step| zoo.tensors(step));
    let graph = fs::read(zoo.path(&zoo.model)).unwrap();
    let is_inside = |bytes: &[u8]| graph.windows(bytes.len()).any(|window| window == bytes);
    let changes = last.iter().map(|(name, stored)| (&stored.bytes[..], &first[name].bytes[..]));
    let (inside, outside): (Vec<_>, Vec<_>) = changes.partition(|(old, _)| is_inside(old));
    assert!(!outside.is_empty());
    zoo.patch(&inside);
    "zoo/external.onnx.data".clone_into(&mut zoo.model);
    zoo.patch(&outside);
    "zoo/external.onnx".clone_into(&mut zoo.model);
    zoo.reference = Some("\"first\"".to_owned());
    zoo
}

#[test]
fn stale_values_beside_a_graph_are_refused() {
    let mut zoo = external();
    zoo.reference = Some("\"last\"".to_owned());
    zoo.refused(&["step-000200.safetensors`", "tensor `fc1.weight`", "another value", "torch.onnx.export("]);
}

#[test]
fn values_that_are_cut_short_or_missing_beside_a_graph_are_refused_with_the_name_of_their_file() {
    let zoo = Zoo::new("mlp", "external.onnx");
    let data = zoo.path("zoo/external.onnx.data");
    let whole = fs::read(&data).unwrap();
    fs::write(&data, &whole[..whole.len() / 2]).unwrap();
    zoo.refused(&["external.onnx`", "tensor `fc1.weight`", "`external.onnx.data`", "cut short"]);
    fs::remove_file(&data).unwrap();
    zoo.refused(&["external.onnx.data"]);
}

#[test]
fn names_do_without_the_values_beside_a_graph() {
    let mut zoo = Zoo::new("mlp", "external.onnx");
    fs::remove_file(zoo.path("zoo/external.onnx.data")).unwrap();
    zoo.reference = Some("\"none\"".to_owned());
    as_recorded(&zoo.doubted(&["bound by names or rules only"]));
}
