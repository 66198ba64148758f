//! Where weights come from: Trainer folders, narrow and wide floats, eight bits, integers and booleans.

use safetensors::Dtype;

use crate::common::{Stored, contains_all, infoplane as run_program};
use crate::zoo::{Zoo, strings};

#[test]
fn trainer_folders_are_found_as_folder_glob_and_files() {
    let mut said = Vec::new();
    for checkpoints in
        ["zoo", "zoo/checkpoint-*", "zoo/checkpoint-*/*.safetensors", "zoo/checkpoint-*/model.safetensors.index.json"]
    {
        for archive in ["hf-transformer", "hf-transformer-bf16"] {
            let mut zoo = Zoo::new(archive, "dynamo.onnx");
            zoo.checkpoints = checkpoints.to_owned();
            let found = zoo.proven();
            assert_eq!(found["records"].as_array().unwrap().len(), 3, "{checkpoints}");
            let rounded = strings(&found["feeds"], "words").len();
            assert_eq!(rounded, 38, "{found}");
            said.push((archive, found["feeds"].clone()));
        }
    }
    for (archive, feeds) in &said[2..] {
        assert_eq!(*feeds, said[usize::from(archive.ends_with("bf16"))].1, "{archive}");
    }
    // Stubs of the optimizer lie beside the shards and are not looked at.
    let zoo = Zoo::new("hf-transformer", "dynamo.onnx");
    let listed = run_program(["inspect".as_ref(), zoo.path("zoo").as_os_str()]).success();
    contains_all(&listed, &["3 checkpoints", "38 tensors  checkpoint-40/model.safetensors.index.json"]);
}

/// The losses of the checkpoints.
fn losses(zoo: &Zoo) -> Vec<f64> {
    zoo.rows(0).iter().map(|row| row["loss"].as_f64().unwrap()).collect()
}

#[test]
fn casts_are_bound_as_rounded_values_and_give_losses_near() {
    let mut whole = Zoo::new("mlp", "dynamo.onnx");
    whole.recorded = None;
    let expected = losses(&whole);
    for (kind, rounded, tolerance) in [
        // Half of the last of 11 and 8 binary digits, through four layers.
        ("f16", Some("f16"), 2e-3),
        ("bf16", Some("bf16"), 2e-2),
        ("f64", None, 1e-6),
    ] {
        let mut zoo = Zoo::new("mlp", "dynamo.onnx");
        zoo.recorded = None;
        zoo.checkpoints = format!("zoo/cast/step-*-{kind}.safetensors");
        let said = zoo.proven();
        for feed in said["feeds"].as_array().unwrap() {
            assert_eq!(feed["rounded"].as_str(), rounded, "{feed}");
            assert_eq!(feed["evidence"], "name-and-value", "{feed}");
            assert_eq!(feed["initializer"], feed["words"], "{feed}");
        }
        let text = zoo.again("bind", &[]).success();
        let as_rounded = rounded.map_or(0, |_| 14);
        assert_eq!(text.matches(&format!("name and value (as {})", kind.to_uppercase())).count(), as_rounded, "{text}");
        for (found, expected) in losses(&zoo).iter().zip(&expected) {
            assert!((found - expected).abs() <= tolerance * expected.max(1.0), "{kind}: {found}, needed {expected}");
        }
    }
}

#[test]
fn a_wrong_weight_is_told_through_rounding() {
    let mut zoo = Zoo::new("mlp", "dynamo.onnx");
    zoo.recorded = None;
    zoo.checkpoints = "zoo/cast/step-*-bf16.safetensors".to_owned();
    zoo.reference = Some("{ step = 40 }".to_owned());
    zoo.refused(&["step-000040-bf16.safetensors`", "tensor `fc1.weight`", "another value"]);
}

/// The value of eight bits with so many of them for the exponent.
fn eight_bits(code: u8, exponent_bits: u32) -> f32 {
    let (mantissa_bits, bias) = (7 - exponent_bits, (1 << (exponent_bits - 1)) - 1);
    let exponent = i32::from((code & 0x7f) >> mantissa_bits);
    let fraction = f32::from(code & ((1 << mantissa_bits) - 1)) / f32::from(1_u8 << mantissa_bits);
    let size =
        if exponent == 0 { fraction * 2_f32.powi(1 - bias) } else { (1.0 + fraction) * 2_f32.powi(exponent - bias) };
    if code & 0x80 == 0 { size } else { -size }
}

