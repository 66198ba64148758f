//! Binding a large checkpoint by value, against reading it: 480 MB of single-precision weights in 60 matrices of 1,024
//! rows and 2,048 columns, called otherwise in the graph than in the checkpoint.
//!
//! The bound is memory: graph and checkpoint are each read once for their prints, and once more to be compared. `read`
//! is what `fs::read` takes for the checkpoint alone, from the page cache. The target is twice that, with the weights
//! as they are; transposed, every comparison walks one of the two across its rows.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use infoplane::archive::Weights;
use infoplane::graph::{Bind, Binding, Elsewhere, Model};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

const MATRICES: usize = 60;
const ROWS: usize = 1024;
const COLUMNS: usize = 2048;

/// The values of a matrix: different everywhere, and the same in every run.
fn matrix(number: usize) -> Vec<f32> {
    let mut state = u32::try_from(number).unwrap() + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..ROWS * COLUMNS).map(|_| next()).collect()
}

fn transposed(values: &[f32]) -> Vec<f32> {
    (0..COLUMNS).flat_map(|column| (0..ROWS).map(move |row| values[row * COLUMNS + column])).collect()
}

/// A field of a protobuf message that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&varint(u64::from(number) << 3 | 2)[..], &varint(bytes.len() as u64), bytes].concat()
}

/// A field that holds a whole number.
fn whole(number: u8, value: u64) -> Vec<u8> {
    [varint(u64::from(number) << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 128 {
        bytes.push(value.to_le_bytes()[0] | 128);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    bytes
}

/// Writes a graph that multiplies its input with one matrix after another, forth and back; each node and matrix is on
/// the disk before the next one is made.
fn write_graph(path: &Path, transposes: bool) {
    let mut graph = Vec::new();
    for number in 0..MATRICES {
        let (values, shape) =
            if transposes { (transposed(&matrix(number)), [COLUMNS, ROWS]) } else { (matrix(number), [ROWS, COLUMNS]) };
        let input = if number == 0 { "x".to_owned() } else { format!("y{}", number - 1) };
        let node = [
            field(1, input.as_bytes()),
            field(1, format!("const_{number}").as_bytes()),
            field(2, format!("y{number}").as_bytes()),
            field(4, b"MatMul"),
        ];
        let dims: Vec<u8> = shape.iter().flat_map(|&size| whole(1, size as u64)).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensor = [dims, whole(2, 1), field(8, format!("const_{number}").as_bytes()), field(9, &bytes)];
        graph.extend(field(1, &node.concat()));
        graph.extend(field(5, &tensor.concat()));
    }
    graph.extend(field(11, &field(1, b"x")));
    graph.extend(field(12, &field(1, format!("y{}", MATRICES - 1).as_bytes())));
    let mut file = File::create(path).unwrap();
    file.write_all(&whole(1, 8)).unwrap();
    file.write_all(&field(7, &graph)).unwrap();
    file.write_all(&field(8, &whole(2, 17))).unwrap();
}

fn write_checkpoint(path: &Path) {
    let matrices: Vec<Vec<u8>> =
        (0..MATRICES).map(|number| matrix(number).iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let views: HashMap<String, TensorView<'_>> = matrices
        .iter()
        .enumerate()
        .map(|(number, bytes)| {
            (format!("layers.{number}.weight"), TensorView::new(Dtype::F32, vec![ROWS, COLUMNS], bytes).unwrap())
        })
        .collect();
    safetensors::serialize_to_file(&views, None, path).unwrap();
}

fn benches(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("step-1.safetensors");
    write_checkpoint(&checkpoint);
    let mut group = criterion.benchmark_group("binding");
    group.sample_size(10);
    group.bench_function("read", |bencher| bencher.iter(|| black_box(fs::read(&checkpoint).unwrap().len())));
    for (name, transposes) in [("as it is", false), ("transposed", true)] {
        let path = folder.path().join("model.onnx");
        write_graph(&path, transposes);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut model = Model::open(&path).unwrap();
                let weights = Weights::open(&checkpoint).unwrap();
                let binding =
                    Binding::by_value(&mut model, &Bind::default(), "step-1", &weights, &Elsewhere::default()).unwrap();
                assert!(binding.feeds.len() == MATRICES && binding.is_proven() && !binding.is_ambiguous());
                binding
            });
        });
    }
    group.finish();
}

criterion_group!(bindings, benches);
criterion_main!(bindings);
