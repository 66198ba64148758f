//! Whole runs with measures of some of the samples only.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::{Archive, Scene, contains_all, infoplane, npy_i64};
use infoplane::samples::Array;
use serde_json::Value;

const ROSS: &str = "of = \"digit\", compress = { pca = { components = 2 } }, estimator = { ross = { neighbors = 3 } }, \
                    interval = { none = {} }";
const TYPICALITY: &str = "typicality = { compress = { pca = { components = 8 } }, neighbors = [10, 5] }";

fn scene(measures: &[String]) -> Scene {
    let mut scene = Scene::new(Archive::Digits, &[1, 4000]);
    "[\"fc1_act\", \"logits\"]".clone_into(&mut scene.taps);
    scene.measures = measures.join(", ");
    scene
}

/// The keys of `[samples]` end with `ids`.
fn with_typicality(scene: &mut Scene) {
    scene.ids = format!("{}\n{TYPICALITY}", scene.ids);
}

fn information(subset: &str) -> String {
    format!("{{ information = {{ {ROSS}, subset = {subset} }} }}")
}

fn usable(subset: &str) -> String {
    format!("{{ usable = {{ label = \"digit\", probe = {{ nearest-mean = {{}} }}, subset = {subset} }} }}")
}

fn column(name: &str) -> Vec<i64> {
    Array::read_npy(&Archive::Digits.folder().join(name)).unwrap().integers().unwrap()
}

/// The values of information by step and tap.
fn values(scene: &Scene) -> BTreeMap<String, f64> {
    let rows = scene.query("SELECT step, tap, value, n_samples FROM measurements WHERE measure = 'information'");
    rows.iter()
        .map(|row| (format!("{} {} {}", row["step"], row["tap"], row["n_samples"]), row["value"].as_f64().unwrap()))
        .collect()
}

#[test]
fn a_subset_is_measured_as_if_there_were_no_other_samples() {
    let ids = column("ids.npy");
    let some: Vec<i64> = ids.iter().copied().step_by(3).collect();
    let whole = |subset: &str| {
        format!("{{ information = {{ {}{subset} }} }}", ROSS.replace("pca = { components = 2 }", "none = {}"))
    };
    let subset = scene(&[whole(", subset = { ids = \"some.npy\" }")]);
    fs::write(subset.path("some.npy"), npy_i64(&[some.len()], &some)).unwrap();
    subset.run(&[]).success();
    // Information about a label looks at the samples whose label is known.
    let mut known = scene(&[whole("")]);
    let labels: Vec<i64> = column("labels.npy");
    let labels: Vec<i64> = (0..).zip(labels).map(|(row, digit)| if row % 3 == 0 { digit } else { -1 }).collect();
    fs::write(known.path("labels.npy"), npy_i64(&[labels.len()], &labels)).unwrap();
    "{ digit = \"labels.npy\" }".clone_into(&mut known.labels);
    "digit = { missing = [-1] }".clone_into(&mut known.columns);
    "loss = \"none\"".clone_into(&mut known.replay);
    known.run(&[]).success();
    // The same activations of the same batches: equal to the last bit.
    assert_eq!(values(&subset), values(&known));
    assert_eq!(values(&subset).len(), 4);
    assert!(values(&subset).keys().all(|key| key.ends_with(" 334")), "{:?}", values(&subset));
}

