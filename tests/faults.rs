//! Bad input, one test each: one line that says what is wrong and what to do, and the right exit code.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use common::{
    Archive, EVERY_KIND, Outcome, Scene, Stored, Tensors, files, library, npy_f32, npy_i64, parts, program,
    read_tensors, script, shard_name, start_until_first_part, walk, write_sharded, write_tensors,
};
use infoplane::archive::Weights;
use tempfile::TempDir;

// Checkpoints.

/// The hash of all tensors.
fn hash(weights: &Weights) -> String {
    weights.hash(weights.tensors().map(|tensor| tensor.name)).unwrap()
}

#[test]
fn a_missing_folder_is_refused() {
    let mut scene = Scene::digits();
    scene.checkpoints = "nowhere".to_owned();
    scene.run(&[]).refused(&["nowhere`", "found no safetensors checkpoint", "`checkpoints` must be a folder, a glob"]);
    assert!(!scene.results().exists(), "nothing is written before the plan stands");
}

#[test]
fn an_empty_folder_is_refused() {
    let mut scene = Scene::digits();
    fs::create_dir(scene.path("empty")).unwrap();
    scene.checkpoints = "empty".to_owned();
    scene.run(&[]).refused(&["empty`", "found no safetensors checkpoint"]);
    scene.checkpoints = "archive/epoch-*.safetensors".to_owned();
    scene.run(&[]).refused(&["archive/epoch-*.safetensors`", "found no safetensors checkpoint"]);
}

#[test]
fn a_truncated_checkpoint_fails_alone() {
    let scene = Scene::digits();
    let path = scene.checkpoint(1);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    scene.run(&[]).warned(&[
        "step-000001.safetensors`",
        "not a valid safetensors file",
        "copy or save the checkpoint again",
    ]);
    scene.only_failed(1, &["step-000001.safetensors", "not a valid safetensors file"]);
}

#[test]
fn an_empty_checkpoint_file_fails_alone() {
    let scene = Scene::digits();
    fs::write(scene.checkpoint(1), b"").unwrap();
    scene.run(&[]).warned(&["step-000001.safetensors`", "copy or save the checkpoint again"]);
    scene.only_failed(1, &["step-000001.safetensors"]);
}

#[test]
fn a_truncated_reference_is_refused() {
    let scene = Scene::digits();
    let path = scene.checkpoint(4000);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..1000]).unwrap();
    scene.run(&[]).stopped(65, &["step-004000.safetensors`", "not a valid safetensors file"]);
}

#[test]
fn a_repaired_checkpoint_is_measured_on_the_next_run() {
    let scene = Scene::digits();
    let path = scene.checkpoint(1);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    scene.run(&[]).warned(&["step-000001.safetensors"]);
    // As long as it is broken, a rerun says so again.
    scene.run(&[]).warned(&["step-000001.safetensors"]);
    fs::write(&path, whole).unwrap();
    // The one after is compared with it, and so is measured again, too.
    assert!(scene.run(&[]).success().contains("2 checkpoints measured, 1 kept"));
    let other = Scene::digits();
    other.run(&[]).success();
    assert_eq!(parts(&scene.results()), parts(&other.results()));
}

#[test]
fn a_flipped_bit_in_the_header_fails_alone() {
    let scene = Scene::digits();
    let path = scene.checkpoint(1);
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.windows(11).position(|window| window == b"conv1.bias\"").unwrap();
    bytes[place] ^= 1;
    fs::write(&path, bytes).unwrap();
    scene.run(&[]).warned(&["step-000001.safetensors", "tensor `bonv1.bias`", "found", "needed"]);
    scene.only_failed(1, &["bonv1.bias"]);
}

#[test]
fn no_flipped_bit_of_a_header_is_read_as_the_same_weights_or_panics() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("step-1.safetensors");
    let tensors = Tensors::from([
        ("a".to_owned(), Stored::f32(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        ("b".to_owned(), Stored::f32(&[1], &[7.0])),
    ]);
    write_tensors(&path, &tensors, None);
    let whole = fs::read(&path).unwrap();
    let header = 8 + usize::try_from(u64::from_le_bytes(whole[..8].try_into().unwrap())).unwrap();
    // Spaces pad the header: there a flip is only seen where it leaves no space.
    let meaningful = whole[..header].iter().rposition(|&byte| byte == b'}').unwrap() + 1;
    let content = |weights: &Weights| -> Vec<String> {
        weights.tensors().map(|tensor| format!("{} {} {:?}", tensor.name, tensor.type_name(), tensor.shape)).collect()
    };
    let (right, right_hash) = Weights::open(&path).map(|weights| (content(&weights), hash(&weights))).unwrap();
    let mut refused = 0;
    for bit in 0..8 * meaningful {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, flipped).unwrap();
        match Weights::open(&path) {
            Err(_) => refused += 1,
            Ok(weights) => {
                let harmless = content(&weights) == right && hash(&weights) == right_hash;
                assert!(!harmless, "bit {bit} changed nothing");
            }
        }
    }
    assert!(refused > 4 * meaningful, "only {refused} of {} flips were refused", 8 * meaningful);
}

