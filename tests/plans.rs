//! Plans, shards and units: whatever cuts the work, the bytes are those of one run.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Archive, EVERY_KIND, Outcome, Scene, command, contains_all, files, infoplane, parts, query, times, walk};
use serde_json::Value;

/// Five checkpoints, three layers, measures of each kind, some of them of one layer against another.
fn scene() -> Scene {
    let mut scene = Scene::new(Archive::DigitsFlax, &[0, 1, 41, 475, 4000]);
    scene.taps = r#"["h1", "h2", "logits"]"#.into();
    scene.measures = format!(
        "{EVERY_KIND}, {{ usable = {{ label = \"digit\", probe = {{ nearest-mean = {{}} }}, given = \"h2\", per-sample = true }} }}, \
         {{ reconstruction = {{ of = \"logits\", decoder = {{ linear = {{}} }} }} }}"
    );
    scene
}

fn small() -> Scene {
    let mut scene = Scene::new(Archive::DigitsFlax, &[0, 41, 4000]);
    scene.taps = r#"["h2", "logits"]"#.into();
    scene
}

/// `infoplane plan`, and the plan file.
fn plan(scene: &Scene, name: &str, options: &[&str]) -> (Outcome, PathBuf) {
    let path = scene.path(name);
    let mut command = command(["plan", "--quiet", "--output"]);
    command.arg(&path).arg(scene.write()).args(options);
    (Outcome::of(&mut command), path)
}

fn planned(scene: &Scene, name: &str, options: &[&str]) -> PathBuf {
    let (outcome, path) = plan(scene, name, options);
    assert_eq!(outcome.success(), format!("{}\n", path.display()));
    path
}

/// A shard of a plan, from a working directory that has nothing to do with it.
fn run(plan: &Path, options: &[&str]) -> Outcome {
    let mut command = command(["run", "--quiet", "--plan"]);
    Outcome::of(command.arg(plan).args(options).current_dir("/"))
}

