//! A network as steps from its input to its logits: what gradients of every layer are taken of.

use ndarray::{Array1, Array2, ArrayD};

/// One operation, whose result later steps may take by its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it does.
    pub operation: Operation,
    /// What it does it to.
    pub sources: Vec<Source>,
}

/// What a step takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The samples.
    Input,
    /// The result of an earlier step.
    Step(usize),
    /// Numbers that are not learned, or whose gradients are not asked for.
    Constant(ArrayD<f64>),
}

/// What a step does. Every tensor has the samples for its first axis, and convolutions the channels for its second.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Multiplies the last axis by learned weights.
    Linear(Weights),
    /// Multiplies each window by learned weights.
    Convolution(Weights, Windows),
    /// Adds two tensors, each spread over the axes of the other.
    Add,
    /// Subtracts the second from the first.
    Subtract,
    /// Multiplies them.
    Multiply,
    /// Divides the first by the second.
    Divide,
    /// Multiplies what is not above zero by a slope: zero makes a rectifier.
    Rectify(f64),
    /// The hyperbolic tangent.
    Tanh,
    /// The logistic function.
    Sigmoid,
    /// The largest value of each window; of equal ones the first, as frameworks have it.
    MaxPool(Windows),
    /// The mean value of each window; whether zeros around the image count.
    AveragePool(Windows, bool),
    /// The mean of each channel, whose axes keep a length of one.
    GlobalAveragePool,
    /// Another shape behind the samples: 0 keeps an axis, −1 takes what is left.
    Reshape(Vec<i64>),
    /// Another order of the axes, the samples first.
    Transpose(Vec<usize>),
}

/// The parameters of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// One row an input, of convolutions one a channel and place of the window; one column an output.
    pub weights: Array2<f64>,
    /// One an output, where they are learned.
    pub intercepts: Option<Array1<f64>>,
}

/// Windows over the axes behind the channels, with one number each for every axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The size of a window.
    pub kernel: Vec<usize>,
    /// How far apart windows start.
    pub strides: Vec<usize>,
    /// What is put before and behind the values.
    pub pads: Vec<(usize, usize)>,
    /// How far apart the values of a window lie.
    pub dilations: Vec<usize>,
}

impl Windows {
    /// The number of windows along each axis; none where not even one fits.
    #[must_use]
    pub fn counts(&self, sizes: &[usize]) -> Option<Vec<usize>> {
        let of_axis = |(axis, &size): (usize, &usize)| {
            let (before, behind) = self.pads[axis];
            let reach = self.dilations[axis] * (self.kernel[axis] - 1) + 1;
            Some((size + before + behind).checked_sub(reach)? / self.strides[axis] + 1)
        };
        sizes.iter().enumerate().map(of_axis).collect()
    }

    /// For each place in a window and, inside that, each window, the place of the value it takes; none for what is put around.
    #[must_use]
    pub fn places(&self, sizes: &[usize], counts: &[usize]) -> Vec<Option<usize>> {
        let mut places = Vec::new();
        for offset in coordinates(&self.kernel) {
            for window in coordinates(counts) {
                let along = |axis: usize| {
                    let padded = window[axis] * self.strides[axis] + offset[axis] * self.dilations[axis];
                    padded.checked_sub(self.pads[axis].0).filter(|&place| place < sizes[axis])
                };
                places.push((0..sizes.len()).try_fold(0, |place, axis| Some(place * sizes[axis] + along(axis)?)));
            }
        }
        places
    }
}

/// All coordinates of an array of these sizes, the last axis fastest.
fn coordinates(sizes: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    (0..sizes.iter().product()).map(move |mut place| {
        let mut coordinates = vec![0; sizes.len()];
        for (coordinate, size) in coordinates.iter_mut().zip(sizes).rev() {
            (*coordinate, place) = (place % size, place / size);
        }
        coordinates
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_a_row_and_of_an_image() {
        let row = Windows { kernel: vec![2], strides: vec![2], pads: vec![(1, 0)], dilations: vec![2] };
        // Values 0 1 2 3 behind one zero: windows start at −1 and 1, and take every other value.
        assert_eq!(row.counts(&[4]), Some(vec![2]));
        assert_eq!(row.places(&[4], &[2]), [None, Some(1), Some(1), Some(3)]);
        let image = Windows { kernel: vec![2, 1], strides: vec![1; 2], pads: vec![(0, 0); 2], dilations: vec![1; 2] };
        assert_eq!(image.counts(&[2, 3]), Some(vec![1, 3]));
        assert_eq!(image.places(&[2, 3], &[1, 3]), (0..6).map(Some).collect::<Vec<_>>());
        assert_eq!(image.counts(&[1, 3]), None);
    }
}