#[test]
fn typical_and_atypical_samples_stand_side_by_side() {
    let mut scene = scene(&[
        usable("{ typical = 0.5 }"),
        usable("{ atypical = 0.5 }"),
        "{ usable = { label = \"digit\", probe = { nearest-mean = {} } } }".to_owned(),
        "{ reconstruction = { decoder = { linear = {} }, per-sample = true, subset = { typical = 0.5 } } }".to_owned(),
    ]);
    with_typicality(&mut scene);
    let plan = scene.check().success();
    contains_all(&plan, &["typicality   by the distance of neighbor 10", "of them of typical 0.5 (500 samples)"]);
    let summary = scene.run(&[]).success();
    contains_all(
        &summary,
        &[
            "usable, digit, nearest-mean, of typical 0.5 (nats)",
            "usable, digit, nearest-mean, of atypical 0.5",
            // What is readable, beside that of other samples.
            "digit, nearest-mean, typical 0.5",
        ],
    );
    let rows = scene.query(
        "SELECT subset, value, n_samples, n_train FROM measurements WHERE measure = 'usable' AND step = 4000 AND tap = 'fc1_act'",
    );
    let of = |subset: Value| rows.iter().find(|row| row["subset"] == subset).unwrap();
    let count = |subset: Value, name: &str| of(subset)[name].as_i64().unwrap();
    for name in ["n_samples", "n_train"] {
        // Who judges does so in every subset.
        let (typical, atypical) = (count("typical 0.5".into(), name), count("atypical 0.5".into(), name));
        assert_eq!(typical + atypical, count(Value::Null, name));
    }
    let ranks = scene.query("SELECT sample, \"rank\", distance FROM typicality WHERE neighbors = 10 ORDER BY \"rank\"");
    assert_eq!(ranks.len(), 1000);
    let distances: Vec<f64> = ranks.iter().map(|row| row["distance"].as_f64().unwrap()).collect();
    assert!(distances.is_sorted() && distances[0] > 0.0);
    // The samples of the reconstruction are among the first half.
    let typical: Vec<&Value> = ranks[..500].iter().map(|row| &row["sample"]).collect();
    let rebuilt = scene.query("SELECT DISTINCT sample FROM samples WHERE subset = 'typical 0.5'");
    assert!(rebuilt.len() > 100 && rebuilt.iter().all(|row| typical.contains(&&row["sample"])));
}

/// The density of the last typical sample takes the same ones as their part of all.
#[test]
fn a_threshold_takes_the_samples_that_are_as_dense() {
    let mut by_part = scene(&[information("{ typical = 0.3 }")]);
    with_typicality(&mut by_part);
    by_part.run(&[]).success();
    let last = "SELECT log_density FROM typicality WHERE neighbors = 10 AND \"rank\" = 299";
    let least = by_part.query(last)[0]["log_density"].as_f64().unwrap();
    let mut by_density =
        scene(&[information(&format!("{{ denser = {least:?} }}")), information(&format!("{{ sparser = {least:?} }}"))]);
    with_typicality(&mut by_density);
    by_density.run(&[]).success();
    let (part, mut density) = (values(&by_part), values(&by_density));
    assert!(part.keys().all(|key| key.ends_with(" 300")), "{part:?}");
    density.retain(|key, _| key.ends_with(" 300"));
    assert_eq!(part, density);
    assert_eq!(values(&by_density).keys().filter(|key| key.ends_with(" 700")).count(), 4);
    for (subset, words) in
        [("{ sparser = -1e9 }", "found no sample of `ln p below"), ("{ denser = nan }", "found ln p of NaN")]
    {
        let mut refused = scene(&[information(subset)]);
        with_typicality(&mut refused);
        refused.run(&[]).refused(&[words]);
    }
}

#[test]
fn a_class_by_itself_and_the_same_rows_with_any_number_of_threads() {
    let scene = scene(&[
        "{ reconstruction = { decoder = { linear = {} } } }".to_owned(),
        "{ reconstruction = { decoder = { linear = {} }, subset = { label = { column = \"digit\", is = 3 } } } }"
            .to_owned(),
    ]);
    scene.run(&["--threads", "1"]).success();
    let rows =
        scene.query("SELECT subset, n_samples + n_train AS n FROM measurements WHERE measure = 'reconstruction'");
    let threes = column("labels.npy").into_iter().filter(|&digit| digit == 3).count();
    assert!(rows.iter().filter(|row| row["subset"] == "digit = 3").all(|row| row["n"] == threes));
    let part = |folder: &str| fs::read(scene.path(folder).join("data/measurements/step=1/part.parquet")).unwrap();
    let other = scene.path("other");
    scene.run(&["--threads", "2", "--output", other.to_str().unwrap()]).success();
    assert_eq!(part("results"), part("other"));
    infoplane(["finish".as_ref(), scene.results().as_os_str()]).success();
}

#[test]
fn what_is_no_subset_is_refused() {
    let refused = |subset: &str, words: &[&str]| scene(&[information(subset)]).run(&[]).refused(words);
    refused("{ typical = 0.5 }", &["measure 1", "found no `[samples.typicality]`"]);
    refused("{ label = { column = \"colour\", is = 1 } }", &["no label column `colour`", "digit"]);
    refused("{ label = { column = \"digit\", is = 17 } }", &["found no sample of `digit = 17`"]);
    refused("{ ids = \"none.npy\" }", &["none.npy"]);
    refused("{ typical = 1.5 }", &["line", "found 1.5"]);
    let mut none_left = scene(&[information("{ typical = 0.0001 }")]);
    with_typicality(&mut none_left);
    none_left.run(&[]).refused(&["takes 0 of 1000 samples"]);
    let based = information("{ label = { column = \"digit\", is = 3 } }")
        .replace("components = 2", "components = 2, basis = \"last\"");
    scene(&[common::ROSS.to_owned(), based]).run(&[]).refused(&["measure 2", "`basis`", "`subset`"]);
}

