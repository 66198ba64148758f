//! What lies in a result folder: one schema, failures, one file a table, several runs side by side.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use arrow::datatypes::DataType;
use common::{Archive, Scene, contains_all, files, infoplane, query, start_until_first_part};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

/// Four checkpoints of a small network, and measures of a millisecond.
fn scene() -> Scene {
    let mut scene = Scene::new(Archive::DigitsFlax, &[0, 1, 41, 4000]);
    scene.taps = r#"["h2", "logits"]"#.into();
    scene
}

fn finish(results: &Path) -> common::Outcome {
    infoplane(["finish".as_ref(), results.as_os_str()])
}

/// Name, type, and whether there may be nulls.
type Column = (String, DataType, bool);

/// The columns of a Parquet file, and its metadata.
fn inside(path: &Path) -> (Vec<Column>, BTreeMap<String, String>) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let fields = reader.schema().fields().iter();
    let columns = fields.map(|field| (field.name().clone(), field.data_type().clone(), field.is_nullable())).collect();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
    (columns, pairs.iter().map(|pair| (pair.key.clone(), pair.value.clone().unwrap())).collect())
}

#[test]
fn files_have_the_columns_that_the_schema_names_and_say_where_they_come_from() {
    let scene = scene();
    scene.run(&["--quiet"]).success();
    finish(&scene.results()).success();
    let schema: Value = serde_json::from_str(&infoplane(["schema"]).success()).unwrap();
    let mut seen = 0;
    for table in schema["tables"].as_array().unwrap() {
        let name = table["name"].as_str().unwrap();
        let named = |columns: &[Value]| -> Vec<(String, bool)> {
            columns.iter().map(|it| (it["name"].as_str().unwrap().to_owned(), !it["null"].is_null())).collect()
        };
        let columns = table["columns"].as_array().unwrap();
        let parts = table["parts"].as_str().unwrap();
        let by_step = !parts.starts_with("series");
        let part =
            if by_step { format!("data/{name}/step=41/part.parquet") } else { format!("data/{name}/part.parquet") };
        if parts == "process" {
            // Apart from the results, under a name that no other process has.
            let of_processes = files(&scene.results().join("metrics").join(name));
            let path = of_processes.keys().next().unwrap();
            assert_eq!(of_processes.len(), 1);
            let (found, _) = inside(&scene.results().join("metrics").join(name).join(path));
            assert_eq!(
                found.into_iter().map(|(name, _, nullable)| (name, nullable)).collect::<Vec<_>>(),
                named(columns)
            );
            continue;
        }
        if parts.ends_with("-if-asked") {
            assert!(!scene.results().join(part).exists(), "{name} was not asked for");
            continue;
        }
        for (path, columns) in
            [(part, &columns[usize::from(by_step)..]), (format!("tables/{name}.parquet"), &columns[..])]
        {
            let (found, metadata) = inside(&scene.results().join(&path));
            let found: Vec<(String, bool)> = found.into_iter().map(|(name, _, nullable)| (name, nullable)).collect();
            assert_eq!(found, named(columns), "{path}");
            assert_eq!(
                (&metadata["infoplane.table"], &metadata["infoplane.seed"]),
                (&name.to_owned(), &"1".to_owned())
            );
            assert_eq!(json!(metadata["infoplane.schema"]), schema["version"]);
            contains_all(&metadata["infoplane.pipeline"], &["ross", "held-out"]);
            for hash in ["plan", "graph", "inputs"] {
                assert_eq!(metadata[&format!("infoplane.{hash}")].len(), 64, "{path}: {hash}");
            }
            assert!(metadata["infoplane.onnxruntime"].starts_with("1."), "{metadata:?}");
        }
        seen += 1;
    }
    assert_eq!(seen, 6);
    let hashes = scene.query("SELECT step, hash FROM checkpoints ORDER BY step");
    let (_, metadata) = inside(&scene.results().join("tables/measurements.parquet"));
    let told: Value = serde_json::from_str(&metadata["infoplane.checkpoints"]).unwrap();
    assert_eq!(told, json!(hashes.iter().map(|row| json!([row["step"], row["hash"]])).collect::<Vec<_>>()));
}

#[test]
fn one_file_a_table_has_the_same_bytes_however_it_was_made() {
    let scene = scene();
    scene.run(&["--quiet", "--threads", "2"]).success();
    finish(&scene.results()).success();
    let whole = files(&scene.results().join("tables"));
    assert_eq!(whole.len(), 6);
    let sharded = scene.path("sharded");
    let output = ["--quiet", "--threads", "1", "--output", sharded.to_str().unwrap(), "--shard"];
    scene.run(&[&output[..], &["2/3"]].concat()).success();
    // Named before anything else is there, and nothing is put together.
    let missing = finish(&sharded);
    missing.refused(&["found 1 of 4 checkpoints, needed all", "run the pipeline"]);
    contains_all(&missing.out, &["missing: step 0 (step-000000.safetensors)", "missing: step 4000", "3 missing"]);
    assert!(!sharded.join("tables").exists());
    // A killed process leaves a working file; the one after it does not.
    let mut child = start_until_first_part(&mut scene.run_command(&[&output[..], &["0/3"]].concat()), &sharded);
    child.kill().unwrap();
    child.wait().unwrap();
    fs::write(sharded.join("work/part-left-behind"), "half a part").unwrap();
    scene.run(&[&output[..], &["0/3"]].concat()).success();
    scene.run(&[&output[..], &["1/3"]].concat()).success();
    finish(&sharded).success();
    assert_eq!(files(&sharded.join("tables")), whole);
    assert_eq!(files(&sharded.join("work")).keys().collect::<Vec<_>>(), ["plan.json"]);
    // Once more: the same again.
    finish(&sharded).success();
    assert_eq!(files(&sharded.join("tables")), whole);
    // Sorted by step, with the step as a column.
    let (columns, _) = inside(&sharded.join("tables/checkpoints.parquet"));
    assert_eq!(columns[0], ("step".to_owned(), DataType::Int64, false));
}

