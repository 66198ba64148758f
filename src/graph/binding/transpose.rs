//! Matrices turned in blocks that fit the cache: element by element, each step across the rows of a
//! large matrix waits for memory.

use std::ops::Range;

use rayon::prelude::*;

/// Rows and columns of a block: two blocks of eight-byte values fit the first cache.
const BLOCK: usize = 32;

/// The rows and columns of the matrix whose transposition an order of axes is, if it is one.
///
/// It is one wherever the last axes come first and each part keeps its order: `[1, 0]`, `[2, 0, 1]`, `[2, 3, 0, 1]`.
pub(super) fn as_matrix(shape: &[usize], axes: &[usize]) -> Option<(usize, usize)> {
    if shape.contains(&0) {
        return None;
    }
    let long: Vec<usize> = axes.iter().copied().filter(|&axis| shape[axis] > 1).collect();
    let first = long.iter().enumerate().min_by_key(|(_, axis)| **axis)?.0;
    let (behind, before) = long.split_at(first);
    let size = |axes: &[usize]| axes.iter().map(|&axis| shape[axis]).product::<usize>();
    before.iter().chain(behind).is_sorted().then(|| (size(before), size(behind)))
}

/// A matrix of `rows` × `columns` as one of `columns` × `rows`.
pub(super) fn transposed<T: Copy + Default + Send + Sync>(values: &[T], rows: usize, columns: usize) -> Vec<T> {
    let mut turned = vec![T::default(); values.len()];
    turned.par_chunks_mut(BLOCK * rows).enumerate().for_each(|(block, turned)| {
        let across = block * BLOCK..columns.min((block + 1) * BLOCK);
        for down in blocks(rows) {
            for column in across.clone() {
                let into = &mut turned[(column - across.start) * rows..][..rows];
                for row in down.clone() {
                    into[row] = values[row * columns + column];
                }
            }
        }
    });
    turned
}

/// Whether a matrix of `rows` × `columns` is the transposed one of `columns` × `rows`.
pub(super) fn is_transposed<T: Copy + PartialEq + Sync>(
    values: &[T],
    turned: &[T],
    rows: usize,
    columns: usize,
) -> bool {
    let same = |across: Range<usize>, down: Range<usize>| {
        across.into_iter().all(|column| {
            let turned = &turned[column * rows..][..rows];
            down.clone().all(|row| values[row * columns + column] == turned[row])
        })
    };
    // The first block differs where the whole does, for all but very similar matrices.
    same(0..columns.min(BLOCK), 0..rows.min(BLOCK))
        && blocks(columns)
            .collect::<Vec<_>>()
            .into_par_iter()
            .all(|across| blocks(rows).all(|down| same(across.clone(), down)))
}

fn blocks(len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(BLOCK).map(move |start| start..len.min(start + BLOCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_of_axes_are_transpositions() {
        assert_eq!(as_matrix(&[3, 5], &[1, 0]), Some((3, 5)));
        assert_eq!(as_matrix(&[3, 5, 7], &[2, 0, 1]), Some((15, 7)));
        assert_eq!(as_matrix(&[3, 1, 5], &[1, 2, 0]), Some((3, 5)));
        assert_eq!(as_matrix(&[3, 5, 7], &[2, 1, 0]), None);
        assert_eq!(as_matrix(&[3, 3, 5, 7], &[3, 2, 0, 1]), None);
        assert_eq!(as_matrix(&[3, 0], &[1, 0]), None);
    }

    #[test]
    fn blocks_turn_what_elements_would() {
        for (rows, columns) in [(1, 7), (33, 2), (70, 45), (64, 32)] {
            let values: Vec<u32> = (0..).take(rows * columns).collect();
            let turned = transposed(&values, rows, columns);
            assert!((0..columns).all(|c| (0..rows).all(|r| turned[c * rows + r] == values[r * columns + c])));
            assert!(is_transposed(&values, &turned, rows, columns));
            let mut other = turned;
            *other.last_mut().unwrap() += 1;
            assert!(!is_transposed(&values, &other, rows, columns));
        }
    }
}