/// A few neighbors' worth of samples, the last hidden layer and the logits.
fn gradients(measures: &[&str]) -> Scene {
    let mut scene = Scene::new(Archive::Digits, &[1, 4000]);
    "[\"fc1_act\", \"logits\"]".clone_into(&mut scene.taps);
    scene.measures = measures.join(", ");
    scene
}

#[test]
fn gradients_of_the_last_layer_are_those_of_the_command() {
    let mut scene = gradients(&[
        "{ gradient = { batch = 32, compat = true, mixture = { typical = 0.5, counts = [24, 8] } } }",
        "{ gradient = { batch = 32, subset = { typical = 0.5 } } }",
    ]);
    with_typicality(&mut scene);
    scene.run(&[]).success();
    let rows =
        scene.query("SELECT step, tap, measure, subset, unit, value, std_error, n_samples, details FROM measurements");
    assert!(rows.iter().all(|row| row["tap"] == "fc1_act") && rows.len() == 8, "{rows:?}");
    let of = |step: i64, measure: &str, subset: Value| {
        rows.iter().find(|row| row["step"] == step && row["measure"] == measure && row["subset"] == subset).unwrap()
    };
    let details = |row: &Value| serde_json::from_str::<Value>(row["details"].as_str().unwrap()).unwrap();
    let early = of(1, "gradient-snr", Value::Null);
    let (signal, noise) =
        (details(early)["squared_signal"].as_f64().unwrap(), details(early)["noise"].as_f64().unwrap());
    // SNR_b = √(b |μ|²/tr Σ), a few roundings.
    assert!((early["value"].as_f64().unwrap() - (32.0 * signal / noise).sqrt()).abs() < 1e-12);
    assert_eq!((&early["n_samples"], &early["unit"]), (&1000.into(), &"ratio".into()));
    assert_eq!(of(1, "gradient-snr", "typical 0.5".into())["n_samples"], 500);
    let mixture = details(of(1, "mixture-snr", Value::Null));
    let draw = |name: &str, what: &str| mixture[name][what].as_f64().unwrap();
    assert!(draw("mixture", "squared_bias") > 0.0 && draw("proportional", "squared_bias") == 0.0);
    assert!(draw("neyman", "variance") <= draw("proportional", "variance"));
    assert!(draw("proportional", "variance") <= draw("simple_random", "variance"));
    let published = of(1, "gradient-snr-compat", Value::Null);
    let (signal, noise) = (&details(published)["signal"], &details(published)["noise"]);
    let expected = signal.as_f64().unwrap().powi(2) / noise.as_f64().unwrap();
    assert!(
        (published["value"].as_f64().unwrap() / expected - 1.0).abs() < 1e-12 && published["unit"] == "gradient-units"
    );
}

