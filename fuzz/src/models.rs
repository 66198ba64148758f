//! What is done with a model that opened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::archive::Weights;
use crate::graph::{Bind, Binding, Elsewhere, Model, SessionGraph, select_taps, suggest_taps};
use crate::{file, folder};

/// What models are bound to: the last checkpoint of a series and its first, of which seeds are
/// exports, and one of all that is rare.
static CHECKPOINTS: LazyLock<[Weights; 3]> = LazyLock::new(opened);

/// What tells whether tensors are trained, or always equal.
static ELSEWHERE: LazyLock<Elsewhere> = LazyLock::new(|| {
    let [last, first, rare] = opened();
    Elsewhere { before: vec![first], after: vec![last, rare] }
});

fn opened() -> [Weights; 3] {
    let files = [
        include_bytes!("../../data/zoo/mlp/step-000200.safetensors").to_vec(),
        include_bytes!("../../data/zoo/mlp/step-000000.safetensors").to_vec(),
        rare(),
    ];
    let folder = folder();
    // A file that is mapped outlives its name, but not its content.
    let names = ["last", "first", "rare"].map(|name| format!("{name}.safetensors"));
    let mut files = names.iter().zip(files);
    std::array::from_fn(|_| {
        let (name, bytes) = files.next().expect("a name for each");
        Weights::open(&file(&folder, name, &bytes)).expect("a checkpoint")
    })
}

/// A checkpoint of tensors without values, of small ones, of a normalization, and of several types.
fn rare() -> Vec<u8> {
    let (mut header, mut data) = (Vec::new(), Vec::new());
    for (name, dtype, shape, values) in [
        ("none", "F32", "[0]", 0),
        ("none.weight", "F32", "[2,0]", 0),
        ("scalar", "F32", "[]", 1),
        ("conv.weight", "F32", "[4,2,1,1]", 8),
        ("conv.bias", "F32", "[4]", 4),
        ("bn.weight", "F32", "[4]", 4),
        ("bn.bias", "F32", "[4]", 4),
        ("bn.running_mean", "F32", "[4]", 4),
        ("bn.running_var", "F32", "[4]", 4),
        ("bn.num_batches_tracked", "I32", "[]", 1),
        ("table", "I32", "[4,4]", 16),
        ("phase", "C64", "[1]", 2),
    ] {
        let from = data.len();
        let four = |value: u8| if dtype == "I32" { [value, 0, 0, 0] } else { (f32::from(value) / 2.0).to_le_bytes() };
        data.extend((0..values).flat_map(four));
        let offsets = format!("[{from},{}]", data.len());
        header.push(format!("\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":{offsets}}}"));
    }
    let header = format!("{{{}}}", header.join(","));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

/// Asks a model everything that it can tell, makes sessions from it, and binds it.
///
/// # Panics
///
/// When answers do not agree.
pub fn look_at(model: &Model) {
    ask(model);
    cut(model);
    bind(model);
}

fn ask(model: &Model) {
    // These look through the whole model: asked of every tensor they would take most of the time.
    const SOME: usize = 64;
    let _ = (model.hash(), model.missing_files(), model.producer(), model.opaque_initializers());
    let uses = model.all_uses();
    for initializer in model.initializers() {
        if let Some(values) = initializer.values() {
            assert_eq!(values.len(), initializer.len(), "`{}` has the values of its shape", initializer.name);
            assert_eq!(values.doubles().len(), initializer.len());
        }
    }
    for initializer in model.initializers().iter().take(SOME) {
        assert_eq!(uses.get(initializer.name), Some(&model.uses(initializer.name)), "one answer to one question");
        assert_eq!(model.value_of(initializer.name), initializer.values(), "one answer to one question");
    }
    for node in model.nodes() {
        let _ = (node.integer("axis"), node.integers("perm"), node.float("epsilon"), node.text("direction"));
    }
    for tensor in model.tensors().iter().take(SOME) {
        let _ = model.value_of(tensor.name);
    }
}

/// Makes the sessions of all taps, of the suggested ones, and of none.
fn cut(model: &Model) {
    let tensors = model.tensors();
    let all: Vec<&str> = tensors.iter().map(|tensor| tensor.name).collect();
    let suggested = suggest_taps(model, &BTreeMap::new());
    let suggested: Vec<&str> = suggested.iter().map(String::as_str).collect();
    assert!(suggested.iter().all(|tap| all.contains(tap)), "a suggested tap can be tapped");
    let selected = select_taps(model, &["*".to_owned()], &BTreeMap::new());
    assert!(selected.is_err() || !all.is_empty());
    let initializers = model.initializers();
    let floats: BTreeSet<&str> =
        initializers.iter().filter(|found| found.kind.is_float()).map(|found| found.name).collect();
    for taps in [&all, &suggested, &Vec::new()] {
        let SessionGraph { fed, .. } = model.session(taps, &model.outputs(), &floats);
        assert!(fed.iter().all(|name| floats.contains(name.as_str())), "only what is to be fed must be given");
        let _ = model.original(taps);
    }
}

/// Binds a model by value to each checkpoint, where need be with tensors left over, and by name with
/// the rules that this gave.
fn bind(model: &Model) {
    let strict = Bind::default();
    let lenient = Bind { unused: vec!["*".to_owned()], ..Bind::default() };
    for weights in CHECKPOINTS.iter() {
        let _ = Binding::resemblance(model, weights);
        let by_value = |bind| {
            let mut changed = model.clone();
            Binding::by_value(&mut changed, bind, "step", weights, &ELSEWHERE).map(|binding| (binding, changed))
        };
        match by_value(&strict).or_else(|_| by_value(&lenient)) {
            Ok((binding, changed)) => {
                follow(&binding, &changed);
                let rules = Bind { rules: binding.rules(), ..lenient.clone() };
                let _ = Binding::by_name(&mut model.clone(), &rules, "step", weights, &ELSEWHERE);
            }
            Err(_) => _ = Binding::by_name(&mut model.clone(), &lenient, "step", weights, &ELSEWHERE),
        }
    }
}

/// Makes the values of a binding at every checkpoint, and the sessions of the model that it changed.
fn follow(binding: &Binding, changed: &Model) {
    let fed: Vec<String> = binding.feeds.iter().map(|feed| feed.initializer.clone()).collect();
    for feed in &binding.feeds {
        assert!(changed.has_initializer(&feed.initializer), "`{}`: what is fed is there", feed.initializer);
    }
    let _ = (binding.bystanders(), binding.tensors(&fed));
    for weights in CHECKPOINTS.iter() {
        for (name, shape, values) in binding.values("step", weights, &fed).unwrap_or_default() {
            assert_eq!(values.len(), shape.iter().product::<usize>(), "`{name}` gets the values of its shape");
        }
    }
    cut(changed);
}
