//! Series, values and refusals, compared with the same files on the disk.

use std::fs;
use std::path::Path;

use infoplane::archive::{Checkpoint, Series, StepFrom, Weights};
use tempfile::TempDir;

use crate::server::{Server, with_server};

/// The archive that ships, without what is no checkpoint.
fn digits() -> (TempDir, Vec<String>) {
    let folder = TempDir::with_prefix("infoplane-s3-digits-").unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits");
    let mut names = Vec::new();
    for step in [0, 1, 140, 4000] {
        let name = format!("step-{step:06}.safetensors");
        fs::copy(source.join(&name), folder.path().join(&name)).unwrap();
        names.push(name);
    }
    (folder, names)
}

fn names(weights: &Weights) -> Vec<&str> {
    weights.tensors().map(|tensor| tensor.name).collect()
}

fn error<T>(result: Result<T, impl ToString>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn a_series_in_a_bucket_is_that_of_the_folder() {
    with_server("archive::a_series_in_a_bucket_is_that_of_the_folder", |server: &Server| {
        let (folder, files) = digits();
        server.upload(folder.path(), "runs", "seed 1/epoch=3/");
        let local = Series::find(folder.path(), ".", None).unwrap();
        for url in ["s3://runs/seed 1/epoch=3", "s3://runs/seed 1/epoch=3/", "s3://runs/seed 1/*/step-*.safetensors"] {
            let series = Series::find(Path::new("/ignored"), url, None).unwrap();
            let steps: Vec<u64> = series.checkpoints().iter().map(Checkpoint::step).collect();
            assert_eq!(steps, [0, 1, 140, 4000]);
        }
        assert_eq!(server.reads(), Vec::<String>::new(), "names are enough");
        // Every name with its step in the metadata only.
        let series = Series::find(Path::new(""), "s3://runs/seed 1/epoch=3", Some(StepFrom::Metadata)).unwrap();
        assert_eq!(server.reads().len(), 4);
        for ((remote, local), file) in series.checkpoints().iter().zip(local.checkpoints()).zip(files) {
            let before = server.reads().len();
            let (remote, local) = (remote.open().unwrap(), local.open().unwrap());
            assert_eq!((names(&remote), remote.step()), (names(&local), local.step()));
            let identity = remote.identity(names(&remote)).unwrap();
            assert_eq!(server.reads().len(), before + 1, "opening reads the header in one request");
            assert_eq!(remote.hash(names(&remote)).unwrap(), local.hash(names(&local)).unwrap());
            assert_eq!(server.reads().len(), before + 2, "one request brings neighbours");
            for (there, here) in remote.tensors().zip(local.tensors()) {
                assert_eq!(there.finite().unwrap(), here.finite().unwrap());
            }
            assert_eq!(server.reads().len(), before + 2, "what was brought is kept");
            let alone = Checkpoint::alone(Path::new("/x"), &format!("s3://runs/seed 1/epoch=3/{file}")).unwrap();
            assert_eq!(alone.open().unwrap().identity(names(&local)).unwrap(), identity);
        }
    });
}

#[test]
fn what_is_wrong_in_a_bucket_is_said() {
    with_server("archive::what_is_wrong_in_a_bucket_is_said", |server: &Server| {
        let (folder, files) = digits();
        let [first, second] = [folder.path().join(&files[0]), folder.path().join(&files[1])];
        let bytes = fs::read(&first).unwrap();
        fs::write(folder.path().join("cut-1.safetensors"), &bytes[..bytes.len() - 1]).unwrap();
        fs::write(folder.path().join("empty-1.safetensors"), b"").unwrap();
        server.upload(folder.path(), "runs", "");
        let open = |name: &str| Checkpoint::alone(Path::new(""), &format!("s3://runs/{name}")).unwrap().open();
        for (name, words) in [
            ("cut-1.safetensors", "that its header claims"),
            ("empty-1.safetensors", "found 0 bytes"),
            ("none.safetensors", "found no such object"),
        ] {
            let error = error(open(name));
            assert!(error.contains(&format!("`s3://runs/{name}`")) && error.contains(words), "{error}");
        }
        let error_of_bucket = error(Series::find(Path::new(""), "s3://no-such-bucket/*.safetensors", None));
        assert!(error_of_bucket.contains("`s3://no-such-bucket/`"), "{error_of_bucket}");
        assert!(error_of_bucket.contains("found no such object or bucket"), "{error_of_bucket}");
        let none = error(Series::find(Path::new(""), "s3://runs/epoch-*.safetensors", None));
        assert!(none.contains("`s3://runs/epoch-*.safetensors`: found no safetensors checkpoint"), "{none}");
        // Another checkpoint of the same shape takes the place of one that is open.
        let weights = open(&files[0]).unwrap();
        fs::copy(second, first).unwrap();
        server.upload(folder.path(), "runs", "");
        let changed = error(weights.hash(names(&weights)));
        assert!(changed.contains(&files[0]) && changed.contains("overwritten"), "{changed}");
    });
}

#[test]
fn long_listings_come_whole_and_read_nothing() {
    with_server("archive::long_listings_come_whole_and_read_nothing", |server: &Server| {
        let folder = TempDir::with_prefix("infoplane-s3-many-").unwrap();
        for step in 0..1100 {
            fs::create_dir(folder.path().join(format!("checkpoint-{step}"))).unwrap();
            fs::write(folder.path().join(format!("checkpoint-{step}/model.safetensors")), b"").unwrap();
        }
        server.upload(folder.path(), "many", "");
        let series = Series::find(Path::new(""), "s3://many", None).unwrap();
        assert_eq!(series.checkpoints().len(), 1100, "a page has 1000 names");
        assert_eq!(server.reads(), Vec::<String>::new());
    });
}
