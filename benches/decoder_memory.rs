//! The most memory that a decoder takes, beside what it says that it will: each in a process of its own, since what one
//! has given back another would use again. Linux only, where a process can read its peak.
#![expect(clippy::cast_possible_truncation, reason = "layers are stored in single precision")]
#![expect(clippy::print_stdout, reason = "the table is what this is for")]

use std::env;
use std::fs;
use std::process::Command;

use infoplane::estimate::Split;
use infoplane::estimate::random::SplitMix64;
use infoplane::estimate::reconstruction::Decoder;
use ndarray::Array2;

const SAMPLES: usize = 10_000;
const PIXELS: usize = 784;
const MIB: f64 = (1 << 20) as f64;

/// What the network is given time for does not change what it holds.
const DECODERS: [&str; 3] =
    ["linear = {}", "mlp = { max-steps = 64 }", "convolution = { image = [1, 28, 28], max-steps = 32 }"];

fn main() {
    let words: Vec<String> = env::args().collect();
    if let [_, decoder, units] = &words[..] {
        let units = units.parse().expect("the parent wrote a number");
        return measure(decoder, units);
    }
    println!("| units | decoder | MiB taken | MiB stated |\n|---|---|---|---|");
    for units in [64, 512, 4096] {
        for decoder in DECODERS {
            let own = env::current_exe().expect("this process runs");
            let output = Command::new(own).args([decoder, &units.to_string()]).output().expect("it starts again");
            print!("| {units} | `{decoder}` | {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

fn measure(decoder: &str, units: usize) {
    let decoder: Decoder = toml::from_str(decoder).expect("a decoder as in a pipeline file");
    let mut random = SplitMix64::new(1);
    let mut normal = |columns| Array2::from_shape_simple_fn((SAMPLES, columns), || random.normal_pair().0 as f32);
    let (layer, target) = (normal(units), normal(PIXELS));
    let ids: Vec<u64> = (0..SAMPLES as u64).collect();
    let split = Split::by_id(&ids, 0.2, 0).expect("both sides have samples");
    let before = kibibytes("VmRSS");
    decoder.decode(layer.view(), target.view(), &split, 0).expect("the decoder fits");
    let taken = (kibibytes("VmHWM") - before) / 1024.0;
    println!("{taken:.0} | {:.0} |", decoder.bytes(SAMPLES, units, PIXELS) as f64 / MIB);
}

fn kibibytes(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with(name)).expect("every process has it");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of KiB")
}
