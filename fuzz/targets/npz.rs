//! An `.npz` file: an archive of `.npy` files.
#![no_main]

use infoplane_fuzz::samples::Array;
use infoplane_fuzz::{file, folder, look_at_array};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = folder();
    let path = file(&folder, "data.npz", bytes);
    for (name, array) in Array::read_npz(&path, None).unwrap_or_default() {
        look_at_array(&array);
        let alone = Array::read_npz(&path, Some(&name)).expect("a member that could be read with the others");
        assert_eq!(alone.len(), 1);
    }
});
