//! Coordinates by their places in the sorted columns.
//!
//! The points whose coordinate lies within a radius of a center, as differences round, are neighbors in the sorted
//! column: a window of places says exactly the same.
#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use pulp::Simd;
use rayon::prelude::*;

use super::leaves::{LEAF, Leaves, range};
use super::rank::{Rank, RankRow, bits};

/// Coordinates that are looked at together.
const FEW: usize = 8;

/// The places of the coordinates of leaves.
#[derive(Clone, Debug)]
pub(super) struct Ranks<R> {
    columns: Vec<Column>,
    /// For each leaf, a row for each dimension. Missing points of the last leaf are at the limit.
    rows: Vec<RankRow<R>>,
    /// For each dimension, the least and the largest place in each leaf.
    boxes: Vec<(Vec<R>, Vec<R>)>,
}

/// The sorted coordinates of one dimension.
#[derive(Clone, Debug)]
struct Column {
    sorted: Vec<f64>,
    /// Where the coordinates begin that lie in each of as many cells of equal width as there are points.
    begins: Vec<u32>,
    low: f64,
    cells_per_unit: f64,
}

impl<R: Rank> Ranks<R> {
    pub(super) fn new(leaves: &Leaves) -> Self {
        let n = leaves.n_points();
        let (columns, places): (Vec<Column>, Vec<Vec<R>>) =
            (0..leaves.n_dimensions()).into_par_iter().map(|c| Column::new(&leaves.column(c))).unzip();
        let in_leaf = |c: usize, leaf: usize| &places[c][leaf * LEAF..n.min((leaf + 1) * LEAF)];
        let row = |c: usize, leaf: usize| {
            let mut row = RankRow([R::LIMIT; LEAF]);
            row.0.iter_mut().zip(in_leaf(c, leaf)).for_each(|(to, &place)| *to = place);
            row
        };
        let dimensions = || 0..columns.len();
        let rows = (0..leaves.n_leaves()).flat_map(|leaf| dimensions().map(move |c| (c, leaf)));
        let rows = rows.map(|(c, leaf)| row(c, leaf)).collect();
        let box_of = |c: usize, leaf: usize| {
            let places = || in_leaf(c, leaf).iter().copied();
            (places().min().unwrap_or(R::LIMIT), places().max().unwrap_or(R::LIMIT))
        };
        let boxes = dimensions().map(|c| (0..leaves.n_leaves()).map(|leaf| box_of(c, leaf)).unzip()).collect();
        Self { columns, rows, boxes }
    }

    /// The places of the points of a leaf, a row a dimension.
    pub(super) fn rows(&self, leaf: usize) -> &[RankRow<R>] {
        &self.rows[leaf * self.columns.len()..(leaf + 1) * self.columns.len()]
    }

    /// For each dimension, the least and the largest place in each leaf.
    pub(super) fn boxes(&self) -> &[(Vec<R>, Vec<R>)] {
        &self.boxes
    }

    /// The first and the last place along a dimension that is nearer to a center than a radius above zero.
    #[inline(always)]
    pub(super) fn window<S: Simd>(&self, simd: S, dimension: usize, center: f64, radius: f64) -> (R, R) {
        let column = &self.columns[dimension];
        let first = column.turn::<S, false>(simd, center, radius);
        let end = column.turn::<S, true>(simd, center, radius);
        // The center's own coordinate lies between.
        (R::of(first), R::of(end - 1))
    }
}

