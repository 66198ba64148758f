//! Whole runs that measure usable information: columns of labels, and all that the measure can be asked for.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::{Archive, Scene, infoplane, npy_f64, npy_i64, parts};
use infoplane::samples::Array;
use serde_json::Value;

const LINEAR: &str = "{ usable = { label = \"digit\", probe = { linear = {} } } }";
const PARITY: &str =
    "parity = { from = \"digit\", classes = [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]], names = [\"even\", \"odd\"] }";

/// The last checkpoint alone, at its last hidden layer.
fn scene(measures: &[&str]) -> Scene {
    let mut scene = Scene::new(Archive::Digits, &[4000]);
    "[\"fc1_act\"]".clone_into(&mut scene.taps);
    "loss = { of = { label = \"digit\" } }".clone_into(&mut scene.replay);
    scene.measures = measures.join(", ");
    scene
}

fn digits() -> Vec<i64> {
    Array::read_npy(&Archive::Digits.folder().join("labels.npy")).unwrap().integers().unwrap()
}

fn ids() -> Vec<i64> {
    Array::read_npy(&Archive::Digits.folder().join("ids.npy")).unwrap().integers().unwrap()
}

/// The values by the name of the measure.
fn values(scene: &Scene, condition: &str) -> BTreeMap<String, f64> {
    let rows = scene.query(&format!("SELECT measure, value FROM measurements WHERE {condition}"));
    rows.iter().map(|row| (row["measure"].as_str().unwrap().to_owned(), row["value"].as_f64().unwrap())).collect()
}

