//! The information bottleneck of finite problems: the least that must be known of X to know so much of Y.
//!
//! | file | what it holds |
//! |---|---|
//! | `joint` | a finite joint distribution of X and Y |
//! | `encoder` | a map p(t\|x) with its rate, relevance and distortion |
//! | `iteration` | the self-consistent equations at one trade-off |
//! | `frontier` | the curve over all trade-offs, and how far an encoder is from it |
//! | `codebook` | quantizers of a representation, and what they cost and keep |
//! | `placed` | where such a quantizer lies beside the frontier |
//! | `gaussian` | the curve of jointly normal variables, in closed form |

mod codebook;
mod encoder;
mod frontier;
mod gaussian;
mod iteration;
mod joint;
mod placed;

pub use codebook::{Codebook, Coded};
pub use encoder::Encoder;
pub use frontier::{Bottleneck, Frontier, Gap, Point, Randomness};
pub use gaussian::gaussian_relevance;
pub use joint::Joint;
pub use placed::Placed;

/// What a sum of terms p ln(p/q) is where it cannot be negative but for rounding.
fn not_negative(information: f64) -> f64 {
    information.max(0.0)
}

/// p ln(p/q), zero where p is zero.
fn term(p: f64, q: f64) -> f64 {
    if p > 0.0 { p * (p / q).ln() } else { 0.0 }
}
