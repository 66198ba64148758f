//! Passes in single precision over a matrix of which the moments need not be known before.

use std::ops::RangeInclusive;

use ndarray::{Array1, Array2, ArrayView2};

use super::passes::Rows;
use crate::estimate::columns::{Element, Moments};

/// The sizes of elements whose squares single precision can sum without a scale.
const TAME: RangeInclusive<f64> = 1e-6..=1e6;

/// The part of the variance that an origin may lie off the mean, squared: what is taken off the products then has little
/// more digits than they.
const OFF: f64 = 0.25;

/// Samples, and what is subtracted from them until their means are known.
pub(super) struct Rough<'a, T> {
    samples: ArrayView2<'a, T>,
    origin: Vec<T>,
    scale: Option<f64>,
    moments: Option<Moments>,
}

impl<'a, T: Element> Rough<'a, T> {
    /// Of samples with these moments.
    pub(super) fn new(samples: ArrayView2<'a, T>, moments: Moments) -> Self {
        let mut rough = Self::suggested(samples, &moments, samples.nrows());
        rough.moments = Some(moments);
        rough
    }

    /// Of samples of which `n` have these moments.
    pub(super) fn suggested(samples: ArrayView2<'a, T>, few: &Moments, n: usize) -> Self {
        let origin = few.means.iter().map(|&mean| T::nearest(mean)).collect();
        Self { samples, origin, scale: scale(few, n), moments: None }
    }

    /// The moments, if they were given or a pass has found them.
    pub(super) fn into_moments(self) -> Option<Moments> {
        self.moments
    }

    /// What the Gram matrix of the centered samples makes of directions; the first pass also finds the moments.
    pub(super) fn products(&mut self, directions: ArrayView2<'_, f64>) -> Array2<f64> {
        let Some(moments) = &self.moments else { return self.first_products(directions) };
        let shift = self.shift(moments);
        about_means(self.rows().products::<f32>(directions), directions, &shift, self.samples.nrows())
    }

    fn first_products(&mut self, directions: ArrayView2<'_, f64>) -> Array2<f64> {
        let n = self.samples.nrows();
        let (products, moments) = self.rows().products_and_moments::<f32>(directions);
        let shift = self.shift(&moments);
        let found = Self::suggested(self.samples, &moments, n);
        let is_near = n as f64 * shift.dot(&shift) <= OFF * moments.squares.sum() && found.scale == self.scale;
        *self = Self { moments: Some(moments), ..found };
        if is_near { about_means(products, directions, &shift, n) } else { self.products(directions) }
    }

    fn rows(&self) -> Rows<'_, T, T> {
        Rows { samples: self.samples, origin: &self.origin, scale: self.scale }
    }

    /// How far the means lie from the origin.
    fn shift(&self, moments: &Moments) -> Array1<f64> {
        moments.means.iter().zip(&self.origin).map(|(mean, &origin)| mean - origin.into()).collect()
    }
}

/// What elements of `n` rows with these moments are divided by, if their squares are out of the ordinary.
pub(super) fn scale(moments: &Moments, n: usize) -> Option<f64> {
    let deviation = (moments.squares.sum() / n as f64 / moments.squares.len() as f64).sqrt();
    // A power of two, which changes no digit.
    (deviation > 0.0 && !TAME.contains(&deviation)).then(|| deviation.log2().round().exp2())
}

/// The products with the means of `n` rows as their origin, which lie off the one they were made with by `shift`.
fn about_means(
    mut products: Array2<f64>,
    directions: ArrayView2<'_, f64>,
    shift: &Array1<f64>,
    n: usize,
) -> Array2<f64> {
    for (mut product, direction) in products.outer_iter_mut().zip(directions.outer_iter()) {
        product.scaled_add(-direction.dot(shift) * n as f64, shift);
    }
    products
}