/// The nearest finite number of eight bits.
fn nearest(value: f32, exponent_bits: u32) -> u8 {
    let largest = if exponent_bits == 4 { 0x7e } else { 0x7b };
    let codes = (0..=u8::MAX).filter(|code| code & 0x7f <= largest);
    let distance = |code: &u8| (eight_bits(*code, exponent_bits) - value).abs();
    codes.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap()
}

#[test]
fn weights_of_eight_bits_give_what_they_give_in_single_precision() {
    for (dtype, exponent_bits) in [(Dtype::F8_E4M3, 4), (Dtype::F8_E5M2, 5)] {
        let [narrow, single] = [true, false].map(|is_narrow| {
            let mut zoo = Zoo::new("mlp", "dynamo.onnx");
            zoo.recorded = None;
            let exported = zoo.tensors(200);
            let widened = |stored: &Stored| {
                stored.map(Dtype::F32, |value| eight_bits(nearest(value, exponent_bits), exponent_bits).to_le_bytes())
            };
            let rounded: Vec<(Vec<u8>, Vec<u8>)> =
                exported.values().map(|stored| (stored.bytes.clone(), widened(stored).bytes)).collect();
            zoo.patch(&rounded.iter().map(|(old, new)| (&old[..], &new[..])).collect::<Vec<_>>());
            for step in [0, 40, 200] {
                zoo.change(step, |tensors| {
                    for stored in tensors.values_mut() {
                        *stored = if is_narrow {
                            stored.map(dtype, |value| [nearest(value, exponent_bits)])
                        } else {
                            widened(stored)
                        };
                    }
                });
            }
            let said = zoo.proven();
            assert!(said["feeds"].as_array().unwrap().iter().all(|feed| feed["rounded"].is_null()), "{said}");
            losses(&zoo)
        });
        assert_eq!(narrow, single, "{dtype:?}");
    }
    // Codes from the specification (OCP 8-bit floating point, tables 1 and 2).
    for (code, exponent_bits, value) in [
        (0x7e, 4, 448.0),
        (0x01, 4, 2_f32.powi(-9)),
        (0xb8, 4, -1.0),
        (0x7b, 5, 57344.0),
        (0x01, 5, 2_f32.powi(-16)),
        (0xbc, 5, -1.0),
    ] {
        assert_eq!(eight_bits(code, exponent_bits).to_bits(), f32::to_bits(value), "{code:x}");
    }
}

/// Types whose values share bytes, their names, and the bytes of 24 values.
const NARROW: [(Dtype, &str, usize); 2] = [(Dtype::F4, "F4", 12), (Dtype::F6_E2M3, "F6_E2M3", 18)];

#[test]
fn a_weight_of_less_than_eight_bits_is_refused() {
    for (dtype, name, size) in NARROW {
        let zoo = Zoo::new("mlp", "dynamo.onnx");
        zoo.change(200, |tensors| {
            tensors.insert("fc1.bias".to_owned(), Stored { dtype, shape: vec![24], bytes: vec![0x11; size] });
        });
        zoo.refused(&["step-000200.safetensors`", "tensor `fc1.bias`", name, "needed"]);
    }
}

#[test]
fn a_tensor_of_less_than_eight_bits_is_refused_unless_it_is_listed() {
    for (dtype, name, size) in NARROW {
        let mut zoo = Zoo::new("mlp", "dynamo.onnx");
        for step in [0, 40, 200] {
            zoo.change(step, |tensors| {
                tensors.insert("fc4.bias".to_owned(), Stored { dtype, shape: vec![24], bytes: vec![0x11; size] });
            });
        }
        for command in ["bind", "run"] {
            let words = ["step-000200.safetensors`", "tensor `fc4.bias`", name, "needed"];
            zoo.command(command, &[]).stopped(65, &words);
        }
        zoo.bind = "unused = [\"fc4.bias\"]".to_owned();
        zoo.proven();
    }
}

#[test]
fn a_later_weight_of_less_than_eight_bits_fails_alone() {
    let zoo = Zoo::new("mlp", "dynamo.onnx");
    zoo.change(40, |tensors| {
        tensors.insert("fc1.bias".to_owned(), Stored { dtype: Dtype::F4, shape: vec![24], bytes: vec![0x11; 12] });
    });
    let rows = zoo.rows(65);
    contains_all(rows[1]["error"].as_str().unwrap(), &["step-000040.safetensors`", "tensor `fc1.bias`", "F4"]);
    assert!(rows[0]["loss"].is_f64() && rows[2]["loss"].is_f64());
}
