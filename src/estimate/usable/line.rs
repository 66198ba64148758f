//! How far to go along a line.

/// Function values that differ by less than this part are taken for equal.
const NOISE: f64 = 1e-7;

/// A search for a step with enough decrease and less slope (the weak Wolfe conditions), by bracketing.
///
/// The function is convex, so the slope alone shows on which side of the minimum a step ends.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub direction: Vec<f64>,
    slope: f64,
    low: (f64, f64),
    high: Option<(f64, f64)>,
    length: f64,
    /// How often it went on.
    pub tries: usize,
    /// Where the value and the slope are wanted.
    pub wanted: Vec<f64>,
}

impl Line {
    /// From `here` along `direction`, where the function first falls by `slope`.
    pub(super) fn new(here: &[f64], direction: Vec<f64>, slope: f64) -> Self {
        let mut line = Self {
            wanted: vec![0.0; here.len()],
            direction,
            slope,
            low: (0.0, slope),
            high: None,
            length: 1.0,
            tries: 0,
        };
        line.stretch(here);
        line
    }

    /// Whether the search ends at the point that was wanted; if not, it narrows the bracket.
    pub(super) fn ends(&mut self, value_here: f64, value: f64, slope: f64) -> bool {
        const DECREASE: f64 = 1e-4;
        const CURVATURE: f64 = 0.9;
        let lower = value <= value_here + DECREASE * self.length * self.slope;
        // Near the minimum the decrease drowns in rounding; there the slopes must do.
        let level = value <= value_here + NOISE * value_here.abs();
        let flat = level && slope <= (2.0 * DECREASE - 1.0) * self.slope;
        if !(lower || flat) {
            self.high = Some((self.length, slope));
        } else if slope < CURVATURE * self.slope {
            self.low = (self.length, slope);
        } else {
            return true;
        }
        false
    }

    /// To the next length: where a straight line through the slopes crosses zero, kept off the ends of the bracket.
    pub(super) fn go(&mut self, here: &[f64]) {
        let low = self.low;
        self.length = if let Some(high) = self.high {
            let secant = low.1 / (low.1 - high.1);
            let share = if secant.is_finite() { secant.clamp(0.1, 0.9) } else { 0.5 };
            low.0 + share * (high.0 - low.0)
        } else {
            4.0 * self.length
        };
        self.tries += 1;
        self.stretch(here);
    }

    fn stretch(&mut self, here: &[f64]) {
        for ((wanted, here), direction) in self.wanted.iter_mut().zip(here).zip(&self.direction) {
            *wanted = here + self.length * direction;
        }
    }
}
