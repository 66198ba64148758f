//! What is read out of a replay: one row a sample, pooled as the pipeline file asks.

use std::ops::ControlFlow;

use ndarray::{Array2, Axis, concatenate};

use super::{FeedInputs, ReplayError, Session};
use crate::graph::{Pooling, Tap};

/// The values of one tap for all samples: samples × units.
#[derive(Clone, Debug)]
pub struct Activations {
    /// The tensor.
    pub tap: String,
    /// One row a sample.
    pub values: Array2<f32>,
}

/// What one checkpoint gave.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The activations of each tap, in the order of the taps.
    pub taps: Vec<Activations>,
    /// The output that the loss is computed from, several of them side by side.
    pub output: Option<Activations>,
}

/// Runs all samples in batches and reads out the taps, and the named outputs as they are.
///
/// `go_on` is asked before each batch.
///
/// # Errors
///
/// [`ReplayError`] when the runtime fails, a tap is not one row a sample, or a stop was asked for.
pub fn replay(
    session: &mut Session,
    inputs: &FeedInputs,
    taps: &[Tap],
    outputs: &[String],
    batch: usize,
    go_on: &dyn Fn() -> ControlFlow<()>,
) -> Result<Replayed, ReplayError> {
    let rows = inputs.rows();
    let flat: Vec<Tap> = outputs.iter().map(|output| Tap::flat(output)).collect();
    let wanted: Vec<&Tap> = taps.iter().chain(&flat).collect();
    let names: Vec<&str> = wanted.iter().map(|tap| tap.name.as_str()).collect();
    let mut collected: Vec<Vec<f32>> = vec![Vec::new(); wanted.len()];
    for start in (0..rows).step_by(batch) {
        if go_on().is_break() {
            return Err(ReplayError::Stopped);
        }
        let end = rows.min(start + batch);
        session.run(inputs, start..end, &names, &mut |place, shape, values| {
            let into = &mut collected[place];
            let before = into.len();
            pool(wanted[place], shape, &values, end - start, into)?;
            let width = (into.len() - before) / (end - start);
            if start == 0 {
                into.reserve_exact(width * (rows - end));
            } else if width * start != before {
                let found = format!("{width} units a sample after {}", before / start);
                return Err(bad(wanted[place], found, "the same number for every batch"));
            }
            Ok(())
        })?;
    }
    let mut arrays = wanted.iter().zip(collected).map(|(tap, values)| {
        let shape = (rows, values.len() / rows);
        match Array2::from_shape_vec(shape, values) {
            Ok(values) => Ok(Activations { tap: tap.name.clone(), values }),
            Err(error) => {
                Err(bad(tap, format!("batches of different widths ({error})"), "the same width for all samples"))
            }
        }
    });
    let taps = arrays.by_ref().take(taps.len()).collect::<Result<_, _>>()?;
    let outputs: Vec<Activations> = arrays.collect::<Result<_, _>>()?;
    let views: Vec<_> = outputs.iter().map(|output| output.values.view()).collect();
    // As many rows each: those of the inputs.
    let joined = concatenate(Axis(1), &views).ok();
    let names: Vec<&str> = outputs.iter().map(|output| output.tap.as_str()).collect();
    let output = joined.map(|values| Activations { tap: names.join("`, `"), values });
    Ok(Replayed { taps, output })
}

/// Checks that batches fit a graph whose batch axis is fixed: it takes batches of just that size.
///
/// # Errors
///
/// [`ReplayError::Input`] with the size that the graph fixes.
pub fn check_batch(session: &Session, batch: usize, rows: usize) -> Result<(), ReplayError> {
    for info in session.inputs() {
        if let Some(Some(fixed)) = info.shape.first()
            && (*fixed != batch || !rows.is_multiple_of(*fixed))
        {
            return Err(ReplayError::Input {
                input: info.name.clone(),
                found: format!("a batch of {batch} and {rows} samples"),
                needed: format!("batches of {fixed}, which the graph fixes"),
                remedy: format!(
                    "export with a dynamic batch axis, or set `batch = {fixed}` and give a multiple of {fixed} samples"
                ),
            });
        }
    }
    Ok(())
}

fn bad(tap: &Tap, found: String, needed: &str) -> ReplayError {
    ReplayError::Tap {
        tap: tap.name.clone(),
        found,
        needed: needed.to_owned(),
        remedy: "choose another tap or another `pool`".to_owned(),
    }
}

/// Appends one row a sample.
fn pool(tap: &Tap, shape: &[usize], values: &[f32], samples: usize, into: &mut Vec<f32>) -> Result<(), ReplayError> {
    if shape.first() != Some(&samples) {
        return Err(bad(tap, format!("shape {shape:?} for a batch of {samples}"), "the sample as the first axis"));
    }
    if shape.contains(&0) {
        return Err(bad(tap, format!("shape {shape:?}"), "no empty axis"));
    }
    let rank = shape.len();
    let needs = |least: usize, what: &str| {
        if rank >= least { Ok(()) } else { Err(bad(tap, format!("shape {shape:?}"), what)) }
    };
    match tap.pooling {
        Pooling::Flatten => into.extend_from_slice(values),
        Pooling::Mean | Pooling::Last => {
            needs(3, "samples × positions × features")?;
            let features = shape[rank - 1];
            let positions: usize = shape[1..rank - 1].iter().product();
            for sample in values.chunks_exact(positions * features) {
                if tap.pooling == Pooling::Last {
                    into.extend_from_slice(&sample[(positions - 1) * features..]);
                } else {
                    into.extend(
                        (0..features).map(|feature| mean(sample[feature..].iter().step_by(features), positions)),
                    );
                }
            }
        }
        Pooling::SpatialMean => {
            needs(3, "samples × channels × positions")?;
            let positions: usize = shape[2..].iter().product();
            into.extend(values.chunks_exact(positions).map(|channel| mean(channel.iter(), positions)));
        }
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "summed wide, kept narrow")]
fn mean<'v>(values: impl Iterator<Item = &'v f32>, count: usize) -> f32 {
    (values.map(|&value| f64::from(value)).sum::<f64>() / count as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(pooling: Pooling, shape: &[usize]) -> Result<Vec<f32>, ReplayError> {
        let tap = Tap { name: "t".to_owned(), pooling };
        let values: Vec<f32> = (0_u16..shape.iter().product::<usize>().try_into().unwrap()).map(f32::from).collect();
        let mut into = Vec::new();
        pool(&tap, shape, &values, shape[0], &mut into)?;
        Ok(into)
    }

    #[test]
    fn pooling_reduces_the_axes_that_it_says() {
        assert_eq!(pooled(Pooling::Flatten, &[2, 1, 2]).unwrap(), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(pooled(Pooling::Mean, &[2, 2, 2]).unwrap(), [1.0, 2.0, 5.0, 6.0]);
        assert_eq!(pooled(Pooling::Last, &[2, 2, 2]).unwrap(), [2.0, 3.0, 6.0, 7.0]);
        assert_eq!(pooled(Pooling::SpatialMean, &[1, 2, 2, 2]).unwrap(), [1.5, 5.5]);
    }

    #[test]
    fn pooling_a_matrix_over_positions_is_refused() {
        let error = pooled(Pooling::Mean, &[2, 3]).unwrap_err();
        assert!(error.to_string().contains("found shape [2, 3]"), "{error}");
    }
}
