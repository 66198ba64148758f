//! The inner tensors that a run reads out, and how each becomes one row a sample.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use super::{GraphError, Model};

/// How an inner tensor becomes one row a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Every value behind the first axis is a unit.
    #[default]
    Flatten,
    /// The mean over all axes between the first and the last: `n × positions × features` gives `n × features`.
    Mean,
    /// The last position: `n × positions × features` gives `n × features`.
    Last,
    /// The mean over all axes behind the second: `n × channels × height × width` gives `n × channels`.
    SpatialMean,
}

/// A tensor that is read out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    /// Its name in the graph.
    pub name: String,
    /// How it becomes one row a sample.
    pub pooling: Pooling,
}

impl Tap {
    /// A tap that is flattened.
    #[must_use]
    pub fn flat(name: &str) -> Self {
        Self { name: name.to_owned(), pooling: Pooling::Flatten }
    }
}

/// Finds the tensors that names and globs ask for, in graph order, with their pooling.
///
/// # Errors
///
/// [`GraphError`] when a name, glob or pooling rule matches nothing, or two rules match one tap.
pub fn select_taps(model: &Model, wanted: &[String], pool: &BTreeMap<String, Pooling>) -> Result<Vec<Tap>, GraphError> {
    let tensors: Vec<&str> = model.tensors().iter().map(|tensor| tensor.name).collect();
    let mut chosen = vec![false; tensors.len()];
    for name in wanted {
        let mut found = false;
        // A literal name counts first: exporters write names such as `/fc[0]/out`.
        let literal = tensors.contains(&name.as_str());
        let glob = NamePattern::new(name)?;
        for (place, tensor) in tensors.iter().enumerate() {
            if if literal { tensor == name } else { glob.is_match(tensor) } {
                chosen[place] = true;
                found = true;
            }
        }
        if !found {
            return Err(GraphError::UnknownTap { tap: name.clone(), near: nearest(name, &tensors) });
        }
    }
    let rules = pool
        .iter()
        .map(|(glob, pooling)| Ok((glob, NamePattern::new(glob)?, *pooling)))
        .collect::<Result<Vec<_>, GraphError>>()?;
    let names: Vec<&str> = tensors.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(name, _)| *name).collect();
    for (glob, matcher, _) in &rules {
        if !names.iter().any(|name| matcher.is_match(name)) {
            return Err(GraphError::UnusedPooling { glob: (*glob).clone(), taps: names.join(", ") });
        }
    }
    names
        .iter()
        .map(|name| {
            let matching: Vec<_> = rules.iter().filter(|(_, matcher, _)| matcher.is_match(name)).collect();
            match matching[..] {
                [] => Ok(Tap::flat(name)),
                [(_, _, pooling)] => Ok(Tap { name: (*name).to_owned(), pooling: *pooling }),
                [(first, ..), (second, ..), ..] => Err(GraphError::AmbiguousPooling {
                    tap: (*name).to_owned(),
                    first: (*first).clone(),
                    second: (*second).clone(),
                }),
            }
        })
        .collect()
}

/// A name as it stands, or a glob: exporters write names such as `/fc[0]/out` that are no globs.
#[derive(Clone, Debug)]
pub(super) struct NamePattern {
    text: String,
    glob: GlobMatcher,
}

impl NamePattern {
    pub(super) fn new(text: &str) -> Result<Self, GraphError> {
        // Some literal names are malformed globs: those match only themselves.
        let glob = GlobBuilder::new(text).build().or_else(|_| GlobBuilder::new(&globset::escape(text)).build());
        match glob {
            Ok(glob) => Ok(Self { text: text.to_owned(), glob: glob.compile_matcher() }),
            Err(error) => Err(GraphError::Glob { glob: text.to_owned(), reason: error.to_string() }),
        }
    }

    pub(super) fn all(texts: &[String]) -> Result<Vec<Self>, GraphError> {
        texts.iter().map(|text| Self::new(text)).collect()
    }

    pub(super) fn is_match(&self, name: &str) -> bool {
        self.text == name || self.glob.is_match(name)
    }
}

/// Up to four names that share most letter pairs with the wanted one.
fn nearest(wanted: &str, names: &[&str]) -> String {
    let pairs = |text: &str| text.as_bytes().windows(2).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let wanted = pairs(&wanted.to_ascii_lowercase());
    let shared = |name: &str| {
        let found = pairs(&name.to_ascii_lowercase());
        2 * wanted.iter().filter(|pair| found.contains(pair)).count() * 100 / (wanted.len() + found.len() + 1)
    };
    let mut ranked: Vec<&&str> = names.iter().collect();
    ranked.sort_by_key(|name| std::cmp::Reverse(shared(name)));
    ranked.truncate(4);
    ranked.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
