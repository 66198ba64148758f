//! Where the numbers come from: the binding and its proof, the plan, the versions.

use maud::{Markup, html};
use serde_json::Value;

use super::run::Run;
use crate::report::{Answer, ReportError, query};

/// Columns of the table of bindings that people look at.
const COLUMNS: [&str; 6] = ["role", "initializer", "tensor", "source", "evidence", "largest_difference"];

/// Which tensors fed which weights, on what evidence, and the proof.
///
/// # Errors
///
/// [`ReportError`] when the table cannot be read.
pub(super) fn binding(run: &Run) -> Result<Markup, ReportError> {
    if !run.folder.tables_of_series().any(|table| table == "bindings") {
        return Ok(html! {
            p { "The folder has no table " code { "bindings" } ": " code { "infoplane bind" } " on the pipeline file shows who feeds whom, and the proof." }
        });
    }
    Ok(of_table(&query(&run.folder, "SELECT * FROM bindings")?))
}

fn of_table(bindings: &Answer) -> Markup {
    let cell = |row: &[Value], name: &str| bindings.column(name).map_or(Value::Null, |place| row[place].clone());
    let is = |row: &[Value], role: &str| cell(row, "role").as_str() == Some(role);
    let proof = bindings.rows.iter().find(|row| is(row, "proof"));
    let feeds = bindings.rows.iter().filter(|row| is(row, "feed")).count();
    let guesses = bindings.rows.iter().filter(|row| cell(row, "guess") == Value::Bool(true)).count();
    let reference = bindings.rows.first().map(|row| plain(&cell(row, "reference"))).unwrap_or_default();
    html! {
        p {
            @match proof {
                Some(row) => {
                    strong { @if cell(row, "holds") == Value::Bool(true) { "Proven." } @else { "The proof failed." } }
                    " With the weights of " code { (reference) } " bound, the graph gives what the exported file gives, to "
                    (plain(&cell(row, "largest_difference"))) " of the largest value, on " (plain(&cell(row, "n_samples"))) " samples."
                }
                None => {
                    strong { "Not proven." }
                    " The graph holds no values to compare with: weights were bound by rule or name, and a wrong tensor of the right shape would not be noticed."
                }
            }
            " " (feeds) " weights are fed from each checkpoint"
            @if guesses > 0 { "; " (guesses) " of them by a guess between equal values" }
            "."
        }
        details {
            summary { "Who feeds whom" }
            div.scroll tabindex="0" role="region" aria-label="bindings" {
                table {
                    thead { tr { @for name in COLUMNS { th { (name.replace('_', " ")) } } } }
                    tbody {
                        @for row in bindings.rows.iter().filter(|row| !is(row, "proof")) {
                            tr { @for name in COLUMNS { td { (plain(&cell(row, name))) } } }
                        }
                    }
                }
            }
        }
    }
}

/// The pipeline with every default, and what ran it.
pub(super) fn plan(run: &Run) -> Markup {
    let of = |name: &str| run.provenance.get(name).map(String::as_str);
    let facts = [
        ("infoplane", of("version")),
        ("ONNX Runtime", of("onnxruntime")),
        ("schema of the tables", of("schema")),
        ("seed", of("seed")),
        ("plan", of("plan")),
        ("graph", of("graph")),
        ("inputs", of("inputs")),
    ];
    let (first, last) = (run.steps.first().copied().unwrap_or(0), run.steps.last().copied().unwrap_or(0));
    html! {
        dl {
            dt { "checkpoints" } dd { (run.steps.len()) ", step " (first) " to " (last) }
            dt { "samples" } dd { (run.n_samples) }
            dt { "layers" } dd { (run.taps.join(", ")) }
            @for (name, value) in facts {
                @if let Some(value) = value { dt { (name) } dd { code { (value) } } }
            }
        }
        @if let Some(pipeline) = of("pipeline") {
            details { summary { "The pipeline file with every default" } pre tabindex="0" { code { (pipeline) } } }
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => format!("{:.1e}", number.as_f64().unwrap_or(f64::NAN)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table(rows: Vec<Vec<Value>>) -> Answer {
        let columns =
            ["role", "initializer", "tensor", "evidence", "guess", "largest_difference", "n_samples", "holds"];
        let columns = columns.into_iter().chain(["reference"]).map(str::to_owned).collect();
        Answer { columns, rows }
    }

    #[test]
    fn a_proof_is_told_with_its_difference_and_its_absence_is_told_too() {
        let feed = vec![
            json!("feed"),
            json!("<b>"),
            Value::Null,
            json!("name and value"),
            json!(false),
            json!(0.0),
            Value::Null,
            Value::Null,
            json!("last"),
        ];
        let proof = vec![
            json!("proof"),
            Value::Null,
            json!("y"),
            Value::Null,
            Value::Null,
            json!(2.5e-7),
            json!(250),
            json!(true),
            json!("last"),
        ];
        let told = of_table(&table(vec![feed.clone(), proof])).into_string();
        assert!(told.contains("Proven.") && told.contains("2.5e-7") && told.contains("250 samples"), "{told}");
        assert!(told.contains("&lt;b&gt;") && !told.contains("<b>"), "{told}");
        assert!(of_table(&table(vec![feed])).into_string().contains("Not proven."));
    }
}
