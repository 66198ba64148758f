//! Arrays of NumPy files: the only file that names `npyz` and `zip`.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use half::f16;
use ndarray::{Array2, ArrayD, Axis, IxDyn, ShapeBuilder, Slice, concatenate};
use npyz::{DType, Deserialize, NpyFile, Order, TypeChar};
use zip::ZipArchive;

use super::SamplesError;

/// The largest member of an `.npz` that is unpacked: a damaged size must not exhaust memory.
const LARGEST_MEMBER: u64 = 1 << 36;

/// The brackets of dictionaries and lists that a header may have: a plain array's has one.
const MOST_LISTS: usize = 6;

/// An array of a `.npy` file or of a member of an `.npz` file, in row-major order.
#[derive(Clone, Debug)]
pub struct Array {
    /// The file, with the member behind `#` where it is an archive.
    pub name: String,
    /// The values with their shape.
    pub values: Values,
}

/// Values of one type with their shape, row-major.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant is the type that it names")]
pub enum Values {
    F64(ArrayD<f64>),
    F32(ArrayD<f32>),
    F16(ArrayD<f16>),
    I64(ArrayD<i64>),
    I32(ArrayD<i32>),
    I16(ArrayD<i16>),
    I8(ArrayD<i8>),
    U64(ArrayD<u64>),
    U32(ArrayD<u32>),
    U16(ArrayD<u16>),
    U8(ArrayD<u8>),
    Bool(ArrayD<bool>),
}

/// Evaluates an expression for whatever type the values have.
macro_rules! for_any {
    ($values:expr, $array:ident => $result:expr) => {
        match $values {
            Values::F64($array) => $result,
            Values::F32($array) => $result,
            Values::F16($array) => $result,
            Values::I64($array) => $result,
            Values::I32($array) => $result,
            Values::I16($array) => $result,
            Values::I8($array) => $result,
            Values::U64($array) => $result,
            Values::U32($array) => $result,
            Values::U16($array) => $result,
            Values::U8($array) => $result,
            Values::Bool($array) => $result,
        }
    };
}

/// Makes values of the same type by an expression, whatever that type is.
macro_rules! map_any {
    ($values:expr, $array:ident => $result:expr) => {
        match $values {
            Values::F64($array) => Values::F64($result),
            Values::F32($array) => Values::F32($result),
            Values::F16($array) => Values::F16($result),
            Values::I64($array) => Values::I64($result),
            Values::I32($array) => Values::I32($result),
            Values::I16($array) => Values::I16($result),
            Values::I8($array) => Values::I8($result),
            Values::U64($array) => Values::U64($result),
            Values::U32($array) => Values::U32($result),
            Values::U16($array) => Values::U16($result),
            Values::U8($array) => Values::U8($result),
            Values::Bool($array) => Values::Bool($result),
        }
    };
}

impl Values {
    /// The dimensions.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        for_any!(self, array => array.shape())
    }

    /// The name of the type, as NumPy spells it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::F64(_) => "float64",
            Self::F32(_) => "float32",
            Self::F16(_) => "float16",
            Self::I64(_) => "int64",
            Self::I32(_) => "int32",
            Self::I16(_) => "int16",
            Self::I8(_) => "int8",
            Self::U64(_) => "uint64",
            Self::U32(_) => "uint32",
            Self::U16(_) => "uint16",
            Self::U8(_) => "uint8",
            Self::Bool(_) => "bool",
        }
    }

    /// The bytes of the values, row-major, as this machine holds them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        fn of<T: bytemuck::NoUninit>(array: &ArrayD<T>) -> &[u8] {
            bytemuck::cast_slice(array.as_slice().expect("arrays are made row-major"))
        }
        for_any!(self, array => of(array))
    }

    /// The first rows alone.
    #[must_use]
    pub fn first(&self, rows: usize) -> Self {
        map_any!(self, array => array.slice_axis(Axis(0), Slice::from(..rows)).to_owned())
    }

    /// Some rows, in the order given.
    #[must_use]
    pub fn at(&self, rows: &[usize]) -> Self {
        map_any!(self, array => array.select(Axis(0), rows))
    }

    /// Some rows for each slot, side by side along an axis: as many rows as each slot has.
    pub(super) fn joined(&self, slots: &[Vec<usize>], axis: usize) -> Result<Self, String> {
        Ok(map_any!(self, array => {
            let slots: Vec<_> = slots.iter().map(|rows| array.select(Axis(0), rows)).collect();
            let views: Vec<_> = slots.iter().map(|slot| slot.view()).collect();
            let joined = concatenate(Axis(axis), &views).map_err(|error| error.to_string())?;
            joined.as_standard_layout().into_owned()
        }))
    }

    /// One of `fold` equal parts along an axis.
    pub(super) fn part(&self, (slot, fold): (usize, usize), axis: usize) -> Self {
        map_any!(self, array => {
            let width = array.len_of(Axis(axis)) / fold;
            let part = array.slice_axis(Axis(axis), Slice::from(slot * width..(slot + 1) * width));
            part.as_standard_layout().into_owned()
        })
    }

    /// Whether the values are floating-point.
    #[must_use]
    pub fn is_float(&self) -> bool {
        matches!(self, Self::F64(_) | Self::F32(_) | Self::F16(_))
    }

    /// Whether the values have distances: floating-point ones, and the bytes of images; other integers may be indices.
    #[must_use]
    pub fn is_scale(&self) -> bool {
        self.is_float() || matches!(self, Self::U8(_))
    }
}

