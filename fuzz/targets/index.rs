//! The index that joins shards, beside one shard: `model.safetensors` with the tensors `a` and `b`.
#![no_main]

use infoplane_fuzz::archive::Weights;
use infoplane_fuzz::{file, folder, look_at_weights};
use libfuzzer_sys::fuzz_target;

const HEADER: &[u8] =
    br#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[],"data_offsets":[8,9]}}"#;

fuzz_target!(|bytes: &[u8]| {
    let folder = folder();
    let shard = [&(HEADER.len() as u64).to_le_bytes(), HEADER, &[0; 9]].concat();
    let _shard = file(&folder, "model.safetensors", &shard);
    if let Ok(weights) = Weights::open(&file(&folder, "model.safetensors.index.json", bytes)) {
        look_at_weights(&weights);
    }
});
