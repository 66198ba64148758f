//! The same files give the same series on a disk and in a store.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;

/// Steps and names of the series that a pattern finds among files of these names, or the error.
///
/// Paths of the error are relative to the folder.
fn found(files: &[&str], pattern: &str) -> Result<Vec<(u64, String)>, String> {
    let checkpoint = file(&[("w", &[1.0])], None);
    let files: Vec<(&str, &[u8])> = files.iter().map(|name| (*name, checkpoint.as_slice())).collect();
    let list = |series: Series| {
        series
            .checkpoints()
            .iter()
            .map(|checkpoint| (checkpoint.step(), checkpoint.name().to_owned()))
            .collect::<Vec<_>>()
    };
    let (folder, store) = (folder(&files), store(&files));
    let local = Series::find(folder.path(), pattern, None).map(list);
    let remote = series_in(&store, pattern).map(list);
    let local = local.map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""));
    let remote = remote.map_err(|error| error.to_string().replace("s3://test/", ""));
    assert_eq!(local.as_ref().ok(), remote.as_ref().ok(), "{local:?} {remote:?}");
    if let (Err(local), Err(remote)) = (&local, &remote) {
        assert_eq!(local, remote);
    }
    local
}

#[track_caller]
fn finds(files: &[&str], pattern: &str, expected: &[(u64, &str)]) {
    let expected: Vec<(u64, String)> = expected.iter().map(|(step, name)| (*step, (*name).to_owned())).collect();
    assert_eq!(found(files, pattern).unwrap(), expected);
}

#[track_caller]
fn refuses(files: &[&str], pattern: &str, words: &[&str]) {
    let error = found(files, pattern).unwrap_err();
    for word in words {
        assert!(error.contains(word), "`{word}` is missing in: {error}");
    }
}

#[test]
fn flat_files() {
    let files = ["a/step-000123.safetensors", "a/step-000020.safetensors", "a/readme.md", "b/step-9.safetensors"];
    let expected = [(20, "step-000020.safetensors"), (123, "step-000123.safetensors")];
    finds(&files, "a", &expected);
    finds(&files, "a/step-*.safetensors", &expected);
    finds(&files, "a/step-0001*.safetensors", &expected[1..]);
    finds(&files, "a/step-000020.safetensors", &expected[..1]);
    finds(
        &files,
        "*/step-*.safetensors",
        &[(9, "b/step-9.safetensors"), (20, "a/step-000020.safetensors"), (123, "a/step-000123.safetensors")],
    );
    refuses(&files, "a/epoch-*.safetensors", &["a/epoch-*.safetensors`", "found no safetensors checkpoint"]);
    refuses(&files, "a/[", &["a/[`", "not a valid glob"]);
}

/// Hugging Face Trainer.
#[test]
fn a_folder_for_each_step_with_everything_else_beside_the_weights() {
    let files = [
        "out/checkpoint-500/model.safetensors",
        "out/checkpoint-500/optimizer.pt",
        "out/checkpoint-500/trainer_state.json",
        "out/checkpoint-500/tokenizer.json",
        "out/checkpoint-1000/model-00001-of-00002.safetensors",
        "out/checkpoint-1000/model-00002-of-00002.safetensors",
        "out/checkpoint-1000/model.safetensors.index.json",
        "out/checkpoint-1000/global_step1000/zero_pp_rank_0.pt",
        "out/runs/events",
    ];
    let expected = [(500, "checkpoint-500/model.safetensors"), (1000, "checkpoint-1000/model.safetensors.index.json")];
    for pattern in ["out", "out/checkpoint-*", "out/checkpoint-*/*", "out/*/model*.safetensors"] {
        finds(&files, pattern, &expected);
    }
    finds(&files, "out/**", &expected);
}

#[test]
fn an_adapter_beside_the_model_is_ambiguous_until_one_is_named() {
    let files = [
        "checkpoint-1/adapter_model.safetensors",
        "checkpoint-1/model.safetensors",
        "checkpoint-2/adapter_model.safetensors",
        "checkpoint-2/model.safetensors",
    ];
    for pattern in ["", "checkpoint-*"] {
        refuses(
            &files,
            pattern,
            &[
                "`checkpoint-1`: found 2 safetensors files (`adapter_model.safetensors`, `model.safetensors`)",
                "for instance `*/model.safetensors`",
            ],
        );
    }
    finds(
        &files,
        "*/model.safetensors",
        &[(1, "checkpoint-1/model.safetensors"), (2, "checkpoint-2/model.safetensors")],
    );
}

