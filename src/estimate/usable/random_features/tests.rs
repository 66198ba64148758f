use ndarray::{Array2, Axis, concatenate};

use super::super::trials::{Trial, normals};
use super::*;
use crate::estimate::Flag;

fn fit(text: &str, trial: &Trial) -> Fitted {
    let family: RandomFeatures = toml::from_str(text).unwrap();
    family.fit(trial.z.view(), &trial.classes(), &trial.split, 11).unwrap()
}

#[test]
fn reads_a_product_of_signs() {
    for (noise, truth) in [(0.5, 0.578_904_57), (1.0, 0.173_589_50)] {
        let trial = Trial::product(12_000, noise, 1);
        let (found, error) = trial.usable(&fit("features = 256", &trial));
        // No more than there is, and nearly all of it.
        assert!(found < truth + 3.0 * error && found > truth - 3.0 * error - 0.01, "{found} ± {error} for {truth}");
    }
}

#[test]
fn waves_have_the_correlations_of_the_kernel() {
    let trial = Trial { z: normals(2, 200, 6), ..Trial::signs(200, 1.0, 2) };
    let scaler = Scaler::new(trial.z.view(), &trial.split.train);
    let n_features = 20_000;
    let waves = Waves::draw(n_features, 6, &scaler, 2.5, 3);
    let units = scaler.apply(trial.z.view(), &[0, 1, 2, 3, 4]);
    let mut out = vec![0.0; 5 * n_features];
    waves.write(units.block(0, 5), &mut out);
    let waves = Array2::from_shape_vec((5, n_features), out).unwrap().mapv(f64::from);
    for (i, j) in [(0, 1), (2, 3), (1, 4), (2, 2)] {
        let pairs = units.block(i, 1).features.iter().zip(units.block(j, 1).features);
        let square = pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        let exact = (-square / (2.0 * 2.5 * 2.5)).exp();
        let found = 2.0 * waves.row(i).dot(&waves.row(j)) / n_features as f64;
        // A mean of terms of variance one half at most, times two.
        assert!((found - exact).abs() < 4.0 * (2.0 / n_features as f64).sqrt(), "{found} {exact}");
    }
}

#[test]
fn a_unit_that_never_varies_changes_nothing() {
    let trial = Trial::orthogonal(600, 3, 2.0, 4);
    let dead = Array2::from_elem((600, 1), 7.0);
    let wider = concatenate(Axis(1), &[trial.z.view(), dead.view()]).unwrap();
    let plain = fit("features = 40", &trial);
    let wider = fit("features = 40", &Trial { z: wider, ..trial });
    // Directions of odd widths are drawn in pairs, so that the fourth unit takes what was left over.
    assert_eq!(plain.members[0].held_out, wider.members[0].held_out);
    assert!(wider.flags.contains(&Flag::ConstantUnits) && !plain.flags.contains(&Flag::ConstantUnits));
}

#[test]
fn depends_on_the_seed_and_not_on_threads() {
    let trial = Trial::orthogonal(900, 20, 2.0, 5);
    let find = |threads, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let family: RandomFeatures = toml::from_str("features = 100").unwrap();
        pool.install(|| {
            family.fit(trial.z.view(), &trial.classes(), &trial.split, seed).unwrap().members[0].held_out.clone()
        })
    };
    assert_eq!(find(1, 1), find(3, 1));
    assert_ne!(find(1, 1), find(1, 2));
}

#[test]
fn knows_frequencies_of_constant_units_and_refuses_samples_that_coincide() {
    let mut trial = Trial::signs(600, 1.0, 6);
    trial.z.slice_mut(ndarray::s![..150, ..]).fill(0.0);
    let refusal = RandomFeatures::default().fit(trial.z.view(), &trial.classes(), &trial.split, 1).unwrap_err();
    assert!(refusal.to_string().contains("the first 128 training samples coincide"), "{refusal}");
    trial.z.fill(0.0);
    let fitted = fit("", &trial);
    assert!(fitted.details["n_features"] == 0 && fitted.flags.contains(&Flag::Constant));
}

#[test]
fn is_read_from_a_pipeline() {
    assert_eq!(toml::from_str::<RandomFeatures>("").unwrap(), RandomFeatures::default());
    assert_eq!(toml::from_str::<RandomFeatures>("bandwidth = 0.5").unwrap().bandwidth, Bandwidth(0.5));
    for wrong in ["features = 0", "bandwidth = 0.0", "bandwidth = nan", "seed = 1"] {
        assert!(toml::from_str::<RandomFeatures>(wrong).is_err(), "{wrong}");
    }
}