#[test]
fn a_table_that_is_out_of_date_is_not_left_to_be_read() {
    let scene = scene();
    scene.run(&["--quiet"]).success();
    finish(&scene.results()).success();
    scene.change(1, |tensors| {
        let bias = tensors.values_mut().next().unwrap();
        bias.bytes[0] ^= 1;
    });
    scene.run(&["--quiet"]).success();
    let left = files(&scene.results().join("tables"));
    assert!(
        !left.contains_key("measurements.parquet") && !left.contains_key("checkpoints.parquet"),
        "{:?}",
        left.keys()
    );
    assert!(left.contains_key("bindings.parquet"));
    finish(&scene.results()).success();
    assert_eq!(files(&scene.results().join("tables")).len(), 6);
}

#[test]
fn failures_have_a_table_with_a_row_for_each_reason() {
    let mut scene = scene();
    scene.measures = format!(
        "{}, {{ information = {{ of = \"input\", compress = {{ pca = {{ components = 2 }} }}, estimator = {{ ksg = {{ neighbors = 1500 }} }} }} }}",
        common::ROSS
    );
    fs::write(scene.checkpoint(41), b"no checkpoint").unwrap();
    scene.run(&["--quiet"]);
    let rows = scene.query("SELECT step, what, tap, measure, error FROM failures ORDER BY step, tap_index");
    let whole: Vec<&Value> = rows.iter().filter(|row| row["what"] == "checkpoint").collect();
    assert_eq!(whole.len(), 1, "{rows:?}");
    assert_eq!((&whole[0]["step"], &whole[0]["tap"]), (&json!(41), &Value::Null));
    assert!(whole[0]["error"].as_str().unwrap().contains("step-000041"), "{rows:?}");
    // Of the others one measure has no value at each of the two taps.
    let measures: Vec<&Value> = rows.iter().filter(|row| row["what"] == "measure").collect();
    assert_eq!(measures.len(), 3 * 2, "{rows:?}");
    assert!(measures.iter().all(|row| row["error"].as_str().unwrap().contains("1500 samples") && row["step"] != 41));
    let outcome = finish(&scene.results());
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    contains_all(&outcome.out, &["failed: step 41 (step-000041.safetensors)", "step 41: ", "1 failed", "6 tables"]);
    let shown = infoplane(["show".as_ref(), scene.results().as_os_str()]).success();
    contains_all(&shown, &["failures of pipeline: 7", "step 41: ", "(6 times)"]);
}

#[test]
fn the_binding_is_a_table() {
    let scene = scene();
    scene.run(&["--quiet"]).success();
    let rows = scene.query("SELECT * FROM bindings");
    let roles = |role: &str| rows.iter().filter(|row| row["role"] == role).collect::<Vec<_>>();
    assert_eq!((roles("feed").len(), roles("proof").len()), (6, 1));
    assert_eq!(roles("proof")[0]["holds"], true);
    assert!(roles("proof")[0]["largest_difference"].as_f64().unwrap() < 1e-4);
    assert!(
        roles("feed").iter().all(|row| row["evidence"].as_str().unwrap().contains("value") && row["guess"] == false)
    );
}

#[test]
fn results_of_another_schema_are_refused() {
    let scene = scene();
    scene.run(&["--quiet"]).success();
    let plan = scene.results().join("work/plan.json");
    let text = fs::read_to_string(&plan).unwrap();
    let schema: Value = serde_json::from_str(&infoplane(["schema"]).success()).unwrap();
    let version = schema["version"].as_str().unwrap();
    let current = format!("\"schema\": \"{version}\"");
    contains_all(&text, &[&current]);
    for older in [text.replace(&current, "\"schema\": \"4\""), "{\"plan\": \"x\"}".to_owned()] {
        fs::write(&plan, older).unwrap();
        for outcome in [infoplane(["query".as_ref(), scene.results().as_os_str(), "SELECT 1".as_ref()]), scene.run(&[])]
        {
            outcome.refused(&["schema version 4", &format!("needed version {version}"), "--output"]);
        }
    }
    // Without the working files the results can be looked at, but nobody knows what is missing.
    fs::remove_dir_all(scene.results().join("work")).unwrap();
    assert_eq!(scene.query("SELECT step FROM checkpoints").len(), 4);
    finish(&scene.results()).refused(&["found no plan", "run the pipeline again"]);
}

