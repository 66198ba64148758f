//! The inputs in the types that the graph wants: converted once, borrowed by every checkpoint.

use std::ops::Range;
use std::sync::Arc;

use half::f16;
use ndarray::ArrayD;
use rayon::prelude::*;

use super::ReplayError;
use super::noise::{normals, single};
use super::session::{Element, TensorInfo};
use crate::samples::{Input, Samples, Values};

/// The inputs of a run, in the order and the types of the graph's inputs.
#[derive(Clone, Debug)]
pub struct FeedInputs {
    pub(super) inputs: Arc<Vec<(String, Values)>>,
    rows: usize,
    noise: Vec<NoiseFeed>,
    ids: Arc<Vec<u64>>,
}

/// Noise for one tensor of the graph.
#[derive(Clone, Debug)]
pub struct NoiseFeed {
    /// The input of the graph that takes it.
    pub input: String,
    /// The type of its elements.
    pub element: Element,
    /// Its dimensions behind the first one, which is the sample.
    pub dims: Vec<usize>,
    /// The key of the random numbers.
    pub key: u64,
    /// What standard normal numbers are multiplied by.
    pub factor: f64,
    /// What is added to them then: 1 where the graph multiplies by the noise.
    pub offset: f64,
}

impl FeedInputs {
    /// Matches samples to the graph's inputs by name, checks their shapes, and converts their types.
    ///
    /// Floats become the graph's floats; integers become the graph's integers if they fit.
    /// Integers never become floats by themselves: whether pixels of 0 to 255 should be scaled is
    /// not ours to guess.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Input`] names the input at fault.
    pub fn new(samples: &Samples, wanted: &[TensorInfo]) -> Result<Self, ReplayError> {
        let names = || wanted.iter().map(|info| format!("`{}`", info.name)).collect::<Vec<_>>().join(", ");
        let mut inputs = Vec::new();
        for info in wanted {
            let found = samples.inputs.iter().find(|input| match &input.name {
                Some(name) => *name == info.name,
                None => wanted.len() == 1,
            });
            let input = found.ok_or_else(|| ReplayError::Input {
                input: info.name.clone(),
                found: "no array of this name".to_owned(),
                needed: format!("one for each of {}", names()),
                remedy: "write `inputs = { name = \"file.npy\", ... }` with the graph's names".to_owned(),
            })?;
            check_shape(input, info)?;
            inputs.push((info.name.clone(), convert(input, info)?));
        }
        if let Some(extra) = samples
            .inputs
            .iter()
            .find(|input| input.name.as_ref().is_some_and(|name| !wanted.iter().any(|info| info.name == *name)))
        {
            return Err(ReplayError::Input {
                input: extra.name.clone().unwrap_or_default(),
                found: "an array that the graph has no input for".to_owned(),
                needed: format!("only {}", names()),
                remedy: "remove it from `inputs`".to_owned(),
            });
        }
        let ids = Arc::new(samples.ids.clone());
        Ok(Self { inputs: Arc::new(inputs), rows: samples.len(), noise: Vec::new(), ids })
    }

    /// The same inputs for a graph that takes noise besides.
    #[must_use]
    pub fn with_noise(&self, noise: Vec<NoiseFeed>) -> Self {
        Self { inputs: Arc::clone(&self.inputs), rows: self.rows, noise, ids: Arc::clone(&self.ids) }
    }

    /// The noise of some samples, by input.
    pub(super) fn noise(&self, rows: &Range<usize>) -> Vec<(&str, Values)> {
        self.noise.iter().map(|noise| (noise.input.as_str(), noise.values(&self.ids[rows.clone()]))).collect()
    }

    /// The shape of an input, if there is one of this name.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.inputs.iter().find(|(input, _)| input == name).map(|(_, values)| values.shape())
    }

    /// The values of an input in single precision, one row a sample, if it is of floats.
    #[must_use]
    pub fn floats(&self, name: &str) -> Option<ndarray::Array2<f32>> {
        let (_, values) = self.inputs.iter().find(|(input, _)| input == name)?;
        let flat = match values {
            Values::F64(array) => array.mapv(single),
            Values::F32(array) => array.clone(),
            Values::F16(array) => array.mapv(f32::from),
            _ => return None,
        };
        let width = flat.len() / self.rows;
        flat.into_shape_with_order((self.rows, width)).ok()
    }

    /// Some rows of an input in double precision.
    ///
    /// # Panics
    ///
    /// Where there is no input of this name.
    #[must_use]
    pub fn doubles(&self, name: &str, rows: &[usize]) -> ArrayD<f64> {
        let (_, values) = self.inputs.iter().find(|(input, _)| input == name).expect("the graph has the input");
        match values.at(rows) {
            Values::F64(array) => array,
            Values::F32(array) => array.mapv(f64::from),
            Values::F16(array) => array.mapv(f64::from),
            Values::I64(array) => array.mapv(|value| value as f64),
            Values::I32(array) => array.mapv(f64::from),
            Values::I16(array) => array.mapv(f64::from),
            Values::I8(array) => array.mapv(f64::from),
            Values::U64(array) => array.mapv(|value| value as f64),
            Values::U32(array) => array.mapv(f64::from),
            Values::U16(array) => array.mapv(f64::from),
            Values::U8(array) => array.mapv(f64::from),
            Values::Bool(array) => array.mapv(|value| f64::from(u8::from(value))),
        }
    }

    /// The number of samples.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The size of all inputs in memory, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.inputs.iter().map(|(_, values)| values.bytes().len()).sum()
    }
}

