//! Every way in which the networks of the zoo were exported, against what the framework computed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use infoplane::graph::{Model, Recipe};
use serde_json::Value;

use crate::common::{read_tensors, repository};
use crate::zoo::{TOLERANCE, Zoo, as_recorded, flags, proven};

/// An archive, one of its exports, and what `exports.json` says of it.
type Export = (String, String, Value);

/// All exports of all archives, as `exports.json` lists them.
fn exports() -> Vec<Export> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository("data/zoo")).unwrap() {
        let folder = entry.unwrap().path();
        let archive = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(folder.join("exports.json")).unwrap();
        let listed: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
        let graphs = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let is_graph = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "onnx");
        let graphs: BTreeSet<String> = graphs.filter(is_graph).collect();
        assert_eq!(listed.keys().cloned().collect::<BTreeSet<_>>(), graphs, "{archive}: graphs beside `exports.json`");
        found.extend(listed.into_iter().map(|(export, truth)| (archive.clone(), export, truth)));
    }
    found.sort_by_key(|(archive, export, _)| (archive.clone(), export.clone()));
    assert!(found.len() >= 40, "{} exports", found.len());
    found
}

/// The tensors of an expression: each stands there as `t['name']`.
fn tensors_of(expression: &Value) -> BTreeSet<String> {
    let parts = expression.as_str().unwrap().split("t['").skip(1);
    parts.map(|rest| rest.split("']").next().unwrap().to_owned()).collect()
}

/// An initializer, and the tensors that it, or a copy of it, is made of.
type Fed = (String, BTreeSet<String>);

/// Who feeds whom; `@` stands for what was added to the graph.
fn fed(said: &Value) -> BTreeSet<Fed> {
    let feed = |feed: &Value| {
        let recipe: Recipe = serde_json::from_value(feed["recipe"].clone()).unwrap();
        let tensors: BTreeSet<String> = recipe.tensors().into_iter().map(str::to_owned).collect();
        for tensor in &tensors {
            assert!(feed["words"].as_str().unwrap().contains(tensor), "{feed}");
        }
        let name = feed["initializer"].as_str().unwrap();
        // A copy for one node is called after the initializer, a bias given back after its tensor.
        let name = if feed["evidence"] == "restored" { "@" } else { name.split('@').next().unwrap() };
        (name.to_owned(), tensors)
    };
    said["feeds"].as_array().unwrap().iter().map(feed).collect()
}

/// What the truth says: for each weight, or each use of a merged one, the ways to say it.
///
/// Some exporters give the uses of a merged weight their old names back, by nodes that do nothing.
fn expected(truth: &Value) -> Vec<Vec<Fed>> {
    let mut expected = Vec::new();
    for (initializer, expression) in truth["weights"].as_object().unwrap() {
        match expression.as_object() {
            None => expected.push(vec![(initializer.clone(), tensors_of(expression))]),
            Some(uses) => expected.extend(uses.iter().map(|(place, expression)| {
                let output = place.split('[').next().unwrap().to_owned();
                [initializer.clone(), output].map(|name| (name, tensors_of(expression))).to_vec()
            })),
        }
    }
    expected
}