#[test]
fn a_measure_gives_all_its_rows() {
    let mut scene = scene(&[
        "{ usable = { label = \"digit\", probe = { linear = {} }, per-class = true, per-sample = true, permutations = 19, \
        control = { types = \"digit\", draws = 2 }, code-length = { fractions = [0.1, 0.5, 1.0] } } }",
    ]);
    scene.taps = "[\"logits\"]".to_owned();
    scene.columns = "digit = { names = [\"zero\", \"one\", \"two\", \"three\", \"four\", \"five\", \"six\", \"seven\", \"eight\", \"nine\"] }".to_owned();
    scene.run(&[]).success();
    let rows = scene
        .query("SELECT measure, class, n_train, unit, value, std_error, null_high, p_value, details FROM measurements");
    let of = |name: &str| rows.iter().filter(|row| row["measure"] == name).collect::<Vec<_>>();
    let [usable] = of("usable")[..] else { panic!("one row: {rows:?}") };
    let details: Value = serde_json::from_str(usable["details"].as_str().unwrap()).unwrap();
    let value = usable["value"].as_f64().unwrap();
    assert!((details["bits"].as_f64().unwrap() * 2_f64.ln() - value).abs() < 1e-12);
    assert!((usable["p_value"].as_f64().unwrap() - 0.05).abs() < 1e-12 && usable["n_train"] == 700);
    let fraction = of("usable-fraction")[0]["value"].as_f64().unwrap();
    assert!((fraction * details["label_entropy"].as_f64().unwrap() - value).abs() < 1e-12);
    assert!(of("accuracy")[0]["value"].as_f64().unwrap() > 0.9 && of("accuracy")[0]["unit"] == "fraction");
    let calibrated = of("usable-calibrated")[0];
    assert!(calibrated["details"].as_str().unwrap().contains("temperature") && calibrated["value"].is_f64());
    let classes: Vec<&str> = of("usable-class").iter().map(|row| row["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]);
    // Random labels of digits are read off the logits as well as the digits.
    assert!(of("selectivity")[0]["value"].as_f64().unwrap().abs() < 0.1);
    let curve: Vec<u64> = of("usable-curve").iter().map(|row| row["n_train"].as_u64().unwrap()).collect();
    assert_eq!(curve, [100, 500]);
    let length = of("code-length")[0]["value"].as_f64().unwrap();
    let compression = of("compression")[0]["value"].as_f64().unwrap();
    assert!((length * compression - 1000.0 * 10_f64.ln()).abs() < 1e-6 && compression > 1.5);
    assert_eq!(rows.len(), 4 + 10 + 1 + 2 + 2);

    let samples = scene.query("SELECT sample, label, predicted, value FROM samples");
    assert_eq!(samples.len(), 300);
    let mean = samples.iter().map(|row| row["value"].as_f64().unwrap()).sum::<f64>() / 300.0;
    assert!((mean - value).abs() < 1e-12, "{mean} for {value}");
    let names = classes;
    let digit: BTreeMap<i64, i64> = ids().into_iter().zip(digits()).collect();
    for row in &samples {
        let digit = digit[&row["sample"].as_i64().unwrap()];
        assert_eq!(row["label"], names[usize::try_from(digit).unwrap()], "{row}");
    }
    let right = samples.iter().filter(|row| row["label"] == row["predicted"]).count();
    assert!((right as f64 / 300.0 - of("accuracy")[0]["value"].as_f64().unwrap()).abs() < 1e-12);
}

/// Layer, penalty, objective and held-out cross-entropy: `tests/estimators/goldens/probe_digits.py` with scikit-learn
/// 1.9.1 and ONNX Runtime 1.28.0.
const OPTIMA: [(&str, f64, f64, f64); 12] = [
    ("conv1_act", 1e-2, 0.053_011_265_395, 0.129_409_721_301),
    ("conv1_act", 1e-3, 0.010_382_478_092, 0.136_719_037_108),
    ("conv1_act", 1e-4, 0.001_781_953_919, 0.165_276_571_912),
    ("conv2_act", 1e-2, 0.104_174_262_812, 0.149_542_877_844),
    ("conv2_act", 1e-3, 0.024_169_452_022, 0.146_744_268_748),
    ("conv2_act", 1e-4, 0.004_669_672_932, 0.179_957_807_563),
    ("fc1_act", 1e-2, 0.311_432_334_462, 0.198_255_177_216),
    ("fc1_act", 1e-3, 0.104_425_503_311, 0.117_513_118_053),
    ("fc1_act", 1e-4, 0.030_185_420_175, 0.124_079_310_279),
    ("logits", 1e-2, 0.407_794_392_308, 0.236_479_848_330),
    ("logits", 1e-3, 0.149_300_941_255, 0.123_367_683_116),
    ("logits", 1e-4, 0.059_189_494_569, 0.124_361_264_667),
];

#[test]
fn the_optimum_is_that_of_scikit_learn() {
    let probe = |penalty: f64| {
        format!("{{ usable = {{ label = \"digit\", probe = {{ linear = {{ penalties = [{penalty:?}] }} }} }} }}")
    };
    let measures = [1e-2, 1e-3, 1e-4].map(probe);
    let mut scene = scene(&measures.each_ref().map(String::as_str));
    scene.taps = "[\"conv1_act\", \"conv2_act\", \"fc1_act\", \"logits\"]".to_owned();
    scene.run(&[]).success();
    let rows = scene.query("SELECT tap, details FROM measurements WHERE measure = 'usable'");
    assert_eq!(rows.len(), OPTIMA.len());
    for (tap, penalty, objective, cross_entropy) in OPTIMA {
        let found = rows.iter().filter(|row| row["tap"] == tap);
        let mut details = found.map(|row| serde_json::from_str::<Value>(row["details"].as_str().unwrap()).unwrap());
        let details = details.find(|details| details["penalty"].as_f64() == Some(penalty)).unwrap();
        let off = details["objective"].as_f64().unwrap() / objective - 1.0;
        // The solver stops where it expects less than 1e-8 of the objective from its next step, and knows its Hessian
        // to a factor of ten or so; it cannot be below the optimum by more than the rounding of f32.
        assert!((-1e-7..1e-6).contains(&off), "{tap}, {penalty}: {off}");
        // A distance to the optimum of 1e-7 in the objective is one of its root in the parameters.
        let off = details["cross_entropy"].as_f64().unwrap() - cross_entropy;
        assert!(off.abs() < 1e-3, "{tap}, {penalty}: {off}");
    }
}

#[test]
fn columns_are_derived_named_and_cut() {
    let mut scene = scene(&[
        "{ usable = { label = \"parity\", probe = { nearest-mean = {} }, per-class = true } }",
        "{ usable = { label = \"size\", probe = { linear = {} } } }",
        "{ usable = { label = \"some\", probe = { linear = {} } } }",
        "{ usable = { label = \"scale\", probe = { linear = {} } } }",
    ]);
    let scale: Vec<f64> = digits().iter().map(|&digit| digit as f64 / 10.0).collect();
    fs::write(scene.path("scale.npy"), npy_f64(&[1000], &scale)).unwrap();
    let there = Archive::Digits.folder().join("labels.npy").display().to_string();
    scene.labels = format!("{{ digit = \"{there}\", scale = \"scale.npy\" }}");
    scene.columns = format!(
        "{PARITY}\nsize = {{ from = \"scale\", edges = [0.5] }}\n\
         some = {{ from = \"scale\", edges = [0.5], missing = [0] }}"
    );
    scene.run(&[]).success();
    let classes = scene.query("SELECT class FROM measurements WHERE measure = 'usable-class' ORDER BY class");
    assert_eq!(classes.iter().map(|row| row["class"].as_str().unwrap()).collect::<Vec<_>>(), ["even", "odd"]);
    assert!(values(&scene, "variable = 'size'")["accuracy"] > 0.85);
    let known = |name: &str| {
        let rows = scene.query(&format!(
            "SELECT n_samples, n_train FROM measurements WHERE measure = 'usable' AND variable = '{name}'"
        ));
        rows[0]["n_samples"].as_u64().unwrap() + rows[0]["n_train"].as_u64().unwrap()
    };
    let zeros = digits().iter().filter(|&&digit| digit == 0).count() as u64;
    assert_eq!((known("size"), known("some")), (1000, 1000 - zeros));
    let scale = values(&scene, "variable = 'scale'");
    assert!(scale["r-squared"] > 0.5 && scale["usable"] > 0.3 && !scale.contains_key("accuracy"), "{scale:?}");
}

#[test]
fn a_missing_label_is_a_sample_left_out() {
    // What is known of the others does not depend on what stands for the unknown.
    let all = digits();
    let mut found = Vec::new();
    for unknown in [-1, 77] {
        let mut scene = scene(&[LINEAR, common::ROSS]);
        let labels: Vec<i64> =
            all.iter().enumerate().map(|(row, &digit)| if row % 5 == 0 { unknown } else { digit }).collect();
        fs::write(scene.path("labels.npy"), npy_i64(&[1000], &labels)).unwrap();
        scene.labels = "{ digit = \"labels.npy\" }".to_owned();
        scene.columns = format!("digit = {{ missing = [{unknown}] }}");
        scene.run(&[]).success();
        let rows = scene.query("SELECT measure, value, n_samples, n_train FROM measurements");
        let count = |name: &str| rows[0][name].as_u64().unwrap();
        assert!(count("n_samples") + count("n_train") == 800 && count("n_samples").abs_diff(240) < 30, "{rows:?}");
        let ross = rows.iter().find(|row| row["measure"] == "information").unwrap();
        assert_eq!(ross["n_samples"], 800);
        let network = scene.query("SELECT loss, accuracy FROM checkpoints");
        found.push((rows, network));
    }
    assert_eq!(found[0], found[1]);
    // The same samples without the others in any file.
    let mut alone = scene(&[LINEAR]);
    let kept: Vec<usize> = (0..1000).filter(|row| row % 5 != 0).collect();
    let folder = Archive::Digits.folder();
    let inputs = Array::read_npy(&folder.join("inputs.npy")).unwrap();
    let width = inputs.values.shape().iter().product::<usize>() / 1000;
    let infoplane::samples::Values::F32(values) = &inputs.values else { panic!("the digits are in single precision") };
    let values: Vec<f32> = values.iter().copied().collect();
    let rows: Vec<f32> = kept.iter().flat_map(|&row| values[row * width..(row + 1) * width].to_vec()).collect();
    let shape: Vec<usize> = [800].into_iter().chain(inputs.values.shape()[1..].iter().copied()).collect();
    fs::write(alone.path("inputs.npy"), common::npy_f32(&shape, &rows)).unwrap();
    for (name, all) in [("labels.npy", all), ("ids.npy", ids())] {
        let kept: Vec<i64> = kept.iter().map(|&row| all[row]).collect();
        fs::write(alone.path(name), npy_i64(&[800], &kept)).unwrap();
    }
    (alone.inputs, alone.ids) = ("\"inputs.npy\"".to_owned(), "\"ids.npy\"".to_owned());
    alone.labels = "{ digit = \"labels.npy\" }".to_owned();
    alone.run(&[]).success();
    let alone = alone.query("SELECT value FROM measurements WHERE measure = 'usable'")[0]["value"].as_f64().unwrap();
    let there = found[0].0.iter().find(|row| row["measure"] == "usable").unwrap()["value"].as_f64().unwrap();
    // Another share of them is held out.
    assert!((alone - there).abs() < 0.1, "{alone} {there}");
}

#[test]
fn what_a_layer_adds_is_the_difference_of_two_readings() {
    let mut scene = scene(&[
        "{ usable = { label = \"digit\", probe = { linear = {} }, given = \"logits\", per-sample = true } }",
        "{ usable = { label = \"digit\", probe = { linear = {} }, given = \"input\" } }",
        LINEAR,
    ]);
    scene.taps = "[\"pool1\", \"logits\"]".to_owned();
    scene.run(&[]).success();
    let rows =
        scene.query("SELECT tap, given, value, std_error, details FROM measurements WHERE measure = 'usable-given'");
    assert_eq!(rows.len(), 4);
    let usable = values(&scene, "tap = 'logits' AND measure = 'usable'")["usable"];
    for row in &rows {
        let details: Value = serde_json::from_str(row["details"].as_str().unwrap()).unwrap();
        let (with, without) = (details["with"].as_f64().unwrap(), details["without"].as_f64().unwrap());
        assert!((with - without - row["value"].as_f64().unwrap()).abs() < 1e-12, "{row}");
        if row["given"] == "logits" {
            assert!((without - usable).abs() < 1e-12, "the baseline is the reading of that tap: {row}");
        }
        if row["tap"] == row["given"] {
            // The same units twice: half the penalty, and nothing new.
            assert!(row["value"].as_f64().unwrap().abs() < 2.0 * row["std_error"].as_f64().unwrap() + 5e-3, "{row}");
        }
    }
    let pool: f64 =
        rows.iter().find(|row| row["tap"] == "pool1" && row["given"] == "logits").unwrap()["value"].as_f64().unwrap();
    let samples = scene.query("SELECT value FROM samples WHERE tap = 'pool1' AND measure = 'usable-given'");
    let mean = samples.iter().map(|row| row["value"].as_f64().unwrap()).sum::<f64>() / samples.len() as f64;
    assert!((mean - pool).abs() < 1e-12);
}

#[test]
fn random_families_give_the_same_bytes_at_any_number_of_threads() {
    let measures = [
        "{ usable = { label = \"parity\", probe = { mlp = { max-steps = 96, layers = [16] } }, per-sample = true } }",
        "{ usable = { label = \"parity\", probe = { random-features = { features = 64 } } } }",
        "{ usable = { label = \"parity\", probe = { quadratic = {} }, given = \"logits\" } }",
        "{ usable = { label = \"parity\", probe = { linear = {} }, permutations = 19, control = { types = \"digit\" }, code-length = {} } }",
    ];
    let run = |threads: &str, shards: &[&str]| {
        let mut scene = scene(&measures[..]);
        scene.taps = "[\"logits\"]".to_owned();
        scene.columns = PARITY.to_owned();
        fs::copy(Archive::Digits.checkpoint(140), scene.checkpoint(140)).unwrap();
        for shard in shards {
            let options: Vec<&str> =
                ["--threads", threads].into_iter().chain(shard.split(' ').filter(|it| !it.is_empty())).collect();
            assert_eq!(scene.run(&options).code, Some(0));
        }
        parts(&scene.results())
    };
    let one = run("1", &[""]);
    assert_eq!(one.keys().filter(|name| name.contains("samples")).count(), 2);
    assert_eq!(one, run("3", &["--shard 1/2", "--shard 0/2"]));
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_runs() {
    let refused = |columns: &str, measure: &str, words: &[&str]| {
        let mut scene = scene(&[measure]);
        columns.clone_into(&mut scene.columns);
        scene.check().refused(words);
    };
    let usable = |label: &str, rest: &str| {
        format!("{{ usable = {{ label = \"{label}\", probe = {{ linear = {{}} }}{rest} }} }}")
    };
    let parity = usable("parity", "");
    refused(
        "parity = { from = \"digit\", classes = [[0, 2, 4, 6, 8], [1, 3, 5, 7]] }",
        &parity,
        &["`parity`", "value 9 of `digit` in no class", "`missing`"],
    );
    refused(
        "parity = { from = \"digit\", classes = [[0, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9]] }",
        &parity,
        &["value 1", "classes 0 and 1"],
    );
    refused("parity = { from = \"number\", classes = [[0]] }", &parity, &["no file for column `number`", "digit"]);
    refused("parity = { from = \"digit\", edges = [1.0] }", &parity, &["holds classes", "`classes = [[...], ...]`"]);
    refused("digit = { names = [\"zero\", \"one\"] }", LINEAR, &["`names` does not name", "`missing`"]);
    refused(
        "high = { from = \"digit\", classes = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]] }\ndigit = { missing = [0], names = [\"one\", \"two\"] }",
        LINEAR,
        &["`names`"],
    );
    refused("digit = { names = [\"a\", \"a\"] }", LINEAR, &["`a` for both 0 and 1"]);
    refused("digit = { classes = [[0]] }", LINEAR, &["`classes`", "`from"]);
    refused(
        "digit = { kind = \"numbers\" }",
        "{ usable = { label = \"digit\", probe = { mlp = {} } } }",
        &["holds numbers", "`linear`", "`edges`"],
    );
    refused("digit = { kind = \"numbers\" }", &usable("digit", ", per-class = true"), &["`per-class` needs classes"]);
    refused("digit = { kind = \"numbers\" }", common::ROSS, &["holds numbers, needed classes"]);
    refused("", &usable("digit", ", given = \"nowhere\""), &["no tap `nowhere`", "`input`", "fc1_act"]);
    refused("", &usable("digit", ", given = \"input\", permutations = 19"), &["`permutations`", "`given`"]);
    refused("", &usable("digit", ", permutations = 5"), &["5 permutations", "19 or more"]);
    refused("", &usable("digit", ", control = { types = \"word\" }"), &["no label column `word`"]);
    refused("", &usable("digit", ", code-length = { fractions = [0.5, 0.2, 1.0] }"), &["fractions", "increase"]);
}

#[test]
fn whole_floats_are_not_taken_for_numbers_unasked() {
    let mut scene = scene(&[LINEAR]);
    let labels: Vec<f64> =
        digits().iter().enumerate().map(|(row, &digit)| if row == 3 { f64::NAN } else { digit as f64 }).collect();
    fs::write(scene.path("labels.npy"), npy_f64(&[1000], &labels)).unwrap();
    scene.labels = "{ digit = \"labels.npy\" }".to_owned();
    scene.check().refused(&["`digit`", "all whole", "kind = \"classes\""]);
    scene.columns = "digit = { kind = \"classes\" }".to_owned();
    scene.run(&[]).success();
    let rows = scene.query("SELECT n_samples, n_train FROM measurements WHERE measure = 'accuracy'");
    assert_eq!(rows[0]["n_samples"].as_u64().unwrap() + rows[0]["n_train"].as_u64().unwrap(), 999);
}

#[test]
fn a_failed_measure_has_all_its_rows_and_a_reason() {
    let mut scene =
        scene(&["{ usable = { label = \"digit\", probe = { quadratic = {} }, code-length = {} } }", LINEAR]);
    scene.taps = "[\"conv1_act\"]".to_owned();
    let outcome = scene.run(&[]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let rows = scene.query("SELECT measure, value, error FROM measurements WHERE estimator = 'quadratic'");
    let names: Vec<&str> = rows.iter().map(|row| row["measure"].as_str().unwrap()).collect();
    assert_eq!(names, ["usable", "usable-calibrated", "usable-fraction", "accuracy", "code-length", "compression"]);
    for row in &rows {
        assert!(row["value"].is_null() && row["error"].as_str().unwrap().contains("random-features"), "{row}");
    }
    assert!(values(&scene, "estimator = 'linear' AND measure = 'usable'")["usable"] > 1.0);
}

#[test]
fn the_summary_says_what_is_left_of_each_label() {
    let mut scene = scene(&[LINEAR, "{ usable = { label = \"parity\", probe = { linear = {} } } }"]);
    scene.columns = PARITY.to_owned();
    let out = scene.run(&[]).success();
    common::contains_all(
        &out,
        &["usable, digit, linear (nats)", "part of each label that is readable", "parity, linear", " % at 4000"],
    );
}

#[test]
fn one_layer_on_disk_is_read_in_the_same_ways() {
    let scene = scene(&[]);
    let layer = scene.path("layer.npy");
    let values: Vec<f64> =
        digits().iter().enumerate().map(|(row, &digit)| digit as f64 + (row % 7) as f64 / 10.0).collect();
    fs::write(&layer, npy_f64(&[1000], &values)).unwrap();
    let labels = Archive::Digits.folder().join("labels.npy");
    let measure = |rest: &[&str]| {
        let arguments = ["measure", "usable", "--x", layer.to_str().unwrap(), "--labels", labels.to_str().unwrap()];
        let text = infoplane(arguments.iter().chain(rest)).success();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let found =
        measure(&["--probe", "{ nearest-mean = {} }", "--permutations", "19", "--given", layer.to_str().unwrap()]);
    assert!(
        found["accuracy"]["value"].as_f64().unwrap() > 0.9 && found["usable-calibrated"]["value"].is_f64(),
        "{found}"
    );
    assert!((found["null"]["p_value"].as_f64().unwrap() - 0.05).abs() < 1e-12, "{found}");
    assert!(found["usable-given"]["value"].as_f64().unwrap().abs() < 0.05, "{found}");
    let found = measure(&["--probe", "{ linear = {} }", "--numbers"]);
    assert!(found["r-squared"]["value"].as_f64().unwrap() > 0.95, "{found}");
}
