//! A series of variables against one: the same bits as each by itself.

use infoplane::estimate::information::{Against, Intervals, Series, measure};
use ndarray::{Array2, array};
use proptest::prelude::*;
use rayon::prelude::*;

use crate::data::normal_matrix;
use crate::estimators::{ALL, estimator};

/// Whose bandwidth is another one with each layer.
const LIKELY: &str = "{ kde = {} }";

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3) })]

    /// From all samples and from parts of them, at any number of threads, whether it was found before or not.
    #[test]
    fn what_is_kept_changes_no_bit(seed in 0..1000_u64, n in 95..130_usize) {
        let x = normal_matrix(seed, n, 3);
        let layers = [&x + &normal_matrix(seed + 1, n, 3), normal_matrix(seed + 2, n, 2), Array2::zeros((n, 1))];
        let intervals = Intervals::default();
        for text in ALL.into_iter().chain([LIKELY]) {
            let own = estimator(text);
            let alone = |y: &Array2<f64>| measure(&own, x.view(), Against::Variable(y.view()), (&intervals, None), seed);
            let alone: Vec<_> = layers.iter().chain(&layers).map(alone).collect();
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let series = Series::new(&own, x.clone(), (&intervals, None), seed);
                let each: Vec<&Array2<f64>> = layers.iter().chain(&layers).collect();
                let found: Vec<_> =
                    pool.install(|| each.into_par_iter().map(|layer| series.measure(layer.view())).collect());
                prop_assert_eq!(&found, &alone, "{}", text);
            }
        }
    }
}

#[test]
fn what_has_no_entropy_is_refused_each_time() {
    let x = array![[0.0], [0.0], [1.0], [2.0], [5.0], [3.0]];
    let y = array![[1.0], [4.0], [0.0], [3.0], [2.0], [7.0]];
    let own = estimator("{ kozachenko-leonenko = { neighbors = 1 } }");
    let intervals = Intervals::default();
    let series = Series::new(&own, x, (&intervals, None), 1);
    for _ in 0..2 {
        let error = series.measure(y.view()).unwrap_err().to_string();
        assert!(error.contains("2 of 6 samples coincide"), "{error}");
    }
}
