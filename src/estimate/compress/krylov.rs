//! The leading eigenvectors of a wide covariance, without ever forming it: block Lanczos with full
//! orthogonalization.
//!
//! Directions are guessed from some of the samples, then passes over all run in single precision until the directions are
//! roughly right, two or three mostly, and in double precision from there, mostly one: what was guessed and what single
//! precision rounded is then judged, and mended, in double.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, concatenate, s};

use super::kernels::TILE;
use super::passes::{Image, Rows};
use crate::estimate::EstimateError;
use crate::estimate::columns::Element;
use crate::estimate::matrix::double as matrix;
use crate::estimate::random::SplitMix64;

/// Directions iterated beyond those wanted, for speed of convergence: a pass costs little more with them.
const SPARE: usize = 16;

/// Samples, about, from which the directions are guessed that all samples are iterated from.
const FEW: usize = 1000;

/// How many times as many there must be for that to save time.
const WORTH_GUESSING: usize = 4;

/// The residual |Sv − λv| at which a guess is good enough, as parts of λ and of the largest one.
const GUESSED: (f64, f64) = (0.1, 0.1);

/// The same after passes in single precision, whose rounding is a part of the largest.
const ROUGH: (f64, f64) = (5e-5, 1e-6);

/// The residual at which a direction is accepted, in double precision. The error of λ is of second order in the first;
/// below the second the residual is rounding.
const FINE: (f64, f64) = (1e-4, 1e-14);

/// Directions after which a full decomposition is the better way.
const LARGEST_BASIS: usize = 640;

/// Directions of decreasing variance.
pub(super) struct Directions {
    /// The eigenvalue of each: n times the variance along it.
    pub(super) values: Vec<f64>,
    /// The directions, one a row, of length one.
    pub(super) axes: Array2<f64>,
}

impl Directions {
    /// The first ones.
    fn first(mut self, count: usize) -> Self {
        self.values.truncate(count);
        let kept = self.values.len();
        Self { values: self.values, axes: self.axes.slice_move(s![..kept, ..]) }
    }

    /// Without the directions below `cutoff` times the largest variance.
    pub(super) fn above(self, cutoff: f64) -> Self {
        let threshold = cutoff * self.values.first().copied().unwrap_or(0.0);
        let rank = self.values.iter().filter(|&&value| value > threshold).count();
        self.first(rank)
    }
}

/// Leading directions, with the coordinates of all samples along them.
pub(super) struct Leading {
    /// The directions.
    pub(super) directions: Directions,
    /// For each sample its coordinates.
    pub(super) scores: Array2<f64>,
}

impl Leading {
    /// Without the directions below `cutoff` times the largest variance.
    pub(super) fn above(self, cutoff: f64) -> Self {
        let directions = self.directions.above(cutoff);
        let rank = directions.values.len();
        Self { directions, scores: self.scores.slice_move(s![.., ..rank]) }
    }

    /// The first ones.
    fn first(self, count: usize) -> Self {
        Self { directions: self.directions.first(count), scores: self.scores.slice_move(s![.., ..count]) }
    }
}

/// The `wanted` largest eigenvalues of the centered matrix's Gram matrix with their directions, one a row.
///
/// `deviation` is the size of a typical element. `None` if they did not converge within [`LARGEST_BASIS`] directions.
pub(super) fn leading<T: Element>(
    samples: ArrayView2<'_, T>,
    means: &[f64],
    deviation: f64,
    wanted: usize,
) -> Result<Option<Leading>, EstimateError> {
    // A power of two, which changes no digit.
    let scale = deviation.log2().round().exp2();
    let rows = Rows { samples, means, scale };
    let mut random = SplitMix64::new(0);
    let width = (wanted + SPARE).next_multiple_of(TILE);
    let mut start = Array2::from_shape_simple_fn((width, samples.ncols()), || random.uniform() - 0.5);
    let apart = samples.nrows() / FEW;
    if apart >= WORTH_GUESSING {
        let few = Rows { samples: samples.slice(s![..;apart, ..]), means, scale };
        let guessed = iterate(start.view(), wanted, Until::Promising(GUESSED), |block| few.image::<f32>(block))?;
        start = guessed.map_or(start, |guessed| guessed.next);
    }
    let roughly = iterate(start.view(), wanted, Until::Promising(ROUGH), |block| Image {
        scores: Array2::zeros((0, 0)),
        ..rows.image::<f32>(block)
    })?;
    if let Some(roughly) = roughly {
        start = roughly.next.slice_move(s![..wanted, ..]);
    }
    let found = iterate(start.view(), wanted, Until::Found(FINE), |block| rows.image::<f64>(block))?;
    Ok(found.map(|found| found.leading.first(wanted)))
}

/// When directions are good enough: by their residuals |Sv − λv|, as parts of λ and of the largest one.
#[derive(Clone, Copy)]
enum Until {
    /// They are.
    Found((f64, f64)),
    /// Their products are expected to be: these have what is left of other directions in the ratio of the eigenvalues.
    Promising((f64, f64)),
}