#[test]
fn gradients_of_every_layer_hold_that_of_the_last() {
    let scene = gradients(&[
        "{ gradient = { batch = 32, layers = \"all\", compat = true } }",
        "{ gradient = { batch = 32, compat = true } }",
        "{ gradient = { batch = 32, layers = \"all\", subset = { label = { column = \"digit\", is = 3 } } } }",
    ]);
    scene.run(&[]).success();
    let rows = scene.query(
        "SELECT step, tap, tap_index, measure, subset, estimator, value, std_error, n_samples, details FROM measurements",
    );
    let of = |estimator: &str, measure: &str, step: i64| {
        let asked =
            move |row: &&Value| row["estimator"] == estimator && row["measure"] == measure && row["step"] == step;
        rows.iter().filter(move |row| asked(row) && row["subset"].is_null()).collect::<Vec<_>>()
    };
    for step in [1, 4000] {
        for measure in ["gradient-snr", "gradient-snr-compat"] {
            let every = of("every-layer", measure, step);
            let taps: Vec<&str> = every.iter().map(|row| row["tap"].as_str().unwrap()).collect();
            assert_eq!(taps, ["conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight"]);
            assert_eq!(every.iter().map(|row| row["tap_index"].as_i64().unwrap()).collect::<Vec<_>>(), [2, 3, 4, 5]);
            assert!(every.iter().all(|row| row["value"].as_f64().is_some_and(f64::is_finite)), "{every:?}");
        }
        // The last layer from activations in single precision: seven digits of each.
        let (every, last) = (of("every-layer", "gradient-snr", step)[3], of("last-layer", "gradient-snr", step)[0]);
        for column in ["value", "std_error"] {
            let (every, last) = (every[column].as_f64().unwrap(), last[column].as_f64().unwrap());
            assert!((every / last - 1.0).abs() < 1e-4, "{column} at {step}: {every} {last}");
        }
        let details: Value = serde_json::from_str(every["details"].as_str().unwrap()).unwrap();
        assert_eq!(details["parameters"], serde_json::json!(["fc2.weight", "fc2.bias"]));
        // The published sums run over the layers before.
        let parts = of("every-layer", "gradient-snr-compat", step);
        let part = |row: &Value, what: &str| {
            serde_json::from_str::<Value>(row["details"].as_str().unwrap()).unwrap()[what].as_f64().unwrap()
        };
        let sum = |what: &str| parts.iter().map(|row| part(row, what)).sum::<f64>();
        let expected = sum("signal").powi(2) / sum("noise");
        assert!((parts[3]["value"].as_f64().unwrap() / expected - 1.0).abs() < 1e-12);
        let last = of("last-layer", "gradient-snr-compat", step)[0];
        assert!((part(parts[3], "signal") / part(last, "signal") - 1.0).abs() < 1e-4);
    }
    assert_eq!(rows.iter().filter(|row| !row["subset"].is_null()).count(), 2 * 4);
}

#[test]
fn gradients_of_every_layer_that_cannot_be_told_are_refused() {
    let ask = "{ gradient = { batch = 32, layers = \"all\" } }";
    let mut without = gradients(&[ask]);
    "loss = \"none\"".clone_into(&mut without.replay);
    without.run(&[]).refused(&["measure 1", "the network's own loss, and there is none"]);
    gradients(&["{ gradient = { batch = 32, layers = \"all\", mixture = { typical = 0.5, counts = [24, 8] } } }"])
        .run(&[])
        .refused(&["found `mixture`, which is of the last layer"]);
    gradients(&["{ gradient = { batch = 32, layers = \"some\" } }"]).run(&[]).refused(&["some", "last", "all"]);
}

#[test]
fn gradients_that_are_not_of_the_last_layer_are_refused() {
    let ask = "{ gradient = { batch = 32 } }";
    let mut missing = gradients(&[ask]);
    "[\"conv1_act\"]".clone_into(&mut missing.taps);
    missing.run(&[]).refused(&["measure 1 (`gradient-snr`)", "`fc1_act`, which is no tap"]);
    let mut without = gradients(&[ask]);
    "loss = \"none\"".clone_into(&mut without.replay);
    without.run(&[]).refused(&["measure 1", "the network's own loss, and there is none"]);
    gradients(&["{ gradient = { batch = 32, mixture = { typical = 0.5, counts = [24, 8] } } }"])
        .run(&[])
        .refused(&["found no `[samples.typicality]`"]);
}

