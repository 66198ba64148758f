//! Exact distances to k-th neighbors and exact counts of points within a radius.
//!
//! Distances are Chebyshev distances, the largest difference of a coordinate, where nothing else is said. The largest of the Chebyshev
//! distances of two blocks of coordinates is the Chebyshev distance of both blocks put side by side, so the joint
//! space of two variables needs nothing of its own: concatenate the columns.
//!
//! | File | Holds |
//! |---|---|
//! | `leaves` | points in k-d order, cut into leaves of 64 with their boxes |
//! | `scan` | vectorised loops over one leaf |
//! | `bits` | what comparisons say, as a bit for each point |
//! | `metric` | how differences of coordinates make a distance |
//! | `nearest` | distances to k-th neighbors |
//! | `grid` | coordinates as places, whole numbers, and what these say of a radius |
//! | `places` | vectorised loops over places |
//! | `placed` | all points in one grid, or in one about a leaf |
//! | `count` | counts within a radius |
//! | `extents` | how far neighbors lie in two blocks of coordinates |
//! | `wide` | distances to k-th neighbors in many dimensions, where boxes leave nothing out |
//! | `candidates` | vectorised loops over pairs that may be near |
//! | `screen` | few coordinates from which products of matrices bound the distances of all pairs |
//!
//! Both work on places in a grid, 32 of them to a register: they rule out who is not near, and decide who is nearer than a
//! radius but for a thin shell, in which coordinates do.
//!
//! A whole leaf of queries works at once, which replaces the unpredictable branches of a tree search by straight
//! loops over 64 numbers. Every comparison is between differences rounded once; rounding keeps the order, so that
//! skipping a leaf by its box never changes a result: distances and counts equal those of two nested loops to the
//! last bit, also among ties, and with any number of threads.

mod bits;
mod candidates;
mod count;
mod extents;
mod grid;
mod leaves;
mod metric;
mod nearest;
mod placed;
mod places;
mod scan;
mod screen;
mod wide;

use std::num::NonZeroUsize;

use ndarray::ArrayView2;

use super::EstimateError;
use leaves::Leaves;
use metric::{Chebyshev, Euclidean};
use placed::Placed;

/// From so many dimensions on boxes leave out next to nothing.
const WIDE: usize = 33;

/// The Euclidean distances of each point, one a row, to its k-th nearest other points, for several k; infinite where there
/// are not as many. The coordinates must be finite.
///
/// # Cost
///
/// From O(n log n) in one dimension to O(n² d) in many. From 33 dimensions on pairs are ruled out by products of matrices in
/// single precision over some tens of principal coordinates, if these hold most of what sets points apart, else over all d; with
/// 1.5 KB a point, or 4 d bytes if that is more, and 600 KB a thread.
///
/// # Errors
///
/// [`EstimateError::Numeric`] if the eigendecomposition fails.
pub fn euclidean_distances(points: ArrayView2<'_, f64>, ks: &[NonZeroUsize]) -> Result<Vec<Vec<f64>>, EstimateError> {
    let ks = places(ks);
    if points.ncols() >= WIDE
        && let Some(distances) = wide::kth_distances(points, &ks)?
    {
        return Ok(distances);
    }
    Ok(nearest::kth_distances::<Euclidean>(&Leaves::new(points), &ks))
}

/// A set of points that answers how far its members lie from each other.
#[derive(Clone, Debug)]
pub struct Neighbors {
    leaves: Leaves,
}

/// A set of points that answers how many of its members lie near each.
#[derive(Clone, Debug)]
pub struct Counter {
    leaves: Leaves,
    placed: Placed,
}

impl Neighbors {
    /// Sorts points, one a row, for searching. The coordinates must be finite.
    ///
    /// # Cost
    ///
    /// O(n (d + log n) log n) for n points in d dimensions, and two copies of the points.
    #[must_use]
    pub fn new(points: ArrayView2<'_, f64>) -> Self {
        Self { leaves: Leaves::new(points) }
    }

    /// The number of points n.
    #[must_use]
    pub fn len(&self) -> usize {
        self.leaves.n_points()
    }

    /// Whether there are no points.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The distance of each point to its k-th nearest other point; infinite where there are not as many.
    ///
    /// # Cost
    ///
    /// From O(n log n) in one dimension to O(n²) in many, times the dimension.
    #[must_use]
    pub fn kth_distances(&self, k: NonZeroUsize) -> Vec<f64> {
        self.kth_distances_each(&[k]).swap_remove(0)
    }

    /// The same for several k from one search, which costs what the largest k costs.
    #[must_use]
    pub fn kth_distances_each(&self, ks: &[NonZeroUsize]) -> Vec<Vec<f64>> {
        nearest::kth_distances::<Chebyshev>(&self.leaves, &places(ks))
    }

