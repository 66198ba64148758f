//! The checkpoint to stop at for another task.

use super::{Curve, CurveError, ThreePhases};

/// Where training should have stopped so that a layer serves another task, as the loss of reconstruction tells.
///
/// # Formula
///
/// With the phases of the layer's loss of reconstruction: between its least value and the end of its plateau, `stop` being
/// the last checkpoint of the plateau. Where the loss never falls it is the last one before it rises.
///
/// # Use
///
/// Schneider and Prabhushankar (*AAAI* 2024) find transfer best around the end of the falling phase, well before the
/// network's own accuracy is: what the layer loses afterwards is what this task does not need, and another one might. It
/// is advice, and no more: [`Gain`] checks it where labels of another task are at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The checkpoint of the least loss.
    pub from: u64,
    /// The last checkpoint before the loss rises.
    pub stop: u64,
    /// Whether the loss fell before.
    pub falls: bool,
    /// Whether it rises afterwards: where it does not there is no reason to stop.
    pub rises: bool,
    /// Whether errors leave no other checkpoint for where it rises; none where errors are not known or it does not rise.
    pub resolved: Option<bool>,
}

/// What stopping is worth to another task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// The value at the stop.
    pub at_stop: f64,
    /// The step of the largest value, the first of equal ones.
    pub best_step: u64,
    /// The largest value: of many checkpoints, and so a little too large.
    pub best: f64,
    /// The value of the last checkpoint.
    pub at_end: f64,
    /// What is lost between the stop and the end.
    pub gain: f64,
    /// One standard error of the gain, as of independent values; where they share their samples it is smaller.
    pub std_error: Option<f64>,
}

impl Advice {
    /// Looks at the loss of reconstruction of a layer.
    ///
    /// # Errors
    ///
    /// Those of the phases.
    pub fn new(settings: &ThreePhases, loss: &Curve) -> Result<Self, CurveError> {
        let found = settings.find(loss)?;
        let steps = loss.steps();
        let last = found.back.map_or(steps.len() - 1, |back| back.place - 1);
        Ok(Self {
            from: steps[found.turn.place.min(last)],
            stop: steps[if found.back.is_some() { found.plateau_end.min(last) } else { last }],
            falls: found.onset.is_some(),
            rises: found.back.is_some(),
            resolved: found.back.and_then(|back| back.resolved()),
        })
    }

    /// Checks it against how well another task does at each checkpoint; none if there is no value at the stop.
    #[must_use]
    pub fn gain(&self, transfer: &Curve) -> Option<Gain> {
        let values = transfer.values();
        let stop = transfer.steps().iter().position(|&step| step == self.stop)?;
        let end = values.len() - 1;
        let best = (0..values.len()).fold(0, |best, place| if values[place] > values[best] { place } else { best });
        Some(Gain {
            at_stop: values[stop],
            best_step: transfer.steps()[best],
            best: values[best],
            at_end: values[end],
            gain: values[stop] - values[end],
            std_error: transfer.errors().map(|errors| if stop == end { 0.0 } else { errors[stop].hypot(errors[end]) }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::Smooth;

    /// Step, loss of reconstruction, and accuracy of transfer of the published run.
    const PUBLISHED: [(u64, f64, f64); 17] = [
        (0, 46.7068, 0.789),
        (2, 46.5526, 0.788),
        (4, 46.3048, 0.790),
        (8, 45.6222, 0.789),
        (16, 44.3769, 0.796),
        (32, 43.4755, 0.816),
        (64, 41.9198, 0.833),
        (128, 40.3239, 0.832),
        (256, 40.5391, 0.847),
        (512, 41.7168, 0.847),
        (1024, 41.1207, 0.853),
        (2048, 44.2991, 0.834),
        (4096, 48.6901, 0.819),
        (8192, 54.7445, 0.801),
        (16384, 57.7619, 0.787),
        (32768, 60.0029, 0.780),
        (65536, 62.1787, 0.772),
    ];

    #[test]
    fn the_published_run_stops_where_transfer_is_best() {
        let loss = Curve::new(PUBLISHED.map(|(step, loss, _)| (step, loss, None))).unwrap();
        let advice = Advice::new(&ThreePhases::falling(Smooth::None), &loss).unwrap();
        assert_eq!(advice, Advice { from: 128, stop: 1024, falls: true, rises: true, resolved: None });
        // 10,000 test images.
        let error = |accuracy: f64| (accuracy * (1.0 - accuracy) / 10_000.0).sqrt();
        let transfer = Curve::new(PUBLISHED.map(|(step, _, value)| (step, value, Some(error(value))))).unwrap();
        let gain = advice.gain(&transfer).unwrap();
        assert_eq!((gain.best_step, gain.best, gain.at_stop, gain.at_end), (1024, 0.853, 0.853, 0.772));
        assert!((gain.gain - 0.081).abs() < 1e-12 && (gain.std_error.unwrap() - 0.0055).abs() < 1e-4, "{gain:?}");
        // Smoothed, the plateau ends an octave earlier, and transfer is .6 points worse.
        let advice = Advice::new(&ThreePhases::falling(Smooth::Median3), &loss).unwrap();
        assert_eq!((advice.from, advice.stop, advice.gain(&transfer).unwrap().at_stop), (128, 512, 0.847));
    }

    #[test]
    fn without_a_rise_there_is_no_reason_to_stop() {
        let curve = |values: [f64; 5]| Curve::new((0..).zip(values).map(|(step, value)| (step, value, None))).unwrap();
        let settings = ThreePhases::falling(Smooth::None);
        let advice = Advice::new(&settings, &curve([1.0, 0.8, 0.6, 0.5, 0.4])).unwrap();
        assert_eq!(advice, Advice { from: 4, stop: 4, falls: true, rises: false, resolved: None });
        assert!(advice.gain(&curve([0.1, 0.2, 0.3, 0.4, 0.5])).unwrap().gain.abs() < f64::EPSILON);
        let advice = Advice::new(&settings, &curve([1.0, 1.01, 1.1, 1.2, 1.3])).unwrap();
        assert_eq!(advice, Advice { from: 0, stop: 1, falls: false, rises: true, resolved: None });
        let gone = Curve::new([(0, 0.5, None), (2, 0.5, None), (3, 0.5, None)]).unwrap();
        assert_eq!(advice.gain(&gone), None);
    }
}
