//! Layouts: a tensor as it lies in a checkpoint against the same numbers as a graph wants them.

use std::borrow::Cow;
use std::fmt;

use ndarray::{ArrayViewD, IxDyn};
use serde::{Deserialize, Serialize};

use super::transpose;
use crate::archive::{Kind, Numbers};

/// A tensor, or a part of it, in some layout: sliced, then reshaped, then its axes permuted.
///
/// The last reshape, to the initializer's own shape, goes without saying.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Piece {
    /// The tensor.
    pub name: String,
    /// The part of it that is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Slice>,
    /// The shape that it is given first, of as many values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reshape: Option<Vec<usize>>,
    /// The order of its axes: `[1, 0]` transposes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axes: Option<Vec<usize>>,
}

/// The part of a tensor between two places of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Slice {
    /// The axis.
    pub axis: usize,
    /// The first place taken.
    pub start: usize,
    /// The first place not taken.
    pub end: usize,
}

impl Piece {
    /// A whole tensor as it is.
    #[must_use]
    pub fn whole(name: &str) -> Self {
        Self { name: name.to_owned(), slice: None, reshape: None, axes: None }
    }

    /// The shape that a tensor of some shape gets, or what would be needed of it.
    pub(super) fn shape(&self, tensor: &[usize]) -> Result<Vec<usize>, String> {
        let mut shape = tensor.to_vec();
        if let Some(slice) = self.slice {
            let size = shape.get_mut(slice.axis).filter(|size| slice.start < slice.end && slice.end <= **size);
            let size = size.ok_or_else(|| format!("places {} to {} on axis {}", slice.start, slice.end, slice.axis))?;
            *size = slice.end - slice.start;
        }
        if let Some(reshape) = &self.reshape {
            // A shape of the pipeline file may be of any size.
            if reshape.iter().try_fold(1_usize, |len, &size| len.checked_mul(size)) != Some(len(&shape)) {
                return Err(format!("as many values as shape {reshape:?}"));
            }
            shape.clone_from(reshape);
        }
        if let Some(axes) = &self.axes {
            let mut sorted = axes.clone();
            sorted.sort_unstable();
            if !sorted.into_iter().eq(0..shape.len()) {
                return Err(format!("{} axes, to be ordered as {axes:?}", axes.len()));
            }
            shape = axes.iter().map(|&axis| shape[axis]).collect();
        }
        Ok(shape)
    }

    /// The values of the piece, in row-major order.
    pub(super) fn take<'a>(&self, values: Numbers<'a>, tensor: &[usize]) -> Result<Numbers<'a>, String> {
        self.shape(tensor)?;
        let mut shape = tensor.to_vec();
        let mut values = values;
        if let Some(slice) = self.slice {
            values = cut(&values, &shape, slice);
            shape[slice.axis] = slice.end - slice.start;
        }
        if let Some(reshape) = &self.reshape {
            shape.clone_from(reshape);
        }
        Ok(match &self.axes {
            Some(axes) => permute(&values, &shape, axes),
            None => values,
        })
    }
}

/// The piece in words: `fc.weight [rows 0..16] axes [1, 0]`.
impl fmt::Display for Piece {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        if let Some(Slice { axis, start, end }) = self.slice {
            write!(formatter, ", {start}..{end} of axis {axis}")?;
        }
        if let Some(reshape) = &self.reshape {
            write!(formatter, ", as {reshape:?}")?;
        }
        match self.axes.as_deref() {
            Some([1, 0]) => formatter.write_str(", transposed"),
            Some(axes) => write!(formatter, ", axes {axes:?}"),
            None => Ok(()),
        }
    }
}