#[test]
fn a_header_that_claims_more_than_the_file_holds_fails_alone() {
    // The length of the header itself.
    for length in [u64::MAX, 1 << 40, 99_999] {
        let scene = Scene::digits();
        let path = scene.checkpoint(1);
        let mut bytes = fs::read(&path).unwrap();
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        scene.run(&[]).warned(&["step-000001.safetensors`", "not a valid safetensors file"]);
    }
    // The tensors in it.
    let scene = Scene::digits();
    let header = br#"{"conv1.bias":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4000000]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 400]].concat();
    fs::write(scene.checkpoint(1), bytes).unwrap();
    scene.run(&[]).warned(&["step-000001.safetensors`", "not a valid safetensors file"]);
    scene.only_failed(1, &["step-000001.safetensors"]);
}

/// A scene whose step 1 is a folder of shards.
fn sharded() -> Scene {
    let scene = Scene::digits();
    let (tensors, _) = read_tensors(&scene.checkpoint(1));
    fs::remove_file(scene.checkpoint(1)).unwrap();
    write_sharded(&scene.path("archive/checkpoint-1"), &tensors);
    scene
}

#[test]
fn an_index_that_points_nowhere_fails_alone() {
    let scene = sharded();
    fs::remove_file(scene.path("archive/checkpoint-1").join(shard_name(1))).unwrap();
    let words = [
        "model.safetensors.index.json`",
        "tensor `conv1.weight`",
        &shard_name(1),
        "is not there",
        "copy the missing shard",
    ];
    scene.run(&[]).warned(&words);
    scene.only_failed(1, &words);
}

#[test]
fn an_index_that_names_a_tensor_its_shard_lacks_fails_alone() {
    let scene = sharded();
    let path = scene.path("archive/checkpoint-1/model.safetensors.index.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace(
            &format!("\"conv1.bias\":\"{}\"", shard_name(0)),
            &format!("\"conv1.bias\":\"{}\"", shard_name(1)),
        ),
    )
    .unwrap();
    scene.run(&[]).warned(&["model.safetensors.index.json`", &shard_name(1), "`conv1.bias`"]);
    scene.only_failed(1, &["conv1.bias"]);
}

