//! Every estimator against closed forms, golden values, other programs, and its own slow form.

mod bottleneck;
mod compress;
mod data;
mod estimators;
mod every_layer;
mod gaussian;
mod goldens;
mod gradient;
mod images;
mod information;
mod mlp;
mod properties;
mod readings;
mod reconstruction;
mod series;
mod truths;
mod typicality;
mod usable;