/// The number of values of a shape.
pub(super) fn len(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Calls a macro with the unsigned type as large as a value: only bits are moved about.
macro_rules! bits {
    ($kind:expr, $then:ident) => {
        match $kind.size() {
            1 => $then!(u8),
            2 => $then!(u16),
            4 => $then!(u32),
            _ => $then!(u64),
        }
    };
}

fn cut(values: &Numbers<'_>, shape: &[usize], slice: Slice) -> Numbers<'static> {
    let inner = len(&shape[slice.axis + 1..]) * values.kind().size();
    let block = shape[slice.axis] * inner;
    let rows = values.bytes().chunks_exact(block.max(1));
    let bytes: Vec<u8> = rows.flat_map(|row| &row[slice.start * inner..slice.end * inner]).copied().collect();
    Numbers::new(values.kind(), bytes).expect("whole values were cut out")
}

/// The values in another order of the axes.
pub(super) fn permute(values: &Numbers<'_>, shape: &[usize], axes: &[usize]) -> Numbers<'static> {
    macro_rules! permute {
        ($type:ty) => {{
            let plain = values.plain::<$type>();
            if let Some((rows, columns)) = transpose::as_matrix(shape, axes) {
                bytemuck::cast_slice(&transpose::transposed(&plain, rows, columns)).to_vec()
            } else {
                let view = ArrayViewD::from_shape(IxDyn(shape), &plain).expect("the shape has as many values");
                let ordered = view.permuted_axes(IxDyn(axes));
                bytemuck::cast_slice(&ordered.as_standard_layout().as_slice().expect("a standard layout is a slice"))
                    .to_vec()
            }
        }};
    }
    let bytes: Vec<u8> = bits!(values.kind(), permute);
    Numbers::new(values.kind(), bytes).expect("whole values were moved")
}

/// Puts pieces end to end along an axis; none if they do not fill the shape.
pub(super) fn join(pieces: &[Numbers<'_>], shape: &[usize], axis: usize) -> Option<Numbers<'static>> {
    let kind = pieces.first()?.kind();
    let outer = len(shape.get(..axis)?);
    // A piece may lack axes of length one: only the number of values in a row counts.
    let rows = pieces.iter().map(|values| {
        let whole = outer > 0 && values.bytes().len().is_multiple_of(outer);
        whole.then(|| values.bytes().len() / outer)
    });
    let rows = rows.collect::<Option<Vec<usize>>>()?;
    if rows.iter().sum::<usize>() * outer != len(shape) * kind.size() {
        return None;
    }
    let mut bytes = Vec::with_capacity(len(shape) * kind.size());
    for row in 0..outer {
        for (values, size) in pieces.iter().zip(&rows) {
            bytes.extend_from_slice(&values.bytes()[row * size..(row + 1) * size]);
        }
    }
    Numbers::new(kind, bytes)
}

/// How a tensor may be laid out to equal an initializer, both of one kind and the same values in some order.
///
/// More than one layout fits where values repeat, as in a symmetric matrix; the tensor as it is comes first.
pub(super) fn find(name: &str, tensor: (&Numbers<'_>, &[usize]), initializer: (&Numbers<'_>, &[usize])) -> Vec<Piece> {
    let (values, shape) = tensor;
    let (wanted, wanted_shape) = initializer;
    let mut found = Vec::new();
    if values.bytes() == wanted.bytes() {
        found.push(Piece::whole(name));
    }
    let ordered = orders(shape).into_iter().filter(|axes| same(values, shape, axes, wanted));
    found.extend(ordered.map(|axes| Piece { axes: Some(axes), ..Piece::whole(name) }));
    if found.is_empty() {
        // The other way about: the initializer's axes in another order are the tensor as it lies.
        let ordered = orders(wanted_shape).into_iter().filter(|axes| same(wanted, wanted_shape, axes, values));
        found.extend(ordered.map(|axes| {
            let reshape = axes.iter().map(|&axis| wanted_shape[axis]).collect();
            let mut back = vec![0; axes.len()];
            for (place, &axis) in axes.iter().enumerate() {
                back[axis] = place;
            }
            Piece { reshape: Some(reshape), axes: Some(back), ..Piece::whole(name) }
        }));
    }
    of_same_sizes(found, shape, wanted_shape)
}

/// How a tensor of a single value, which equals the initializer in every layout, may be laid out by its shape alone.
pub(super) fn of_shape(
    name: &str,
    (_, shape): (&Numbers<'_>, &[usize]),
    (_, wanted_shape): (&Numbers<'_>, &[usize]),
) -> Vec<Piece> {
    let mut found = vec![Piece::whole(name)];
    found.extend(orders(shape).into_iter().map(|axes| Piece { axes: Some(axes), ..Piece::whole(name) }));
    of_same_sizes(found, shape, wanted_shape)
}

/// Of several layouts those that give the initializer's very sizes, if there are such; else the first.
fn of_same_sizes(pieces: Vec<Piece>, shape: &[usize], wanted: &[usize]) -> Vec<Piece> {
    let long = |shape: &[usize]| shape.iter().copied().filter(|&size| size > 1).collect::<Vec<_>>();
    let fits = |piece: &Piece| piece.shape(shape).is_ok_and(|shape| long(&shape) == long(wanted));
    if pieces.len() > 1 && pieces.iter().any(fits) {
        return pieces.into_iter().filter(fits).collect();
    }
    pieces.into_iter().take(1).collect()
}

/// Every order of the axes but the one there is; axes of length one stay where they are.
pub(super) fn orders(shape: &[usize]) -> Vec<Vec<usize>> {
    const MOST_AXES: usize = 5; // 120 orders; convolutions over volumes have five
    let long: Vec<usize> = (0..shape.len()).filter(|&axis| shape[axis] > 1).collect();
    if long.len() < 2 || long.len() > MOST_AXES {
        return Vec::new();
    }
    let mut found = vec![Vec::new()];
    for _ in &long {
        found = found
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                let rest = long.iter().copied().filter(|axis| !order.contains(axis)).collect::<Vec<_>>();
                rest.into_iter().map(move |axis| [&order[..], &[axis]].concat())
            })
            .collect();
    }
    found
        .into_iter()
        .filter(|order| *order != long)
        .map(|order| {
            let mut axes: Vec<usize> = (0..shape.len()).collect();
            for (place, axis) in long.iter().zip(order) {
                axes[*place] = axis;
            }
            axes
        })
        .collect()
}

/// Whether values with their axes in another order are the wanted ones.
fn same(values: &Numbers<'_>, shape: &[usize], axes: &[usize], wanted: &Numbers<'_>) -> bool {
    macro_rules! same {
        ($type:ty) => {{
            let (plain, wanted): (Cow<'_, [$type]>, Cow<'_, [$type]>) = (values.plain(), wanted.plain());
            if let Some((rows, columns)) = transpose::as_matrix(shape, axes) {
                return transpose::is_transposed(&plain, &wanted, rows, columns);
            }
            let view = ArrayViewD::from_shape(IxDyn(shape), &plain).expect("the shape has as many values");
            let ordered = view.permuted_axes(IxDyn(axes));
            // The first difference comes early in a wrong order.
            ordered.iter().zip(wanted.iter()).all(|(a, b)| a == b)
        }};
    }
    bits!(values.kind(), same)
}

/// The coarser of two kinds of floats, in which values that went through both can be compared.
///
/// A checkpoint in half precision holds rounded weights; the graph may hold those, or what they were rounded from.
pub(super) fn common(graph: Kind, tensor: Kind) -> Kind {
    let digits = |kind| match kind {
        Kind::F64 => 52,
        Kind::F32 => 23,
        Kind::F16 => 10,
        Kind::Bf16 => 7,
        // Integers do not round, and graphs do not compute in eight bits: the checkpoint's are widened.
        _ => u32::MAX,
    };
    if digits(tensor) < digits(graph) { tensor } else { graph }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(len: usize) -> Numbers<'static> {
        let values: Vec<f64> = (0..len).map(|place| (place as f64 * 0.7).sin()).collect();
        Numbers::from_doubles(Kind::F32, &values).unwrap()
    }

    /// The layouts of every framework: whatever order the axes come in, the piece leads back.
    #[test]
    fn any_order_of_axes_is_found_and_followed() {
        for shape in [&[3, 4][..], &[5, 3, 4], &[6, 2, 3, 3], &[2, 3, 2, 4, 3]] {
            let tensor = numbers(len(shape));
            for axes in orders(shape) {
                let wanted = permute(&tensor, shape, &axes);
                let wanted_shape: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
                let found = find("w", (&tensor, shape), (&wanted, &wanted_shape));
                assert_eq!(found.len(), 1, "{shape:?} {axes:?}: {found:?}");
                assert_eq!(found[0].take(tensor.clone(), shape).unwrap(), wanted, "{shape:?} {axes:?}");
            }
        }
    }

    /// Flax has depthwise kernels as height × width × 1 × channels, ONNX as channels × 1 × height × width.
    #[test]
    fn depthwise_kernels_and_flattened_convolutions_are_found() {
        let tensor = numbers(3 * 3 * 8);
        let wanted = permute(&tensor, &[3, 3, 1, 8], &[3, 2, 0, 1]);
        let found = find("w", (&tensor, &[3, 3, 1, 8]), (&wanted, &[8, 1, 3, 3]));
        assert_eq!(found[0].take(tensor.clone(), &[3, 3, 1, 8]).unwrap(), wanted);
        // Rows of a matrix that are height × width × inputs of a convolution.
        let wanted = permute(&tensor, &[3, 3, 2, 4], &[3, 2, 0, 1]);
        let found = find("w", (&tensor, &[18, 4]), (&wanted, &[4, 2, 3, 3]));
        assert_eq!(found[0].take(tensor, &[18, 4]).unwrap(), wanted);
    }

    /// A symmetric matrix is its own transpose, and a square of zeros lies either way: both are offered.
    #[test]
    fn layouts_that_fit_equally_are_all_offered() {
        let symmetric = Numbers::from_doubles(Kind::F32, &[1.0, 2.0, 2.0, 5.0]).unwrap();
        let found = find("w", (&symmetric, &[2, 2]), (&symmetric, &[2, 2]));
        assert_eq!(found.iter().map(|piece| piece.axes.clone()).collect::<Vec<_>>(), [None, Some(vec![1, 0])]);
        let zeros = Numbers::from_doubles(Kind::F32, &[0.0; 6]).unwrap();
        assert_eq!(of_shape("w", (&zeros, &[2, 3]), (&zeros, &[3, 2]))[0].axes, Some(vec![1, 0]));
    }

    #[test]
    fn slices_out_of_a_tensor_are_refused() {
        let piece = Piece { slice: Some(Slice { axis: 0, start: 2, end: 5 }), ..Piece::whole("w") };
        assert_eq!(piece.shape(&[4, 2]).unwrap_err(), "places 2 to 5 on axis 0");
        let piece = Piece { axes: Some(vec![0, 0]), ..Piece::whole("w") };
        assert!(piece.shape(&[4, 2]).is_err());
    }
}
