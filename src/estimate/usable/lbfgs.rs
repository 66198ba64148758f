//! Limited-memory BFGS for smooth convex functions whose values carry the noise of f32.
//!
//! The solver never calls the function: it says where it wants to know the value, and is told. So several solvers can
//! share a pass over the same data.

use std::collections::VecDeque;

use super::line::Line;

/// Pairs of steps and gradient changes that are remembered.
const MEMORY: usize = 10;

/// Steps after which the solver gives up.
const MAX_ITERATIONS: usize = 1000;

/// Where the solver stops.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    /// The largest entry that the gradient may have.
    pub gradient: f64,
    /// The part of the value by which the next step may still be expected to lower it.
    pub decrease: f64,
}

/// Where the solver stopped.
#[derive(Clone, Debug)]
pub(super) struct Solution {
    /// The minimizer found.
    pub parameters: Vec<f64>,
    /// The objective there.
    pub objective: f64,
    /// The largest absolute entry of the gradient there.
    pub gradient_norm: f64,
    /// What the next step would have lowered the objective by: half of gᵀH⁻¹g, with the solver's own H.
    pub decrease: f64,
    /// The number of steps taken.
    pub iterations: usize,
    /// Whether the goal was reached.
    pub converged: bool,
}

/// One minimization.
#[derive(Clone, Debug)]
pub(super) struct Minimizer {
    here: Point,
    memory: VecDeque<Pair>,
    stage: Stage,
    decrease: f64,
    iterations: usize,
}

#[derive(Clone, Debug)]
enum Stage {
    /// The function is not known here yet.
    Start,
    /// On the way along a line.
    Line(Line),
    /// Stopped, at the goal or because it got no further.
    End { converged: bool },
}

#[derive(Clone, Debug)]
struct Point {
    parameters: Vec<f64>,
    gradient: Vec<f64>,
    value: f64,
}

#[derive(Clone, Debug)]
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    product: f64,
}

impl Minimizer {
    /// A minimization from `start`.
    pub(super) fn new(start: Vec<f64>) -> Self {
        let here = Point { parameters: start, gradient: Vec::new(), value: f64::INFINITY };
        let memory = VecDeque::with_capacity(MEMORY);
        Self { here, memory, stage: Stage::Start, decrease: f64::INFINITY, iterations: 0 }
    }

    /// Where the value and the gradient are wanted next; none if the solver has stopped.
    pub(super) fn wanted(&self) -> Option<&[f64]> {
        match &self.stage {
            Stage::Start => Some(&self.here.parameters),
            Stage::Line(line) => Some(&line.wanted),
            Stage::End { .. } => None,
        }
    }

    /// The best point so far.
    pub(super) fn parameters(&self) -> &[f64] {
        &self.here.parameters
    }

    /// The value at the best point so far.
    pub(super) fn value(&self) -> f64 {
        self.here.value
    }

    /// Goes on with what is found where it was wanted. `divide` multiplies a vector by a rough inverse of the Hessian.
    pub(super) fn tell(&mut self, value: f64, gradient: Vec<f64>, divide: impl Fn(&mut [f64]), goal: Goal) {
        match std::mem::replace(&mut self.stage, Stage::Start) {
            Stage::Start => {
                (self.here.value, self.here.gradient) = (value, gradient);
                self.set_out(divide, goal);
            }
            Stage::Line(mut line) => {
                let slope = dot(&gradient, &line.direction);
                if line.ends(self.here.value, value, slope) {
                    let next = Point { parameters: line.wanted, gradient, value };
                    remember(&mut self.memory, &self.here, &next);
                    self.here = next;
                    self.iterations += 1;
                    self.set_out(divide, goal);
                } else if line.tries < 40 && slope.is_finite() {
                    line.go(&self.here.parameters);
                    self.stage = Stage::Line(line);
                } else if self.memory.is_empty() {
                    self.stage = Stage::End { converged: false };
                } else {
                    // What was remembered may mislead: once more without it.
                    self.memory.clear();
                    self.set_out(divide, goal);
                }
            }
            Stage::End { converged } => self.stage = Stage::End { converged },
        }
    }

