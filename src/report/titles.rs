//! Titles that tell tables apart.

use std::collections::BTreeMap;

use serde_json::Value;

/// To titles that occur more than once adds the parameters in which those measures differ.
pub(super) fn told_apart(titles: &[String], parameters: &[&Value]) -> Vec<String> {
    let leaves: Vec<BTreeMap<String, String>> = parameters.iter().map(|parameters| leaves(parameters)).collect();
    let alike = |title: &String| (0..titles.len()).filter(|&other| titles[other] == *title).collect::<Vec<_>>();
    let told = titles.iter().zip(&leaves).map(|(title, own)| {
        let alike = alike(title);
        // What another one has and this one has not is told there.
        let differs = |name: &String| alike.iter().any(|&other| leaves[other].get(name) != own.get(name));
        let told = own.iter().filter(|(name, _)| differs(name)).map(|(name, value)| format!(", {name} = {value}"));
        title.clone() + &told.collect::<String>()
    });
    told.collect()
}

/// The values at the ends of an object, by their names; where two ends have one name, by their whole paths.
fn leaves(parameters: &Value) -> BTreeMap<String, String> {
    let mut paths = Vec::new();
    collect(parameters, &mut Vec::new(), &mut paths);
    let name = |path: &[String]| path.last().cloned().unwrap_or_default();
    let is_single = |path: &[String]| paths.iter().filter(|(other, _)| name(other) == name(path)).count() == 1;
    let named = paths.iter().map(|(path, value)| {
        let name = if is_single(path) { name(path) } else { path[1..].join(".") };
        (name, value.clone())
    });
    named.collect()
}

fn collect(value: &Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    match value {
        // What the table keeps of an object is its text.
        Value::String(text) if path.is_empty() => {
            if let Ok(object @ Value::Object(_)) = serde_json::from_str(text) {
                collect(&object, path, leaves);
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                path.push(name.clone());
                collect(value, path, leaves);
                path.pop();
            }
        }
        // A choice without settings, such as `none = {}`, is told by its name.
        Value::Object(_) => leaves.push((path.clone(), "{}".to_owned())),
        other => leaves.push((path.clone(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn adds_only_what_differs_and_only_where_titles_are_alike() {
        let titles = ["I(X;T), ksg", "I(X;T), ksg", "I(X;T), ksg", "I(T;digit), ross"].map(str::to_owned);
        let measure = |components: usize, neighbors: usize| {
            json!({ "information": {
                "compress": { "pca": { "components": components } },
                "compress-input": { "pca": { "components": 9 } },
                "estimator": { "ksg": { "neighbors": neighbors } },
            }})
        };
        let parameters = [measure(4, 1), measure(4, 3), json!(measure(8, 3).to_string()), measure(4, 5)];
        let told = told_apart(&titles, &parameters.each_ref());
        assert_eq!(
            told,
            [
                "I(X;T), ksg, compress.pca.components = 4, neighbors = 1",
                "I(X;T), ksg, compress.pca.components = 4, neighbors = 3",
                "I(X;T), ksg, compress.pca.components = 8, neighbors = 3",
                "I(T;digit), ross",
            ]
        );
    }
}
