//! Points in few coordinates whose distances are never above those of the points themselves.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::estimate::EstimateError;
use crate::estimate::columns;
use crate::estimate::compress::{Basis, Pca};
use crate::estimate::matrix::{double as matrix, single};

/// The axes that are looked for, at most.
const AXES: usize = 255;

/// Points that the axes are taken from, and points that one task turns.
const SAMPLED: usize = 1024;
const ROWS: usize = 256;

/// What the number of coordinates is a multiple of.
pub(super) const LANES: usize = 16;

/// What the number of points of a screen is a multiple of; missing ones have no distance to any.
pub(super) const TILE: usize = 1024;

/// The size of points that neither their squares in double precision nor those of rounding errors leave the range of.
const SIZES: std::ops::Range<f64> = 1e-140..1e140;

/// Points around their mean, along orthonormal axes that leave little of them out.
pub(super) struct Turned {
    /// The coordinates along each axis, one row a point.
    leading: Array2<f32>,
    /// The length of what is left of each point.
    rests: Vec<f64>,
    /// The mean, which was subtracted.
    means: Vec<f64>,
    /// What points are multiplied by.
    pub(super) scale: f64,
}

/// Coordinates from which products bound distances from below.
///
/// For an orthonormal map P and the length r of what it leaves of a point, `|x − y|² ≥ |Px − Py|² + (r_x − r_y)²`: the
/// squared distance of points that have r for one coordinate more. With u = 2⁻²⁴ and w coordinates, rounding these costs it
/// 4u (|x|² + |y|²) at most, a product of w terms `w u |x| |y|`, and the operations around it three more u of the same: halves of
/// squared lengths that are too small by the part `(w + 32) u` allow for all.
pub(super) struct Screen {
    /// Coordinates in single precision, one row a point; so many rows and columns of zeros that both fill whole tiles.
    pub(super) coordinates: Array2<f32>,
    /// Half the squared length of each point, less the slack; infinite where there is no point.
    pub(super) halves: Vec<f32>,
}

impl Turned {
    /// Turns points, one a row; none where they are all the same or their squares leave the range of double precision.
    ///
    /// Any orthonormal axes do. These are the principal ones of some points.
    pub(super) fn new(points: ArrayView2<'_, f64>) -> Result<Option<Self>, EstimateError> {
        let (n, d) = points.dim();
        let moments = columns::moments(points, None);
        let size = (moments.squares.sum() / n as f64).sqrt();
        if !SIZES.contains(&size) {
            return Ok(None);
        }
        let (scale, means) = (1.0 / size, moments.means.to_vec());
        let some: Vec<usize> = (0..n.min(SAMPLED)).map(|place| place * n / n.min(SAMPLED)).collect();
        let components = AXES.min(d).try_into().expect("there is a column, else there is no size");
        let axes = Pca { components, basis: Basis::Own }.compress(points.select(Axis(0), &some).view())?.axes;
        let axes = orthonormal(axes);
        let columns = axes.t().as_standard_layout().into_owned();
        let width = axes.nrows();
        let mut leading = Array2::zeros((n, width));
        let mut rests = vec![0.0; n];
        let slice = leading.as_slice_mut().expect("owned arrays made here are in row order");
        let tasks = slice.par_chunks_mut((ROWS * width).max(1)).zip(rests.par_chunks_mut(ROWS)).enumerate();
        tasks.for_each(|(task, (leading, rests))| {
            let rows = points.slice(s![task * ROWS..task * ROWS + rests.len(), ..]);
            let mut centered = Array2::zeros(rows.dim());
            for (row, mut target) in rows.outer_iter().zip(centered.outer_iter_mut()) {
                let target = target.as_slice_mut().expect("owned arrays made here are in row order");
                columns::copy_scaled(row, &means, scale, target, |value| value);
            }
            let along = matrix::small_product_transposed(centered.view(), axes.view());
            // From the difference: that of two squared lengths would leave nothing of a short rest.
            centered -= &matrix::small_product_transposed(along.view(), columns.view());
            for (target, &value) in leading.iter_mut().zip(&along) {
                *target = round(value);
            }
            for (rest, row) in rests.iter_mut().zip(centered.outer_iter()) {
                *rest = row.dot(&row).sqrt();
            }
        });
        Ok(Some(Self { leading, rests, means, scale }))
    }

    /// The number of axes.
    pub(super) fn width(&self) -> usize {
        self.leading.ncols()
    }

    /// One coordinate of all points.
    pub(super) fn column(&self, axis: usize) -> Vec<f64> {
        self.leading.column(axis).iter().map(|&value| value.into()).collect()
    }

