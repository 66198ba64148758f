//! Drift and diffusion of the weights of an archive: no graph, no samples.

use std::collections::VecDeque;

use crate::archive::{Checkpoint, Kind, Numbers, Weights};
use crate::estimate::gradient::Drift;

use super::PipelineError;

/// How one tensor moved over some checkpoints.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorDrift {
    /// The step of the first of them.
    pub from_step: u64,
    /// The step of the last.
    pub to_step: u64,
    /// The tensor.
    pub tensor: String,
    /// The number of its weights.
    pub n_weights: usize,
    /// How it moved.
    pub drift: Drift,
}

/// The checkpoints of a window, and for each tensor the moves between them.
struct Window<'c> {
    checkpoints: VecDeque<(&'c Checkpoint, Weights)>,
    /// For each tensor, the squared length of each move.
    moves: Vec<VecDeque<f64>>,
}

/// The drift of each floating-point tensor over every `moves` + 1 checkpoints that follow one another, window by window.
///
/// No more checkpoints than that are open at a time.
///
/// # Errors
///
/// [`PipelineError::Archive`] for checkpoints that cannot be read, [`PipelineError::Drift`] for too few of them, or where a
/// tensor is not the same in all.
pub fn drift(checkpoints: &[Checkpoint], moves: usize) -> Result<Vec<TensorDrift>, PipelineError> {
    if moves < 2 || checkpoints.len() <= moves {
        let reason = format!(
            "found {} checkpoints and windows of {moves} moves, needed 2 moves at least, and a checkpoint more than moves",
            checkpoints.len()
        );
        return Err(PipelineError::Drift { reason });
    }
    let first = checkpoints[0].open()?;
    let floats = first.tensors().filter(|tensor| tensor.kind().is_ok_and(Kind::is_float));
    let names: Vec<String> = floats.map(|tensor| tensor.name.to_owned()).collect();
    let mut window = Window { checkpoints: VecDeque::new(), moves: vec![VecDeque::new(); names.len()] };
    let mut found = Vec::new();
    for checkpoint in checkpoints {
        let weights = checkpoint.open()?;
        weights.load(names.iter().map(String::as_str))?;
        if let Some((_, before)) = window.checkpoints.back() {
            for (name, moves) in names.iter().zip(&mut window.moves) {
                moves.push_back(squared_distance(name, before, (checkpoint, &weights))?.0);
            }
        }
        window.checkpoints.push_back((checkpoint, weights));
        if window.checkpoints.len() > moves + 1 {
            window.checkpoints.pop_front();
            for moves in &mut window.moves {
                moves.pop_front();
            }
        }
        if window.checkpoints.len() == moves + 1 {
            for (name, moves) in names.iter().zip(&window.moves) {
                found.push(window.drift(name, moves)?);
            }
        }
    }
    Ok(found)
}

impl Window<'_> {
    fn drift(&self, name: &str, moves: &VecDeque<f64>) -> Result<TensorDrift, PipelineError> {
        let steps: Vec<u64> = self.checkpoints.iter().map(|(checkpoint, _)| checkpoint.step()).collect();
        let times = steps.windows(2).map(|pair| (pair[1] - pair[0]) as f64);
        let paced: Vec<(f64, f64)> = moves.iter().copied().zip(times).collect();
        let (last, weights) = &self.checkpoints[self.checkpoints.len() - 1];
        let (distance, n_weights) = squared_distance(name, &self.checkpoints[0].1, (last, weights))?;
        let (from_step, to_step) = (steps[0], steps[steps.len() - 1]);
        Ok(TensorDrift { from_step, to_step, tensor: name.to_owned(), n_weights, drift: Drift::of(&paced, distance)? })
    }
}

/// The squared distance of a tensor in two checkpoints, and the number of its weights.
fn squared_distance(
    name: &str,
    before: &Weights,
    (checkpoint, after): (&Checkpoint, &Weights),
) -> Result<(f64, usize), PipelineError> {
    let pair = before.get(name).zip(after.get(name));
    let Some((before, after)) = pair.filter(|(before, after)| before.shape == after.shape) else {
        let reason = format!("found no tensor `{name}` of the same shape in `{}`, needed it in all", checkpoint.name());
        return Err(PipelineError::Drift { reason });
    };
    let (before, after): (Numbers<'_>, Numbers<'_>) = (before.finite()?, after.finite()?);
    let pairs = before.doubles().into_iter().zip(after.doubles());
    Ok((pairs.map(|(before, after)| (after - before).powi(2)).sum(), before.len()))
}
