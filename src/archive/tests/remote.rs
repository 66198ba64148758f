//! A checkpoint in a store has the same values and hashes as its copy on a disk.

use super::*;

/// 40 tensors over 20 MB, so that requests are joined and cut.
fn large() -> (Vec<(String, Vec<f32>)>, Vec<u8>) {
    let tensors: Vec<(String, Vec<f32>)> = (0..40_u16)
        .map(|place| {
            let length = if place == 7 { 5_000_000 } else { 1000 + usize::from(place) };
            (format!("layer.{place:02}"), (0..length).map(|i| f32::from(place) + (i % 1013) as f32).collect())
        })
        .collect();
    let named: Vec<Named<'_>> = tensors.iter().map(|(name, values)| (name.as_str(), values.as_slice())).collect();
    let bytes = file(&named, Some(12));
    (tensors, bytes)
}

#[test]
fn values_and_hashes_are_those_of_a_local_copy() {
    let (tensors, bytes) = large();
    let files = [("run/step-12.safetensors", bytes.as_slice())];
    let (folder, store) = (folder(&files), store(&files));
    let local = Weights::open(&folder.path().join(files[0].0)).unwrap();
    let remote = open_remote(&store, files[0].0).unwrap();
    assert_eq!((remote.step(), remote.len()), (Some(12), 40));
    // One alone, several at once, and the rest by asking for hashes.
    remote.get("layer.39").unwrap().values().unwrap();
    remote.load(["layer.07", "layer.03", "layer.39", "no such tensor"]).unwrap();
    assert_eq!(remote.tensor_hashes(names(&remote)).unwrap(), local.tensor_hashes(names(&local)).unwrap());
    assert_eq!(remote.hash(names(&remote)).unwrap(), local.hash(names(&local)).unwrap());
    for (name, values) in &tensors {
        let tensor = remote.get(name).unwrap();
        assert_eq!(tensor.values().unwrap(), local.get(name).unwrap().values().unwrap());
        assert_eq!(tensor.values().unwrap().plain::<f32>(), values.as_slice());
        assert_eq!(tensor.file, "s3://test/run/step-12.safetensors");
    }
}

#[test]
fn a_hash_is_of_the_header_and_the_named_tensors() {
    let hash = |tensors: &[Named<'_>], named: &[&str]| {
        let folder = folder(&[("x.safetensors", &file(tensors, None))]);
        Weights::open(&folder.path().join("x.safetensors")).unwrap().hash(named.iter().copied()).unwrap()
    };
    let base = hash(&[("a", &[1.0, 2.0]), ("b", &[3.0])], &["a"]);
    assert_eq!(hash(&[("b", &[3.0]), ("a", &[1.0, 2.0])], &["a"]), base);
    assert_eq!(
        hash(&[("a", &[1.0, 2.0]), ("b", &[9.0])], &["a", "a", "z"]),
        base,
        "the other tensor's values do not count"
    );
    for other in [
        hash(&[("a", &[1.0, 2.5]), ("b", &[3.0])], &["a"]),
        hash(&[("a", &[1.0, 2.0]), ("c", &[3.0])], &["a"]),
        hash(&[("a", &[1.0, 2.0]), ("b", &[3.0, 3.0])], &["a"]),
        hash(&[("a", &[1.0, 2.0]), ("b", &[3.0])], &["a", "b"]),
        hash(&[("a", &[1.0, 2.0]), ("b", &[3.0])], &[]),
    ] {
        assert_ne!(other, base);
    }
}

