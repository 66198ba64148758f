//! Limited-memory BFGS for smooth convex functions whose values carry the noise of f32.

use std::collections::VecDeque;

/// Pairs of steps and gradient changes that are remembered.
const MEMORY: usize = 10;

/// Steps after which the solver gives up.
const MAX_ITERATIONS: usize = 1000;

/// Function values that differ by less than this are taken for equal.
const NOISE: f64 = 1e-7;

/// Where the solver stopped.
#[derive(Clone, Debug)]
pub(super) struct Solution {
    /// The minimizer found.
    pub parameters: Vec<f64>,
    /// The objective there.
    pub objective: f64,
    /// The largest absolute entry of the gradient there.
    pub gradient_norm: f64,
    /// The number of steps taken.
    pub iterations: usize,
    /// Whether the gradient became as small as was asked.
    pub converged: bool,
}

/// Minimizes from `start` until no entry of the gradient exceeds what `tolerance` says of the parameters.
///
/// `objective` writes the gradient and returns the value. `precondition` multiplies a gradient in place by a rough
/// inverse of the Hessian. A solver that cannot get on returns its last point: it has not converged.
pub(super) fn minimize(
    mut objective: impl FnMut(&[f64], &mut [f64]) -> f64,
    precondition: impl Fn(&mut [f64]),
    start: Vec<f64>,
    tolerance: impl Fn(&[f64]) -> f64,
) -> Solution {
    let mut gradient = vec![0.0; start.len()];
    let value = objective(&start, &mut gradient);
    let mut here = Point { parameters: start, gradient, value };
    let mut memory = Memory { pairs: VecDeque::with_capacity(MEMORY) };
    let mut iterations = 0;
    while largest(&here.gradient) > tolerance(&here.parameters) && iterations < MAX_ITERATIONS {
        let direction = memory.direction(&here.gradient, &precondition);
        let next = search(&mut objective, &here, &direction).or_else(|| {
            // What was remembered may mislead: once more without it.
            memory.pairs.clear();
            search(&mut objective, &here, &memory.direction(&here.gradient, &precondition))
        });
        let Some(next) = next else { break };
        memory.remember(&here, &next);
        here = next;
        iterations += 1;
    }
    let gradient_norm = largest(&here.gradient);
    let converged = gradient_norm <= tolerance(&here.parameters);
    Solution { parameters: here.parameters, objective: here.value, gradient_norm, iterations, converged }
}

struct Point {
    parameters: Vec<f64>,
    gradient: Vec<f64>,
    value: f64,
}

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    product: f64,
}

struct Memory {
    pairs: VecDeque<Pair>,
}

impl Memory {
    /// The two-loop recursion, around the preconditioner in the middle.
    fn direction(&self, gradient: &[f64], precondition: impl Fn(&mut [f64])) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut factors = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let factor = dot(&pair.step, &direction) / pair.product;
            add(&mut direction, -factor, &pair.change);
            factors.push(factor);
        }
        precondition(&mut direction);
        if let Some(last) = self.pairs.back() {
            // The preconditioner is right up to a factor, which the last step measures.
            let mut change = last.change.clone();
            precondition(&mut change);
            let scale = last.product / dot(&last.change, &change);
            for entry in &mut direction {
                *entry *= scale;
            }
        }
        for (pair, factor) in self.pairs.iter().zip(factors.iter().rev()) {
            let correction = dot(&pair.change, &direction) / pair.product;
            add(&mut direction, factor - correction, &pair.step);
        }
        direction
    }

    fn remember(&mut self, here: &Point, next: &Point) {
        let difference = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let step = difference(&next.parameters, &here.parameters);
        let change = difference(&next.gradient, &here.gradient);
        let product = dot(&step, &change);
        if product > f64::EPSILON * (dot(&step, &step) * dot(&change, &change)).sqrt() {
            if self.pairs.len() == MEMORY {
                self.pairs.pop_front();
            }
            self.pairs.push_back(Pair { step, change, product });
        }
    }
}

