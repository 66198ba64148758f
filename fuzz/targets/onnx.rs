//! An ONNX model, beside a file that may hold its weights.
#![no_main]

use infoplane_fuzz::graph::Model;
use infoplane_fuzz::{file, folder, look_at_model, mutate};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| {
    let folder = folder();
    let _weights = file(&folder, "external.onnx.data", include_bytes!("../../data/zoo/mlp/external.onnx.data"));
    if let Ok(model) = Model::open(&file(&folder, "model.onnx", bytes)) {
        look_at_model(&model);
    }
});

// Every second input is changed as a model, the others as bytes.
fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| {
    let changed = if seed % 2 == 0 { mutate::model(&bytes[..size], seed) } else { None };
    match changed {
        Some(changed) if changed.len() <= most => {
            bytes[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        _ => fuzzer_mutate(bytes, size, most),
    }
});
