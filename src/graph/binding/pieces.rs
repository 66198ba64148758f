//! Slices and joins: an initializer that is a part of a tensor, or several parts end to end.
//!
//! Exporters cut fused weights apart, join separate ones, stack layers, and put the gates of
//! recurrent cells in another order. All of these are runs of equal rows: an initializer is cut
//! into rows along one of its axes, and each row is looked up among the rows of the tensors.

use std::collections::HashMap;

use super::index::Known;
use super::layout::{Piece, Slice, len, permute};
use super::recipe::{Joined, Recipe};
use crate::archive::Numbers;

/// Rows of a tensor along one of its axes, or the whole tensor as a single row.
struct Rows {
    tensor: usize,
    axis: Option<usize>,
    /// The values with the axis of the rows in front, so that each row is a run of bytes.
    values: Numbers<'static>,
    count: usize,
}

/// A run of equal rows.
#[derive(Clone, Copy)]
struct Run {
    rows: usize,
    start: usize,
    count: usize,
}

/// Finds an initializer as a part of a tensor, or as parts of tensors end to end.
///
/// The longest run is taken first at each place, and a run of a single number is none.
pub(super) fn find(own: &Numbers<'_>, shape: &[usize], tensors: &[(usize, &Known<'_>)]) -> Option<Recipe> {
    // Rows of the initializer along a real axis; a whole initializer may also be one row of a stack.
    let axes = (0..shape.len()).filter(|&axis| shape[axis] > 1).map(Some).chain([None]);
    axes.into_iter().find_map(|axis| along(own, shape, axis, tensors))
}

fn along(own: &Numbers<'_>, shape: &[usize], axis: Option<usize>, tensors: &[(usize, &Known<'_>)]) -> Option<Recipe> {
    let count = axis.map_or(1, |axis| shape[axis]);
    let width = len(shape) / count;
    let own_rows = front(own, shape, axis);
    let size = own.kind().size();
    let mut table: HashMap<&[u8], Vec<(usize, usize)>> = HashMap::new();
    let all: Vec<Rows> = tensors.iter().flat_map(|(place, tensor)| rows(own, *place, tensor, width)).collect();
    for (place, rows) in all.iter().enumerate() {
        for (row, bytes) in rows.values.bytes().chunks_exact(width * size).enumerate() {
            table.entry(bytes).or_default().push((place, row));
        }
    }
    let wanted: Vec<&[u8]> = own_rows.bytes().chunks_exact(width * size).collect();
    let mut runs: Vec<Run> = Vec::new();
    let mut at = 0;
    while at < count {
        let starts = table.get(wanted[at])?;
        let longest = starts.iter().map(|&(place, row)| {
            let rows = all[place].values.bytes().chunks_exact(width * size).skip(row);
            Run { rows: place, start: row, count: rows.zip(&wanted[at..]).take_while(|(a, b)| a == *b).count() }
        });
        // The first of equally long ones, in the order of names.
        let run = longest.reduce(|best, run| if run.count > best.count { run } else { best })?;
        // A single number may be anything.
        if run.count * width < 2 {
            return None;
        }
        runs.push(run);
        at += run.count;
    }
    let pieces =
        runs.iter().map(|run| piece(&all[run.rows], *run, tensors, shape, axis)).collect::<Option<Vec<_>>>()?;
    Some(match <[Piece; 1]>::try_from(pieces) {
        Ok([piece]) => Recipe::Tensor(piece),
        Err(pieces) => Recipe::Joined(Joined { axis: axis.unwrap_or(0), pieces }),
    })
}

/// The rows of this width that a tensor has, along each of its axes and as a whole.
fn rows(own: &Numbers<'_>, place: usize, tensor: &Known<'_>, width: usize) -> Vec<Rows> {
    // Rounded values never get here: parts are compared to the bit in the graph's own type.
    let Ok(values) = tensor.values.clone().cast(own.kind()) else { return Vec::new() };
    let total = values.len();
    let axes = (0..tensor.shape.len()).filter(|&axis| tensor.shape[axis] > 1 && total / tensor.shape[axis] == width);
    let whole = (total == width).then_some(None);
    axes.map(Some)
        .chain(whole)
        .map(|axis| Rows {
            tensor: place,
            axis,
            values: front(&values, tensor.shape, axis),
            count: axis.map_or(1, |axis| tensor.shape[axis]),
        })
        .collect()
}

/// The values with one axis in front.
fn front(values: &Numbers<'_>, shape: &[usize], axis: Option<usize>) -> Numbers<'static> {
    let mut order: Vec<usize> = (0..shape.len()).collect();
    if let Some(axis) = axis {
        order.remove(axis);
        order.insert(0, axis);
    }
    permute(values, shape, &order)
}

/// A run as a piece in the layout that the initializer needs, if one reordering of axes gives it.
fn piece(
    rows: &Rows,
    run: Run,
    tensors: &[(usize, &Known<'_>)],
    shape: &[usize],
    axis: Option<usize>,
) -> Option<Piece> {
    let (_, tensor) = tensors.iter().find(|(place, _)| *place == rows.tensor)?;
    let slice = rows.axis.filter(|_| run.count < rows.count);
    let slice = slice.map(|axis| Slice { axis, start: run.start, end: run.start + run.count });
    let around = |shape: &[usize], axis: Option<usize>| match axis {
        Some(axis) => (len(&shape[..axis]), len(&shape[axis + 1..])),
        None => (1, len(shape)),
    };
    let (outer, inner) = around(shape, axis);
    let (from_outer, from_inner) = around(tensor.shape, rows.axis);
    let plain = Piece { slice, ..Piece::whole(tensor.name) };
    let ordered =
        |shape: [usize; 3]| Piece { reshape: Some(shape.to_vec()), axes: Some(vec![1, 0, 2]), ..plain.clone() };
    if from_outer == outer {
        Some(plain)
    } else if from_outer == 1 {
        Some(ordered([run.count, outer, inner]))
    } else if outer == 1 {
        Some(ordered([from_outer, run.count, from_inner]))
    } else {
        None
    }
    .map(simplest)
}

/// Swapping two axes of a matrix is better said without a third one of length one.
fn simplest(piece: Piece) -> Piece {
    match piece.reshape.as_deref() {
        Some(&[rows, columns, 1]) if piece.axes.as_deref() == Some(&[1, 0, 2]) => {
            Piece { reshape: Some(vec![rows, columns]), axes: Some(vec![1, 0]), ..piece }
        }
        _ => piece,
    }
}
