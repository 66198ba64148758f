//! Distances to k-th neighbors in many dimensions, where boxes leave nothing out.

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use super::candidates::{self, GROUP};
use super::leaves;
use super::screen::{Screen, TILE, Turned};
use crate::estimate::EstimateError;
use crate::estimate::matrix::single;

/// Queries whose products with a tile of points one task holds.
const QUERIES: usize = 128;

/// Axes along which points are put into an order in which near ones are near.
const ORDERED: usize = 8;

/// The numbers of axes of a first screen, less the one coordinate for what is left.
const AXES: [usize; 3] = [31, 63, 127];

/// Queries that tell which screen is cheapest.
const PILOTS: usize = 32;

/// What screening one pair takes, what comparing a candidate once more and what measuring it takes for each coordinate, in
/// multiplications within a product of matrices. Only the time hangs on these.
const PAIR: usize = 32;
const COMPARING: usize = 10;
const MEASURING: usize = 20;

/// How many times more are in question while the k nearest are not yet found.
const LATE: usize = 2;

/// The Euclidean distances of each point to its k-th nearest other points; none where screens cannot tell.
///
/// A first screen bounds the distances of all pairs from below by products of matrices; a finer one those of the pairs
/// that may be nearer than the k nearest so far; what is left is measured in double precision and in the order of
/// coordinates. So the distances are those of two nested loops, to the last bit.
pub(super) fn kth_distances(points: ArrayView2<'_, f64>, ks: &[usize]) -> Result<Option<Vec<Vec<f64>>>, EstimateError> {
    let points = points.as_standard_layout();
    let (n, largest) = (points.nrows(), ks.iter().copied().max().unwrap_or(0));
    let Some(turned) = Turned::new(points.view())? else { return Ok(None) };
    let order = order(&turned, n);
    let search = Search::new(points.view(), &turned, &order, largest);
    let blocks: Vec<Vec<Vec<f64>>> =
        (0..n.div_ceil(QUERIES)).into_par_iter().map(|block| search.block(block)).collect();
    let mut distances = vec![vec![0.0; n]; ks.len()];
    for (nearest, &point) in blocks.iter().flatten().zip(&order) {
        for (distances, k) in distances.iter_mut().zip(ks) {
            distances[point] = nearest.get(k - 1).map_or(f64::INFINITY, |square| square.sqrt());
        }
    }
    Ok(Some(distances))
}

/// Points whose first coordinates are near come near each other.
fn order(turned: &Turned, n: usize) -> Vec<usize> {
    let columns: Vec<Vec<f64>> = (0..turned.width().min(ORDERED)).map(|axis| turned.column(axis)).collect();
    let mut order: Vec<usize> = (0..n).collect();
    leaves::sort(&columns, &mut order);
    order
}

struct Search<'a> {
    points: ArrayView2<'a, f64>,
    order: &'a [usize],
    k: usize,
    scale: f64,
    first: Screen,
    /// None where the first one cannot be improved.
    finer: Option<Screen>,
}

impl<'a> Search<'a> {
    fn new(points: ArrayView2<'a, f64>, turned: &Turned, order: &'a [usize], k: usize) -> Self {
        let (first, finer) = cheapest(turned, order, points, k);
        Self { points, order, k, scale: turned.scale, first, finer }
    }

    /// The k smallest squared distances of each query of a block, in increasing order.
    fn block(&self, block: usize) -> Vec<Vec<f64>> {
        let queries = block * QUERIES..self.order.len().min((block + 1) * QUERIES);
        let mut nearest: Vec<Nearest> = queries.clone().map(|_| Nearest::new(self.k)).collect();
        let own = self.first.coordinates.slice(s![queries.clone(), ..]);
        let mut products = Array2::zeros((queries.len(), TILE));
        let mut tiles: Vec<usize> = (0..self.order.len().div_ceil(TILE)).collect();
        // The nearer the first ones are, the fewer others may be nearer.
        tiles.sort_by_key(|tile| tile.abs_diff(queries.start / TILE));
        let mut found = Vec::new();
        for tile in tiles {
            let others = self.first.coordinates.slice(s![tile * TILE..(tile + 1) * TILE, ..]);
            single::write_product(&mut products, own, others.t());
            for ((products, query), nearest) in products.outer_iter().zip(queries.clone()).zip(&mut nearest) {
                let products = products.to_slice().expect("rows of owned arrays are contiguous");
                let halves = &self.first.halves[tile * TILE..(tile + 1) * TILE];
                let limit = nearest.limit(&self.first, query, self.scale);
                found.clear();
                candidates::below(products, halves, limit, tile * TILE, &mut found);
                self.visit(query, &mut found, nearest);
            }
        }
        for (nearest, query) in nearest.iter_mut().zip(queries) {
            self.measure(query, nearest);
        }
        nearest.into_iter().map(|nearest| nearest.squares).collect()
    }

