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
//! | `flags` | what flags mean for the numbers |
//! | `title` | what a measure is called |
//! | `colors` | colors that everybody tells apart |
//! | `png` | pixels as a file |
//! | `plot` | figures for papers: SVG and PNG |
//! | `page` | the report: one HTML file |
//! | `runs` | result folders side by side |
//! | `compare` | curves of several runs: aligned steps, mean and spread |
//! | `show` | the standard views for a terminal |
//! | `terminal` | aligned cells, short names, sparklines |

mod answer;
mod colors;
mod compare;
mod curves;
mod error;
mod flags;
mod page;
mod phases;
mod plot;
mod png;
mod query;
mod runs;
mod show;
mod summary;
mod terminal;
mod title;
mod transfer;

pub use answer::{Answer, Format};
pub use compare::{Aligned, Spread, align, curves_of_runs};
pub use curves::{Columns, NamedCurve, curves, curves_of_file};
pub use error::ReportError;
pub use flags::{FLAGS, flag_words};
pub use page::page;
pub use phases::{PhaseSettings, Phases, phases};
pub use plot::{Figure, FileKind, Measures, plot};
pub use query::{query, query_parquet, query_runs};
pub use runs::Runs;
pub use show::{Selection, show};
pub use summary::summary;
pub use transfer::transfer;
