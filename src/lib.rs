//! infoplane
pub mod archive;
pub mod estimate;
pub mod graph;
pub mod replay;
pub mod samples;
pub mod table;