impl Array {
    /// Reads a `.npy` file.
    ///
    /// # Errors
    ///
    /// [`SamplesError::Read`] or [`SamplesError::Array`].
    pub fn read_npy(path: &Path) -> Result<Self, SamplesError> {
        let bytes = fs::read(path).map_err(|source| SamplesError::Read { path: path.to_owned(), source })?;
        parse(path.display().to_string(), &bytes)
    }

    /// Reads the members of an `.npz` file: all, or the named one.
    ///
    /// # Errors
    ///
    /// [`SamplesError::Read`] or [`SamplesError::Array`].
    pub fn read_npz(path: &Path, member: Option<&str>) -> Result<Vec<(String, Self)>, SamplesError> {
        let bytes = fs::read(path).map_err(|source| SamplesError::Read { path: path.to_owned(), source })?;
        let fail = |reason: String| SamplesError::Array { array: path.display().to_string(), reason };
        let mut archive =
            ZipArchive::new(Cursor::new(bytes)).map_err(|error| fail(format!("not a valid .npz archive: {error}")))?;
        let mut names: Vec<String> =
            archive.file_names().filter_map(|name| name.ok()?.strip_suffix(".npy").map(str::to_owned)).collect();
        names.sort();
        if let Some(member) = member {
            if !names.iter().any(|name| name == member) {
                return Err(fail(format!("found the members {}, needed `{member}`", names.join(", "))));
            }
            names = vec![member.to_owned()];
        }
        let mut arrays = Vec::new();
        for name in names {
            let mut entry = archive.by_name(&format!("{name}.npy")).map_err(|error| fail(error.to_string()))?;
            if entry.size() > LARGEST_MEMBER {
                return Err(fail(format!(
                    "member `{name}` claims {} bytes; needed at most {LARGEST_MEMBER}",
                    entry.size()
                )));
            }
            let mut unpacked = Vec::new();
            let size = entry.size();
            entry
                .by_ref()
                .take(size + 1)
                .read_to_end(&mut unpacked)
                .map_err(|error| fail(format!("member `{name}`: {error}")))?;
            arrays.push((name.clone(), parse(format!("{}#{name}", path.display()), &unpacked)?));
        }
        Ok(arrays)
    }

