//! The header of a safetensors file, and the tensors behind it.
#![no_main]

use infoplane_fuzz::archive::Weights;
use infoplane_fuzz::{file, folder, look_at_weights};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = folder();
    if let Ok(weights) = Weights::open(&file(&folder, "step-1.safetensors", bytes)) {
        look_at_weights(&weights);
    }
});
