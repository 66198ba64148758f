//! The network's own loss and accuracy, from its output taken as logits.

use ndarray::ArrayView2;

use super::ReplayError;

/// How well the network itself predicts a label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The mean cross-entropy in nats.
    pub loss: f64,
    /// The fraction of samples whose largest logit is the label's (the first of equal ones).
    pub accuracy: f64,
    /// Whether every row is non-negative and sums to one: probabilities, not logits, and so a wrong loss.
    pub looks_like_probabilities: bool,
}

/// Computes the mean cross-entropy of `samples × classes` logits against labels `0..classes`.
///
/// Over the samples that have a label, summed in their order, in double precision.
///
/// # Errors
///
/// [`ReplayError::Loss`] when a label is no class of the output, or a logit is not finite.
pub fn score(
    output: &str,
    logits: ArrayView2<'_, f32>,
    label: &str,
    labels: &[Option<i64>],
) -> Result<Score, ReplayError> {
    let classes = logits.ncols();
    let fail = |found: String, needed: String| ReplayError::Loss {
        output: output.to_owned(),
        label: label.to_owned(),
        found,
        needed,
    };
    let mut loss = 0.0;
    let mut right = 0_usize;
    let mut probabilities = true;
    let mut n = 0.0;
    for (sample, (row, &label)) in logits.rows().into_iter().zip(labels).enumerate() {
        let Some(label) = label else { continue };
        n += 1.0;
        let class = usize::try_from(label).ok().filter(|&class| class < classes);
        let class = class.ok_or_else(|| {
            fail(format!("label {label} of sample {sample}"), format!("one of 0 to {}", classes.saturating_sub(1)))
        })?;
        if let Some(value) = row.iter().find(|value| !value.is_finite()) {
            return Err(fail(format!("{value} for sample {sample}"), "finite logits".to_owned()));
        }
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|&value| (f64::from(value) - f64::from(largest)).exp()).sum();
        loss += sum.ln() - (f64::from(row[class]) - f64::from(largest));
        right += usize::from(row.iter().position(|&value| value >= largest) == Some(class));
        let total: f64 = row.iter().copied().map(f64::from).sum();
        probabilities &= (total - 1.0).abs() < 1e-3 && row.iter().all(|&value| value >= 0.0);
    }
    Ok(Score { loss: loss / n, accuracy: right as f64 / n, looks_like_probabilities: probabilities })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn equal_logits_cost_the_logarithm_of_the_number_of_classes() {
        let score = score("out", array![[2.0, 2.0, 2.0, 2.0]].view(), "y", &[Some(3)]).unwrap();
        assert!((score.loss - 4_f64.ln()).abs() < 1e-15);
        assert!(score.accuracy.abs() < 1e-15, "the first of equal logits counts");
    }

    #[test]
    fn samples_without_a_label_do_not_count() {
        let all = score("out", array![[2.0, 1.0], [9.0, 0.0]].view(), "y", &[Some(1), None]).unwrap();
        assert_eq!(all, score("out", array![[2.0, 1.0]].view(), "y", &[Some(1)]).unwrap());
    }

    #[test]
    fn probabilities_are_noticed() {
        assert!(
            score("out", array![[0.25, 0.75], [1.0, 0.0]].view(), "y", &[Some(0), Some(1)])
                .unwrap()
                .looks_like_probabilities
        );
        assert!(
            !score("out", array![[0.25, -0.75], [1.0, 0.0]].view(), "y", &[Some(0), Some(1)])
                .unwrap()
                .looks_like_probabilities
        );
    }

    #[test]
    fn labels_outside_of_the_output_are_refused() {
        let error = score("out", array![[0.0, 1.0]].view(), "y", &[Some(2)]).unwrap_err();
        assert!(error.to_string().contains("found label 2 of sample 0, needed one of 0 to 1"), "{error}");
    }
}
