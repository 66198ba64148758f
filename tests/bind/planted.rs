//! Wrong bindings, planted: each is refused, or its rows say that they are not as recorded.

use std::fs;

use crate::common::{Stored, Tensors, contains_all};
use crate::zoo::{KSG, Zoo, flags};

/// The export call that every refusal of a PyTorch graph ends with.
pub(crate) const EXPORT: &str = "torch.onnx.export(model.eval(), args, \"model.onnx\", dynamo=True, optimize=False)";

pub(crate) const RECORDED: &str = "not-as-recorded";

fn swapped(tensors: &Tensors, a: &str, b: &str) -> Tensors {
    let mut swapped = tensors.clone();
    swapped.insert(a.to_owned(), tensors[b].clone());
    swapped.insert(b.to_owned(), tensors[a].clone());
    swapped
}

// Layers swapped.

#[test]
fn any_two_tensors_of_one_shape_swapped_in_a_checkpoint_are_told_by_its_record() {
    let zoo = Zoo::new("mlp", "dynamo.onnx");
    let right = zoo.tensors(200);
    let outputs = zoo.outputs(200);
    for step in [0, 40] {
        fs::remove_file(zoo.checkpoint(step)).unwrap();
    }
    let names: Vec<&String> = right.keys().collect();
    let mut records = vec![(200, outputs.clone())];
    for (place, a) in names.iter().enumerate() {
        for b in names[place + 1..].iter().filter(|b| right[**b].shape == right[*a].shape) {
            let step = 1000 + records.len() as u64;
            zoo.put(step, &swapped(&right, a, b));
            records.push((step, outputs.clone()));
        }
    }
    // Weights of two Linears; biases of three, and scales and shifts of three norms.
    assert_eq!(records.len(), 1 + 1 + 36);
    zoo.record(&records);
    let said = zoo.doubted(&["37 of 38 records differ", ": steps 1001, 1002"]);
    for record in said["records"].as_array().unwrap() {
        assert_eq!(record["differs"], record["step"] != 200, "{record}");
    }
    for (step, flags) in flags(&zoo.rows(0)) {
        assert_eq!(flags.contains(&RECORDED), step != 200, "step {step}");
    }
}

#[test]
fn a_run_warns_of_the_checkpoint_with_swapped_layers_and_flags_its_numbers() {
    let mut zoo = Zoo::new("mlp", "dynamo.onnx");
    KSG.clone_into(&mut zoo.measures);
    zoo.change(40, |tensors| *tensors = swapped(tensors, "fc2.weight", "fc3.weight"));
    let outcome = zoo.command("run", &[]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let warnings: Vec<&str> = outcome.err.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 1, "{outcome:?}");
    contains_all(warnings[0], &["step-000040.safetensors", "not as the framework recorded", "`infoplane bind`"]);
    for table in ["checkpoints", "measurements"] {
        let rows = zoo.query(&format!("SELECT step, flags FROM {table}"));
        assert_eq!(rows.len(), 3);
        for (step, flags) in flags(&rows) {
            assert_eq!(flags.contains(&RECORDED), step == 40, "{table}, step {step}: {flags:?}");
        }
    }
    let text = zoo.again("bind", &[]);
    assert_eq!(text.code, Some(1));
    contains_all(
        &text.out,
        &["record: step 40, ", ": DIFFERS\n", "verdict: NOT PROVEN: 1 of 3 records differ", ": steps 40\n"],
    );
}

#[test]
fn layers_swapped_in_the_graph_under_each_others_names_are_refused() {
    for (a, b) in [("fc2.weight", "fc3.weight"), ("ln1.bias", "ln3.bias")] {
        let mut zoo = Zoo::new("mlp", "dynamo.onnx");
        let tensors = zoo.tensors(200);
        let [first, second] = [a, b].map(|name| &tensors[name].bytes[..]);
        zoo.patch(&[(first, second), (second, first)]);
        // Nobody needs a record to see it: each name has the value of another name.
        zoo.recorded = None;
        zoo.refused(&[&format!("`{a}`"), EXPORT]);
    }
}

