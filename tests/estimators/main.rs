//! Every estimator against closed forms, golden values, other programs, and its own slow form.

mod compress;
mod data;
mod gaussian;
mod images;
mod information;
mod mlp;
mod properties;
mod readings;
mod reconstruction;
mod usable;
