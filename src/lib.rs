//! infoplane
pub mod archive;
pub mod estimate;
pub mod graph;
pub mod pipeline;
pub mod replay;
pub mod report;
pub mod samples;
pub mod table;
