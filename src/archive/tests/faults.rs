//! What is damaged, missing or changed is an error of that checkpoint, with its name.

use std::fmt::Write as _;

use super::*;

#[track_caller]
fn says<T>(result: Result<T, ArchiveError>, words: &[&str]) {
    let Err(error) = result else { panic!("needed an error with {words:?}") };
    let error = error.to_string();
    for word in words {
        assert!(error.contains(word), "`{word}` is missing in: {error}");
    }
}

/// Opens the same bytes from a disk and from a store.
#[track_caller]
fn both_say(bytes: &[u8], words: &[&str]) {
    let files = [("step-1.safetensors", bytes)];
    says(Weights::open(&folder(&files).path().join(files[0].0)), words);
    says(open_remote(&store(&files), files[0].0), words);
}

#[test]
fn damaged_files_are_refused_at_opening() {
    let whole = file(&[("a", &[1.0; 10]), ("b", &[2.0; 7])], Some(1));
    let kept = "not a valid safetensors file";
    both_say(&[], &["step-1.safetensors`", kept, "found 0 bytes", "copy or save the checkpoint again"]);
    both_say(&whole[..5], &[kept, "found 5 bytes"]);
    both_say(&whole[..60], &[kept, "found 60 bytes", "cut short"]);
    both_say(&whole[..whole.len() - 4], &[kept, "that its header claims", "cut short"]);
    both_say(
        &[&10_000_000_000_u64.to_le_bytes()[..], &[b' '; 100]].concat(),
        &[kept, "claim a header of 10000000000 bytes"],
    );
    both_say(&[&u64::MAX.to_le_bytes()[..], b"{}"].concat(), &[kept, "claim a header"]);
    both_say(b"\x80\x02}q\x00(X\x04\x00\x00\x00step", &[kept]);
}

/// Every prefix and every changed byte of a file gives tensors or an error, and never a panic.
#[test]
fn any_bytes_give_tensors_or_an_error() {
    let whole = file(&[("a", &[1.0, 2.0]), ("b", &[])], Some(1));
    let store = store(&[]);
    let folder = folder(&[]);
    let path = folder.path().join("x.safetensors");
    let tried = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        store.set("x.safetensors", bytes);
        let opened = [Weights::open(&path), open_remote(&store, "x.safetensors")]
            .map(|opened| opened.map(|weights| weights.hash(names(&weights)).unwrap()).map_err(drop));
        assert_eq!(opened[0], opened[1]);
    };
    for end in 0..whole.len() {
        tried(&whole[..end]);
        for value in [0, 0xFF, b'9', b'"', b'}'] {
            let mut changed = whole.clone();
            changed[end] = value;
            tried(&changed);
        }
    }
}

#[test]
fn what_is_not_there_is_named() {
    says(Weights::open(Path::new("/nowhere/x.safetensors")), &["`/nowhere/x.safetensors`: cannot read"]);
    let folder = folder(&[("step-1.safetensors/x", b"")]);
    says(Weights::open(&folder.path().join("step-1.safetensors")), &["needed a file"]);
    says(open_remote(&store(&[]), "x.safetensors"), &["`s3://test/x.safetensors`: found no such object or bucket"]);
}

#[test]
fn an_object_that_is_deleted_after_listing_fails_alone() {
    let checkpoint = file(&[("w", &[1.0])], None);
    let store = store(&[("step-1.safetensors", &checkpoint), ("step-2.safetensors", &checkpoint)]);
    let series = series_in(&store, "*.safetensors").unwrap();
    store.delete("step-1.safetensors").unwrap();
    says(series.checkpoints()[0].open(), &["`s3://test/step-1.safetensors`: found no such object"]);
    assert_eq!(series.checkpoints()[1].open().unwrap().len(), 1);
}

#[test]
fn an_object_that_is_overwritten_while_it_is_read_is_no_mixture() {
    let [old, new] = [1.0, 2.0].map(|value| file(&[("a", &[value; 8]), ("b", &[value; 8])], None));
    let store = store(&[("x.safetensors", &old)]);
    let weights = open_remote(&store, "x.safetensors").unwrap();
    assert_eq!(weights.get("a").unwrap().values().unwrap().doubles(), [1.0; 8]);
    store.set("x.safetensors", &new);
    let words = ["`s3://test/x.safetensors`", "overwritten", "run again"];
    says(weights.get("b").unwrap().values(), &words);
    says(weights.load(["b"]), &words);
    says(weights.hash(["a", "b"]), &words);
    assert_eq!(weights.get("a").unwrap().values().unwrap().doubles(), [1.0; 8], "what was brought stays");
    store.delete("x.safetensors").unwrap();
    says(weights.get("b").unwrap().values(), &["found no such object"]);
}

