//! Report: what people look at.
//!
//! | file | what it holds |
//! |---|---|
//! | `query` | SQL over a result folder (the only file that names `polars`) |
//! | `answer` | the rows that a query gives: as a table, CSV or JSON |
//! | `summary` | the table that a run ends with |

mod answer;
mod error;
mod query;
mod summary;

pub use answer::{Answer, Format};
pub use error::ReportError;
pub use query::query;
pub use summary::summary;