    /// Goes on, with another goal, after the function has gained `by`/2 · |x|² over its first `n` arguments.
    pub(super) fn stiffen(&mut self, by: f64, n: usize, divide: impl Fn(&mut [f64]), goal: Goal) {
        let Point { parameters, gradient, value } = &mut self.here;
        *value += by / 2.0 * dot(&parameters[..n], &parameters[..n]);
        add(&mut gradient[..n], by, &parameters[..n]);
        // What was learned of the function holds for the new one, too.
        for pair in &mut self.memory {
            add(&mut pair.change[..n], by, &pair.step[..n]);
            pair.product = dot(&pair.step, &pair.change);
        }
        self.memory.retain(Pair::is_sound);
        self.iterations = 0;
        self.set_out(divide, goal);
    }

    /// Where the solver stopped.
    pub(super) fn solution(self) -> Solution {
        Solution {
            converged: self.has_converged(),
            gradient_norm: largest(&self.here.gradient),
            parameters: self.here.parameters,
            objective: self.here.value,
            decrease: self.decrease,
            iterations: self.iterations,
        }
    }

    /// Whether the solver has stopped at its goal.
    pub(super) fn has_converged(&self) -> bool {
        matches!(self.stage, Stage::End { converged: true })
    }

    /// Stops, or chooses the next line.
    fn set_out(&mut self, divide: impl Fn(&mut [f64]), goal: Goal) {
        let direction = self.direction(&divide);
        let slope = dot(&self.here.gradient, &direction);
        self.decrease = -slope / 2.0;
        let converged =
            largest(&self.here.gradient) <= goal.gradient && self.decrease <= goal.decrease * self.here.value.abs();
        self.stage = if converged || self.iterations == MAX_ITERATIONS || slope >= 0.0 || !slope.is_finite() {
            Stage::End { converged }
        } else {
            Stage::Line(Line::new(&self.here.parameters, direction, slope))
        };
    }

    /// The two-loop recursion, around the preconditioner in the middle.
    fn direction(&self, divide: impl Fn(&mut [f64])) -> Vec<f64> {
        let mut direction: Vec<f64> = self.here.gradient.iter().map(|g| -g).collect();
        let mut factors = Vec::with_capacity(self.memory.len());
        for pair in self.memory.iter().rev() {
            let factor = dot(&pair.step, &direction) / pair.product;
            add(&mut direction, -factor, &pair.change);
            factors.push(factor);
        }
        divide(&mut direction);
        if let Some(last) = self.memory.back() {
            // The preconditioner is right up to a factor, which the last step measures.
            let mut change = last.change.clone();
            divide(&mut change);
            let scale = last.product / dot(&last.change, &change);
            for entry in &mut direction {
                *entry *= scale;
            }
        }
        for (pair, factor) in self.memory.iter().zip(factors.iter().rev()) {
            let correction = dot(&pair.change, &direction) / pair.product;
            add(&mut direction, factor - correction, &pair.step);
        }
        direction
    }
}

impl Pair {
    /// Whether the function is curved along the step, beyond rounding.
    fn is_sound(&self) -> bool {
        self.product > f64::EPSILON * (dot(&self.step, &self.step) * dot(&self.change, &self.change)).sqrt()
    }
}