#[test]
fn shards_hash_as_the_whole_does() {
    let whole = file(&[("a", &[1.0, 2.0]), ("b", &[3.0])], Some(5));
    let [first, second] = [[("a", [1.0, 2.0].as_slice()), ("b", &[9.0])], [("b", &[3.0]), ("stale", &[0.0])]];
    let files: [(&str, &[u8]); 4] = [
        ("w.safetensors", &whole),
        ("s/m.safetensors.index.json", &index(&[("a", "m-1-of-2.safetensors"), ("b", "m-2-of-2.safetensors")])),
        ("s/m-1-of-2.safetensors", &file(&first, Some(5))),
        ("s/m-2-of-2.safetensors", &file(&second, None)),
    ];
    let (folder, store) = (folder(&files), store(&files));
    let hash = |weights: Result<Weights, ArchiveError>| {
        let weights = weights.unwrap();
        assert_eq!((names(&weights), weights.step()), (vec!["a", "b"], Some(5)));
        assert_eq!(weights.get("b").unwrap().values().unwrap().doubles(), [3.0]);
        weights.hash(["a", "b"]).unwrap()
    };
    let keys = ["w.safetensors", "s/m.safetensors.index.json"];
    let local = keys.map(|key| hash(Weights::open(&folder.path().join(key))));
    let remote = keys.map(|key| hash(open_remote(&store, key)));
    assert_eq!([&local[0], &remote[0], &remote[1]], [&local[1]; 3]);
}

#[test]
fn the_identity_is_the_content_on_a_disk_and_the_version_in_a_store() {
    let bytes = file(&[("a", &[1.0]), ("b", &[1.0])], None);
    let files = [("x.safetensors", bytes.as_slice()), ("copy.safetensors", bytes.as_slice())];
    let (folder, store) = (folder(&files), store(&files));
    let local = |key: &str| Weights::open(&folder.path().join(key)).unwrap().identity(["a"]).unwrap();
    assert_eq!(local("x.safetensors"), local("copy.safetensors"));
    let remote = |key: &str| open_remote(&store, key).unwrap().identity(["a"]).unwrap();
    let before = remote("x.safetensors");
    assert_eq!(remote("x.safetensors"), before);
    assert_ne!(remote("copy.safetensors"), before);
    // Only the header is read: the identity of what is deleted since can still be told.
    let weights = open_remote(&store, "x.safetensors").unwrap();
    store.delete("x.safetensors").unwrap();
    assert_eq!(weights.identity(["a"]).unwrap(), before);
    assert_ne!(weights.identity(["b"]).unwrap(), before, "other tensors are other measurements");
    store.set("x.safetensors", &bytes);
    assert_ne!(remote("x.safetensors"), before);
}

#[test]
fn headers_longer_than_the_first_request_are_read_whole() {
    let names: Vec<String> = (0..3000).map(|place| format!("a.tensor.with.a.long.name.{place}")).collect();
    let tensors: Vec<Named<'_>> = names.iter().map(|name| (name.as_str(), [1.0].as_slice())).collect();
    let store = store(&[("x.safetensors", &file(&tensors, None))]);
    let weights = open_remote(&store, "x.safetensors").unwrap();
    assert_eq!(weights.len(), 3000);
    assert_eq!(weights.get(&names[2999]).unwrap().values().unwrap().doubles(), [1.0]);
}

/// Were a header read, the objects would be refused: there is nothing in them.
#[test]
fn ten_thousand_objects_are_listed_without_reading_one() {
    let store = store(&[]);
    for step in 0..10_000 {
        store.set(&format!("run/step-{step:06}.safetensors"), b"");
    }
    for pattern in ["run", "run/step-*.safetensors"] {
        let series = series_in(&store, pattern).unwrap();
        let steps: Vec<u64> = series.checkpoints().iter().map(Checkpoint::step).collect();
        assert_eq!(steps, (0..10_000).collect::<Vec<u64>>());
    }
}

#[test]
fn many_threads_may_read_at_once() {
    let (tensors, bytes) = large();
    let store = store(&[("x.safetensors", &bytes)]);
    let weights = open_remote(&store, "x.safetensors").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for (name, values) in &tensors {
                    assert_eq!(weights.get(name).unwrap().values().unwrap().plain::<f32>(), values.as_slice());
                }
                open_remote(&store, "x.safetensors").unwrap().load(names(&weights)).unwrap();
            });
        }
    });
}
