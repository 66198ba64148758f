//! `work/plan.json`: which run a folder belongs to, and which checkpoints it is to have.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::schema::SCHEMA_VERSION;
use super::{Origin, TableError};

/// A planned unit of work: one checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Unit {
    /// The step of the checkpoint.
    pub step: u64,
    /// Its path relative to the archive.
    pub file: String,
}

/// What `work/plan.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct PlanFile {
    pub schema: String,
    pub version: String,
    pub origin: Origin,
    /// The tables that have a part for each checkpoint.
    #[serde(default)]
    pub tables: Vec<String>,
    pub units: Vec<Unit>,
}

impl PlanFile {
    pub(super) fn new(origin: Origin, tables: &[&str], units: Vec<Unit>) -> Self {
        Self {
            schema: SCHEMA_VERSION.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            origin,
            tables: tables.iter().map(|&table| table.to_owned()).collect(),
            units,
        }
    }

    /// What the bytes of the file say.
    pub(super) fn parse(folder: &Path, path: &Path, bytes: &[u8]) -> Result<Self, TableError> {
        let read = |source: io::Error| TableError::Read { path: path.to_owned(), source };
        let found: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| read(error.into()))?;
        // The versions before the fifth did not say.
        check_schema(folder, found["schema"].as_str().unwrap_or("4 or older"))?;
        serde_json::from_value(found).map_err(|error| read(error.into()))
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts and numbers can be written as JSON")
    }
}

/// Refuses columns of another version.
pub(super) fn check_schema(folder: &Path, found: &str) -> Result<(), TableError> {
    if found == SCHEMA_VERSION {
        return Ok(());
    }
    Err(TableError::OtherSchema { folder: folder.to_owned(), found: found.to_owned(), needed: SCHEMA_VERSION })
}
