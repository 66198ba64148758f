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
mod curve;
mod doubts;
mod figures;
mod image;
mod labels;
mod layout;
mod number;
mod origin;
mod pictures;
mod run;

use std::path::Path;

use run::{Run, tell_apart};

use super::ReportError;
use crate::table::Folder;

/// The report on one run, or on several side by side: the same tables give the same bytes.
///
/// # Errors
///
/// [`ReportError`] when a folder holds no results or cannot be read.
pub fn page(results: &[&Path]) -> Result<String, ReportError> {
    let mut runs = results.iter().map(|path| Run::read(&Folder::open(path)?)).collect::<Result<Vec<_>, _>>()?;
    tell_apart(&mut runs, results);
    layout::page(&runs)
}
