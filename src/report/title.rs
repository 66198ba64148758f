//! What a measure is called where people read it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::table::CurveColumns;

/// A measure in few words: what it is of, and by which estimator.
pub(super) fn title(columns: &CurveColumns) -> String {
    let measure = columns.measure.as_str();
    let [variable, given, estimator] =
        [&columns.variable, &columns.given, &columns.estimator].map(|text| text.as_deref().unwrap_or_default());
    let title = match measure {
        "information" if variable == "input" => format!("I(X;T), {estimator}"),
        "information" => format!("I(T;{variable}), {estimator}"),
        "usable-given" => format!("usable beyond {given}, {variable}, {estimator}"),
        "reconstruction" | "fraction-unexplained" | "information-bound" if variable == "input" => {
            format!("{measure}, {estimator}")
        }
        "reconstruction" | "fraction-unexplained" | "information-bound" | "reconstruction-class" => {
            format!("{measure} of {variable}, {estimator}")
        }
        _ if variable.is_empty() => measure.to_owned(),
        _ => format!("{measure}, {variable}, {estimator}"),
    };
    let class = columns.class.iter().map(|class| format!("class {class}"));
    let subset = columns.subset.iter().map(|subset| format!("of {subset}"));
    std::iter::once(title).chain(class).chain(subset).collect::<Vec<_>>().join(", ")
}

/// The titles of several measures, each told from the others by the settings that differ between those of one name.
pub(super) fn titles(all: &[CurveColumns]) -> Vec<String> {
    let plain: Vec<String> = all.iter().map(title).collect();
    let settings: Vec<BTreeMap<String, String>> = all
        .iter()
        .map(|columns| {
            let mut flat = BTreeMap::new();
            let parsed = columns.parameters.as_deref().and_then(|text| serde_json::from_str(text).ok());
            flatten("", &parsed.unwrap_or(Value::Null), &mut flat);
            flat
        })
        .collect();
    let told = |place: usize| {
        let mates: Vec<usize> = (0..all.len()).filter(|&other| plain[other] == plain[place]).collect();
        let differs =
            |name: &&String| mates.iter().any(|&mate| settings[mate].get(*name) != settings[place].get(*name));
        let last = |name: &str| name.rsplit('.').next().map(str::to_owned);
        let told = |name: &&String| !name.contains(".subset.");
        let own = settings[place].keys().filter(told).filter(differs).map(|name| {
            let value = &settings[place][name];
            let single = settings[place].keys().filter(|other| last(other) == last(name)).count() == 1;
            // The last word alone says enough where it has a value and no other setting ends in it.
            let words: Vec<&str> = if single && !value.is_empty() {
                name.rsplit('.').take(1).collect()
            } else {
                name.split('.').skip(1).filter(|word| *word != "estimator").collect()
            };
            format!("{} {value}", words.join(" ")).trim_end().to_owned()
        });
        let own: Vec<String> = own.collect();
        if own.is_empty() { plain[place].clone() } else { format!("{} ({})", plain[place], own.join(", ")) }
    };
    (0..all.len()).map(told).collect()
}

/// The settings of a measure by their paths, such as `information.estimator.ksg.neighbors`.
fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        // A choice without settings, such as `none = {}`, is told by its name.
        Value::Object(fields) if fields.is_empty() => drop(into.insert(path.to_owned(), String::new())),
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, into);
            }
        }
        Value::Null => {}
        Value::String(text) => drop(into.insert(path.to_owned(), text.clone())),
        other => drop(into.insert(path.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn information(neighbors: u32) -> CurveColumns {
        CurveColumns {
            measure: "information".to_owned(),
            variable: Some("input".to_owned()),
            estimator: Some("ksg".to_owned()),
            parameters: Some(format!(
                "{{\"information\":{{\"of\":\"input\",\"estimator\":{{\"ksg\":{{\"neighbors\":{neighbors}}}}}}}}}"
            )),
            ..CurveColumns::default()
        }
    }

    #[test]
    fn measures_of_one_name_are_told_apart_by_the_settings_that_differ() {
        let found = titles(&[information(3), information(10)]);
        assert_eq!(found, ["I(X;T), ksg (neighbors 3)", "I(X;T), ksg (neighbors 10)"]);
        assert_eq!(titles(&[information(3)]), ["I(X;T), ksg"]);
    }
}
