//! Limited-memory BFGS for smooth convex functions whose values carry the noise of f32.

use std::collections::VecDeque;

use rayon::prelude::*;

/// Pairs of steps and gradient changes that are remembered.
const MEMORY: usize = 10;

/// Entries of a vector that one task works on. Fixed, so that sums do not depend on the threads.
const CHUNK: usize = 8192;

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
    let mut memory = Memory::new(&here.gradient, &precondition);
    let mut iterations = 0;
    while largest(&here.gradient) > tolerance(&here.parameters) && iterations < MAX_ITERATIONS {
        let next = search(&mut objective, &here, &memory.direction()).or_else(|| {
            // What was remembered may mislead: once more without it.
            memory.pairs.clear();
            search(&mut objective, &here, &memory.direction())
        });
        let Some(next) = next else { break };
        memory.remember(&here, &next, &precondition);
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

/// The last steps and what they taught, with the inner products that the next direction needs.
struct Memory {
    pairs: VecDeque<Pair>,
    /// The gradient, multiplied by the preconditioner.
    preconditioned: Vec<f64>,
}

/// One step s and the change y of the gradient g over it; P is the preconditioner.
struct Pair {
    step: Vec<f64>,
    /// Py.
    change: Vec<f64>,
    /// s·g.
    step_gradient: f64,
    /// Py·g.
    change_gradient: f64,
    /// s·y for this pair and each later one, in order.
    step_changes: Vec<f64>,
    /// y·Py for this pair and each later one, in order.
    change_changes: Vec<f64>,
}

impl Memory {
    fn new(gradient: &[f64], precondition: impl Fn(&mut [f64])) -> Self {
        let mut preconditioned = gradient.to_vec();
        precondition(&mut preconditioned);
        Self { pairs: VecDeque::with_capacity(MEMORY), preconditioned }
    }

    /// The two-loop recursion, around the preconditioner in the middle, on inner products alone.
    ///
    /// P is linear, so that Pq for q = −g − Σ αᵢyᵢ comes from Pg and the Pyᵢ, and every vector is read once.
    fn direction(&self) -> Vec<f64> {
        let pairs = &self.pairs;
        let n = pairs.len();
        let mut factors = vec![0.0; n];
        for i in (0..n).rev() {
            let later: f64 = (i + 1..n).map(|j| factors[j] * pairs[i].step_changes[j - i]).sum();
            factors[i] = -(pairs[i].step_gradient + later) / pairs[i].step_changes[0];
        }
        // The preconditioner is right up to a factor, which the last step measures.
        let scale = pairs.back().map_or(1.0, |last| last.step_changes[0] / last.change_changes[0]);
        let mut corrections = vec![0.0; n];
        for i in 0..n {
            let projected: f64 =
                (0..n).map(|j| factors[j] * pairs[i.min(j)].change_changes[i.abs_diff(j)]).sum::<f64>()
                    + pairs[i].change_gradient;
            let earlier: f64 = (0..i).map(|j| corrections[j] * pairs[j].step_changes[i - j]).sum();
            corrections[i] = factors[i] - (earlier - scale * projected) / pairs[i].step_changes[0];
        }
        let mut direction = vec![0.0; self.preconditioned.len()];
        direction.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, direction)| {
            let range = chunk * CHUNK..chunk * CHUNK + direction.len();
            add(direction, -scale, &self.preconditioned[range.clone()]);
            for ((pair, factor), correction) in pairs.iter().zip(&factors).zip(&corrections) {
                add(direction, -scale * factor, &pair.change[range.clone()]);
                add(direction, *correction, &pair.step[range.clone()]);
            }
        });
        direction
    }

    fn remember(&mut self, here: &Point, next: &Point, precondition: impl Fn(&mut [f64])) {
        let before = std::mem::replace(&mut self.preconditioned, next.gradient.clone());
        precondition(&mut self.preconditioned);
        let step = difference(&next.parameters, &here.parameters);
        let change = difference(&self.preconditioned, &before);
        let raw = difference(&next.gradient, &here.gradient);
        let (step_change, change_change) = (dot(&step, &raw), dot(&change, &raw));
        let keep = step_change > f64::EPSILON * (dot(&step, &step) * dot(&raw, &raw)).sqrt() && change_change > 0.0;
        if keep && self.pairs.len() == MEMORY {
            self.pairs.pop_front();
        }
        for pair in &mut self.pairs {
            let (step, change) = (dot(&pair.step, &next.gradient), dot(&pair.change, &next.gradient));
            if keep {
                // What the new change makes with the old vectors is how their products with the gradient changed.
                pair.step_changes.push(step - pair.step_gradient);
                pair.change_changes.push(change - pair.change_gradient);
            }
            (pair.step_gradient, pair.change_gradient) = (step, change);
        }
        if keep {
            self.pairs.push_back(Pair {
                step_gradient: dot(&step, &next.gradient),
                change_gradient: dot(&change, &next.gradient),
                step_changes: vec![step_change],
                change_changes: vec![change_change],
                step,
                change,
            });
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

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// A dot product, summed chunk after chunk, so that it does not depend on the threads.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    if a.len() <= CHUNK {
        return dot_of_chunk(a, b);
    }
    let parts: Vec<f64> = a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK)).map(|(a, b)| dot_of_chunk(a, b)).collect();
    parts.iter().sum()
}

/// A dot product in eight lanes, which the compiler can keep in registers.
fn dot_of_chunk(a: &[f64], b: &[f64]) -> f64 {
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