    /// For each point, how far the points at its radius or nearer lie in the first `n_first` coordinates, at most, and
    /// in the others.
    ///
    /// # Panics
    ///
    /// Where there is not one radius a point.
    #[must_use]
    pub fn block_extents(&self, n_first: usize, radii: &[f64]) -> (Vec<f64>, Vec<f64>) {
        assert_eq!(radii.len(), self.len(), "each point has a radius");
        extents::block_extents(&self.leaves, n_first, radii)
    }
}

impl Counter {
    /// Sorts points, one a row, for counting. The coordinates must be finite.
    ///
    /// # Cost
    ///
    /// O(n (d + log n) log n) for n points in d dimensions, and 11 d + 8 bytes a point, and a copy of the points while they are sorted.
    #[must_use]
    pub fn new(points: ArrayView2<'_, f64>) -> Self {
        let leaves = Leaves::new(points);
        Self { placed: Placed::new(&leaves), leaves }
    }

    /// For each point, the number of other points nearer than its radius.
    ///
    /// # Panics
    ///
    /// Where there is not one radius a point.
    #[must_use]
    pub fn counts_below(&self, radii: &[f64]) -> Vec<usize> {
        self.counts_below_each(&[radii]).swap_remove(0)
    }

    /// The same for several sets of radii, which share the way to the points.
    ///
    /// # Panics
    ///
    /// Where there is not one radius a point.
    #[must_use]
    pub fn counts_below_each(&self, radii: &[&[f64]]) -> Vec<Vec<usize>> {
        for radii in radii {
            assert_eq!(radii.len(), self.leaves.n_points(), "each point has a radius");
        }
        let mut counts = count::counts_below(&self.leaves, &self.placed, radii);
        for (counts, radii) in counts.iter_mut().zip(radii) {
            for (count, &radius) in counts.iter_mut().zip(*radii) {
                // A point lies at distance zero of itself, and is not another point.
                *count -= usize::from(radius > 0.0);
            }
        }
        counts
    }

    /// For each point, the number of other points at its radius or nearer.
    ///
    /// # Panics
    ///
    /// Where there is not one radius a point.
    #[must_use]
    pub fn counts_within(&self, radii: &[f64]) -> Vec<usize> {
        self.counts_within_each(&[radii]).swap_remove(0)
    }

    /// The same for several sets of radii, which share the way to the points.
    ///
    /// # Panics
    ///
    /// Where there is not one radius a point.
    #[must_use]
    pub fn counts_within_each(&self, radii: &[&[f64]]) -> Vec<Vec<usize>> {
        // No number lies between a radius and the next one up: closed below the one is open below the other.
        let above: Vec<Vec<f64>> =
            radii.iter().map(|radii| radii.iter().map(|radius| radius.next_up()).collect()).collect();
        let mut counts = self.counts_below_each(&above.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for (counts, radii) in counts.iter_mut().zip(radii) {
            for (count, &radius) in counts.iter_mut().zip(*radii) {
                if radius == f64::INFINITY {
                    *count = self.leaves.n_points() - 1;
                }
            }
        }
        counts
    }
}

fn places(ks: &[NonZeroUsize]) -> Vec<usize> {
    ks.iter().map(|k| k.get()).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ArrayView1, array};
    use pulp::{Scalar, WithSimd};

    use super::*;
    use crate::estimate::random::SplitMix64;

    #[test]
    fn measures_four_points_on_a_line() {
        let neighbors = Neighbors::new(array![[0.0], [7.0], [1.0], [3.0]].view());
        assert_eq!(neighbors.kth_distances(NonZeroUsize::MIN), [1.0, 4.0, 1.0, 2.0]);
        let counter = Counter::new(array![[0.0], [7.0], [1.0], [3.0]].view());
        assert_eq!(counter.counts_below(&[3.0, 4.0, 2.0, 0.0]), [1, 0, 1, 0]);
        assert_eq!(counter.counts_within(&[3.0, 4.0, 2.0, 0.0]), [2, 1, 2, 0]);
    }

    #[test]
    fn counts_everything_within_infinity() {
        // The difference of the two outer points is larger than any finite number.
        let counter = Counter::new(array![[-f64::MAX], [0.0], [f64::MAX]].view());
        assert_eq!(counter.counts_within(&[f64::INFINITY; 3]), [2, 2, 2]);
        assert_eq!(counter.counts_below(&[f64::INFINITY; 3]), [1, 2, 1]);
    }

    #[test]
    fn has_no_neighbors_alone() {
        let neighbors = Neighbors::new(array![[1.0, 2.0]].view());
        assert_eq!(neighbors.kth_distances(NonZeroUsize::MIN), [f64::INFINITY]);
        assert_eq!(Counter::new(array![[1.0, 2.0]].view()).counts_within(&[1.0]), [0]);
    }