fn remember(memory: &mut VecDeque<Pair>, here: &Point, next: &Point) {
    let difference = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
    let step = difference(&next.parameters, &here.parameters);
    let change = difference(&next.gradient, &here.gradient);
    let pair = Pair { product: dot(&step, &change), step, change };
    if pair.is_sound() {
        if memory.len() == MEMORY {
            memory.pop_front();
        }
        memory.push_back(pair);
    }
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

    /// Curvatures from 1 to 100 and a quartic term, half of `stiffness` times the squared length beside it.
    fn valley(x: &[f64], stiffness: f64) -> (f64, Vec<f64>) {
        let mut value = 0.0;
        let mut gradient = vec![0.0; x.len()];
        for (i, (x, gradient)) in x.iter().zip(&mut gradient).enumerate() {
            let curvature = 10_f64.powf(i as f64 / 10.0);
            let from = x - 1.0;
            *gradient = curvature * from + from.powi(3) + stiffness * x;
            value += curvature * from * from / 2.0 + from.powi(4) / 4.0 + stiffness / 2.0 * x * x;
        }
        (value, gradient)
    }

    fn minimize(minimizer: &mut Minimizer, stiffness: f64, divide: impl Fn(&mut [f64]), goal: Goal) -> usize {
        let mut calls = 0;
        while let Some(wanted) = minimizer.wanted() {
            let (value, gradient) = valley(wanted, stiffness);
            minimizer.tell(value, gradient, &divide, goal);
            calls += 1;
        }
        calls
    }

    const TIGHT: Goal = Goal { gradient: 1e-10, decrease: f64::INFINITY };

    #[test]
    fn finds_the_bottom_of_a_narrow_valley() {
        let mut minimizer = Minimizer::new(vec![-3.0; 21]);
        minimize(&mut minimizer, 0.0, |_| {}, TIGHT);
        let solution = minimizer.solution();
        assert!(solution.converged && solution.gradient_norm <= 1e-10 && solution.iterations < 200, "{solution:?}");
        assert!(solution.parameters.iter().all(|x| (x - 1.0).abs() < 1e-9), "{solution:?}");
    }

    #[test]
    fn a_preconditioner_saves_steps() {
        let inverse = |gradient: &mut [f64]| {
            for (i, gradient) in gradient.iter_mut().enumerate() {
                *gradient /= 10_f64.powf(i as f64 / 10.0);
            }
        };
        let [mut plain, mut fast] = [Minimizer::new(vec![-3.0; 21]), Minimizer::new(vec![-3.0; 21])];
        let plain = minimize(&mut plain, 0.0, |_| {}, TIGHT);
        let fast = minimize(&mut fast, 0.0, inverse, TIGHT);
        assert!(fast * 3 < plain, "{fast} against {plain}");
    }

    #[test]
    fn the_expected_decrease_tells_the_distance_to_the_bottom() {
        let mut minimizer = Minimizer::new(vec![-3.0; 21]);
        let (bottom, _) = {
            let mut exact = Minimizer::new(vec![-3.0; 21]);
            minimize(&mut exact, 0.5, |_| {}, TIGHT);
            valley(exact.parameters(), 0.5)
        };
        minimize(&mut minimizer, 0.5, |_| {}, Goal { gradient: f64::INFINITY, decrease: 1e-6 });
        let above = minimizer.value() - bottom;
        // The solver's own Hessian is good to a factor of ten after as many steps as there are curvatures.
        assert!(above < 1e-5 * bottom, "{above} above {bottom}");
    }

    #[test]
    fn what_was_learned_serves_a_stiffer_function() {
        let mut moved = Minimizer::new(vec![-3.0; 21]);
        minimize(&mut moved, 0.0, |_| {}, TIGHT);
        moved.stiffen(0.3, 21, |_| {}, TIGHT);
        let again = minimize(&mut moved, 0.3, |_| {}, TIGHT);
        let mut fresh = Minimizer::new(vec![-3.0; 21]);
        let anew = minimize(&mut fresh, 0.3, |_| {}, TIGHT);
        assert!(again < anew, "{again} against {anew}");
        for (a, b) in moved.parameters().iter().zip(fresh.parameters()) {
            // Curvatures of 1 and a gradient of 1e-10.
            assert!((a - b).abs() < 1e-9);
        }
    }

    #[test]
    fn gives_up_where_there_is_no_minimum() {
        let mut minimizer = Minimizer::new(vec![0.0]);
        while let Some(wanted) = minimizer.wanted() {
            let value = -wanted[0];
            minimizer.tell(value, vec![-1.0], |_| {}, TIGHT);
        }
        assert!(!minimizer.solution().converged);
    }
}