    /// The number of rows: the first dimension.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.shape().first().copied().unwrap_or(0)
    }

    /// The values as a matrix in double precision, a vector as one column.
    ///
    /// # Errors
    ///
    /// [`SamplesError::Array`] for arrays of more than two dimensions, or none.
    pub fn matrix(&self) -> Result<Array2<f64>, SamplesError> {
        let rows = self.rows();
        if !matches!(self.values.shape().len(), 1 | 2) {
            return Err(self.fail(format!("found shape {:?}, needed one or two dimensions", self.values.shape())));
        }
        let matrix = |array: ArrayD<f64>| {
            let columns = array.len().checked_div(rows).unwrap_or(1);
            array.into_shape_with_order((rows, columns)).map_err(|error| self.fail(error.to_string()))
        };
        #[expect(clippy::cast_lossless, reason = "one expression for all types")]
        match &self.values {
            Values::Bool(array) => matrix(array.mapv(|value| f64::from(u8::from(value)))),
            Values::F16(array) => matrix(array.mapv(f64::from)),
            Values::F64(array) => matrix(array.clone()),
            Values::F32(array) => matrix(array.mapv(f64::from)),
            Values::I64(array) => matrix(array.mapv(|value| value as f64)),
            Values::I32(array) => matrix(array.mapv(|value| value as f64)),
            Values::I16(array) => matrix(array.mapv(|value| value as f64)),
            Values::I8(array) => matrix(array.mapv(|value| value as f64)),
            Values::U64(array) => matrix(array.mapv(|value| value as f64)),
            Values::U32(array) => matrix(array.mapv(|value| value as f64)),
            Values::U16(array) => matrix(array.mapv(|value| value as f64)),
            Values::U8(array) => matrix(array.mapv(|value| value as f64)),
        }
    }

    /// Values on a scale as one row a sample, all other axes flattened; others as no columns.
    #[must_use]
    pub fn rows_of_numbers(&self) -> Array2<f64> {
        let wide: ArrayD<f64> = match &self.values {
            Values::F64(array) => array.clone(),
            Values::F32(array) => array.mapv(f64::from),
            Values::F16(array) => array.mapv(f64::from),
            Values::U8(array) => array.mapv(f64::from),
            _ => ArrayD::default(vec![self.rows(), 0]),
        };
        let columns = wide.len().checked_div(self.rows()).unwrap_or(0);
        wide.into_shape_with_order((self.rows(), columns)).expect("as many values as before")
    }

    /// The values of a column of integers or booleans: `n`, or `n × 1`.
    ///
    /// # Errors
    ///
    /// [`SamplesError::Array`] for other shapes, and for floating-point values, which are no labels.
    pub fn integers(&self) -> Result<Vec<i64>, SamplesError> {
        self.is_column()?;
        let column = match &self.values {
            Values::I64(array) => array.iter().copied().collect(),
            Values::I32(array) => array.iter().copied().map(i64::from).collect(),
            Values::I16(array) => array.iter().copied().map(i64::from).collect(),
            Values::I8(array) => array.iter().copied().map(i64::from).collect(),
            Values::U32(array) => array.iter().copied().map(i64::from).collect(),
            Values::U16(array) => array.iter().copied().map(i64::from).collect(),
            Values::U8(array) => array.iter().copied().map(i64::from).collect(),
            Values::Bool(array) => array.iter().copied().map(i64::from).collect(),
            Values::U64(array) => array
                .iter()
                .map(|&value| {
                    i64::try_from(value).map_err(|_| self.fail(format!("found {value}, needed a 63-bit integer")))
                })
                .collect::<Result<_, _>>()?,
            other => {
                return Err(self.fail(format!(
                    "found type {}, needed integers; convert with `.astype(\"int64\")`",
                    other.type_name()
                )));
            }
        };
        Ok(column)
    }

    /// The values of a column in double precision: `n`, or `n × 1`.
    ///
    /// # Errors
    ///
    /// [`SamplesError::Array`] for other shapes.
    pub fn column(&self) -> Result<Vec<f64>, SamplesError> {
        self.is_column()?;
        Ok(self.matrix()?.into_iter().collect())
    }

    /// The values of a column of floating-point numbers that are whole; none for NaN.
    pub(super) fn whole_numbers(&self) -> Result<Vec<Option<i64>>, SamplesError> {
        // Above this not every whole number has a double of its own.
        const MOST: f64 = (1_u64 << 53) as f64;
        let whole = |value: f64| match value {
            _ if value.is_nan() => Ok(None),
            #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
            _ if value.fract() == 0.0 && value.abs() <= MOST => Ok(Some(value as i64)),
            _ => Err(self.fail(format!("found {value}, needed whole numbers for classes, or NaN where missing"))),
        };
        self.column()?.into_iter().map(whole).collect()
    }

    fn is_column(&self) -> Result<(), SamplesError> {
        let is_column = match *self.values.shape() {
            [_] => true,
            [_, columns] => columns == 1,
            _ => false,
        };
        if is_column {
            return Ok(());
        }
        Err(self.fail(format!("found shape {:?}, needed one label a sample", self.values.shape())))
    }

    pub(super) fn fail(&self, reason: String) -> SamplesError {
        SamplesError::Array { array: self.name.clone(), reason }
    }
}

