use proptest::prelude::*;

use super::*;
use PhaseName::{Constant, Falling, Plateau, Rising};

/// Steps and reconstruction losses of the run that Schneider and Prabhushankar published: VGG8 on CIFAR-10, sums over 79
/// batches.
const PUBLISHED: [(u64, f64); 17] = [
    (0, 46.7068),
    (2, 46.5526),
    (4, 46.3048),
    (8, 45.6222),
    (16, 44.3769),
    (32, 43.4755),
    (64, 41.9198),
    (128, 40.3239),
    (256, 40.5391),
    (512, 41.7168),
    (1024, 41.1207),
    (2048, 44.2991),
    (4096, 48.6901),
    (8192, 54.7445),
    (16384, 57.7619),
    (32768, 60.0029),
    (65536, 62.1787),
];

fn curve(values: impl IntoIterator<Item = f64>, error: Option<f64>) -> Curve {
    Curve::new((0..).zip(values).map(|(step, value)| (step, value, error))).unwrap()
}

fn published(error: Option<f64>) -> Curve {
    Curve::new(PUBLISHED.map(|(step, value)| (step, value, error))).unwrap()
}

fn named(settings: &ThreePhases, curve: &Curve) -> Vec<(PhaseName, u64, u64)> {
    let phases = settings.phases(curve).unwrap();
    phases.iter().map(|phase| (phase.name, phase.from_step, phase.to_step)).collect()
}

#[test]
fn the_published_run_as_worked_out_by_hand() {
    let raw = named(&ThreePhases::falling(Smooth::None), &published(None));
    assert_eq!(raw, [(Constant, 0, 4), (Falling, 8, 128), (Plateau, 256, 1024), (Rising, 2048, 65536)]);
    let smooth = named(&ThreePhases::falling(Smooth::Median3), &published(None));
    assert_eq!(smooth, [(Constant, 0, 4), (Falling, 8, 128), (Plateau, 256, 512), (Rising, 1024, 65536)]);
    // The scale does not matter: per element in place of sums over batches.
    let per_element = Curve::new(PUBLISHED.map(|(step, value)| (step, value / 79.0, None))).unwrap();
    assert_eq!(named(&ThreePhases::falling(Smooth::None), &per_element), raw);
}

#[test]
fn boundaries_within_one_error_are_not_resolved() {
    // By hand, thresholds 46.2397 and 41.1304. With errors of .02 the onset is clear, the minimum as well; 1,024 is
    // .0097 below the second threshold, and 512 with it would be a second checkpoint in a row.
    let settings = ThreePhases::falling(Smooth::None);
    let phases = settings.phases(&published(Some(0.02))).unwrap();
    let onset = &phases[1];
    assert_eq!((onset.from_earliest, onset.from_latest, onset.resolved), (Some(8), Some(8), Some(true)));
    let rising = &phases[3];
    assert_eq!((rising.from_earliest, rising.from_latest, rising.resolved), (Some(512), Some(2048), Some(false)));
    // With errors of .3 step 4 might be the onset, and 256 the minimum.
    let phases = settings.phases(&published(Some(0.3))).unwrap();
    assert_eq!((phases[1].from_earliest, phases[1].from_latest), (Some(4), Some(8)));
    assert_eq!(
        (phases[2].from_earliest, phases[2].from_latest, phases[2].resolved),
        (Some(256), Some(512), Some(false))
    );
}

#[test]
fn shapes_have_the_phases_that_they_show() {
    let settings = ThreePhases::falling(Smooth::None);
    let u = [1.0, 1.0, 0.9, 0.7, 0.5, 0.7, 0.9, 1.1];
    assert_eq!(named(&settings, &curve(u, None)), [(Constant, 0, 1), (Falling, 2, 4), (Rising, 5, 7)]);
    let monotone = (0..8).map(|place| 1.0 - 0.1 * f64::from(place));
    assert_eq!(named(&settings, &curve(monotone, None)), [(Constant, 0, 0), (Falling, 1, 7)]);
    assert_eq!(named(&settings, &curve([0.7; 8], None)), [(Constant, 0, 7)]);
    let rising = [1.0, 1.01, 1.1, 1.2, 1.3];
    assert_eq!(named(&settings, &curve(rising, None)), [(Constant, 0, 1), (Rising, 2, 4)]);
    // One checkpoint off the plateau at the very end is not two.
    assert_eq!(
        named(&settings, &curve([1.0, 0.5, 0.5, 0.6], None)),
        [(Constant, 0, 0), (Falling, 1, 1), (Plateau, 2, 2)]
    );
}

