//! The rows that a network reads.

use candle_core::{Device, Result, Tensor};

/// Rows of numbers that lie `stride` apart.
#[derive(Clone, Copy)]
pub(in crate::estimate) struct Rows<'a> {
    values: &'a [f32],
    stride: usize,
    width: usize,
}

impl<'a> Rows<'a> {
    /// The first `width` of every `stride` values are a row; there is one row at least.
    pub(in crate::estimate) fn new(values: &'a [f32], stride: usize, width: usize) -> Self {
        Self { values, stride, width }
    }

    /// The number of rows.
    pub(in crate::estimate) fn len(&self) -> usize {
        self.values.len() / self.stride
    }

    /// The row in a place.
    pub(super) fn row(&self, place: usize) -> &'a [f32] {
        &self.values[place * self.stride..][..self.width]
    }

    /// The rows in the given places, one after the other.
    pub(super) fn gather(&self, places: &[usize]) -> Result<Tensor> {
        let mut values = Vec::with_capacity(places.len() * self.width);
        for &place in places {
            values.extend_from_slice(self.row(place));
        }
        Tensor::from_vec(values, (places.len(), self.width), &Device::Cpu)
    }
}
