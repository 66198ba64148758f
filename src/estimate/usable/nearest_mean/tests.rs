use super::super::trials::{Trial, halves, normals};
use super::*;

fn fit(trial: &Trial) -> Fitted {
    NearestMean::default().fit(trial.z.view(), &trial.classes(), &trial.split).unwrap()
}

#[test]
fn recovers_the_information_where_classes_are_spheres_about_their_means() {
    for (noise, truth) in [(0.5, 0.632_720_2), (1.0, 0.336_830_8), (2.0, 0.111_421_5)] {
        let trial = Trial::signs(16_000, noise, 1);
        let fitted = fit(&trial);
        trial.assert_near(&fitted, truth, 0.0);
        // The variance within classes over that of the unit, which is standardized.
        let variance = fitted.details["variance"].as_f64().unwrap();
        let exact = noise * noise / (1.0 + noise * noise);
        assert!((variance / exact - 1.0).abs() < 0.08, "{variance} for {exact}");
    }
    for (n_classes, truth) in [(3, 0.755_36), (10, 1.340_09)] {
        let trial = Trial::orthogonal(20_000, n_classes, 2.0, 2);
        // Each mean costs half a coordinate's information, or (K−1)·d/2n in all.
        let cost = (n_classes * (n_classes - 1)) as f64 / 20_000.0;
        trial.assert_near(&fit(&trial), truth, cost);
    }
}

#[test]
fn unseen_samples_are_told_as_well_as_held_out_ones() {
    let trial = Trial::orthogonal(20_000, 5, 1.5, 3);
    let fitted = fit(&trial);
    let unseen = fitted.members[0].unseen.as_ref().unwrap();
    assert_eq!((unseen.classes.len(), &unseen.ends[..]), (10_000, &[2000, 4000, 6000, 8000, 10_000][..]));
    let loss = |log_probabilities: &Array2<f64>, class: &dyn Fn(usize) -> u32| {
        let rows = log_probabilities.outer_iter().enumerate();
        -rows.map(|(row, said)| said[class(row) as usize]).sum::<f64>() / 10_000.0
    };
    let out_of_fold = loss(&unseen.log_probabilities, &|row| unseen.classes[row]);
    let held_out = loss(&fitted.members[0].held_out, &|row| trial.numbers[trial.split.test[row]]);
    assert!((out_of_fold - held_out).abs() < 0.03, "{out_of_fold} {held_out}");
    let reported = fitted.details["out_of_fold_cross_entropy"].as_f64().unwrap();
    assert!((out_of_fold - reported).abs() < 1e-12, "{out_of_fold} {reported}");
    for row in fitted.members[0].held_out.outer_iter() {
        assert!((row.mapv(f64::exp).sum() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn reads_nothing_from_noise() {
    let mut trial = Trial::signs(1100, 1.0, 4);
    trial.z = normals(5, 1100, 50);
    trial.split = Split { train: (0..100).collect(), test: (100..1100).collect() };
    let (found, _) = trial.usable(&fit(&trial));
    assert!((-0.05..0.02).contains(&found), "{found}");
}

#[test]
fn is_as_sure_as_the_samples_allow_where_all_are_told_right() {
    let mut trial = Trial::signs(400, 1e-3, 6);
    let fitted = fit(&trial);
    assert!(fitted.flags.contains(&Flag::Separable));
    let (found, _) = trial.usable(&fitted);
    // H(Y) of the held-out half less about 1/2n.
    assert!((found - 2_f64.ln()).abs() < 0.005, "{found}");
    // One wrong label in the held-out half costs no more than a few nats.
    trial.numbers[399] = 1 - trial.numbers[399];
    assert!((fit(&trial).members[0].held_out[(199, trial.numbers[399] as usize)]) > -8.0);
}

#[test]
fn knows_frequencies_where_units_are_constant_and_lone_samples_of_a_class() {
    let mut trial = Trial::signs(200, 1.0, 7);
    trial.numbers[3] = 2;
    trial.n_classes = 3;
    let fitted = fit(&trial);
    assert_eq!(fitted.flags, []);
    assert!(fitted.members[0].held_out.iter().all(|ln| ln.is_finite()));
    trial.z.fill(0.3);
    let fitted = fit(&trial);
    assert!(fitted.flags == [Flag::Constant] && fitted.details["variance"].is_null());
    let first = fitted.members[0].held_out.row(0);
    assert!((first[2] - 0.01_f64.ln()).abs() < 1e-12, "{first}");
    assert_eq!(fitted.members[0].held_out.dim(), (100, 3));
}

#[test]
fn gives_the_same_bits_on_any_number_of_threads() {
    let trial = Trial::orthogonal(3000, 12, 2.0, 8);
    let find = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let fitted = pool.install(|| fit(&trial));
        (fitted.members[0].held_out.clone(), fitted.details)
    };
    assert_eq!(find(1), find(3));
    assert_eq!(halves(3000), trial.split);
}

#[test]
fn is_read_from_a_pipeline() {
    assert_eq!(toml::from_str::<NearestMean>("").unwrap(), NearestMean::default());
    assert_eq!(toml::from_str::<NearestMean>("folds = 3").unwrap().folds.get(), 3);
    assert!(toml::from_str::<NearestMean>("fold = 3").is_err());
}
