//! Dense linear algebra: the only folder that names faer.

pub(super) mod double;
pub(super) mod factor;
mod product;
pub(super) mod single;