    /// Measures the candidates that are still in question, the likelier ones first.
    fn visit(&self, query: usize, found: &mut [(f32, usize)], nearest: &mut Nearest) {
        let likely = 4 * self.k;
        if found.len() > likely {
            found.select_nth_unstable_by(likely, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        }
        let mut limits = self.limits(query, nearest);
        for &(bound, place) in found.iter() {
            if bound < limits.first && place != query && self.may_be_near(query, place, &limits) {
                nearest.waiting.push(place);
            }
            if nearest.waiting.len() == GROUP {
                self.measure(query, nearest);
                limits = self.limits(query, nearest);
            }
        }
    }

    /// Measures those that wait, together.
    fn measure(&self, query: usize, nearest: &mut Nearest) {
        let own = self.point(query);
        let mut group = [own; GROUP];
        for (point, &place) in group.iter_mut().zip(&nearest.waiting) {
            *point = self.point(place);
        }
        let squares = candidates::squares(own, group);
        nearest.insert_all(&squares[..nearest.waiting.len()]);
        nearest.waiting.clear();
    }

    /// The coordinates of a point by its place in the order.
    fn point(&self, place: usize) -> &[f64] {
        self.points.row(self.order[place]).to_slice().expect("points were put in row order")
    }

    fn limits(&self, query: usize, nearest: &Nearest) -> Limits {
        let finer = self.finer.as_ref().map_or(f32::INFINITY, |finer| nearest.limit(finer, query, self.scale));
        // What is summed in any order is off by so much at most.
        let slack = 1.0 + 2.0 * (self.points.ncols() as f64 + 2.0) * f64::EPSILON;
        let square = nearest.farthest().map_or(f64::INFINITY, |square| square * slack);
        Limits { first: nearest.limit(&self.first, query, self.scale), finer, square }
    }

    /// Whether the finer screen and the sum in any order leave it open.
    fn may_be_near(&self, query: usize, place: usize, limits: &Limits) -> bool {
        if limits.square == f64::INFINITY {
            return true;
        }
        let in_question = self.finer.as_ref().is_none_or(|finer| {
            let row =
                |place: usize| finer.coordinates.row(place).to_slice().expect("rows of owned arrays are contiguous");
            finer.halves[place] - candidates::product(row(query), row(place)) < limits.finer
        });
        in_question && candidates::quick_square(self.point(query), self.point(place)) <= limits.square
    }
}

/// What a nearer point than the k nearest so far is below.
struct Limits {
    /// In the first screen, and in the finer one.
    first: f32,
    finer: f32,
    /// Of a squared distance that is summed in any order.
    square: f64,
}

/// The smallest squared distances so far, at most k, in increasing order.
struct Nearest {
    squares: Vec<f64>,
    k: usize,
    /// The places of other points that are yet to be measured.
    waiting: Vec<usize>,
}

impl Nearest {
    fn new(k: usize) -> Self {
        Self { squares: Vec::with_capacity(k + 1), k, waiting: Vec::with_capacity(GROUP) }
    }

    fn insert_all(&mut self, squares: &[f64]) {
        for &square in squares {
            let place = self.squares.partition_point(|&other| other <= square);
            if place < self.k {
                self.squares.insert(place, square);
                self.squares.truncate(self.k);
            }
        }
    }

    /// The k-th, once there are as many.
    fn farthest(&self) -> Option<f64> {
        self.squares.get(self.k - 1).copied()
    }

    /// What the bound of a nearer one is below.
    fn limit(&self, screen: &Screen, query: usize, scale: f64) -> f32 {
        self.farthest().map_or(f32::INFINITY, |square| screen.limit(query, square.sqrt() * scale))
    }
}

/// The screens that are likely to cost least, from the pairs that each leaves in question for some queries.
///
/// What the axes leave of two points is taken to be at right angles, which tells their distance.
fn cheapest(turned: &Turned, order: &[usize], points: ArrayView2<'_, f64>, k: usize) -> (Screen, Option<Screen>) {
    let ((n, d), width) = (points.dim(), turned.width());
    let pilots: Vec<usize> = (0..n.min(PILOTS)).map(|place| place * n / n.min(PILOTS)).collect();
    let finest = turned.screen(order, width);
    let rests = finest.coordinates.column(width);
    let mut bounds = finest.bounds(&pilots);
    let distances: Vec<f64> = bounds
        .outer_iter_mut()
        .zip(&pilots)
        .map(|(mut bounds, &pilot)| {
            bounds.scaled_add(rests[pilot], &rests);
            bounds[pilot] = f32::INFINITY;
            let (_, kth, _) = bounds
                .as_slice_mut()
                .expect("rows of owned arrays are contiguous")
                .select_nth_unstable_by(k.min(n) - 1, f32::total_cmp);
            (2.0 * f64::from(*kth + finest.halves[pilot])).max(0.0).sqrt()
        })
        .collect();
    let in_question = |screen: &Screen| -> usize {
        let bounds = screen.bounds(&pilots);
        let rows = bounds.outer_iter().zip(pilots.iter().zip(&distances));
        let counts = rows.map(|(row, (&pilot, &distance))| {
            let limit = screen.limit(pilot, distance);
            row.iter().filter(|&&bound| bound < limit).count()
        });
        counts.sum::<usize>() / pilots.len()
    };
    let left = in_question(&finest);
    let screening = |screen: &Screen| n * (screen.coordinates.ncols() + PAIR);
    let measuring = |count: usize| LATE * count * MEASURING * d;
    let whole = n * (d + PAIR) + measuring(k);
    let mut least = screening(&finest) + measuring(left);
    let mut first = None;
    for axes in AXES.into_iter().filter(|&axes| axes < width) {
        let screen = turned.screen(order, axes);
        let cost = screening(&screen) + LATE * in_question(&screen) * COMPARING * width + measuring(left);
        if cost < least {
            (least, first) = (cost, Some(screen));
        }
    }
    if whole < least {
        return (turned.whole(order, points), None);
    }
    match first {
        Some(first) => (first, Some(finest)),
        None => (finest, None),
    }
}
