//! Reports and figures of small result folders whose values are known.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use infoplane::report::{Figure, FileKind, Measures, ReportError, Runs, page, plot};
use infoplane::table::{
    Asked, BindingRow, CheckpointRow, Folder, MeasurementRow, Origin, PositionRow, Provenance, RowsOf, SampleId, Unit,
};
use serde_json::Value;
use tempfile::TempDir;

/// The name of a layer that would be harmful in a page if anybody trusted it.
const HARMFUL: &str = "</script><script>alert(1)</script>";

/// A result folder of a run with two layers.
struct Results {
    folder: TempDir,
    run: String,
    steps: Vec<u64>,
    layers: [String; 2],
}

impl Results {
    fn new(run: &str, steps: &[u64]) -> Self {
        let layers = ["h1".to_owned(), "h2".to_owned()];
        Self { folder: TempDir::new().unwrap(), run: run.to_owned(), steps: steps.to_vec(), layers }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Values of information about the input and of what is usable of two labels: `value(layer, step, place)`.
    fn write(&self, value: impl Fn(usize, u64, usize) -> Result<f64, String>) {
        let origin = Origin {
            plan: format!("plan of {}", self.run),
            pipeline: "[samples.labels]\ndigit = \"d.npy\"\nnoise = \"n.npy\"\n[replay.loss.of]\nlabel = \"digit\""
                .to_owned(),
            seed: 1,
            graph: "graph".to_owned(),
            inputs: "inputs".to_owned(),
            onnxruntime: "1.0".to_owned(),
        };
        let unit = |&step: &u64| Unit { step, file: format!("{step}.safetensors") };
        let asked = Asked { samples: false, positions: true };
        let folder = Folder::prepare(self.folder.path(), origin, self.steps.iter().map(unit).collect(), asked).unwrap();
        for &step in &self.steps {
            let mut rows = Vec::new();
            for (tap, name) in self.layers.iter().enumerate() {
                let measures = [
                    ("information", "input"),
                    ("usable", "digit"),
                    ("usable-fraction", "digit"),
                    ("usable-fraction", "noise"),
                ];
                for (place, (measure, variable)) in measures.into_iter().enumerate() {
                    rows.push(self.row((tap, name), measure, variable, value(tap, step, place)));
                }
            }
            let positions: Vec<PositionRow> = (0..2)
                .flat_map(|tap| (0..9).map(move |place| (tap, place)))
                .map(|(tap, place)| self.position(tap, place))
                .collect();
            let provenance = Provenance { identity: format!("{step}"), checkpoint: None, failed_rows: 0, retry: false };
            let checkpoint = self.checkpoint(step);
            let rows = RowsOf {
                measurements: &rows,
                samples: &[],
                positions: &positions,
                failures: &[],
                checkpoint: &checkpoint,
            };
            folder.write(step, rows, &provenance).unwrap();
        }
    }

    fn row(
        &self,
        (tap, name): (usize, &str),
        measure: &str,
        variable: &str,
        value: Result<f64, String>,
    ) -> MeasurementRow {
        MeasurementRow {
            run: self.run.clone(),
            file: "f".to_owned(),
            tap: name.to_owned(),
            tap_index: u32::try_from(tap).unwrap(),
            measure: measure.to_owned(),
            variable: variable.to_owned(),
            given: None,
            class: None,
            subset: None,
            estimator: "linear".to_owned(),
            compression: "none".to_owned(),
            parameters: format!("{{\"{measure}\":{{\"label\":\"{variable}\"}}}}"),
            unit: "nats".to_owned(),
            value: value.clone().ok(),
            std_error: Some(0.1),
            interval_low: None,
            interval_high: None,
            null_mean: None,
            null_high: None,
            p_value: None,
            n_samples: Some(100),
            n_train: None,
            n_units: Some(8),
            n_components: None,
            seed: 1,
            flags: vec!["near-ceiling".to_owned(), "of-the-future".to_owned()],
            details: "{}".to_owned(),
            error: value.err(),
        }
    }

    /// A target of 3 × 3 that is rebuilt at every second place only.
    fn position(&self, tap: usize, place: u32) -> PositionRow {
        PositionRow {
            run: self.run.clone(),
            file: "f".to_owned(),
            tap: self.layers[tap].clone(),
            tap_index: u32::try_from(tap).unwrap(),
            variable: "input".to_owned(),
            subset: None,
            estimator: "linear".to_owned(),
            parameters: "{}".to_owned(),
            position: place,
            sample: None::<SampleId>,
            target: None,
            rebuilt: None,
            value: f64::from(place % 2),
            mean_predictor: 1.0,
        }
    }

    fn checkpoint(&self, step: u64) -> CheckpointRow {
        CheckpointRow {
            slot_losses: None,
            slot_accuracies: None,
            run: self.run.clone(),
            file: format!("{step}.safetensors"),
            hash: None,
            loss: Some(2.0 / (1.0 + step as f64)),
            accuracy: Some(if step == 0 { 0.5 } else { 0.9 }),
            recorded_loss: None,
            recorded_difference: None,
            n_samples: 100,
            n_tensors: None,
            unchanged: None,
            flags: Vec::new(),
            error: None,
        }
    }
}

fn open(all: &[&Results]) -> Runs {
    Runs::open(&all.iter().map(|results| results.path()).collect::<Vec<_>>()).unwrap()
}

/// The numbers that the page's script draws.
fn numbers(page: &str) -> Value {
    let (_, from) = page.split_once("<script id=\"data\" type=\"application/json\">").unwrap();
    serde_json::from_str(from.split_once("</script>").unwrap().0).unwrap()
}

/// The text of a section, without its tags.
fn section(page: &str, id: &str) -> String {
    let (_, from) = page.split_once(&format!("<section id=\"{id}\">")).unwrap();
    let inner = from.split_once("</section>").unwrap().0;
    regex::Regex::new("<[^>]*>").unwrap().replace_all(inner, "").into_owned()
}

/// Information stays in `h1` and rises by ten standard errors in `h2`; labels are read better from `h2`, by ever so little.
fn known(tap: usize, step: u64, place: usize) -> f64 {
    match place {
        0 if tap == 1 => 1.0 + if step == 0 { 0.0 } else { 1.0 },
        0 => 2.0,
        1 => 0.5 + 0.1 * tap as f64,
        _ => 0.25,
    }
}

#[test]
fn claims_are_what_the_rows_carry_and_say_whether_they_are_resolved() {
    let results = Results::new("small", &[0, 10, 100]);
    results.write(|tap, step, place| Ok(known(tap, step, place)));
    let told = section(&page(&open(&[&results])).unwrap(), "happened");
    for words in [
        "resolved The network's loss began at 2.00 nats and fell to 0.0198; its accuracy went from 50.0 % to 90.0 %.",
        "resolved From the first to the last checkpoint, I(X;T), linear rose in h2; it shows no resolved change in h1.",
        "most in h2: 1.00 ± 0.10 at step 0, 2.00 ± 0.10 at step 100",
        "not resolved From the first to the last checkpoint, usable, digit, linear shows no resolved change in h1 and h2.",
        "not resolved At step 100, h2 shows the highest value of digit",
    ] {
        assert!(told.contains(words), "`{words}` is not in\n{told}");
    }
    assert!(!told.contains("fell again after its peak"), "{told}");
}

#[test]
fn the_page_holds_every_number_and_loads_nothing() {
    let results = Results::new("small", &[0, 10]);
    results.write(|tap, step, place| Ok(known(tap, step, place)));
    let page = page(&open(&[&results])).unwrap();
    let numbers = numbers(&page);
    assert_eq!(numbers["task"], "digit");
    assert_eq!(numbers["measures"][0]["curves"][1]["values"], serde_json::json!([1.0, 2.0]));
    assert_eq!(numbers["measures"][0]["curves"][1]["low"][0], 0.804);
    assert_eq!(numbers["network"][1]["curves"][0]["values"], serde_json::json!([0.5, 0.9]));
    let tag = regex::Regex::new(r#"<[^>]* (?:src|href)="?([^" >]*)"#).unwrap();
    let outside = |address: &str| !address.starts_with('#') && !address.starts_with("data:");
    let found: Vec<&str> = tag.captures_iter(&page).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(found.iter().any(|address| address.starts_with("data:image/png;base64,")));
    assert_eq!(found.into_iter().filter(|address| outside(address)).collect::<Vec<_>>(), [""; 0]);
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn flags_and_failures_are_told_in_words() {
    let results = Results::new("small", &[0, 10]);
    results.write(|tap, step, place| {
        if place == 1 && step == 10 { Err("the solver gave up".to_owned()) } else { Ok(known(tap, step, place)) }
    });
    let told = section(&page(&open(&[&results])).unwrap(), "doubts");
    for words in [
        "14 rows have a value, 14 of them a flag; 2 have none.",
        "Near ln n",
        "does not know the flag",
        "the solver gave up",
        "usable at h1",
    ] {
        assert!(told.contains(words), "`{words}` is not in\n{told}");
    }
}

#[test]
fn names_from_files_cannot_become_part_of_the_page() {
    let mut results = Results::new("<img src=x onerror=alert(2)>", &[0, 10]);
    results.layers[1] = HARMFUL.to_owned();
    results.write(|tap, step, place| if place == 3 { Err(HARMFUL.to_owned()) } else { Ok(known(tap, step, place)) });
    let page = page(&open(&[&results])).unwrap();
    assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "a name was taken for a tag");
    // The policy, the numbers, the library of two files and four scripts of ours: no more.
    assert_eq!(page.matches("</script>").count(), 7);
    assert_eq!(numbers(&page)["taps"][1], HARMFUL);
}

#[test]
fn equal_tables_give_equal_bytes_and_absent_tables_are_told() {
    let (one, other) = (Results::new("small", &[0, 10]), Results::new("small", &[0, 10]));
    one.write(|tap, step, place| Ok(known(tap, step, place)));
    other.write(|tap, step, place| Ok(known(tap, step, place)));
    let first = page(&open(&[&one])).unwrap();
    assert_eq!(first, page(&open(&[&other])).unwrap());
    assert!(section(&first, "binding").contains("no table bindings"));
    let folder = Folder::open(&one.path()).unwrap();
    let proof = BindingRow {
        run: "small".to_owned(),
        role: "proof".to_owned(),
        largest_difference: Some(1e-7),
        n_samples: Some(64),
        holds: Some(true),
        reference: "10.safetensors".to_owned(),
        ..BindingRow::default()
    };
    folder.write_bindings(&[proof]).unwrap();
    let told = section(&page(&open(&[&one])).unwrap(), "binding");
    assert!(told.contains("Proven.") && told.contains("1.0e-7 of the largest value, on 64 samples"), "{told}");
}

#[test]
fn several_runs_have_means_and_spreads_at_their_common_steps() {
    let (one, other) = (Results::new("seed-1", &[0, 10, 100]), Results::new("seed-2", &[0, 100]));
    one.write(|tap, step, place| Ok(known(tap, step, place)));
    other.write(|tap, step, place| Ok(known(tap, step, place) + 2.0));
    let page = page(&open(&[&one, &other])).unwrap();
    let mean = &numbers(&page)["measures"][0]["means"][0];
    assert_eq!(
        (mean["steps"].clone(), mean["values"].clone()),
        (serde_json::json!([0, 100]), serde_json::json!([3.0, 3.0]))
    );
    // Of 2 and 4 the standard deviation is the root of 2.
    assert_eq!(mean["high"][0], 4.4142);
    assert!(section(&page, "happened").contains("seed-2"));
}

#[test]
fn figures_have_the_names_and_the_same_bytes() {
    let results = Results::new("small", &[0, 10, 100]);
    results.write(|tap, step, place| Ok(known(tap, step, place)));
    let runs = open(&[&results]);
    let draw = |figure, names: &[&str], kind| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        plot(&runs, figure, &Measures { names, until: None }, kind)
    };
    for figure in [Figure::Curves, Figure::HeatMap, Figure::Plane] {
        let svg = String::from_utf8(draw(figure, &[], FileKind::Svg).unwrap()).unwrap();
        assert!(svg.contains("h2") && svg.contains("I(X;T), linear (nats)"), "{figure:?}");
        assert_eq!(svg.as_bytes(), draw(figure, &[], FileKind::Svg).unwrap());
        let png = lodepng::decode24(draw(figure, &[], FileKind::Png).unwrap()).unwrap();
        // Text and lines: not all white, and mostly white or cells.
        let ink = png.buffer.iter().filter(|pixel| (pixel.r, pixel.g, pixel.b) != (255, 255, 255)).count();
        assert!(ink > png.buffer.len() / 200, "{figure:?}: {ink} of {}", png.buffer.len());
    }
    let refused = draw(Figure::Curves, &["reconstruction"], FileKind::Svg).unwrap_err();
    assert!(matches!(refused, ReportError::NoFigure { .. }));
    assert!(refused.to_string().contains("needed one of: information:input, usable:digit"), "{refused}");
    assert!(draw(Figure::Plane, &["usable:digit"], FileKind::Svg).unwrap_err().to_string().contains("needed two"));
    let names = ["usable-fraction:noise", "usable-fraction:digit"];
    let svg = String::from_utf8(draw(Figure::Plane, &names, FileKind::Svg).unwrap()).unwrap();
    assert!(svg.contains("usable-fraction, noise, linear") && svg.contains("usable-fraction, digit, linear"));
}

#[test]
fn a_folder_without_results_is_refused() {
    let empty = TempDir::new().unwrap();
    let refused = Runs::open(&[Path::new(empty.path()).to_owned()]).unwrap_err();
    assert!(refused.to_string().contains("found no results"), "{refused}");
}