#[test]
fn several_runs_are_told_apart_and_compared() {
    let mut scene = scene();
    scene.measures = "{ usable = { label = \"digit\", probe = { nearest-mean = {} } } }".to_owned();
    let mut paths = Vec::new();
    for (seed, steps) in [(1, "\"all\""), (2, "\"all\""), (3, "{ range = [1, 4000] }")] {
        (scene.seed, scene.steps) = (seed, steps.to_owned());
        let path = scene.path(&format!("seed-{seed}"));
        scene.run(&["--quiet", "--output", path.to_str().unwrap()]).success();
        paths.push(path);
    }
    let of = |command: &str, more: &[&str]| {
        let words = paths.iter().map(|path| path.to_str().unwrap()).chain(more.iter().copied());
        infoplane([command].into_iter().chain(words))
    };
    let sql = "SELECT run, step, value FROM measurements WHERE measure = 'usable' AND tap = 'logits'";
    let rows: Vec<Value> = serde_json::from_str(&of("query", &[sql, "--format", "json"]).success()).unwrap();
    assert_eq!(rows.len(), 4 + 4 + 3);
    let at_36: Vec<f64> =
        rows.iter().filter(|row| row["step"] == 41).map(|row| row["value"].as_f64().unwrap()).collect();
    assert_eq!(at_36.len(), 3);
    // One name, three folders: the folder is the name.
    assert!(rows.iter().all(|row| paths.iter().any(|path| row["run"] == path.to_str().unwrap())), "{rows:?}");
    let shown = of("show", &["--measure", "usable"]).success();
    contains_all(&shown, &["usable of digit by nearest-mean (nats)", "the 3 steps that all have; 1 steps left out"]);
    let last: Vec<f64> =
        rows.iter().filter(|row| row["step"] == 4000).map(|row| row["value"].as_f64().unwrap()).collect();
    let mean = last.iter().sum::<f64>() / 3.0;
    assert!(shown.contains(&format!("{mean:.3}±")), "{mean} is not in {shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    infoplane(["show".as_ref(), paths[0].as_os_str(), paths[0].as_os_str()]).refused(&["the same run", "count twice"]);
}

#[test]
fn one_run_is_shown_in_lines_of_eighty_columns() {
    let mut scene = Scene::digits();
    scene.taps = "[\"conv1_act\", \"fc1_act\", \"logits\"]".to_owned();
    scene.measures = common::EVERY_KIND.to_owned();
    scene.run(&["--quiet"]).success();
    let shown = infoplane(["show".as_ref(), scene.results().as_os_str()]).success();
    contains_all(
        &shown,
        &["3 checkpoints, steps 0 to 4000; binding proven", "loss (nats)", "usable of digit by linear (nats)"],
    );
    contains_all(&shown, &["reconstruction of input by linear (squared-units)", "flags of pipeline", "no failures"]);
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    // The best loss is the least, the best accuracy the largest.
    let rows = scene.query("SELECT step, loss FROM checkpoints ORDER BY loss LIMIT 1");
    let loss = shown.lines().skip_while(|line| !line.starts_with("loss")).nth(2).unwrap();
    assert!(
        loss.contains(&format!("{:.3}  {:>7}", rows[0]["loss"].as_f64().unwrap(), rows[0]["step"].as_u64().unwrap())),
        "{loss}"
    );
    infoplane(["show".as_ref(), scene.results().as_os_str(), "--measure".as_ref(), "fame".as_ref()])
        .refused(&["no values of fame", "SELECT DISTINCT measure"]);
}

#[test]
fn a_query_can_be_written_as_parquet() {
    let scene = scene();
    scene.run(&["--quiet"]).success();
    let sql = "SELECT step, tap, value FROM measurements ORDER BY step, tap_index";
    let mut command = common::command(["query".as_ref(), scene.results().as_os_str(), sql.as_ref()]);
    let output = command.args(["--format", "parquet"]).output().unwrap();
    assert!(output.status.success());
    let path = scene.path("answer.parquet");
    fs::write(&path, output.stdout).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let types: Vec<DataType> = reader.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    assert_eq!((&types[0], &types[2]), (&DataType::Int64, &DataType::Float64));
    let rows: usize = reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, query(&scene.results(), sql).len());
}

#[test]
fn folders_above_may_be_called_anything() {
    let scene = scene();
    scene.run(&["--quiet"]).success();
    // Neither a column, as other readers take it, nor a pattern.
    let odd = scene.path("step=9/run=3/[ab]*");
    fs::create_dir_all(odd.parent().unwrap()).unwrap();
    fs::rename(scene.results(), &odd).unwrap();
    let sql = "SELECT step, run, tap, value FROM measurements";
    let parts = query(&odd, sql);
    assert_eq!((&parts[0]["step"], &parts[parts.len() - 1]["step"]), (&json!(0), &json!(4000)));
    assert!(parts.iter().all(|row| row["run"] != "3"), "{parts:?}");
    finish(&odd).success();
    assert_eq!(query(&odd, sql), parts);
}
