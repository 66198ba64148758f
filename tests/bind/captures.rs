//! Names of one framework in the graph, of another in the checkpoints.

use safetensors::Dtype;

use crate::common::{Stored, Tensors};
use crate::rules::feeds;
use crate::zoo::{Zoo, as_recorded};

/// The tensors of the MLP as a Flax program would save them: kernels with outputs last, names of its own.
fn flax_like(tensors: &Tensors) -> Tensors {
    let convert = |(name, stored): (&String, &Stored)| {
        let (module, leaf) = name.split_once('.').unwrap();
        match stored.shape[..] {
            [rows, columns] => {
                let values = stored.singles();
                let turned: Vec<f32> = (0..columns)
                    .flat_map(|c| (0..rows).map(move |r| (r, c)))
                    .map(|(r, c)| values[r * columns + c])
                    .collect();
                (format!("params/Dense_{module}/kernel"), Stored::f32(&[columns, rows], &turned))
            }
            _ if module.starts_with("ln") => {
                let leaf = if leaf == "weight" { "scale" } else { "bias" };
                (format!("params/LayerNorm_{}/{leaf}", &module[2..]), stored.clone())
            }
            _ => (format!("params/Dense_{module}/bias"), stored.clone()),
        }
    };
    tensors.iter().map(convert).collect()
}

const CAPTURES: &str = "rules = [
  { initializer = '(?<layer>fc\\d|head)\\.weight', from = { tensor = { name = 'params/Dense_${layer}/kernel', axes = [1, 0] } } },
  { initializer = '(fc\\d|head)\\.bias', from = { tensor = { name = 'params/Dense_$1/bias' } } },
  { initializer = 'ln(\\d)\\.weight', from = { tensor = { name = 'params/LayerNorm_$1/scale' } } },
  { initializer = 'ln(\\d)\\.bias', from = { tensor = { name = 'params/LayerNorm_$1/bias' } } },
]";

#[test]
fn rules_with_captures_bind_names_that_no_style_knows() {
    let mut zoo = Zoo::new("mlp", "weights-as-inputs.onnx");
    for step in [0, 40, 200] {
        let converted = flax_like(&zoo.tensors(step));
        zoo.put(step, &converted);
    }
    zoo.reference = Some("\"none\"".to_owned());
    CAPTURES.clone_into(&mut zoo.bind);
    let said = zoo.doubted(&["bound by names or rules only"]);
    as_recorded(&said);
    assert_eq!(said["feeds"].as_array().unwrap().len(), 14);
    for feed in said["feeds"].as_array().unwrap() {
        assert_eq!(feed["evidence"], "rule-only", "{feed}");
    }
    // A graph with values proves the same rules, and without any rule finds them.
    zoo.model = "zoo/dynamo.onnx".to_owned();
    zoo.reference = Some("{ step = 200 }".to_owned());
    let ruled = zoo.proven();
    assert!(ruled["feeds"].as_array().unwrap().iter().all(|feed| feed["evidence"] == "rule-and-value"), "{ruled}");
    zoo.bind = String::new();
    assert_eq!(feeds(&zoo.proven()), feeds(&ruled));
    // By name alone, without values and rules, nothing is guessed.
    zoo.model = "zoo/weights-as-inputs.onnx".to_owned();
    zoo.reference = Some("\"none\"".to_owned());
    zoo.command("bind", &[]).refused(&["found no floating-point weight of the graph to feed"]);
}

#[test]
fn names_of_other_frameworks_are_understood_without_rules() {
    // `params/fc1/kernel` means `fc1.weight`, with its axes in the other order.
    let mut zoo = Zoo::new("mlp", "weights-as-inputs.onnx");
    zoo.reference = Some("\"none\"".to_owned());
    for step in [0, 40, 200] {
        let converted = flax_like(&zoo.tensors(step));
        let renamed = converted
            .into_iter()
            .map(|(name, stored)| (name.replace("Dense_", "").replace("LayerNorm_", "ln"), stored));
        zoo.put(step, &renamed.collect());
    }
    as_recorded(&zoo.doubted(&["bound by names or rules only"]));
    assert_eq!(zoo.tensors(0)["params/fc1/kernel"].dtype, Dtype::F32);
}
