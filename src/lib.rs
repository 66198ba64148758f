//! What a neural network knew, layer by layer, at every moment of its training.
//!
//! ```text
//!            pipelines/*.toml
//!                  │
//! archive ──► replay ──► estimate ──► table ──► report
//! a series    one graph,  layer ×      Parquet   SQL, the
//! of weights  taps        measure      parts     last table
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`archive`] | a series of safetensors checkpoints |
//! | [`samples`] | the evaluation inputs, labels and ids |
//! | [`graph`] | one ONNX model, its taps, its binding to checkpoints |
//! | [`replay`] | inputs through every checkpoint with ONNX Runtime |
//! | [`estimate`] | pure functions from arrays to numbers with an uncertainty |
//! | [`dynamics`] | when a curve over steps turns: phases, change points, lags; pure functions too |
//! | [`table`] | typed Parquet, one part a checkpoint |
//! | [`store`] | object stores and web servers, for archives and tables |
//! | [`report`] | queries, the table that a run ends with, the page and the figures |
//! | [`pipeline`] | the pipeline file, the plan, the run |
//!
//! # Invariants
//!
//! 1. Arrows point one way: `main` → [`pipeline`] → stages → [`store`]. [`estimate`] and [`dynamics`] import no other stage.
//! 2. A foreign engine or format is named in one place.
//! 3. The library never prints, exits, reads the clock for a result, or picks a seed.
//! 4. The same pipeline file gives the same bytes of each part, at any number of threads and shards,
//!    with or without a resume. (On the same kind of processor: vector widths change last bits.)
//! 5. A part exists complete or not at all.
//! 6. What failed is a row with a null and a reason; the rest goes on.
//! 7. Samples are joined by id.
//! 8. Memory is bounded by workers × one checkpoint, whatever the number of checkpoints.
//! 9. Nothing is sent, and nothing is written outside the result folder and the cache. (Who reads a result folder in an
//!    object store has a temporary copy; it is gone at the end.)

pub mod archive;
pub mod dynamics;
pub mod estimate;
pub mod graph;
pub mod pipeline;
pub mod replay;
pub mod report;
pub mod samples;
pub mod store;
pub mod table;
