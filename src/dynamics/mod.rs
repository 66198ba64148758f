//! Dynamics: when a curve over training steps turns, as pure functions.
//!
//! Any measure's curve will do, of this tool or of another: nothing here reads a file, and nothing imports another stage.
//!
//! | file | what it finds |
//! |---|---|
//! | `curve` | values over steps, in the order of the steps, with standard errors where they are known |
//! | `phases` | what every method gives: stretches of training with a name |
//! | `three_phases` | constant, falling, plateau, rising: by explicit thresholds |
//! | `change_points` | straight stretches, as many as the errors can tell apart |
//! | `lag` | which of two curves turned first |
//! | `transfer` | the checkpoint to stop at for another task |
//! | `thin` | of very many checkpoints as many as a method can look at |

mod change_points;
mod curve;
mod lag;
mod phases;
mod thin;
mod three_phases;
mod transfer;

pub use change_points::ChangePoints;
pub use curve::{Curve, CurveError};
pub use lag::{Event, Lag, Order};
pub use phases::{Boundary, Phase, PhaseName};
pub use thin::thin;
pub use three_phases::{Direction, Found, Of, Smooth, ThreePhases};
pub use transfer::{Advice, Gain};