/// A step along `direction` with enough decrease and less slope (the weak Wolfe conditions), by bracketing.
///
/// The function is convex, so the slope alone shows on which side of the minimum a step ends.
fn search(objective: &mut impl FnMut(&[f64], &mut [f64]) -> f64, here: &Point, direction: &[f64]) -> Option<Point> {
    const DECREASE: f64 = 1e-4;
    const CURVATURE: f64 = 0.9;
    let slope_here = dot(&here.gradient, direction);
    if slope_here >= 0.0 || !slope_here.is_finite() {
        return None;
    }
    let mut next = Point { parameters: here.parameters.clone(), gradient: here.gradient.clone(), value: here.value };
    let (mut low, mut high) = ((0.0, slope_here), None);
    let mut length = 1.0;
    for _ in 0..40 {
        for ((next, here), direction) in next.parameters.iter_mut().zip(&here.parameters).zip(direction) {
            *next = here + length * direction;
        }
        next.value = objective(&next.parameters, &mut next.gradient);
        let slope = dot(&next.gradient, direction);
        let lower = next.value <= here.value + DECREASE * length * slope_here;
        // Near the minimum the decrease drowns in rounding; there the slopes must do.
        let level = next.value <= here.value + NOISE;
        let flat = level && slope <= (2.0 * DECREASE - 1.0) * slope_here;
        if !(lower || flat) {
            high = Some((length, slope));
        } else if slope < CURVATURE * slope_here {
            low = (length, slope);
        } else {
            return Some(next);
        }
        length = trial(low, high);
    }
    None
}

/// The next length to try: where a straight line through the slopes crosses zero, kept off the ends of the bracket.
fn trial(low: (f64, f64), high: Option<(f64, f64)>) -> f64 {
    let Some(high) = high else { return 4.0 * low.0.max(f64::MIN_POSITIVE) };
    let width = high.0 - low.0;
    let secant = low.1 / (low.1 - high.1);
    let share = if secant.is_finite() { secant.clamp(0.1, 0.9) } else { 0.5 };
    low.0 + share * width
}

/// The largest absolute entry; NaN if there is one.
pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().map(|value| value.abs()).fold(0.0, |a: f64, b| if b > a || b.is_nan() { b } else { a })
}

/// A dot product in eight lanes, which the compiler can keep in registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

fn add(to: &mut [f64], factor: f64, values: &[f64]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to += factor * value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Curvatures from 1 to 100 and a quartic term.
    fn valley(x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut value = 0.0;
        for (i, (x, gradient)) in x.iter().zip(gradient).enumerate() {
            let curvature = 10_f64.powf(i as f64 / 10.0);
            let x = x - 1.0;
            *gradient = curvature * x + x.powi(3);
            value += curvature * x * x / 2.0 + x.powi(4) / 4.0;
        }
        value
    }

    #[test]
    fn finds_the_bottom_of_a_narrow_valley() {
        let solution = minimize(valley, |_| {}, vec![-3.0; 21], |_| 1e-10);
        assert!(solution.gradient_norm <= 1e-10 && solution.iterations < 200, "{solution:?}");
        assert!(solution.parameters.iter().all(|x| (x - 1.0).abs() < 1e-9), "{solution:?}");
    }

    #[test]
    fn a_preconditioner_saves_steps() {
        let inverse = |gradient: &mut [f64]| {
            for (i, gradient) in gradient.iter_mut().enumerate() {
                *gradient /= 10_f64.powf(i as f64 / 10.0);
            }
        };
        let plain = minimize(valley, |_| {}, vec![-3.0; 21], |_| 1e-8);
        let fast = minimize(valley, inverse, vec![-3.0; 21], |_| 1e-8);
        assert!(fast.iterations * 3 < plain.iterations, "{} against {}", fast.iterations, plain.iterations);
    }

    #[test]
    fn gives_up_where_there_is_no_minimum() {
        let solution = minimize(
            |x, gradient| {
                gradient[0] = -1.0;
                -x[0]
            },
            |_| {},
            vec![0.0],
            |_| 1e-6,
        );
        assert!(solution.gradient_norm > 1e-6);
    }
}
