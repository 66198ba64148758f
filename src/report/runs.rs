//! Result folders side by side, each under a name of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{ReportError, query};
use crate::table::Folder;

/// One result folder or several; the column `run` tells them apart.
#[derive(Clone, Debug)]
pub struct Runs {
    runs: Vec<(String, Folder)>,
}

impl Runs {
    /// Opens result folders.
    ///
    /// A run has the name of its pipeline file; where several have the same, the folder's path as it was given.
    ///
    /// # Errors
    ///
    /// [`ReportError::Table`] for a folder without results, [`ReportError::Twice`] for a run that is given twice: its
    /// values would count twice in every mean.
    pub fn open(paths: &[PathBuf]) -> Result<Self, ReportError> {
        let mut named = Vec::new();
        let mut seen: BTreeMap<String, PathBuf> = BTreeMap::new();
        for path in paths {
            let folder = Folder::open(path)?;
            if let Some(plan) = folder.plan_hash()
                && let Some(first) = seen.insert(plan.to_owned(), path.clone())
            {
                return Err(ReportError::Twice { first, second: path.clone() });
            }
            let rows = query(&folder, "SELECT run FROM checkpoints LIMIT 1")?;
            let name = rows.rows.first().and_then(|row| row[0].as_str()).unwrap_or_default().to_owned();
            named.push((name, folder));
        }
        let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
        let is_shared = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
        let runs = named.into_iter().map(|(name, folder)| {
            let name = if is_shared(&name) { folder.root().display().to_string() } else { name };
            (name, folder)
        });
        Ok(Self { runs: runs.collect() })
    }

    /// The runs with their names, in the order in which they were given.
    #[must_use]
    pub fn runs(&self) -> &[(String, Folder)] {
        &self.runs
    }
}
