//! Of very many checkpoints as many as a method can look at.

/// Of sorted steps at most so many, as evenly as they allow over ln(1 + step), with the first and the last.
///
/// Neighbors that are kept lie at least some distance apart, the smallest one that leaves few enough; where there are few
/// already, all are kept.
///
/// # Cost
///
/// O(n) for n steps.
#[must_use]
pub fn thin(steps: &[u64], most: usize) -> Vec<u64> {
    // Halvings of the distance: what is left of it then is below the distance of any two steps.
    const HALVINGS: usize = 64;
    let Some((&first, &last)) = steps.first().zip(steps.last()) else { return Vec::new() };
    if steps.len() <= most.max(2) {
        return steps.to_vec();
    }
    let place = |step: u64| (step as f64).ln_1p();
    let apart = |distance: f64| {
        let mut kept = vec![first];
        let mut next = place(first) + distance;
        for &step in &steps[1..steps.len() - 1] {
            if place(step) >= next {
                kept.push(step);
                next = place(step) + distance;
            }
        }
        kept.push(last);
        kept
    };
    let (mut too_near, mut enough) = (0.0, place(last) - place(first));
    for _ in 0..HALVINGS {
        let middle = 0.5 * (too_near + enough);
        *if apart(middle).len() <= most.max(2) { &mut enough } else { &mut too_near } = middle;
    }
    apart(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_as_many_as_it_may_with_both_ends_and_evenly() {
        let steps: Vec<u64> = (0..100_000).map(|place| place * 100).collect();
        let kept = thin(&steps, 1000);
        assert!((900..=1000).contains(&kept.len()), "{}", kept.len());
        assert_eq!((kept[0], kept[kept.len() - 1]), (0, 9_999_900));
        assert!(kept.is_sorted() && kept.iter().all(|step| step % 100 == 0));
        // Early checkpoints are far apart already; late ones are thinned to about that.
        assert_eq!(&kept[..5], [0, 100, 200, 300, 400]);
        let gaps: Vec<f64> = kept[200..].windows(2).map(|pair| (pair[1] as f64 / pair[0] as f64).ln()).collect();
        let (least, most) =
            gaps[..gaps.len() - 1].iter().fold((f64::MAX, 0_f64), |found, &gap| (found.0.min(gap), found.1.max(gap)));
        // Half a checkpoint's distance at most in either direction.
        assert!(most < 2.0 * least, "{least} {most}");
    }

    #[test]
    fn leaves_few_as_they_are() {
        assert_eq!(thin(&[], 10), [0; 0]);
        assert_eq!(thin(&[5], 10), [5]);
        assert_eq!(thin(&[1, 2, 3], 3), [1, 2, 3]);
        assert_eq!(thin(&[1, 2, 3], 1), [1, 3]);
        assert_eq!(thin(&[0, 1, 2, 4, 8, 16], 2), [0, 16]);
    }
}
