//! Estimators on distributions whose information is known, and how often their intervals hold it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use infoplane::estimate::information::{Against, Intervals, measure};
use infoplane::estimate::known::{Drawn, Known, catalogue};
use infoplane::estimate::{Estimate, Flag, Permutations};

use crate::estimators::estimator;

fn known(name: &str) -> Known {
    catalogue().into_iter().find(|known| known.name == name).unwrap()
}

fn estimates(text: &str, known: &Known, n: usize, seed: u64, permutations: Option<usize>) -> Vec<Estimate> {
    let own = estimator(text);
    let permutations = permutations.map(|count| Permutations::try_from(count).unwrap());
    let uncertainty = (&Intervals::default(), permutations);
    match known.draw(n, seed) {
        Drawn::Pair(x, y) => measure(&own, x.view(), Against::Variable(y.view()), uncertainty, seed),
        Drawn::Labeled(x, labels) => measure(&own, x.view(), Against::Labels(&labels), uncertainty, seed),
        Drawn::Layer(layer, _) => measure(&own, layer.view(), Against::Variable(layer.view()), uncertainty, seed),
    }
    .unwrap()
}

/// From 5,000 samples, as reference implementations found them over five draws; the tolerance is four times the scatter
/// among these draws or more, and holds for bias where the mean of the draws is not the truth.
#[test]
fn estimates_lie_where_other_programs_found_them() {
    for (text, name, expected, tolerance) in [
        ("{ ksg = { neighbors = 1 } }", "normal", 0.417, 0.05),
        ("{ ksg = { neighbors = 10 } }", "normal", 0.414, 0.04),
        ("{ ksg = { neighbors = 3 } }", "uniform margins", 0.422, 0.05),
        ("{ ksg = { neighbors = 3 } }", "dense normal 2+2", 0.296, 0.05),
        ("{ ksg = { neighbors = 3 } }", "dense normal 5+5", 0.571, 0.06),
        ("{ ksg = { neighbors = 3 } }", "noise of width 0.1", 1.689, 0.06),
        ("{ ksg = { neighbors = 3 } }", "two pairs in 3+3", 0.961, 0.06),
        ("{ ksg = { neighbors = 3 } }", "asinh Student 1+1", 0.226, 0.05),
        ("{ ksg = { neighbors = 3 } }", "swiss roll", 0.413, 0.05),
        ("{ kozachenko-leonenko = { neighbors = 5 } }", "normal", 0.421, 0.06),
        ("{ gaussian = {} }", "normal", 0.411, 0.04),
        ("{ gaussian = {} }", "uniform margins", 0.386, 0.04),
        ("{ mixed = { neighbors = 3 } }", "zero or Poisson", 0.256, 0.05),
        ("{ ross = { neighbors = 3 } }", "3 overlapping classes", 0.637, 0.03),
        ("{ kozachenko-leonenko = { neighbors = 3 } }", "3 overlapping classes", 0.637, 0.06),
    ] {
        let value = estimates(text, &known(name), 5000, 1, None)[0].value;
        assert!((value - expected).abs() < tolerance, "{text} of {name}: {value} is not {expected}");
    }
}

/// Of a normal layer both bounds are known too: ½ ln((v + 1)/v) + 1/2(v + 1) with the variance v of the noise, and the same
/// with 4v. From 2,000 samples they scatter by about .02.
#[test]
fn pairwise_bounds_hold_the_information_of_a_noisy_layer() {
    let layer = known("noisy layer");
    let bounds = estimates("{ kolchinsky = { variance = 0.25 } }", &layer, 2000, 1, None);
    let expected = [0.25_f64, 1.0].map(|v| 0.5 * ((v + 1.0) / v).ln() + 0.5 / (v + 1.0));
    for (bound, expected) in bounds.iter().zip(expected) {
        assert!((bound.value - expected).abs() < 0.06, "{} is not {expected}", bound.value);
    }
    assert!(bounds[1].value < layer.truth && layer.truth < bounds[0].value);
}

/// Of 30 intervals of 95 %, fewer than 25 hold the truth three times in 1,000 where the level is kept; `infoplane verify --draws`
/// counts more of them.
#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for (text, name) in [
        ("{ ksg = { neighbors = 3 } }", "normal"),
        ("{ ksg = { neighbors = 3 } }", "uniform margins"),
        ("{ gaussian = {} }", "dense normal 2+2"),
        ("{ ross = { neighbors = 3 } }", "3 overlapping classes"),
        ("{ ksg = { neighbors = 3 } }", "noise of width 0.75"),
    ] {
        let known = known(name);
        let holds = |seed: &u64| {
            let interval = estimates(text, &known, 600, 100 + seed, None)[0].interval.unwrap();
            assert!(interval.low < interval.high && interval.high - interval.low < 0.6);
            interval.low <= known.truth && known.truth <= interval.high
        };
        let covered = (0..30).filter(holds).count();
        assert!(covered >= 25, "{text} of {name}: {covered} of 30");
    }
}