#[test]
fn an_index_that_leads_out_of_its_folder_fails_alone() {
    let scene = sharded();
    let path = scene.path("archive/checkpoint-1/model.safetensors.index.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(&shard_name(1), "../step-000000.safetensors")).unwrap();
    scene.run(&[]).warned(&[
        "model.safetensors.index.json`",
        "../step-000000.safetensors",
        "needed a file in the index's own folder",
    ]);
}

#[test]
fn an_index_that_is_no_index_fails_alone() {
    let scene = sharded();
    fs::write(scene.path("archive/checkpoint-1/model.safetensors.index.json"), "{\"weights\": 3}").unwrap();
    scene.run(&[]).warned(&["model.safetensors.index.json`", "`weight_map`"]);
}

#[test]
fn a_stale_tensor_that_the_weight_map_does_not_name_is_not_taken() {
    let scene = sharded();
    let right = sharded();
    right.run(&[]).success();
    // The first shard's tensor also lies, with another value and shape, in the second one, and the reverse.
    for (holder, name) in [(1, "conv1.bias"), (0, "conv1.weight")] {
        let path = scene.path("archive/checkpoint-1").join(shard_name(holder));
        let (mut tensors, metadata) = read_tensors(&path);
        assert!(tensors.insert(name.to_owned(), Stored::f32(&[3], &[9.0, 9.0, 9.0])).is_none());
        write_tensors(&path, &tensors, metadata);
    }
    scene.run(&[]).success();
    assert_eq!(parts(&scene.results()), parts(&right.results()));
}

#[test]
fn nan_and_infinite_weights_fail_alone() {
    for (value, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let scene = Scene::digits();
        scene.change(1, |tensors| {
            let bias = tensors.get_mut("fc2.bias").unwrap();
            bias.bytes[12..16].copy_from_slice(&value.to_le_bytes());
        });
        let found = format!("holds {word} at element 3");
        let words = ["step-000001.safetensors`", "tensor `fc2.bias`", &found, "needed finite values"];
        let outcome = scene.run(&[]);
        outcome.warned(&words);
        // One measurement and the checkpoint itself.
        assert!(
            outcome.out.contains("3 checkpoints measured, 0 kept from before, 2 rows without a value"),
            "{}",
            outcome.out
        );
        scene.only_failed(1, &words);
        // The rows are kept, and so is the exit code.
        let again = scene.run(&[]);
        assert_eq!((outcome.code, again.code), (Some(65), Some(65)), "{again:?}");
        assert!(again.out.contains("2 rows without a value"), "{again:?}");
    }
}

#[test]
fn a_value_that_overflows_the_graphs_type_fails_alone() {
    let scene = Scene::digits();
    scene.change(1, |tensors| {
        let bias = tensors.get_mut("fc2.bias").unwrap();
        *bias = bias.map(safetensors::Dtype::F64, |value| (f64::from(value) + 1e300).to_le_bytes());
    });
    scene.run(&[]).warned(&["step-000001.safetensors`", "tensor `fc2.bias`", "inf", "F32"]);
    scene.only_failed(1, &["fc2.bias"]);
}

#[test]
fn integers_in_place_of_a_weight_fail_alone() {
    let scene = Scene::digits();
    scene.change(1, |tensors| tensors.get_mut("fc2.bias").unwrap().dtype = safetensors::Dtype::I32);
    scene.run(&[]).warned(&["step-000001.safetensors`", "tensor `fc2.bias`", "found type I32", "needed floats"]);
    scene.only_failed(1, &["fc2.bias"]);
}

#[test]
fn a_tensor_of_the_wrong_shape_fails_alone() {
    let scene = Scene::digits();
    scene.change(1, |tensors| tensors.get_mut("fc1.weight").unwrap().shape = vec![192, 24]);
    let words = ["step-000001.safetensors`", "tensor `fc1.weight`", "found shape [192, 24]", "needed shape [24, 192]"];
    scene.run(&[]).warned(&words);
    scene.only_failed(1, &words);
}

#[test]
fn a_missing_tensor_fails_alone() {
    let scene = Scene::digits();
    scene.change(1, |tensors| drop(tensors.remove("conv2.bias").unwrap()));
    let words = ["step-000001.safetensors`", "tensor `conv2.bias`", "found none", "needed shape [12]"];
    scene.run(&[]).warned(&words);
    scene.only_failed(1, &words);
}

#[test]
fn an_extra_tensor_fails_alone() {
    let scene = Scene::digits();
    scene.change(1, |tensors| drop(tensors.insert("fc3.bias".to_owned(), Stored::f32(&[2], &[0.0, 1.0]))));
    let words = ["step-000001.safetensors`", "tensor `fc3.bias`", "no tensor of this name, as in the reference"];
    scene.run(&[]).warned(&words);
    scene.only_failed(1, &words);
}

#[test]
fn a_tensor_that_the_graph_has_no_use_for_is_refused() {
    let scene = Scene::digits();
    for (step, value) in [(0, 0.0), (1, 0.5), (4000, 2.0)] {
        scene.change(step, |tensors| drop(tensors.insert("fc3.bias".to_owned(), Stored::f32(&[2], &[value, 1.0]))));
    }
    scene.run(&[]).refused(&["step-004000.safetensors`", "tensor `fc3.bias`", "shape [2]", "`[graph.bind] unused`"]);
}

#[test]
fn duplicate_steps_are_refused() {
    let scene = Scene::digits();
    fs::copy(scene.checkpoint(1), scene.path("archive/ckpt-1.safetensors")).unwrap();
    scene.run(&[]).refused(&[
        "`ckpt-1.safetensors`",
        "`step-000001.safetensors`",
        "found step 1 in both",
        "narrow `checkpoints`",
    ]);
}

#[test]
fn a_name_without_a_step_is_refused() {
    let scene = Scene::digits();
    let (tensors, _) = read_tensors(&scene.checkpoint(1));
    write_tensors(&scene.path("archive/final.safetensors"), &tensors, None);
    scene.run(&[]).refused(&["`final.safetensors`", "found no training step", "metadata key `step`"]);
}

#[test]
fn a_name_that_contradicts_the_metadata_fails_alone() {
    let scene = Scene::digits();
    fs::rename(scene.checkpoint(1), scene.checkpoint(2)).unwrap();
    let words = ["`step-000002.safetensors`", "found step 2 in its name and step 1 in its metadata", "step-from"];
    scene.run(&[]).warned(&words);
    scene.only_failed(2, &words);
}

#[test]
fn a_selection_without_checkpoints_is_refused() {
    let mut scene = Scene::digits();
    scene.steps = "{ range = [5, 50] }".to_owned();
    scene.run(&[]).refused(&["`steps`", "range = [5, 50]", "none of the 3 checkpoints", "from 0 to 4000"]);
}

// The graph.

#[test]
fn an_unknown_tap_is_refused() {
    let mut scene = Scene::digits();
    scene.taps = "[\"logits\", \"conv1_akt\"]".to_owned();
    scene.run(&[]).refused(&["`taps`", "`conv1_akt`", "nearest names: `conv1_act`", "infoplane inspect"]);
}

#[test]
fn a_tap_that_holds_no_activations_is_refused() {
    let mut scene = Scene::digits();
    scene.taps = "[\"val_0\"]".to_owned();
    scene.run(&[]).refused(&["tap `val_0`", "int64", "needed"]);
}

/// A scene whose graph has other bytes.
fn with_model(archive: Archive, change: impl FnOnce(&mut Vec<u8>)) -> Scene {
    let mut scene = Scene::new(archive, &[0, 4000]);
    let mut bytes = fs::read(&scene.model).unwrap();
    change(&mut bytes);
    fs::write(scene.path("model.onnx"), bytes).unwrap();
    scene.model = String::from("model.onnx");
    scene
}

fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let places: Vec<usize> = (0..=bytes.len() - old.len()).filter(|&place| bytes[place..].starts_with(old)).collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place..place + old.len()].copy_from_slice(new);
    }
}

