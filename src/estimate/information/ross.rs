use std::num::NonZeroUsize;

use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::{LabelInformation, flag_neighbors, is_constant, mean_of_terms};
use crate::estimate::digamma::digamma_table;
use crate::estimate::neighbors::Neighbors;
use crate::estimate::{Estimate, EstimateError, Flag, Labels};

/// Ross's estimator, of a continuous variable and a label.
///
/// # Formula
///
/// ```text
/// I(X; Y) = ψ(n) + ⟨ψ(kᵢ) − ψ(Nᵢ) − ψ(mᵢ)⟩
/// ```
///
/// where ψ is the digamma function, n the number of samples, Nᵢ the number of samples in the class of sample i,
/// kᵢ = min(k, Nᵢ − 1), and mᵢ the number of other samples of any class that lie as near as the kᵢ-th neighbor within
/// the class, or nearer. Distances are Chebyshev distances of the coordinates as they are. A class with one sample
/// has no neighbors and is left out of everything, n included. The value is in nats and not clamped at zero.
///
/// # Use
///
/// For smooth densities of each class in up to some twelve dimensions, and more than k samples a class. Repeated
/// values make it low: count them instead. It knows no ceiling at the entropy of the label, but scatters around it.
///
/// # Cost
///
/// O(n log n) in one dimension, towards O(n² d) in many.
///
/// # Reference
///
/// B. C. Ross, Mutual information between discrete and continuous data sets, PLOS ONE 9, e87357 (2014), equation 2,
/// <https://doi.org/10.1371/journal.pone.0087357>.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ross {
    /// The neighbor within the class whose distance sets the scale, k in the formula.
    pub neighbors: NonZeroUsize,
}

impl LabelInformation for Ross {
    fn estimate(&self, x: ArrayView2<'_, f64>, labels: &Labels) -> Result<Estimate, EstimateError> {
        if labels.classes().len() != x.nrows() {
            let reason = format!("there are {} samples and {} labels", x.nrows(), labels.classes().len());
            return Err(EstimateError::Degenerate { reason });
        }
        if labels.n_classes() == 1 {
            return Ok(Estimate::constant(x.nrows()));
        }
        let mut classes = members(labels);
        let small = classes.iter().any(|members| members.len() <= self.neighbors.get());
        classes.retain(|members| members.len() > 1);
        let mut rows = classes.concat();
        rows.sort_unstable();
        if rows.is_empty() {
            let reason = "no class has two samples; give more samples or fewer classes".to_owned();
            return Err(EstimateError::Degenerate { reason });
        }

        let mut estimate = if classes.len() == 1 || is_constant(x) {
            Estimate::constant(rows.len())
        } else {
            self.among_classes(x, &classes, &rows, labels.entropy(&rows))
        };
        if small {
            estimate.flag(Flag::FewSamplesPerClass);
        }
        Ok(estimate)
    }
}

impl Ross {
    /// The estimate from classes of two samples or more, of which `rows` are all members in order.
    fn among_classes(&self, x: ArrayView2<'_, f64>, classes: &[Vec<usize>], rows: &[usize], entropy: f64) -> Estimate {
        let psi = digamma_table(rows.len());
        let mut radii = vec![0.0; x.nrows()];
        let mut within = vec![0.0; x.nrows()];
        for members in classes {
            let last = NonZeroUsize::new(members.len() - 1).expect("the class has two samples or more");
            let k = self.neighbors.min(last);
            let distances = Neighbors::new(x.select(Axis(0), members).view()).kth_distances(k);
            for (&member, distance) in members.iter().zip(distances) {
                radii[member] = distance;
                within[member] = psi[k.get()] - psi[members.len()];
            }
        }
        let radii: Vec<f64> = rows.iter().map(|&row| radii[row]).collect();
        let counts = Neighbors::new(x.select(Axis(0), rows).view()).counts_within(&radii);
        let terms: Vec<f64> =
            rows.iter().zip(counts).map(|(&row, count)| psi[rows.len()] + within[row] - psi[count]).collect();

        let mut estimate = mean_of_terms(&terms);
        flag_neighbors(&mut estimate, &radii, x.ncols());
        if estimate.value > entropy + 2.0 * estimate.std_error.unwrap_or(0.0) {
            estimate.flag(Flag::AboveLabelEntropy);
        }
        estimate
    }
}

