//! What `inspect` and `bind` show of a graph.

use crate::common::{contains_all, infoplane as run_program, repository};
use crate::zoo::Zoo;

/// The lines from one heading to the next.
fn section<'t>(text: &'t str, heading: &str) -> Vec<&'t str> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(heading));
    assert!(lines.next().is_some(), "no `{heading}` in {text}");
    lines.take_while(|line| !line.chars().next().is_some_and(char::is_alphabetic)).collect()
}

fn inspect(path: &str) -> String {
    run_program(["inspect".as_ref(), repository("data/zoo").join(path).as_os_str()]).success()
}

#[test]
fn inspect_shows_modules_and_suggests_a_tap_for_each_block() {
    let text = inspect("transformer/dynamo.onnx");
    let tensors = section(&text, "tappable tensors");
    for line in [
        "  float32   [?, 8, 16]           layer_norm  from LayerNormalization of blocks.0.ln1",
        "  float32   [?, 2, 8, 8]         softmax  from Softmax of blocks.0.attn",
        "* float32   [?, 8, 16]           add_1  from Add of blocks.0",
        "* float32   [?, 10]              logits  from Gemm of head  (output)",
    ] {
        assert!(tensors.contains(&line), "`{line}` is missing in {text}");
    }
    // The sums that everything passes through, the last norm and the result.
    let suggested = "  taps = [\"add\", \"add_1\", \"add_2\", \"add_3\", \"layer_norm_4\", \"logits\"]";
    assert_eq!(section(&text, "suggested"), [suggested]);
    let marked = tensors.iter().filter(|line| line.starts_with('*')).count();
    assert_eq!(marked, 6, "{text}");
}

#[test]
fn suggested_taps_can_be_used_as_they_stand() {
    for (archive, export) in [
        ("transformer", "torchscript.onnx"),
        ("lstm", "dynamo.onnx"),
        ("flax-conv", "jax2onnx.onnx"),
        ("mlp", "external.onnx"),
    ] {
        let text = inspect(&format!("{archive}/{export}"));
        let mut zoo = Zoo::new(archive, export);
        zoo.taps = section(&text, "suggested")[0].trim().strip_prefix("taps = ").unwrap().to_owned();
        assert!(zoo.taps.matches('"').count() >= 4, "{text}");
        zoo.proven();
    }
}

#[test]
fn bind_says_who_feeds_whom_and_why() {
    let text = Zoo::new("conv-bn", "dynamo.onnx").command("bind", &[]).success();
    let rows: Vec<String> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(rows[0], "weight of the graph shape from evidence difference");
    for row in ["fc2.weight [10, 16] fc2.weight name and value 0", "fc2.bias [10] fc2.bias name and value 0"] {
        assert!(rows.iter().any(|found| found == row), "`{row}` is missing in {text}");
    }
    let folded = rows.iter().find(|row| row.starts_with("conv1.weight [6, 1, 3, 3]")).unwrap();
    contains_all(folded, &["conv1.weight ×", "bn1.weight", "bn1.running_var", "0.00001", "recomputed value"]);
    contains_all(
        &text,
        &[
            "feed nothing: tensors, counts batches; evaluation does not use it\n  bn1.num_batches_tracked\n",
            "reference: step-000200.safetensors\n",
            "proof: outputs and taps on 16 samples differ by ",
            "record: step 0, outputs differ by ",
            "verdict: proven\n",
        ],
    );
}

#[test]
fn the_exit_codes_of_bind_are_in_its_help() {
    let help = run_program(["bind", "--help"]).success();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    contains_all(
        &help,
        &["Exit codes: 0 proven:", "1 not proven:", "2 refused:", "--write", "--json", "infoplane bind pipelines/"],
    );
    contains_all(&run_program(["--help"]).success(), &["bind"]);
}
