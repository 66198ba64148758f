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
//! | `titles` | what its tables are called |

mod answer;
mod curves;
mod error;
mod phases;
mod query;
mod summary;
mod titles;
mod transfer;

pub use answer::{Answer, Format};
pub use curves::{Columns, NamedCurve, curves, curves_of_file};
pub use error::ReportError;
pub use phases::{PhaseSettings, Phases, phases};
pub use query::query;
pub use summary::summary;
pub use transfer::transfer;
