//! Table: typed Parquet, one part a checkpoint.
//!
//! | file | what it holds |
//! |---|---|
//! | `row` | what one row says, and with it the names, meanings and units of the columns |
//! | `schema` | the schema made of that: as JSON, as Markdown |
//! | `cells` | fields as columns |
//! | `part` | rows as a Parquet file |
//! | `provenance` | where results come from: the metadata of every file |
//! | `plan` | `work/plan.json`: what a folder is to have |
//! | `pieces` | what the units of one checkpoint leave for each other |
//! | `failed` | which checkpoints failed as a whole, to be told without looking into parts |
//! | `folder` | what a result folder has, and where each file lies |
//! | `place` | where a folder lies, on this machine or in an object store, and what is there |
//! | `put` | how files come to be, whole or not at all |
//! | `copy` | a folder in a store, on this machine for as long as it is read |
//! | `metadata` | what files say of where they come from |
//! | `standing` | what of the plan is there |
//! | `working` | files that are being written, and what killed processes left |
//! | `progress` | how far a run is, by names and times alone |
//! | `metrics` | what units took |
//! | `compact` | all parts of a table as one sorted file |
//!
//! Only files of this folder name `arrow` and `parquet`.
//!
//! ```text
//! results/data/measurements/step=500/part.parquet    one row a (tap, measure)
//! results/data/checkpoints/step=500/part.parquet     one row
//! results/data/failures/step=500/part.parquet        one row a thing that could not be had
//! results/data/samples/step=500/part.parquet         one row a held-out sample, where a measure keeps them
//! results/data/positions/step=500/part.parquet       one row a position of a target, where a measure keeps them
//! results/data/bindings/part.parquet                 one row a weight of the graph, and the proof
//! results/data/typicality/part.parquet               one row a sample and density, where the pipeline file asks for them
//! results/data/agreement/part.parquet                one row for two of these densities
//! results/data/phases/part.parquet                   one row a stretch of training of a curve
//! results/data/lags/part.parquet                     one row a pair of curves and an event
//! results/tables/measurements.parquet                all of a table in one file, once `infoplane finish` was run
//! results/metrics/units/HOST-PROCESS-TIME.parquet    one row a unit of work: not the same from run to run
//! results/work/failed/step=500.json                  why a checkpoint failed as a whole
//! results/work/pieces/step=500/...                   of a checkpoint that is cut into units: those that are done
//! results/work/plan.json                             which run the folder belongs to, and what is planned
//! ```
//!
//! In parts `step` is only in the path: readers of hive folders add it as a column. Nothing but finished
//! Parquet files ever lies below `data` and `tables`.

mod cells;
mod compact;
mod copy;
mod error;
mod failed;
mod folder;
mod metadata;
mod metrics;
mod part;
mod pieces;
mod place;
mod plan;
mod progress;
mod provenance;
mod put;
mod row;
mod schema;
mod standing;
mod working;

pub use cells::SampleId;
pub use error::TableError;
pub use folder::{Asked, Folder, RowsOf};
pub use plan::Unit;
pub use progress::Progress;
pub use provenance::{Origin, Provenance};
pub use row::{
    AgreementRow, BindingRow, CheckpointRow, CurveColumns, FailureRow, LagRow, MeasurementRow, PhaseRow, PositionRow,
    SampleRow, TypicalityRow, UnitRow,
};
pub use schema::{Column, Kind, Parts, SCHEMA_VERSION, Table, schema_json, schema_markdown, tables};
pub use standing::Standing;
