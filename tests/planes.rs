//! The pipelines that reproduce information planes.
#![cfg(unix)]

mod common;

use std::fs;

use common::{infoplane, query, repository};
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
        let wanted = |row: &&serde_json::Value| {
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
