//! What each checkpoint says of the one before it.

use std::fs;

use serde_json::{Value, json};

use crate::common::{contains_all, files, files_but_metrics};
use crate::zoo::{KSG, Zoo, flags};

/// Seven checkpoints of the MLP, of which some repeat and some keep layers.
///
/// | step | |
/// |---|---|
/// | 0 | |
/// | 20 | the very weights of step 0 |
/// | 40 | |
/// | 60 | step 40 but for two tensors |
/// | 80 | the very weights of step 60 |
/// | 100 | step 40 again |
/// | 200 | |
fn series() -> Zoo {
    let mut zoo = Zoo::new("mlp", "dynamo.onnx");
    let [first, middle, last] = [0, 40, 200].map(|step| zoo.tensors(step));
    let mut partly = middle.clone();
    for name in ["head.weight", "head.bias"] {
        partly.insert(name.to_owned(), last[name].clone());
    }
    for (step, tensors) in [(20, &first), (60, &partly), (80, &partly), (100, &middle)] {
        zoo.put(step, tensors);
    }
    zoo.recorded = None;
    KSG.clone_into(&mut zoo.measures);
    zoo
}

const SAME: &str = "same-as-before";

#[test]
fn checkpoints_that_repeat_the_one_before_are_flagged_with_all_their_numbers() {
    let zoo = series();
    let outcome = zoo.command("run", &[]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let warnings: Vec<&str> = outcome.err.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 2, "{outcome:?}");
    for step in ["step-000020.safetensors", "step-000080.safetensors"] {
        let warning = warnings.iter().find(|line| line.contains(step)).unwrap();
        contains_all(warning, &["holds the very weights of the checkpoint before"]);
    }
    for table in ["checkpoints", "measurements"] {
        let rows = zoo.query(&format!("SELECT step, flags FROM {table}"));
        assert_eq!(rows.len(), 7);
        for (step, flags) in flags(&rows) {
            assert_eq!(flags.contains(&SAME), [20, 80].contains(&step), "{table}, step {step}: {flags:?}");
        }
    }
}

#[test]
fn tensors_that_stay_are_listed_and_the_first_checkpoint_has_none_before_it() {
    let zoo = series();
    let rows = zoo.rows(0);
    let names: Vec<String> = zoo.tensors(0).into_keys().collect();
    let but_the_head: Vec<&String> = names.iter().filter(|name| !name.starts_with("head")).collect();
    let unchanged: Vec<(u64, &Value)> =
        rows.iter().map(|row| (row["step"].as_u64().unwrap(), &row["unchanged"])).collect();
    assert_eq!(
        unchanged,
        [
            (0, &Value::Null),
            (20, &json!(names)),
            (40, &json!([])),
            (60, &json!(but_the_head)),
            (80, &json!(names)),
            (100, &json!(but_the_head)),
            (200, &json!([])),
        ]
    );
}

#[test]
fn layers_that_are_frozen_over_the_whole_run_are_named() {
    let mut zoo = Zoo::new("mlp", "dynamo.onnx");
    zoo.recorded = None;
    let frozen = zoo.tensors(200);
    for step in [0, 40] {
        zoo.change(step, |tensors| {
            for name in ["fc1.weight", "ln1.bias"] {
                tensors.insert(name.to_owned(), frozen[name].clone());
            }
        });
    }
    let out = zoo.command("run", &[]).success();
    contains_all(&out, &["frozen over the whole run: fc1.weight, ln1.bias\n"]);
    let rows = zoo.query("SELECT unchanged, flags FROM checkpoints");
    let expected = json!(["fc1.weight", "ln1.bias"]);
    assert_eq!(rows.iter().map(|row| &row["unchanged"]).collect::<Vec<_>>(), [&Value::Null, &expected, &expected]);
    assert!(rows.iter().all(|row| row["flags"] == json!([])), "{rows:?}");
    // Without frozen layers nothing is said of them.
    let mut zoo = Zoo::new("mlp", "dynamo.onnx");
    zoo.recorded = None;
    assert!(!zoo.command("run", &[]).success().contains("frozen"));
}

/// Runs with some options into a folder beside the pipeline file.
fn run(zoo: &Zoo, folder: &str, options: &[&str]) -> String {
    let output = zoo.path(folder);
    let outcome = zoo.command("run", &[&["--output", output.to_str().unwrap(), "--quiet"], options].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.out
}

#[test]
fn shards_and_resumed_runs_give_the_bytes_of_one_run() {
    let zoo = series();
    run(&zoo, "one", &["--threads", "1"]);
    let one = files_but_metrics(&zoo.path("one"));
    // Three parts a checkpoint; the binding, the phases and the lags of them all; and the plan.
    assert_eq!(one.len(), 3 * 7 + 3 + 1);
    for shard in ["2/3", "0/3", "1/3"] {
        run(&zoo, "shards", &["--shard", shard]);
    }
    assert!(files_but_metrics(&zoo.path("shards")) == one, "shards give other bytes");
    // Some parts are gone, and shards go on: each compares with a checkpoint that another one measured.
    for part in ["checkpoints/step=20", "measurements/step=60", "checkpoints/step=80", "checkpoints/step=200"] {
        fs::remove_dir_all(zoo.path("shards/data").join(part)).unwrap();
    }
    let said: Vec<String> = ["1/3", "2/3", "0/3"].map(|shard| run(&zoo, "shards", &["--shard", shard])).to_vec();
    contains_all(&said[0], &["2 checkpoints measured, 0 kept from before"]);
    contains_all(&said[1], &["0 checkpoints measured, 2 kept from before"]);
    contains_all(&said[2], &["2 checkpoints measured, 1 kept from before"]);
    assert!(files_but_metrics(&zoo.path("shards")) == one, "a resumed run gives other bytes");
    // Nothing is left to do.
    contains_all(&run(&zoo, "shards", &[]), &["0 checkpoints measured, 7 kept from before"]);
    assert!(files_but_metrics(&zoo.path("shards")) == one);
}

#[test]
fn a_checkpoint_is_measured_again_when_the_one_before_it_changes() {
    let zoo = series();
    run(&zoo, "results", &[]);
    // Step 60 is no longer what step 80 is.
    let middle = zoo.tensors(40);
    zoo.put(60, &middle);
    contains_all(&run(&zoo, "results", &[]), &["2 checkpoints measured, 5 kept from before"]);
    let rows = zoo.query("SELECT step, flags FROM checkpoints");
    let same: Vec<u64> =
        flags(&rows).into_iter().filter(|(_, flags)| flags.contains(&SAME)).map(|(step, _)| step).collect();
    assert_eq!(same, [20, 60]);
    let fresh = series();
    fresh.put(60, &middle);
    run(&fresh, "results", &[]);
    let data = |zoo: &Zoo| files(&zoo.path("results/data"));
    assert!(data(&zoo) == data(&fresh), "going on gives other bytes than beginning");
}

#[test]
fn an_unreadable_checkpoint_leaves_the_next_one_without_one_before() {
    let zoo = series();
    let whole = fs::read(zoo.checkpoint(20)).unwrap();
    fs::write(zoo.checkpoint(20), &whole[..whole.len() / 2]).unwrap();
    let rows = zoo.rows(65);
    assert!(rows[1]["error"].is_string() && rows[1]["unchanged"].is_null(), "{}", rows[1]);
    assert!(rows[2]["error"].is_null() && rows[2]["unchanged"].is_null(), "{}", rows[2]);
    assert!(rows[3]["unchanged"].is_array(), "{}", rows[3]);
}
