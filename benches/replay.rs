//! One checkpoint of an archive through ONNX Runtime: open it, make a session with its weights, run all samples, read
//! out every tap. On one thread, and in seconds of that thread's CPU time where the system tells them (Linux): on a
//! shared machine the wall shows the neighbors.
//!
//! `INFOPLANE_ARCHIVE=folder INFOPLANE_TAPS=a,b` takes another archive than `data/digits`.
//! `benches/rivals/replay.py` does the same with the Python package of the same library (`ORT_DYLIB_PATH`).
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use infoplane::archive::{Checkpoint, Series};
use infoplane::graph::{Bind, Binding, Elsewhere, Model, SessionGraph, Tap, select_taps};
use infoplane::replay::{FeedInputs, Replayed, Runtime, Session, replay};
use infoplane::samples::{Samples, Source};

const BATCH: usize = 250;

/// What every checkpoint is replayed with.
struct Replay {
    runtime: &'static Runtime,
    checkpoints: Vec<Checkpoint>,
    graph: SessionGraph,
    binding: Binding,
    taps: Vec<Tap>,
    inputs: FeedInputs,
}

impl Replay {
    fn new(folder: PathBuf, taps: &str) -> Self {
        let runtime = Runtime::start(false, &|_| ()).unwrap();
        let checkpoints = Series::find(&folder, "step-*.safetensors", None).unwrap().checkpoints().to_vec();
        let mut model = Model::open(&folder.join("model.onnx")).unwrap();
        let wanted: Vec<String> = taps.split(',').map(str::to_owned).collect();
        let taps = select_taps(&model, &wanted, &BTreeMap::new()).unwrap();
        let reference = checkpoints.last().unwrap();
        let weights = reference.open().unwrap();
        let binding =
            Binding::by_value(&mut model, &Bind::default(), reference.name(), &weights, &Elsewhere::default()).unwrap();
        let fed = binding.feeds.iter().map(|feed| feed.initializer.as_str()).collect();
        let names: Vec<&str> = taps.iter().map(|tap| tap.name.as_str()).collect();
        let samples =
            Samples::read(&folder, &Source::File("inputs.npy".to_owned()), None, None, &BTreeMap::new()).unwrap();
        let graph = model.session(&names, &[], &fed);
        let values = binding.values(reference.name(), &weights, &graph.fed).unwrap();
        let session = Session::new(runtime, "graph", &graph.bytes, None, values).unwrap();
        let inputs = FeedInputs::new(&samples, session.inputs()).unwrap();
        Self { runtime, checkpoints, graph, binding, taps, inputs }
    }

    fn session(&self, checkpoint: &Checkpoint) -> Session {
        let weights = checkpoint.open().unwrap();
        let values = self.binding.values(checkpoint.name(), &weights, &self.graph.fed).unwrap();
        Session::new(self.runtime, "graph", &self.graph.bytes, None, values).unwrap()
    }

    fn run(&self, session: &mut Session) -> Replayed {
        replay(session, &self.inputs, &self.taps, &[], BATCH, &|| ControlFlow::Continue(())).unwrap()
    }
}

/// The CPU time of this thread so far.
fn on_cpu() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Runs a task some times.
fn timed<T>(times: u64, mut task: impl FnMut() -> T) -> Duration {
    let (start, clock) = (on_cpu(), Instant::now());
    for _ in 0..times {
        black_box(task());
    }
    start.and_then(|start| on_cpu()?.checked_sub(start)).unwrap_or_else(|| clock.elapsed())
}

fn benches(criterion: &mut Criterion) {
    #[expect(unsafe_code, reason = "infoplane starts no ONNX Runtime that might write a device id")]
    // SAFETY: no other thread runs yet.
    unsafe {
        env::set_var("ORT_DISABLE_TELEMETRY", "1");
    }
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits");
    let folder = env::var_os("INFOPLANE_ARCHIVE").map_or_else(|| PathBuf::from(shipped), PathBuf::from);
    let taps = env::var("INFOPLANE_TAPS");
    let all = Replay::new(folder, taps.as_deref().unwrap_or("conv1_act,pool1,conv2_act,fc1_act,logits"));
    let mut group = criterion.benchmark_group("replay");
    group.sample_size(10);
    let mut next = all.checkpoints.iter().cycle();
    group.bench_function("checkpoint", |bencher| {
        bencher.iter_custom(|times| timed(times, || all.run(&mut all.session(next.next().unwrap()))));
    });
    group.bench_function("session", |bencher| {
        bencher.iter_custom(|times| timed(times, || all.session(next.next().unwrap())));
    });
    let mut session = all.session(&all.checkpoints[0]);
    group.bench_function("run", |bencher| bencher.iter_custom(|times| timed(times, || all.run(&mut session))));
    group.finish();
}

criterion_group!(replays, benches);
criterion_main!(replays);