#[test]
fn typical_samples_of_a_layer_are_held_against_those_of_the_inputs() {
    let mut scene = gradients(&[
        "{ typicality = { compress = { pca = { components = 8 } }, neighbors = [10, 5], per-sample = true } }",
    ]);
    with_typicality(&mut scene);
    scene.run(&[]).success();
    let rows = scene.query("SELECT tap, value, null_mean, null_high, n_samples, n_components FROM measurements");
    // By either neighbor against the inputs, and one against the other.
    assert_eq!(rows.len(), 2 * 2 * 3);
    for row in &rows {
        // 1.645 deviations of a hypergeometric share: ½/√999.
        assert!((row["null_high"].as_f64().unwrap() - 0.5 - 1.644_853_6 * 0.5 / 999_f64.sqrt()).abs() < 1e-9);
        assert!((0.5..1.0).contains(&row["value"].as_f64().unwrap()) && row["n_samples"] == 1000, "{row}");
    }
    assert_eq!(scene.query("SELECT COUNT(*) AS n FROM samples WHERE measure = 'typical-overlap'")[0]["n"], 4000);
    let agreement = &scene.query("SELECT * FROM agreement");
    assert_eq!(agreement.len(), 1);
    let of = |name: &str| agreement[0][name].as_f64().unwrap();
    for (name, expected) in [("neighbors", 10), ("other_neighbors", 5), ("n_samples", 1000)] {
        assert_eq!(agreement[0][name], expected, "{agreement:?}");
    }
    assert!((of("fraction") - 0.5).abs() < 1e-12);
    // As far as the table of densities itself says, sample by sample.
    let shared = "SELECT COUNT(*) AS n FROM typicality a JOIN typicality b ON a.sample = b.sample \
                  WHERE a.neighbors = 10 AND b.neighbors = 5 AND a.rank < 500 AND b.rank < 500";
    assert!((of("overlap") - scene.query(shared)[0]["n"].as_f64().unwrap() / 500.0).abs() < 1e-12);
    assert!(of("rank_correlation") > 0.9 && of("overlap") > 0.8, "{agreement:?}");
    // A layer beside another one: of itself all typical samples are, of a nearer one more than of the inputs.
    let of = |other: &str| {
        format!(
            "{{ typicality = {{ of = \"{other}\", compress = {{ pca = {{ components = 8 }} }}, neighbors = [10] }} }}"
        )
    };
    let mut layers = gradients(&[]);
    layers.measures = [of("fc1_act"), of("input")].join(", ");
    with_typicality(&mut layers);
    layers.run(&[]).success();
    let values = layers.query("SELECT tap, variable, value FROM measurements WHERE step = 4000 ORDER BY tap, variable");
    let values: Vec<f64> = values.iter().map(|row| row["value"].as_f64().unwrap()).collect();
    let [itself, of_inputs, of_logits, logits_of_inputs] = values[..] else { panic!("{values:?}") };
    assert!((itself - 1.0).abs() < 1e-12 && of_logits > logits_of_inputs && of_inputs < 1.0, "{values:?}");
    gradients(&["{ typicality = { of = \"fc9\", neighbors = [5] } }"])
        .run(&[])
        .refused(&["found no tap `fc9` for `of`"]);
    gradients(&["{ typicality = { neighbors = [5] } }"]).run(&[]).refused(&["found no `[samples.typicality]`"]);
}

#[test]
fn codebooks_cost_and_keep_more_the_larger_they_are() {
    let mut scene = gradients(&[
        "{ codebook = { label = \"digit\", compress = { pca = { components = 4 } }, sizes = [4, 16], \
           frontier = { steps = 8, largest = 32.0, starts = 1, clusters = 10 } } }",
        "{ codebook = { label = \"digit\", compress = { pca = { components = 4 } }, sizes = [16], block = 2 } }",
    ]);
    "[\"fc1_act\"]".clone_into(&mut scene.taps);
    scene.run(&[]).success();
    let rows = scene.query("SELECT measure, parameters, value, details FROM measurements WHERE step = 4000");
    assert_eq!(rows.len(), 2 * 3 + 2);
    let of = |measure: &str, size: &str| {
        let is = |row: &&Value| row["measure"] == measure && row["parameters"].as_str().unwrap().contains(size);
        rows.iter().find(is).unwrap()
    };
    let value = |measure: &str, size: &str| of(measure, size)["value"].as_f64().unwrap();
    for measure in ["codebook-relevance", "codebook-rate"] {
        assert!(value(measure, "[4]") < value(measure, "[16],\"block\":1"), "{rows:?}");
        assert!(value(measure, "[16],\"block\":2") < value(measure, "[16],\"block\":1"), "{rows:?}");
    }
    // What held-out samples cost may exceed the logarithm of the size by what their frequencies differ: some per cent.
    assert!(value("codebook-rate", "[4]") < 1.05 * 4_f64.ln());
    let details: Value = serde_json::from_str(of("codebook-gap", "[4]")["details"].as_str().unwrap()).unwrap();
    let [at_most, relevance, distortion, information] =
        ["at_most", "relevance", "distortion", "information"].map(|name| details[name].as_f64().unwrap());
    // E d_IB = I(X; Y) − I(T; Y), both summed as they are defined.
    assert!((distortion - (information - relevance)).abs() < 1e-12);
    assert!(value("codebook-gap", "[4]") > 0.0 && at_most >= value("codebook-gap", "[4]"));
}

