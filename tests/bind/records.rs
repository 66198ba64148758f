//! What the framework wrote down: losses in tables as loggers write them, outputs by step.

use std::fs;

use crate::common::{contains_all, npy_f32, npz};
use crate::zoo::{TOLERANCE, Zoo, flags};

/// The MLP with a table of losses.
fn with_losses(table: &str, keys: &str) -> Zoo {
    let mut zoo = Zoo::new("mlp", "dynamo.onnx");
    fs::write(zoo.path("zoo/log.csv"), table).unwrap();
    zoo.recorded = Some(format!("{{ losses = {{ file = \"zoo/log.csv\", {keys} }} }}"));
    zoo
}

/// A logger's table: a row for each split, blank cells, columns that nobody asked for, steps as floats.
const LOG: &str = "epoch,step,train_loss, eval_loss ,lr\n0,0,2.5,,0.1\n0,0,,2.34233712,0.1\n1,40.0,1.4,,0.1\n\
                   1,40,,1.30934618,0.1\n3,120,0.7,,0.1\n3,120,,0.9,0.1\n5,200,0.2,,0.01\n5,200,,0.304708015,0.01\n";

#[test]
fn losses_come_from_one_column_of_a_loggers_table() {
    let zoo = with_losses(LOG, "loss = \"eval_loss\"");
    let said = zoo.proven();
    let records = said["records"].as_array().unwrap();
    // Step 120 is in the table and not in the archive.
    assert_eq!(records.iter().map(|record| record["step"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 40, 200]);
    for record in records {
        let [loss, recorded] = ["loss", "recorded-loss"].map(|key| record[key].as_f64().unwrap());
        assert!((loss / recorded - 1.0).abs() < TOLERANCE && record["recorded-difference"].is_null(), "{record}");
    }
    for row in zoo.rows(0) {
        assert!(row["recorded_loss"].is_f64() && row["recorded_difference"].is_null(), "{row}");
        assert_eq!(row["flags"].as_array().unwrap().len(), 0, "{row}");
    }
}

#[test]
fn the_column_of_the_step_may_have_any_name() {
    let zoo = with_losses("iteration,loss\n40,1.30934618\n", "loss = \"loss\", step = \"iteration\"");
    let said = zoo.proven();
    assert_eq!(said["records"].as_array().unwrap().len(), 1);
    let rows = zoo.rows(0);
    let recorded: Vec<Option<f64>> = rows.iter().map(|row| row["recorded_loss"].as_f64()).collect();
    assert_eq!(recorded, [None, Some(1.309_346_18), None]);
}

#[test]
fn a_column_that_is_not_there_is_refused_with_those_that_are() {
    let columns = "found columns epoch, step, train_loss, eval_loss, lr; needed";
    with_losses(LOG, "loss = \"val_loss\"").refused(&["`zoo/log.csv`", columns, "`val_loss`"]);
    with_losses(LOG, "loss = \"eval_loss\", step = \"iteration\"").refused(&[columns, "`iteration`"]);
}

#[test]
fn tables_that_cannot_be_read_are_refused() {
    let keys = "loss = \"loss\"";
    for (table, words) in [
        ("step,loss\n0,2.5\n0,2.6\n", &["found two losses for step 0; needed one"][..]),
        ("step,loss\n0,low\n", &["row 1: found `low`; needed a loss"]),
        ("step,loss\n0,nan\n", &["row 1", "needed a finite loss"]),
        ("step,loss\n0,1\nend,2.5\n", &["row 2: found `end`; needed a step"]),
        ("step,loss\n0,\n", &["found no loss in column `loss`"]),
        ("step,loss\n0,1,2\n", &["cannot read"]),
    ] {
        with_losses(table, keys).refused(&[&["`[replay] recorded`", "`zoo/log.csv`"], words].concat());
    }
    let mut zoo = with_losses("", keys);
    fs::remove_file(zoo.path("zoo/log.csv")).unwrap();
    zoo.refused(&["`zoo/log.csv`", "cannot read"]);
    zoo.recorded = Some("{ outputs = \"zoo/nothing.npz\" }".to_owned());
    zoo.refused(&["nothing.npz"]);
}

#[test]
fn a_loss_that_differs_is_flagged_and_not_proven() {
    // The training loss of step 40 is not that of the evaluation images.
    let zoo = with_losses(&LOG.replace("1.30934618", "1.35"), "loss = \"eval_loss\"");
    let said = zoo.doubted(&["1 of 3 records differ", ": steps 40"]);
    assert_eq!(said["proof"]["holds"], true, "the weights of the reference are still the graph's");
    let text = zoo.again("bind", &[]);
    assert_eq!(text.code, Some(1));
    contains_all(
        &text.out,
        &[
            "record: step 40, loss 1.309346 against 1.350000: DIFFERS\n",
            "verdict: NOT PROVEN: 1 of 3 records differ",
            ": steps 40\n",
        ],
    );
    let outcome = zoo.command("run", &[]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    contains_all(
        outcome.err.lines().find(|line| line.starts_with("warning: ")).unwrap(),
        &["step-000040.safetensors", "loss 1.309346, recorded 1.350000", "`infoplane bind`"],
    );
    let rows = zoo.query("SELECT step, flags FROM checkpoints");
    assert_eq!(flags(&rows), [(0, vec![]), (40, vec!["not-as-recorded"]), (200, vec![])]);
}

#[test]
fn rounding_of_a_framework_is_no_difference() {
    // Three digits of the loss are what half precision leaves.
    let near = LOG.replace("1.30934618", "1.3099").replace("0.304708015", "0.3048");
    with_losses(&near, "loss = \"eval_loss\"").proven_roughly();
    let far = LOG.replace("1.30934618", "1.3120");
    with_losses(&far, "loss = \"eval_loss\"").doubted(&["steps 40"]);
}

impl Zoo {
    /// Checks that `bind` calls the binding proven, whatever the records' last digits.
    #[track_caller]
    fn proven_roughly(&self) {
        self.command("bind", &["--json"]).success();
    }
}

#[test]
fn outputs_of_the_first_samples_are_enough_and_those_of_too_many_are_refused() {
    let zoo = Zoo::new("mlp", "dynamo.onnx");
    let values = |step: u64| {
        let npy = zoo.outputs(step);
        let data = &npy[npy.len() - 16 * 10 * 4..];
        data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect::<Vec<f32>>()
    };
    let all = values(40);
    let of = |rows: usize| npy_f32(&[rows, 10], &all[..rows * 10]);
    zoo.record(&[(40, of(5))]);
    assert_eq!(zoo.proven()["records"].as_array().unwrap().len(), 1);
    let seventeen = npy_f32(&[17, 10], &[&all[..], &all[..10]].concat());
    zoo.record(&[(40, seventeen)]);
    zoo.refused(&["`[replay] recorded`", "found 17 rows", "16 at most"]);
    // Another number of classes, or other values, are no record of this network.
    zoo.record(&[(40, npy_f32(&[16, 8], &all[..128]))]);
    zoo.doubted(&["steps 40"]);
    let mut off = all.clone();
    off[77] += 0.05;
    zoo.record(&[(40, npy_f32(&[16, 10], &off))]);
    zoo.doubted(&["steps 40"]);
    fs::write(zoo.path("zoo/outputs.npz"), npz(&[("logits", of(16))])).unwrap();
    zoo.refused(&["`zoo/outputs.npz`", "found member `logits`", "needed a step in its name"]);
}