#[test]
fn an_operator_that_the_runtime_lacks_is_refused() {
    let scene = with_model(Archive::Digits, |bytes| replace(bytes, b"Relu", b"Rexu"));
    scene.run(&[]).refused(&["model.onnx`", "ONNX Runtime", "refuses the graph", "Rexu"]);
    let scene = with_model(Archive::DigitsFlax, |bytes| replace(bytes, b"Tanh", b"Tanx"));
    scene.run(&[]).refused(&["model.onnx`", "refuses the graph", "Tanx"]);
}

#[test]
fn an_opset_that_the_runtime_lacks_is_refused() {
    let scene = with_model(Archive::Digits, |bytes| {
        // The model ends with `opset_import { domain: "", version: 20 }`.
        assert!(bytes.ends_with(b"\x42\x04\x0a\x00\x10\x14"));
        *bytes.last_mut().unwrap() = 99;
    });
    scene.run(&[]).refused(&["model.onnx`", "refuses the graph", "99"]);
}

#[test]
fn a_graph_that_is_cut_short_or_no_graph_is_refused() {
    let scene = with_model(Archive::Digits, |bytes| bytes.truncate(bytes.len() / 2));
    scene.run(&[]).refused(&["model.onnx`", "not a usable ONNX model", "export the model again"]);
    let scene = with_model(Archive::Digits, Vec::clear);
    scene.run(&[]).refused(&["model.onnx`", "not a usable ONNX model", "export the model again"]);
    let mut scene = Scene::digits();
    scene.model = "nowhere.onnx".to_owned();
    scene.run(&[]).refused(&["nowhere.onnx`", "cannot read"]);
}

#[test]
fn a_graph_with_the_right_names_and_other_values_is_refused() {
    // The graph was exported from the last checkpoint.
    let mut scene = Scene::digits();
    scene.reference = "\"first\"".to_owned();
    scene.run(&[]).refused(&[
        "`step-000000.safetensors`",
        "tensor `conv1.weight`",
        "found another value than the graph's initializer of the same name",
        "needed equal values",
        "`[graph] reference`",
    ]);
    assert!(!scene.results().exists());
    // The same when nobody says which it was exported from and it is not there.
    fs::remove_file(scene.checkpoint(4000)).unwrap();
    fs::write(scene.path("pipeline.toml"), scene.text().replace("reference = \"first\"\n", "")).unwrap();
    let pipeline = scene.path("pipeline.toml");
    common::infoplane(["run".as_ref(), pipeline.as_os_str()])
        .refused(&["no checkpoint of the archive has the weights", "conv1.weight"]);
}

#[test]
fn a_graph_with_other_names_and_other_values_is_refused() {
    let mut scene = Scene::new(Archive::DigitsFlax, &[0, 4000]);
    scene.reference = "\"first\"".to_owned();
    scene.run(&[]).refused(&[
        "`step-000000.safetensors`",
        "initializer `const_0`",
        "shape [64, 48]",
        "found no tensor",
        "needed one",
    ]);
}

#[test]
fn two_weights_swapped_in_the_graph_are_not_bound_by_their_names() {
    // Biases of one shape under each other's names: every name and shape is right, no value is.
    let scene = Scene::digits();
    for step in [0, 1, 4000] {
        scene.change(step, |tensors| {
            let mut values = tensors["fc1.bias"].singles();
            values.reverse();
            tensors.insert("fc1.bias".to_owned(), Stored::f32(&[24], &values));
        });
    }
    scene.run(&[]).refused(&["`step-004000.safetensors`", "tensor `fc1.bias`", "found another value"]);
}

#[test]
fn a_reference_that_is_not_there_is_refused() {
    let mut scene = Scene::digits();
    scene.reference = "{ step = 77 }".to_owned();
    scene.run(&[]).refused(&["`[graph] reference`", "step 77"]);
    scene.reference = "{ file = \"nowhere.safetensors\" }".to_owned();
    scene.run(&[]).refused(&["nowhere.safetensors`", "cannot read"]);
}

// Samples.

/// A scene with other inputs.
fn with_inputs(bytes: Vec<u8>) -> Scene {
    let mut scene = Scene::digits();
    fs::write(scene.path("inputs.npy"), bytes).unwrap();
    scene.inputs = String::from("\"inputs.npy\"");
    scene
}

#[test]
fn inputs_of_the_wrong_rank_or_shape_are_refused() {
    let scene = with_inputs(npy_f32(&[1000, 64], &vec![0.5; 64_000]));
    scene.run(&[]).refused(&[
        "input `input`",
        "inputs.npy` of shape [1000, 64]",
        "needed shape [?, 1, 8, 8]",
        "reshape the array",
    ]);
    let scene = with_inputs(npy_f32(&[1000, 1, 8, 9], &vec![0.5; 72_000]));
    scene.run(&[]).refused(&["input `input`", "inputs.npy` of shape [1000, 1, 8, 9]", "needed shape [?, 1, 8, 8]"]);
}