/// The rows of each class, in order.
fn members(labels: &Labels) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); labels.n_classes()];
    for (row, &class) in labels.classes().iter().enumerate() {
        members[class].push(row);
    }
    members
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;

    fn ross(k: usize, x: &Array2<f64>, labels: &[i64]) -> Result<Estimate, EstimateError> {
        let labels = Labels::new(Array1::from(labels.to_vec()).view());
        Ross { neighbors: NonZeroUsize::new(k).unwrap() }.estimate(x.view(), &labels)
    }

    #[test]
    fn agrees_with_five_samples_by_hand() {
        let x = array![[0.0], [1.0], [3.0], [7.0], [8.0]];
        // Class 0 is {0, 1, 7} with radii 1, 1, 6, and class 1 is {3, 8} with radii 5, 5; as many as 1, 1, 3 and 4, 2
        // others lie within. Euler's constant cancels, which leaves, with h(m) = 1 + 1/2 + ... + 1/(m − 1),
        // h(5) + h(1) − (3 h(3) + 2 h(2)) / 5 − (2 h(1) + h(3) + h(4) + h(2)) / 5.
        let expected = 25.0 / 12.0 - 13.0 / 10.0 - 13.0 / 15.0;
        let estimate = ross(1, &x, &[0, 0, 1, 0, 1]).unwrap();
        assert!((estimate.value - expected).abs() < 1e-14, "{} is not {expected}", estimate.value);
    }

    #[test]
    fn leaves_out_classes_of_one_sample() {
        let x = array![[0.0], [0.5], [1.0], [3.0], [7.0], [8.0]];
        let estimate = ross(1, &x, &[0, 9, 0, 1, 0, 1]).unwrap();
        let without = ross(1, &array![[0.0], [1.0], [3.0], [7.0], [8.0]], &[0, 0, 1, 0, 1]).unwrap();
        assert_eq!((estimate.value, estimate.n_samples), (without.value, 5));
        assert!(estimate.flags.contains(&Flag::FewSamplesPerClass));
        assert!(!without.flags.contains(&Flag::FewSamplesPerClass));
    }

    #[test]
    fn finds_nothing_in_a_constant() {
        let x = array![[0.0], [1.0], [3.0], [7.0]];
        let one = ross(1, &x, &[4, 4, 4, 4]).unwrap();
        assert_eq!((one.value, one.std_error, &one.flags[..]), (0.0, Some(0.0), &[Flag::Constant][..]));
        let still = ross(1, &(&x * 0.0), &[0, 0, 1, 1]).unwrap();
        assert_eq!((still.value, &still.flags[..]), (0.0, &[Flag::Constant][..]));
    }

    #[test]
    fn fails_without_classes_to_compare() {
        let x = array![[0.0], [1.0], [3.0]];
        assert!(matches!(ross(1, &x, &[0, 1, 2]), Err(EstimateError::Degenerate { .. })));
        assert!(matches!(ross(1, &x, &[0, 1]), Err(EstimateError::Degenerate { .. })));
    }

    #[test]
    fn flags_what_is_doubtful() {
        let x = Array2::from_shape_fn((40, 13), |(row, _)| row as f64);
        let halves: Vec<i64> = (0..40).map(|row| row / 20).collect();
        assert!(ross(3, &x, &halves).unwrap().flags.contains(&Flag::HighDimension));
        let alternating: Vec<i64> = (0..40).map(|row| row % 2).collect();
        assert_eq!(ross(3, &x, &alternating).unwrap().flags, [Flag::HighDimension, Flag::Negative]);
        let repeated = x.mapv(|value| (value / 8.0).floor());
        assert!(ross(3, &repeated, &halves).unwrap().flags.contains(&Flag::Ties));
        let eighths: Vec<i64> = (0..40).map(|row| row / 5).collect();
        assert!(ross(5, &x, &eighths).unwrap().flags.contains(&Flag::FewSamplesPerClass));
    }
}