impl Column {
    /// The sorted coordinates, and the place of each coordinate.
    ///
    /// Coordinates are dealt to their cells, in which few have to be sorted.
    #[expect(clippy::cast_possible_truncation, reason = "there are fewer points than u32 holds")]
    fn new<R: Rank>(values: &[f64]) -> (Self, Vec<R>) {
        let n = values.len();
        let (low, high) = range(values.iter().copied());
        let cells_per_unit = if high > low { n as f64 / (high - low) } else { 0.0 };
        let mut column = Self { sorted: Vec::new(), begins: vec![0; n + 1], low, cells_per_unit };
        let cells: Vec<u32> = values.iter().map(|&value| column.cell(value) as u32).collect();
        for &cell in &cells {
            column.begins[cell as usize + 1] += 1;
        }
        for cell in 0..n {
            column.begins[cell + 1] += column.begins[cell];
        }
        let mut ends = column.begins.clone();
        let mut order = vec![(0.0, 0); n];
        for ((member, &value), &cell) in (0_u32..).zip(values).zip(&cells) {
            let end = &mut ends[cell as usize];
            order[*end as usize] = (value, member);
            *end += 1;
        }
        let mut places = vec![R::LIMIT; n];
        for cell in column.begins.windows(2).filter(|cell| cell[1] - cell[0] > 1) {
            let cell = &mut order[cell[0] as usize..cell[1] as usize];
            cell.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        }
        for (place, &(_, member)) in order.iter().enumerate() {
            places[member as usize] = R::of(place);
        }
        column.sorted = order.into_iter().map(|(value, _)| value).collect();
        (column, places)
    }

    /// The cell of a value; outside of all the first or the last.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float that is too large saturates")]
    #[inline(always)]
    fn cell(&self, value: f64) -> usize {
        (((value - self.low) * self.cells_per_unit) as usize).min(self.begins.len() - 2)
    }

    /// The number of coordinates before the window of a center, or up to its end.
    #[inline(always)]
    fn turn<S: Simd, const END: bool>(&self, simd: S, center: f64, radius: f64) -> usize {
        let holds = |value: f64| if END { value - center < radius } else { center - value >= radius };
        let n = self.sorted.len();
        let guess = self.begins[self.cell(if END { center + radius } else { center - radius })] as usize;
        // Most often among the next few, where no branch has to be foreseen.
        if let Some(few) = self.sorted[guess..].first_chunk::<FEW>()
            && (guess == 0 || holds(self.sorted[guess - 1]))
        {
            let mut nearer = 0;
            let (center, radius) = (simd.splat_f64s(center), simd.splat_f64s(radius));
            for &values in S::as_simd_f64s(few).0 {
                let ahead = if END { simd.sub_f64s(values, center) } else { simd.sub_f64s(center, values) };
                let mask = simd.less_than_f64s(ahead, radius);
                let bits = bits(bytemuck::bytes_of(&mask), size_of::<S::f64s>(), size_of::<f64>());
                nearer += bits.count_ones() as usize;
            }
            let held = if END { nearer } else { FEW - nearer };
            if held < FEW {
                return guess + held;
            }
        }
        let (mut low, mut high, mut step) = (guess, guess, 1);
        // Wherever the guess lies, some doubled step goes past the turn.
        if guess < n && holds(self.sorted[guess]) {
            low = guess + 1;
            loop {
                high = n.min(low + step - 1);
                if high == n || !holds(self.sorted[high]) {
                    break;
                }
                (low, step) = (high + 1, 2 * step);
            }
        } else {
            while high > 0 {
                low = high.saturating_sub(step);
                if holds(self.sorted[low]) {
                    low += 1;
                    break;
                }
                (high, step) = (low, 2 * step);
            }
        }
        low + self.sorted[low..high].partition_point(|&value| holds(value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulp::Scalar;

    use super::*;

    proptest! {
        #[test]
        fn a_turn_is_found_wherever_it_is(
            values in prop::collection::vec(prop_oneof![-3.0..3.0, Just(0.5), Just(-0.0), -1e300..1e300], 1..80),
            center in 0_usize..80,
            radius in prop_oneof![0.001..8.0, Just(f64::INFINITY), Just(1e300)],
        ) {
            let (column, places) = Column::new::<u16>(&values);
            prop_assert!(values.iter().zip(&places).all(|(value, &place)| column.sorted[usize::from(place)].to_bits() == value.to_bits()));
            let center = values[center % values.len()];
            let first = column.sorted.iter().filter(|&&value| center - value >= radius).count();
            prop_assert_eq!(column.turn::<_, false>(Scalar, center, radius), first);
            let end = column.sorted.iter().filter(|&&value| value - center < radius).count();
            prop_assert_eq!(column.turn::<_, true>(Scalar, center, radius), end);
        }
    }
}
