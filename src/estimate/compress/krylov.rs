//! The leading eigenvectors of a wide covariance, without ever forming it: block Lanczos with full
//! orthogonalization.
//!
//! Directions are guessed from some of the samples, then passes over all run in single precision until the directions are
//! roughly right, two or three mostly, and in double precision from there, mostly one: what was guessed and what single
//! precision rounded is then judged, and mended, in double.

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

use super::kernels::TILE;
use super::passes::{Image, Rows};
use super::rough::{self, Rough};
use crate::estimate::EstimateError;
use crate::estimate::columns::{self, Element, Moments};
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
const ROUGH: (f64, f64) = (5e-5, 1e-7);

/// The residual, as a part of λ, at which a guess is so good that a pass over the directions wanted may do after it: what
/// is missing of others changes them by products of two such parts.
const NEAR: f64 = 0.05;

/// The residual at which a direction is accepted, in double precision. The error of λ is of second order in the first;
/// below the second the residual is rounding.
const FINE: (f64, f64) = (1e-4, 1e-14);

/// Directions after which a full decomposition is the better way.
const LARGEST_BASIS: usize = 640;

/// The part of the largest eigenvalue of the Gram matrix of rows below which these are dependent.
const DEPENDENT: f64 = 1e-14;

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
    /// The moments of all columns.
    pub(super) moments: Moments,
}

impl Leading {
    /// Without the directions below `cutoff` times the largest variance.
    pub(super) fn above(self, cutoff: f64) -> Self {
        let directions = self.directions.above(cutoff);
        let rank = directions.values.len();
        Self { directions, scores: self.scores.slice_move(s![.., ..rank]), ..self }
    }

    /// The first ones.
    fn first(self, count: usize) -> Self {
        Self { directions: self.directions.first(count), scores: self.scores.slice_move(s![.., ..count]), ..self }
    }
}

/// The `wanted` largest eigenvalues of the centered matrix's Gram matrix with their directions, one a row.
///
/// `None` if they did not converge within [`LARGEST_BASIS`] directions, or if nothing varies.
pub(super) fn leading<T: Element>(samples: ArrayView2<'_, T>, wanted: usize) -> Result<Option<Leading>, EstimateError> {
    let (n, d) = samples.dim();
    let mut random = SplitMix64::new(0);
    let width = (wanted + SPARE).next_multiple_of(TILE);
    let mut start = Array2::from_shape_simple_fn((width, d), || random.uniform() - 0.5);
    let apart = Some(n / FEW).filter(|&apart| apart >= WORTH_GUESSING).unwrap_or(1);
    let few = samples.slice(s![..;apart, ..]);
    let moments = columns::moments(few, None);
    let mut all = if apart > 1 && moments.squares.sum() > 0.0 {
        let all = Rough::suggested(samples, &moments, few.nrows());
        let mut few = Rough::new(few, moments);
        let guessed = iterate(start.view(), wanted, Until::Promising(GUESSED), |block| Image::of(few.products(block)))?;
        start = guessed.map_or(start, |guessed| guessed.next);
        all
    } else {
        let moments = if apart > 1 { columns::moments(samples, None) } else { moments };
        Rough::new(samples, moments)
    };
    let roughly = iterate(start.view(), wanted, Until::Promising(ROUGH), |block| Image::of(all.products(block)))?;
    if let Some(roughly) = roughly {
        start = roughly.next.slice_move(s![..wanted, ..]);
    }
    let Some(moments) = all.into_moments() else { return Ok(None) };
    let origin = moments.means.to_vec();
    let rows = Rows { samples, origin: &origin, scale: rough::scale(&moments, n) };
    let found = iterate(start.view(), wanted, Until::Found(FINE), |block| rows.image::<f64>(block))?;
    Ok(found.map(|Arrived { directions, scores, .. }| Leading { directions, scores, moments }.first(wanted)))
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
    directions: Directions,
    /// For each sample its coordinates along them, if passes found some.
    scores: Array2<f64>,
    /// The products with the directions over their eigenvalues, which are nearer than these: a step of a power iteration
    /// for nothing.
    next: Array2<f64>,
}

