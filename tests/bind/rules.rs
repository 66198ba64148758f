//! Rules of the pipeline file: written by `bind --write`, or by hand.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::common::contains_all;
use crate::zoo::{Zoo, proven};

/// Who feeds whom.
pub(crate) fn feeds(said: &Value) -> BTreeMap<String, Value> {
    let feeds = said["feeds"].as_array().unwrap().iter();
    feeds.map(|feed| (feed["initializer"].as_str().unwrap().to_owned(), feed["recipe"].clone())).collect()
}

fn read(zoo: &Zoo) -> String {
    fs::read_to_string(zoo.pipeline()).unwrap()
}

/// Writes a binding into the pipeline file, and checks that it is found again, there and in the same words.
fn check_written(archive: &str, export: &str, step: u64) {
    let name = format!("{archive}/{export}");
    let mut zoo = Zoo::new(archive, export);
    if archive == "keras-torch" {
        "[\"178\"]".clone_into(&mut zoo.taps);
    }
    // Without a reference, the one that was found is written, too.
    zoo.reference = None;
    "# A second head would be listed here.\nunused = [] # none".clone_into(&mut zoo.bind);
    let before = zoo.proven();
    let text = zoo.text();
    zoo.again("bind", &["--write", "--quiet"]).success();
    let written = read(&zoo);
    for line in text.lines().filter(|line| !line.is_empty()) {
        assert!(written.contains(line), "{name}: `{line}` is missing in {written}");
    }
    contains_all(&written, &["[graph.bind]\n", "rules = [\n", &format!("reference = {{ step = {step} }}\n")]);
    let after = proven(zoo.again("bind", &["--json"]));
    assert_eq!(feeds(&after), feeds(&before), "{name}");
    for feed in after["feeds"].as_array().unwrap() {
        assert_eq!(feed["evidence"], "rule-and-value", "{name}");
    }
    let plan = zoo.again("check", &[]).success();
    assert_eq!(plan.matches(" (rule and value)").count(), feeds(&before).len(), "{name}: {plan}");
    // Written again, the file stays what it is.
    zoo.again("bind", &["--write", "--quiet"]).success();
    assert_eq!(read(&zoo), written, "{name}");
}

#[test]
fn a_written_binding_is_found_again_and_comments_stay() {
    for (archive, export, step) in [
        ("mlp", "dynamo.onnx", 200),
        // Folds into weights, biases and bare factors.
        ("conv-bn", "dynamo.onnx", 200),
        ("keras-torch", "keras.onnx", 200),
        // Parts, joined and reordered.
        ("lstm", "dynamo.onnx", 200),
        ("hf-transformer", "dynamo.onnx", 200),
        ("flax-attention", "jax2onnx.onnx", 200),
        ("shared", "torchscript.onnx", 200),
    ] {
        check_written(archive, export, step);
    }
}

#[test]
fn a_written_binding_that_restores_biases_is_found_again() {
    check_written("conv-bn", "dynamo-initial.onnx", 0);
}

#[test]
fn a_written_binding_that_splits_merged_weights_is_found_again() {
    for (archive, export) in [
        ("transformer", "torchscript-initial.onnx"),
        ("mlp", "dynamo-initial.onnx"),
        ("transformer", "dynamo-initial.onnx"),
    ] {
        check_written(archive, export, 0);
    }
}

#[test]
fn rules_are_written_into_an_inline_table_and_between_comments() {
    let zoo = Zoo::new("mlp", "dynamo.onnx");
    for (from, to) in [
        ("\n[samples]", "\n# Exceptions of\n[graph.bind] # the binding\nconstants = []\n\n# Digits.\n[samples]"),
        ("\n[samples]", "bind = { constants = [] }\n\n[samples] # of digits"),
        // A table at the end of the file.
        ("\n[table]", "\n[table] # last\nfolder = \"results\"\n\n[graph.bind]\nconstants = [] # none\n"),
    ] {
        let text = zoo.text().replace(from, to);
        let text = text.strip_suffix("folder = \"results\"\n").filter(|_| from == "\n[table]").unwrap_or(&text);
        fs::write(zoo.pipeline(), text).unwrap();
        let before = proven(zoo.again("bind", &["--json"]));
        zoo.again("bind", &["--write", "--quiet"]).success();
        let written = read(&zoo);
        for comment in text.lines().filter_map(|line| line.find('#').map(|place| &line[place..])) {
            assert!(written.contains(comment), "`{comment}` is missing in {written}");
        }
        contains_all(&written, &["constants = []", "rules = ["]);
        let after = proven(zoo.again("bind", &["--json"]));
        assert_eq!(feeds(&after), feeds(&before));
        assert!(
            after["feeds"].as_array().unwrap().iter().all(|feed| feed["evidence"] == "rule-and-value"),
            "{written}"
        );
    }
}

