//! Coordinates by their places in the sorted columns.
//!
//! The points whose coordinate lies within a radius of a center, as differences round, are neighbors in the sorted
//! column: a window of places says exactly the same.
#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use rayon::prelude::*;

use super::leaves::{LEAF, Leaves, range};
use super::rank::{Rank, RankRow};

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
    pub(super) fn window(&self, dimension: usize, center: f64, radius: f64) -> (R, R) {
        let column = &self.columns[dimension];
        let first = column.turn(center - radius, |value| center - value >= radius);
        let end = column.turn(center + radius, |value| value - center < radius);
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

    /// The first place at which something ceases to hold that holds up to somewhere about a value, and not from there on.
    #[inline(always)]
    fn turn(&self, about: f64, holds: impl Fn(f64) -> bool) -> usize {
        let n = self.sorted.len();
        let guess = self.begins[self.cell(about)] as usize;
        // Most often among the next few, where no branch has to be foreseen.
        if let Some(few) = self.sorted[guess..].first_chunk::<FEW>()
            && !holds(few[FEW - 1])
            && (guess == 0 || holds(self.sorted[guess - 1]))
        {
            return guess + few.iter().filter(|value| holds(**value)).count();
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

    use super::*;

    proptest! {
        #[test]
        fn a_turn_is_found_wherever_it_is(
            values in prop::collection::vec(prop_oneof![-3.0..3.0, Just(0.5), Just(-0.0), -1e300..1e300], 1..80),
            about in -4.0..4.0,
            end in 0_usize..81,
        ) {
            let (column, places) = Column::new::<u16>(&values);
            prop_assert!(values.iter().zip(&places).all(|(value, &place)| column.sorted[usize::from(place)].to_bits() == value.to_bits()));
            let end = end.min(values.len());
            let limit = column.sorted.get(end).copied().unwrap_or(f64::INFINITY);
            let end = column.sorted.iter().position(|value| *value >= limit).unwrap_or(values.len());
            prop_assert_eq!(column.turn(about, |value| value < limit), end);
        }
    }
}