/// An index, the second shard, and what is wrong.
type Case<'a> = (&'a [u8], Option<&'a [u8]>, &'a str);

#[test]
fn a_damaged_index_or_shard_names_both_and_does_not_stop_the_series() {
    let [a, b] = ["a", "b"].map(|name| file(&[(name, &[1.0])], None));
    let missing = "tensor `b` points at `s-2-of-2.safetensors`, which is not there; copy the missing shard";
    let cut = &b[..b.len() - 1];
    let cases: [Case<'_>; 5] = [
        (&index(&[("a", "s-1-of-2.safetensors"), ("b", "s-2-of-2.safetensors")]), None, missing),
        (&index(&[("a", "s-1-of-2.safetensors"), ("b", "s-2-of-2.safetensors")]), Some(cut), "its shard"),
        (&index(&[("a", "s-1-of-2.safetensors"), ("c", "s-2-of-2.safetensors")]), Some(&b), "does not hold tensor `c`"),
        (&index(&[("a", "../step-2.safetensors")]), Some(&b), "needed a file in the index's own folder"),
        (b"{\"weights\": 3}", Some(&b), "`weight_map`"),
    ];
    for (index, second, words) in cases {
        let mut files = vec![
            ("step-1/m.safetensors.index.json", index),
            ("step-1/s-1-of-2.safetensors", a.as_slice()),
            ("step-2.safetensors", a.as_slice()),
        ];
        files.extend(second.map(|bytes| ("step-1/s-2-of-2.safetensors", bytes)));
        let (folder, store) = (folder(&files), store(&files));
        for pattern in ["", "**/*.safetensors"] {
            let local = Series::find(folder.path(), pattern, None).unwrap();
            for series in [local, series_in(&store, pattern).unwrap()] {
                assert_eq!(series.checkpoints().len(), 2);
                says(series.checkpoints()[0].open(), &["step-1/m.safetensors.index.json`: not a usable index", words]);
                assert_eq!(series.checkpoints()[1].open().unwrap().len(), 1);
            }
        }
    }
}

#[test]
fn types_without_plain_numbers_are_refused_only_when_asked_for() {
    let mut json = String::from("{");
    for (place, dtype) in ["C64", "F8_E8M0", "F32"].into_iter().enumerate() {
        let size = if dtype == "F8_E8M0" { 8 } else { 8 / if dtype == "C64" { 8 } else { 4 } };
        let (from, to) = (place * 8, place * 8 + 8);
        let comma = if place > 0 { "," } else { "" };
        let _ = write!(
            json,
            "{comma}\"{dtype}\":{{\"dtype\":\"{dtype}\",\"shape\":[{size}],\"data_offsets\":[{from},{to}]}}"
        );
    }
    json.push('}');
    let bytes = [&(json.len() as u64).to_le_bytes(), json.as_bytes(), &[0; 24]].concat();
    let files = [("x.safetensors", bytes.as_slice())];
    let folder = folder(&files);
    for weights in [Weights::open(&folder.path().join("x.safetensors")), open_remote(&store(&files), "x.safetensors")] {
        let weights = weights.unwrap();
        assert_eq!(weights.get("F32").unwrap().finite().unwrap().doubles(), [0.0, 0.0]);
        weights.hash(names(&weights)).unwrap();
        for name in ["C64", "F8_E8M0"] {
            says(
                weights.get(name).unwrap().values(),
                &["x.safetensors`", &format!("tensor `{name}` has type {name}"), "convert it"],
            );
        }
    }
}

#[test]
fn urls_that_lead_nowhere_say_what_is_needed() {
    let find = |url: &str| Series::find(Path::new("/archive"), url, None);
    says(find("ftp://host/x"), &["`ftp://host", "not a usable URL", "`s3://`"]);
    says(find("https://host/step-*.safetensors"), &["does not tell which files it has", "one `.safetensors`"]);
    says(find("https://host/folder/"), &["`https://host/folder`", "does not tell which files it has"]);
    says(find("s3://"), &["`s3://`"]);
}
