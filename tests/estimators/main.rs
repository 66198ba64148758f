//! Every estimator against closed forms, golden values, other programs, and its own slow form.

mod compress;
mod data;
mod gaussian;
mod information;
mod properties;
mod reconstruction;
mod usable;