impl NoiseFeed {
    fn values(&self, ids: &[u64]) -> Values {
        let width: usize = self.dims.iter().product();
        let mut values = vec![0.0; ids.len() * width];
        values.par_chunks_mut(width.max(1)).zip(ids).for_each(|(row, &id)| {
            normals(self.key, id, |place, normal| row[place] = self.offset + self.factor * normal, width);
        });
        let shape: Vec<usize> = std::iter::once(ids.len()).chain(self.dims.iter().copied()).collect();
        let wide = ArrayD::from_shape_vec(shape, values).expect("the values fill the shape");
        floats(&Values::F64(wide), self.element)
    }
}

fn check_shape(input: &Input, info: &TensorInfo) -> Result<(), ReplayError> {
    let found = input.array.values.shape();
    let fits = found.len() == info.shape.len()
        && found.iter().zip(&info.shape).skip(1).all(|(found, wanted)| wanted.is_none_or(|wanted| wanted == *found));
    if fits {
        return Ok(());
    }
    Err(ReplayError::Input {
        input: info.name.clone(),
        found: format!("`{}` of shape {found:?}", input.array.name),
        needed: format!("shape {}", info.shape_words()),
        remedy: "reshape the array; its first axis is the sample".to_owned(),
    })
}

fn convert(input: &Input, info: &TensorInfo) -> Result<Values, ReplayError> {
    let values = &input.array.values;
    let wrong = |remedy: &str| ReplayError::Input {
        input: info.name.clone(),
        found: format!("`{}` of type {}", input.array.name, values.type_name()),
        needed: info.element.name().to_owned(),
        remedy: remedy.to_owned(),
    };
    let converted = match (values, info.element) {
        (Values::F64(array), Element::F64) => Values::F64(array.clone()),
        (Values::F32(array), Element::F32) => Values::F32(array.clone()),
        (Values::F16(array), Element::F16) => Values::F16(array.clone()),
        (Values::Bool(array), Element::Bool) => Values::Bool(array.clone()),
        (values, Element::F32 | Element::F64 | Element::F16) if values.is_float() => floats(values, info.element),
        (values, Element::F32 | Element::F64 | Element::F16) if !values.is_float() => {
            return Err(wrong("scale and convert it as in training, for instance `x.astype(\"float32\") / 255`"));
        }
        (
            values,
            Element::I64
            | Element::I32
            | Element::I16
            | Element::I8
            | Element::U8
            | Element::U16
            | Element::U32
            | Element::U64,
        ) if !values.is_float() => integers(values, info.element)
            .ok_or_else(|| wrong("some of its values do not fit; convert it when saving"))?,
        _ => return Err(wrong("convert it when saving")),
    };
    match &converted {
        Values::F32(array) if array.iter().any(|value| !value.is_finite()) => {
            Err(wrong("some of its values overflow the graph's type"))
        }
        Values::F16(array) if array.iter().any(|value| !value.is_finite()) => {
            Err(wrong("some of its values overflow the graph's type"))
        }
        _ => Ok(converted),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to the graph's type is meant, and overflow is looked for afterwards"
)]
fn floats(values: &Values, element: Element) -> Values {
    let wide: ArrayD<f64> = match values {
        Values::F64(array) => array.clone(),
        Values::F32(array) => array.mapv(f64::from),
        Values::F16(array) => array.mapv(f64::from),
        _ => ArrayD::default(vec![0]),
    };
    match element {
        Element::F32 => Values::F32(wide.mapv(|value| value as f32)),
        Element::F16 => Values::F16(wide.mapv(f16::from_f64)),
        _ => Values::F64(wide),
    }
}

fn integers(values: &Values, element: Element) -> Option<Values> {
    let wide: ArrayD<i128> = match values {
        Values::I64(array) => array.mapv(i128::from),
        Values::I32(array) => array.mapv(i128::from),
        Values::I16(array) => array.mapv(i128::from),
        Values::I8(array) => array.mapv(i128::from),
        Values::U64(array) => array.mapv(i128::from),
        Values::U32(array) => array.mapv(i128::from),
        Values::U16(array) => array.mapv(i128::from),
        Values::U8(array) => array.mapv(i128::from),
        Values::Bool(array) => array.mapv(|value| i128::from(u8::from(value))),
        _ => return None,
    };
    Some(match element {
        Element::I64 => Values::I64(narrow(&wide)?),
        Element::I32 => Values::I32(narrow(&wide)?),
        Element::I16 => Values::I16(narrow(&wide)?),
        Element::I8 => Values::I8(narrow(&wide)?),
        Element::U64 => Values::U64(narrow(&wide)?),
        Element::U32 => Values::U32(narrow(&wide)?),
        Element::U16 => Values::U16(narrow(&wide)?),
        Element::U8 => Values::U8(narrow(&wide)?),
        _ => return None,
    })
}

fn narrow<T: TryFrom<i128> + Clone>(wide: &ArrayD<i128>) -> Option<ArrayD<T>> {
    let values = wide.iter().map(|&value| T::try_from(value).ok()).collect::<Option<Vec<T>>>()?;
    ArrayD::from_shape_vec(wide.raw_dim(), values).ok()
}
