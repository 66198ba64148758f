//! Images: samples × height × width × channels, so that a convolution is one product of matrices.

use candle_core::{Result, Tensor};

use super::network::Layer;
use crate::estimate::random::SplitMix64;

/// The side of a kernel.
const KERNEL: usize = 3;

/// A convolution of 3 × 3 that keeps height and width: what lies beyond the border is zero.
pub(super) struct Convolution {
    /// Kernel positions × channels in, channels out.
    pub(super) layer: Layer,
}

impl Convolution {
    pub(super) fn new(inputs: usize, outputs: usize, random: &mut SplitMix64) -> Result<Self> {
        Ok(Self { layer: Layer::new(KERNEL * KERNEL * inputs, outputs, random)? })
    }

    pub(super) fn apply(&self, images: &Tensor) -> Result<Tensor> {
        let (n, height, width, channels) = images.dims4()?;
        let framed = images.pad_with_zeros(1, 1, 1)?.pad_with_zeros(2, 1, 1)?;
        let mut shifted = Vec::new();
        for down in 0..KERNEL {
            let rows = framed.narrow(1, down, height)?;
            for right in 0..KERNEL {
                shifted.push(rows.narrow(2, right, width)?);
            }
        }
        let patches = Tensor::cat(&shifted, 3)?.reshape((n * height * width, KERNEL * KERNEL * channels))?;
        self.layer.apply(&patches)?.reshape((n, height, width, ()))
    }
}

/// The mean of each two by two pixels; a last odd row or column is completed by zeros.
pub(super) fn halved(images: &Tensor) -> Result<Tensor> {
    let (n, height, width, channels) = images.dims4()?;
    let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
    let even = images.pad_with_zeros(1, 0, 2 * rows - height)?.pad_with_zeros(2, 0, 2 * columns - width)?;
    let pairs = even.reshape((n, rows, 2, 2 * columns * channels))?;
    let pairs = (pairs.narrow(2, 0, 1)? + pairs.narrow(2, 1, 1)?)?.reshape((n, rows, columns, 2 * channels))?;
    (pairs.narrow(3, 0, channels)? + pairs.narrow(3, channels, channels)?)? * 0.25
}

/// Each pixel four times, cut to a height and width of at most twice the old ones.
pub(super) fn doubled(images: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (n, rows, columns, channels) = images.dims4()?;
    let wide = Tensor::cat(&[images, images], 3)?.reshape((n, rows, 2 * columns * channels))?;
    let tall = Tensor::cat(&[&wide, &wide], 2)?.reshape((n, 2 * rows, 2 * columns, channels))?;
    tall.narrow(1, 0, height)?.narrow(2, 0, width)?.contiguous()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn image(values: &[f32], height: usize, width: usize) -> Tensor {
        Tensor::from_slice(values, (1, height, width, 1), &Device::Cpu).unwrap()
    }

    fn values(images: &Tensor) -> Vec<f32> {
        images.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_convolution_sums_neighbors_by_their_place() {
        let convolution = Convolution::new(1, 1, &mut SplitMix64::new(0)).unwrap();
        let kernel: Vec<f32> = (1_u8..=9).map(f32::from).collect();
        convolution.layer.weights.set(&Tensor::from_slice(&kernel, (9, 1), &Device::Cpu).unwrap()).unwrap();
        convolution.layer.intercepts.set(&Tensor::from_slice(&[100.0_f32], 1, &Device::Cpu).unwrap()).unwrap();
        // A single one lights its neighbors with the kernel, turned by half a circle.
        let lit = convolution.apply(&image(&[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], 3, 3)).unwrap();
        assert_eq!(values(&lit), [109.0, 108.0, 107.0, 106.0, 105.0, 104.0, 103.0, 102.0, 101.0]);
        // In the corner there are four neighbors, the others lie beyond the border.
        let corner = convolution.apply(&image(&[1.0, 0.0, 0.0, 0.0], 2, 2)).unwrap();
        assert_eq!(values(&corner), [105.0, 104.0, 102.0, 101.0]);
    }

    #[test]
    fn halving_means_and_doubling_repeats() {
        let three = image(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], 3, 3);
        let halved = halved(&three).unwrap();
        assert_eq!(values(&halved), [3.0, 2.25, 3.75, 2.25]);
        let doubled = doubled(&halved, 3, 3).unwrap();
        assert_eq!(values(&doubled), [3.0, 3.0, 2.25, 3.0, 3.0, 2.25, 3.75, 3.75, 2.25]);
    }
}
