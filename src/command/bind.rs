//! `bind`: who feeds whom, on what evidence, and the verdict.

use std::fmt::Write;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use infoplane::graph::{Binding, Feed, Rule};
use infoplane::pipeline::{Event, Plan, RecordCheck};
use rayon::prelude::*;
use serde_json::json;
use toml_edit::{DocumentMut, InlineTable, Item, Table as TomlTable, Value};

use super::print;
use super::progress::Progress;
use super::run::runtime;
use crate::cli::{Bind, Cli};

/// What was found of a checkpoint that has a record, or why nothing was.
type Checked = (u64, Result<RecordCheck, String>);

/// `bind`
pub(crate) fn bind(cli: &Cli, arguments: &Bind) -> anyhow::Result<ExitCode> {
    let plan = Plan::unproven(&arguments.pipeline, None, runtime(cli)?)?;
    let records = records(cli, &plan);
    let doubts = doubts(&plan, &records);
    let text =
        if arguments.json { json_text(&plan, &records, &doubts)? } else { table_text(&plan, &records, &doubts)? };
    print(&text)?;
    if arguments.write && guesses(&plan, &records) > 0 {
        // A rule is somebody's word: a guess must not become one by itself.
        anyhow::bail!("no rules were written: some feeds are guesses (above); needed a proven binding");
    }
    if arguments.write {
        write_rules(&arguments.pipeline, &plan)?;
        if !cli.quiet && !arguments.json {
            let rules = plan.binding.feeds.len();
            print(&format!("{rules} rules written into `[graph.bind]` of {}\n", arguments.pipeline.display()))?;
        }
    }
    Ok(if doubts.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Compares every checkpoint that has a record, as many at a time as there are cores.
fn records(cli: &Cli, plan: &Plan) -> Vec<Checked> {
    let checkpoints = plan.recorded();
    if checkpoints.is_empty() {
        return Vec::new();
    }
    let progress = Progress::new(cli, "checkpoints", "ckpt");
    progress.tell(Event::Planned(checkpoints.len()));
    let checked = checkpoints.par_iter().map(|checkpoint| {
        let checked = plan.check_record(checkpoint).map_err(|error| error.to_string());
        progress.tell(Event::Done { file: checkpoint.name().to_owned() });
        (checkpoint.step(), checked)
    });
    let checked = checked.collect();
    progress.finish();
    checked
}

/// The feeds that are guesses; none where records of every checkpoint settle what the values left open.
fn guesses(plan: &Plan, records: &[Checked]) -> usize {
    let guesses = plan.binding.feeds.iter().filter(|feed| feed.evidence.is_guess()).count();
    if records.len() == plan.checkpoints.len() { 0 } else { guesses }
}

/// Why the binding is not proven; nothing if it is.
fn doubts(plan: &Plan, records: &[Checked]) -> Vec<String> {
    let mut doubts = Vec::new();
    match &plan.proof {
        None => doubts.push("bound by names or rules only: there was no value to compare with".to_owned()),
        Some(proof) if !proof.holds() => doubts.push(format!(
            "`{}` differs by {:.1e} of its largest value between the graph's own weights and those bound",
            proof.tensor, proof.largest_difference
        )),
        Some(_) => {}
    }
    let guessed = guesses(plan, records);
    if guessed > 0 {
        doubts.push(format!(
            "{guessed} feeds are guesses, since equal values or dropped zeros leave another explanation; export a trained checkpoint, write \
             rules for them, or give `[replay] recorded` for all checkpoints"
        ));
    }
    let differing: Vec<String> = records
        .iter()
        .filter(|(_, checked)| checked.as_ref().map_or(true, |checked| checked.differs))
        .map(|(step, _)| step.to_string())
        .collect();
    if !differing.is_empty() {
        const FEW: usize = 8;
        let more = if differing.len() > FEW { ", …" } else { "" };
        doubts.push(format!(
            "{} of {} records differ, so that weights or samples are not those recorded: steps {}{more}",
            differing.len(),
            records.len(),
            differing[..differing.len().min(FEW)].join(", ")
        ));
    }
    doubts
}

fn table_text(plan: &Plan, records: &[Checked], doubts: &[String]) -> anyhow::Result<String> {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["weight of the graph", "shape", "from", "evidence", "difference"]);
    if let Some(column) = table.column_mut(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for feed in &plan.binding.feeds {
        table.add_row([
            feed.initializer.clone(),
            format!("{:?}", feed.shape),
            feed.recipe.to_string(),
            evidence(feed),
            feed.largest_difference.map_or(String::new(), |difference| match difference {
                0.0 => "0".to_owned(),
                difference => format!("{difference:.1e}"),
            }),
        ]);
    }
    let mut text = String::new();
    for line in table.lines() {
        writeln!(text, "{}", line.trim_end())?;
    }
    for (reason, names) in plan.binding.bystanders() {
        writeln!(text, "feed nothing: {reason}")?;
        for name in names {
            writeln!(text, "  {name}")?;
        }
    }
    writeln!(text, "reference: {}", plan.reference)?;
    if let Some(proof) = &plan.proof {
        writeln!(
            text,
            "proof: outputs and taps on {} samples differ by {:.1e} of their largest value at most",
            proof.n_samples, proof.largest_difference
        )?;
    }
    for (step, checked) in records {
        match checked {
            Ok(checked) => writeln!(text, "record: {}", record_words(checked))?,
            Err(error) => writeln!(text, "record: step {step}: {error}")?,
        }
    }
    match doubts {
        [] => writeln!(text, "verdict: proven")?,
        doubts => writeln!(text, "verdict: NOT PROVEN: {}", doubts.join("; "))?,
    }
    Ok(text)
}

fn evidence(feed: &Feed) -> String {
    match feed.rounded {
        Some(kind) => format!("{} (as {})", feed.evidence.words(), kind.name()),
        None => feed.evidence.words().to_owned(),
    }
}

fn record_words(checked: &RecordCheck) -> String {
    let loss = match (checked.loss, checked.recorded_loss) {
        (Some(loss), Some(recorded)) => format!(", loss {loss:.6} against {recorded:.6}"),
        _ => String::new(),
    };
    let outputs = checked.recorded_difference.map_or(String::new(), |off| format!(", outputs differ by {off:.1e}"));
    format!("step {}{loss}{outputs}{}", checked.step, if checked.differs { ": DIFFERS" } else { "" })
}

fn json_text(plan: &Plan, records: &[Checked], doubts: &[String]) -> anyhow::Result<String> {
    let binding: &Binding = &plan.binding;
    let feeds: Vec<_> = binding
        .feeds
        .iter()
        .map(|feed| {
            let mut value = json!(feed);
            value["words"] = json!(feed.recipe.to_string());
            value
        })
        .collect();
    let records: Vec<_> = records
        .iter()
        .map(|(step, checked)| match checked {
            Ok(checked) => json!({
                "step": step,
                "loss": checked.loss,
                "recorded-loss": checked.recorded_loss,
                "recorded-difference": checked.recorded_difference,
                "differs": checked.differs,
            }),
            Err(error) => json!({ "step": step, "error": error, "differs": true }),
        })
        .collect();
    let all = json!({
        "graph": plan.pipeline.graph.model,
        "reference": plan.reference,
        "feeds": feeds,
        "leftovers": binding.leftovers.iter().map(|(name, reason)| json!({ "tensor": name, "reason": reason.words() })).collect::<Vec<_>>(),
        "constants": binding.constants.iter().map(|(name, reason)| json!({ "initializer": name, "reason": reason })).collect::<Vec<_>>(),
        "proof": plan.proof.as_ref().map(|proof| json!({
            "largest-difference": proof.largest_difference,
            "tensor": proof.tensor,
            "n-samples": proof.n_samples,
            "holds": proof.holds(),
        })),
        "records": records,
        "proven": doubts.is_empty(),
        "doubts": doubts,
    });
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

/// Puts the rules into the pipeline file, and leaves everything else in it as it stands.
fn write_rules(path: &Path, plan: &Plan) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read pipeline `{}`", path.display()))?;
    let mut document: DocumentMut = text.parse().context("cannot edit the pipeline file")?;
    let graph = document["graph"].as_table_like_mut().context("cannot edit the pipeline file: `graph` is no table")?;
    if graph.get("reference").is_none() {
        let mut reference = InlineTable::new();
        reference.insert("step", Value::from(i64::try_from(plan.reference_step)?));
        graph.insert("reference", Item::Value(Value::InlineTable(reference)));
    }
    let mut bind = match graph.remove("bind") {
        Some(Item::Table(table)) => table,
        Some(Item::Value(Value::InlineTable(table))) => table.into_table(),
        _ => TomlTable::new(),
    };
    bind.insert("rules", Item::Value(rules(&plan.binding.rules())?));
    graph.insert("bind", Item::Table(bind));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).context("cannot write beside the pipeline file")?;
    file.write_all(document.to_string().as_bytes())?;
    file.as_file().sync_all()?;
    file.as_file().set_permissions(fs::metadata(path)?.permissions())?;
    file.persist(path).with_context(|| format!("cannot write pipeline `{}`", path.display()))?;
    Ok(())
}

/// The rules as an array with a line for each.
fn rules(rules: &[Rule]) -> anyhow::Result<Value> {
    let mut array = toml_edit::Array::new();
    for rule in rules {
        let mut value: Value =
            toml_edit::ser::to_document(&std::collections::BTreeMap::from([("rule", rule)]))?["rule"]
                .clone()
                .into_value()
                .map_err(|_| anyhow::anyhow!("a rule is no value"))?;
        value.decor_mut().set_prefix("\n  ");
        array.push_formatted(value);
    }
    array.set_trailing("\n");
    array.set_trailing_comma(true);
    Ok(Value::Array(array))
}
