//! What a plan is made of, and whether that is still what it was when the plan was written.

use std::collections::BTreeMap;

use super::{PipelineError, Planned};

/// Hashes and versions by name, each held against the plan file as it becomes known.
pub(super) struct Facts<'p> {
    planned: Option<&'p Planned>,
    found: BTreeMap<String, String>,
}

impl<'p> Facts<'p> {
    pub(super) fn new(planned: Option<&'p Planned>) -> Self {
        Self { planned, found: BTreeMap::new() }
    }

    /// Takes a fact down.
    ///
    /// # Errors
    ///
    /// [`PipelineError::PlanChanged`] where the plan file has another one.
    pub(super) fn note(&mut self, what: &'static str, value: &str) -> Result<(), PipelineError> {
        if let Some(planned) = self.planned {
            planned.check(what, value)?;
        }
        self.found.insert(what.to_owned(), value.to_owned());
        Ok(())
    }

    /// Where nothing can be bound, the reason may be that the reference checkpoint is another one than it was.
    pub(super) fn explain(&self, error: PipelineError) -> PipelineError {
        self.planned.and_then(|planned| planned.check_reference().err()).unwrap_or(error)
    }

    pub(super) fn found(self) -> BTreeMap<String, String> {
        self.found
    }
}
