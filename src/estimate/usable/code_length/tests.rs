use proptest::prelude::*;

use super::*;

fn length(n: usize, k: u32, said: impl Fn(usize, u32, usize) -> f64) -> CodeLength {
    let numbers: Vec<u32> = (0..k).cycle().take(n).collect();
    let classes = Classes { numbers: &numbers, n_classes: k as usize };
    let order: Vec<usize> = (0..n).collect();
    CodeLength::new(&order, &classes, &Fractions::default(), |split, known| {
        assert!(split.train.iter().all(|&row| (known.numbers[row] as usize) < known.n_classes));
        let shape = (split.test.len(), known.n_classes);
        let said = Array2::from_shape_fn(shape, |(place, class)| {
            let own = known.numbers[split.test[place]];
            said(split.train.len(), own, class).ln()
        });
        Ok((said, true))
    })
    .unwrap()
}

/// Evaluated apart from the formula (10 + 9,990 · log₂ 1/p bits), of two classes and 10,000 samples.
#[test]
fn agrees_with_the_formula() {
    for (right, bits, compression) in
        [(1.0, 10.0, 1000.0), (0.9, 1_528.510_903_516_049, 6.542_315_123_167_849), (0.5, 10_000.0, 1.0)]
    {
        let found = length(10_000, 2, |_, own, class| if own as usize == class { right } else { 1.0 - right });
        assert!((found.bits() / bits - 1.0).abs() < 1e-9, "{found:?}");
        assert!((found.compression / compression - 1.0).abs() < 1e-9, "{found:?}");
        let ends: Vec<usize> = found.blocks.iter().map(|block| block.n_train).collect();
        assert_eq!(ends, [0, 10, 20, 40, 80, 160, 320, 625, 1250, 2500, 5000]);
        assert_eq!(found.escapes, 0);
    }
}

#[test]
fn few_samples_have_few_blocks() {
    let blocks = |n| -> Vec<(usize, usize)> {
        length(n, 2, |_, _, _| 0.5).blocks.iter().map(|block| (block.n_train, block.n_samples)).collect()
    };
    assert_eq!(blocks(1), [(0, 1)]);
    assert_eq!(blocks(4), [(0, 1), (1, 1), (2, 2)]);
    assert_eq!(blocks(100), [(0, 1), (1, 1), (2, 1), (3, 3), (6, 7), (13, 12), (25, 25), (50, 50)]);
}

#[test]
fn a_class_that_did_not_occur_costs_an_escape() {
    // Classes 0, 1, 2 in turn, blocks that end at 1, 2, 4, 8: after one sample two classes are new, after two one.
    let numbers = [0, 1, 2, 0, 1, 2, 0, 1];
    let classes = Classes { numbers: &numbers, n_classes: 3 };
    let order: Vec<usize> = (0..8).collect();
    let fractions = Fractions::try_from(vec![0.125, 0.25, 0.5, 1.0]).unwrap();
    let found = CodeLength::new(&order, &classes, &fractions, |split, known| {
        let said = Array2::from_elem((split.test.len(), known.n_classes), (known.n_classes as f64).recip().ln());
        Ok((said, true))
    })
    .unwrap();
    let exact = 3_f64.ln() + 3_f64.ln() + (3_f64.ln() + (2.0 * 3.0 / 2.0_f64).ln()) + 4.0 * 3_f64.ln();
    assert!((found.nats - exact).abs() < 1e-12 && found.escapes == 2, "{found:?}");
}

#[test]
fn classes_that_are_not_balanced_are_compressed_without_looking() {
    // One label in ten is the other one; the probe says just that.
    let numbers: Vec<u32> = (0..1000).map(|row| u32::from(row % 10 == 9)).collect();
    let classes = Classes { numbers: &numbers, n_classes: 2 };
    let order: Vec<usize> = (0..1000).collect();
    let found = CodeLength::new(&order, &classes, &Fractions::default(), |split, known| {
        let rare = split.train.iter().filter(|&&row| known.numbers[row] == 1).count() as f64 / split.train.len() as f64;
        let said =
            Array2::from_shape_fn((split.test.len(), 2), |(_, class)| if class == 1 { rare } else { 1.0 - rare }.ln());
        Ok((said, false))
    })
    .unwrap();
    assert!(found.compression > 1.8 && !found.converged, "{found:?}");
    assert!((found.blind_nats / found.nats - 1.0).abs() < 1e-12, "{found:?}");
    assert!(found.blocks.iter().all(|block| block.saved.0.abs() < 1e-12));
}

#[test]
fn refuses_what_cannot_be_sent() {
    let numbers = [0, 1, 0, 1];
    let order = [0, 1, 2, 3];
    let classes = |n_classes| Classes { numbers: &numbers, n_classes };
    let certain = |split: &Split, known: &Classes<'_>| {
        let shape = (split.test.len(), known.n_classes);
        Ok((Array2::from_shape_fn(shape, |(_, class)| if class == 0 { 0.0 } else { f64::NEG_INFINITY }), true))
    };
    let send = |order: &[usize], n_classes| {
        CodeLength::new(order, &classes(n_classes), &Fractions::default(), certain).unwrap_err()
    };
    assert!(matches!(send(&order, 2), EstimateError::Numeric { .. }));
    assert!(matches!(send(&order, 1), EstimateError::Degenerate { .. }));
    assert!(matches!(send(&[], 2), EstimateError::Degenerate { .. }));
    for wrong in [vec![], vec![0.5], vec![0.5, 0.5, 1.0], vec![0.0, 1.0], vec![f64::NAN, 1.0], vec![-0.5, 1.0]] {
        assert!(Fractions::try_from(wrong).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The probabilities of all classes sum to one in every block, whichever of them occurred before.
    #[test]
    fn is_a_proper_code(first in 1_usize..6, k in 2_u32..6, seed in 0_usize..1000) {
        let mut numbers: Vec<u32> = (0..first).map(|place| u32::try_from((seed >> place) % k as usize).unwrap()).collect();
        numbers.push(0);
        let order: Vec<usize> = (0..=first).collect();
        let fractions = Fractions::try_from(vec![first as f64 / (first + 1) as f64, 1.0]).unwrap();
        let total: f64 = (0..k)
            .map(|class| {
                numbers[first] = class;
                let classes = Classes { numbers: &numbers, n_classes: k as usize };
                let code = CodeLength::new(&order, &classes, &fractions, |_, known| {
                    let total = (1..=known.n_classes).sum::<usize>() as f64;
                    let said = |(_, class): (usize, usize)| ((class + 1) as f64 / total).ln();
                    Ok((Array2::from_shape_fn((1, known.n_classes), said), true))
                });
                (-code.unwrap().blocks[1].cross_entropy).exp()
            })
            .sum();
        prop_assert!((total - 1.0).abs() < 1e-12, "{}", total);
    }
}