#[test]
fn codebooks_of_samples_and_blocks_stand_beside_the_frontier_of_a_probe() {
    let frontier = "frontier = { steps = 6, largest = 32.0, starts = 1, clusters = 10, iterations = 300 }";
    let own = "posterior = { probe = { nearest-mean = {} } }";
    let measure = |asked: &str| {
        format!(
            "{{ codebook = {{ label = \"digit\", compress = {{ pca = {{ components = 4 }} }}, sizes = [16], {asked} }} }}"
        )
    };
    let measures = [
        format!("{frontier}, {own}"),
        format!("block = 2, {frontier}, {own}"),
        format!("block = 4, {frontier}"),
        format!("{frontier}, posterior = {{ probe = {{ nearest-mean = {{}} }}, of = \"fc1_act\" }}"),
    ];
    let mut scene = gradients(&[]);
    scene.measures = measures.iter().map(|asked| measure(asked)).collect::<Vec<_>>().join(", ");
    "[\"fc1_act\"]".clone_into(&mut scene.taps);
    scene.run(&[]).success();
    let rows = scene.query(
        "SELECT value, parameters, details FROM measurements WHERE step = 4000 AND measure = 'codebook-gap' ORDER BY parameters",
    );
    assert_eq!(rows.len(), 4);
    let details: Vec<Value> =
        rows.iter().map(|row| serde_json::from_str(row["details"].as_str().unwrap()).unwrap()).collect();
    for (row, details) in rows.iter().zip(&details) {
        let of = |name: &str| details[name].as_f64().unwrap();
        assert!((of("distortion") - (of("information") - of("relevance"))).abs() < 1e-12, "{row}");
        // Codewords by distance lie below the frontier, and nothing keeps more than its rate, or than there is.
        let gap = row["value"].as_f64().unwrap();
        assert!(gap > 0.0 && of("at_most") >= gap, "{row}");
        assert!(of("relevance") > 0.0 && of("relevance") < of("rate").min(of("information")), "{row}");
        // At a quarter of the rate of sixteen codewords a sample.
        let most = 16_f64.ln() / if row["parameters"].as_str().unwrap().contains("\"block\":4") { 4.0 } else { 1.0 };
        assert!(of("rate") <= most, "{row}");
        // What a probe claims of its own posteriors is about what they are worth on samples it has not seen.
        assert!((of("posterior_usable") - of("information")).abs() < 0.3, "{row}");
    }
    let information = |part: &str| {
        let place = rows.iter().position(|row| row["parameters"].as_str().unwrap().contains(part)).unwrap();
        details[place]["information"].as_f64().unwrap()
    };
    // The trained layer tells more of the digit than the pixels do, by class means.
    assert!(information("\"of\":\"fc1_act\"") > information("\"of\":\"input\""), "{rows:?}");
    for (asked, words) in [
        ("posterior = { probe = { linear = {} } }", "found `posterior` without `frontier`"),
        ("frontier = {}, posterior = { probe = { linear = {} }, of = \"fc9\" }", "`posterior`: found no tap `fc9`"),
    ] {
        gradients(&[&measure(asked)]).run(&[]).refused(&["measure 1 (`codebook-relevance`)", words]);
    }
    let mut lossless = gradients(&[&measure(frontier)]);
    "loss = \"none\"".clone_into(&mut lossless.replay);
    lossless.run(&[]).refused(&["`frontier` goes by the network's own output, and there is none", "posterior = {"]);
}

#[test]
fn weights_move_as_two_checkpoints_say() {
    let drift = |arguments: &[&str]| {
        let folder = Archive::Digits.folder().display().to_string();
        infoplane([&["drift", &folder, "--format", "json"], arguments].concat())
    };
    let rows: Vec<Value> = serde_json::from_str(&drift(&["--moves", "3"]).success()).unwrap();
    // 28 checkpoints and 8 tensors.
    assert_eq!(rows.len(), 25 * 8);
    let first = rows.iter().find(|row| row["tensor"] == "fc2.bias").unwrap();
    assert_eq!((&first["from_step"], &first["n_weights"]), (&0.into(), &10.into()));
    let [mean, squared, noise, to] =
        ["squared_mean", "squared_drift", "noise", "to_step"].map(|name| first[name].as_f64().unwrap());
    assert!(mean > 0.0 && noise > 0.0 && (squared - (mean - noise / to)).abs() < 1e-12 * mean);
    drift(&["--moves", "1"]).refused(&["needed 2 moves"]);
    drift(&["--moves", "28"]).refused(&["found 28 checkpoints"]);
}