#[test]
fn inputs_of_the_wrong_type_are_refused() {
    let scene = with_inputs(npy_i64(&[1000, 1, 8, 8], &vec![1; 64_000]));
    scene.run(&[]).refused(&["input", "inputs.npy`", "int64", "needed"]);
    // Also where no measure looks at the inputs as numbers.
    let mut scene = with_inputs(npy_i64(&[1000, 1, 8, 8], &vec![1; 64_000]));
    scene.measures.clear();
    scene.run(&[]).refused(&["input `input`", "inputs.npy` of type int64", "needed float32", "astype"]);
}

#[test]
fn inputs_that_are_not_finite_are_refused() {
    let mut values = vec![0.5; 64_000];
    values[3 * 64 + 5] = f32::NAN;
    with_inputs(npy_f32(&[1000, 1, 8, 8], &values)).run(&[]).refused(&[
        "inputs.npy`",
        "in row 3",
        "needed finite inputs",
    ]);
}

#[test]
fn inputs_that_are_cut_short_or_no_array_are_refused() {
    let mut bytes = npy_f32(&[1000, 1, 8, 8], &vec![0.5; 64_000]);
    bytes.truncate(100_000);
    with_inputs(bytes).run(&[]).refused(&["inputs.npy`", "needed the 256000 of shape [1000, 1, 8, 8]", "cut short"]);
    with_inputs(b"hello".to_vec()).run(&[]).refused(&["inputs.npy`", "not a valid .npy file", "numpy.save"]);
    let mut scene = Scene::digits();
    scene.inputs = "\"nowhere.npy\"".to_owned();
    scene.run(&[]).refused(&["nowhere.npy`", "cannot read"]);
}

#[test]
fn labels_of_another_length_are_refused() {
    let mut scene = Scene::digits();
    fs::write(scene.path("labels.npy"), npy_i64(&[999], &[1; 999])).unwrap();
    scene.labels = "{ digit = \"labels.npy\" }".to_owned();
    scene.run(&[]).refused(&["labels.npy`", "found 999 rows", "needed the 1000 of", "inputs.npy`"]);
}

#[test]
fn labels_that_are_no_integers_are_refused() {
    let mut scene = Scene::digits();
    fs::write(scene.path("labels.npy"), npy_f32(&[1000], &[1.0; 1000])).unwrap();
    scene.labels = "{ digit = \"labels.npy\" }".to_owned();
    scene.run(&[]).refused(&["`digit`", "floating-point values that are all whole", "kind = \"classes\""]);
    fs::write(scene.path("labels.npy"), npy_i64(&[500, 2], &[1; 1000])).unwrap();
    scene.run(&[]).refused(&["labels.npy`", "found 500 rows"]);
    fs::write(scene.path("labels.npy"), npy_i64(&[1000, 2], &[1; 2000])).unwrap();
    scene.run(&[]).refused(&["labels.npy`", "found shape [1000, 2]", "needed one label a sample"]);
}

#[test]
fn ids_that_occur_twice_are_refused() {
    let mut scene = Scene::digits();
    let mut ids: Vec<i64> = (0..1000).collect();
    ids[999] = 7;
    fs::write(scene.path("ids.npy"), npy_i64(&[1000], &ids)).unwrap();
    scene.ids = "\"ids.npy\"".to_owned();
    scene.run(&[]).refused(&["ids.npy`", "found id 7 twice"]);
}

#[test]
fn a_label_that_is_no_class_of_the_output_leaves_the_loss_empty_and_says_so() {
    let mut scene = Scene::digits();
    let labels: Vec<i64> = (0..1000).map(|row| row % 11).collect();
    fs::write(scene.path("labels.npy"), npy_i64(&[1000], &labels)).unwrap();
    scene.labels = "{ digit = \"labels.npy\" }".to_owned();
    // Where nobody asked for this loss, the other numbers are still worth having.
    let outcome = scene.run(&[]);
    assert!(outcome.err.contains("loss         none: label `digit` runs from 0 to 10"), "{outcome:?}");
    outcome.success();
    for row in scene.query("SELECT loss, accuracy FROM checkpoints") {
        assert!(row["loss"].is_null() && row["accuracy"].is_null(), "{row}");
    }
    // Where the pipeline file names it, it is an error.
    scene.replay = "loss = { of = { label = \"digit\" } }".to_owned();
    scene.run(&[]).refused(&["`[replay] loss`", "`digit`", "from 0 to 10", "`logits`"]);
}

// The pipeline file.

#[test]
fn an_unknown_key_is_refused_with_line_and_column() {
    let scene = Scene::digits();
    let pipeline = scene.path("pipeline.toml");
    fs::write(&pipeline, scene.text().replace("\nids = ", "\nidz = ")).unwrap();
    let line = scene.text().lines().position(|line| line.starts_with("ids")).unwrap() + 1;
    let place = format!("line {line}, column 1");
    common::infoplane(["run".as_ref(), pipeline.as_os_str()]).refused(&["pipeline.toml`", &place, "`idz`", "`ids`"]);
}