/// Checks that each weight is fed from the tensors that the truth names, and that no tensor is lost.
fn check_feeds(name: &str, zoo: &Zoo, said: &Value, truth: &Value) {
    let (added, found): (BTreeSet<Fed>, BTreeSet<Fed>) = fed(said).into_iter().partition(|(name, _)| name == "@");
    let expected = expected(truth);
    for ways in &expected {
        assert!(ways.iter().any(|way| found.contains(way)), "{name}: {ways:?} is missing: {said}");
    }
    for feed in &found {
        assert!(expected.iter().flatten().any(|way| way == feed), "{name}: {feed:?} is not so: {said}");
    }
    // What the exporter dropped is given back, or needs no feed since another tensor always equals it.
    let leftovers: BTreeMap<&str, &str> = said["leftovers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|leftover| (leftover["tensor"].as_str().unwrap(), leftover["reason"].as_str().unwrap()))
        .collect();
    for dropped in truth["dropped"].as_array().unwrap() {
        let dropped = dropped.as_str().unwrap();
        let restored = added.iter().any(|(_, tensors)| tensors.contains(dropped));
        let equal = leftovers.get(dropped).is_some_and(|reason| reason.starts_with("always equal to"));
        assert!(restored || equal, "{name}: `{dropped}` was dropped: {said}");
    }
    let used: BTreeSet<String> = found.into_iter().chain(added).flat_map(|(_, tensors)| tensors).collect();
    let all = names(zoo);
    assert!(used.is_subset(&all), "{name}");
    for tensor in all.difference(&used) {
        assert!(leftovers.contains_key(tensor.as_str()), "{name}: nobody says what becomes of `{tensor}`");
    }
}

/// The names of all tensors of the checkpoints.
fn names(zoo: &Zoo) -> BTreeSet<String> {
    let folder = zoo.path("zoo/checkpoint-200");
    let files = if folder.is_dir() {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "safetensors")).collect()
    } else {
        vec![zoo.checkpoint(200)]
    };
    files.iter().flat_map(|file| read_tensors(file).0.into_keys()).collect()
}

/// A pipeline for an export: the output is tapped, outputs and losses are compared at every step.
pub(crate) fn scene(archive: &str, export: &str) -> (Zoo, Model) {
    let mut zoo = Zoo::new(archive, export);
    let model = Model::open(&zoo.path(&zoo.model)).unwrap();
    zoo.taps = format!("{:?}", model.outputs());
    zoo.recorded = Some(
        "{ outputs = \"zoo/outputs.npz\", losses = { file = \"zoo/metrics.csv\", loss = \"test_loss\" } }".to_owned(),
    );
    (zoo, model)
}

/// Checks every checkpoint of a run: the framework's outputs and loss, and no doubt but those expected.
pub(crate) fn check_run(name: &str, zoo: &Zoo, doubts: &[&str]) {
    let rows = zoo.rows(0);
    assert_eq!(flags(&rows), [0, 40, 200].map(|step| (step, doubts.to_vec())), "{name}");
    for row in &rows {
        assert!(row["error"].is_null(), "{name}: {row}");
        assert!(row["recorded_difference"].as_f64().unwrap() <= TOLERANCE, "{name}: {row}");
        let [loss, recorded] = ["loss", "recorded_loss"].map(|column| row[column].as_f64().unwrap());
        assert!((loss / recorded - 1.0).abs() <= TOLERANCE, "{name}: {row}");
    }
}

fn check_export((archive, export, truth): &Export) {
    let name = format!("{archive}/{export}");
    let (mut zoo, model) = scene(archive, export);
    if model.initializers().is_empty() {
        // Weights that are inputs have no values: there is nothing to prove by.
        zoo.reference = Some("\"none\"".to_owned());
        let said = zoo.doubted(&["bound by names or rules only"]);
        assert!(said["proof"].is_null(), "{name}");
        as_recorded(&said);
        check_feeds(&name, &zoo, &said, truth);
        check_run(&name, &zoo, &["unproven-binding"]);
    } else {
        zoo.reference = Some(format!("{{ step = {} }}", truth["checkpoint"]));
        let outcome = zoo.command("bind", &["--json"]);
        assert_eq!(outcome.code, Some(0), "{name}: {outcome:?}");
        let said = proven(outcome);
        assert_eq!(said["records"].as_array().unwrap().len(), 3, "{name}");
        check_feeds(&name, &zoo, &said, truth);
        check_run(&name, &zoo, &[]);
    }
}

/// Checks every second export; two tests share the processors.
fn check_half(half: usize) {
    exports().iter().skip(half).step_by(2).for_each(check_export);
}

#[test]
fn every_export_gives_the_outputs_of_the_framework() {
    check_half(0);
}

#[test]
fn every_other_export_gives_the_outputs_of_the_framework() {
    check_half(1);
}