#[test]
fn layers_swapped_in_a_graph_without_names_are_told_by_the_records() {
    // The initializers are called `const_N`: what is swapped is another network of the same weights.
    let zoo = Zoo::new("flax-nnx", "jax2onnx.onnx");
    let tensors = zoo.tensors(200);
    let [first, second] = ["layers/0/bias", "layers/1/bias"].map(|name| &tensors[name].bytes[..]);
    zoo.patch(&[(first, second), (second, first)]);
    // At step 0 both are zero.
    zoo.doubted(&["2 of 3 records differ", ": steps 40, 200"]);
}

// Folded weights under their old names.

/// The bytes of a weight that is in the graph but in no checkpoint, found by its name.
fn folded(zoo: &Zoo, name: &str) -> Vec<u8> {
    let model = infoplane::graph::Model::open(&zoo.path(&zoo.model)).unwrap();
    let initializers = model.initializers();
    let found = initializers.iter().find(|initializer| initializer.name == name).unwrap();
    found.values().unwrap().bytes().to_vec()
}

#[test]
fn a_folded_weight_that_no_fold_explains_is_refused_under_its_old_name() {
    for name in ["conv1.weight", "conv2.weight", "conv2.bias", "fc1.weight", "fc1.bias"] {
        for reference in [Some("{ step = 200 }".to_owned()), None] {
            let mut zoo = Zoo::new("conv-bn", "dynamo.onnx");
            zoo.reference = reference;
            let own = folded(&zoo, name);
            assert_ne!(own, zoo.tensors(200)[name].bytes);
            let mut other = own.clone();
            for value in other.as_chunks_mut::<4>().0.iter_mut().step_by(3) {
                *value = (f32::from_le_bytes(*value) * 1.001).to_le_bytes();
            }
            zoo.patch(&[(&own, &other)]);
            zoo.refused(&[
                "step-000200.safetensors`",
                &format!("tensor `{name}`"),
                "found another value than the graph's initializer of the same name",
                "no fold that explains it",
                EXPORT,
            ]);
        }
    }
}

#[test]
fn folded_weights_whose_normalization_is_not_in_the_checkpoint_are_refused() {
    let mut zoo = Zoo::new("conv-bn", "dynamo.onnx");
    for step in [0, 40, 200] {
        zoo.change(step, |tensors| tensors.retain(|name, _| !name.starts_with("bn")));
    }
    zoo.refused(&["tensor `conv1.weight`", "another value", EXPORT]);
    // By name alone the folded weights would be taken for those that they were made of.
    zoo.reference = Some("\"none\"".to_owned());
    zoo.refused(&["initializer `conv1.weight_bias`", EXPORT]);
}

#[test]
fn names_alone_do_not_bind_a_graph_with_folded_weights() {
    let mut zoo = Zoo::new("conv-bn", "torchscript.onnx");
    zoo.reference = Some("\"none\"".to_owned());
    zoo.refused(&["initializer `onnx::Conv_35`", "[graph.bind] rules", EXPORT]);
    // Here each weight has its name but for the first bias; the normalizations are left over.
    let mut zoo = Zoo::new("conv-bn", "dynamo-initial.onnx");
    zoo.reference = Some("\"none\"".to_owned());
    zoo.refused(&["tensor `bn1.", "found no initializer of the graph that takes it", EXPORT]);
}

#[test]
fn a_graph_of_other_weights_is_refused() {
    let mut zoo = Zoo::new("mlp", "dynamo.onnx");
    zoo.reference = Some("{ step = 40 }".to_owned());
    zoo.refused(&[
        "step-000040.safetensors`",
        "tensor `fc1.weight`",
        "another checkpoint",
        "`[graph] reference`",
        EXPORT,
    ]);
    // One weight of another step among the right ones.
    let zoo = Zoo::new("mlp", "dynamo.onnx");
    let [stale, own] = [40, 200].map(|step| zoo.tensors(step)["ln2.weight"].clone());
    zoo.patch(&[(&own.bytes, &stale.bytes)]);
    zoo.refused(&["step-000200.safetensors`", "tensor `ln2.weight`", "another value", EXPORT]);
    // A single value of a single weight, by one bit.
    let zoo = Zoo::new("mlp", "dynamo.onnx");
    let mut flipped: Stored = zoo.tensors(200)["head.bias"].clone();
    let own = flipped.clone();
    flipped.bytes[4] ^= 1;
    zoo.patch(&[(&own.bytes, &flipped.bytes)]);
    zoo.refused(&["tensor `head.bias`", "another value", EXPORT]);
}
