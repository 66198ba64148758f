//! Sums of Gaussian kernels over all pairs of samples.

use ndarray::{Array2, ArrayView2, s};
use pulp::Arch;
use rayon::prelude::*;

use crate::estimate::columns;
use crate::estimate::exponential::exp;
use crate::estimate::matrix::double::small_product_transposed;

/// Samples that one task compares with all others.
const ROWS: usize = 512;

/// Sums that run side by side, so that none waits for the one before.
const LANES: usize = 8;

/// For each bandwidth b and each sample i, ln Σ exp(−|xᵢ − xⱼ|² / 2b²) over all other samples j.
///
/// The distances are computed once for all bandwidths; n² (d + number of bandwidths) operations.
pub(super) fn log_sums_of_others(points: ArrayView2<'_, f64>, bandwidths: &[f64]) -> Vec<Vec<f64>> {
    let n = points.nrows();
    let columns: Vec<Vec<f64>> = points.columns().into_iter().map(|column| column.to_vec()).collect();
    let of_row = |row: usize, squares: &mut Vec<f64>| -> Vec<f64> {
        squares.clear();
        squares.resize(n, 0.0);
        for column in &columns {
            add_squares(squares, column, column[row]);
        }
        squares[row] = f64::INFINITY;
        let nearest = squares.iter().copied().fold(f64::INFINITY, f64::min);
        // Beside the nearest one, so that a sample far from all others has a density too.
        let sum = |bandwidth: &f64| {
            let scale = -0.5 / (bandwidth * bandwidth);
            sum_of_kernels(squares, nearest, scale).ln() + scale * nearest
        };
        bandwidths.iter().map(sum).collect()
    };
    let rows: Vec<Vec<f64>> = (0..n).into_par_iter().map_init(Vec::new, |squares, row| of_row(row, squares)).collect();
    (0..bandwidths.len()).map(|place| rows.iter().map(|sums| sums[place]).collect()).collect()
}

fn add_squares(squares: &mut [f64], column: &[f64], center: f64) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (square, &value) in squares.iter_mut().zip(column) {
                *square += (value - center) * (value - center);
            }
        },
    );
}

fn sum_of_kernels(squares: &[f64], nearest: f64, scale: f64) -> f64 {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut sums = [0.0; LANES];
            let (chunks, rest) = squares.as_chunks::<LANES>();
            for chunk in chunks {
                for (sum, square) in sums.iter_mut().zip(chunk) {
                    *sum += exp((square - nearest) * scale);
                }
            }
            for (sum, square) in sums.iter_mut().zip(rest) {
                *sum += exp((square - nearest) * scale);
            }
            sums.iter().sum()
        },
    )
}

/// For each sample i the sums Σ exp(−|xᵢ − xⱼ|² / 8v) and Σ exp(−|xᵢ − xⱼ|² / 2v) over all samples j, itself included.
///
/// Distances come from products of blocks; each pair is looked at once, with one exponential.
pub(super) fn wide_and_narrow_sums(points: ArrayView2<'_, f64>, variance: f64) -> [Vec<f64>; 2] {
    let n = points.nrows();
    let centered = columns::centered(points, None, columns::moments(points, None).means.view());
    let norms: Vec<f64> = centered.outer_iter().map(|row| row.dot(&row)).collect();
    let blocks: Vec<[Vec<f64>; 2]> = (0..n.div_ceil(ROWS))
        .into_par_iter()
        .map(|block| block_sums(&centered, &norms, block * ROWS, variance))
        .collect();
    let mut sums = [vec![0.0; n], vec![0.0; n]];
    for (block, found) in blocks.iter().enumerate() {
        for (sums, found) in sums.iter_mut().zip(found) {
            sums[block * ROWS..].iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
        }
    }
    sums
}

/// What the pairs of a block of samples with itself and with all later ones add to the sums of each, from `first` on.
fn block_sums(centered: &Array2<f64>, norms: &[f64], first: usize, variance: f64) -> [Vec<f64>; 2] {
    let n = norms.len();
    let end = n.min(first + ROWS);
    let own = centered.slice(s![first..end, ..]);
    let mut sums = [vec![0.0; n - first], vec![0.0; n - first]];
    let mut kernels = [0.0; ROWS];
    let scale = -0.125 / variance;
    for start in (first..n).step_by(ROWS) {
        let stop = n.min(start + ROWS);
        let products = small_product_transposed(own, centered.slice(s![start..stop, ..]));
        for (row, products) in (first..end).zip(products.outer_iter()) {
            let products = products.to_slice().expect("products are in row order");
            let [wide, narrow] = &mut sums;
            let columns = [&mut wide[start - first..stop - first], &mut narrow[start - first..stop - first]];
            let found = row_sums(products, &norms[start..stop], norms[row], scale, columns, &mut kernels);
            // Within the block each pair is met twice already.
            if start > first {
                wide[row - first] += found[0];
                narrow[row - first] += found[1];
            }
        }
    }
    sums
}

/// The sums over a row of kernels, which are also added to the sums of the columns.
fn row_sums(
    products: &[f64],
    norms: &[f64],
    own: f64,
    scale: f64,
    [wide, narrow]: [&mut [f64]; 2],
    kernels: &mut [f64; ROWS],
) -> [f64; 2] {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let n = products.len();
            let (norms, wide, narrow) = (&norms[..n], &mut wide[..n], &mut narrow[..n]);
            for place in 0..n {
                let square = (own + norms[place]) - 2.0 * products[place];
                let kernel = exp(if square > 0.0 { square * scale } else { 0.0 });
                kernels[place] = kernel;
                wide[place] += kernel;
                narrow[place] += (kernel * kernel) * (kernel * kernel);
            }
            let mut sums = [[0.0; LANES]; 2];
            for chunk in kernels[..n].chunks(LANES) {
                for (lane, kernel) in chunk.iter().enumerate() {
                    sums[0][lane] += kernel;
                    sums[1][lane] += (kernel * kernel) * (kernel * kernel);
                }
            }
            sums.map(|sums| sums.iter().sum())
        },
    )
}
