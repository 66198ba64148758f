//! The report: one HTML file that opens offline, with everything that it needs inside.
//!
//! What can be read (claims, flags, failures, binding, plan) is written here, so that it is there without any script, and
//! escaped by construction. What is drawn (planes, curves, heat maps) is drawn by a script from numbers in the page.
//!
//! | file | what it holds |
//! |---|---|
//! | `run` | what the tables of one result folder hold |
//! | `curve` | values over training, and whether two of them differ |
//! | `claims` | what happened, with evidence |
//! | `figures` | what the script draws, as JSON |
//! | `pictures`, `image` | reconstructions and memory maps |
//! | `doubts` | flags and failures in words |
//! | `origin` | the binding and its proof, the plan, the versions |
//! | `labels` | the task of the network and what else is measured |
//! | `layout` | the page |
//! | `number` | numbers as people read them |
//! | `page.css`, `*.js` | how it looks, and what is drawn |
//! | `vendor` | the plotting library, as published |

mod claims;
pub(super) mod curve;
mod doubts;
mod figures;
mod image;
mod labels;
mod layout;
pub(super) mod number;
mod origin;
mod pictures;
pub(super) mod run;

use run::Run;

use super::{ReportError, Runs};

/// The report on one run, or on several side by side: the same tables give the same bytes.
///
/// # Errors
///
/// [`ReportError`] when a folder cannot be read.
pub fn page(runs: &Runs) -> Result<String, ReportError> {
    let runs = runs.runs().iter().map(|(name, folder)| Run::read(name, folder)).collect::<Result<Vec<_>, _>>()?;
    layout::page(&runs)
}