/// accelerate numbers its models from the second one on.
#[test]
fn a_second_model_is_not_taken_for_a_step() {
    let files = ["c/step_500/model.safetensors", "c/step_500/model_1.safetensors", "c/step_600/model.safetensors"];
    refuses(&files, "c", &["`c/step_500`: found 2 safetensors files", "for instance `c/*/model.safetensors`"]);
    finds(&files, "c/*/model_1.safetensors", &[(500, "step_500/model_1.safetensors")]);
    finds(&["checkpoints/checkpoint_3/model.safetensors"], "", &[(3, "checkpoints/checkpoint_3/model.safetensors")]);
}

/// Lightning.
#[test]
fn folders_that_hold_nothing_but_the_series_are_looked_into() {
    let files = [
        "logs/version_0/checkpoints/epoch=0-step=40.safetensors",
        "logs/version_0/checkpoints/epoch=3-step=120.safetensors",
        "logs/version_0/hparams.yaml",
    ];
    finds(
        &files,
        "logs",
        &[
            (40, "version_0/checkpoints/epoch=0-step=40.safetensors"),
            (120, "version_0/checkpoints/epoch=3-step=120.safetensors"),
        ],
    );
    finds(&files, "logs/version_0/checkpoints/epoch=3-step=120.safetensors", &[(120, "epoch=3-step=120.safetensors")]);
    // Two runs are not one series.
    let files = [
        "r/seed_1/step-1.safetensors",
        "r/seed_1/step-2.safetensors",
        "r/seed_2/step-1.safetensors",
        "r/seed_2/step-2.safetensors",
    ];
    refuses(&files, "r", &["`r/seed_1`: found 2 safetensors files", "for instance `r/seed_1`"]);
    finds(&files, "r/seed_2", &[(1, "step-1.safetensors"), (2, "step-2.safetensors")]);
}

/// Orbax names folders by the step alone and nests the items of a step.
#[test]
fn the_checkpoint_of_a_step_may_lie_two_folders_deep() {
    finds(
        &["o/1000/default/params.safetensors", "o/2000/params.safetensors", "o/3000/a/b/params.safetensors"],
        "o",
        &[
            (1000, "1000/default/params.safetensors"),
            (2000, "2000/params.safetensors"),
            (3000, "3000/a/b/params.safetensors"),
        ],
    );
    refuses(
        &["o/1000/default/params.safetensors", "o/1000/state/params.safetensors"],
        "o",
        &[
            "`o/1000`: found 2 safetensors files (`default/params.safetensors`, `state/params.safetensors`)",
            "`o/*/default/params.safetensors`",
        ],
    );
    refuses(&["o/1000/a/b/c/params.safetensors"], "o", &["found no safetensors checkpoint"]);
}

/// Pythia and others publish a revision for each step.
#[test]
fn a_folder_for_each_revision() {
    let files = ["m/revisions/step1000/model.safetensors", "m/revisions/step2000-tokens4B/model.safetensors"];
    let expected = [(1000, "step1000/model.safetensors"), (2000, "step2000-tokens4B/model.safetensors")];
    finds(&files, "m/revisions", &expected);
    finds(
        &files,
        "m",
        &[(1000, "revisions/step1000/model.safetensors"), (2000, "revisions/step2000-tokens4B/model.safetensors")],
    );
}

/// The cache of the Hugging Face hub.
#[test]
fn a_revision_that_is_only_a_hash_needs_its_step_in_the_metadata() {
    let name = "models--org--name/snapshots/0a1b/model.safetensors";
    refuses(
        &[name],
        "models--org--name",
        &["snapshots/0a1b/model.safetensors`", "found no training step", "metadata key `step`"],
    );
    let checkpoints = [1, 2].map(|step| file(&[("w", &[1.0])], Some(step)));
    let files =
        [(name, checkpoints[1].as_slice()), ("models--org--name/snapshots/ff00/model.safetensors", &checkpoints[0])];
    let series = series_in(&store(&files), "models--org--name").unwrap();
    let names: Vec<&str> = series.checkpoints().iter().map(Checkpoint::name).collect();
    assert_eq!(names, ["snapshots/ff00/model.safetensors", "snapshots/0a1b/model.safetensors"]);
}

