//! What of the plan is there.

use rayon::prelude::*;
use serde::Serialize;

use super::{Folder, TableError, Unit};

/// What of the plan is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Standing {
    /// How many checkpoints are planned.
    pub planned: usize,
    /// Those that were not measured, or whose parts are not whole.
    pub missing: Vec<Unit>,
    /// Those that failed as a whole: their rows say why.
    pub failed: Vec<Unit>,
    /// Rows without a value, those of failed checkpoints among them.
    pub failed_rows: usize,
}

impl Standing {
    /// Whether every planned checkpoint was measured, or is known to have failed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty()
    }
}

impl Folder {
    /// Looks at the parts of every planned checkpoint.
    ///
    /// # Errors
    ///
    /// [`TableError::NoPlan`], and [`TableError::UnplannedStep`] where there are parts that nobody planned.
    pub fn standing(&self) -> Result<Standing, TableError> {
        self.check_steps()?;
        let plan = &self.origin()?.plan;
        let units = self.units()?;
        let parts = units.par_iter().map(|unit| self.parts(unit.step)).collect::<Result<Vec<_>, TableError>>()?;
        let mut standing = Standing { planned: units.len(), missing: Vec::new(), failed: Vec::new(), failed_rows: 0 };
        for (unit, parts) in units.iter().zip(parts) {
            let Some(parts) = parts.filter(|parts| parts.iter().all(|part| part.plan == *plan)) else {
                standing.missing.push(unit.clone());
                continue;
            };
            if parts.iter().any(|part| part.retry) {
                standing.failed.push(unit.clone());
            }
            standing.failed_rows += parts.iter().map(|part| part.failed_rows).max().unwrap_or(0);
        }
        Ok(standing)
    }
}
