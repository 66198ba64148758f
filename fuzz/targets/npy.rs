//! A `.npy` file.
#![no_main]

use infoplane_fuzz::samples::Array;
use infoplane_fuzz::{file, folder, look_at_array};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = folder();
    if let Ok(array) = Array::read_npy(&file(&folder, "inputs.npy", bytes)) {
        look_at_array(&array);
    }
});