#[test]
fn hidden_and_unfinished_files_are_no_checkpoints() {
    let files = [
        "checkpoint-1/model.safetensors",
        "checkpoint-1/.model.safetensors",
        "tmp-checkpoint-2/model.safetensors",
        "checkpoint-3.tmp/model.safetensors",
        "4.orbax-checkpoint-tmp-17/model.safetensors",
        ".cache/step-5.safetensors",
        "checkpoint-6.lock",
    ];
    finds(&files, "", &[(1, "checkpoint-1/model.safetensors")]);
    finds(&files, "**/*.safetensors", &[(1, "checkpoint-1/model.safetensors")]);
}

#[test]
fn folders_of_other_things_are_passed_over_and_a_final_model_is_not() {
    let files = ["step-1.safetensors", "ref_activations/a.safetensors", "ref_activations/b.safetensors"];
    finds(&files, "", &[(1, "step-1.safetensors")]);
    let files = ["model.safetensors", "checkpoint-1/model.safetensors"];
    refuses(&files, "", &["`model.safetensors`", "found no training step", "leave it out with a glob"]);
    // The same weights in another form, beside an index.
    let files = [
        "step-7/model.safetensors.index.json",
        "step-7/model-1-of-1.safetensors",
        "step-7/original/consolidated.safetensors",
    ];
    finds(&files, "", &[(7, "step-7/model.safetensors.index.json")]);
}

#[test]
fn an_empty_folder_holds_no_checkpoint() {
    refuses(&["elsewhere/step-1.safetensors"], "here/", &["`", "found no safetensors checkpoint"]);
    let empty = folder(&[]);
    let error = Series::find(empty.path(), ".", None).unwrap_err().to_string();
    assert!(error.contains("found no safetensors checkpoint"), "{error}");
}

#[test]
fn shards_without_an_index_are_refused() {
    let files = ["checkpoint-1/model-00001-of-00002.safetensors", "checkpoint-1/model-00002-of-00002.safetensors"];
    refuses(&files, "", &["no index that joins them", "for instance `*/model.safetensors.index.json`"]);
    refuses(&files, "*/*", &["found step 1 in both"]);
}

#[test]
fn patterns_without_a_folder_start_where_the_program_does() {
    let series = Series::find(Path::new(""), "d*/digits/step-00000*.safetensors", None).unwrap();
    assert_eq!(series.checkpoints()[0].name(), "data/digits/step-000000.safetensors");
}

#[test]
fn a_name_that_no_row_can_tell_is_refused() {
    let folder = folder(&[]);
    fs::write(folder.path().join(OsStr::from_bytes(b"step-1\xFF.safetensors")), b"").unwrap();
    let error = Series::find(folder.path(), ".", None).unwrap_err().to_string();
    assert!(error.contains("not UTF-8"), "{error}");
}

#[test]
fn links_are_followed_and_rings_of_links_end() {
    let checkpoint = file(&[("w", &[1.0])], None);
    let folder = folder(&[("blobs/ab12", &checkpoint), ("run [1]/x", b"")]);
    let run = folder.path().join("run [1]");
    symlink(folder.path().join("blobs/ab12"), run.join("step-3.safetensors")).unwrap();
    symlink(&run, run.join("again")).unwrap();
    symlink(folder.path().join("nowhere"), run.join("step-4.safetensors")).unwrap();
    for pattern in [".", "**/*.safetensors"] {
        let series = Series::find(&run, pattern, None).unwrap();
        assert_eq!(series.checkpoints().len(), 2);
        assert_eq!(series.checkpoints()[0].open().unwrap().len(), 1);
        let error = series.checkpoints()[1].open().unwrap_err().to_string();
        assert!(error.contains("step-4.safetensors`: cannot read"), "{error}");
    }
}