    /// The points in an order by the first axes, all others together in one coordinate.
    pub(super) fn screen(&self, order: &[usize], axes: usize) -> Screen {
        Screen::new(order.len(), axes + 1, |place, row| {
            let (leading, point) = (self.leading.row(order[place]), order[place]);
            let all = leading.to_slice().expect("rows of owned arrays are contiguous");
            row[..axes].copy_from_slice(&all[..axes]);
            let others: f64 = all[axes..].iter().map(|&value| f64::from(value).powi(2)).sum();
            row[axes] = round((others + self.rests[point].powi(2)).sqrt());
        })
    }

    /// The points in an order, as they are but for their mean and size.
    pub(super) fn whole(&self, order: &[usize], points: ArrayView2<'_, f64>) -> Screen {
        Screen::new(order.len(), points.ncols(), |place, row| {
            columns::copy_scaled(points.row(order[place]), &self.means, self.scale, row, round);
        })
    }
}

impl Screen {
    /// From what fills the coordinates of one point.
    fn new(n: usize, width: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Self {
        let mut coordinates = Array2::zeros((n.next_multiple_of(TILE), width.next_multiple_of(LANES)));
        let stride = coordinates.ncols();
        let mut halves = vec![f32::INFINITY; coordinates.nrows()];
        let slack = (stride as f64 + 32.0) * f64::from(f32::EPSILON) / 2.0;
        let slice: &mut [f32] = coordinates.as_slice_mut().expect("owned arrays made here are in row order");
        slice.par_chunks_mut(stride).zip(&mut halves).enumerate().take(n).for_each(|(place, (row, half))| {
            fill(place, &mut row[..width]);
            let square: f64 = row.iter().map(|&value| f64::from(value).powi(2)).sum();
            *half = round(square / 2.0 * (1.0 - slack));
        });
        Self { coordinates, halves }
    }

    /// `half − product` of some points with all, one row each.
    pub(super) fn bounds(&self, points: &[usize]) -> Array2<f32> {
        let products = single::product(self.coordinates.select(Axis(0), points).view(), self.coordinates.t());
        ArrayView1::from(&self.halves).into_owned() - products
    }

    /// What `half − product` of another point is below, where it may be so near to this one.
    pub(super) fn limit(&self, point: usize, scaled_distance: f64) -> f32 {
        let limit = scaled_distance * scaled_distance / 2.0 - f64::from(self.halves[point]);
        // What underflows is smaller than the least normal number.
        (round(limit).next_up() + f32::MIN_POSITIVE).next_up()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the slack of a screen allows for single precision")]
fn round(value: f64) -> f32 {
    value as f32
}

/// Directions at right angles to the last digit, from such as nearly are; those that others hold already are left out.
fn orthonormal(mut axes: Array2<f64>) -> Array2<f64> {
    let mut kept: Vec<usize> = Vec::new();
    for place in 0..axes.nrows() {
        let mut own = axes.row(place).to_owned();
        // The second time removes what the first one rounded.
        for _ in 0..2 {
            for &other in &kept {
                let along = own.dot(&axes.row(other));
                own.scaled_add(-along, &axes.row(other));
            }
        }
        let length = own.dot(&own).sqrt();
        if length > 0.5 {
            axes.row_mut(place).assign(&(own / length));
            kept.push(place);
        }
    }
    axes.select(Axis(0), &kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::random::SplitMix64;

    /// The bound is below the distance, also where both are all rounding; and not far below it along all axes.
    #[test]
    fn bounds_are_below_distances() {
        let mut random = SplitMix64::new(4);
        let mut points = Array2::from_shape_simple_fn((60, 40), || 1e3 + random.normal_pair().0);
        let mut near = points.row(3).to_owned();
        near[7] += 1e-9;
        points.row_mut(4).assign(&near);
        let turned = Turned::new(points.view()).unwrap().unwrap();
        let order: Vec<usize> = (0..60).rev().collect();
        let screens = [turned.screen(&order, 5), turned.screen(&order, 40), turned.whole(&order, points.view())];
        for (kind, screen) in screens.iter().enumerate() {
            for (a, &first) in order.iter().enumerate() {
                for (b, &second) in order.iter().enumerate().filter(|&(b, _)| b != a) {
                    let apart = &points.row(first) - &points.row(second);
                    let distance = apart.dot(&apart).sqrt() * turned.scale;
                    let product = screen.coordinates.row(a).dot(&screen.coordinates.row(b));
                    let bound = screen.halves[b] - product;
                    assert!(bound < screen.limit(a, distance), "{kind}: {first} {second}");
                    if kind > 0 && distance > 0.01 {
                        assert!(bound > screen.limit(a, 0.99 * distance), "{kind}: {first} {second}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_has_no_size_is_not_turned() {
        for value in [0.0, 1e200, 1e-200] {
            let points = Array2::from_shape_fn((4, 30), |(row, _)| value * row as f64);
            assert!(Turned::new(points.view()).unwrap().is_none());
        }
    }
}
