//! The pipelines that reproduce information planes, and what such planes need.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use common::{Archive, Scene, contains_all, infoplane, query, repository};
use serde_json::Value;
use tempfile::TempDir;

/// Binned layers have exact information: numpy counted the states when the archive was made.
#[test]
fn binned_layers_of_the_tanh_network_fit_and_then_compress() {
    let results = TempDir::with_prefix("infoplane-test-").unwrap();
    let pipeline = repository("pipelines/information-plane-tanh.toml");
    infoplane(["run".as_ref(), pipeline.as_os_str(), "--output".as_ref(), results.path().as_os_str()]).success();
    let rows =
        query(results.path(), "SELECT step, tap, variable, value FROM measurements ORDER BY step, tap, variable");
    let reference = fs::read_to_string(repository("data/tanh/plug_in_30_bins.csv")).unwrap();
    let lines: Vec<Vec<&str>> = reference.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!((rows.len(), lines.len()), (400, 200));
    let found = |step: &str, tap: &str, variable: &str| {
        let wanted = |row: &&Value| {
            row["step"] == step.parse::<u64>().unwrap() && row["tap"] == tap && row["variable"] == variable
        };
        rows.iter().find(wanted).unwrap()["value"].as_f64().unwrap() / std::f64::consts::LN_2
    };
    for line in &lines {
        for (variable, expected) in [("input", line[2]), ("label", line[3])] {
            let found = found(line[0], line[1], variable);
            // Rounding of sums of 4,096 logarithms, and the twelve digits of the file: not one sample is in another bin.
            assert!((found - expected.parse::<f64>().unwrap()).abs() < 1e-9, "{line:?}, {variable}: {found}");
        }
    }
    let last = |step: &str| found(step, "h5", "input");
    // Up by a bit until step 531, then down to a quarter.
    assert!(last("531") > last("0") + 0.9 && last("104000") < last("0") / 3.0);
    assert!(found("104000", "h5", "label") > 0.95 && found("0", "h5", "label") < 0.3);
}

/// A scene whose only measure is information of principal components in a frame, and what the frame explains by step.
fn explained(basis: &str) -> Vec<f64> {
    let mut scene = Scene::new(Archive::Digits, &[0, 103, 4000]);
    "[\"fc1_act\"]".clone_into(&mut scene.taps);
    scene.measures = format!(
        "{{ information = {{ of = \"digit\", compress = {{ pca = {{ components = 4, basis = {basis} }} }}, interval = {{ none = {{}} }}, \
         estimator = {{ ross = {{ neighbors = [1, 3] }} }} }} }}"
    );
    let printed = scene.run(&[]).success();
    // Both rows have one estimator: what tells them apart is said.
    contains_all(&printed, &["I(T;digit), ross (neighbors 1) (nats)", "I(T;digit), ross (neighbors 3) (nats)"]);
    let rows = scene.query("SELECT details FROM measurements WHERE parameters LIKE '%\"neighbors\":1}%' ORDER BY step");
    let details = rows.iter().map(|row| serde_json::from_str::<Value>(row["details"].as_str().unwrap()).unwrap());
    details.map(|details| details["explained_variance"].as_f64().unwrap()).collect()
}

#[test]
fn one_frame_of_several_checkpoints_serves_all() {
    let [own, first, pooled] = ["\"own\"", "\"first\"", "{ pooled = 3 }"].map(explained);
    for (own, others) in own.iter().zip(first.iter().zip(&pooled)) {
        // No frame explains more than a layer's own; the slack is rounding.
        assert!(*others.0 <= own + 1e-9 && *others.1 <= own + 1e-9, "{own} {others:?}");
    }
    assert!((own[0] - first[0]).abs() < 1e-9, "{own:?} {first:?}");
    // A frame of all steps explains the last one better than that of the first, and the first one worse.
    assert!(pooled[2] > first[2] && pooled[0] < first[0], "{first:?} {pooled:?}");
    let mut scene = Scene::digits();
    "{ information = { of = \"digit\", compress = { pca = { components = 2, basis = { pooled = 9 } } }, estimator = { ross = { neighbors = 3 } } } }"
        .clone_into(&mut scene.measures);
    scene.run(&[]).refused(&["found 9 checkpoints to pool", "from 2 to 3"]);
}
