//! The inputs as the other side of measures: all of them, or those of one slot of a network that reads blocks.

use std::collections::BTreeMap;

use ndarray::{Array2, Array3, Axis, concatenate, s};

use super::Reconstruction;
use crate::estimate::compress::Compression;
use crate::samples::{Blocks, Samples};

/// The name that stands for the inputs of the graph in measures.
pub(super) const INPUT: &str = "input";

/// Inputs that measures name, one row a sample each.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs(BTreeMap<String, Array2<f64>>);

impl Inputs {
    /// The names that stand for inputs: `input`, and where there are blocks `input-1`, `input-2`, ... for their slots.
    pub(super) fn names(blocks: Option<&Blocks>) -> Vec<String> {
        let slots =
            blocks.into_iter().flat_map(|blocks| (0..blocks.fold.get()).map(|slot| blocks.name_in(slot, INPUT)));
        std::iter::once(INPUT.to_owned()).chain(slots).collect()
    }

    /// Adds the inputs of a name, if they are not there already.
    pub(super) fn add(&mut self, name: &str, samples: &Samples, blocks: Option<&Blocks>) -> Result<(), String> {
        if !self.has(name) {
            self.0.insert(name.to_owned(), flatten(&named(name, samples, blocks)?)?);
        }
        Ok(())
    }

    /// Whether a name stands for inputs that some measure names.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The inputs of a name.
    pub(super) fn get(&self, name: &str) -> &Array2<f64> {
        self.0.get(name).expect("the plan made the inputs that its measures name")
    }

    /// The columns of the inputs of a name; none of one that nobody names.
    pub(super) fn width(&self, name: &str) -> usize {
        self.0.get(name).map_or(0, Array2::ncols)
    }

    /// The numbers that all of them hold.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(Array2::len).sum()
    }
}

/// The samples with the inputs that a name stands for.
fn named(name: &str, samples: &Samples, blocks: Option<&Blocks>) -> Result<Samples, String> {
    let slot = blocks
        .and_then(|blocks| Some((blocks, (0..blocks.fold.get()).find(|&slot| blocks.name_in(slot, INPUT) == name)?)));
    slot.map_or_else(|| Ok(samples.clone()), |(blocks, slot)| blocks.part(samples, slot))
}

/// What a measure rebuilds, where that is not the inputs themselves.
pub(super) fn made_of_inputs(
    reconstruction: &Reconstruction,
    samples: &Samples,
    blocks: Option<&Blocks>,
    seed: u64,
) -> Result<Option<Array2<f64>>, String> {
    if reconstruction.pool.is_none() && reconstruction.compress == Compression::default() {
        return Ok(None);
    }
    let samples = named(&reconstruction.of, samples, blocks)?;
    let mut target = flatten(&samples)?;
    if let Some(side) = reconstruction.pool {
        let [input] = samples.inputs.as_slice() else {
            return Err(format!("`pool`: found {} inputs, needed one of images", samples.inputs.len()));
        };
        target = pooled(&target, input.array.values.shape(), side.get())?;
    }
    let compressed = reconstruction.compress.compress(target.view(), seed);
    Ok(Some(compressed.map_err(|error| error.to_string())?.scores))
}

/// Means over squares of `side` pixels a side of the last two dimensions; what is left at the far edges makes smaller ones.
fn pooled(images: &Array2<f64>, shape: &[usize], side: usize) -> Result<Array2<f64>, String> {
    let &[n, .., height, width] = shape else {
        return Err(format!(
            "`pool`: found inputs of shape {shape:?}, needed images: samples, and height and width last"
        ));
    };
    if shape.len() < 3 || images.is_empty() {
        return Err(format!(
            "`pool`: found inputs of shape {shape:?}, needed images: samples, and height and width last"
        ));
    }
    let channels = images.ncols() / (height * width);
    // By the order of the elements, whatever that of the memory.
    let images = images.to_shape((n * channels, height, width)).map_err(|error| error.to_string())?;
    let (rows, columns) = (height.div_ceil(side), width.div_ceil(side));
    let mut means = Array3::zeros((n * channels, rows, columns));
    for (image, mut means) in images.outer_iter().zip(means.outer_iter_mut()) {
        for ((row, column), mean) in means.indexed_iter_mut() {
            let (top, left) = (row * side, column * side);
            let square = image.slice(s![top..height.min(top + side), left..width.min(left + side)]);
            *mean = square.sum() / square.len() as f64;
        }
    }
    means.into_shape_with_order((n, channels * rows * columns)).map_err(|error| error.to_string())
}

/// All inputs side by side, one row a sample.
pub(super) fn flatten(samples: &Samples) -> Result<Array2<f64>, String> {
    let mut blocks = Vec::new();
    for input in &samples.inputs {
        if !input.array.values.is_scale() {
            return Err(format!(
                "`{}`: found {} inputs, needed numbers on a scale: indices have no distances; measure against a label instead",
                input.array.name,
                input.array.values.type_name()
            ));
        }
        blocks.push(input.array.rows_of_numbers());
    }
    let views: Vec<_> = blocks.iter().map(|block| block.view()).collect();
    concatenate(Axis(1), &views).map_err(|error| error.to_string())
}