#[test]
fn rules_that_exchange_equal_weights_are_told_by_the_records() {
    // At step 0 both scales are one: no value can tell.
    let mut zoo = Zoo::new("mlp", "dynamo-initial.onnx");
    zoo.reference = Some("{ step = 0 }".to_owned());
    zoo.command("bind", &["--write"]).success();
    let written = read(&zoo);
    let exchanged = written
        .replace("\"ln1.weight\"", "\"another\"")
        .replace("\"ln2.weight\"", "\"ln1.weight\"")
        .replace("\"another\"", "\"ln2.weight\"");
    assert_ne!(exchanged, written);
    fs::write(zoo.pipeline(), exchanged).unwrap();
    let outcome = zoo.again("bind", &[]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    contains_all(&outcome.out, &["verdict: NOT PROVEN", "2 of 3 records differ", ": steps 40, 200"]);
}

#[test]
fn a_refused_binding_writes_no_rules() {
    let mut zoo = Zoo::new("mlp", "dynamo.onnx");
    zoo.reference = Some("{ step = 40 }".to_owned());
    zoo.command("bind", &["--write"]).refused(&["step-000040.safetensors`"]);
    assert_eq!(read(&zoo), zoo.text());
}

#[test]
fn a_wrong_rule_is_refused() {
    let zoo = Zoo::new("mlp", "dynamo.onnx");
    zoo.command("bind", &["--write"]).success();
    let right = read(&zoo);
    let wrong = |from: &str, to: &str, words: &[&str]| {
        assert_eq!(right.matches(from).count(), 1, "{from}: {right}");
        fs::write(zoo.pipeline(), right.replace(from, to)).unwrap();
        for name in ["bind", "check", "run"] {
            zoo.again(name, &[]).refused(words);
        }
    };
    let rule = |tensor: &str| format!("{{ tensor = {{ name = \"{tensor}\" }} }}");
    // Another layer of the same shape.
    wrong(
        &rule("fc2.weight"),
        &rule("fc3.weight"),
        &[
            "step-000200.safetensors`",
            "initializer `fc2.weight`: its rule gives `fc3.weight`",
            "differs by up to",
            "correct the rule",
        ],
    );
    wrong(
        &rule("fc2.weight"),
        &rule("fc9.weight"),
        &["`fc2.weight`", "no tensor of this name", "`fc9.weight`", "correct the rule"],
    );
    wrong(
        &rule("fc2.weight"),
        "{ tensor = { name = \"fc2.weight\", axes = [1, 0] } }",
        &["initializer `fc2.weight`: its rule gives `fc2.weight, transposed`", "correct the rule"],
    );
    wrong(&rule("fc1.weight"), &rule("fc2.weight"), &["`fc1.weight`", "found", "needed", "correct the rule"]);
    wrong("'fc2\\.weight'", "'fc2\\.(weight'", &["`[graph.bind] rules`", "fc2\\.(weight", "unclosed group"]);
}

#[test]
fn a_rule_that_feeds_a_weight_from_elsewhere_leaves_its_tensor_over() {
    // Two norms of the same scale: the rule names the wrong one, and the value cannot tell.
    let mut zoo = Zoo::new("mlp", "dynamo-initial.onnx");
    zoo.reference = Some("{ step = 0 }".to_owned());
    zoo.bind =
        "rules = [{ initializer = \"ln1\\\\.weight\", from = { tensor = { name = \"ln2.weight\" } } }]".to_owned();
    // The bias beside it follows the weight, and so is left over, too; it comes first in the order of names.
    zoo.refused(&["tensor `ln1.bias`", "found no initializer of the graph that takes it"]);
}