fn parse(name: String, bytes: &[u8]) -> Result<Array, SamplesError> {
    let fail = |reason: String| SamplesError::Array { array: name.clone(), reason };
    check_header(bytes).map_err(&fail)?;
    let file = NpyFile::new(bytes)
        .map_err(|error| fail(format!("not a valid .npy file: {error}; save it with `numpy.save`")))?;
    let dtype = file.dtype();
    let (DType::Plain(kind), Some(size)) = (&dtype, dtype.num_bytes()) else {
        return Err(fail(format!("found type {}, needed numbers", dtype.descr())));
    };
    // The header is believed only as far as the file goes: no allocation for what is not there.
    let shape = file.shape().iter().map(|&size| usize::try_from(size)).collect::<Result<Vec<_>, _>>();
    let claimed =
        shape.as_ref().ok().and_then(|shape| shape.iter().try_fold(size, |product, &size| product.checked_mul(size)));
    let (Ok(shape), Some(claimed)) = (shape, claimed) else {
        return Err(fail(format!("found shape {:?}, which no file can hold", file.shape())));
    };
    if shape.contains(&0) {
        return Err(fail(format!("found shape {shape:?}, needed values")));
    }
    let order = file.order();
    let kind = (kind.type_char(), size);
    let data = file.into_inner();
    if data.len() != claimed {
        return Err(fail(format!(
            "found {} bytes of values, needed the {claimed} of shape {shape:?}; it is cut short or damaged",
            data.len()
        )));
    }
    let whole = bytes;
    let values = match kind {
        (TypeChar::Float, 8) => Values::F64(typed(whole, &shape, order, &fail)?),
        (TypeChar::Float, 4) => Values::F32(typed(whole, &shape, order, &fail)?),
        (TypeChar::Float, 2) => Values::F16(typed(whole, &shape, order, &fail)?),
        (TypeChar::Int, 8) => Values::I64(typed(whole, &shape, order, &fail)?),
        (TypeChar::Int, 4) => Values::I32(typed(whole, &shape, order, &fail)?),
        (TypeChar::Int, 2) => Values::I16(typed(whole, &shape, order, &fail)?),
        (TypeChar::Int, 1) => Values::I8(typed(whole, &shape, order, &fail)?),
        (TypeChar::Uint, 8) => Values::U64(typed(whole, &shape, order, &fail)?),
        (TypeChar::Uint, 4) => Values::U32(typed(whole, &shape, order, &fail)?),
        (TypeChar::Uint, 2) => Values::U16(typed(whole, &shape, order, &fail)?),
        (TypeChar::Uint, 1) => Values::U8(typed(whole, &shape, order, &fail)?),
        (TypeChar::Bool, 1) => Values::Bool(typed(whole, &shape, order, &fail)?),
        _ => {
            return Err(fail(format!(
                "found type {}, needed floats of 16 to 64 bits, integers or booleans",
                dtype.descr()
            )));
        }
    };
    Ok(Array { name, values })
}

/// Refuses headers that the reader would allocate or work for without bound: it believes the length
/// that a header claims, and takes twice as long, or longer, for each list or set in another.
fn check_header(bytes: &[u8]) -> Result<(), String> {
    let (start, length) = match *bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, ..] => (10, usize::from(u16::from_le_bytes([a, b]))),
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2..=u8::MAX, _, a, b, c, d, ..] => {
            (12, u32::from_le_bytes([a, b, c, d]) as usize)
        }
        // What is no such file the reader refuses.
        _ => return Ok(()),
    };
    let Some(header) = bytes[start..].get(..length) else {
        return Err("found a header longer than the file; it is cut short or damaged".to_owned());
    };
    let lists = header.iter().filter(|letter| matches!(letter, b'{' | b'[')).count();
    if lists > MOST_LISTS {
        return Err(format!(
            "found {lists} brackets in its header, needed those of a plain array; save it without fields"
        ));
    }
    Ok(())
}

fn typed<T: Deserialize + Clone>(
    bytes: &[u8],
    shape: &[usize],
    order: Order,
    fail: &impl Fn(String) -> SamplesError,
) -> Result<ArrayD<T>, SamplesError> {
    let values = NpyFile::new(bytes).and_then(NpyFile::into_vec::<T>).map_err(|error| fail(error.to_string()))?;
    let shape = IxDyn(shape);
    match order {
        Order::C => ArrayD::from_shape_vec(shape, values),
        Order::Fortran => {
            ArrayD::from_shape_vec(shape.f(), values).map(|array| array.as_standard_layout().into_owned())
        }
    }
    .map_err(|error| fail(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str) -> Vec<u8> {
        let length = u32::try_from(header.len()).unwrap().to_le_bytes();
        [b"\x93NUMPY\x02\0".as_slice(), &length, header.as_bytes(), &[0; 4]].concat()
    }

    #[test]
    fn headers_that_would_take_for_ever_are_refused() {
        let shape = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
        assert_eq!(parse(String::new(), &npy(shape)).unwrap().rows(), 1);
        let fields = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }";
        assert!(parse(String::new(), &npy(fields)).unwrap_err().to_string().contains("needed numbers"));
        for bracket in ["{", "["] {
            let nested = npy(&format!("{{'descr': {}", bracket.repeat(100)));
            assert!(parse(String::new(), &nested).unwrap_err().to_string().contains("brackets in its header"));
        }
        let mut claiming = npy(shape);
        claiming[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(parse(String::new(), &claiming).unwrap_err().to_string().contains("longer than the file"));
    }
}