fn finish(results: &Path) -> Outcome {
    infoplane(["finish".as_ref(), results.as_os_str()])
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn header(plan: &Path) -> Value {
    serde_json::from_str(fs::read_to_string(plan).unwrap().lines().next().unwrap()).unwrap()
}

#[test]
fn any_cut_any_number_of_shards_and_any_order_give_the_bytes_of_one_run() {
    let scene = scene();
    scene.run(&["--quiet"]).success();
    finish(&scene.results()).success();
    let (data, tables) = (parts(&scene.results()), files(&scene.results().join("tables")));
    for (name, options, shards) in [
        ("whole", &[][..], &["1/3", "0/3", "2/3"][..]),
        ("cut", &["--taps-per-unit", "1"], &["3/4", "1/4", "0/4", "2/4", "1/4"]),
        ("halves", &["--taps-per-unit", "2"], &["0/1"]),
    ] {
        let results = scene.path(name);
        let plan = planned(&scene, &format!("{name}.plan"), &[options, &["--results", &text(&results)]].concat());
        let units = header(&plan)["units"].as_u64().unwrap();
        assert_eq!(
            units,
            if name == "whole" {
                5
            } else if name == "cut" {
                15
            } else {
                10
            }
        );
        for (place, shard) in shards.iter().enumerate() {
            let out = run(&plan, &["--shard", shard, "--threads", if place == 0 { "2" } else { "1" }]).success();
            // The shard that comes twice finds all that it would do.
            assert_eq!(out.starts_with("0 "), place == 4, "{name} {shard}: {out}");
        }
        finish(&results).success();
        assert!(parts(&results) == data, "{name}: other parts");
        assert!(files(&results.join("tables")) == tables, "{name}: other tables");
        assert_eq!(files(&results.join("work")).keys().collect::<Vec<_>>(), ["plan.json"], "{name}");
        // One row a unit, whoever did it.
        let units_done = query(&results, "SELECT * FROM units");
        assert_eq!(units_done.len() as u64, units, "{name}");
        for row in units_done {
            assert!(row["measure_time"].as_f64().unwrap() > 0.0 && row["peak_bytes"].as_u64() > Some(1 << 20), "{row}");
        }
    }
}

#[test]
fn units_of_six_machines_are_put_together_by_finish() {
    let scene = small();
    scene.run(&["--quiet"]).success();
    let plan = planned(&scene, "cut.plan", &["--taps-per-unit", "1"]);
    let one = scene.path("machine-0");
    for machine in 0..6 {
        let own = scene.path(&format!("machine-{machine}"));
        run(&plan, &["--shard", &format!("{machine}/6"), "--output", &text(&own)]).success();
        // What processes that are killed just before they could put them together leave behind.
        for path in walk(&own.join("work/pieces")).into_iter().filter(|path| path.is_file() && own != one) {
            let to = one.join(path.strip_prefix(&own).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&path, to).unwrap();
        }
    }
    assert!(infoplane(["status".as_ref(), one.as_os_str()]).success().contains("0 of 3 checkpoints done"));
    finish(&one).success();
    finish(&scene.results()).success();
    assert!(files(&one.join("tables")) == files(&scene.results().join("tables")));
    assert_eq!(files(&one.join("work")).keys().collect::<Vec<_>>(), ["plan.json"]);
}

#[test]
fn a_plan_is_written_once_and_another_archive_gives_another_one() {
    let scene = small();
    let path = planned(&scene, "a.plan", &[]);
    let (bytes, written) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
    assert_eq!(planned(&scene, "a.plan", &[]), path);
    assert_eq!(planned(&scene, "b.plan", &[]), scene.path("b.plan"));
    assert_eq!(fs::read(scene.path("b.plan")).unwrap(), bytes);
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
    // Everything in it is absolute.
    let header = header(&path);
    for key in ["pipeline", "output", "archive", "reference"] {
        assert!(header[key].as_str().unwrap().starts_with('/'), "{header}");
    }
    // A name of its own, by its hash.
    let mut unnamed = command(["plan", "--quiet"]);
    let out = Outcome::of(unnamed.arg(scene.write()).current_dir(scene.path(""))).success();
    assert_eq!(out, format!("pipeline-{}.plan\n", &header["hash"].as_str().unwrap()[..8]));
    fs::remove_file(scene.checkpoint(41)).unwrap();
    let (outcome, _) = plan(&scene, "a.plan", &[]);
    outcome.stopped(64, &["a.plan`", "found another plan", "never replaced", "`--output`"]);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    let (outcome, other) = plan(&scene, "c.plan", &[]);
    outcome.success();
    assert_ne!(self::header(&other)["hash"], header["hash"]);
    // The first one still stands: its checkpoint is gone, and that is told as such.
    let outcome = run(&path, &[]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    contains_all(&outcome.out, &["3 checkpoints measured"]);
}

#[test]
fn a_plan_of_something_else_is_refused_with_what_differs() {
    let scene = small();
    let path = planned(&scene, "a.plan", &[]);
    let text = fs::read_to_string(&path).unwrap();
    for (edited, words) in [
        (text.replace("\"step\":41", "\"step\":42"), "its hash"),
        (text.lines().take(2).collect::<Vec<_>>().join("\n"), "its hash"),
        (text.replacen("\"format\":1", "\"format\":9", 1), "found format 9"),
        ("seed = 1\n".to_owned(), "line 1"),
    ] {
        let other = scene.path("edited.plan");
        fs::write(&other, edited).unwrap();
        run(&other, &[]).stopped(64, &["edited.plan`", words, "plan"]);
    }
    run(&scene.path("nowhere.plan"), &[]).stopped(64, &["nowhere.plan`", "cannot read"]);
    let pipeline = fs::read_to_string(scene.path("pipeline.toml")).unwrap();
    fs::write(scene.path("pipeline.toml"), pipeline.replace("seed = 1", "seed = 2")).unwrap();
    run(&path, &[]).stopped(64, &["a.plan`", "found pipeline", "plan again"]);
    fs::write(scene.path("pipeline.toml"), pipeline).unwrap();
    // Another output layer in the checkpoint that the graph was exported from.
    let whole = fs::read(scene.checkpoint(4000)).unwrap();
    fs::copy(scene.checkpoint(41), scene.checkpoint(4000)).unwrap();
    run(&path, &[]).stopped(64, &["a.plan`", "found reference", "needed"]);
    assert!(!scene.results().exists(), "nothing was written");
    fs::write(scene.checkpoint(4000), whole).unwrap();
    run(&path, &[]).success();
}

#[test]
fn memory_cuts_checkpoints_and_refuses_what_can_never_fit() {
    let mut scene = small();
    scene.taps = r#"["h1", "logits"]"#.into();
    scene.measures = EVERY_KIND.to_owned();
    let groups = |plan: &Path| header(plan)["groups"].as_array().unwrap().clone();
    let whole = groups(&planned(&scene, "whole.plan", &[]));
    assert_eq!(whole.len(), 1);
    let cut = groups(&planned(&scene, "cut.plan", &["--taps-per-unit", "1"]));
    let bytes = |group: &Value| group["bytes"].as_u64().unwrap();
    assert!(cut.iter().all(|group| bytes(group) < bytes(&whole[0]) && group["cost"].as_u64() > Some(0)), "{cut:?}");
    let (outcome, _) = plan(&scene, "none.plan", &["--memory", "100M"]);
    outcome.stopped(64, &["--memory 100 MB", "`h1`", "needed one that fits"]);
    assert!(!scene.path("none.plan").exists());
    scene.run(&["--memory", "100M"]).stopped(64, &["--memory 100 MB"]);
    let roomy = format!("{}M", bytes(&whole[0]).div_ceil(1 << 20));
    assert_eq!(groups(&planned(&scene, "roomy.plan", &["--memory", &roomy])).len(), 1);
    // Just enough for one worker: as many threads as there are are not taken, and the bytes stay.
    scene.run(&["--quiet", "--threads", "2"]).success();
    let expected = parts(&scene.results());
    let tight = text(&scene.path("tight"));
    scene.run(&["--quiet", "--threads", "8", "--memory", &roomy, "--output", &tight]).success();
    assert!(parts(&scene.path("tight")) == expected);
    assert_eq!(query(&scene.path("tight"), "SELECT DISTINCT workers FROM units")[0]["workers"], 1);
    for wrong in ["8", "G", "0G", "8 apples", "-1G"] {
        assert_eq!(scene.run(&["--memory", wrong]).code, Some(64), "{wrong}");
    }
}

#[test]
fn status_tells_how_far_a_run_is_from_its_results_alone() {
    let scene = small();
    let nothing = infoplane(["status".as_ref(), scene.results().as_os_str()]);
    nothing.refused(&["found no results"]);
    let plan = planned(&scene, "a.plan", &["--taps-per-unit", "1"]);
    run(&plan, &["--shard", "0/6"]).success();
    let status = || infoplane(["status".as_ref(), scene.results().as_os_str()]).success();
    contains_all(&status(), &["0 of 3 checkpoints done (0 %), 0 failed, 3 missing, 1 units of these done"]);
    let outcome = infoplane(["finish".as_ref(), "--plan".as_ref(), plan.as_os_str()]);
    outcome.refused(&["found 0 of 3 checkpoints", "needed all"]);
    contains_all(&outcome.out, &["missing: step 0 (step-000000.safetensors)", "missing: step 4000"]);
    fs::write(scene.checkpoint(41), b"no checkpoint").unwrap();
    assert_eq!(run(&plan, &[]).code, Some(65), "a checkpoint is corrupt and nothing else is amiss");
    contains_all(
        &status(),
        &[
            "failed: step 41 (step-000041.safetensors)",
            "3 of 3 checkpoints done (100 %), 1 failed, 0 missing",
            "finish",
        ],
    );
    let told = infoplane(["status".as_ref(), "--json".as_ref(), "--plan".as_ref(), plan.as_os_str()]).success();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["done"], &told["failed"][0]["step"], &told["missing"]),
        (&3.into(), &41.into(), &Value::Array(vec![]))
    );
    assert!(told["per-hour"].as_f64().unwrap() > 0.0, "{told}");
    let finished = infoplane(["finish".as_ref(), "--plan".as_ref(), plan.as_os_str()]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    contains_all(&finished.out, &["failed: step 41", "3 checkpoints planned, 0 missing, 1 failed"]);
}

#[test]
fn what_another_process_wrote_of_the_same_stays_as_it_is() {
    let scene = small();
    let plan = planned(&scene, "cut.plan", &["--taps-per-unit", "1"]);
    run(&plan, &["--shard", "0/2"]).success();
    let pieces = scene.results().join("work/pieces");
    let early: Vec<PathBuf> = walk(&pieces).into_iter().filter(|path| path.is_file()).collect();
    let kept: Vec<(PathBuf, Vec<u8>)> = early.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert!(!kept.is_empty());
    run(&plan, &[]).success();
    finish(&scene.results()).success();
    let (bytes, written) = (files(&scene.results().join("data")), times(&scene.results().join("data")));
    // A writer that was cut off comes back with a unit whose checkpoint is whole already.
    for (path, bytes) in kept {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    run(&plan, &["--shard", "0/2"]).success();
    finish(&scene.results()).success();
    assert_eq!(files(&scene.results().join("data")), bytes);
    assert_eq!(times(&scene.results().join("data")), written);
    assert!(!pieces.exists());
}

#[test]
fn job_scripts_run_the_plan_with_literal_shards() {
    let scene = small();
    let plan = planned(&scene, "it's a plan.plan", &[]);
    let submit = |engine: &str, options: &[&str]| {
        let plan = text(&plan);
        let all = [&["submit", engine, "--plan", &plan, "--shards", "64", "--threads", "2"], options].concat();
        infoplane(all)
    };
    let slurm = submit("slurm", &[]).success();
    contains_all(
        &slurm,
        &[
            "#SBATCH --array=0-63\n",
            "--shard \"$SLURM_ARRAY_TASK_ID/64\" --threads 2 --memory ",
            "#SBATCH --mem=",
            "-eq 75",
        ],
    );
    let hyperqueue = submit("hyperqueue", &["--memory", "3G", "--minutes", "90"]).success();
    contains_all(&hyperqueue, &["#HQ --array=0-63\n", "\"$HQ_TASK_ID/64\"", "--memory 3072M", "#HQ --time-limit=90m"]);
    for script in [&slurm, &hyperqueue] {
        let path = scene.path("job.sh");
        fs::write(&path, script).unwrap();
        assert!(Command::new("bash").arg("-n").arg(&path).status().unwrap().success(), "{script}");
        contains_all(script, &["'\\''s a plan.plan'"]);
    }
    let kubernetes =
        submit("kubernetes", &["--image", "my/infoplane:1", "--claim", "data", "--mount", "/data"]).success();
    contains_all(
        &kubernetes,
        &[
            "completions: 64",
            "values: [1, 2, 64, 65]",
            "$JOB_COMPLETION_INDEX/64",
            "image: my/infoplane:1",
            "claimName: data",
        ],
    );
    for text in [&slurm, &hyperqueue, &kubernetes] {
        let left = ["{plan}", "{name}", "{shards}", "{minutes}", "{megabytes}", "{image}", "{program}", "{finish}"];
        assert!(!left.iter().any(|name| text.contains(name)), "{text}");
    }
    assert_eq!(submit("kubernetes", &[]).code, Some(64), "without an image there is nothing to run");
}