/// Where an iteration arrived.
struct Arrived {
    leading: Leading,
    /// The products with the directions over their eigenvalues, which are nearer than these: a step of a power iteration
    /// for nothing.
    next: Array2<f64>,
}

/// The largest eigenvalues of what `image` multiplies directions with, those of `start` at first.
fn iterate(
    start: ArrayView2<'_, f64>,
    wanted: usize,
    until: Until,
    image: impl Fn(ArrayView2<'_, f64>) -> Image,
) -> Result<Option<Arrived>, EstimateError> {
    let (width, d) = start.dim();
    let mut basis = Array2::zeros((0, d));
    let mut scores: Vec<Array2<f64>> = Vec::new();
    let mut block = orthonormal(start.to_owned(), &basis);
    let mut projected: Array2<f64> = Array2::zeros((0, 0));
    while basis.nrows() + block.nrows() <= LARGEST_BASIS.min(d) {
        let first = basis.nrows();
        let Image { products, scores: along } = image(block.view());
        scores.push(along);
        basis = concatenate(Axis(0), &[basis.view(), block.view()]).expect("both have d columns");
        let overlap = matrix::small_product_transposed(basis.view(), products.view());
        projected = bordered(&projected, &overlap, first);
        let rest = &products - &matrix::product(overlap.t(), basis.view());
        let rest_size = rest.iter().map(|value| value * value).sum::<f64>().sqrt();
        if !rest_size.is_finite() {
            return Ok(None);
        }
        let ritz = matrix::eigen(projected.view())?;
        let kept = width.min(basis.nrows());
        let vectors = ritz.vectors.slice(s![..kept, ..]);
        let residuals = matrix::product(vectors.slice(s![.., first..]), rest.view());
        let ((of_own, of_largest), beyond) = match until {
            Until::Found(limits) => (limits, None),
            Until::Promising(limits) => (limits, ritz.values.get(kept)),
        };
        let is_accepted = |(residual, &value): (ArrayView1<'_, f64>, &f64)| {
            let size = residual.dot(&residual).sqrt() * beyond.map_or(1.0, |beyond| (beyond / value).min(1.0));
            size <= of_own * value.abs() + of_largest * ritz.values[0]
        };
        if kept >= wanted && residuals.outer_iter().zip(&ritz.values).take(wanted).all(is_accepted) {
            let views: Vec<_> = scores.iter().map(|scores| scores.view()).collect();
            let scores = concatenate(Axis(1), &views).expect("every pass has all samples");
            let axes = matrix::product(vectors, basis.view());
            let values: Vec<f64> = ritz.values.iter().take(kept).copied().collect();
            let mut next = axes.clone();
            for ((mut next, residual), &value) in next.outer_iter_mut().zip(residuals.outer_iter()).zip(&values) {
                if value > 0.0 {
                    next.scaled_add(value.recip(), &residual);
                }
            }
            let scores = if scores.ncols() == 0 { scores } else { matrix::product_transposed(scores.view(), vectors) };
            return Ok(Some(Arrived { leading: Leading { directions: Directions { values, axes }, scores }, next }));
        }
        block = orthonormal(rest, &basis);
        if block.nrows() == 0 || rest_size == 0.0 {
            return Ok(None);
        }
    }
    Ok(None)
}

/// The projected matrix with the rows and columns of the latest block added.
fn bordered(projected: &Array2<f64>, overlap: &Array2<f64>, first: usize) -> Array2<f64> {
    let size = overlap.nrows();
    let mut larger = Array2::zeros((size, size));
    larger.slice_mut(s![..first, ..first]).assign(projected);
    larger.slice_mut(s![.., first..]).assign(overlap);
    larger.slice_mut(s![first.., ..]).assign(&overlap.t());
    larger
}

/// Orthonormal rows that span what `rows` has outside the span of `basis`; fewer if some are dependent.
fn orthonormal(rows: Array2<f64>, basis: &Array2<f64>) -> Array2<f64> {
    let mut rows = rows;
    let sizes: Vec<f64> = rows.outer_iter().map(|row| row.dot(&row).sqrt()).collect();
    let largest = sizes.iter().copied().fold(0.0, f64::max);
    let mut kept: Array2<f64> = Array2::zeros((0, rows.ncols()));
    // Twice is enough: the second round removes what rounding left.
    for _ in 0..2 {
        if basis.nrows() > 0 {
            let overlap = matrix::small_product_transposed(rows.view(), basis.view());
            rows -= &matrix::product(overlap.view(), basis.view());
        }
    }
    for mut row in rows.outer_iter_mut() {
        for _ in 0..2 {
            for previous in kept.outer_iter() {
                let overlap = row.dot(&previous);
                row.scaled_add(-overlap, &previous);
            }
        }
        let size = row.dot(&row).sqrt();
        if size > 1e-12 * largest {
            row /= size;
            kept.push_row(row.view()).expect("the row has as many columns");
        }
    }
    kept
}
