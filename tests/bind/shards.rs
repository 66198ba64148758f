//! Shards of another step, or of another network.

use std::fs;

use serde_json::Value;

use crate::common::{Tensors, contains_all, read_tensors, shard_name, write_tensors};
use crate::planted::{EXPORT, RECORDED};
use crate::zoo::{Zoo, flags};

#[test]
fn a_stale_shard_is_told_by_the_record() {
    for place in [0, 1] {
        let zoo = Zoo::new("hf-transformer", "dynamo.onnx");
        let shard = shard_name(place);
        fs::copy(zoo.path("zoo/checkpoint-0").join(&shard), zoo.path("zoo/checkpoint-40").join(&shard)).unwrap();
        zoo.doubted(&["1 of 3 records differ", ": steps 40"]);
        assert_eq!(flags(&zoo.rows(0)), [(0, vec![]), (40, vec![RECORDED]), (200, vec![])], "{shard}");
    }
}

#[test]
fn a_stale_shard_in_the_checkpoint_that_was_exported_is_refused() {
    for reference in [Some("{ step = 200 }".to_owned()), None] {
        for place in [0, 1] {
            let mut zoo = Zoo::new("hf-transformer", "dynamo.onnx");
            let shard = shard_name(place);
            fs::copy(zoo.path("zoo/checkpoint-40").join(&shard), zoo.path("zoo/checkpoint-200").join(&shard)).unwrap();
            zoo.reference.clone_from(&reference);
            zoo.refused(&["checkpoint-200/model.safetensors.index.json`", "initializer `", EXPORT]);
        }
    }
}

/// Renames the tensors of one shard of step 40, and in the index where asked.
fn renamed_shard(index_too: bool) -> (Zoo, String) {
    let zoo = Zoo::new("hf-transformer", "dynamo.onnx");
    let path = zoo.path("zoo/checkpoint-40").join(shard_name(1));
    let (tensors, metadata) = read_tensors(&path);
    let first = tensors.keys().next().unwrap().clone();
    let renamed = |name: &str| name.replacen("model.", "network.", 1);
    let tensors: Tensors = tensors.into_iter().map(|(name, stored)| (renamed(&name), stored)).collect();
    write_tensors(&path, &tensors, metadata);
    if index_too {
        let path = zoo.path("zoo/checkpoint-40/model.safetensors.index.json");
        let mut index: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let map = index["weight_map"].as_object().unwrap().clone();
        let rename = |(name, shard): (String, Value)| {
            if shard == shard_name(1) { (renamed(&name), shard) } else { (name, shard) }
        };
        index["weight_map"] = Value::Object(map.into_iter().map(rename).collect());
        fs::write(path, index.to_string()).unwrap();
    }
    (zoo, first)
}

#[test]
fn a_shard_of_another_network_fails_alone() {
    let (zoo, first) = renamed_shard(false);
    let rows = zoo.rows(65);
    contains_all(rows[1]["error"].as_str().unwrap(), &["model.safetensors.index.json`", &shard_name(1), &first]);
    let (zoo, _) = renamed_shard(true);
    let rows = zoo.rows(1);
    contains_all(
        rows[1]["error"].as_str().unwrap(),
        &[
            "checkpoint-40/model.safetensors.index.json`",
            "tensor `network.classifier.bias`",
            "as in the reference",
            "another network",
        ],
    );
    for step in [0, 2] {
        assert!(rows[step]["error"].is_null() && rows[step]["loss"].is_f64(), "{}", rows[step]);
    }
    zoo.doubted(&["1 of 3 records differ", ": steps 40"]);
}
