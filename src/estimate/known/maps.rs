//! Maps that keep information, because they can be undone.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use statrs::function::erf::erfc;

/// The normal distribution function Φ.
pub(super) fn uniform(x: f64) -> f64 {
    0.5 * erfc(-x / std::f64::consts::SQRT_2)
}

/// The half-cube of a number, |x|^(3/2) with its sign.
pub(super) fn half_cube(x: f64) -> f64 {
    x.signum() * x.abs().powf(1.5)
}

/// Rising maps with wiggles, one for each side, of the benchmark that `beyond_normal` is about.
pub(super) fn wiggly_x(x: f64) -> f64 {
    x + 0.4 * x.sin() + 0.2 * (1.7 * x + 1.0).sin() + 0.03 * (3.3 * x - 2.5).sin()
}

pub(super) fn wiggly_y(y: f64) -> f64 {
    y - 0.4 * (0.4 * y).sin() + 0.17 * (1.3 * y + 3.5).sin() + 0.02 * (4.3 * y - 2.5).sin()
}

/// Each number to a point on a curve in the plane that winds around the origin.
pub(super) fn swiss_roll(uniform: &Array2<f64>) -> Array2<f64> {
    let point = |u: f64| {
        let t = 1.5 * std::f64::consts::PI * (1.0 + 2.0 * u);
        [t * t.cos() / 21.0, t * t.sin() / 21.0]
    };
    Array2::from_shape_fn((uniform.nrows(), 2), |(row, c)| point(uniform[[row, 0]])[c])
}

/// The side of a picture.
const SIDE: usize = 16;

/// Each pair of numbers between zero and one to a picture of a bright spot in that place.
pub(super) fn spots(places: &Array2<f64>) -> Array2<f64> {
    let pixel = |place: ArrayView1<'_, f64>, at: usize| {
        let (row, column) = ((at / SIDE) as f64 / (SIDE - 1) as f64, (at % SIDE) as f64 / (SIDE - 1) as f64);
        (-10.0 * ((row - place[0]).powi(2) + (column - place[1]).powi(2))).exp()
    };
    Array2::from_shape_fn((places.nrows(), SIDE * SIDE), |(row, at)| pixel(places.index_axis(Axis(0), row), at))
}

/// Turns each point of space about an axis, the more the farther out it lies, in the plane of two coordinates.
pub(super) fn spiral(points: &Array2<f64>, plane: [usize; 2]) -> Array2<f64> {
    let mut turned = points.clone();
    for (mut row, point) in turned.outer_iter_mut().zip(points.outer_iter()) {
        let angle = point.dot(&point) / points.ncols() as f64;
        let [a, b] = plane.map(|c| point[c]);
        row[plane[0]] = angle.cos() * a + angle.sin() * b;
        row[plane[1]] = angle.cos() * b - angle.sin() * a;
    }
    turned
}

/// Each row divided by its own number.
pub(super) fn divided(points: &Array2<f64>, by: &Array1<f64>) -> Array2<f64> {
    points / &by.view().insert_axis(Axis(1))
}
