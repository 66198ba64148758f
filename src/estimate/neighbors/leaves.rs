use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

/// The points of a leaf: as many as eight of the widest registers hold.
pub(super) const LEAF: usize = 64;

/// Below this many points a thread sorts faster alone.
const ALONE: usize = 2048;

/// One number for each point of a leaf, aligned to cache lines and to the widest registers.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Row(pub(super) [f64; LEAF]);

/// Points in k-d order, cut into leaves that are full except the last.
#[derive(Clone, Debug)]
pub(super) struct Leaves {
    n_dimensions: usize,
    /// The points' places in the original order, leaf after leaf.
    order: Vec<usize>,
    /// For each leaf, a row for each dimension. Missing points of the last leaf lie at infinity.
    rows: Vec<Row>,
    /// The corners of the boxes of the leaves, leaf after leaf.
    corners: Corners,
    /// The same, dimension after dimension.
    corners_by_dimension: Corners,
}

#[derive(Clone, Debug)]
struct Corners {
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Leaves {
    pub(super) fn new(points: ArrayView2<'_, f64>) -> Self {
        let n_dimensions = points.ncols();
        let columns: Vec<Vec<f64>> = points.axis_iter(Axis(1)).map(|column| column.to_vec()).collect();
        let mut order: Vec<usize> = (0..points.nrows()).collect();
        sort(&columns, &mut order);

        let n_leaves = order.len().div_ceil(LEAF);
        let mut rows = Vec::with_capacity(n_leaves * n_dimensions);
        let mut corners = Corners { low: Vec::new(), high: Vec::new() };
        for members in order.chunks(LEAF) {
            for column in &columns {
                let mut row = Row([f64::INFINITY; LEAF]);
                for (value, &member) in row.0.iter_mut().zip(members) {
                    *value = column[member];
                }
                let (low, high) = range(row.0[..members.len()].iter().copied());
                corners.low.push(low);
                corners.high.push(high);
                rows.push(row);
            }
        }
        let by_dimension = |corner: &[f64]| {
            (0..n_dimensions).flat_map(|c| corner.iter().skip(c).step_by(n_dimensions)).copied().collect()
        };
        let corners_by_dimension = Corners { low: by_dimension(&corners.low), high: by_dimension(&corners.high) };
        Self { n_dimensions, order, rows, corners, corners_by_dimension }
    }

    pub(super) fn n_points(&self) -> usize {
        self.order.len()
    }

    pub(super) fn n_leaves(&self) -> usize {
        self.order.len().div_ceil(LEAF)
    }

    pub(super) fn n_dimensions(&self) -> usize {
        self.n_dimensions
    }

    /// The original places of the points of a leaf.
    pub(super) fn members(&self, leaf: usize) -> &[usize] {
        &self.order[leaf * LEAF..self.order.len().min((leaf + 1) * LEAF)]
    }

    /// The coordinates of the points of a leaf, a row a dimension.
    pub(super) fn rows(&self, leaf: usize) -> &[Row] {
        &self.rows[leaf * self.n_dimensions..(leaf + 1) * self.n_dimensions]
    }

    /// The lower and the upper corner of the box of a leaf.
    pub(super) fn corners(&self, leaf: usize) -> (&[f64], &[f64]) {
        let range = leaf * self.n_dimensions..(leaf + 1) * self.n_dimensions;
        (&self.corners.low[range.clone()], &self.corners.high[range])
    }

    /// The coordinate c of the lower and of the upper corners of all leaves.
    pub(super) fn corners_along(&self, c: usize) -> (&[f64], &[f64]) {
        let range = c * self.n_leaves()..(c + 1) * self.n_leaves();
        (&self.corners_by_dimension.low[range.clone()], &self.corners_by_dimension.high[range])
    }

    /// Works on every leaf, in parallel: each finds `n_rows` rows; returns each of them in the original order.
    pub(super) fn map_points(&self, n_rows: usize, found: impl Fn(usize) -> Vec<Row> + Sync + Send) -> Vec<Vec<f64>> {
        let all: Vec<Vec<Row>> = (0..self.n_leaves()).into_par_iter().map(found).collect();
        let mut values = vec![vec![0.0; self.n_points()]; n_rows];
        for (leaf, rows) in all.iter().enumerate() {
            for (values, row) in values.iter_mut().zip(rows) {
                for (&member, &value) in self.members(leaf).iter().zip(&row.0) {
                    values[member] = value;
                }
            }
        }
        values
    }
}

/// Puts points into k-d order: halves them across their widest dimension until a leaf is left.
pub(super) fn sort(columns: &[Vec<f64>], order: &mut [usize]) {
    if order.len() <= LEAF {
        return;
    }
    let mut widest = (&columns[0], -1.0);
    for column in columns {
        let (low, high) = range(order.iter().map(|&point| column[point]));
        if high - low > widest.1 {
            widest = (column, high - low);
        }
    }
    let column = widest.0;
    let left = order.len().div_ceil(LEAF).div_ceil(2) * LEAF;
    // Ties are ordered by place, so that the order is one whatever the selection does.
    order.select_nth_unstable_by(left, |&a, &b| column[a].total_cmp(&column[b]).then(a.cmp(&b)));
    let alone = order.len() < ALONE;
    let (left, right) = order.split_at_mut(left);
    if alone {
        sort(columns, left);
        sort(columns, right);
    } else {
        rayon::join(|| sort(columns, left), || sort(columns, right));
    }
}

/// The smallest and the largest of some numbers.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    // Comparisons: the methods of f64 take care of what is not a number, and three times as long.
    let wider = |(low, high): (f64, f64), value| {
        (if value < low { value } else { low }, if value > high { value } else { high })
    };
    values.fold((f64::INFINITY, f64::NEG_INFINITY), wider)
}