    /// What two nested loops find, in the order of coordinates.
    fn among_all_pairs(points: &Array2<f64>, ks: &[NonZeroUsize]) -> Vec<Vec<f64>> {
        let mut found = vec![Vec::new(); ks.len()];
        for (place, own) in points.outer_iter().enumerate() {
            let others = points.outer_iter().enumerate().filter(|&(other, _)| other != place);
            let square =
                |other: ArrayView1<'_, f64>| own.iter().zip(other).fold(0.0, |sum, (a, b)| (b - a).mul_add(b - a, sum));
            let mut all: Vec<f64> = others.map(|(_, other)| square(other).sqrt()).collect();
            all.sort_unstable_by(f64::total_cmp);
            for (found, k) in found.iter_mut().zip(ks) {
                found.push(all.get(k.get() - 1).copied().unwrap_or(f64::INFINITY));
            }
        }
        found
    }

    /// Also far from zero, among ties and duplicates, of very unlike sizes, and where there are too few points: to the bit.
    #[test]
    fn screens_leave_out_nothing_that_counts() {
        let mut random = SplitMix64::new(9);
        let ks: Vec<NonZeroUsize> = [1, 5, 20].into_iter().filter_map(NonZeroUsize::new).collect();
        let check = |points: &Array2<f64>, what: &str| {
            let found = euclidean_distances(points.view(), &ks).unwrap();
            assert_eq!(found, among_all_pairs(points, &ks), "{what}, {:?}", points.dim());
        };
        for (n, d, offset) in [(90, WIDE, 0.0), (70, 100, 1e6), (10, 40, -3.0), (60, 300, 0.0), (1050, 40, 1.0)] {
            // Variances from one to one in ten thousand, so that a few axes are enough; and two clusters.
            let mut points = Array2::from_shape_fn((n, d), |(row, column)| {
                offset + random.normal_pair().0 / (1.0 + column as f64).powi(2) + f64::from(u8::from(row % 2 == 0))
            });
            points.row_mut(3).fill(offset);
            points.row_mut(7).fill(offset);
            check(&points, "few axes");
            // More than a tile of points, which takes a while.
            if n > 1000 {
                continue;
            }
            for size in [1e-25, 1e25, 1e160] {
                points.row_mut(5).mapv_inplace(|value| value * size);
                check(&points, &format!("{size}"));
            }
            check(&Array2::from_shape_simple_fn((n, d), || random.normal_pair().0), "all axes alike");
            check(&Array2::from_shape_simple_fn((n, d), || f64::from(u8::from(random.uniform() < 0.5))), "bits");
            check(&Array2::from_elem((n, d), offset), "one point");
        }
    }

    #[test]
    fn distances_in_many_dimensions_do_not_depend_on_the_threads() {
        let mut random = SplitMix64::new(2);
        let points = Array2::from_shape_fn((700, 50), |(_, column)| random.normal_pair().0 / (1.0 + column as f64));
        let find = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| euclidean_distances(points.view(), &[NonZeroUsize::MIN]).unwrap())
        };
        assert_eq!(find(1), find(3));
    }

    /// The machine that runs the tests has one width of registers; its results must be those without any.
    #[test]
    fn finds_the_same_with_narrow_registers() {
        let mut random = SplitMix64::new(8);
        let points = Array2::from_shape_simple_fn((1000, 3), || random.normal_pair().0);
        let leaves = Leaves::new(points.view());
        let radii = nearest::kth_distances::<Chebyshev>(&leaves, &[1, 4]);
        let placed = Placed::new(&leaves);
        let search = |leaf| nearest::Search::<Chebyshev>::new(&leaves, Some(&placed), leaf, &[1, 4]).with_simd(Scalar);
        assert_eq!(leaves.map_points(2, search), radii);
        let mut squares =
            leaves.map_points(1, |leaf| nearest::Search::<Euclidean>::new(&leaves, None, leaf, &[4]).with_simd(Scalar));
        squares[0].iter_mut().for_each(|square| *square = square.sqrt());
        assert_eq!(squares, nearest::kth_distances::<Euclidean>(&leaves, &[4]));
        let radii = [&radii[1][..], &radii[0][..]];
        let counts = count::counts_below(&leaves, &placed, &radii);
        let count = |leaf| count::Count { leaves: &leaves, placed: &placed, leaf, radii: &radii }.with_simd(Scalar);
        for (found, counts) in leaves.map_points(2, count).iter().zip(counts) {
            assert_eq!(*found, counts.iter().map(|&count| count as f64).collect::<Vec<_>>());
        }
    }
}
