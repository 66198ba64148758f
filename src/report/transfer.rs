//! The checkpoint to stop at for another task, layer by layer, and what that is worth.

use serde_json::{Value, json};

use super::phases::PhaseSettings;
use super::{Answer, NamedCurve};
use crate::dynamics::{Advice, Curve, Smooth};

/// For every layer whose input was reconstructed: where to stop, the network's own loss and accuracy there, and for each
/// of `labels` what a linear probe reads there, at best, and at the end.
///
/// # Errors
///
/// In words, if there is no reconstruction, or no linear probe of one of the labels.
pub fn transfer(curves: &[NamedCurve], labels: &[String], settings: &PhaseSettings) -> Result<Answer, String> {
    let mut columns = vec!["tap", "reconstruction", "least_at", "stop", "falls", "rises", "resolved"];
    columns.extend(["network_loss", "network_accuracy", "network_accuracy_end"]);
    if !labels.is_empty() {
        columns.extend(["label", "at_stop", "best", "best_step", "at_end", "gain", "gain_error"]);
    }
    let of = |measure: &'static str| curves.iter().filter(move |named| named.columns.measure == measure);
    if let Some(label) = labels.iter().find(|label| probes(curves, label).next().is_none()) {
        return Err(format!(
            "found no linear probe of `{label}`; add `{{ usable = {{ label = \"{label}\", probe = {{ linear = {{}} }} }} }}` to \
             `measures`, and the column to `[samples] labels`"
        ));
    }
    let network = |measure: &'static str| of(measure).find_map(|named| named.curve().ok());
    let (loss, accuracy) = (network("loss"), network("accuracy"));
    let at = |curve: &Option<Curve>, step: u64| {
        let curve = curve.as_ref()?;
        curve.steps().iter().position(|&found| found == step).map(|place| curve.values()[place])
    };
    let mut rows = Vec::new();
    for named in of("reconstruction").filter(|named| named.columns.variable.as_deref() == Some("input")) {
        let curve = named.curve().map_err(|error| error.to_string())?;
        let three = settings.of("reconstruction", &curve, Smooth::None);
        let advice = Advice::new(&three, &curve).map_err(|error| error.to_string())?;
        let end = curve.steps().last().copied().unwrap_or_default();
        let row = [
            json!(named.columns.tap),
            json!(short(named)),
            json!(advice.from),
            json!(advice.stop),
            json!(advice.falls),
            json!(advice.rises),
            json!(advice.resolved),
            rounded(at(&loss, advice.stop)),
            rounded(at(&accuracy, advice.stop)),
            rounded(at(&accuracy, end)),
        ];
        if labels.is_empty() {
            rows.push(row.to_vec());
        }
        for label in labels {
            let own = probes(curves, label).filter(|probe| probe.columns.tap == named.columns.tap);
            for probe in own {
                let values = probe.curve().map_err(|error| error.to_string())?;
                let mut row = row.to_vec();
                row.push(json!(label));
                row.extend(match advice.gain(&values) {
                    None => vec![Value::Null; 6],
                    Some(gain) => vec![
                        rounded(Some(gain.at_stop)),
                        rounded(Some(gain.best)),
                        json!(gain.best_step),
                        rounded(Some(gain.at_end)),
                        rounded(Some(gain.gain)),
                        rounded(gain.std_error),
                    ],
                });
                rows.push(row);
            }
        }
    }
    if rows.is_empty() {
        return Err(
            "found no reconstruction of the input; add `{ reconstruction = { decoder = { linear = {} } } }` to \
                    `measures`"
                .to_owned(),
        );
    }
    Ok(Answer { columns: columns.into_iter().map(str::to_owned).collect(), rows })
}

/// What linear probes get right of a label, or explain of numbers, layer by layer.
fn probes<'c>(curves: &'c [NamedCurve], label: &str) -> impl Iterator<Item = &'c NamedCurve> {
    curves.iter().filter(move |named| {
        let columns = &named.columns;
        let score = columns.measure == "accuracy" || columns.measure == "r-squared";
        score && columns.variable.as_deref() == Some(label) && columns.estimator.as_deref() == Some("linear")
    })
}

/// The settings of a reconstruction that are not the defaults, in brief.
fn short(named: &NamedCurve) -> String {
    let parameters = named.columns.parameters.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let own = parameters.as_ref().and_then(|parameters| parameters.get("reconstruction"));
    let mut words = vec![named.columns.estimator.clone().unwrap_or_default()];
    for name in ["pool", "compress"] {
        if let Some(value) = own.and_then(|own| own.get(name)) {
            words.push(format!("{name} {}", value.to_string().replace(['{', '}', '"'], "")));
        }
    }
    words.join(", ")
}

fn rounded(value: Option<f64>) -> Value {
    json!(value.map(|value| (value * 1e4).round() / 1e4))
}
