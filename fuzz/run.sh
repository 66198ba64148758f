#!/usr/bin/env bash
# fuzz/run.sh [seconds]: fuzzes every reader of files from strangers for so long each (60 if not said),
# on stable Rust, and fails at the first input that panics, hangs, or takes more than 1 GiB.
#
# Such an input is left in fuzz/artifacts/<target>; the same command with its path runs it again:
#     cargo fuzz run -s none <target> <path>
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}

command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
fuzz/seed.sh
# One thread: the readers' own would only pass small files around.
export RAYON_NUM_THREADS=1
fuzz() {
    printf '\n== %s\n' "$1"
    # No sanitizer: the crate has no unsafe code but maps of files, and sanitizers need a nightly Rust.
    cargo fuzz run -s none "$1" -- -dict="fuzz/$2.dict" -max_len="$3" -max_total_time="$seconds" \
        -timeout=20 -rss_limit_mb=2048 -print_final_stats=1
}
fuzz safetensors json 16384
fuzz index json 4096
fuzz onnx onnx 32768
fuzz npy numpy 8192
fuzz npz numpy 8192