#[test]
fn an_unknown_value_is_refused_with_line_and_column() {
    for (old, new, words) in [
        ("ross", "rots", &["line 24", "`rots`", "`ross`"][..]),
        ("neighbors = 3", "neighbours = 3", &["line 24", "`neighbours`", "`neighbors`"]),
        ("\"last\"", "\"latest\"", &["line 9", "`latest`", "`last`"]),
        ("seed = 1", "seed = \"one\"", &["line 1, column 8", "u64"]),
        ("seed = 1\n", "", &["`seed`"]),
        ("seed = 1", "seed = = 1", &["line 1, column"]),
    ] {
        let scene = Scene::digits();
        let pipeline = scene.path("pipeline.toml");
        assert!(scene.text().contains(old), "{old}");
        fs::write(&pipeline, scene.text().replace(old, new)).unwrap();
        common::infoplane(["check".as_ref(), pipeline.as_os_str()]).refused(&[&["pipeline.toml`"], words].concat());
    }
}

#[test]
fn a_missing_pipeline_file_is_refused() {
    common::infoplane(["run", "/nowhere/pipeline.toml"]).refused(&["`/nowhere/pipeline.toml`"]);
}

#[test]
fn a_measure_without_its_label_is_refused() {
    let mut scene = Scene::digits();
    scene.measures = "{ usable = { label = \"parity\", probe = { linear = {} } } }".to_owned();
    scene.run(&[]).refused(&["measure 1 (`usable`)", "`parity`", "needed one of: digit"]);
}

#[test]
fn an_estimator_for_the_wrong_kind_of_variable_is_refused() {
    let mut scene = Scene::digits();
    scene.measures = "{ information = { of = \"digit\", estimator = { ksg = { neighbors = 3 } } } }".to_owned();
    scene.run(&[]).refused(&["measure 1 (`information`)", "use `ross` for labels"]);
    scene.measures = "{ information = { of = \"input\", estimator = { ross = { neighbors = 3 } } } }".to_owned();
    scene.run(&[]).refused(&["measure 1 (`information`)", "use `ksg` or `gaussian` for the input"]);
}

#[test]
fn a_measure_that_stands_there_twice_is_refused() {
    let mut scene = Scene::digits();
    scene.measures = format!("{0}, {0}", common::ROSS);
    scene.run(&[]).refused(&["measure 2", "the same as measure 1"]);
}

// The result folder.

#[test]
fn a_folder_with_the_results_of_another_plan_is_refused_and_left_alone() {
    let mut scene = Scene::digits();
    scene.run(&[]).success();
    let before = files(&scene.results());
    scene.seed = 2;
    scene.run(&[]).refused(&["results`", "found the results of another run (plan ", "needed", "`--output`"]);
    assert_eq!(files(&scene.results()), before);
    let other = scene.path("elsewhere");
    scene.run(&["--output", other.to_str().unwrap()]).success();
    assert_eq!(files(&scene.results()), before);
    // Three of each checkpoint, and bindings, phases and lags.
    assert_eq!(parts(&other).len(), 3 * 3 + 3);
}

#[test]
fn a_folder_with_a_step_that_is_not_planned_is_refused() {
    let scene = Scene::digits();
    scene.run(&[]).success();
    fs::remove_file(scene.checkpoint(1)).unwrap();
    scene.run(&[]).refused(&["results`", "step 1", "which this run does not select", "delete `", "step=1`"]);
}

#[test]
fn a_file_where_the_result_folder_should_be_is_refused() {
    let scene = Scene::digits();
    fs::write(scene.results(), "mine").unwrap();
    scene.run(&[]).refused(&["results", "cannot write", "`--output`"]);
    assert_eq!(fs::read_to_string(scene.results()).unwrap(), "mine");
}

#[test]
fn a_query_on_a_folder_without_results_is_refused() {
    let scene = Scene::digits();
    let results = scene.results();
    common::infoplane(["query".as_ref(), results.as_os_str(), "SELECT 1".as_ref()])
        .refused(&["results`", "found no results"]);
    scene.run(&[]).success();
    let query = |sql: &str| common::infoplane(["query".as_ref(), results.as_os_str(), sql.as_ref()]);
    query("SELECT nothing FROM measurements").refused(&["cannot answer the query", "nothing"]);
    query("SELEKT 1").refused(&["cannot answer the query"]);
    query("SELECT * FROM layers").refused(&[
        "cannot answer the query",
        "`bindings`, `checkpoints`, `failures`",
        "`measurements`",
        "infoplane schema",
    ]);
}

#[test]
fn a_full_disk_leaves_only_whole_parts_and_the_next_run_goes_on() {
    let mut scene = Scene::digits();
    scene.taps = "[\"fc1_act\", \"logits\"]".to_owned();
    scene.measures = EVERY_KIND.to_owned();
    let whole = scene.path("whole");
    scene.run(&["--output", whole.to_str().unwrap()]).success();
    let sizes: Vec<usize> = parts(&whole).values().map(Vec::len).collect();
    let (smallest, largest) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
    let plan = files(&whole.join("work"))["plan.json"].len();
    // No room for the plan, for any part, and for the larger ones: the shell counts blocks of 512 bytes.
    for limit in [plan / 2, smallest.midpoint(plan), smallest.midpoint(*largest)] {
        let blocks = (limit / 512).to_string();
        let results = scene.path(&format!("results-{blocks}"));
        let shell = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
        let mut command = Command::new("sh");
        command
            .args(["-c", shell, "sh", &blocks])
            .arg(program())
            .arg("run")
            .arg(scene.write())
            .arg("--output")
            .arg(&results);
        let outcome = Outcome::of(command.env("ORT_DYLIB_PATH", library()));
        outcome.refused(&[&format!("results-{blocks}/"), "cannot write", "free some space"]);
        for (name, bytes) in parts(&results) {
            assert!(bytes.len() < limit, "{name}");
        }
        let left: Vec<_> =
            walk(&results.join("work")).into_iter().filter(|path| !path.ends_with("plan.json")).collect();
        assert!(left.is_empty(), "{left:?}");
        scene.run(&["--output", results.to_str().unwrap()]).success();
        assert_eq!(parts(&results), parts(&whole));
    }
}

