//! What the network is trained for, and what else is read from its layers.

use super::run::Run;

/// The labels whose readable part is measured, where there are several.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Labels {
    /// What the network is trained for.
    pub task: String,
    /// The others.
    pub others: Vec<String>,
    /// Whether the pipeline file says so: it names the label of the loss.
    pub certain: bool,
}

impl Labels {
    /// The labels of the first run; none where fewer than two are measured.
    pub(super) fn of(runs: &[Run]) -> Option<Self> {
        let run = runs.first()?;
        let mut names: Vec<&str> = Vec::new();
        for measure in run.measures.iter().filter(|measure| measure.is("usable-fraction", false)) {
            let name = measure.columns.variable.as_deref().unwrap_or_default();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self::choose(&names, of_loss(run.provenance.get("pipeline").map_or("", String::as_str)).as_deref())
    }

    fn choose(names: &[&str], of_loss: Option<&str>) -> Option<Self> {
        let [first, _, ..] = names else { return None };
        let certain = of_loss.is_some_and(|label| names.contains(&label));
        let task = of_loss.filter(|_| certain).unwrap_or(first);
        let others = names.iter().filter(|name| **name != task).map(|name| (*name).to_owned());
        Some(Self { task: task.to_owned(), others: others.collect(), certain })
    }
}

/// The label that a pipeline file computes the network's loss from: the one that it names, or the only one.
fn of_loss(pipeline: &str) -> Option<String> {
    let file: toml::Table = pipeline.parse().ok()?;
    let named = file.get("replay").and_then(|replay| replay.get("loss")?.get("of")?.get("label")?.as_str());
    let labels = file.get("samples").and_then(|samples| samples.get("labels")?.as_table());
    let only = labels.filter(|labels| labels.len() == 1).and_then(|labels| labels.keys().next());
    named.map(str::to_owned).or_else(|| only.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_task_is_the_label_of_the_loss_and_a_guess_is_told() {
        let pipeline = "[samples.labels]\na = \"a.npy\"\nb = \"b.npy\"\n[replay.loss.of]\nlabel = \"b\"";
        assert_eq!(of_loss(pipeline).as_deref(), Some("b"));
        assert_eq!(of_loss("[samples.labels]\na = \"a.npy\"").as_deref(), Some("a"));
        assert_eq!(of_loss("[samples.labels]\na = \"a.npy\"\nb = \"b.npy\""), None);
        let known = Labels::choose(&["a", "b", "c"], Some("b")).unwrap();
        assert_eq!((known.task.as_str(), known.others.len(), known.certain), ("b", 2, true));
        let guessed = Labels::choose(&["a", "b"], None).unwrap();
        assert_eq!((guessed.task.as_str(), guessed.certain), ("a", false));
        assert_eq!(Labels::choose(&["a"], Some("a")), None);
    }
}
