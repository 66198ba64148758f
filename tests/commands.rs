//! Transcripts of the commands that look and measure without a run.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::f64::consts::LN_2;
use std::fs;
use std::path::PathBuf;

use common::{Archive, Outcome, contains_all, infoplane as run_program, npy, npy_f32, npy_f64, npy_i64, repository};
use infoplane::estimate::random::SplitMix64;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Text without its line breaks, which depend on the terminal.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn help_names_the_commands_and_the_exit_codes() {
    let help = unwrapped(&run_program(["--help"]).success());
    contains_all(
        &help,
        &["Usage: infoplane [OPTIONS] <COMMAND>", "safetensors checkpoints", "Parquet", "Exit codes: 0 all good"],
    );
    contains_all(
        &help,
        &[
            "65 a checkpoint is corrupt",
            "75 stopped by SIGTERM",
            "130 stopped by SIGINT",
            "infoplane run pipelines/digits.toml",
            "--offline",
        ],
    );
    let commands = [
        (
            "run",
            &["[PIPELINE]", "--plan <FILE>", "--memory <SIZE>", "--threads", "--shard <I/N>", "--output <FOLDER>"][..],
        ),
        ("plan", &["<PIPELINE>", "--output <FILE>", "--results <FOLDER>", "--memory <SIZE>", "--taps-per-unit <TAPS>"]),
        ("status", &["[RESULTS]", "--plan <FILE>", "--json"]),
        ("submit", &["slurm", "kubernetes", "hyperqueue", "--plan <FILE>", "--shards <SHARDS>", "--memory <SIZE>"]),
        ("finish", &["[RESULTS]", "--plan <FILE>", "--json"]),
        ("check", &["<PIPELINE>"]),
        ("inspect", &["<PATH>"]),
        ("measure", &["information", "usable", "reconstruction", "bottleneck", "gradient", "typicality"]),
        ("verify", &["--estimator", "--known", "--distribution", "--samples", "--draws", "--json"]),
        ("report", &["<RESULTS>...", "--output <FILE>"]),
        ("plot", &["<RESULTS>", "--output <FILE>", "--measure", "--until <STEP>", "curves", "heat-map", "plane"]),
        ("query", &["<RESULTS>", "<SQL>", "--format", "csv", "json", "table"]),
    ];
    for (name, words) in commands {
        assert!(help.contains(&format!(" {name} ")), "{name}");
        contains_all(&unwrapped(&run_program([name, "--help"]).success()), words);
    }
    let version = run_program(["--version"]).success();
    assert_eq!(version, format!("infoplane {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in
        [&["run", "p.toml", "--shard", "3/3"][..], &["run", "p.toml", "--threads", "0"], &["measure"], &["fly"], &[]]
    {
        let outcome = run_program(arguments);
        assert_eq!(outcome.code, Some(64), "{outcome:?}");
        assert!(outcome.out.is_empty() && !outcome.err.is_empty(), "{outcome:?}");
    }
    contains_all(&run_program(["run", "p.toml", "--shard", "3/3"]).err, &["3/3", "needed I/N with I from 0 to N − 1"]);
}

#[test]
fn figures_and_pages_of_nothing_are_refused() {
    let outcome = run_program(["plot", "nowhere", "-o", "figure.jpg"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    contains_all(&outcome.err, &["figure.jpg", ".svg", ".png"]);
    let outcome = run_program(["report", "nowhere", "-o", "page.html"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    contains_all(&outcome.err, &["nowhere", "found no results"]);
}

#[test]
fn inspect_lists_the_tensors_of_a_checkpoint() {
    let path = Archive::Digits.checkpoint(258);
    let out = run_program(["inspect".as_ref(), path.as_os_str()]).success();
    let expected = "8 tensors, step 258\n\
        F32    [8]                  conv1.bias\n\
        F32    [8, 1, 3, 3]         conv1.weight\n\
        F32    [12]                 conv2.bias\n\
        F32    [12, 8, 3, 3]        conv2.weight\n\
        F32    [24]                 fc1.bias\n\
        F32    [24, 192]            fc1.weight\n\
        F32    [10]                 fc2.bias\n\
        F32    [10, 24]             fc2.weight\n";
    assert_eq!(out, format!("{}: {expected}", path.display()));
}

#[test]
fn inspect_lists_the_checkpoints_of_a_series() {
    let pattern = Archive::DigitsFlax.folder().join("step-00000*.safetensors");
    let out = run_program(["inspect".as_ref(), pattern.as_os_str()]).success();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], format!("{}: 8 checkpoints", pattern.display()));
    assert_eq!(lines[1], "           0     6 tensors  step-000000.safetensors");
    assert_eq!(lines[8], "           9     6 tensors  step-000009.safetensors");
    assert_eq!(lines.len(), 9);
}

#[test]
fn inspect_lists_what_can_be_tapped() {
    let out = run_program(["inspect".as_ref(), Archive::DigitsFlax.folder().join("model.onnx").as_os_str()]).success();
    assert_eq!(
        out,
        "inputs
  float32   [?, 64]              input
tappable tensors (give these names or globs as `taps`; * one a block)
  float32   [?, 48]              h1_pre  from Gemm
* float32   [?, 48]              h1  from Tanh
  float32   [?, 24]              h2_pre  from Gemm
* float32   [?, 24]              h2  from Tanh
* float32   [?, 10]              logits  from Gemm  (output)
suggested
  taps = [\"h1\", \"h2\", \"logits\"]
weights
  F32       [64, 48]             const_0
  F32       [48]                 const_1
  F32       [48, 24]             const_2
  F32       [24]                 const_3
  F32       [24, 10]             const_4
  F32       [10]                 const_5
"
    );
}

#[test]
fn inspect_refuses_what_it_does_not_know() {
    run_program(["inspect".as_ref(), repository("data/README.md").as_os_str()]).refused(&["data/README.md"]);
    run_program(["inspect", "/nowhere"]).refused(&["`/nowhere`"]);
}

/// A folder of arrays.
struct Arrays(TempDir);

impl Arrays {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn put(&self, name: &str, bytes: Vec<u8>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// `infoplane measure`, where `@name` stands for a file of this folder.
    fn try_measure(&self, arguments: &[&str]) -> Outcome {
        let full = |word: &&str| match word.strip_prefix('@') {
            Some(name) => self.0.path().join(name).display().to_string(),
            None => (*word).to_owned(),
        };
        run_program(["measure".to_owned()].into_iter().chain(arguments.iter().map(full)))
    }

    /// The object that `infoplane measure` prints.
    fn measure_any(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.try_measure(arguments).success()).unwrap()
    }

    /// The object that `infoplane measure` prints, checked to have every field.
    fn measure(&self, arguments: &[&str]) -> Value {
        let object: Value = serde_json::from_str(&self.try_measure(arguments).success()).unwrap();
        for field in ["value", "unit", "std_error", "n_samples", "flags", "estimator", "version"] {
            assert!(object.get(field).is_some(), "`{field}` is missing in {object}");
        }
        assert_eq!(object["version"], env!("CARGO_PKG_VERSION"));
        assert!(object["value"].is_f64() && object["flags"].is_array(), "{object}");
        object
    }
}

#[track_caller]
fn close(object: &Value, expected: f64, tolerance: f64) {
    let value = object["value"].as_f64().unwrap();
    assert!((value - expected).abs() < tolerance, "found {value}, needed {expected}");
}

/// The golden sets, as `methods.md` sections 8.2 and 8.3 define them: x and y.
fn golden_sets() -> [[Vec<f64>; 2]; 2] {
    let mut random = SplitMix64::new(1);
    let uniform = (0..500).map(|_| (random.uniform(), random.uniform())).map(|(u, v)| (u, u + 0.5 * v)).unzip();
    let mut random = SplitMix64::new(2);
    let normal = (0..500).map(|_| random.normal_pair()).map(|(a, b)| (a, 0.75 * a + 0.4375_f64.sqrt() * b)).unzip();
    [uniform, normal].map(|(x, y): (Vec<f64>, Vec<f64>)| [x, y])
}

#[test]
fn ksg_and_gaussian_give_the_golden_numbers() {
    let sums = [[246.576_827_666_220, 364.230_700_072_250], [-1.098_401_234_920, -11.504_797_032_476]];
    let ksg = [
        [1.032_853_159_918, 0.995_540_929_026, 0.921_868_552_942, 0.890_225_133_858],
        [0.449_850_888_500, 0.333_615_654_920, 0.351_447_985_599, 0.367_327_564_692],
    ];
    let gaussian = [0.825_744_248_778_327_1, 0.366_805_959_050_928];
    for (set, [x, y]) in golden_sets().into_iter().enumerate() {
        assert!((x.iter().sum::<f64>() - sums[set][0]).abs() < 1e-10);
        assert!((y.iter().sum::<f64>() - sums[set][1]).abs() < 1e-10);
        let arrays = Arrays::new();
        arrays.put("x.npy", npy_f64(&[500, 1], &x));
        arrays.put("y.npy", npy_f64(&[500], &y));
        for (neighbors, expected) in [1, 3, 5, 10].into_iter().zip(ksg[set]) {
            let estimator = format!("{{ ksg = {{ neighbors = {neighbors} }} }}");
            let object = arrays.measure(&["information", "--x", "@x.npy", "--y", "@y.npy", "--estimator", &estimator]);
            close(&object, expected, 1e-9);
            assert_eq!(object["estimator"]["ksg"]["neighbors"], neighbors);
            assert_eq!((&object["unit"], &object["n_samples"]), (&json!("nats"), &json!(500)));
            assert!(object["std_error"].as_f64().is_some_and(|error| error > 0.0 && error < 0.2), "{object}");
        }
        let object =
            arrays.measure(&["information", "--x", "@x.npy", "--y", "@y.npy", "--estimator", "{ gaussian = {} }"]);
        close(&object, gaussian[set], 1e-9);
        // Both measures are symmetric.
        let estimator = "{ ksg = { neighbors = 3 } }";
        close(
            &arrays.measure(&["information", "--x", "@y.npy", "--y", "@x.npy", "--estimator", estimator]),
            ksg[set][1],
            1e-9,
        );
    }
}

#[test]
fn arrays_of_any_number_type_are_read() {
    let arrays = Arrays::new();
    let x: Vec<i64> = (0..200).map(|row| (row * 37) % 101).collect();
    let y: Vec<i64> = (0..200).map(|row| (row * 53) % 97 + (row * 37) % 101).collect();
    let wide = |values: &[i64]| values.iter().map(|&value| value as f64).collect::<Vec<_>>();
    arrays.put("y.npy", npy_f64(&[200], &wide(&y)));
    let mut found = Vec::new();
    let narrow: Vec<f32> = x.iter().map(|&value| f32::from(i16::try_from(value).unwrap())).collect();
    let bytes: Vec<u8> = x.iter().map(|&value| u8::try_from(value).unwrap()).collect();
    let big_endian: Vec<u8> = wide(&x).iter().flat_map(|value| value.to_be_bytes()).collect();
    for (name, array) in [
        ("f64.npy", npy_f64(&[200, 1], &wide(&x))),
        ("f32.npy", npy_f32(&[200, 1], &narrow)),
        ("i64.npy", npy_i64(&[200], &x)),
        ("u8.npy", npy("|u1", &[200], &bytes)),
        ("big.npy", npy(">f8", &[200, 1], &big_endian)),
    ] {
        arrays.put(name, array);
        let estimator = "{ ksg = { neighbors = 3 } }";
        found.push(arrays.measure(&["information", "--x", &format!("@{name}"), "--y", "@y.npy", "--estimator", estimator])["value"].clone());
    }
    assert!(found.iter().all(|value| *value == found[0]), "{found:?}");
}

/// Points around one of three centers on a line, and which.
fn clusters(distance: f64) -> (Vec<f64>, Vec<i64>) {
    let mut random = SplitMix64::new(3);
    (0..600_i32).map(|row| (f64::from(row % 3) * distance + random.normal_pair().0, i64::from(row % 3 - 1))).unzip()
}

#[test]
fn ross_sees_labels_that_are_apart_and_none_that_are_not() {
    let arrays = Arrays::new();
    for (distance, expected, tolerance) in [(100.0, 3_f64.ln(), 0.02), (0.0, 0.0, 0.1)] {
        let (x, labels) = clusters(distance);
        arrays.put("x.npy", npy_f64(&[600], &x));
        arrays.put("y.npy", npy_i64(&[600], &labels));
        let object = arrays.measure(&[
            "information",
            "--x",
            "@x.npy",
            "--labels",
            "@y.npy",
            "--estimator",
            "{ ross = { neighbors = 3 } }",
        ]);
        close(&object, expected, tolerance);
        assert_eq!((&object["unit"], &object["estimator"]), (&json!("nats"), &json!({ "ross": { "neighbors": 3 } })));
    }
}

#[test]
fn usable_information_is_the_entropy_where_labels_are_apart() {
    let arrays = Arrays::new();
    let (x, labels) = clusters(100.0);
    arrays.put("x.npy", npy_f64(&[600, 1], &x));
    arrays.put("y.npy", npy_i64(&[600], &labels));
    let object = arrays.measure(&["usable", "--x", "@x.npy", "--labels", "@y.npy", "--probe", "{ linear = {} }"]);
    close(&object, 3_f64.ln(), 0.03);
    assert_eq!((&object["unit"], &object["n_samples"]), (&json!("nats"), &json!(180)));
    assert!(object["estimator"]["linear"].is_object());
    // Test samples of one's own.
    arrays.put("test.npy", npy_f64(&[60, 1], &x[..60]));
    arrays.put("answers.npy", npy_i64(&[60], &labels[..60]));
    let own =
        ["usable", "--x", "@x.npy", "--labels", "@y.npy", "--test-x", "@test.npy", "--test-labels", "@answers.npy"];
    let object = arrays.measure(&[&own[..], &["--probe", "{ linear = {} }"]].concat());
    close(&object, 3_f64.ln(), 0.03);
    assert_eq!(object["n_samples"], 60);
    // A layer that knows nothing of the label.
    let (noise, _) = clusters(0.0);
    arrays.put("noise.npy", npy_f64(&[600, 1], &noise));
    let object = arrays.measure(&["usable", "--x", "@noise.npy", "--labels", "@y.npy", "--probe", "{ linear = {} }"]);
    close(&object, 0.0, 0.05);
    // The split is a choice of the seed, and only of it.
    let seeded = |seed: &str| {
        arrays.measure(&[
            "usable",
            "--x",
            "@noise.npy",
            "--labels",
            "@y.npy",
            "--probe",
            "{ linear = {} }",
            "--seed",
            seed,
        ])["value"]
            .clone()
    };
    assert_eq!(seeded("1"), object["value"]);
    assert_ne!(seeded("2"), object["value"]);
}

#[test]
fn reconstruction_is_the_noise_that_is_left() {
    let arrays = Arrays::new();
    let mut random = SplitMix64::new(4);
    let pairs: Vec<(f64, f64)> = (0..2000).map(|_| random.normal_pair()).collect();
    let x: Vec<f64> = pairs.iter().flat_map(|&(a, b)| [a, b]).collect();
    arrays.put("x.npy", npy_f64(&[2000, 2], &x));
    arrays.put("exact.npy", npy_f64(&[2000], &pairs.iter().map(|&(a, b)| 3.0 * a - b + 7.0).collect::<Vec<_>>()));
    arrays.put("first.npy", npy_f64(&[2000], &pairs.iter().map(|&(a, _)| a).collect::<Vec<_>>()));
    arrays.put("images.npy", npy_f64(&[2000, 1, 1, 2], &x));
    let rebuild = |x: &str, target: &str| {
        arrays.measure(&["reconstruction", "--x", x, "--target", target, "--decoder", "{ linear = {} }"])
    };
    let object = rebuild("@x.npy", "@exact.npy");
    close(&object, 0.0, 1e-6);
    assert_eq!((&object["unit"], &object["n_samples"]), (&json!("squared-units"), &json!(600)));
    assert!(object["estimator"]["linear"].is_object());
    // From the first coordinate alone the second one's variance of 1 is left: 10 of 9 + 1 and half of the image.
    close(&rebuild("@first.npy", "@exact.npy"), 1.0, 0.2);
    close(&rebuild("@first.npy", "@images.npy"), 0.5, 0.1);
}

#[test]
fn bottleneck_places_an_encoder_below_the_frontier() {
    let arrays = Arrays::new();
    arrays.put("counts.npy", npy_i64(&[2, 2], &[9, 1, 1, 9]));
    arrays.put("t.npy", npy_f64(&[2, 2], &[0.9, 0.1, 0.1, 0.9]));
    arrays.put("worse.npy", npy_f64(&[2, 2], &[1.0, 0.0, 0.5, 0.5]));
    let words = ["bottleneck", "--joint", "@counts.npy", "--settings", "{ steps = 16, largest = 16.0 }", "--encoder"];
    let place = |encoder: &str| arrays.measure_any(&[&words[..], &[encoder]].concat());
    let object = place("@t.npy");
    let number = |object: &Value, name: &str| object["encoder"][name].as_f64().unwrap();
    // A channel on the curve, in bits: `methods.md`, section 5.4.
    assert!((number(&object, "rate") / LN_2 - 0.531_004_406_4).abs() < 1e-10, "{object}");
    assert!((number(&object, "distortion") / LN_2 - 0.211_081_452).abs() < 1e-8, "{object}");
    let gap = |object: &Value, name: &str| object["encoder"]["below_frontier"][name].as_f64().unwrap();
    assert!(gap(&object, "at_least") <= 1e-9 && gap(&object, "at_most") >= -1e-9, "{object}");
    assert!(gap(&place("@worse.npy"), "at_least") > 0.01);
    assert_eq!((object["points"].as_array().unwrap().len(), &object["flags"]), (16, &json!([])));
    let refused = |words: &[&str]| arrays.try_measure(&[&["bottleneck", "--joint", "@counts.npy"], words].concat());
    refused(&["--settings", "{ randomness = 2.0 }"]).refused(&["randomness of 2"]);
    refused(&["--encoder", "@counts.npy"]).refused(&["counts.npy", "row 0 of the encoder sums to 10"]);
}

/// A sign and a look at it that is right nine times in ten: a probe finds p(y|x), and two codewords keep all that there is.
#[test]
fn bottleneck_and_codebook_go_by_what_a_probe_says_of_held_out_samples() {
    let arrays = Arrays::new();
    let sign = |row: i32| if row % 2 == 0 { -1.0 } else { 1.0 };
    let labels: Vec<i64> = (0..2000).map(|row| i64::from((row % 2 == 0) == (row / 2 % 10 == 0))).collect();
    arrays.put("x.npy", npy_f64(&[2000], &(0..2000).map(sign).collect::<Vec<_>>()));
    arrays.put("y.npy", npy_i64(&[2000], &labels));
    arrays.put(
        "p.npy",
        npy_f64(
            &[2000, 2],
            &(0..2000).flat_map(|row| [0.5 - 0.4 * sign(row), 0.5 + 0.4 * sign(row)]).collect::<Vec<_>>(),
        ),
    );
    let settings = "{ steps = 8, largest = 16.0, starts = 1, clusters = 2 }";
    let words = [
        "bottleneck",
        "--x",
        "@x.npy",
        "--labels",
        "@y.npy",
        "--probe",
        "{ nearest-mean = {} }",
        "--settings",
        settings,
    ];
    let object = arrays.measure_any(&words);
    let bits = |object: &Value, name: &str| object[name].as_f64().unwrap() / LN_2;
    // 1 − h(.1) = .531 bits; among 1,400 training samples the frequency of .1 scatters by .008, each worth 3.2 bits.
    assert!((bits(&object, "information") - 0.531).abs() < 0.08 && object["held_out"] == 0.3, "{object}");
    let size = ["codebook", "--x", "@x.npy", "--labels", "@y.npy", "--size", "2", "--posteriors"];
    let object = arrays.measure_any(&[&size[..], &["@p.npy", "--frontier", settings]].concat());
    let placed = &object["placed"];
    // Of 600 held-out samples 300 give or take 12 have either sign.
    assert!((bits(placed, "relevance") - 0.531).abs() < 5e-3 && (bits(placed, "rate") - 1.0).abs() < 5e-3, "{placed}");
    assert!(placed["below_frontier"]["at_least"].as_f64().unwrap().abs() < 1e-9 && placed["blocks"] == 600, "{placed}");
    let pairs = arrays.measure_any(&[&size[..], &["@p.npy", "--frontier", settings, "--block", "2"]].concat());
    // Half of both, below the chord.
    assert!((bits(&pairs["placed"], "relevance") - 0.531 / 2.0).abs() < 5e-3, "{pairs}");
    assert!(pairs["placed"]["below_frontier"]["at_least"].as_f64().unwrap() > 0.01, "{pairs}");
    arrays.put("few.npy", npy_f64(&[2, 2], &[0.5; 4]));
    arrays.try_measure(&[&size[..], &["@few.npy"]].concat()).refused(&["few.npy", "found 2 rows, needed the 2000"]);
}

#[test]
fn gradients_of_the_last_layer_have_signal_and_noise() {
    let arrays = Arrays::new();
    // Without weights p is one half: the gradients are half the input, signed, in both rows of W and in the intercepts.
    arrays.put("z.npy", npy_f64(&[4], &[1.0, 2.0, -1.0, -2.0]));
    arrays.put("logits.npy", npy_f64(&[4, 2], &[0.0; 8]));
    arrays.put("y.npy", npy_i64(&[4], &[0, 0, 1, 1]));
    arrays.put("strata.npy", npy_i64(&[4], &[7, 9, 7, 9]));
    let words = ["gradient", "--x", "@z.npy", "--logits", "@logits.npy", "--labels", "@y.npy"];
    let object = arrays.measure_any(&[&words[..], &["--no-intercepts", "--batch", "4"]].concat());
    // g = ±(z, −z)/2 with |z| = 1, 2, 1, 2: a mean of 3/4 each, the variance of |z|/2 is 1/12, twice.
    let number = |name: &str| object[name].as_f64().unwrap();
    assert!((number("noise") - 1.0 / 6.0).abs() < 1e-15, "{object}");
    assert!((number("squared_signal") - (9.0 / 8.0 - 1.0 / 24.0)).abs() < 1e-15, "{object}");
    assert!((number("value") - (number("squared_signal") / number("noise") * 4.0).sqrt()).abs() < 1e-14);
    let strata = ["--no-intercepts", "--batch", "2", "--strata", "@strata.npy", "--mixture", "2,0"];
    let drawn = &arrays.measure_any(&[&words[..], &strata].concat())["minibatches"];
    assert_eq!((&drawn["strata"][1]["stratum"], &drawn["proportional"]["variance"]), (&json!(9), &json!(0.0)));
    // Means of |z|/2 of 1/2 and 1 around 3/4.
    assert!((drawn["mixture"]["squared_bias"].as_f64().unwrap() - 0.125).abs() < 1e-15, "{drawn}");
    assert!(drawn.get("weighted_mixture").is_none());
    arrays.put("y.npy", npy_i64(&[4], &[0, 0, 1, 2]));
    arrays.try_measure(&words).refused(&["label 2 at row 3 and logits of 2 classes"]);
}

#[test]
fn typical_samples_are_those_with_near_neighbors() {
    let arrays = Arrays::new();
    arrays.put("x.npy", npy_f64(&[6, 1, 1], &[0.0, 10.0, 0.1, 20.0, 0.2, 0.4]));
    arrays.put("other.npy", npy_f64(&[6], &[50.0, 1.0, 40.0, 1.1, 30.0, 1.2]));
    let words = ["typicality", "--x", "@x.npy", "--neighbors", "1,2", "--other", "@other.npy", "--per-sample"];
    let object = arrays.measure_any(&words);
    assert_eq!((&object["typical"], &object["agreement"][0]["overlap"]), (&json!([0, 2, 4]), &json!(1.0)));
    assert_eq!(object["agreement_with_other"][0]["overlap"], 0.0);
    let distances: Vec<f64> = serde_json::from_value(object["samples"][0]["distance"].clone()).unwrap();
    for (found, expected) in distances.iter().zip([0.1, 9.6, 0.1, 10.0, 0.1, 0.2]) {
        // A rounding of 10.
        assert!((found - expected).abs() < 1e-14, "{object}");
    }
    let dense = arrays.measure_any(&["typicality", "--x", "@x.npy", "--neighbors", "1", "--log-density", "-3"]);
    assert_eq!((&dense["typical"], &dense["settings"]["fraction"]), (&json!([0, 2, 4, 5]), &Value::Null));
    arrays
        .try_measure(&["typicality", "--x", "@x.npy", "--log-density", "99"])
        .refused(&["needs more than 10 samples"]);
    arrays
        .try_measure(&["typicality", "--x", "@x.npy", "--neighbors", "1", "--fraction", "1"])
        .refused(&["takes 6 of 6"]);
}

#[test]
fn several_neighbors_and_permutations_give_a_list() {
    let arrays = Arrays::new();
    let [x, y] = &golden_sets()[1];
    arrays.put("x.npy", npy_f64(&[500], x));
    arrays.put("y.npy", npy_f64(&[500], y));
    let estimator = ["--estimator", "{ ksg-2 = { neighbors = [1, 3] } }", "--permutations", "19"];
    let words = [&["information", "--x", "@x.npy", "--y", "@y.npy"], &estimator[..]].concat();
    let list: Vec<Value> = serde_json::from_str(&arrays.try_measure(&words).success()).unwrap();
    for (object, (neighbors, value)) in list.iter().zip([(1, 0.473_875_736_265), (3, 0.325_570_061_146)]) {
        close(object, value, 1e-9);
        assert_eq!(object["estimator"]["ksg-2"]["neighbors"], neighbors);
        let interval = &object["interval"];
        assert!(interval["low"].as_f64().unwrap() < value && value < interval["high"].as_f64().unwrap(), "{object}");
        // The least that 19 permutations can give.
        assert_eq!((&object["null"]["p_value"], &object["null"]["permutations"]), (&json!(0.05), &json!(19)));
    }
    assert_eq!(list.len(), 2);
    assert_eq!(arrays.try_measure(&words).out, arrays.try_measure(&words).out);
    arrays
        .try_measure(&[&words[..], &["--interval", "{ subsampling = { level = 2.0 } }"]].concat())
        .refused(&["level 2"]);
}

#[test]
fn verify_prints_a_table_and_json() {
    let arguments = ["verify", "--distribution", "normal", "--samples", "200", "--estimator", "{ gaussian = {} }"];
    let table = run_program(arguments).success();
    contains_all(&table, &["estimator", "truth", "covers", "dense normal 2+2", "0.413"]);
    let json = run_program(arguments.into_iter().chain(["--json", "--draws", "5"])).success();
    let rows: Vec<Value> = serde_json::from_str(&json).unwrap();
    let normal = rows.iter().find(|row| row["distribution"] == "normal").unwrap();
    // The error of the mean of 5 draws of 200 samples is 0.75/√1000 = .024 at this correlation.
    assert!(normal["error"].as_f64().unwrap().abs() < 0.1, "{normal}");
    assert!(normal["covered"].as_u64().unwrap() >= 2 && normal["n_draws"] == 5, "{normal}");
    let of_benchmark = ["verify", "--known", "beyond-normal", "--distribution", "Wiggly", "--samples", "200"];
    let table = run_program(of_benchmark.into_iter().chain(["--estimator", "{ gaussian = {} }"])).success();
    contains_all(&table, &["Wiggly @ Bivariate normal 1 × 1", "0.413"]);
    run_program(["verify", "--distribution", "nothing like it"]).refused(&["--distribution", "swiss roll"]);
    run_program(["verify", "--estimator", "{ mine = {} }"]).refused(&["unknown variant `mine`"]);
}

#[test]
fn a_constant_array_is_told_and_worth_nothing() {
    let arrays = Arrays::new();
    arrays.put("x.npy", npy_f64(&[100, 2], &[1.5; 200]));
    arrays.put("y.npy", npy_f64(&[100], &golden_sets()[0][0][..100]));
    let compress = ["--compress", "{ pca = { components = 1 } }", "--estimator", "{ ksg = { neighbors = 3 } }"];
    let object = arrays.measure(&[&["information", "--x", "@x.npy", "--y", "@y.npy"], &compress[..]].concat());
    close(&object, 0.0, 1e-300);
    assert!(object["flags"].as_array().unwrap().contains(&json!("constant")), "{object}");
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let arrays = Arrays::new();
    let (x, labels) = clusters(1.0);
    arrays.put("x.npy", npy_f64(&[600], &x));
    arrays.put("short.npy", npy_f64(&[599], &x[..599]));
    arrays.put("y.npy", npy_i64(&[600], &labels));
    arrays.put("short-y.npy", npy_i64(&[599], &labels[..599]));
    arrays.put("cube.npy", npy_f64(&[6, 10, 10], &x));
    let mut holes = x.clone();
    holes[41] = f64::NAN;
    arrays.put("holes.npy", npy_f64(&[600], &holes));
    let ksg = ["--estimator", "{ ksg = { neighbors = 3 } }"];
    let ross = ["--estimator", "{ ross = { neighbors = 3 } }"];
    let information =
        |words: &[&str], estimator: &[&str]| arrays.try_measure(&[&["information"], words, estimator].concat());
    information(&["--x", "@x.npy", "--y", "@short.npy"], &ksg).refused(&["600", "599"]);
    information(&["--x", "@x.npy", "--labels", "@short-y.npy"], &ross).refused(&[
        "short-y.npy`",
        "found 599 rows",
        "needed the 600",
    ]);
    information(&["--x", "@x.npy", "--labels", "@x.npy"], &ross).refused(&[
        "x.npy`",
        "found type float64",
        "needed integers",
    ]);
    information(&["--x", "@cube.npy", "--y", "@x.npy"], &ksg).refused(&["cube.npy`", "found shape [6, 10, 10]"]);
    information(&["--x", "@holes.npy", "--y", "@x.npy"], &ksg).refused(&["holes.npy`", "NaN", "row 41"]);
    information(&["--x", "@nowhere.npy", "--y", "@x.npy"], &ksg).refused(&["nowhere.npy`", "cannot read"]);
    information(&["--x", "@x.npy", "--y", "@x.npy"], &ross).refused(&["`--estimator`", "`--labels`", "`ksg`"]);
    information(&["--x", "@x.npy", "--labels", "@y.npy"], &ksg).refused(&["`--estimator`", "`--y`", "`ross`"]);
    information(&["--x", "@x.npy", "--y", "@x.npy"], &["--estimator", "{ kgs = {} }"]).refused(&[
        "`--estimator",
        "`kgs`",
        "`ksg`",
    ]);
    information(&["--x", "@x.npy", "--y", "@x.npy"], &["--estimator", "{ ksg = { neighbors = 600 } }"])
        .refused(&["600"]);
}