#[test]
fn noise_that_is_flat_resolves_nothing() {
    let noise = [1.0, 1.004, 0.997, 1.002, 0.995, 1.006, 0.999, 1.003];
    let settings = ThreePhases::falling(Smooth::None);
    assert_eq!(named(&settings, &curve(noise, Some(0.005))), [(Constant, 0, 7)]);
    // Ten times as loud it crosses the thresholds; the errors tell.
    let loud = noise.map(|value| 1.0 + 10.0 * (value - 1.0));
    let phases = settings.phases(&curve(loud, Some(0.05))).unwrap();
    assert!(phases.len() > 1 && phases[1..].iter().all(|phase| phase.resolved == Some(false)), "{phases:?}");
}

#[test]
fn a_plateau_that_might_be_the_extremum_is_not_resolved() {
    // The last value is within one error of the least: there might be no plateau.
    let phases = ThreePhases::falling(Smooth::None).phases(&curve([1.0, 0.5, 0.505], Some(0.01))).unwrap();
    let plateau = phases.last().unwrap();
    assert_eq!((plateau.name, plateau.from_step), (Plateau, 2));
    assert_eq!((plateau.from_earliest, plateau.from_latest, plateau.resolved), (Some(2), None, Some(false)));
}

#[test]
fn information_is_fitted_and_then_compressed() {
    let information = [0.0, 0.5, 1.5, 2.0, 1.99, 1.2, 1.0];
    let settings = ThreePhases::rising(Smooth::None);
    let phases = named(&settings, &curve(information, None));
    assert_eq!(phases, [(Constant, 0, 0), (Rising, 1, 3), (Plateau, 4, 4), (Falling, 5, 6)]);
}

#[test]
fn parts_of_a_value_need_positive_values() {
    let curve = curve([1.0, 0.0, 1.0], None);
    let error = ThreePhases::falling(Smooth::None).phases(&curve).unwrap_err();
    assert_eq!(error, CurveError::NotPositive { step: 1, value: 0.0 });
    assert!(ThreePhases { of: Of::Range, ..ThreePhases::falling(Smooth::None) }.phases(&curve).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_checkpoints_does_not_matter(order in Just((0..17).collect::<Vec<usize>>()).prop_shuffle()) {
        let moved = Curve::new(order.iter().map(|&place| (PUBLISHED[place].0, PUBLISHED[place].1, Some(0.1)))).unwrap();
        for smooth in [Smooth::None, Smooth::Median3] {
            let settings = ThreePhases::falling(smooth);
            prop_assert_eq!(settings.phases(&moved), settings.phases(&published(Some(0.1))));
        }
    }

    #[test]
    fn phases_follow_each_other(values in prop::collection::vec(0.1_f64..2.0, 3..20), error in 0.0_f64..0.5) {
        for smooth in [Smooth::None, Smooth::Median3] {
            for settings in [ThreePhases::falling(smooth), ThreePhases::rising(smooth)] {
                let phases = settings.phases(&curve(values.iter().copied(), Some(error))).unwrap();
                prop_assert!(phases.iter().all(|phase| phase.from_step <= phase.to_step));
                prop_assert!(phases.windows(2).all(|pair| pair[0].to_step < pair[1].from_step), "{phases:?}");
                prop_assert!(phases[1..].iter().all(|phase| phase.from_earliest.unwrap() <= phase.from_step));
                prop_assert!(phases.iter().all(|phase| phase.from_latest.is_none_or(|latest| phase.from_step <= latest)));
            }
        }
    }
}