/// The largest eigenvalues of what `image` multiplies directions with, those of `start` at first.
fn iterate(
    start: ArrayView2<'_, f64>,
    wanted: usize,
    until: Until,
    mut image: impl FnMut(ArrayView2<'_, f64>) -> Image,
) -> Result<Option<Arrived>, EstimateError> {
    let (width, d) = start.dim();
    let mut basis = Array2::zeros((0, d));
    let mut images = Array2::zeros((0, d));
    let mut scores: Vec<Array2<f64>> = Vec::new();
    let mut block = orthonormal(start.to_owned(), &basis)?;
    let mut projected: Array2<f64> = Array2::zeros((0, 0));
    while block.nrows() > 0 && basis.nrows() + block.nrows() <= LARGEST_BASIS.min(d) {
        let first = basis.nrows();
        let Image { products, scores: along } = image(block.view());
        if !products.iter().all(|product| product.is_finite()) {
            return Ok(None);
        }
        scores.push(along);
        basis = stacked(&basis, &block);
        images = stacked(&images, &products);
        projected = bordered(&projected, &matrix::small_product_transposed(basis.view(), products.view()), first);
        let ritz = matrix::eigen(projected.view())?;
        let kept = width.min(basis.nrows());
        let vectors = ritz.vectors.slice(s![..kept, ..]);
        let axes = matrix::product(vectors, basis.view());
        let mut residuals = matrix::product(vectors, images.view());
        for ((mut residual, axis), &value) in residuals.outer_iter_mut().zip(axes.outer_iter()).zip(&ritz.values) {
            residual.scaled_add(-value, &axis);
        }
        let ((of_own, of_largest), beyond) = match until {
            Until::Found(limits) => (limits, None),
            Until::Promising(limits) => (limits, ritz.values.get(kept)),
        };
        let sizes: Vec<f64> = residuals.outer_iter().map(|residual| residual.dot(&residual).sqrt()).collect();
        let is_accepted = |(&size, &value): (&f64, &f64)| {
            let size = size * beyond.map_or(1.0, |beyond| (beyond / value).min(1.0));
            size <= of_own * value.abs() + of_largest * ritz.values[0]
        };
        if kept >= wanted && sizes.iter().zip(&ritz.values).take(wanted).all(is_accepted) {
            let values: Vec<f64> = ritz.values.iter().take(kept).copied().collect();
            let mut next = axes.clone();
            for ((mut next, residual), &value) in next.outer_iter_mut().zip(residuals.outer_iter()).zip(&values) {
                if value > 0.0 {
                    next.scaled_add(value.recip(), &residual);
                }
            }
            let views: Vec<_> = scores.iter().map(|scores| scores.view()).collect();
            let scores = concatenate(Axis(1), &views).expect("every pass has all samples");
            let scores = if scores.ncols() == 0 { scores } else { matrix::product_transposed(scores.view(), vectors) };
            return Ok(Some(Arrived { directions: Directions { values, axes }, scores, next }));
        }
        // Once after a good guess those wanted alone; all again if it was not that good.
        let mut wanted_sizes = sizes.iter().zip(&ritz.values).take(wanted);
        let is_near = first == 0 && wanted_sizes.all(|(&size, &value)| size <= NEAR * value);
        let pursued = if is_near { wanted.next_multiple_of(TILE).min(kept) } else { kept };
        block = orthonormal(residuals.slice_move(s![..pursued, ..]), &basis)?;
    }
    Ok(None)
}

/// One matrix above another.
fn stacked(above: &Array2<f64>, below: &Array2<f64>) -> Array2<f64> {
    concatenate(Axis(0), &[above.view(), below.view()]).expect("both have d columns")
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
fn orthonormal(mut rows: Array2<f64>, basis: &Array2<f64>) -> Result<Array2<f64>, EstimateError> {
    // Twice is enough: the second round removes what rounding left.
    for _ in 0..2 {
        if basis.nrows() > 0 {
            let overlap = matrix::small_product_transposed(rows.view(), basis.view());
            rows -= &matrix::product(overlap.view(), basis.view());
        }
        // Of one length, so that a short row is not taken for a dependent one.
        normalize(&mut rows);
        let gram = matrix::small_product_transposed(rows.view(), rows.view());
        let independent = matrix::eigen(gram.view())?;
        rows = matrix::product(independent.vectors.slice(s![..independent.rank(DEPENDENT), ..]), rows.view());
    }
    normalize(&mut rows);
    Ok(rows)
}

/// Gives each row the length one, but for those of zeros.
fn normalize(rows: &mut Array2<f64>) {
    for mut row in rows.outer_iter_mut() {
        let size = row.dot(&row).sqrt();
        if size > 0.0 {
            row /= size;
        }
    }
}