#[test]
fn few_samples_have_no_interval_and_say_why() {
    let estimate = estimates("{ ksg = { neighbors = 3 } }", &known("normal"), 99, 1, None).swap_remove(0);
    assert_eq!(estimate.interval, None);
    assert_eq!(estimate.details["no_interval"], "99 samples, needed 100 for two parts");
}

/// A fixed number of neighbors sees more with more samples: a tenth of them shows less.
#[test]
fn a_value_that_hangs_on_the_number_of_samples_is_flagged() {
    let strong = &estimates("{ ksg = { neighbors = 10 } }", &known("strong normal"), 1000, 1, None)[0];
    let means = strong.details["subsample_means"].as_array().unwrap();
    assert_eq!((means.len(), strong.details["subsample_sizes"][0].as_u64()), (9, Some(500)));
    assert!(means[8].as_f64() < means[0].as_f64(), "{means:?}");
    let bins = &estimates("{ binning = { bins = { width = 0.01 } } }", &known("normal"), 1000, 1, None)[0];
    assert!(bins.flags.contains(&Flag::SampleSizeBias) && bins.flags.contains(&Flag::FewSamplesPerBin));
}

#[test]
fn permutations_tell_something_from_nothing() {
    for text in ["{ ksg = { neighbors = 3 } }", "{ kozachenko-leonenko = { neighbors = 3 } }", "{ gaussian = {} }"] {
        let found = &estimates(text, &known("normal"), 300, 1, Some(39))[0];
        let null = found.null.unwrap();
        assert_eq!((null.p_value, null.permutations), (Some(1.0 / 40.0), Some(39)), "{text}");
        assert!(null.mean.unwrap().abs() < 0.05 && null.high < found.value && !found.flags.contains(&Flag::WithinNull));
        // One draw that is not among the one in twenty that are taken for something.
        let nothing = &estimates(text, &known("independent"), 300, 3, Some(39))[0];
        let null = nothing.null.unwrap();
        assert_eq!(nothing.flags.contains(&Flag::WithinNull), nothing.value <= null.high, "{text}");
        assert!(null.p_value.unwrap() > 0.05, "{text}: {null:?}");
    }
    let classes = &estimates("{ ross = { neighbors = 3 } }", &known("3 overlapping classes"), 300, 1, Some(19))[0];
    assert_eq!(classes.null.unwrap().p_value, Some(0.05));
}

/// The bound is below the truth but for three standard errors, and a network finds most of it.
#[test]
fn a_network_bounds_the_information_from_below() {
    for (name, least) in [("normal", 0.3), ("two pairs in 3+3", 0.75)] {
        let known = known(name);
        let bound = estimates("{ info-nce = { batch = 256 } }", &known, 2000, 1, None).swap_remove(0);
        let margin = 3.0 * bound.std_error.unwrap();
        assert!(bound.value > least && bound.value < known.truth + margin, "{name}: {}", bound.value);
        assert_eq!((bound.interval, &bound.flags[..]), (None, &[Flag::LowerBound][..]));
        // The same network by the other bound, whose logarithm adds scatter of about the same size.
        let other = bound.details["donsker_varadhan"].as_f64().unwrap();
        assert!(other > least - margin && other < known.truth + 2.0 * margin, "{name}: {other}");
        assert_eq!(bound, estimates("{ info-nce = { batch = 256 } }", &known, 2000, 1, None)[0]);
    }
    let nothing = &estimates("{ info-nce = {} }", &known("independent"), 1000, 1, None)[0];
    assert!(nothing.value.abs() < 0.05, "{}", nothing.value);
}

#[test]
fn bounds_of_a_layer_alone_have_no_null() {
    let Drawn::Layer(layer, _) = known("noisy layer").draw(200, 1) else { panic!("a layer was asked for") };
    let permutations = Permutations::try_from(19).ok();
    let own = estimator("{ kolchinsky = { variance = 0.25 } }");
    let uncertainty = (&Intervals::None {}, permutations);
    let error = measure(&own, layer.view(), Against::Variable(layer.view()), uncertainty, 1).unwrap_err();
    assert!(error.to_string().contains("permutations say nothing of `kolchinsky`"), "{error}");
}
