//! Table: typed Parquet, one part a checkpoint.
//!
//! | file | what it holds |
//! |---|---|
//! | `row` | what one row says |
//! | `part` | rows as a Parquet file (the only file that names `arrow` and `parquet`) |
//! | `folder` | where parts lie, and how they come to be whole or not at all |
//! | `metadata` | what files say of where they come from |
//!
//! ```text
//! results/data/measurements/step=500/part.parquet    one row a (tap, measure)
//! results/data/checkpoints/step=500/part.parquet     one row
//! results/data/samples/step=500/part.parquet         one row a held-out sample, where a measure keeps them
//! results/data/positions/step=500/part.parquet       one row a position of a target, where a measure keeps them
//! results/data/phases/part.parquet                   one row a stretch of training of a curve
//! results/data/lags/part.parquet                     one row a pair of curves and an event
//! results/work/plan.json                             which run the folder belongs to
//! ```
//!
//! `step` is only in the path: readers of hive folders add it as a column. Nothing but finished
//! Parquet files ever lies below `data`.

mod error;
mod folder;
mod metadata;
mod part;
mod row;

pub use error::TableError;
pub use folder::{Asked, Folder};
pub use part::{Provenance, SCHEMA_VERSION};
pub use row::{CheckpointRow, CurveColumns, LagRow, MeasurementRow, PhaseRow, PositionRow, SampleRow};