// Signals.

/// A run of some seconds.
fn long_scene() -> Scene {
    let mut scene = Scene::new(Archive::Digits, &Archive::Digits.steps());
    scene.taps = String::from("[\"fc1_act\", \"logits\"]");
    scene.measures = String::from("{ usable = { label = \"digit\", probe = { linear = {} } } }");
    scene
}

/// The parts of a run that nobody stopped.
fn undisturbed() -> &'static std::collections::BTreeMap<String, Vec<u8>> {
    static PARTS: OnceLock<std::collections::BTreeMap<String, Vec<u8>>> = OnceLock::new();
    PARTS.get_or_init(|| {
        let scene = long_scene();
        scene.run(&[]).success();
        parts(&scene.results())
    })
}

fn interrupted(signal: &str, code: i32) {
    let scene = long_scene();
    let child = start_until_first_part(&mut scene.run_command(&["--threads", "2"]), &scene.results());
    let kill = ["-c", "kill -\"$1\" \"$2\"", "sh", signal, &child.id().to_string()];
    assert!(Command::new("sh").args(kill).status().unwrap().success());
    let outcome = Outcome::from(child.wait_with_output().unwrap());
    outcome.stopped(code, &["stopped by a signal", "of 28 checkpoints are done", "run the same command again"]);
    let early = parts(&scene.results());
    assert!(!early.is_empty() && early.len() < undisturbed().len(), "{} parts", early.len());
    let times = common::times(&scene.results().join("data"));
    let left: Vec<_> =
        walk(&scene.results().join("work")).into_iter().filter(|path| !path.ends_with("plan.json")).collect();
    assert!(left.is_empty(), "{left:?}");
    // As many are done as the message says, and the next run keeps them.
    let done = early.keys().filter(|name| name.starts_with("checkpoints/")).count();
    assert!(outcome.err.contains(&format!("; {done} of 28 checkpoints are done")), "{done} {}", outcome.err);
    let out = scene.run(&[]).success();
    assert!(out.contains(&format!("{} checkpoints measured, {done} kept from before", 28 - done)), "{out}");
    let later = parts(&scene.results());
    assert!(later == *undisturbed(), "other bytes than in one run");
    let now = common::times(&scene.results().join("data"));
    assert!(times.iter().all(|(name, time)| now[name] == *time), "a finished part was written again");
}

#[test]
fn sigint_keeps_finished_parts_and_the_next_run_goes_on() {
    interrupted("INT", 130);
}

#[test]
fn sigterm_keeps_finished_parts_and_the_next_run_goes_on() {
    interrupted("TERM", 75);
}

// Finding ONNX Runtime.

/// A machine with nothing on it but, perhaps, a `python3` that is a script.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new(python: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["bin", "home", "cache"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let machine = Self { folder };
        if let Some(python) = python {
            script(
                &machine.path("bin"),
                "python3",
                &format!("#!/bin/sh\ncase \"$1\" in -c) echo; exit 0;; esac\n{python}\n"),
            );
        }
        machine
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).arg("inspect").arg(Archive::DigitsFlax.folder().join("model.onnx"));
        command
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("HOME", self.path("home"))
            .env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    fn inspect(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(arguments))
    }

    fn cached(&self) -> Vec<String> {
        files(&self.path("cache")).into_keys().collect()
    }
}

#[test]
fn without_a_library_offline_says_where_it_looked() {
    let machine = Machine::new(Some("exit 1"));
    machine.inspect(&["--offline"]).refused(&[
        "cannot find ONNX Runtime",
        "ORT_DYLIB_PATH",
        "`--offline` forbids",
        "run once without",
    ]);
    assert!(walk(&machine.path("cache")).is_empty());
}

#[test]
fn without_pip_the_error_says_so() {
    for python in [None, Some("echo \"$0: No module named pip\" >&2; exit 1")] {
        let machine = Machine::new(python);
        let outcome = machine.inspect(&["--quiet"]);
        outcome.refused(&[
            "cannot find ONNX Runtime",
            "no pip",
            "install Python's pip",
            "`ORT_DYLIB_PATH`",
            "onnxruntime==1.28.0",
        ]);
        assert!(machine.cached().is_empty());
    }
}

