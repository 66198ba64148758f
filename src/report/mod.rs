//! Report: what people look at.
//!
//! | file | what it holds |
//! |---|---|
//! | `query` | SQL over a result folder (the only file that names `polars`) |
//! | `answer` | the rows that a query gives: as a table, CSV or JSON |
//! | `curves` | measures over training, of a result folder or of other people's files |
//! | `phases` | phases and lags of curves, as rows |
//! | `transfer` | the checkpoint to stop at for another task, and what that is worth |
//! | `summary` | the table that a run ends with |
//! | `compare` | several runs side by side |
//! | `flags` | what flags mean for the numbers |
//! | `title` | what a measure is called |
//! | `colors` | colors that everybody tells apart |
//! | `png` | pixels as a file |
//! | `page` | the report: one HTML file |

mod answer;
mod colors;
mod compare;
mod curves;
mod error;
mod flags;
mod page;
mod phases;
mod png;
mod query;
mod summary;
mod title;
mod transfer;

pub use answer::{Answer, Format};
pub use compare::{Spread, spread};
pub use curves::{Columns, NamedCurve, curves, curves_of_file};
pub use error::ReportError;
pub use flags::{FLAGS, flag_words};
pub use page::page;
pub use phases::{PhaseSettings, Phases, phases};
pub use query::query;
pub use summary::summary;
pub use transfer::transfer;