#[test]
fn without_a_network_the_error_repeats_what_pip_says() {
    let machine = Machine::new(Some(
        "echo 'WARNING: Retrying after connection broken' >&2\n\
         echo 'ERROR: Could not find a version that satisfies the requirement onnxruntime' >&2\n\
         echo 'ERROR: No matching distribution found for onnxruntime' >&2\nexit 1",
    ));
    let outcome = machine.inspect(&[]);
    outcome.refused(&[
        "cannot find ONNX Runtime",
        "pip download onnxruntime==",
        "failed",
        "No matching distribution found",
        "check the network",
    ]);
    // That it tried is told in one line.
    let lines: Vec<&str> = outcome.err.lines().collect();
    assert_eq!(lines.len(), 2, "{outcome:?}");
    common::contains_all(lines[0], &["fetching ONNX Runtime", "with pip", machine.path("cache").to_str().unwrap()]);
    assert!(machine.cached().is_empty(), "{:?}", machine.cached());
}

/// Finds the folder that pip is asked to download to, and puts a file there.
const DELIVER: &str = "while [ $# -gt 0 ]; do if [ \"$1\" = --dest ]; then dest=$2; fi; shift; done\n\
                       echo altered > \"$dest/onnxruntime-1.28.0-cp312-cp312-any.whl\"";

#[test]
fn a_wheel_with_another_hash_is_refused_and_leaves_nothing() {
    let machine = Machine::new(Some(DELIVER));
    // The SHA-256 of "altered\n".
    let hash = "d731981a83e4bcc26d99b059001e4af100329756a8f45abe3cf840a896fd9326";
    let outcome = machine.inspect(&["--quiet"]);
    outcome.refused(&["cannot find ONNX Runtime", "pip delivered a wheel", hash, "needed ", "`ORT_DYLIB_PATH`"]);
    assert!(machine.cached().is_empty(), "{:?}", machine.cached());
}

#[test]
fn pip_that_delivers_nothing_is_refused() {
    let machine = Machine::new(Some("exit 0"));
    machine.inspect(&["--quiet"]).refused(&["cannot find ONNX Runtime", "delivered no wheel"]);
    assert!(machine.cached().is_empty());
}

#[test]
fn a_cache_that_cannot_be_written_is_refused() {
    let machine = Machine::new(Some("exit 0"));
    fs::remove_dir(machine.path("cache")).unwrap();
    fs::write(machine.path("cache"), "mine").unwrap();
    machine.inspect(&["--quiet"]).refused(&[
        "cannot find ONNX Runtime",
        "cannot write to the cache",
        "`XDG_CACHE_HOME`",
    ]);
}

#[test]
fn a_library_path_that_leads_nowhere_is_refused() {
    let machine = Machine::new(None);
    let outcome = Outcome::of(machine.command(&[]).env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so"));
    outcome.refused(&["`ORT_DYLIB_PATH`", "`/nowhere/libonnxruntime.so`", "not a file", "correct or unset it"]);
}

fn refused_library(path: &Path) -> Outcome {
    Outcome::of(Machine::new(None).command(&[]).env("ORT_DYLIB_PATH", path))
}

#[test]
fn a_file_that_is_no_library_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("libonnxruntime.so");
    fs::write(&path, "no library").unwrap();
    refused_library(&path).refused(&["libonnxruntime.so`", "cannot be used as ONNX Runtime", "1.22 or later"]);
}

#[test]
fn a_library_that_is_not_onnx_runtime_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = common::compile(
        folder.path(),
        "libonnxruntime.so",
        &["-shared", "-fPIC"],
        "int unrelated(void) { return 1; }\n",
    );
    refused_library(&path).refused(&["libonnxruntime.so`", "cannot be used as ONNX Runtime", "1.22 or later"]);
}

#[test]
fn a_library_of_an_older_version_is_refused() {
    let folder = TempDir::new().unwrap();
    let code = "#include <stddef.h>\n#include <stdint.h>\n\
        struct base { const void *(*api)(uint32_t); const char *(*version)(void); };\n\
        static const void *api(uint32_t version) { (void)version; return NULL; }\n\
        static const char *version(void) { return \"1.10.0\"; }\n\
        static const struct base BASE = { api, version };\n\
        const struct base *OrtGetApiBase(void) { return &BASE; }\n";
    let path = common::compile(folder.path(), "libonnxruntime.so", &["-shared", "-fPIC"], code);
    refused_library(&path).refused(&["libonnxruntime.so`", "cannot be used as ONNX Runtime", "1.10", "1.22 or later"]);
}

#[test]
fn the_library_of_a_virtual_environment_is_found() {
    let machine = Machine::new(None);
    let capi = machine.path("venv/lib/python3.12/site-packages/onnxruntime/capi");
    fs::create_dir_all(&capi).unwrap();
    std::os::unix::fs::symlink(library(), capi.join(library().file_name().unwrap())).unwrap();
    let found = Outcome::of(machine.command(&["--offline"]).env("VIRTUAL_ENV", machine.path("venv"))).success();
    assert!(found.contains("h1_pre"), "{found}");
}

#[test]
fn the_library_of_the_cache_is_found() {
    let machine = Machine::new(None);
    let folder = machine.path("cache/infoplane/onnxruntime-1.28.0");
    fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(library(), folder.join("libonnxruntime.so.1.28.0")).unwrap();
    machine.inspect(&["--offline"]).success();
}
